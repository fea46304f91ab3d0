"""Clients that are slow, leave, or speak no HTTP: what the service and the others notice of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kit.targets import Hold
from tests.kit.lab.raw import CHUNKED, LAST, Wire, asked, behind, chunk, fields, get, stalled, status
from tests.kit.lab.specs import front

PASS = front("none")


# Slow and leaving clients


async def test_a_client_that_does_not_read_pushes_back_on_its_service_alone() -> None:
    async with stalled(PASS) as (_, said):
        assert said < 300  # kernel buffers, not 30 MB in the front


async def test_where_the_platform_passes_a_leave_on_the_service_sees_it_at_once() -> None:
    async with asked(front("none", client_leaves="passed")) as (client, answering, _):
        await answering.say(CHUNKED + chunk(b"a"))
        await client.head()
        client.close()
        await answering.left()


@pytest.mark.parametrize("hold", ["none", "blocks", "whole"])
@pytest.mark.parametrize("leave", [Wire.close, Wire.reset])
async def test_where_unknown_the_response_is_read_to_its_end(
    hold: Hold, leave: Callable[[Wire], None]
) -> None:
    async with asked(front(hold, client_leaves="unknown")) as (client, answering, another):
        await answering.say(CHUNKED + chunk(b"x" * 100))
        leave(client)
        for _ in range(10):
            await another()  # the front has its time to notice
            await answering.say(chunk(b"x" * 100_000))
        await answering.say(LAST)
        assert await answering.rest() == b""  # an end only now, and no reset: all was read


async def test_a_client_that_leaves_before_its_request_is_complete_is_always_passed_on() -> None:
    request = get("/", "Content-Length: 100", method="POST") + b"x"
    async with asked(front("none", client_leaves="unknown"), request) as (client, answering, _):
        client.close()
        await answering.left()


async def test_a_client_that_only_stops_sending_still_gets_its_answer() -> None:
    async with behind(PASS) as (service, connect):
        client = await connect()
        await client.say(get("/", "Connection: close"))
        client.half_close()
        answering = await service.taken()
        await answering.head()
        await answering.say(CHUNKED + chunk(b"hello") + LAST)
        assert (await client.rest()).endswith(chunk(b"hello") + LAST)


# What goes wrong on the client's side


@pytest.mark.parametrize(
    ("rubbish", "expected"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),  # TLS
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", 400),
        (get("/", "Content-Length: x"), 400),
        (get("/", "X: " + "x" * 100_000), 431),
        (get("/", "Transfer-Encoding: gzip"), 501),
    ],
)
async def test_what_is_no_request_is_refused_and_reaches_no_service(rubbish: bytes, expected: int) -> None:
    async with behind(PASS) as (service, connect):
        client = await connect()
        await client.say(rubbish)
        head = await client.head()
        assert status(head) == expected
        assert (await client.rest()).startswith(b"This is not an HTTP/1.1 request: ")
        assert service.none_came()


async def test_a_body_that_turns_into_rubbish_is_a_400_and_ends_the_services_connection() -> None:
    async with behind(PASS) as (service, connect):
        client = await connect()
        await client.say(get("/", "Transfer-Encoding: chunked", method="POST") + chunk(b"a") + b"rubbish\r\n")
        answering = await service.taken()
        assert status(await client.head()) == 400
        await answering.left()


async def test_an_error_of_the_fronts_own_has_no_body_for_head_either() -> None:
    async with behind(PASS) as (service, connect):
        client = await connect()
        await client.say(get(method="HEAD"))
        (await service.taken()).close()
        head = await client.head()
        assert (status(head), int(fields(head)["content-length"]) > 0) == (502, True)
        await client.say(get())  # the connection goes on, and nothing was left over in it
        answering = await service.taken()
        await answering.head()
        await answering.say(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert status(await client.head()) == 204


async def test_the_front_is_no_tunnel() -> None:
    async with behind(PASS) as (service, connect):
        client = await connect()
        await client.say(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert status(await client.head()) == 405
        assert service.none_came()
