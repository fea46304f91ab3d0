"""A measured lane, and several of them side by side: what every report is made from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from kit.proof.bound import Bound
from kit.proof.doubts import BROKEN, LASTING, Doubt
from kit.proof.timeline import Timeline
from kit.proof.verdict import Method, Shape, Verdict

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
    `at_most`: a bound that the answer's arrivals are held to, instead of an expected verdict.
    `asked_as`: what was accepted of compression: what a browser accepts, and then none (both); the first
    alone; what was given. `only_for`: whose alone the verdict is, since the other's stream passes.
    `earlier` are the measurements before this one; all of them were undecided.
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

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every measurement of the lane, in order; this one is the last."""
        code = None if self.error is None else self.error.code
        return (*self.earlier, Attempt(self.verdict, code, self.doubts))

    @property
    def fate(self) -> str:
        """The worst that became of an answer that did not come whole, or cannot be read; else empty."""
        if self.error is not None:
            return ""
        said = next((said for doubt, said in BROKEN.items() if doubt in self.doubts), "")
        return said.format(after=f"{self.timeline.duration_ms / 1000:.0f} s")

    @property
    def broken(self) -> bool:
        """Whether that stands beside a verdict on the way: no verdict on the answer then."""
        return self.verdict is not Verdict.INCONCLUSIVE and bool(self.fate)

    @property
    def as_expected(self) -> bool | None:
        """Whether the verdict is the promised one, of an answer that came whole; None without a promise."""
        if self.at_most is not None:
            within = self.at_most.met(self.timeline.watched) is True
            return within and self.error is None and not self.fate and self.only_for is None
        if self.expected is None:
            return None
        return self.error is None and self.verdict == self.expected and not self.broken


class LaneState(StrEnum):
    """How a lane came out, worst first: where several apply, the first of these is said."""

    FAILED = "failed"
    NOT_AS_EXPECTED = "not-as-expected"
    INCONCLUSIVE = "inconclusive"
    OK = "ok"


def state(lane: Lane) -> LaneState:
    """How one lane came out."""
    if lane.error is not None:
        return LaneState.FAILED
    if lane.at_most is not None and lane.only_for is None:
        if lane.fate or lane.at_most.met(lane.timeline.watched) is None:
            return LaneState.INCONCLUSIVE
    elif lane.verdict is Verdict.INCONCLUSIVE and lane.expected is not Verdict.INCONCLUSIVE:
        return LaneState.INCONCLUSIVE
    perhaps = lane.verdict == lane.expected and lane.fate == BROKEN[Doubt.END_UNKNOWN]
    if lane.as_expected is False and not perhaps:
        return LaneState.NOT_AS_EXPECTED
    return LaneState.INCONCLUSIVE if lane.broken else LaneState.OK


def marked(lane: Lane) -> LaneState:
    """How reports mark it: as its state, but a held stream gets no tick where nothing was expected of it."""
    held = lane.verdict is not Verdict.INCREMENTAL or lane.only_for is not None
    found = state(lane)
    return LaneState.NOT_AS_EXPECTED if found is LaneState.OK and lane.as_expected is None and held else found


def undecided(lane: Lane) -> bool:
    """Whether measuring again may tell more: nothing was found out, and why may have passed.

    Any other verdict, welcome or not, stands: to measure it again would be to ask until the answer pleases.
    """
    if lane.error is not None:
        return not lane.error.lasting
    lasts = lane.method is Method.PASSIVE and bool(lane.doubts) and LASTING.issuperset(lane.doubts)
    return state(lane) is LaneState.INCONCLUSIVE and not lasts


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
        states = {state(lane) for lane in self.lanes}
        return next((worst for worst in LaneState if worst in states), LaneState.OK)

    @property
    def as_expected(self) -> bool:
        """Whether every lane is conclusive and, where something was promised, as promised."""
        return self.state is LaneState.OK
