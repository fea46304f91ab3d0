"""Whether a new version may take the traffic: what was measured against what its platform promises. Pure.

Of both arms the one with the header decides; without it the stream is only reported on: a Flex version that
holds blocks until a header forbids it does what its platform documents. A user's app is judged as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kit.outcome import Gate
from kit.proof.lane import Lane
from kit.proof.verdict import Verdict
from kit.report.view import lane_view
from kit.report.words import HEADER
from kit.targets import Target

_WORST_LAST = tuple(Verdict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The gate's answer, with the sentence that says why."""

    gate: Gate
    reason: str

    @property
    def passed(self) -> bool:
        """Whether the version may take the traffic."""
        return self.gate in (Gate.PASSED, Gate.BETTER)


def judge(lanes: Sequence[Lane], target: Target) -> Judgement:
    """Judge a version by its lanes: by the arm with the header, or by the one lane of an app as it is."""
    lane = next(lane for lane in lanes if lane.as_is or lane.header == "on")
    promised = target.expect[lane.header]
    if lane.error is not None:
        return Judgement(Gate.UNMEASURED, f"It could not be measured: {lane.error.message}")
    seen = lane_view(lane, target)
    found = seen.verdict
    if lane.verdict is Verdict.INCONCLUSIVE or lane.broken:
        why = f" ({', '.join(lane.doubts)})" if lane.doubts else ""
        return Judgement(Gate.INCONCLUSIVE, f"Whether it streams could not be decided{why}.")
    if lane.verdict is promised:
        bare = promised is not target.expect["on"]
        without = f" without {HEADER}, which frees it" if bare else ""
        return Judgement(Gate.PASSED, f"{found[0].upper()}{found[1:]}, as documented{without}.")
    if _WORST_LAST.index(lane.verdict) < _WORST_LAST.index(promised):
        return Judgement(Gate.BETTER, f"{found[0].upper()}{found[1:]}, where {seen.expected} is documented.")
    return Judgement(Gate.WORSE, f"{found[0].upper()}{found[1:]}, where {seen.expected} is promised.")
