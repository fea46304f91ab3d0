"""The comparison as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from kit.proof.doubts import Doubt
from kit.proof.lane import Comparison, Lane, state
from kit.report.cells import cells, clean, hang, pad, wrap
from kit.report.lanes import MARKS
from kit.report.style import Style
from kit.report.words import (
    THE_THREE,
    advice,
    attempts_words,
    conclusion,
    duration,
    environment_words,
    expected_words,
    hold_words,
    three_targets,
    verdict_words,
)
from kit.targets import Target

# Off a terminal nobody knows how wide the reader is.
_WIDTH = 100
_HEADS = ("target", "header", "verdict", "expected", "first event", "hold")
_RIGHT = ("first event", "hold")
# Where there is no room: how narrow a column may become, which grows first, which is left out first.
_LEAST = {"target": 8, "verdict": 16, "expected": 16, "first event": 6}
_GROWN = ("verdict", "expected", "target", "first event")
_GIVEN_UP = ("hold", "expected", "first event", "header", "target")


def table(comparison: Comparison, targets: Mapping[str, Target], style: Style | None = None) -> str:
    """Lane by lane the verdict, what was promised, the figures and what to do; then the conclusion."""
    style = style or Style()
    width = style.width or _WIDTH
    doubts = tuple(dict.fromkeys(doubt for lane in comparison.lanes for doubt in lane.doubts))
    rows = [_cells(lane, targets.get(lane.target), doubts) for lane in comparison.lanes]
    widths = _widths(rows, width)
    heads = dict(zip(_HEADS, _HEADS, strict=True))
    lines = [style.paint(line, "dim") for line in _row(" ", heads, widths)]
    for index, (lane, row) in enumerate(zip(comparison.lanes, rows, strict=True)):
        mark, tone = MARKS[state(lane)]
        lines += _row(style.paint(mark, tone), row, widths)
        said = _advice(comparison, targets, index)
        if said is not None:
            lines += [style.paint(line, "dim") for line in hang("  → ", said, width)]
        again = attempts_words(lane)
        if again is not None:
            lines += [style.paint(line, "dim") for line in hang("    ", clean(again), width)]
    if doubts:
        lines.append("")
        for number, doubt in enumerate(doubts, 1):
            lines += hang(f"[{number}] ", f"{doubt}: {doubt.remedy}", width)
    lines += ["", *_conclusion(comparison, targets, style)]
    return style.finish("\n".join(line.rstrip() for line in lines))


def _cells(lane: Lane, target: Target | None, doubts: tuple[Doubt, ...]) -> dict[str, str]:
    notes = "".join(f" [{doubts.index(doubt) + 1}]" for doubt in lane.doubts)
    return {
        "target": clean(lane.target),
        "header": lane.header if lane.delivery == "stream" else lane.delivery,
        "verdict": verdict_words(lane) + notes,
        "expected": expected_words(lane, target),
        "first event": duration(lane.timeline.first_event_ms),
        "hold": hold_words(lane),
    }


def _advice(comparison: Comparison, targets: Mapping[str, Target], index: int) -> str | None:
    """The lane's advice, unless a later lane of the same target has the same: then it stands there."""
    lane = comparison.lanes[index]
    target = targets.get(lane.target)
    said = advice(lane, target)
    later = [after for after in comparison.lanes[index + 1 :] if after.target == lane.target]
    if said is None or any(advice(after, target) == said for after in later):
        return None
    return clean(said)


def _widths(rows: list[dict[str, str]], width: int) -> dict[str, int]:
    """The columns that have room, each as wide as its widest cell, or narrower down to what can be read."""
    wanted = {head: max(map(cells, (head, *(row[head] for row in rows)))) for head in _HEADS}
    widths = {head: min(room, _LEAST.get(head, room)) for head, room in wanted.items()}
    for head in _GIVEN_UP:
        if _spare(widths, width) < 0:
            del widths[head]
    for head in _GROWN:
        if head in widths:
            widths[head] += min(wanted[head] - widths[head], max(0, _spare(widths, width)))
    widths["verdict"] = max(2, widths["verdict"] + min(0, _spare(widths, width)))
    return widths


def _spare(widths: dict[str, int], width: int) -> int:
    return width - sum(2 + room for room in widths.values())


def _row(mark: str, row: dict[str, str], widths: dict[str, int]) -> list[str]:
    """One row, in as many lines as its longest cell needs."""
    broken = {head: wrap(row[head], room) for head, room in widths.items()}
    lines = []
    for index in range(max(map(len, broken.values()))):
        shown = (
            pad(broken[head][index] if index < len(broken[head]) else "", room, right=head in _RIGHT)
            for head, room in widths.items()
        )
        lines.append((mark if index == 0 else " ") + " " + "  ".join(shown))
    return lines


def _conclusion(comparison: Comparison, targets: Mapping[str, Target], style: Style) -> list[str]:
    mark, tone = MARKS[comparison.state]
    width = style.width or _WIDTH
    said = hang(f"{mark} ", f"{clean(conclusion(comparison, targets))}.", width)
    lines = [style.paint(mark, tone) + said[0][1:], *said[1:]]
    lines += hang("  ", environment_words(comparison), width)
    if three_targets(comparison):
        # Off a terminal the sentence stays in one piece: it is there to be found and quoted.
        said_of_them = THE_THREE if comparison.as_expected else f"Documented: {THE_THREE}"
        lines += [said_of_them] if style.width is None else hang("  ", said_of_them, width)
    return lines
