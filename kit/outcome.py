"""A target's outcome of a deployment: what the gate said of it, what exists now, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kit.errors import KitError
from kit.proof.contract import ClauseFinding
from kit.proof.lane import Lane, LaneState


class Gate(StrEnum):
    """What came of it. Only the first two let a version through."""

    PASSED = "passed"
    BETTER = "better-than-documented"
    WORSE = "worse"
    INCONCLUSIVE = "inconclusive"
    UNMEASURED = "unmeasured"

    @property
    def state(self) -> LaneState:
        """The same in the words that every report marks its rows with."""
        return {
            Gate.WORSE: LaneState.NOT_AS_EXPECTED,
            Gate.INCONCLUSIVE: LaneState.INCONCLUSIVE,
            Gate.UNMEASURED: LaneState.FAILED,
        }.get(self, LaneState.OK)


class Result(StrEnum):
    """How a target's deployment ended."""

    PROMOTED = "promoted"
    UNCHANGED = "unchanged"
    NOT_PROMOTED = "not-promoted"
    SERVES_ANYWAY = "serves-anyway"
    PREVIEWED = "previewed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one target, what exists now, and what to do next.

    Attributes:
        target: its name.
        result: how it ended.
        what: one sentence.
        url: where the service answers now; None where it does not exist.
        version: the version that this run made or found; None where there is none.
        version_url: of that version alone.
        lanes: what the gate measured.
        gate: what it said; None where it was not asked.
        rollout: what became of the streams that were open on the version before; None where none served.
        costs: "nothing", "requests" or "always"; None where the cloud could not be asked.
        next: a command to go on with.
        error: why it failed.
    """

    target: str
    result: Result
    what: str
    url: str | None = None
    version: str | None = None
    version_url: str | None = None
    lanes: tuple[Lane, ...] = ()
    gate: Gate | None = None
    rollout: ClauseFinding | None = None
    costs: str | None = None
    next: str | None = None
    error: KitError | None = None

    @property
    def state(self) -> LaneState:
        """The same in the words that every report marks its rows with."""
        if self.result is Result.FAILED:
            return LaneState.FAILED
        return LaneState.OK if self.gate is None else self.gate.state
