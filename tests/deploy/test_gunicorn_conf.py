"""How long the head of a request may be, whatever is in it and however it comes."""

from __future__ import annotations

import asyncio
import json
import runpy
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from tests.service.asking import GIVE_UP_S
from tests.service.conftest import serving

CONFIGURATION = runpy.run_path(str(Path(__file__).parents[2] / "deploy" / "gunicorn.conf.py"))
LIMIT: int = CONFIGURATION["HEAD_BYTES"]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
# More than any kernel keeps unread.
ENOUGH = 64 * 1024 * 1024
POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the number of octets in the body; to /stream with a beginning, and no end."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    octets, more = 0, True
    while more:
        message = await receive()
        octets, more = octets + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.body", "body": b"%d" % octets})


@pytest.fixture(scope="module")
def bounded() -> Iterator[tuple[str, int]]:
    """A server with the bundles' protocol: where it is."""
    protocol: type[asyncio.Protocol] = CONFIGURATION["BoundedProtocol"]
    with serving(app, protocol) as url:
        where = urlsplit(url)
        assert where.hostname
        assert where.port
        yield where.hostname, where.port


def answered(where: tuple[str, int], *pieces: bytes) -> bytes:
    """All that comes back, until the server ends the connection; its last words may be lost with that."""
    octets = b""
    with socket.create_connection(where, GIVE_UP_S) as wire:
        with suppress(ConnectionError):
            for piece in pieces:
                wire.sendall(piece)
        with suppress(ConnectionError):
            while read := wire.recv(65_536):
                octets += read
    return octets


def padded(octets: int, first: bytes = GET) -> bytes:
    """A whole head with a field of so many octets."""
    return first + b"X-Pad: " + b"a" * octets + b"\r\nConnection: close\r\n\r\n"


def test_a_head_below_the_limit_is_served_and_one_above_is_not(bounded: tuple[str, int]) -> None:
    served = answered(bounded, padded(LIMIT - 200))
    assert served.startswith(b"HTTP/1.1 200 ")
    head, _, body = answered(bounded, padded(LIMIT)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == 431


@pytest.mark.parametrize(
    ("begins", "piece"),
    [
        (b"GET /?", b"a"),
        (GET + b"X-Long: ", b"a"),
        (GET, b"a"),
        (GET, b"a: b\r\n"),
        (b"", b"\r\n"),
        (POST + b"0\r\nX-Trailer: ", b"a"),
        (POST + b"0\r\n", b"a: b\r\n"),
        (POST + b"5;extension=", b"a"),
    ],
    ids=["target", "value", "name", "lines", "blank lines", "trailer", "trailers", "chunk extension"],
)
@pytest.mark.parametrize("at_once", [65_536, 1_000])
def test_nothing_of_a_head_goes_on_for_ever(
    bounded: tuple[str, int], begins: bytes, piece: bytes, at_once: int
) -> None:
    def send(wire: socket.socket) -> None:
        wire.sendall(begins)
        for _ in range(ENOUGH // at_once):
            wire.sendall(piece * (at_once // len(piece)))

    with socket.create_connection(bounded, GIVE_UP_S) as wire, pytest.raises(ConnectionError):
        send(wire)


def test_ten_thousand_header_lines_are_too_many(bounded: tuple[str, int]) -> None:
    lines = b"".join(b"x-%d: b\r\n" % number for number in range(10_000))
    assert answered(bounded, GET + lines + b"\r\n")[:13] in (b"HTTP/1.1 431 ", b"")


def test_each_request_of_a_connection_has_the_whole_limit(bounded: tuple[str, int]) -> None:
    one = GET + b"X-Pad: " + b"a" * (LIMIT - 200) + b"\r\n\r\n"
    reply = answered(bounded, one * 3 + padded(LIMIT - 200))
    assert reply.count(b"HTTP/1.1 200 ") == 4


@pytest.mark.parametrize("chunk", [1, 1_000, 1_000_000])
def test_a_body_is_no_head_however_it_comes(bounded: tuple[str, int], chunk: int) -> None:
    octets = 200_000 if chunk == 1 else 2_000_000
    body = (b"%x\r\n%b\r\n" % (chunk, b"a" * chunk)) * (octets // chunk) + b"0\r\n\r\n"
    head = POST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    reply = answered(bounded, head + body)
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert b"\r\n%d\r\n" % octets in reply


def test_an_answer_that_is_under_way_ends_without_another_in_its_middle(bounded: tuple[str, int]) -> None:
    with socket.create_connection(bounded, GIVE_UP_S) as wire:
        wire.sendall(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        octets = b""
        while b"begun" not in octets:
            octets += wire.recv(65_536)
        with suppress(ConnectionError):
            wire.sendall(GET + b"X-Long: " + b"a" * 2 * LIMIT)
            while read := wire.recv(65_536):
                octets += read
    assert octets.count(b"HTTP/1.1 ") == 1
    assert octets.endswith(b"begun\r\n")


@given(st.lists(st.integers(1, LIMIT + 500), max_size=4), st.sampled_from([LIMIT - 200, LIMIT]))
def test_what_is_served_does_not_depend_on_how_it_is_cut(
    bounded: tuple[str, int], cuts: list[int], octets: int
) -> None:
    head = padded(octets)
    reply = answered(bounded, *(head[begin:end] for begin, end in pairwise([0, *sorted(cuts), len(head)])))
    assert reply[9:12] in ((b"200",) if octets < LIMIT else (b"431", b""))
