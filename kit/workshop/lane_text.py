"""The page's words for a lane, in both languages: the verdict, why, what frees it, what is in doubt.

Verdicts, advice and evidence are the reports'; what is here only is why, in one line for a room.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kit.language import capital, in_chinese, text
from kit.proof.doubts import BROKEN, Doubt
from kit.proof.lane import Mark
from kit.proof.verdict import Shape, Verdict
from kit.report.view import LaneView


def lane_text(lane: LaneView) -> dict[str, Any]:
    """The lane in words: {"state", "tone", "en": {…}, "zh": {…}}."""
    english: dict[str, str | Sequence[str] | None] = {
        "verdict": capital(lane.verdict),
        "why": why(lane),
        "advice": lane.advice,
        "remark": lane.remark,
        "note": _note(lane.doubts),
        "doubts": [doubt.remedy for doubt in lane.doubts],
        "evidence": lane.evidence,
        "promise": _promise(lane),
    }
    return {
        "state": str(lane.state),
        "tone": tone(lane),
        "en": english,
        "zh": {key: _chinese(said) for key, said in english.items()},
    }


def _chinese(said: str | Sequence[str] | None) -> str | list[str] | None:
    if said is None or isinstance(said, str):
        return said and in_chinese(said)
    return [in_chinese(one) for one in said]


def tone(lane: LaneView) -> str:
    """ "flows", "held", "unsure" or "failed": which mark and colour the lane gets."""
    return _TONES[lane.mark]


_TONES = {Mark.STREAMED: "flows", Mark.HELD: "held", Mark.BROKEN: "failed", Mark.UNDECIDED: "unsure"}
_WEIGHTY = (*BROKEN, Doubt.TAB_HIDDEN, Doubt.OWN_PATH_HELD, Doubt.BROWSER_CONNECTIONS)

_BY_SHAPE: Mapping[Shape | None, str] = {
    Shape.WHOLE: text("Nothing came out before the answer was over."),
    Shape.BLOCKS: text("Nothing comes out before a whole block is full."),
    Shape.PREFIX: text("The beginning is held until there is enough of it; then everything passes."),
    Shape.TAIL: text("The end of an event comes out only with the next event."),
    Shape.FIRST_EVENT: text("The first event comes out only with the second."),
    Shape.TIMER: text("Every event waits for a timer."),
}


def why(lane: LaneView) -> str:
    """Why that is the verdict, in one line for a room."""
    if lane.error is not None:
        return lane.error.message
    match lane.word:
        case Verdict.INCREMENTAL:
            return text("Every event arrived before the next one was even sent.")
        case Verdict.REFUSED:
            return text("A hop on the way refuses to pass a stream on.")
        case Verdict.INCONCLUSIVE:
            return text("The evidence does not decide.")
    return _BY_SHAPE.get(lane.shape, text("Something on the way collects before it passes on."))


def _note(doubts: Iterable[Doubt]) -> str | None:
    """The doubt that weighs most, for all to see; that a lane is relayed is seen anyway."""
    doubts = sorted(doubts, key=lambda doubt: doubt not in _WEIGHTY)
    return next((doubt.remedy for doubt in doubts if doubt is not Doubt.RELAYED), None)


def _promise(lane: LaneView) -> str | None:
    if lane.expected is None or lane.error is not None:
        return None
    if lane.as_expected:
        return text("as documented")
    return None if lane.word is Verdict.INCONCLUSIVE else text("not as documented")
