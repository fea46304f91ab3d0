"""Events that can be recognised on a client's output, whatever part of them it prints.

Each bears its mark at its end, in the places where clients look for text: `text`, and an OpenAI-like
`choices[0].delta.content`. Both bear the same mark, so a client that prints everything shows it twice.
"""

from __future__ import annotations

import json
import re
from typing import Literal

from kit.proof.events import Event

MarkedMedia = Literal["sse", "ndjson", "text"]

SMALLEST = 160  # octets: the smallest event that holds all of this

# What a client may put between the letters of a mark: line breaks, colours, the zeros of UTF-16.
_BETWEEN = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|[\s\x00]")
_TAIL = 256  # octets of output kept, in case a mark comes in two reads
_WORDS = "a stream that is known to be good "


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
    data = json.dumps(event, separators=(",", ":"))
    return f"data: {data}\n\n".encode() if media == "sse" else f"{data}\n".encode()


def _choice(text: str) -> dict[str, object]:
    return {"index": 0, "delta": {"content": text}}


class MarkDecoder:
    """A client's output, of which the marks are the events (`kit.proof.events.Decoder`).

    A mark stands for its event and all before it: what a client leaves out is no sign that it was held.
    """

    def __init__(self, nonce: str) -> None:
        self._mark = re.compile(rb"m%sn(\d{5})e" % nonce.encode())
        self._tail = b""
        self._seen = 0

    def feed(self, data: bytes) -> list[Event]:
        """The events whose marks these bytes completed, in order."""
        text = self._tail + data
        self._tail = text[-_TAIL:]
        seen = max((int(found) + 1 for found in self._mark.findall(_BETWEEN.sub(b"", text))), default=0)
        events = [Event("mark", str(seq), "", 0) for seq in range(self._seen, seen)]
        self._seen = max(self._seen, seen)
        return events
