"""What a few pings tell of the origin: how far it is, and what its clock is against ours."""

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
        slow_ms: a slow one, the upper quartile; of three, the slowest.
        jitter_ms: how much it varied: a slow one beyond the quickest.
    """

    offset_ms: float
    rtt_ms: float
    slow_ms: float
    jitter_ms: float


def aligned(replies: Sequence[Reply]) -> Clock:
    """The clock from two pings or more; the quickest says most of the offset."""
    best = min(replies, key=lambda reply: reply.took_ms)
    slow_ms = quantiles((reply.took_ms for reply in replies), n=4)[-1]
    return Clock(
        offset_ms=best.now_ms - (best.sent_ms + best.arrived_ms) / 2,
        rtt_ms=median(reply.took_ms for reply in replies),
        slow_ms=slow_ms,
        jitter_ms=slow_ms - best.took_ms,
    )
