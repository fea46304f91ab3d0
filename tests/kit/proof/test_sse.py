"""The behaviours that web-platform-tests and the contract tests of SSE libraries check, at every split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.events import Event, EventTooLargeError
from kit.proof.sse import COMMENT, SSEDecoder

# name: (body, [(type, data, id), …])
CASES: dict[str, tuple[bytes, list[tuple[str, str, str]]]] = {
    "one line": (b"data: a\n\n", [("message", "a", "")]),
    "several data lines": (b"data: a\ndata: b\n\n", [("message", "a\nb", "")]),
    "a blank data line": (b"data\n\n", [("message", "", "")]),
    "blank data lines between": (b"data: a\ndata:\ndata: b\n\n", [("message", "a\n\nb", "")]),
    "a field without a colon": (b"data\ndata\n\n", [("message", "\n", "")]),
    "an event name": (b"event: token\ndata: a\n\n", [("token", "a", "")]),
    "an empty event name is message": (b"event:\ndata: a\n\n", [("message", "a", "")]),
    "the last event name counts": (b"event: a\nevent: b\ndata: x\n\n", [("b", "x", "")]),
    "an event name does not outlive its event": (
        b"event: a\ndata: 1\n\ndata: 2\n\n",
        [("a", "1", ""), ("message", "2", "")],
    ),
    "no data, no event": (b"event: a\nid: 1\n\ndata: x\n\n", [("message", "x", "1")]),
    "an id is kept": (b"id: 1\ndata: a\n\ndata: b\n\n", [("message", "a", "1"), ("message", "b", "1")]),
    "an id is changed": (
        b"id: 1\ndata: a\n\nid: 2\ndata: b\n\n",
        [("message", "a", "1"), ("message", "b", "2")],
    ),
    "an id is reset": (b"id: 1\ndata: a\n\nid\ndata: b\n\n", [("message", "a", "1"), ("message", "b", "")]),
    "an id with NUL is ignored": (
        b"id: 1\ndata: a\n\nid: 2\x00\ndata: b\n\n",
        [("message", "a", "1"), ("message", "b", "1")],
    ),
    "one leading space goes": (b"data:  a\n\n", [("message", " a", "")]),
    "a TAB stays": (b"data:\ta\n\n", [("message", "\ta", "")]),
    "a space before the colon is part of the name": (b"data : a\ndata: b\n\n", [("message", "b", "")]),
    "comments": (b": hi\ndata: a\n:\n\n:\n\ndata: b\n\n", [("message", "a", ""), ("message", "b", "")]),
    "unknown fields": (b"foo: x\ndata: a\nDATA: y\n\n", [("message", "a", "")]),
    "CR": (b"data: a\rdata: b\r\rdata: c\r\r", [("message", "a\nb", ""), ("message", "c", "")]),
    "CRLF": (b"data: a\r\ndata: b\r\n\r\n", [("message", "a\nb", "")]),
    "mixed ends": (
        b"data: a\rdata: b\ndata: c\r\n\rdata: d\n\r\n",
        [("message", "a\nb\nc", ""), ("message", "d", "")],
    ),
    "LF CR is two ends": (b"data: a\n\rdata: b\n\n", [("message", "a", ""), ("message", "b", "")]),
    "a BOM goes": (b"\xef\xbb\xbfdata: a\n\n", [("message", "a", "")]),
    "only one BOM goes": (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", [("message", "b", "")]),
    "a BOM later stays": (
        b"data: a\n\n\xef\xbb\xbfdata: b\ndata: c\n\n",
        [("message", "a", ""), ("message", "c", "")],
    ),
    "UTF-8": ("data: 流式输出 🌊\n\n".encode(), [("message", "流式输出 🌊", "")]),
    "bytes that are no UTF-8": (b"data: \xff\xfe\n\n", [("message", "\ufffd\ufffd", "")]),
    "U+2028 and U+0085 end no line": (
        "data: a\u2028b\u2029c\u0085d\x0be\n\n".encode(),
        [("message", "a\u2028b\u2029c\u0085d\x0be", "")],
    ),
    "an unterminated last event is dropped": (b"data: a\n\ndata: b\n", [("message", "a", "")]),
    "an unterminated last line is dropped": (b"data: a\n\ndata: b", [("message", "a", "")]),
    "a colon in the data": (b"data: a: b\n\n", [("message", "a: b", "")]),
    "NUL in the data": (b"data: a\x00b\n\n", [("message", "a\x00b", "")]),
}


def decode(parts: list[bytes]) -> list[Event]:
    decoder = SSEDecoder()
    return [event for part in parts for event in decoder.feed(part)]


def shown(events: list[Event]) -> list[tuple[str, str, str]]:
    return [(event.type, event.data, event.id) for event in events]


@pytest.mark.parametrize("name", CASES)
def test_every_behaviour_at_every_split_point(name: str) -> None:
    body, expected = CASES[name]
    assert shown(decode([body])) == expected
    assert shown(decode([bytes([octet]) for octet in body])) == expected
    for first in range(len(body) + 1):
        for second in range(first, len(body) + 1):
            assert shown(decode([body[:first], body[first:second], body[second:]])) == expected


def test_an_event_is_out_with_the_byte_that_ends_it_also_for_cr_alone() -> None:
    for body in (b"data: a\n\n", b"data: a\r\r", b"data: a\r\n\r"):
        decoder = SSEDecoder()
        assert decoder.feed(body[:-1]) == []
        assert len(decoder.feed(body[-1:])) == 1


def test_an_event_bears_the_last_id_that_was_given_by_its_blank_line() -> None:
    events = SSEDecoder().feed(b"id: 7\ndata: a\n\ndata: b\n\nid: 8\n\ndata: c\n\n")
    assert [event.id for event in events] == ["7", "7", "8"]


def test_octets_are_those_of_the_event_alone() -> None:
    first, second = b"event: token\ndata: ab\n\n", b"data: c\n\n"
    assert [event.octets for event in decode([first + b":\n\n" + second])] == [len(first), len(second)]


def test_an_endless_event_is_an_error_and_not_a_full_memory() -> None:
    decoder = SSEDecoder(limit=1000)
    for _ in range(100):
        decoder.feed(b"data: 678\n")
    with pytest.raises(EventTooLargeError):
        decoder.feed(b"data: xxxxxxxx\n")


def test_endless_heartbeats_are_no_event() -> None:
    decoder = SSEDecoder(limit=1000)
    assert [event for _ in range(1000) for event in decoder.feed(b":\n\n")] == []


fields = st.one_of(
    st.tuples(st.sampled_from(["data", "event", "id", "retry", "", "foo"]), st.text(max_size=8)),
)
ends = st.sampled_from(["\n", "\r", "\r\n"])


@given(
    st.lists(st.tuples(st.one_of(st.just(("", "")), fields), ends), max_size=30),
    st.lists(st.integers(0, 400)),
)
def test_where_reads_are_split_changes_nothing(
    lines: list[tuple[tuple[str, str], str]], cuts: list[int]
) -> None:
    body = "".join(
        (f"{name}: {value}" if name or value else "") + end for (name, value), end in lines
    ).encode()
    places = sorted({min(cut, len(body)) for cut in cuts})
    parts = [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]
    whole, split = decode([body]), decode(parts)
    assert shown(split) == shown(whole)
    assert sum(e.octets for e in split) <= len(body)


@given(st.lists(st.sampled_from([b': {"seq":1}\n\n', b": ping\n\n", b":\n\n", b"data: a\n\n"])), st.data())
def test_a_proofs_comments_are_events_where_they_are_wanted_and_no_others_are(
    blocks: list[bytes], drawn: st.DataObject
) -> None:
    body = b"".join(blocks)
    at = drawn.draw(st.integers(0, len(body)))
    decoder, usual = SSEDecoder(comments=True), SSEDecoder()
    events = decoder.feed(body[:at]) + decoder.feed(body[at:])
    assert [event for event in events if event.type != COMMENT] == usual.feed(body)
    kinds = [COMMENT if event.type == COMMENT else "message" for event in events]
    known = {b': {"seq":1}\n\n': COMMENT, b"data: a\n\n": "message"}
    assert kinds == [known[block] for block in blocks if block in known]
    assert sum(event.octets for event in events) + decoder.beside == len(body)


@given(st.binary(max_size=300))
def test_rubbish_never_raises(body: bytes) -> None:
    decode([body])
