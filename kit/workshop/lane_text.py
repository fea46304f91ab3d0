"""The page's words for a lane, in both languages: the verdict, why, what frees it, what is in doubt.

The English of verdicts and advice is the reports'; what is here only is why, in one line for a room, and the
Chinese of all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kit.proof.doubts import BROKEN, Doubt
from kit.proof.lane import Mark
from kit.proof.verdict import Shape, Verdict
from kit.report.view import LaneView
from kit.workshop.chinese import chinese, in_chinese


def lane_text(lane: LaneView) -> dict[str, Any]:
    """The lane in words: {"state", "tone", "en": {…}, "zh": {…}}."""
    english = {
        "verdict": _capital(lane.verdict),
        "why": why(lane),
        "advice": lane.advice,
        "remark": lane.remark,
        "note": _note(lane.doubts),
        "doubts": [doubt.remedy for doubt in lane.doubts],
        "promise": _promise(lane),
    }
    return {
        "state": str(lane.state),
        "tone": tone(lane),
        "en": english,
        "zh": {
            **{key: chinese(text) for key, text in english.items() if not isinstance(text, list)},
            "verdict": in_chinese(lane),
            "doubts": [chinese(doubt.remedy) for doubt in lane.doubts],
            "remark": chinese("The whole answer is smaller than one block.") if lane.remark else None,
        },
    }


def tone(lane: LaneView) -> str:
    """ "flows", "held", "unsure" or "failed": which mark and colour the lane gets."""
    return _TONES[lane.mark]


_TONES = {Mark.STREAMED: "flows", Mark.HELD: "held", Mark.BROKEN: "failed", Mark.UNDECIDED: "unsure"}
_WEIGHTY = (*BROKEN, Doubt.TAB_HIDDEN, Doubt.OWN_PATH_HELD, Doubt.BROWSER_CONNECTIONS)

_BY_SHAPE: Mapping[Shape | None, str] = {
    Shape.WHOLE: "Nothing came out before the answer was over.",
    Shape.BLOCKS: "Nothing comes out before a whole block is full.",
    Shape.PREFIX: "The beginning is held until there is enough of it; then everything passes.",
    Shape.TAIL: "The end of an event comes out only with the next event.",
    Shape.FIRST_EVENT: "The first event comes out only with the second.",
    Shape.TIMER: "Every event waits for a timer.",
}


def why(lane: LaneView) -> str:
    """Why that is the verdict, in one line for a room."""
    if lane.error is not None:
        return lane.error.message
    match lane.word:
        case Verdict.INCREMENTAL:
            return "Every event arrived before the next one was even sent."
        case Verdict.REFUSED:
            return "A hop on the way refuses to pass a stream on."
        case Verdict.INCONCLUSIVE:
            return "The evidence does not decide."
    return _BY_SHAPE.get(lane.shape, "Something on the way collects before it passes on.")


def _note(doubts: Iterable[Doubt]) -> str | None:
    """The doubt that weighs most, for all to see; that a lane is relayed is seen anyway."""
    doubts = sorted(doubts, key=lambda doubt: doubt not in _WEIGHTY)
    return next((doubt.remedy for doubt in doubts if doubt is not Doubt.RELAYED), None)


def _promise(lane: LaneView) -> str | None:
    if lane.expected is None or lane.error is not None:
        return None
    if lane.as_expected:
        return "as documented"
    return None if lane.word is Verdict.INCONCLUSIVE else "not as documented"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
