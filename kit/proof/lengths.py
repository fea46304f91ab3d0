"""Two lengths of one answer, for a text generator that cannot cooperate: does its beginning wait for its end?

Where an answer is held whole, a longer one begins later by as much as it ends later: slope = Δ(first event) /
Δ(last event) is 1. Where it streams the beginning does not know how long it will become, and the slope is 0,
give or take what two requests differ by chance. Measured: 1.00, and -0.34 … 0.44; 0.7 divides them
(docs/detection.md).

Only ever a suspicion, of strength: the verdict stays inconclusive, as with arrivals alone. A generator that
writes nothing until it has finished, and a path that holds everything, look the same, and a verdict would
put the blame on the path. And an answer that is not held whole may still be held in blocks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from kit.language import text
from kit.proof.doubts import Doubt
from kit.proof.quick_check import State
from kit.proof.timeline import Timeline
from kit.proof.verdict import Finding, Method, Verdict

SLOPE = 0.7
# Two requests that begin J ms apart by chance turn a slope of 0 into J/Δ, and one of 1 stays 1. So that a
# streamed answer stays below what was measured of them (0.44), with as much again before 0.7, Δ is at least
# 4 J. A generator's J is not measured beforehand: half a second is assumed, which makes it 2 s.
CHANCES = 4
CHANCE_MS = 500.0
# What was held comes in one lot when it is released. A lost packet may spread it, a fifth of the least Δ.
LOT = 0.2


@dataclass(frozen=True, slots=True)
class Compared:
    """Two lengths side by side. Milliseconds.

    Attributes:
        state: what they let one suspect: held whole, or not held whole.
        later_ms: how much later the long answer began; negative for sooner.
        longer_ms: how much later it ended; its last event, not its connection.
        least_ms: how much later it must end for anything to be said.
        doubts: why nothing or no more can be said.
        evidence: what was seen, one sentence each.
    """

    state: State
    later_ms: float | None
    longer_ms: float | None
    least_ms: float
    doubts: tuple[Doubt, ...]
    evidence: tuple[str, ...]

    @property
    def slope(self) -> float | None:
        """Δ(first event) / Δ(last event); None where the second is too small to divide by."""
        if self.later_ms is None or self.longer_ms is None or self.longer_ms < self.least_ms:
            return None
        return self.later_ms / self.longer_ms

    @property
    def finding(self) -> Finding:
        """The same as a finding: inconclusive, with the suspicion in its evidence."""
        return Finding(Verdict.INCONCLUSIVE, Method.LENGTHS, doubts=self.doubts, evidence=self.evidence)


def compare(short: Timeline, long: Timeline, *, jitter_ms: float = 0.0) -> Compared:
    """What two answers of different length let one suspect.

    Args:
        short: the answer that was allowed a few words.
        long: the answer to the same question that was allowed many.
        jitter_ms: how much the time to a first event is known to vary; half a second is assumed at least.
    """
    least = CHANCES * max(CHANCE_MS, jitter_ms)
    cut = () if short.complete and long.complete else (Doubt.STREAM_CUT,)
    if not short.arrivals or not long.arrivals:
        seen = text("one of the two answers had no event")
        return Compared(State.UNDECIDED, None, None, least, (*cut, Doubt.TOO_SHORT), (seen,))
    first, last = (short.arrivals[0].arrived_ms, long.arrivals[0].arrived_ms), (_last(short), _last(long))
    later, longer = first[1] - first[0], last[1] - last[0]
    seen = text(
        "the short answer came from {first:.0f} to {last:.0f} ms, the long one from "
        "{first_2:.0f} to {last_2:.0f} ms",
        first=first[0],
        last=last[0],
        first_2=first[1],
        last_2=last[1],
    )
    if longer < least:
        why = text(
            "it took only {longer:.0f} ms longer, and at least {least:.0f} ms are needed: ask for a longer "
            "answer",
            longer=longer,
            least=least,
        )
        return Compared(State.UNDECIDED, later, longer, least, (*cut, Doubt.TOO_SHORT), (seen, why))
    ratio = text(
        "it began {later:.0f} ms later and ended {longer:.0f} ms later (slope {slope:.2f}; "
        "1 where an answer is held whole, near 0 where it is not, {between} between)",
        later=later,
        longer=longer,
        slope=later / longer,
        between=SLOPE,
    )
    spreads = (last[0] - first[0], last[1] - first[1])
    state = State.UNDECIDED if cut else _suspected(later / longer, max(spreads), longer)
    doubts = cut if state is State.UNDECIDED else (Doubt.LENGTHS_ALONE,)
    return Compared(state, later, longer, least, doubts, (seen, ratio, _in_words(state, long)))


def _suspected(slope: float, spread: float, longer: float) -> State:
    if slope < SLOPE:
        return State.STREAMS
    # Some models think longer when they may say more: they begin later too, but then go on to stream.
    return State.HELD if spread <= LOT * longer else State.UNDECIDED


def _in_words(state: State, long: Timeline) -> str:
    match state:
        case State.HELD:
            return text(
                "both came in one lot, the long one as much later as it was longer: it looks held "
                "whole, on the way or by a service that writes nothing before it has finished (as a "
                "model that thinks)"
            )
        case State.STREAMS:
            reads: Counter[float] = Counter()
            for arrival in long.arrivals:
                reads[arrival.arrived_ms] += arrival.bytes
            return text(
                "so it is not held whole; whether it is held in blocks, this does not tell (the long "
                "answer came in {lots} lots, the largest of {largest:,} bytes)",
                lots=len(reads),
                largest=max(reads.values()),
            )
    return text("one answer was cut, or came later and still bit by bit: from that nothing follows")


def _last(line: Timeline) -> float:
    """When the last event came. A server may keep the connection open for a while after it."""
    return line.arrivals[-1].arrived_ms
