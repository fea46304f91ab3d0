"""The origin's distance and clock, from a few pings; and a machine's own clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from kit.proof.actions import Reply


@dataclass(frozen=True, slots=True)
class Clock:
    """The origin's clock, as seen from here. Milliseconds.

    Attributes:
        offset_ms: the origin's clock minus ours, wrong by half a round trip at most.
        rtt_ms: a round trip, the median.
        slowest_ms: the largest one.
        jitter_ms: how much it varied, without what this process slept: the upper quartile (of three, the
            slowest) beyond the quickest.
    """

    offset_ms: float
    rtt_ms: float
    slowest_ms: float
    jitter_ms: float


class Awake:
    """A machine's own clock, which stands still while this process does not run."""

    _now_ms = 0.0
    _late_ms = 0.0  # how long it did not run, in all

    @property
    def _ran_ms(self) -> float:
        return self._now_ms - self._late_ms


def aligned(replies: Sequence[Reply]) -> Clock:
    """The clock from two pings or more; the quickest says most of the offset."""
    best = min(replies, key=lambda reply: reply.took_ms)
    took_ms = [reply.took_ms for reply in replies]
    awake_ms = [reply.took_ms - reply.late_ms for reply in replies]
    return Clock(
        offset_ms=best.now_ms - (best.sent_ms + best.arrived_ms) / 2,
        rtt_ms=median(took_ms),
        slowest_ms=max(took_ms),
        jitter_ms=max(0.0, quantiles(awake_ms, n=4)[-1] - min(awake_ms)),
    )
