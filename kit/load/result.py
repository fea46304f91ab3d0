"""A load's result: what was seen, what it means for the objectives, and what makes it doubtful. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from kit.language import text
from kit.load.plan import Schedule
from kit.load.slo import Judged
from kit.load.tally import Tally
from kit.proof.lane import LaneState
from kit.proof.quick_check import State

# Later than this, the generator's own lateness is a part of every figure.
OWN_MOST_MS = 100.0
_KEPT = 0.99  # of the schedule's starts


@dataclass(frozen=True, slots=True)
class Proof:
    """One lock-step check beside the load.

    Attributes:
        at_s: when it began, from the beginning of the load.
        open: how many streams were open then.
        state: what became of it.
        said: what was seen.
    """

    at_s: float
    open: int
    state: State
    said: str


@dataclass(frozen=True, slots=True)
class Holding:
    """From how many streams on the path holds events, or refuses them.

    Attributes:
        passed: the most streams beside which a check passed before; None for none.
        begins: the fewest beside which one did not.
        state: what that one saw.
        times, of: how many did so from then on, of how many that were decided.
    """

    passed: int | None
    begins: int
    state: State
    times: int
    of: int


def holding(proofs: Sequence[Proof]) -> Holding | None:
    """Where it begins, in the order of time; None where every check that was decided passed."""
    decided = [proof for proof in proofs if proof.state is not State.UNDECIDED]
    bad = next((at for at, proof in enumerate(decided) if proof.state is not State.STREAMS), None)
    if bad is None:
        return None
    since = decided[bad:]
    return Holding(
        max((proof.open for proof in decided[:bad]), default=None),
        decided[bad].open,
        decided[bad].state,
        sum(proof.state is not State.STREAMS for proof in since),
        len(since),
    )


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The whole.

    Attributes:
        url: what was asked, without credentials and without its query.
        schedule: when streams started.
        workers: how many processes opened them.
        tally: what became of them.
        most_open: how many were open at once.
        judged: the objectives.
        proofs: the checks beside the load.
        why_no_proof: why there were none; empty where there were.
        interrupted: whether it was ended before its time.
    """

    url: str
    schedule: Schedule
    workers: int
    tally: Tally
    most_open: int = 0
    judged: tuple[Judged, ...] = ()
    proofs: tuple[Proof, ...] = ()
    why_no_proof: str = ""
    interrupted: bool = False

    @property
    def doubts(self) -> tuple[str, ...]:
        """What makes the figures doubtful, each with its remedy."""
        found = []
        own_ms = self.tally.own.quantile(0.99) or 0.0
        if own_ms > OWN_MOST_MS:
            found.append(
                text(
                    "The generator itself was up to {own_ms:.0f} ms late in 99 of a hundred moments: give "
                    "it more processes (--workers) or machines (--join), or fewer streams.",
                    own_ms=own_ms,
                )
            )
        planned, started = self.schedule.planned, self.tally.started
        if not self.interrupted and started < planned * _KEPT:
            found.append(
                text(
                    "Of {planned:,} streams that were planned {started:,} were started: give the generator "
                    "more processes (--workers) or machines (--join).",
                    planned=planned,
                    started=started,
                )
            )
        if self.tally.open:
            found.append(
                text(
                    "A worker's last figures did not come, for {open:,} of its streams: see whether it "
                    "ended, and why.",
                    open=self.tally.open,
                )
            )
        return tuple(found)

    @property
    def state(self) -> LaneState:
        """In the words of every report: failed where no stream brought anything."""
        if not self.tally.events:
            return LaneState.FAILED
        if any(one.met is False for one in self.judged):
            return LaneState.NOT_AS_EXPECTED
        unsure = any(one.met is None for one in self.judged)
        # An objective is decided in spite of the generator's lateness, or not.
        if unsure or (self.doubts and not (self.judged and self._only_late)):
            return LaneState.INCONCLUSIVE
        return LaneState.OK

    @property
    def _only_late(self) -> bool:
        return self.tally.started >= self.schedule.planned * _KEPT and not self.tally.open


def shown_ms(ms: float | None) -> float | None:
    """For JSON: a tenth of a millisecond; None too for what never came."""
    return None if ms is None or ms == inf else round(ms, 1) + 0.0
