"""The comparison as GitHub's workflow commands: annotations that a run and its pull request show.

A command is a line: `::error title=…::…`. What is not as expected, or could not be measured, is an error;
what is inconclusive is one too where that is what fails the step, and else a warning; a doubt about a lane
that came out well is a notice. Escaped as the runner unescapes it (actions/runner, ActionCommand.cs), so that
nothing that was measured can end a line or become a command of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from kit.proof.doubts import Doubt
from kit.proof.lane import Comparison, Lane, LaneState, state
from kit.proof.verdict import Verdict
from kit.report.cells import clean
from kit.report.watch import LaneKey
from kit.report.words import (
    advice,
    attempts_words,
    environment_words,
    expected_words,
    handed_out,
    lane_name,
    remark,
    verdict_words,
)
from kit.targets import Target

Level = Literal["error", "warning", "notice"]

_IN_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_DATA = str.maketrans(_IN_DATA)
_PROPERTY = str.maketrans({**_IN_DATA, ":": "%3A", ",": "%2C"})

_WORST_LAST = tuple(Verdict)


def github(comparison: Comparison, targets: Mapping[str, Target]) -> str:
    """A line for each lane that came out badly, then one for each doubt about the others; maybe none."""
    lines, doubted = [], dict[Doubt, list[str]]()
    for lane in comparison.lanes:
        if (level := _level(lane, comparison)) is None:
            for doubt in lane.doubts:
                doubted.setdefault(doubt, []).append(lane_name(LaneKey.of(lane)))
        else:
            lines.append(_lane(level, lane, targets.get(lane.target), environment_words(comparison)))
    for doubt, names in doubted.items():
        lines.append(command("notice", f"streamproof: {', '.join(names)}: {doubt}", [doubt.remedy]))
    return "\n".join(lines)


def outputs(comparison: Comparison) -> str:
    """What a later step can read: `verdict`, of several lanes the worst. For the file GITHUB_OUTPUT."""
    verdicts = [lane.verdict for lane in comparison.lanes] or [Verdict.INCONCLUSIVE]
    return f"verdict={max(verdicts, key=_WORST_LAST.index)}\n"


def command(level: Level, title: str, message: Iterable[str]) -> str:
    """One workflow command; the message's lines are lines on GitHub too."""
    told = "\n".join(clean(line) for line in message)
    return f"::{level} title={clean(title).translate(_PROPERTY)}::{told.translate(_DATA)}"


def _level(lane: Lane, comparison: Comparison) -> Level | None:
    match state(lane):
        case LaneState.OK:
            return None
        case LaneState.INCONCLUSIVE if comparison.state is not LaneState.INCONCLUSIVE:
            return "warning"
    return "error"


def _lane(level: Level, lane: Lane, target: Target | None, where: str) -> str:
    found = verdict_words(lane)
    if lane.error is None and lane.as_expected is not None:
        found += f", expected: {expected_words(lane, target)}"
    told = [
        None if lane.error is None else lane.error.message,
        advice(lane, target),
        *(f"{doubt}: {doubt.remedy}" for doubt in lane.doubts),
        attempts_words(lane),
        f"At {handed_out(lane.url)}",
        *(f"- {step}" for step in lane.evidence),
        remark(lane),
        where,
    ]
    title = f"streamproof: {lane_name(LaneKey.of(lane))}: {found}"
    return command(level, title, filter(None, told))
