"""Sums over many streams: so what several processes have seen can be added up."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, Self

from kit.load.histogram import Histogram

COUNTS: Final = ("started", "ended", "cut", "refused", "left", "events", "octets", "stamped")
TIMES: Final = ("first", "gap", "late", "lasted", "own", "start_late")
_MOST_REASONS = 20
_REASON_LENGTH = 120


class Tally:
    """The sums.

    Attributes:
        started: streams that were asked for.
        ended: of these, over as their framing has it.
        cut: begun, and broken off.
        refused: never begun: no connection, another status than 200, silence.
        left: open when the load was over.
        events, octets: that came.
        stamped: events that bear the time of their sending.
        first: from the request to the first event, of each stream; never, of one that was refused.
        gap: the longest silence between two events of each stream, and after the last one of those left.
        late: of each stamped event, how much later it came than the quickest one of its stream.
        lasted: how long those took that ended.
        own: how late the generator's own timer was.
        start_late: how late each stream was asked for, against the schedule.
        reasons: why streams were cut or refused, and how often.
    """

    def __init__(self) -> None:
        self.started = self.ended = self.cut = self.refused = self.left = 0
        self.events = self.octets = self.stamped = 0
        self.first, self.gap, self.late = Histogram(), Histogram(), Histogram()
        self.lasted, self.own, self.start_late = Histogram(), Histogram(), Histogram()
        self.reasons: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """How many streams are open."""
        return self.started - self.ended - self.cut - self.refused - self.left

    def because(self, reason: str) -> None:
        """Count why a stream was cut or refused; of very many reasons the further ones are one."""
        reason = reason[:_REASON_LENGTH]
        if reason not in self.reasons and len(self.reasons) >= _MOST_REASONS:
            reason = "other reasons"
        self.reasons[reason] += 1

    def merge(self, other: Tally) -> None:
        """Add the other's sums."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in TIMES:
            getattr(self, name).merge(getattr(other, name))
        self.reasons.update(other.reasons)

    @property
    def data(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return {
            **{name: getattr(self, name) for name in COUNTS},
            **{name: getattr(self, name).data for name in TIMES},
            "reasons": dict(self.reasons),
        }

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        """From `data`."""
        made = cls()
        for name in COUNTS:
            setattr(made, name, int(data[name]))
        for name in TIMES:
            setattr(made, name, Histogram.of(data[name]))
        made.reasons.update(data["reasons"])
        return made
