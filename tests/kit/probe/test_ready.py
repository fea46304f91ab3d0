"""Waiting for a service that was just made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from kit.errors import Code, KitError
from kit.probe.client import Ask
from kit.probe.ready import wait_until_ready, wait_until_version
from kit.proof.version import ExpectedVersion
from tests.fixtures.misbehaving import misbehaving
from tests.fixtures.processes import free_port


def answering(*statuses: int, heads: Sequence[bytes] = ()) -> Callable[..., Any]:
    """One after the other; a ping, where `heads` shows one, finds nothing."""
    left = list(statuses)

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        status = left[0] if len(left) == 1 else 404 if b"/ping" in b"".join(heads[-1:]) else left.pop(0)
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
        await writer.drain()

    return behave


async def _at_once(seconds: float) -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("statuses", [(200,), (503, 502, 200), (404, 404, 401), (500, 301)])
async def test_it_is_ready_when_the_service_answers(statuses: tuple[int, ...]) -> None:
    lines: list[str] = []
    heads: list[bytes] = []

    async with misbehaving(answering(*statuses, heads=heads), heads=heads) as url:
        await wait_until_ready(Ask("GET", f"{url}/ready"), waiting=lines.append, sleep=_at_once)
    assert lines == [f"not ready yet: status {status}" for status in statuses[:-1]]


async def test_a_service_that_does_not_know_the_path_is_there() -> None:
    closed = b'{"streamproof": 1, "error": "proof-expired"}'
    asked: list[bytes] = []

    async def no_such_path(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = closed if asked[-1].startswith(b"get /proof/ping") else b"none"
        writer.write(
            b"HTTP/1.1 404 X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body)
        )
        await writer.drain()

    async def never(seconds: float) -> None:
        raise AssertionError("waited")

    async with misbehaving(no_such_path, heads=asked) as url:
        await wait_until_ready(Ask("GET", f"{url}/chat"), sleep=never)


def test_a_service_that_never_gets_ready_is_given_up() -> None:
    async def main() -> None:
        async with misbehaving(answering(503)) as url:
            await wait_until_ready(Ask("GET", f"{url}/ready"), within_s=0.05, sleep=_at_once)

    with pytest.raises(KitError) as error:
        asyncio.run(main())
    assert error.value.code is Code.SERVICE_NOT_READY
    assert error.value.message.endswith("it last said: status 503")


def test_a_name_that_does_not_listen_yet_is_waited_for() -> None:
    url = f"http://127.0.0.1:{free_port()}/ready"
    with pytest.raises(KitError) as error:
        asyncio.run(wait_until_ready(Ask("GET", url), within_s=0.05, sleep=_at_once))
    assert error.value.code is Code.SERVICE_NOT_READY


async def test_a_service_that_stays_silent_is_asked_again() -> None:
    lines: list[str] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if lines:
            await answering(200)(reader, writer)
        else:
            await asyncio.Event().wait()

    async with misbehaving(silent) as url:
        await wait_until_ready(Ask("GET", f"{url}/ready"), each_s=0.05, waiting=lines.append, sleep=_at_once)
    assert set(lines) == {"not ready yet: nothing"}  # once, unless this machine takes long to answer as well


OURS = '{"type": "urn:streamproof:problem:unauthorized"}'


def versions(*said: str | int | None, heads: Sequence[bytes] = (), refusal: str = "{}") -> Callable[..., Any]:
    """An origin whose pings come from these versions, one after the other; the last goes on.

    A number is a status with which `refusal` is said. What `heads` shows to be no ping has the last ping's.
    """
    left = list(said)
    last: list[str | int | None] = list(said[:1])

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"/ping" in heads[-1]:
            last[:] = [left.pop(0) if len(left) > 1 else left[0]]
        (version,) = last
        if isinstance(version, int):
            head = f"HTTP/1.1 {version} X\r\nContent-Length: {len(refusal)}\r\nConnection: close\r\n\r\n"
            writer.write(f"{head}{refusal}".encode())
            await writer.drain()
            return
        head = f"Streamproof-Version: {version}\r\n" if version else ""
        head += "Content-Length: 18\r\nConnection: close\r\n"
        writer.write(f'HTTP/1.1 200 OK\r\n{head}\r\n{{"streamproof": 1}}'.encode())
        await writer.drain()

    return behave


def waited(
    wanted: ExpectedVersion,
    *said: str | int | None,
    within_s: float = 60.0,
    let_in_s: float = 0.0,
    refusal: str = "{}",
) -> tuple[int, list[str]]:
    """How many pings were answered before it was the wanted one, and the lines that it reported."""
    lines: list[str] = []
    heads: list[bytes] = []

    async def main() -> None:
        async with misbehaving(versions(*said, heads=heads, refusal=refusal), heads=heads) as url:
            ask = Ask("GET", url)
            await wait_until_version(
                ask, wanted, within_s=within_s, let_in_s=let_in_s, waiting=lines.append, sleep=_at_once
            )

    asyncio.run(main())
    return sum(b"/ping" in head for head in heads), lines


@pytest.mark.parametrize("wanted", [ExpectedVersion("new"), ExpectedVersion("new", says=True)])
def test_until_the_wanted_version_alone_answers(wanted: ExpectedVersion) -> None:
    pings, lines = waited(wanted, "old", "new", "old", "new", "new", "new")
    assert (pings, lines) == (6, ["waiting for new: old still answers"])


def test_of_an_origin_that_says_no_version_nothing_is_waited_for() -> None:
    assert waited(ExpectedVersion("new"), None) == (3, [])


def test_where_the_wanted_version_is_known_to_say_so_silence_is_another() -> None:
    pings, lines = waited(ExpectedVersion("new", says=True), None, "new")
    assert (pings, lines) == (4, ["waiting for new: a version that does not say which still answers"])


def test_a_version_that_never_answers_is_given_up() -> None:
    pings, lines = waited(ExpectedVersion("new"), "old", within_s=0.2)
    assert pings >= 1
    assert lines == ["waiting for new: old still answers"]


def test_what_cannot_be_reached_is_left_to_the_measurement() -> None:
    ask = Ask("GET", f"http://127.0.0.1:{free_port()}")
    asyncio.run(wait_until_version(ask, ExpectedVersion("new", says=True), within_s=60, sleep=_at_once))


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(("refusal", "let_in_s"), [("{}", 0.0), (OURS, 60.0)])
def test_a_refusal_that_lasts_is_left_to_the_measurement_at_once(
    status: int, refusal: str, let_in_s: float
) -> None:
    wanted = ExpectedVersion("new", says=True)
    pings, _ = waited(wanted, status, let_in_s=let_in_s, refusal=refusal, within_s=3600)
    assert pings == 3


def test_who_was_just_let_in_may_be_refused_for_a_while() -> None:
    pings, _ = waited(ExpectedVersion("new", says=True), *[403] * 6, "new", let_in_s=60.0, within_s=3600)
    assert pings == 6 + 3
    pings, _ = waited(ExpectedVersion("new", says=True), 403, let_in_s=0.2, within_s=3600)
    assert pings >= 3
