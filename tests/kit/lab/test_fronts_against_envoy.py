"""The deadline of a front that lets everything pass, held against a real Envoy with a route timeout.

What passes is compared byte by byte, and the ends by their order on both connections, never by time. Where
Envoy differs is known and stated (`kit.lab.fronts`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

import pytest

from tests.fixtures.proxies import Fleet
from tests.fixtures.sites import EnvoySite
from tests.kit.lab.raw import (
    CHUNKED,
    LAST,
    Connect,
    Service,
    Wire,
    chunk,
    fields,
    front_before,
    get,
    service,
    status,
    whole_exchange,
)
from tests.kit.lab.specs import front

DEADLINE_S = 2
WITH_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"
PACE_S = 0.05


class Place(NamedTuple):
    """A service, and how a client connects to it through a front."""

    origin: Service
    connect: Connect


InOnePlace = Callable[..., AbstractAsyncContextManager[tuple[Place, Place]]]


@pytest.fixture
def in_one_place(fleet: Fleet) -> InOnePlace:
    """A service behind a front of the kit's, and one behind Envoy, with the same deadline."""

    @asynccontextmanager
    async def start(deadline_s: int = DEADLINE_S) -> AsyncIterator[tuple[Place, Place]]:
        spec = front("none", deadline_s=deadline_s, client_leaves="passed")
        async with service() as one, service() as other, front_before(one.port, spec) as ours:
            (url,) = fleet([EnvoySite(f"http://127.0.0.1:{other.port}", timeout_s=deadline_s)])
            host, _, port = url.removeprefix("http://").partition(":")

            async def real() -> Wire:
                return Wire(*await asyncio.open_connection(host, int(port)))

            yield Place(one, ours), Place(other, real)

    return start


class Seen(NamedTuple):
    """What a client saw of a stream: the status, how it was framed, what came after the last whole event."""

    status: int
    framed_by: str
    flowed: bool
    then: bytes | str


async def stream(place: Place, start: bytes, *, request: bytes = get(), events: int | None = None) -> Seen:
    """Say an event and a heartbeat whenever the last has arrived, until the front ends it.

    With `events` the service ends it, after so many.
    """
    client = await place.connect()
    await client.say(request)
    answering = await place.origin.taken()
    await answering.head()
    left = asyncio.create_task(answering.left())
    answering.writer.write(start)
    head = await client.head()
    number = 0
    then: bytes | str | None = None
    while then is None and number != events:
        piece = b"data: %d\n\n:\n\n" % number
        answering.writer.write(chunk(piece) if start == CHUNKED else piece)
        expected = chunk(piece) if "transfer-encoding" in fields(head) else piece
        try:
            assert await client.hear(len(expected)) == expected
        except asyncio.IncompleteReadError as error:
            then = error.partial
        except ConnectionResetError:
            then = "reset"
        number += 1
        await asyncio.sleep(PACE_S)
    if then is None:
        answering.writer.write(LAST)
        answering.close()
        then = await client.hear(len(LAST))
    await left  # the service knows as well
    (framed_by,) = {"transfer-encoding", "content-length", "connection"} & fields(head).keys()
    return Seen(status(head), framed_by, number > 1, then)


async def both(places: tuple[Place, Place], start: bytes, **differently: Any) -> list[Seen]:
    """The kit's, and Envoy's."""
    return await asyncio.gather(*(stream(place, start, **differently) for place in places))


@pytest.mark.parametrize(
    ("start", "framed_by"), [(CHUNKED, "transfer-encoding"), (WITH_LENGTH, "content-length")]
)
async def test_a_stream_that_never_pauses_is_cut_as_by_envoy(
    in_one_place: InOnePlace, start: bytes, framed_by: str
) -> None:
    async with in_one_place() as places:
        assert await both(places, start) == [Seen(200, framed_by, flowed=True, then=b"")] * 2


async def test_what_ends_before_its_deadline_is_whole_and_so_the_comparison_can_fail(
    in_one_place: InOnePlace,
) -> None:
    async with in_one_place(60) as places:
        whole = Seen(200, "transfer-encoding", flowed=True, then=LAST)
        assert await both(places, CHUNKED, events=10) == [whole] * 2


async def test_to_a_client_of_http_1_0_the_cut_looks_whole_from_envoy_and_not_from_ours(
    in_one_place: InOnePlace,
) -> None:
    async with in_one_place() as places:
        ours, real = await both(places, CHUNKED, request=b"GET / HTTP/1.0\r\nHost: front.example\r\n\r\n")
    assert (ours.then, real.then) == ("reset", b"")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_before_the_head_the_client_gets_envoys_answer_and_keeps_its_connection(
    in_one_place: InOnePlace, method: str
) -> None:
    async def answered(place: Place) -> tuple[int, str, str, bytes]:
        client = await place.connect()
        await client.say(get("/", "Content-Length: 0", method=method))
        answering = await place.origin.taken()
        await answering.head()
        head = await client.head()
        said = fields(head)
        body = await client.hear(int(said["content-length"]) if method != "HEAD" else 0)
        await answering.left()
        await whole_exchange(client, place.origin)
        return status(head), said["content-type"].partition(";")[0], said["content-length"], body

    async with in_one_place() as places:
        body = b"" if method == "HEAD" else b"upstream request timeout"
        assert await asyncio.gather(*map(answered, places)) == [(504, "text/plain", "24", body)] * 2


async def test_ours_counts_from_the_requests_head_and_envoy_from_its_end(in_one_place: InOnePlace) -> None:
    async with in_one_place() as places:
        ours, real = [await place.connect() for place in places]
        for client in (real, ours):
            await client.say(get("/", "Content-Length: 5", method="POST") + b"12")
        assert status(await ours.head()) == 504
        await asyncio.sleep(PACE_S)
        assert real.silent()
        await real.say(b"345")
        assert status(await real.head()) == 504


async def test_a_client_that_leaves_is_told_to_the_service_before_any_deadline_as_by_envoy(
    in_one_place: InOnePlace,
) -> None:
    async with in_one_place(600) as places:
        for place in places:
            client = await place.connect()
            await client.say(get())
            answering = await place.origin.taken()
            await answering.head()
            await answering.say(CHUNKED + chunk(b"data: 0\n\n"))
            await client.head()
            client.reset()
            await answering.left()
