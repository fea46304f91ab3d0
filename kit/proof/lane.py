"""A measured lane, and several of them side by side: what every report is made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from kit.language import text
from kit.proof.bound import Bound
from kit.proof.contract import Clause, ClauseFinding, Limit
from kit.proof.doubts import BROKEN, LASTING, Doubt
from kit.proof.exchange import HeaderKnown, Request, Response
from kit.proof.expectation import Expectation
from kit.proof.timeline import Timeline
from kit.proof.verdict import HELD, Method, Shape, Verdict

Arm = Literal["on", "off"]
Wanted = Literal["on", "off", "as-is"]
Delivery = Literal["stream", "polling"]
AskedAs = Literal["both", "browser", "given"]
Client = Literal["browser", "plain"]
Environment = Literal["lab", "cloud", "url"]


@dataclass(frozen=True, slots=True)
class LaneError:
    """Why a lane could not be measured at all; `lasting`: who measures again in a moment meets the same."""

    code: str
    message: str
    hint: str
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one measurement of a lane: its verdict, an error's code, and its doubts."""

    verdict: Verdict
    error: str | None
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """One target measured with the header or without, or by polling.

    Field by field the JSON of `kit compare` (times in milliseconds).
    `expected` and `as_expected` are None where nothing was expected; a lane with an `error` has the
    verdict inconclusive and no figures. `header` is what the answer bears, as far as can be seen; by polling
    it is "on", and of no consequence. `as_is`: the service was not asked to bear it or not.
    `at_most`: a bound that the answer's arrivals are held to, instead of an expected verdict or beside it.
    `limits`: what the clauses of the contract are held to; `clauses`: what was found of those asked.
    `asked_as`: what was accepted of compression: what a browser accepts, and then none (both); the first
    alone; what was given. `only_for`: whose alone the verdict is, since the other's stream passes.
    `earlier` are the measurements before this one; all of them were undecided.
    `request` and `response`: for the answer; None where the kit did not ask itself, or no head came.
    `header_known`: how it is known whether the answer bears the header; None by polling, and where the kit
    did not ask itself. `round_trip_ms`: of the quickest side request; None where there was none.
    """

    target: str
    url: str
    header: Arm
    expected: Verdict | None
    verdict: Verdict
    shape: Shape | None
    block_bytes: int | None
    hold_ms: float | None
    hold_floor_ms: float | None
    method: Method
    doubts: tuple[Doubt, ...]
    evidence: tuple[str, ...]
    timeline: Timeline
    error: LaneError | None = None
    delivery: Delivery = "stream"
    earlier: tuple[Attempt, ...] = ()
    as_is: bool = False
    at_most: Bound | None = None
    asked_as: AskedAs | None = None
    only_for: Client | None = None
    limits: tuple[Limit, ...] = ()
    clauses: tuple[ClauseFinding, ...] = ()
    request: Request | None = None
    response: Response | None = None
    header_known: HeaderKnown | None = None
    round_trip_ms: float | None = None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every measurement of the lane, in order; this one is the last."""
        code = None if self.error is None else self.error.code
        return (*self.earlier, Attempt(self.verdict, code, self.doubts))

    @property
    def expectation(self) -> Expectation:
        """All that was expected of it."""
        return Expectation(self.expected, self.at_most, self.limits)

    def limits_of(self, clause: Clause) -> tuple[Limit, ...]:
        """Those that this clause is held to."""
        return tuple(limit for limit in self.limits if limit.term.clause is clause)

    @property
    def _broke(self) -> Doubt | None:
        return next((doubt for doubt in BROKEN if doubt in self.doubts), None) if self.error is None else None

    @property
    def fate(self) -> str:
        """The worst that became of an answer that did not come whole, or cannot be read; else empty."""
        said = "" if self._broke is None else BROKEN[self._broke]
        return said.format(after=text("{s:.0f} s", s=self.timeline.duration_ms / 1000))

    @property
    def mark(self) -> Mark:
        """How its answer came."""
        if self.error is not None or self.verdict is Verdict.REFUSED:
            return Mark.BROKEN
        if self._broke is not None and self._broke not in _UNSEEN:
            return Mark.BROKEN
        if self.verdict in HELD:
            return Mark.HELD
        within = self.at_most is not None and self.at_most.met(self.timeline.watched) is True
        came = (within or self.verdict is Verdict.INCREMENTAL) and self._broke is None
        return Mark.STREAMED if came else Mark.UNDECIDED

    @property
    def broken(self) -> bool:
        """Whether that stands beside a verdict on the way: no verdict on the answer then."""
        return self.verdict is not Verdict.INCONCLUSIVE and bool(self.fate)

    @property
    def delivered_as_expected(self) -> bool | None:
        """Whether the verdict is the promised one, of an answer that came whole, and the arrivals keep within
        their bound; None where neither was expected."""
        kept = []
        if self.at_most is not None:
            within = self.at_most.met(self.timeline.watched) is True
            kept.append(within and self.error is None and not self.fate and self.only_for is None)
        if self.expected is not None:
            kept.append(self.error is None and self.verdict == self.expected and not self.broken)
        return all(kept) if kept else None

    @property
    def as_expected(self) -> bool | None:
        """Whether that is so and every limit is proved to be kept; None where nothing was expected."""
        return state(self) is LaneState.OK if self.limits else self.delivered_as_expected


class Mark(StrEnum):
    """How an answer came, the one thing that a lane's mark shows; whether it should have is said in words."""

    STREAMED = "streamed"
    HELD = "held"
    BROKEN = "broken"  # cut, refused, not to be had or not to be read
    UNDECIDED = "undecided"


# What leaves open how the answer came, or whether all of it did.
_UNSEEN = frozenset({Doubt.REPLAYED, Doubt.END_UNKNOWN, Doubt.NO_EVENTS})


class LaneState(StrEnum):
    """How a lane came out, worst first: where several apply, the first of these is said."""

    FAILED = "failed"
    NOT_AS_EXPECTED = "not-as-expected"
    INCONCLUSIVE = "inconclusive"
    OK = "ok"


def state(lane: Lane) -> LaneState:
    """How one lane came out: its answer, and each limit that it was held to."""
    return worst(delivered(lane), *(kept(limit.met(lane.clauses)) for limit in lane.limits))


def kept(met: bool | None) -> LaneState:
    """How an expectation came out that is met, missed, or not proved either way (None)."""
    if met is None:
        return LaneState.INCONCLUSIVE
    return LaneState.OK if met else LaneState.NOT_AS_EXPECTED


def worst(*states: LaneState) -> LaneState:
    """Of several the one that is said; well where there is none."""
    return next((one for one in LaneState if one in states), LaneState.OK)


def clause_state(lane: Lane, clause: Clause) -> LaneState | None:
    """How one clause came out; None where nothing was expected of it."""
    limits = lane.limits_of(clause)
    return worst(*(kept(limit.met(lane.clauses)) for limit in limits)) if limits else None


def delivered(lane: Lane) -> LaneState:
    """How its answer came out, whatever its clauses did."""
    if lane.error is not None:
        return LaneState.FAILED
    if lane.at_most is not None and lane.expected is not None:
        return worst(delivered(replace(lane, at_most=None)), delivered(replace(lane, expected=None)))
    if lane.at_most is not None and lane.only_for is None:
        if lane.fate or lane.at_most.met(lane.timeline.watched) is None:
            return LaneState.INCONCLUSIVE
    elif lane.verdict is Verdict.INCONCLUSIVE and lane.expected is not Verdict.INCONCLUSIVE:
        return LaneState.INCONCLUSIVE
    perhaps = lane.verdict == lane.expected and lane.fate == BROKEN[Doubt.END_UNKNOWN]
    if lane.delivered_as_expected is False and not perhaps:
        return LaneState.NOT_AS_EXPECTED
    return LaneState.INCONCLUSIVE if lane.broken else LaneState.OK


def undecided(lane: Lane) -> bool:
    """Whether measuring again may tell more: nothing was found out, and why may have passed.

    Any other verdict, welcome or not, stands: to measure it again would be to ask until the answer pleases.
    """
    if lane.error is not None:
        return not lane.error.lasting
    lasts = lane.method is Method.PASSIVE and bool(lane.doubts) and LASTING.issuperset(lane.doubts)
    return delivered(lane) is LaneState.INCONCLUSIVE and not lasts


@dataclass(frozen=True, slots=True)
class Comparison:
    """Lanes measured side by side. `measured_at` is ISO 8601 in UTC."""

    environment: Environment
    measured_at: str
    kit_version: str
    prompt: str
    lanes: tuple[Lane, ...]

    @property
    def state(self) -> LaneState:
        """How the whole came out: the worst of its lanes."""
        return worst(*map(state, self.lanes))

    @property
    def as_expected(self) -> bool:
        """Whether every lane is conclusive and, where something was promised, as promised."""
        return self.state is LaneState.OK
