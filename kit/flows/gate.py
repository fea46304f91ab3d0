"""Whether a new version may take the traffic: what was measured against what its platform promises. Pure.

Of both arms the one with the header decides; without it the stream is only reported on: a Flex version that
holds blocks until a header forbids it does what its platform documents. A user's app is judged as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kit.errors import Code
from kit.language import capital, join, text
from kit.outcome import Gate
from kit.proof.verdict import Verdict
from kit.report.view import LaneView
from kit.report.words import HEADER
from kit.targets import Target

_AS_SAID = text(
    "It is asked as [app] in kit.toml says: probe_path, by probe_method, with probe_headers and probe_body."
)
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


def judge(lanes: Sequence[LaneView], target: Target) -> Judgement:
    """Judge a version by its lanes: by the arm with the header, or by the one lane of an app as it is."""
    lane = next(lane for lane in lanes if lane.as_is or lane.kind == "on")
    promised = target.expect["off" if lane.kind == "off" else "on"]
    if lane.error is not None:
        # Asked once more in the same way it answers the same.
        as_said = " " + _AS_SAID if lane.as_is and lane.error.code == Code.HTTP_STATUS else ""
        return Judgement(
            Gate.UNMEASURED,
            text("It could not be measured: {message}{as_said}", message=lane.error.message, as_said=as_said),
        )
    found = capital(lane.verdict)
    if not lane.decided:
        why = text(" ({doubts})", doubts=join(", ", lane.doubts)) if lane.doubts else ""
        return Judgement(Gate.INCONCLUSIVE, text("Whether it streams could not be decided{why}.", why=why))
    if lane.word is promised:
        bare = promised is not target.expect["on"]
        without = text(" without {header}, which frees it", header=HEADER) if bare else ""
        return Judgement(Gate.PASSED, text("{found}, as documented{without}.", found=found, without=without))
    if _WORST_LAST.index(lane.word) < _WORST_LAST.index(promised):
        return Judgement(
            Gate.BETTER, text("{found}, where {expected} is documented.", found=found, expected=lane.expected)
        )
    return Judgement(
        Gate.WORSE, text("{found}, where {expected} is promised.", found=found, expected=lane.expected)
    )
