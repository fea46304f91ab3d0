from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.events import LineDecoder
from kit.proof.marks import SMALLEST, MarkDecoder, MarkedMedia, mark, marked_event
from kit.proof.sse import SSEDecoder

MEDIA: tuple[MarkedMedia, ...] = ("sse", "ndjson", "text")
NONCES = st.text("0123456789abcdef", min_size=4, max_size=4)


@given(st.sampled_from(MEDIA), NONCES, st.integers(0, 9_999), st.integers(SMALLEST, 9_000))
def test_an_event_has_the_size_that_was_asked_for_and_is_one_event(
    media: MarkedMedia, nonce: str, seq: int, octets: int
) -> None:
    event = marked_event(media, nonce, seq, octets)
    assert len(event) == octets
    decoder = SSEDecoder() if media == "sse" else LineDecoder()
    (found,) = decoder.feed(event)
    assert mark(nonce, seq) in found.data


@given(NONCES, st.integers(0, 9_999), st.integers(SMALLEST, 2_000))
def test_a_client_finds_the_text_where_an_openai_like_stream_has_it(
    nonce: str, seq: int, octets: int
) -> None:
    (event,) = SSEDecoder().feed(marked_event("sse", nonce, seq, octets))
    data = json.loads(event.data)
    assert data["choices"][0]["delta"]["content"].endswith(mark(nonce, seq))
    assert data["text"].endswith(mark(nonce, seq))
    assert data["seq"] == seq


@given(st.sampled_from(MEDIA), st.integers(1, 6), st.data())
def test_marks_are_found_however_the_output_is_cut(
    media: MarkedMedia, count: int, data: st.DataObject
) -> None:
    output = b"".join(marked_event(media, "ab12", seq, SMALLEST) for seq in range(count))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(output)), max_size=8)))
    decoder = MarkDecoder("ab12")
    found = []
    for begin, end in zip([0, *cuts], [*cuts, len(output)], strict=True):
        found += decoder.feed(output[begin:end])
    assert [event.data for event in found] == [str(seq) for seq in range(count)]


@given(st.lists(st.binary(max_size=400), max_size=8))
def test_no_output_at_all_is_too_strange(pieces: list[bytes]) -> None:
    decoder = MarkDecoder("ab12")
    for piece in pieces:
        decoder.feed(piece)


@pytest.mark.parametrize(
    "printed",
    [
        b"mab12n\r\n  00000e",  # broken into lines
        b"\x1b[1mmab12\x1b[0m\x1b[38;5;12mn00000e",  # coloured
        "mab12n00000e".encode("utf-16"),
        json.dumps({"said": "mab12n00000e"}).encode(),
    ],
)
def test_a_mark_is_known_again_in_another_dress(printed: bytes) -> None:
    assert len(MarkDecoder("ab12").feed(printed)) == 1


def test_a_mark_stands_for_those_before_it_and_counts_once() -> None:
    decoder = MarkDecoder("ab12")
    assert [event.data for event in decoder.feed(b"mab12n00002e")] == ["0", "1", "2"]
    assert decoder.feed(b"mab12n00001e mab12n00002e") == []


def test_the_mark_of_another_stream_is_no_sign() -> None:
    assert MarkDecoder("ab12").feed(b"mcd34n00000e") == []
