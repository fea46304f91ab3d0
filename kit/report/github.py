"""The comparison as GitHub's workflow commands: annotations that a run and its pull request show.

A command is a line: `::error title=…::…`. What is not as expected, or could not be measured, is an error;
what is inconclusive is one too where that is what fails the step, and else a warning; a doubt about a lane
that came out well is a notice. Escaped as the runner unescapes it (actions/runner, ActionCommand.cs), so that
nothing that was measured can end a line or become a command of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from kit.proof.lane import LaneState
from kit.report.cells import clean
from kit.report.view import ComparisonView, LaneView, by_doubt

Level = Literal["error", "warning", "notice"]

_IN_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_DATA = str.maketrans(_IN_DATA)
_PROPERTY = str.maketrans({**_IN_DATA, ":": "%3A", ",": "%2C"})


def github(view: ComparisonView) -> str:
    """A line for each lane that came out badly, then one for each doubt about the others; maybe none."""
    unsure: Level = "error" if view.state is LaneState.INCONCLUSIVE else "warning"
    lines = [
        _lane(unsure if lane.state is LaneState.INCONCLUSIVE else "error", lane, view.where)
        for lane in view.lanes
        if lane.state is not LaneState.OK
    ]
    for doubt, names in by_doubt(lane for lane in view.lanes if lane.state is LaneState.OK).items():
        lines.append(command("notice", f"streamproof: {', '.join(names)}: {doubt}", [doubt.remedy]))
    return "\n".join(lines)


def outputs(view: ComparisonView) -> str:
    """What a later step can read: `verdict`, of several lanes the worst. For the file GITHUB_OUTPUT."""
    return f"verdict={view.worst}\n"


def command(level: Level, title: str, message: Iterable[str]) -> str:
    """One workflow command; the message's lines are lines on GitHub too."""
    data = "\n".join(clean(line) for line in message)
    return f"::{level} title={clean(title).translate(_PROPERTY)}::{data.translate(_DATA)}"


def _lane(level: Level, lane: LaneView, where: str) -> str:
    message = [
        None if lane.error is None else lane.error.message,
        lane.advice,
        *(line for one in lane.clauses for line in one.advice.splitlines()),
        *(f"{doubt}: {doubt.remedy}" for doubt in lane.all_doubts),
        lane.again,
        f"At {lane.address}",
        *(f"- {step}" for step in lane.evidence),
        *(f"- {one.name}: {step}" for one in lane.clauses for step in one.evidence),
        lane.remark,
        where,
    ]
    found = lane.headline if lane.error is None else lane.verdict
    return command(level, f"streamproof: {lane.name}: {found}", filter(None, message))
