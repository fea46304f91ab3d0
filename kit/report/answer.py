"""The answer to the reader: each service, and what it does with a streamed answer, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kit.language import join, text
from kit.proof.lane import Mark
from kit.report.words import HEADER, KINDS

if TYPE_CHECKING:
    from kit.report.view import LaneView

_FREED = "freed by the header"
# By the verdict in words: of one service, and of several.
_SENTENCES = {
    _FREED: (
        text("{who} streams the answer only with {header}."),
        text("{who} stream the answer only with {header}."),
    ),
    "streamed": (text("{who} streams the answer."), text("{who} stream the answer.")),
    "buffered whole": (
        text("{who} delivers the answer in one lump."),
        text("{who} deliver the answer in one lump."),
    ),
    "arrived as written": (
        text("{who} delivers each piece as it is written."),
        text("{who} deliver each piece as it is written."),
    ),
    "refused to stream": (
        text("{who} refuses to stream the answer."),
        text("{who} refuse to stream the answer."),
    ),
    "could not be measured": (text("{who} could not be measured."), text("{who} could not be measured.")),
    "inconclusive": (
        text("Whether {who} streams the answer could not be decided."),
        text("Whether {who} stream the answer could not be decided."),
    ),
}


_HELD = (
    text("{who} holds the answer back: {verdict}."),
    text("{who} hold the answer back: {verdict}."),
)
_OTHER = (text("{who}: {verdict}."),) * 2


def answer(lanes: Sequence[LaneView]) -> tuple[str, ...]:
    """What each service does, in the lanes' order; services that do the same share a sentence."""
    does: dict[tuple[str, Mark], list[str]] = {}
    for who, verdict, mark in _subjects(lanes):
        does.setdefault((verdict, mark), []).append(who)
    if not does:
        return (text("Nothing was measured."),)
    return tuple(
        _SENTENCES.get(verdict, _HELD if mark is Mark.HELD else _OTHER)[len(who) > 1].format(
            who=_together(who), verdict=verdict, header=HEADER
        )
        for (verdict, mark), who in does.items()
    )


def _subjects(lanes: Sequence[LaneView]) -> Iterator[tuple[str, str, Mark]]:
    """Who does what: of a service that was asked both with the header and without, both at once if it can."""
    for target in dict.fromkeys(lane.target for lane in lanes):
        of = [lane for lane in lanes if lane.target == target]
        match {lane.kind: lane for lane in of}:
            case {"on": on, "off": off}:
                freed = on.mark is Mark.STREAMED and off.mark is Mark.HELD
                if freed or (on.verdict, on.mark) == (off.verdict, off.mark):
                    yield on.title, _FREED if freed else on.verdict, on.mark
                    of = [lane for lane in of if lane not in (on, off)]
        for lane in of:
            who = lane.title
            if not lane.as_is:
                who = text("{who} ({how})", who=who, how=KINDS[lane.kind])
            yield who, lane.verdict, lane.mark


def _together(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else join(" and ", (join(", ", names[:-1]), names[-1]))
