from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest

from kit.probe.reference_server import Ending, KnownGood
from kit.proof.client_examination import Framing
from kit.proof.client_marks import PLACES, Place, mark, pair

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
GET = b"GET / HTTP/1.1\r\n\r\n"


def serving(framing: Framing = "chunked", answered: int = 0, ending: Ending = "plain") -> KnownGood:
    return KnownGood("sse", framing, "ab12", lambda: None, answered, ending)


@asynccontextmanager
async def asked(server: KnownGood, request: bytes = GET) -> AsyncIterator[Connection]:
    """A connection with a request on it."""
    address = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(request)
    yield reader, writer
    writer.close()


async def head_of(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("framing", "line", "chunked"),
    [
        ("chunked", b"HTTP/1.1 200 OK", True),
        ("close", b"HTTP/1.1 200 OK", False),
        ("http10", b"HTTP/1.0 200 OK", False),
    ],
)
@pytest.mark.parametrize(
    "request_", [b"GET /stream HTTP/1.1\r\n\r\n", b"DELETE /x?y HTTP/1.1\r\nA: b\r\n\r\n"]
)
async def test_any_request_gets_each_event_when_it_is_written(
    framing: Framing, line: bytes, chunked: bool, request_: bytes
) -> None:
    async with serving(framing) as server, asked(server, request_) as (reader, _):
        head = await head_of(reader)
        assert head.startswith(line)
        assert (b"Transfer-Encoding: chunked" in head) is chunked
        for seq in range(3):
            server.write(200)
            event = await reader.readexactly(200 + 6 * chunked)  # its size in hexadecimal, two line ends
            assert mark("ab12", seq).encode() in event
        server.end()
        assert await reader.read() == (b"0\r\n\r\n" if chunked else b"")
    assert server.requests == 1


async def test_a_second_request_gets_all_of_the_stream_too() -> None:
    async with serving() as server, asked(server) as (first, _):
        await head_of(first)
        server.write(200)
        server.write(200)
        async with asked(server) as (second, _):
            await head_of(second)
            server.end()
            assert await first.read() == await second.read()
        async with asked(server) as (third, _):
            assert (await third.read()).endswith(b"0\r\n\r\n")
    assert server.requests == 3


@pytest.mark.parametrize("place", PLACES["sse"])
async def test_an_event_in_pieces_leaves_piece_by_piece_and_is_whole_for_who_asks_later(place: Place) -> None:
    async with serving() as server, asked(server) as (first, _):
        await head_of(first)
        await server.write_pair(place)
        server.write(200)
        for piece in pair("sse", "ab12", 0, place):
            assert await first.readline() == b"%x\r\n" % len(piece)
            assert await first.readexactly(len(piece) + 2) == piece + b"\r\n"
        async with asked(server) as (second, _):
            await head_of(second)
            server.end()
            assert mark("ab12", 2).encode() in await first.read()
            assert b"".join(pair("sse", "ab12", 0, place)) in _dechunked(await second.read())


@pytest.mark.parametrize(("ending", "last"), [("retry", b""), ("last-event", b"data: [DONE]")])
async def test_after_its_end_a_stream_that_asked_clients_to_come_back_is_answered_204(
    ending: Ending, last: bytes
) -> None:
    async with serving(ending=ending) as server, asked(server) as (reader, _):
        await head_of(reader)
        server.write(200)
        server.end()
        body = _dechunked(await reader.read())
        assert body.startswith(b"retry: 100\n\n")
        assert last in body
        async with asked(server) as (again, _):
            assert (await again.read()).startswith(b"HTTP/1.1 204 No Content\r\n")
    assert server.requests == 2


def _dechunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole, body = whole + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return whole


async def test_requests_before_the_stream_are_answered_at_once() -> None:
    async with serving(answered=1) as server, asked(server, b"GET /models HTTP/1.1\r\n\r\n") as (reader, _):
        assert (await reader.read()).endswith(b"0\r\n\r\n")


async def test_an_http_1_0_client_gets_no_chunks() -> None:
    async with serving() as server, asked(server, b"GET / HTTP/1.0\r\n\r\n") as (reader, _):
        assert b"chunked" not in await head_of(reader)
    assert server.http10


async def test_a_question_for_the_head_is_no_request_for_the_stream() -> None:
    async with serving() as server, asked(server, b"HEAD / HTTP/1.1\r\n\r\n") as (reader, _):
        assert (await reader.read()).endswith(b"\r\n\r\n")
    assert server.requests == 0


async def test_a_client_that_waits_to_send_its_body_gets_a_100() -> None:
    waits = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n"
    async with serving() as server, asked(server, waits) as (reader, writer):
        assert await head_of(reader) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"x" * 100_000)
        assert (await head_of(reader)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"x" * 200_000,
    ],
)
async def test_rubbish_is_refused_and_said(rubbish: bytes) -> None:
    async with serving() as server, asked(server, rubbish) as (reader, _):
        with suppress(ConnectionError):  # what it had yet to send may be refused first
            assert (await reader.read()).startswith(b"HTTP/1.1 400")
    assert server.refused
    assert server.requests == 0


async def test_a_client_that_goes_away_harms_no_other() -> None:
    async with serving() as server:
        for _ in range(3):
            async with asked(server) as (reader, writer):
                await head_of(reader)
                writer.transport.abort()
        for _ in range(20):
            server.write(4096)
            await asyncio.sleep(0)
        server.end()


async def test_one_that_asks_without_end_does_not_fill_our_memory() -> None:
    async with serving() as server, AsyncExitStack() as stack:
        server.write(200)
        readers = [(await stack.enter_async_context(asked(server)))[0] for _ in range(80)]
        for reader in readers[:64]:
            await head_of(reader)
        for reader in readers[64:]:
            with suppress(ConnectionError):
                assert await reader.read() == b""
    assert server.requests == 64
