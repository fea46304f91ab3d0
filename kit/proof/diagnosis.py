"""The doctor's result: the verdict, who holds the stream, the evidence, and what cannot be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kit.proof.causes import NamedCause
from kit.proof.doubts import Doubt
from kit.proof.experiments import Row
from kit.proof.fingerprints import Hop
from kit.proof.lane import Lane
from kit.proof.quick_check import Observation, State
from kit.proof.verdict import Shape, Verdict


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One URL examined.

    Attributes:
        url: without credentials and without its query.
        lane: the answer as it came, with the verdict on it.
        causes: who holds it, the surest first; none where it streams.
        rows: the experiments, in order.
        hops: what the response's headers hint at. Hints, no evidence.
        limits: what could not be seen from here, and what would show it, a sentence each.
        requests: how often the URL itself was asked for an answer.
        first_verdict_ms: from the opening of the first stream to the first word on whether it streams; None
            where only the answer could be watched.
    """

    url: str
    lane: Lane
    causes: tuple[NamedCause, ...]
    rows: tuple[Row, ...]
    hops: tuple[Hop, ...]
    limits: tuple[str, ...]
    requests: int
    first_verdict_ms: float | None = None

    @property
    def verdict(self) -> Verdict:
        """The word."""
        return self.lane.verdict

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Reasons not to trust a figure."""
        return self.lane.doubts


@dataclass(frozen=True, slots=True)
class AppExamined:
    """What would become of an app's answer.

    Attributes:
        itself: with no front before it.
        targets: behind each target's front, emulated from documentation.
    """

    itself: Diagnosis
    targets: Mapping[str, Diagnosis]

    @property
    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """All of them."""
        return (self.itself, *self.targets.values())


def verdict_of(seen: Observation) -> Verdict:
    """What was seen, in the words of a verdict."""
    if seen.verdict is not None:
        return seen.verdict
    match seen.state:
        case State.STREAMS:
            return Verdict.INCREMENTAL
        case State.REFUSED:
            return Verdict.REFUSED
        case State.UNDECIDED:
            return Verdict.INCONCLUSIVE
    if seen.shape is None:  # held, and not seen how: no verdict says that
        return Verdict.INCONCLUSIVE
    held = {Shape.WHOLE: Verdict.WHOLE_MESSAGE, Shape.TIMER: Verdict.TIME_LIMITED}
    return held.get(seen.shape, Verdict.BYTE_LIMITED)
