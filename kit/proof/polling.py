"""An answer asked for in pieces: what a piece says, and how such an answer is judged. Pure.

That is for platforms that hold a stream: `Prefer: respond-async`, then the Location with
`?after=SEQ&wait=SECONDS` again and again. Each piece is a whole small response, so no hop has a reason to
hold it, and an event should arrive about a round trip after it was written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import median

from kit.language import text
from kit.proof import answer
from kit.proof.clock import Clock
from kit.proof.doubts import Doubt
from kit.proof.events import Event
from kit.proof.timeline import Timeline
from kit.proof.verdict import Finding, Shape, Verdict

# How much later than a round trip an event may arrive, as the service promises it (README.md).
LATE_MS = 50.0
# Fewer than a stream must outlast: the round trips were measured beside this very answer.
JITTERS = 4


class NotAPieceError(Exception):
    """It is no piece of an answer, or not the one that was asked for."""


class Pieces:
    """The pieces of one answer, in order: a `Decoder` that is fed one whole piece at a time.

    Attributes:
        count: how many there were.
        after: the number of the last event that came; -1 before the first.
        done: whether the answer has ended.
    """

    def __init__(self) -> None:
        self.count = 0
        self.after = -1
        self.done = False

    def feed(self, data: bytes) -> list[Event]:
        """The events of the next piece.

        An event's octets are those of its JSON as the kit's service writes it, without any white space.

        Raises:
            NotAPieceError: it is none, or does not go on where the one before ended.
        """
        try:
            payload = json.loads(data)
            listed, done = payload["events"], payload["done"]
            events = [_event(one, self.after + place) for place, one in enumerate(listed, 1)]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise NotAPieceError from None
        if not isinstance(done, bool):
            raise NotAPieceError
        self.count += 1
        self.after += len(events)
        self.done = done
        return events


def readers_of(piece: bytes) -> tuple[int | None, bool]:
    """How many others read the answer, None where its piece does not say, and whether it has ended."""
    try:
        payload = json.loads(piece)
        readers, done = payload.get("readers"), payload.get("done")
    except (ValueError, AttributeError, RecursionError):
        return None, False
    return readers if isinstance(readers, int) and not isinstance(readers, bool) else None, done is True


def _event(payload: dict[str, object], seq: int) -> Event:
    name, data = payload["event"], payload["data"]
    if payload["seq"] != seq or not isinstance(name, str) or not isinstance(data, dict):
        raise ValueError
    return Event(name, json.dumps(data), str(seq), len(_compact(payload)))


def _compact(payload: object) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def judge(line: Timeline, stamps: Sequence[float | None], *, pieces: int, clock: Clock | None) -> Finding:
    """The verdict of an answer that came in pieces, by its events' own stamps.

    What a hop does to a whole response is never a matter of its size: pieces are held for a time, or not.

    Args:
        line: when its events were written and arrived.
        stamps: each event's own, as `answer.timeline` gives them.
        pieces: in how many it came.
        clock: how far away it was written; None where that is not known.
    """
    jitter_ms = 0.0 if clock is None else clock.jitter_ms
    found = answer.judge(line, stamps, jitter_ms=jitter_ms, jitters=JITTERS)
    evidence = [
        text("the answer came in {pieces:,} pieces, each a whole response", pieces=pieces),
        *found.evidence,
    ]
    verdict, shape, hold, floor = found.verdict, found.shape, None, None
    doubts = tuple(doubt for doubt in found.doubts if doubt is not Doubt.BUFFER_SIZE_UNKNOWN)
    held = now_and_then = verdict is Verdict.BYTE_LIMITED
    late = [arrival.arrived_ms - arrival.sent_ms for arrival in line.arrivals if arrival.sent_ms is not None]
    if clock is not None and late:
        hold = max(0.0, median(late) - clock.rtt_ms)
        floor = max(LATE_MS, 5 * clock.slowest_ms)
        held = hold >= floor
        evidence.append(
            text(
                "an event arrived {median:.1f} ms after it was written at the median, {late:.1f} ms "
                "at the worst, where a round trip takes {rtt_ms:.1f} ms",
                median=median(late),
                late=max(late),
                rtt_ms=clock.rtt_ms,
            )
        )
    if verdict in (Verdict.INCREMENTAL, Verdict.BYTE_LIMITED):
        if held:
            verdict, shape = Verdict.TIME_LIMITED, Shape.TIMER
        elif now_and_then:  # a hop that holds pieces holds each
            verdict, doubts = Verdict.INCONCLUSIVE, (Doubt.NOT_REPEATED, *doubts)
    return Finding(verdict, found.method, shape, None, hold, floor, doubts, tuple(evidence))
