from __future__ import annotations

import pytest

from kit.proof.events import ChunkDecoder, LineDecoder
from kit.proof.received import Received
from kit.proof.sse import SSEDecoder


def test_events_bear_the_time_of_the_read_that_completed_them() -> None:
    received = Received(LineDecoder())
    assert [event.data for event in received.body(1.0, b"a\nb")] == ["a"]
    received.body(2.0, b"c\n")
    assert [(at, event.data) for at, event in received.arrivals] == [(1.0, "a"), (2.0, "bc")]
    assert (received.events, received.octets) == (2, 5)


def test_a_hop_s_own_comments_are_none_of_what_was_sent() -> None:
    received = Received(SSEDecoder())
    received.body(1.0, b": still there\n\n")
    assert (received.events, received.octets) == (0, 0)
    received.body(2.0, b": still there\n\ndata: a\n\n:\n\n")
    assert (received.events, received.octets) == (1, 9)


def test_each_read_is_kept_with_its_time_and_a_hop_s_comments_are_none() -> None:
    received = Received(SSEDecoder())
    for at, data in ((1.0, b"data: a"), (2.0, b"\n\n"), (2.0, b"data: b\n\n"), (3.0, b":\n\n")):
        received.body(at, data)
    assert received.reads == [(1.0, 7), (2.0, 11)]


def test_the_head_decides_what_an_event_is() -> None:
    received = Received(ChunkDecoder())
    received.head(0.0, 200, {})
    received.use(LineDecoder())
    assert received.body(1.0, b"half a line") == []


@pytest.mark.parametrize(
    ("status", "headers", "refused"),
    [
        (501, {"proxy-status": "hop; error=incremental_refused"}, True),
        (501, {"server": "SimpleHTTP"}, False),
        (404, {"proxy-status": "hop; error=incremental_refused"}, False),
        (429, {"proxy-status": "hop; error=incremental_refused"}, True),
        (429, {"proxy-status": "hop; error=INCREMENTAL_REFUSED"}, True),
        (429, {}, False),
        (200, {"proxy-status": "hop"}, False),
        (None, {}, False),
    ],
)
def test_a_refusal_to_forward_incrementally_is_told_from_other_errors(
    status: int | None, headers: dict[str, str], refused: bool
) -> None:
    received = Received(ChunkDecoder())
    if status is not None:
        received.head(0.0, status, headers)
    assert received.refused == refused


@pytest.mark.parametrize(
    ("header", "stored"),
    [
        ("x-cache: HIT", True),
        ("x-cache: HIT from cache.example", True),
        ("x-cache: TCP_MEM_HIT from 1.2.3.4", True),
        ("x-cache-status: HIT", True),
        ("cf-cache-status: HIT", True),
        ("cache-status: ExampleCache; hit; ttl=30", True),
        ("age: 12", True),
        ("x-varnish: 32770 3", True),
        ("x-cache: MISS", False),
        ("cf-cache-status: DYNAMIC", False),
        ("cache-status: ExampleCache; fwd=miss; stored", False),
        ("age: 0", False),
        ("x-varnish: 32770", False),
        ("cache-control: no-cache", False),
    ],
)
def test_a_header_says_that_a_cache_had_the_answer(header: str, *, stored: bool) -> None:
    name, _, value = header.partition(": ")
    received = Received(SSEDecoder())
    received.head(0.0, 200, {"server": "nginx", name: value})
    assert received.stored_by == (header if stored else "")


@pytest.mark.parametrize(
    ("decoder", "body", "unfinished"),
    [
        (SSEDecoder(), b"data: a\n\ndata: b\n", True),
        (SSEDecoder(), b"data: a\n\ndat", False),
        (SSEDecoder(), b"data: a\n\ndata: b\n\n:", False),
        (LineDecoder(), b'{"a": 1}\n{"a": 2}', False),
        (LineDecoder(), b'{"a": 1}\n{"a"', True),
        (ChunkDecoder(), b"a", False),
    ],
)
def test_what_ends_within_an_event_is_unfinished(
    decoder: SSEDecoder | LineDecoder | ChunkDecoder, body: bytes, *, unfinished: bool
) -> None:
    received = Received(decoder)
    received.body(1.0, body)
    assert received.unfinished is unfinished
