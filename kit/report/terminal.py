"""The measurement, for a terminal: lanes as a table, or one lane with what its verdict rests on."""

from __future__ import annotations

from collections.abc import Sequence

from kit.language import join, t, text
from kit.proof.contract import Clause
from kit.proof.doubts import Doubt
from kit.proof.lane import LaneState
from kit.report.cells import cells, hang, one_line, pad, wrap
from kit.report.clause import ClauseView
from kit.report.style import CAME, MARKS, Style, Tone
from kit.report.view import ComparisonView, LaneView
from kit.report.words import NONE

# Longer lines are hard to read, however wide the terminal; off one the reader's width is not known.
WIDTH = 100
# The mark of a clause of which nothing was expected: what was found is neither good nor bad by itself.
_UNASKED: tuple[str, Tone] = ("·", "dim")
_HEADS = {
    "target": text("target"),
    "header": text("header"),
    "verdict": text("verdict"),
    "expected": text("expected"),
    "first event": text("first event"),
    "hold": text("hold"),
}
_KINDS = {"on": text("on"), "off": text("off"), "polling": text("polling")}
_RIGHT = ("first event", "hold")
# Where there is no room: how narrow a column may become, which grows first, which is left out first.
_LEAST = {"target": 8, "verdict": 16, "expected": 16, "first event": 6}
_GROWN = ("verdict", "expected", "target", "first event")
_NARROW = 10  # of a clause's column
_GIVEN_UP = ("hold", "expected", "first event", "header", "target")


def lane_text(lane: LaneView, style: Style | None = None) -> str:
    """The verdict on one URL, its evidence, its figures, and each doubt with its remedy."""
    style = style or Style()
    width = min(style.width or WIDTH, WIDTH)
    tone: Tone = "bold" if lane.state in (LaneState.OK, LaneState.INCONCLUSIVE) else "wrong"
    lines = headed(CAME[lane.mark], one_line(lane.headline), width, style, tone)
    lines += hang("  ", lane.url, width)
    if lane.error is not None:
        lines += ["", *hang("  ", lane.error.message, width)]
    if lane.advice is not None:
        lines += hang("  → ", lane.advice, width)
    if lane.again is not None:
        lines += hang("  ", lane.again, width)
    if lane.error is None:
        lines += ["", *(line for fact in _facts(lane) for line in hang("  ", fact, width))]
    if lane.remark is not None:
        lines += hang("  ", lane.remark, width)
    lines += contract(lane.clauses, width, style)
    if lane.evidence:
        lines += section(text("what was done and seen"), width, style)
        for number, step in enumerate(lane.evidence, 1):
            lines += hang(f"  {number:2}  ", step, width)
    if lane.doubts:
        lines += section(text("what to doubt"), width, style)
        for doubt in lane.doubts:
            lines += hang("   ?  ", f"{doubt}: {t(doubt.remedy)}", width)
    return style.finish("\n".join(line.rstrip() for line in lines))


def contract(clauses: Sequence[ClauseView], width: int, style: Style) -> list[str]:
    """What was found of a path's clauses, each with what it rests on; nothing where none was asked."""
    found = [one for one in clauses if one.says is not None]
    lines = section(text("the contract"), width, style) if found else []
    for one in found:
        mark, tone = _UNASKED if one.state is None else MARKS[one.state]
        first, *rest = hang(
            f"  {mark} ", text("{name}: {headline}", name=one.name, headline=one.headline), width
        )
        lines += [f"  {style.paint(mark, tone)}{first[3:]}", *rest]
        lines += [style.paint(line, "dim") for step in one.evidence for line in hang("      ", step, width)]
        lines += remedy(one.advice, width, "    ")
        for doubt in one.doubts:
            lines += hang("    ? ", f"{doubt}: {t(doubt.remedy)}", width)
    return lines


def remedy(advice: str, width: int, indent: str = "  ") -> list[str]:
    """What to do; lines that begin with four spaces are to be pasted, and never broken."""
    if not advice:
        return []
    first, *rest = map(one_line, t(advice).splitlines())
    lines = hang(f"{indent}→ ", first, width)
    for line in rest:
        lines += [f"{indent}  {line}"] if line.startswith("    ") else hang(f"{indent}  ", line, width)
    return lines


def headed(mark: tuple[str, Tone], headline: str, width: int, style: Style, tone: Tone = "bold") -> list[str]:
    """What was found, with its mark."""
    first, *rest = hang(f"{mark[0]} ", headline, width)
    return [f"{style.paint(*mark)} {style.paint(first[2:], tone)}", *rest]


def section(head: str, width: int, style: Style) -> list[str]:
    """The head of a part."""
    return ["", *(style.paint(line, "dim") for line in hang("  ", head, width))]


def _facts(lane: LaneView) -> list[str]:
    events = len(lane.timeline.arrivals)
    came = text(
        "first byte {first_byte}, first event {first_event}, {events} in {duration}",
        first_byte=lane.first_byte,
        first_event=lane.first_event,
        events=text("1 event") if events == 1 else text("{count:,} events", count=events),
        duration=lane.duration,
    )
    facts = [came if lane.timeline.complete else text("{came}, without a proper end", came=came)]
    if lane.codes["hold_ms"]:
        limit = text("hold {hold} (below {seen_from} nothing could have been seen)")
        said = limit if lane.seen_from else text("hold {hold}")
        facts.append(said.format(hold=lane.hold, seen_from=lane.seen_from))
    facts.append(text("Method: {method}", method=lane.method))
    if lane.head:
        facts.append(text("the response: {head}", head=lane.head))
    return facts if lane.asked is None else [*facts, lane.asked]


def table(view: ComparisonView, style: Style | None = None) -> str:
    """Lane by lane the verdict, whether that was expected, the figures, what to do; then the answer."""
    style = style or Style()
    width = style.width or WIDTH
    doubts = tuple(dict.fromkeys(doubt for lane in view.lanes for doubt in lane.all_doubts))
    rows = [_cells(lane, doubts) for lane in view.lanes]
    widths = _widths(rows, width)
    heads = {head: t(says) for head, says in _HEADS.items()}
    lines = [style.paint(line, "dim") for line in columns(" ", heads, widths)]
    for index, (lane, row) in enumerate(zip(view.lanes, rows, strict=True)):
        mark, tone = CAME[lane.mark]
        lines += columns(style.paint(mark, tone), row, widths)
        if lane.error is not None:
            lines += hang("    ", lane.error.message, width)
        # What a later lane of the same target needs as well is said there.
        later = {after.advice for after in view.lanes[index + 1 :] if after.target == lane.target}
        if lane.advice is not None and lane.advice not in later:
            lines += [style.paint(line, "dim") for line in hang("  → ", lane.advice, width)]
        if lane.again is not None:
            lines += [style.paint(line, "dim") for line in hang("    ", lane.again, width)]
    lines += _contracts(view, doubts, style, width)
    if doubts:
        lines.append("")
        for number, doubt in enumerate(doubts, 1):
            lines += hang(f"[{number}] ", f"{doubt}: {t(doubt.remedy)}", width)
    lines += ["", *_conclusion(view, style, width)]
    return style.finish("\n".join(line.rstrip() for line in lines))


def _contracts(view: ComparisonView, doubts: Sequence[Doubt], style: Style, width: int) -> list[str]:
    if not view.clauses:
        return []
    rows = [_clause_cells(lane, view, doubts) for lane in view.lanes if lane.clauses]
    heads = {"contract": t(text("contract")), **{one.words: t(one.words) for one in view.clauses}}
    widths = shared([heads, *rows], width)
    lines = ["", *(style.paint(line, "dim") for line in columns(" ", heads, widths))]
    # No mark of the lane's here: it would stand over clauses of which nothing was expected.
    lines += [line for row in rows for line in columns(" ", row, widths)]
    todo: dict[tuple[str, str], list[str]] = {}
    for lane in view.lanes:
        for clause in lane.clauses:
            if clause.advice:
                todo.setdefault((clause.name, clause.advice), []).append(lane.name)
    for (name, advice), lanes in todo.items():
        says = text("{name} ({lanes}): {advice}", name=name, lanes=join(", ", lanes), advice=advice)
        lines += remedy(says, width)
    return lines


def _clause_cells(lane: LaneView, view: ComparisonView, doubts: Sequence[Doubt]) -> dict[str, str]:
    row = {"contract": one_line(lane.name), Clause.DELIVERED.words: one_line(lane.verdict)}
    for clause in view.clauses[1:]:
        found = lane.clause(clause)
        if found is None:
            row[clause.words] = NONE
            continue
        mark = "" if found.state is None else f"{MARKS[found.state][0]} "
        row[clause.words] = mark + one_line(found.cell) + _notes(found.doubts, doubts)
    return row


def _notes(those: Sequence[Doubt], doubts: Sequence[Doubt]) -> str:
    return "".join(f" [{doubts.index(doubt) + 1}]" for doubt in those)


def shared(rows: Sequence[dict[str, str]], width: int) -> dict[str, int]:
    """Columns as wide as their widest cells; where there is no room, the widest give way, then the last."""
    widths = {head: max(cells(row[head]) for row in rows) for head in rows[0]}
    while _spare(widths, width) < 0 and max(widths.values()) > 2:
        widest = max(widths, key=lambda head: widths[head])
        if widths[widest] > _NARROW or len(widths) == 1:
            widths[widest] -= 1
        else:
            widths.popitem()
    return widths


def _cells(lane: LaneView, doubts: Sequence[Doubt]) -> dict[str, str]:
    return {
        "target": one_line(lane.target),
        "header": t(_KINDS[lane.kind]),
        "verdict": t(lane.verdict) + _notes(lane.doubts, doubts),
        "expected": t(lane.kept or NONE),
        "first event": t(lane.first_event),
        "hold": t(lane.hold),
    }


def _widths(rows: list[dict[str, str]], width: int) -> dict[str, int]:
    """The columns that have room, each as wide as its widest cell, or narrower down to what can be read."""
    heads = [head for head in _HEADS if head != "expected" or any(row[head] != NONE for row in rows)]
    wanted = {head: max(map(cells, (t(_HEADS[head]), *(row[head] for row in rows)))) for head in heads}
    widths = {head: min(room, _LEAST.get(head, room)) for head, room in wanted.items()}
    for head in _GIVEN_UP:
        if _spare(widths, width) < 0:
            widths.pop(head, None)
    for head in _GROWN:
        if head in widths:
            widths[head] += min(wanted[head] - widths[head], max(0, _spare(widths, width)))
    widths["verdict"] = max(2, widths["verdict"] + min(0, _spare(widths, width)))
    return widths


def _spare(widths: dict[str, int], width: int) -> int:
    return width - sum(2 + room for room in widths.values())


def columns(mark: str, row: dict[str, str], widths: dict[str, int]) -> list[str]:
    """One row, in as many lines as its longest cell needs, after its mark if it has one."""
    broken = {head: wrap(row[head], room) for head, room in widths.items()}
    lines = []
    for index in range(max(map(len, broken.values()))):
        shown = (
            pad(broken[head][index] if index < len(broken[head]) else "", room, right=head in _RIGHT)
            for head, room in widths.items()
        )
        lead = f"{mark if index == 0 else ' '} " if mark else ""
        lines.append(lead + "  ".join(shown))
    return lines


def _conclusion(view: ComparisonView, style: Style, width: int) -> list[str]:
    said = one_line(join(" ", view.answer))
    # Off a terminal the sentences stay in one piece: they are there to be found and quoted.
    lines = [said] if style.width is None else hang("", said, width)
    lines = [style.paint(line, "bold") for line in lines]
    tone = MARKS[view.state][1]
    for line in map(one_line, filter(None, (view.tally, *view.against))):
        lines += [style.paint(one, tone) for one in hang("  ", line, width)]
    lines += hang("  ", view.where, width)
    if view.in_short is not None and view.state is not LaneState.OK:
        short = t(text("Documented: {short}", short=view.in_short))
        lines += [f"  {short}"] if style.width is None else hang("  ", short, width)
    return lines
