"""One stream as it is read, counted into a tally. Pure: it is given what was read, and when."""

from __future__ import annotations

import json
from array import array
from math import inf, isfinite
from typing import Literal

from kit.load.histogram import Histogram
from kit.load.tally import Tally
from kit.proof.events import ChunkDecoder, Decoder, Event
from kit.proof.received import decoder_of

How = Literal["ended", "cut", "refused", "left"]

# What events call the time of their sending, in milliseconds from whatever zero their origin has.
_STAMPS = ("t_ms", "ms")
_MOST_STAMPED = 64 * 1024  # a longer event is not searched for its stamp
_SOON = 16


class StreamWatch:
    """One stream, from its request on. Times are milliseconds on the caller's clock.

    Attributes:
        tally: where it is counted from now on.
        asked_ms: when it was asked for.
        heard_ms: when anything of it came last; the reader sets it.
        over: how it ended; None while it is open.
        first_ms: from its request to its first event; None before.
        gap_ms: its longest silence so far; None with fewer than two events.
        late_ms: its latest event's lateness; None where that is not known.
    """

    __slots__ = (
        "_base",
        "_decoder",
        "_last_ms",
        "_soon",
        "asked_ms",
        "first_ms",
        "gap_ms",
        "heard_ms",
        "late_ms",
        "over",
        "tally",
    )

    def __init__(self, tally: Tally, asked_ms: float) -> None:
        self.tally = tally
        self.asked_ms = self.heard_ms = asked_ms
        self._decoder: Decoder = ChunkDecoder()
        self._last_ms: float | None = None
        self._soon: array[float] | None = array("d")
        self._base = inf
        self.over: How | None = None
        self.first_ms: float | None = None
        self.gap_ms: float | None = None
        self.late_ms: float | None = None
        tally.started += 1

    def head(self, content_type: str) -> None:
        """Its head is in, and says what an event is."""
        self._decoder = decoder_of(content_type)

    def body(self, now_ms: float, data: bytes) -> None:
        """Some of its body is in.

        Raises:
            EventTooLargeError: an event is over the limit.
        """
        if self.over is not None:
            return
        events = self._decoder.feed(data)
        tally, last_ms = self.tally, self._last_ms
        tally.octets += len(data)
        if not events:
            return
        tally.events += len(events)
        if last_ms is None:
            self.first_ms = now_ms - self.asked_ms
            tally.first.add(self.first_ms)
            if len(events) > 1:
                self.gap_ms = 0.0
        else:
            self.gap_ms = max(self.gap_ms or 0.0, now_ms - last_ms)
        self._last_ms = now_ms
        for event in events:
            stamp = stamp_of(event)
            if stamp is not None:
                tally.stamped += 1
                self._stamped(now_ms - stamp)

    def end(self, now_ms: float, how: How, why: str = "") -> None:
        """It is over; `why` where it was cut or refused. What is over already stays as it is."""
        if self.over is not None:
            return
        tally = self.tally
        if how == "ended" and getattr(self._decoder, "unfinished", False):
            how, why = "cut", "ended within an event"
        self.over = how
        setattr(tally, how, getattr(tally, how) + 1)
        if how in ("cut", "refused"):
            tally.because(why)
        if self.first_ms is None:
            # It would have come later than now, if at all.
            tally.first.add(now_ms - self.asked_ms if how == "left" else inf)
        if how == "ended":
            tally.lasted.add(now_ms - self.asked_ms)
        if how == "left" and self._last_ms is not None:
            self.gap_ms = max(self.gap_ms or 0.0, now_ms - self._last_ms)
        if self.gap_ms is not None:
            tally.gap.add(self.gap_ms)
        self._settle()

    def _stamped(self, delta_ms: float) -> None:
        """An event came so long after its stamp, by two clocks of which nothing is known.

        The quickest event of the stream counts as in time. Which one that is shows only after some of them.
        """
        if self._soon is not None:
            self._soon.append(delta_ms)
            if len(self._soon) >= _SOON:
                self._settle()
            return
        self._base = min(self._base, delta_ms)
        self._late(delta_ms, self.tally.late)

    def _settle(self) -> None:
        soon, self._soon = self._soon, None
        if soon is not None and len(soon) > 1:  # one alone says nothing
            self._base = min(soon)
            for delta_ms in soon:
                self._late(delta_ms, self.tally.late)

    def _late(self, delta_ms: float, late: Histogram) -> None:
        late_ms = delta_ms - self._base
        late.add(late_ms)
        self.late_ms = max(self.late_ms or 0.0, late_ms)


def stamp_of(event: Event) -> float | None:
    """When the event was sent, by itself: a number `t_ms` or `ms` in the object that its data is."""
    data = event.data
    if 'ms"' not in data or len(data) > _MOST_STAMPED:
        return None
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if isinstance(fields, dict):
        for name in _STAMPS:
            stamp = fields.get(name)
            if isinstance(stamp, (int, float)) and not isinstance(stamp, bool) and isfinite(stamp):
                return float(stamp)
    return None
