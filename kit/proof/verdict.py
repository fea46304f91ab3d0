"""Verdicts on a hop, in the words of RFC 10036, *Incremental Forwarding of HTTP Messages*."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from kit.language import text
from kit.proof.doubts import Doubt


class Verdict(StrEnum):
    """From best to worst, in this order (RFC 10036)."""

    INCREMENTAL = "incremental"
    BYTE_LIMITED = "byte-limited"
    TIME_LIMITED = "time-limited"
    WHOLE_MESSAGE = "whole-message"
    REFUSED = "refused"
    INCONCLUSIVE = "inconclusive"


HELD = (Verdict.BYTE_LIMITED, Verdict.TIME_LIMITED, Verdict.WHOLE_MESSAGE)


class Shape(StrEnum):
    """How a held stream is held."""

    WHOLE = "whole"
    BLOCKS = "blocks"
    PREFIX = "prefix"
    TAIL = "tail"
    FIRST_EVENT = "first-event"
    TIMER = "timer"


class Method(StrEnum):
    """How the verdict was reached, from strongest to weakest."""

    LOCK_STEP = "lock-step"
    PAUSE = "pause"
    STAMPS = "stamps"
    LENGTHS = "two lengths"
    PASSIVE = "passive"


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict with all that it rests on.

    Attributes:
        verdict: the word.
        method: how it was reached.
        shape: how the stream is held; None for an incremental one and where the evidence does not say.
        block_bytes: N of blocks, prefix and tail, in octets before content coding; else None.
        hold_ms: how much later than it should have an event arrived; a timer's T. None if not measured.
        hold_floor_ms: a hold below this could not have been seen.
        doubts: reasons not to trust a figure.
        evidence: what was done and seen, one sentence a step, in order.
    """

    verdict: Verdict
    method: Method
    shape: Shape | None = None
    block_bytes: int | None = None
    hold_ms: float | None = None
    hold_floor_ms: float | None = None
    doubts: tuple[Doubt, ...] = ()
    evidence: tuple[str, ...] = ()


def in_words(verdict: Verdict, shape: Shape | None, block_bytes: int | None, hold_ms: float | None) -> str:
    """The verdict as a person would say it: "streamed", "buffered in blocks of 64 KiB"."""
    match verdict:
        case Verdict.INCREMENTAL:
            return text("streamed")
        case Verdict.WHOLE_MESSAGE:
            return text("buffered whole")
        case Verdict.TIME_LIMITED:
            return (
                text("each event held by a timer")
                if hold_ms is None
                else text("each event held {hold_ms:.0f} ms", hold_ms=hold_ms)
            )
        case Verdict.REFUSED:
            return text("refused to stream")
        case Verdict.INCONCLUSIVE:
            return text("inconclusive")
    size = _size(block_bytes)
    match shape:
        case Shape.BLOCKS:
            return text("buffered in blocks of {size}", size=size) if size else text("buffered in blocks")
        case Shape.PREFIX:
            return (
                text("held until {size} are there, then streamed", size=size)
                if size
                else text("held at first, then streamed")
            )
        case Shape.TAIL:
            which = text("an event over {size}", size=size) if size else text("each event")
            return text("the end of {which} waits for the next one", which=which)
        case Shape.FIRST_EVENT:
            return text("the first event waits for the second")
    return text("buffered by size")


_BY_WORDS = (
    (r"stream(ed|s|ing)?", Verdict.INCREMENTAL),
    (r"(buffered |held )?whole", Verdict.WHOLE_MESSAGE),
    (r"each event held.*|flushed.*", Verdict.TIME_LIMITED),
    (r"refused to stream", Verdict.REFUSED),
    (r"buffered (in blocks|by size).*|held (until|at first).*", Verdict.BYTE_LIMITED),
    (r"the (end of|first event waits).*", Verdict.BYTE_LIMITED),
)


def by_words(text: str) -> Verdict | None:
    """The verdict by its own word or by those of `in_words`; None where it is neither."""
    word = " ".join(text.lower().split()).lstrip("●■✓✗? ")
    if word in list(Verdict):
        return Verdict(word)
    return next((one for pattern, one in _BY_WORDS if re.fullmatch(pattern, word)), None)


def _size(octets: int | None) -> str | None:
    if octets is None:
        return None
    if octets >= 1024 and octets % 1024 == 0:
        return text("{size:.0f} KiB", size=octets / 1024)
    return text("{size:,} bytes", size=octets)
