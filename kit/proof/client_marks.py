"""Events that can be recognised on a client's output by any part of them.

Each bears its mark at its end, in the places where clients look for text: `text`, and an OpenAI-like
`choices[0].delta.content`. Both bear the same mark, so a client that prints everything shows it twice.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Literal

from kit.proof.events import Event

MarkedMedia = Literal["sse", "ndjson", "text"]

SMALLEST = 160  # octets: the smallest event that holds all of this

# What a client may put between the letters of a mark: line breaks, colours, the zeros of UTF-16.
_BETWEEN = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|[\s\x00]")
_TAIL = 256  # octets of output kept, in case a mark comes in two reads
_WORDS = "a stream that is known to be good "
# Characters of two, three and four octets, where `pair` wants them: between a q and the mark.
_CHARACTERS = "qé你😀"


class Place(StrEnum):
    """What is done to an event on its way to the client, in words that follow "an event"."""

    WHOLE = "with characters beyond ASCII"
    TOGETHER = "that comes in one read with the next one"
    LINE = "cut in the middle of a line"
    NAME = 'cut inside "data:"'
    BLANK = "cut between its two line ends"
    CHARACTER = "cut inside a character"
    CRLF = "whose lines end in CRLF"
    CR = "whose lines end in CRLF, cut between the two"


PLACES: dict[MarkedMedia, tuple[Place, ...]] = {
    "sse": tuple(Place),
    "ndjson": (Place.WHOLE, Place.TOGETHER, Place.LINE, Place.CHARACTER),
    "text": (Place.WHOLE, Place.TOGETHER, Place.LINE, Place.CHARACTER),
}


def mark(nonce: str, seq: int) -> str:
    """The mark of an event: letters and digits only, so that no format escapes any of it."""
    return f"m{nonce}n{seq:05d}e"


def marked_event(media: MarkedMedia, nonce: str, seq: int, octets: int) -> bytes:
    """An event of exactly `octets`, framing included; at least SMALLEST.

    Args:
        media: its framing.
        nonce: lower-case hexadecimal digits, a stream's own: what an earlier one left in a cache is no sign.
        seq: from 0.
        octets: its size.
    """
    bare = _framed(media, mark(nonce, seq), seq, "")
    missing = octets - len(bare)
    return _framed(media, mark(nonce, seq), seq, (_WORDS * (missing // len(_WORDS) + 1))[:missing])


def pair(media: MarkedMedia, nonce: str, seq: int, place: Place) -> tuple[bytes, ...]:
    """Two events, of which the first is cut at `place`: what to write at once, in order.

    Args:
        media: their framing.
        nonce: the stream's own.
        seq: of the first.
        place: one of `PLACES[media]`.
    """
    first, second = (
        _framed(media, _CHARACTERS + mark(nonce, each), each, "") for each in range(seq, seq + 2)
    )
    if place in (Place.CRLF, Place.CR):
        first = first.replace(b"\n", b"\r\n")
    if place is Place.TOGETHER:
        return (first + second,)
    cuts = {
        Place.LINE: [first.index(_CHARACTERS.encode()) + 1],
        Place.NAME: [len(b"da")],
        Place.BLANK: [len(first) - 1],
        Place.CHARACTER: [at for at, octet in enumerate(first) if octet & 0xC0 == 0x80],
        Place.CR: [at for at, octet in enumerate(first) if octet == ord("\n")],
    }.get(place, [])
    pieces = [first[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(first)], strict=True)]
    return *pieces, second


def _framed(media: MarkedMedia, name: str, seq: int, pad: str) -> bytes:
    if media == "text":
        return f"{pad} {name}\n".encode()
    # The padding goes to one and the other by turns, so that what a client prints of either grows with what
    # is sent; the short one comes last, so that no mark is far from its event's end.
    long, short = f"{pad} {name}", f" {name}"
    event: dict[str, object] = {"seq": seq}
    if seq % 2:
        event |= {"text": long, "choices": [_choice(short)]}
    else:
        event |= {"choices": [_choice(long)], "text": short}
    data = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    return f"data: {data}\n\n".encode() if media == "sse" else f"{data}\n".encode()


def _choice(text: str) -> dict[str, object]:
    return {"index": 0, "delta": {"content": text}}


class MarkDecoder:
    """A client's output, of which the marks are the events (`kit.proof.events.Decoder`).

    An event's `id` is its number, its `data` what was printed for the characters before its mark.

    Args:
        nonce: the stream's own.
        each: whether an event counts only where its own mark is printed. Else a mark stands for its event and
            all before it: what a client leaves out is no sign that it was held.
    """

    def __init__(self, nonce: str, *, each: bool = False) -> None:
        self._mark = re.compile(rb"(?:q([^q]{1,200}))?m%sn(\d{5})e" % nonce.encode())
        self._each = each
        self._tail = b""
        self._seen: set[int] = set()

    def feed(self, data: bytes) -> list[Event]:
        """The events whose marks these bytes completed, in order."""
        text = self._tail + data
        self._tail = text[-_TAIL:]
        events = []
        for characters, digits in self._mark.findall(_BETWEEN.sub(b"", text)):
            found = int(digits)
            before = () if self._each else range(max(self._seen, default=-1) + 1, found)
            for seq in (*before, found):
                if seq not in self._seen:
                    self._seen.add(seq)
                    # Not "replace": a replacement character is to be one that the client printed.
                    events.append(Event("mark", characters.decode(errors="surrogateescape"), str(seq), 0))
        return events
