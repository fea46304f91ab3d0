from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.client_marks import PLACES, SMALLEST, MarkDecoder, MarkedMedia, Place, mark, marked_event, pair
from kit.proof.events import LineDecoder
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
    assert [event.id for event in found] == [str(seq) for seq in range(count)]


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
    assert [event.id for event in decoder.feed(b"mab12n00002e")] == ["0", "1", "2"]
    assert decoder.feed(b"mab12n00001e mab12n00002e") == []


def test_the_mark_of_another_stream_is_no_sign() -> None:
    assert MarkDecoder("ab12").feed(b"mcd34n00000e") == []


CUTS = [(media, place) for media in MEDIA for place in PLACES[media]]


@pytest.mark.parametrize(("media", "place"), CUTS)
def test_two_events_in_pieces_are_the_same_two_events_wherever_the_first_is_cut(
    media: MarkedMedia, place: Place
) -> None:
    pieces = pair(media, "ab12", 6, place)
    decoder = SSEDecoder() if media == "sse" else LineDecoder()
    found = [event.data for piece in pieces for event in decoder.feed(piece)]
    first, second = (data if media == "text" else json.loads(data) for data in found)
    assert sorted(str(first).replace("6", "7")) == sorted(str(second))  # the fields change places
    marks = MarkDecoder("ab12", each=True)
    assert [(event.id, event.data) for piece in pieces for event in marks.feed(piece)] == [
        ("6", "é你😀"),
        ("7", "é你😀"),
    ]


def test_each_place_is_one_of_its_own() -> None:
    assert len({pair("sse", "ab12", 6, place) for place in PLACES["sse"]}) == len(Place)


@pytest.mark.parametrize("media", MEDIA)
def test_a_character_is_cut_at_each_of_its_octets(media: MarkedMedia) -> None:
    pieces = pair(media, "ab12", 6, Place.CHARACTER)
    groups = 1 if media == "text" else 2  # where clients look for text
    assert len(pieces) == 2 + groups * (1 + 2 + 3)
    for piece in pieces[1:-1]:
        with pytest.raises(UnicodeDecodeError):
            piece.decode()


def test_a_mark_may_stand_for_its_own_event_alone() -> None:
    decoder = MarkDecoder("ab12", each=True)
    assert [event.id for event in decoder.feed(b"mab12n00002e")] == ["2"]
    assert [event.id for event in decoder.feed(b"mab12n00002e mab12n00000e")] == ["0"]


@pytest.mark.parametrize(
    ("printed", "characters"),
    [
        ("q\ufffd\ufffd你😀mab12n00000e", "\ufffd\ufffd你😀"),
        (r"q\u00e9\u4f60mab12n00000e", r"\u00e9\u4f60"),
        ("mab12n00000e", ""),
    ],
)
def test_what_was_printed_for_the_characters_before_a_mark_is_known(printed: str, characters: str) -> None:
    (event,) = MarkDecoder("ab12").feed(printed.encode())
    assert event.data == characters
