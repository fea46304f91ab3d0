from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from kit.probe.reference_server import Ending, KnownGood
from kit.proof.client_examination import Framing
from kit.proof.client_marks import PLACES, Place, mark, pair

WITHIN_S = 20.0


async def _connect(server: KnownGood, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(server.url)
    assert address.hostname is not None
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(request)
    return reader, writer


def serve(
    talk: Callable[[KnownGood], Awaitable[None]],
    framing: Framing = "chunked",
    answered: int = 0,
    ending: Ending = "plain",
) -> KnownGood:
    """The server after a talk with it."""

    async def run() -> KnownGood:
        async with asyncio.timeout(WITHIN_S):
            async with KnownGood("sse", framing, "ab12", lambda: None, answered, ending) as server:
                await talk(server)
            return server

    return asyncio.run(run())


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
def test_any_request_gets_each_event_when_it_is_written(
    framing: Framing, line: bytes, chunked: bool, request_: bytes
) -> None:
    async def talk(server: KnownGood) -> None:
        reader, writer = await _connect(server, request_)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(line)
        assert (b"Transfer-Encoding: chunked" in head) is chunked
        for seq in range(3):
            server.write(200)
            event = await reader.readexactly(200 + 6 * chunked)  # its size in hexadecimal, two line ends
            assert mark("ab12", seq).encode() in event
        server.end()
        assert await reader.read() == (b"0\r\n\r\n" if chunked else b"")
        writer.close()

    assert serve(talk, framing).requests == 1


def test_a_second_request_gets_all_of_the_stream_too() -> None:
    async def talk(server: KnownGood) -> None:
        first, one = await _connect(server, b"GET / HTTP/1.1\r\n\r\n")
        await first.readuntil(b"\r\n\r\n")
        server.write(200)
        server.write(200)
        second, two = await _connect(server, b"GET / HTTP/1.1\r\n\r\n")
        await second.readuntil(b"\r\n\r\n")
        server.end()
        assert await first.read() == await second.read()
        third, three = await _connect(server, b"GET / HTTP/1.1\r\n\r\n")
        assert (await third.read()).endswith(b"0\r\n\r\n")
        for writer in (one, two, three):
            writer.close()

    assert serve(talk).requests == 3


@pytest.mark.parametrize("place", PLACES["sse"])
def test_an_event_in_pieces_leaves_piece_by_piece_and_is_whole_for_who_asks_later(place: Place) -> None:
    async def talk(server: KnownGood) -> None:
        first, one = await _connect(server, b"GET / HTTP/1.1\r\n\r\n")
        await first.readuntil(b"\r\n\r\n")
        await server.write_pair(place)
        server.write(200)
        for piece in pair("sse", "ab12", 0, place):
            assert await first.readline() == b"%x\r\n" % len(piece)
            assert await first.readexactly(len(piece) + 2) == piece + b"\r\n"
        second, two = await _connect(server, b"GET / HTTP/1.1\r\n\r\n")
        await second.readuntil(b"\r\n\r\n")
        server.end()
        assert mark("ab12", 2).encode() in await first.read()
        assert b"".join(pair("sse", "ab12", 0, place)) in _dechunked(await second.read())
        for writer in (one, two):
            writer.close()

    serve(talk)


@pytest.mark.parametrize(("ending", "last"), [("retry", b""), ("last-event", b"data: [DONE]")])
def test_after_its_end_a_stream_that_asked_clients_to_come_back_is_answered_204(
    ending: Ending, last: bytes
) -> None:
    async def talk(server: KnownGood) -> None:
        reader, writer = await _connect(server, b"GET / HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        server.write(200)
        server.end()
        body = _dechunked(await reader.read())
        assert body.startswith(b"retry: 100\n\n")
        assert last in body
        again, other = await _connect(server, b"GET / HTTP/1.1\r\n\r\n")
        assert (await again.read()).startswith(b"HTTP/1.1 204 No Content\r\n")
        for each in (writer, other):
            each.close()

    assert serve(talk, ending=ending).requests == 2


def _dechunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole, body = whole + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return whole


def test_requests_before_the_stream_are_answered_at_once() -> None:
    async def talk(server: KnownGood) -> None:
        reader, writer = await _connect(server, b"GET /models HTTP/1.1\r\n\r\n")
        assert (await reader.read()).endswith(b"0\r\n\r\n")
        writer.close()

    serve(talk, answered=1)


def test_an_http_1_0_client_gets_no_chunks() -> None:
    async def talk(server: KnownGood) -> None:
        reader, writer = await _connect(server, b"GET / HTTP/1.0\r\n\r\n")
        assert b"chunked" not in await reader.readuntil(b"\r\n\r\n")
        writer.close()

    assert serve(talk).http10


def test_a_question_for_the_head_is_no_request_for_the_stream() -> None:
    async def talk(server: KnownGood) -> None:
        reader, writer = await _connect(server, b"HEAD / HTTP/1.1\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\n")
        writer.close()

    assert serve(talk).requests == 0


def test_a_client_that_waits_to_send_its_body_gets_a_100() -> None:
    async def talk(server: KnownGood) -> None:
        reader, writer = await _connect(server, b"POST / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"x" * 100_000)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()

    serve(talk)


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
def test_rubbish_is_refused_and_said(rubbish: bytes) -> None:
    async def talk(server: KnownGood) -> None:
        reader, writer = await _connect(server, rubbish)
        with suppress(ConnectionError):  # what it had yet to send may be refused first
            assert (await reader.read()).startswith(b"HTTP/1.1 400")
        writer.close()

    server = serve(talk)
    assert server.refused
    assert server.requests == 0


def test_a_client_that_goes_away_harms_no_other() -> None:
    async def talk(server: KnownGood) -> None:
        for _ in range(3):
            reader, writer = await _connect(server, b"GET / HTTP/1.1\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
        for _ in range(20):
            server.write(4096)
            await asyncio.sleep(0)
        server.end()

    serve(talk)


def test_one_that_asks_without_end_does_not_fill_our_memory() -> None:
    async def talk(server: KnownGood) -> None:
        server.write(200)
        asked = [await _connect(server, b"GET / HTTP/1.1\r\n\r\n") for _ in range(80)]
        for reader, _ in asked[:64]:
            await reader.readuntil(b"\r\n\r\n")
        for reader, _ in asked[64:]:
            with suppress(ConnectionError):
                assert await reader.read() == b""
        for _, writer in asked:
            writer.close()

    assert serve(talk).requests == 64
