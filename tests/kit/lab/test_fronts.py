"""The three ways of holding a response, byte by byte, with no socket and no clock."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.lab.fronts import Gate, Head, Release, late, plain
from kit.lab.headers import Header, find
from kit.targets import FrontSpec, Hold
from tests.kit.lab.specs import front

SSE: tuple[Header, ...] = ((b"Content-Type", b"text/event-stream"), (b"Transfer-Encoding", b"chunked"))
HOLDS: tuple[Hold, ...] = ("none", "blocks", "whole")
BLOCK = 8
BODIES = st.binary(max_size=5 * BLOCK)


def gate(spec: FrontSpec, *more: Header, status: int = 200, bodyless: bool = False) -> Gate:
    return Gate(spec, Head(status, (*SSE, *more)), values={}, bodyless=bodyless)


def through(one: Gate, pieces: Iterable[bytes]) -> list[Release]:
    """Everything that a whole response forwards."""
    releases = one.begin()
    for piece in pieces:
        releases += one.feed(piece)
    return releases + one.finish()


def body(releases: Iterable[Release]) -> bytes:
    return b"".join(release.body for release in releases)


def blocks(**differences: object) -> FrontSpec:
    return front("blocks", block_bytes=BLOCK, **differences)


@st.composite
def splittings(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A body, and the same body in pieces."""
    whole = draw(BODIES)
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    edges = [0, *cuts, len(whole)]
    return whole, [whole[start:end] for start, end in itertools.pairwise(edges)]


# What every front has in common


@pytest.mark.parametrize("hold", HOLDS)
@given(splittings())
def test_what_comes_out_is_what_went_in(hold: Hold, split: tuple[bytes, list[bytes]]) -> None:
    whole, pieces = split
    spec = blocks() if hold == "blocks" else front(hold)
    releases = through(gate(spec), pieces)
    assert body(releases) == whole
    assert [release.head is not None for release in releases] == [True] + [False] * (len(releases) - 1)
    assert [release.end for release in releases] == [False] * (len(releases) - 1) + [True]
    assert not any(release.cut for release in releases)


@pytest.mark.parametrize("hold", HOLDS)
def test_headers_follow_the_targets_rules(hold: Hold) -> None:
    rules = {"response_headers_removed": ("x-app-*",), "response_headers_added": {"Server": "Front"}}
    releases = through(gate(front(hold, **rules), (b"X-App-Secret", b"1"), (b"server", b"uvicorn")), [b"x"])
    head = next(release.head for release in releases if release.head)
    assert find(head.headers, b"server") == b"Front"
    assert find(head.headers, b"x-app-secret") is None
    assert find(head.headers, b"content-type") == b"text/event-stream"


@pytest.mark.parametrize("hold", HOLDS)
def test_an_answer_without_body_keeps_its_head_as_it_is(hold: Hold) -> None:
    head = Head(200, ((b"Content-Length", b"42"),))
    releases = through(Gate(front(hold), head, values={}, bodyless=True), [])
    assert [release.end for release in releases] == [True]
    assert releases[0].head
    assert find(releases[0].head.headers, b"content-length") == b"42"


@pytest.mark.parametrize("hold", HOLDS)
@pytest.mark.parametrize("ends", [Gate.finish, Gate.broke, Gate.expire])
def test_after_its_end_a_gate_lets_nothing_more_go(hold: Hold, ends: Callable[[Gate], list[Release]]) -> None:
    one = gate(front(hold))
    one.begin()
    one.feed(b"x" * 10)
    assert ends(one)
    assert not [*one.feed(b"more"), *one.finish(), *one.broke(), *one.expire()]


@pytest.mark.parametrize("hold", HOLDS)
def test_a_length_beside_chunks_means_nothing_and_is_not_passed_on(hold: Hold) -> None:
    releases = through(gate(front(hold), (b"Content-Length", b"3")), [b"abc", b"def"])
    head = next(release.head for release in releases if release.head)
    assert find(head.headers, b"content-length") == (b"6" if hold == "whole" else None)


# Pass-through


def test_a_pass_through_lets_the_head_go_at_once_and_every_piece_as_it_comes() -> None:
    one = gate(front("none"))
    assert [release.head is not None for release in one.begin()] == [True]
    assert body(one.feed(b"a")) == b"a"
    assert body(one.feed(b"bc")) == b"bc"
    assert one.finish() == [Release(end=True)]


# Blocks


@given(splittings())
def test_blocks_are_the_same_wherever_reads_are_split(split: tuple[bytes, list[bytes]]) -> None:
    whole, pieces = split
    assert through(gate(blocks()), pieces) == through(gate(blocks()), [whole])


@given(BODIES)
def test_all_blocks_but_the_last_are_full(whole: bytes) -> None:
    *full, rest = through(gate(blocks()), [whole])
    assert [len(release.body) for release in full] == [BLOCK] * (len(whole) // BLOCK)
    assert len(rest.body) == len(whole) % BLOCK


def test_not_even_the_head_goes_before_the_first_block_is_full() -> None:
    one = gate(blocks())
    assert one.begin() == []
    assert one.feed(b"x" * (BLOCK - 1)) == []
    (first,) = one.feed(b"x")
    assert first.head
    assert len(first.body) == BLOCK


@pytest.mark.parametrize("value", [b"no", b"No", b"NO"])
def test_the_header_frees_blocks_and_is_consumed(value: bytes) -> None:
    one = gate(blocks(), (b"X-Accel-Buffering", value))
    (first,) = one.begin()
    assert first.head
    assert find(first.head.headers, b"x-accel-buffering") is None
    assert body(one.feed(b"a")) == b"a"


def test_any_other_value_of_the_header_frees_nothing() -> None:
    assert gate(blocks(), (b"X-Accel-Buffering", b"yes")).begin() == []


@pytest.mark.parametrize("hold", ["blocks", "whole"])
def test_a_platform_that_does_not_know_the_header_holds_on_and_passes_it_to_the_client(hold: Hold) -> None:
    one = gate(front(hold, accel_frees=False), (b"X-Accel-Buffering", b"no"))
    assert one.begin() + one.feed(b"a") == []
    (only,) = one.finish()
    assert only.head
    assert find(only.head.headers, b"x-accel-buffering") == b"no"


# Whole-message


@given(splittings())
def test_a_whole_message_goes_in_one_release_with_its_length(split: tuple[bytes, list[bytes]]) -> None:
    whole, pieces = split
    one = gate(front("whole"), (b"Content-Length", b"999"))
    assert one.begin() == []
    assert [release for piece in pieces for release in one.feed(piece)] == []
    (only,) = one.finish()
    assert only.head
    assert [value for name, value in only.head.headers if name.lower() == b"content-length"] == [
        str(len(whole)).encode()
    ]


def test_a_service_that_breaks_off_behind_a_whole_message_front_is_a_502_in_a_sentence() -> None:
    one = gate(front("whole"))
    one.feed(b"half an ans")
    (only,) = one.broke()
    assert only.head
    assert (only.head.status, only.end) == (502, True)
    assert b"broke off" in only.body
    assert b"half" not in only.body


@pytest.mark.parametrize("hold", ["none", "blocks"])
def test_a_service_that_breaks_off_behind_any_other_front_is_a_cut_after_what_it_said(hold: Hold) -> None:
    one = gate(front(hold))
    releases = [*one.begin(), *one.feed(b"half an ans"), *one.broke()]
    assert body(releases) == b"half an ans"
    assert releases[-1].cut
    assert not any(release.end for release in releases)


# Caps


def is_empty_500(releases: list[Release]) -> bool:
    (only,) = releases
    assert only.head
    return (only.head.status, only.body, only.end) == (500, b"", True)


@given(st.integers(0, 3 * BLOCK), st.integers(1, 5))
def test_over_its_cap_a_whole_message_becomes_an_empty_500_and_under_it_never(size: int, step: int) -> None:
    one = gate(front("whole", response_cap_bytes=BLOCK))
    releases = through(one, [b"x" * step] * (size // step) + [b"x" * (size % step)])
    if size > BLOCK:
        assert is_empty_500(releases)
    else:
        assert body(releases) == b"x" * size


def test_a_whole_message_front_keeps_no_more_than_its_cap_in_memory() -> None:
    one = gate(front("whole", response_cap_bytes=BLOCK))
    for _ in range(1_000):
        one.feed(b"x" * BLOCK)
        assert len(one._held) <= BLOCK


def test_a_length_over_the_cap_is_refused_before_the_body_comes() -> None:
    head = Head(200, ((b"Content-Length", b"9"),))
    one = Gate(front("none", response_cap_bytes=BLOCK, cap_spares_chunked=True), head, values={})
    assert is_empty_500(one.begin())
    assert one.feed(b"x" * 9) + one.finish() == []


def test_a_chunked_response_has_no_cap_where_the_platform_says_so() -> None:
    one = gate(front("none", response_cap_bytes=BLOCK, cap_spares_chunked=True))
    assert len(body(through(one, [b"x" * 100]))) == 100


def test_a_response_of_unknown_length_is_cut_when_it_passes_the_cap() -> None:
    head = Head(200, ((b"Content-Type", b"text/plain"),))
    one = Gate(front("none", response_cap_bytes=BLOCK, cap_spares_chunked=True), head, values={})
    assert body([*one.begin(), *one.feed(b"x" * BLOCK)]) == b"x" * BLOCK
    assert one.feed(b"x") == [Release(cut=True)]


def test_an_answer_to_head_has_no_cap() -> None:
    head = Head(200, ((b"Content-Length", b"9"),))
    one = Gate(front("whole", response_cap_bytes=BLOCK), head, values={}, bodyless=True)
    (only,) = [*one.begin(), *one.finish()]
    assert only.head
    assert only.head.status == 200


# Deadlines


@pytest.mark.parametrize(
    ("hold", "status", "said"),
    [("whole", 500, b""), ("blocks", 504, b""), ("none", 504, b"upstream request timeout")],
)
def test_the_deadlines_error_is_the_platforms(hold: Hold, status: int, said: bytes) -> None:
    (only,) = late(front(hold), {})
    assert only.head
    assert (only.head.status, only.body, only.end) == (status, said, True)
    assert (find(only.head.headers, b"content-type") is None) is (said == b"")


@pytest.mark.parametrize("hold", ["blocks", "whole"])
def test_at_the_deadline_a_held_response_becomes_that_error_without_its_body(hold: Hold) -> None:
    one = gate(front(hold))
    one.feed(b"half")
    assert one.expire() == late(front(hold), {})


def test_at_the_deadline_a_response_under_way_is_cut() -> None:
    one = gate(front("none"))
    one.begin()
    assert one.expire() == [Release(cut=True)]


def test_a_fronts_own_answer_bears_the_fronts_headers() -> None:
    spec = front(response_headers_added={"Server": "Front", "X-Trace": "{trace}"})
    (only,) = plain(spec, 502, "No.", {"trace": "t"})
    assert only.head
    assert find(only.head.headers, b"server") == b"Front"
    assert find(only.head.headers, b"x-trace") == b"t"
    assert find(only.head.headers, b"content-length") == str(len(only.body)).encode()
