"""A deployment's outcome: what happened to each target, what exists now, what it costs, what is next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kit.language import capital, t, text
from kit.outcome import Outcome, Result
from kit.proof.contract import ClauseFinding
from kit.report.cells import cells, hang, one_line, pad
from kit.report.clause import ClauseView, clause_view
from kit.report.json import clause_data, lane_data
from kit.report.style import MARKS, Style
from kit.report.terminal import remedy
from kit.report.view import LaneView, lane_view

COSTS = {
    "nothing": text("It costs nothing as it is."),
    "requests": text("It costs money only while it is asked."),
    "always": text("It costs money all the time, asked or not: it never scales to zero."),
}

_WIDTH = 100


def outcomes_text(outcomes: Sequence[Outcome], style: Style, destroy: str | None) -> str:
    """A paragraph a target.

    Args:
        outcomes: in their order.
        style: how to write.
        destroy: the line that removes all of it; None where nothing exists.
    """
    name_cells = max((cells(one_line(one.target)) for one in outcomes), default=0)
    lines: list[str] = []
    for one in outcomes:
        lines += _paragraph(one, name_cells, style)
    if destroy is not None:
        lines += ["", f"  {t(text('To remove all of it: {destroy}', destroy=destroy))}"]
    return style.finish("\n".join(line.rstrip() for line in lines))


def _paragraph(one: Outcome, name_cells: int, style: Style) -> list[str]:
    width = style.width or _WIDTH
    mark, tone = MARKS[one.state]
    indent = " " * (name_cells + 4)
    # The end of a log comes with its own lines, which are not to be filled up.
    sentence, *log = t(one.what).split("\n")
    head, *rest = hang(indent, sentence, width)
    name = pad(one_line(one.target), name_cells)
    lines = [f"{style.paint(mark, tone)} {style.paint(name, 'bold')}  {head[len(indent) :]}", *rest]
    lines += [style.paint(f"{indent}{one_line(line).strip()}", "dim") for line in log]
    if one.error is not None:
        lines += [
            line
            for hint in t(one.error.hint).split("\n")
            for line in hang(indent, one_line(hint).strip(), width)
        ]
    lanes = [lane_view(lane) for lane in one.lanes]
    without = [lane for lane in lanes if lane.kind == "off" and not lane.as_is]
    if without and without[0].error is None:
        lines += hang(indent, text("Without the header: {verdict}.", verdict=without[0].verdict), width)
    lines += rollout_lines(one.rollout, indent, style)
    if one.gate is not None and one.state != "ok":
        lines += _evidence([lane for lane in lanes if lane not in without], indent, style, width)
    if one.url is not None and one.result is not Result.PROMOTED:
        lines += hang(indent, text("Its service: {url}", url=one.url), width)
    if one.costs is not None:
        lines += hang(indent, COSTS[one.costs], width)
    if one.next is not None:
        step = text("Next: {step}", step=one.next)
        if one.result is Result.NOT_PROMOTED:
            step += text(" (what did not change is only measured again)")
        lines += hang(indent, step, width)
    if one.result is Result.NOT_PROMOTED:
        lines += hang(indent, text("Promote it all the same: kit promote {target}", target=one.target), width)
    return lines


def _evidence(lanes: Sequence[LaneView | ClauseView], indent: str, style: Style, width: int) -> list[str]:
    """What the verdict rests on: nothing is called held back without it."""
    return [
        style.paint(line, "dim")
        for lane in lanes
        for step in (*lane.evidence, *(f"{doubt}: {t(doubt.remedy)}" for doubt in lane.doubts))
        for line in hang(f"{indent}· ", step, width)
    ]


def rollout_lines(found: ClauseFinding | None, indent: str, style: Style) -> list[str]:
    """What became of the streams that were open while the traffic moved."""
    if found is None:
        return []
    width, one = style.width or _WIDTH, clause_view(found)
    lines = hang(indent, text("{name}: {headline}.", name=capital(one.name), headline=one.headline), width)
    return lines + _evidence([one], indent, style, width) + remedy(one.advice, width, indent)


def outcome_data(one: Outcome) -> dict[str, Any]:
    """One target for `--json`."""
    error = one.error
    return {
        "target": one.target,
        "result": str(one.result),
        "what": one.what,
        "url": one.url,
        "version": one.version,
        "version_url": one.version_url,
        "gate": None if one.gate is None else str(one.gate),
        "rollout": None if one.rollout is None else clause_data(one.rollout),
        "costs": one.costs,
        "next": one.next,
        "lanes": [lane_data(lane) for lane in one.lanes],
        "error": None if error is None else error.data,
    }
