"""A front's connections: one request after another, versions of HTTP, and the end of it all."""

from __future__ import annotations

import asyncio
import socket

import pytest

from kit.lab.proxy import Front
from kit.lab.sockets import listen
from kit.targets import Hold
from tests.kit.lab import raw
from tests.kit.lab.raw import CHUNKED, LAST, Wire, asked, behind, chunk, fields, get, status
from tests.kit.lab.specs import front

PASS = front("none")
WHOLE = front("whole")


# Connections


async def test_a_client_may_ask_again_and_again_on_one_connection() -> None:
    async with behind(WHOLE) as (service, connect):
        client = await connect()
        for number in range(5):
            await client.say(get(f"/{number}"))
            answering = await service.taken()
            assert (await answering.head()).startswith(b"GET /%d " % number)
            await answering.say(CHUNKED + chunk(b"%d" % number) + LAST)
            await client.head()
            assert await client.hear(1) == b"%d" % number


async def test_requests_sent_without_waiting_are_answered_in_their_order() -> None:
    async with behind(PASS) as (service, connect):
        client = await connect()
        await client.say(get("/1") + get("/2"))
        for number in (1, 2):
            answering = await service.taken()
            assert (await answering.head()).startswith(b"GET /%d " % number)
            assert service.none_came()
            await answering.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
            await client.head()
            assert await client.hear(1) == b"%d" % number


async def test_an_http_1_0_client_gets_its_stream_until_the_connection_closes() -> None:
    async with behind(PASS) as (service, connect):
        client = await connect()
        await client.say(b"GET / HTTP/1.0\r\n\r\n")
        answering = await service.taken()
        assert "host" in fields(await answering.head())
        await answering.say(CHUNKED + chunk(b"a"))
        assert "transfer-encoding" not in fields(await client.head())
        assert await client.hear(1) == b"a"
        await answering.say(chunk(b"b") + LAST)
        assert await client.rest() == b"b"


@pytest.mark.parametrize("hold", ["none", "blocks", "whole"])
@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nContent-Length: 42\r\n\r\n'),
    ],
)
async def test_an_answer_without_body_ends_with_its_head(hold: Hold, method: str, answer: bytes) -> None:
    async with behind(front(hold)) as (service, connect):
        client = await connect()
        for _ in range(2):  # and the connection goes on
            await client.say(get(method=method))
            answering = await service.taken()
            await answering.head()
            await answering.say(answer)
            head = await client.head()
            assert status(head) == status(answer)
            assert fields(head).get("content-length") == fields(answer).get("content-length")


async def test_interim_answers_are_not_taken_for_the_answer() -> None:
    async with asked(PASS) as (client, answering, _):
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        await answering.say(hints + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert status(await client.head()) == 200
        assert await client.hear(2) == b"ok"


# The end of a front


async def test_a_closed_front_leaves_no_connection_on_either_side() -> None:
    async with raw.service() as service:
        listener = listen(0)
        address = listener.getsockname()
        closing = Front(PASS, service.port)
        closing.start(listener)

        async def connect() -> Wire:
            return Wire(*await asyncio.open_connection(*address))

        clients = [await connect() for _ in range(3)]  # one idle, one waiting, one in mid-stream
        await clients[1].say(get())
        waiting = await service.taken()
        await clients[2].say(get())
        streaming = await service.taken()
        await streaming.say(CHUNKED + chunk(b"a"))
        await clients[2].head()
        await closing.close()
        for wire in (*clients, waiting, streaming):
            await wire.left()
        with pytest.raises(ConnectionRefusedError):
            await connect()


async def test_a_connection_that_comes_just_as_the_front_closes_is_no_reason_to_complain() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    for turn in range(200):
        listener = listen(0)
        closing = Front(PASS, 9)
        closing.start(listener)
        with socket.create_connection(listener.getsockname()):
            for _ in range(turn % 4):
                await asyncio.sleep(0)
            await closing.close()
    assert complaints == []
