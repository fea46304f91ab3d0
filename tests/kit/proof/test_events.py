from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.events import ChunkDecoder, EventTooLargeError, LineDecoder


def test_a_line_is_an_event_with_its_newline_counted() -> None:
    decoder = LineDecoder()
    assert decoder.feed(b'{"a"') == []
    (event,) = decoder.feed(b": 1}\r\n")
    assert (event.data, event.octets) == ('{"a": 1}', 10)


def test_an_unfinished_line_is_no_event() -> None:
    assert LineDecoder().feed(b"abc") == []


def test_an_endless_line_is_an_error() -> None:
    decoder = LineDecoder(limit=100)
    for _ in range(10):
        decoder.feed(b"0123456789")
    with pytest.raises(EventTooLargeError):
        decoder.feed(b"0")


@given(st.binary(max_size=200), st.integers(1, 9))
def test_lines_are_the_same_wherever_reads_are_split(body: bytes, step: int) -> None:
    whole = LineDecoder().feed(body)
    decoder = LineDecoder()
    split = [event for i in range(0, len(body), step) for event in decoder.feed(body[i : i + step])]
    assert split == whole
    assert sum(event.octets for event in whole) == body.rfind(b"\n") + 1


def test_a_read_is_an_event_where_events_are_unknown() -> None:
    assert [event.octets for event in ChunkDecoder().feed(b"hello")] == [5]
    assert ChunkDecoder().feed(b"") == []
