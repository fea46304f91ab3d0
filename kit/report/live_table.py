"""The live picture of lanes being measured: one row a lane, all on one time axis. Pure: it owns no clock.

`Picture` takes in events; `lanes_text` draws it as it stands at a moment. A row is made of
`▏` where an event arrived, `█` where many arrived at once, and `·` while the client waits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from kit.events import (
    Announced,
    Answered,
    Arrived,
    Asked,
    Event,
    Judged,
    LaneKey,
    LanesBegun,
    ProofStep,
    Stage,
)
from kit.language import t, text
from kit.proof.lane import Lane
from kit.report.cells import cells, fit, one_line, pad
from kit.report.style import CAME, SPINNER, Style, Tone
from kit.report.view import lane_view
from kit.report.words import HEADER

# Events this close to the one before came "at once": in one read, or in reads of one lump.
_AT_ONCE_MS = 2.0
_MANY = 5
# Shorter axes are stretched to these, so that a row grows smoothly and rescales seldom.
_AXES_MS = (3_000, 5_000, 8_000, 12_000, 20_000, 30_000, 45_000, 60_000, 90_000, 120_000, 180_000, 300_000)
_RULES_MS = (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000)


class Marks:
    """When events arrived, in bins of equal width that grow: a long stream stays cheap to draw."""

    _LIMIT = 1024

    def __init__(self) -> None:
        self._step_ms = 4.0
        self._bins: dict[int, tuple[int, int]] = {}
        self.count = 0
        self.first_ms: float | None = None
        self.last_ms: float | None = None

    def add(self, ms: float) -> None:
        """One more event, not earlier than the one before."""
        together = self.last_ms is not None and ms - self.last_ms < _AT_ONCE_MS
        self.count += 1
        self.first_ms = ms if self.first_ms is None else self.first_ms
        self.last_ms = ms
        while ms / self._step_ms >= self._LIMIT:
            self._step_ms *= 2
            finer, self._bins = self._bins, {}
            for index, (count, close) in finer.items():
                self._put(index // 2, count, close)
        self._put(max(0, int(ms / self._step_ms)), 1, int(together))

    def _put(self, index: int, count: int, close: int) -> None:
        before, before_close = self._bins.get(index, (0, 0))
        self._bins[index] = before + count, before_close + close

    def columns(self, axis_ms: float, width: int) -> dict[int, int]:
        """Column to how many of its events came at once with the one before."""
        found: dict[int, int] = {}
        for index, (_, close) in self._bins.items():
            column = min(width - 1, int(index * self._step_ms / axis_ms * width))
            found[column] = found.get(column, 0) + close
        return found


@dataclass(slots=True)
class Row:
    """One lane, as far as it has come. `asked_ms` is the painter's clock; the rest counts from there."""

    asked_ms: float | None = None
    over_ms: float | None = None
    marks: Marks = field(default_factory=Marks)
    step: str | None = None
    judged: Lane | None = None

    @property
    def failed(self) -> bool:
        """Whether the lane could not be measured."""
        return self.judged is not None and self.judged.error is not None

    def elapsed_ms(self, now_ms: float) -> float:
        """How long the lane has been on its way."""
        if self.asked_ms is None:
            return 0.0
        running = now_ms - self.asked_ms if self.over_ms is None else self.over_ms
        return max(0.0, running, self.marks.last_ms or 0.0)

    def said(self, now_ms: float) -> str:
        """The row in words."""
        first, last, count = self.marks.first_ms, self.marks.last_ms, self.marks.count
        if self.failed:
            return text("failed")
        if self.asked_ms is None:
            return ""
        if first is None or last is None:
            if self.over_ms is not None:
                return text("no event")
            return text("waiting {s:.1f} s", s=self.elapsed_ms(now_ms) / 1000)
        if self.over_ms is not None and last - first <= max(50.0, 0.05 * last):
            at = text("1 event at {s:.1f} s") if count == 1 else text("all {count:,} events at {s:.1f} s")
            return at.format(count=count, s=last / 1000)
        return text("first at {s:.1f} s", s=first / 1000)


class Picture:
    """All that events have reported so far, each with its time; see `kit.report.painter.Shown`."""

    def __init__(self) -> None:
        self.rows: dict[LaneKey, Row] = {}
        self.current: tuple[str, float] | None = None
        self.parts: list[tuple[str, str, float]] = []

    def take(self, event: Event, now_ms: float) -> None:
        """Take in one event; those of deployments change nothing."""
        match event:
            case Stage(says) | Announced(says):
                self.over("✓", now_ms)
                self.current = says, now_ms
            case LanesBegun(keys):
                self.rows |= {key: Row() for key in keys}
            case Asked(key):
                self._row(key).asked_ms = now_ms
            case Arrived(key, arrival):
                row = self._row(key)
                row.asked_ms = now_ms - arrival.arrived_ms if row.asked_ms is None else row.asked_ms
                row.marks.add(arrival.arrived_ms)
            case Answered(key):
                row = self._row(key)
                row.over_ms = row.elapsed_ms(now_ms)
            case ProofStep(key, says):
                self._row(key).step = says
            case Judged(lane):
                row = self._row(LaneKey.of(lane))
                row.judged = lane
                row.over_ms = row.elapsed_ms(now_ms) if row.over_ms is None else row.over_ms

    def over(self, mark: str, now_ms: float) -> None:
        """The part of the work at hand is over; its line is permanent."""
        if self.current is not None:
            says, since_ms = self.current
            self.parts.append((mark, says, now_ms - since_ms))
            self.current = None

    def frame(self, width: int, now_ms: float, style: Style) -> list[str]:
        """The picture at a moment."""
        return lanes_text(self, width, now_ms, style)

    def finished(self, width: int, style: Style) -> list[str]:
        """The lines of the parts that are done."""
        return finished_text(self, width, style)

    def _row(self, key: LaneKey) -> Row:
        return self.rows.setdefault(key, Row())


def lanes_text(picture: Picture, width: int, now_ms: float, style: Style | None = None) -> list[str]:
    """The picture at a moment, in lines of at most `width` cells."""
    style = style or Style()
    lines: list[str] = []
    if picture.current is not None:
        says, since_ms = picture.current
        lines.append(_stage(spin(now_ms), "tick", says, now_ms - since_ms, width, style))
    if picture.rows:
        lines += [*_answers(picture, width, now_ms, style), *_proofs(picture, width, now_ms, style)]
    return [style.finish(line) for line in lines]


def finished_text(picture: Picture, width: int, style: Style) -> list[str]:
    """The lines of the parts that are done; each is handed out once, for good."""
    finished, picture.parts = picture.parts, []
    return [
        style.finish(_stage(mark, "ok" if mark == "✓" else "wrong", says, took_ms, width, style))
        for mark, says, took_ms in finished
    ]


def _stage(mark: str, tone: Tone, says: str, took_ms: float, width: int, style: Style) -> str:
    seconds = f"  {t(text('{s:.1f} s', s=took_ms / 1000))}"
    said = fit(_shown(says, style), max(1, width - 2 - cells(seconds)))
    return f"{style.paint(mark, tone)} {said}{style.paint(seconds, 'dim')}"


def _names(picture: Picture, width: int, style: Style) -> dict[LaneKey, str]:
    names = {key: _shown(key.target, style) for key in picture.rows}
    room = max(4, min(max(map(cells, names.values())), width // 4))
    kinds = {key.kind for key in picture.rows}
    widest = max(map(len, kinds)) if len(kinds) > 1 else None
    return {
        key: pad(fit(name, room), room) + ("" if widest is None else f" {key.kind:{widest}}")
        for key, name in names.items()
    }


def _answers(picture: Picture, width: int, now_ms: float, style: Style) -> list[str]:
    names = _names(picture, width, style)
    said = {key: t(row.said(now_ms)) for key, row in picture.rows.items()}
    name_cells = max(map(cells, names.values()))
    said_cells = max(22, *(cells(says) for says in said.values()))
    bar_cells = width - name_cells - said_cells - 6
    if bar_cells < 12:
        said_cells, bar_cells = 0, max(1, width - name_cells - 4)
    axis_ms = _axis_ms(picture, now_ms)
    lines = []
    for key, row in picture.rows.items():
        bar = _bar(row, bar_cells, axis_ms, now_ms, style)
        line = f"  {names[key]}  {bar}"
        lines.append(f"{line}  {said[key]}" if said_cells else line)
    lines.append(style.paint(" " * (name_cells + 4) + _ruler(axis_ms, bar_cells), "dim"))
    kinds = {key.kind for key in picture.rows}
    legend = {
        text("on, off: {header} is sent, is not sent", header=HEADER): {"on", "off"} <= kinds,
        text("polling: asked for in pieces, each a whole response"): "polling" in kinds,
    }
    lines += [style.paint(fit(f"  {t(says)}", width), "dim") for says, there in legend.items() if there]
    return [line.rstrip() for line in lines]


def _axis_ms(picture: Picture, now_ms: float) -> float:
    rows = [row for row in picture.rows.values() if not row.failed] or list(picture.rows.values())
    longest = max(row.elapsed_ms(now_ms) for row in rows)
    if longest and all(row.over_ms is not None for row in rows):
        return longest
    return next((axis for axis in _AXES_MS if axis >= longest), longest * 1.25)


def _bar(row: Row, width: int, axis_ms: float, now_ms: float, style: Style) -> str:
    marks = row.marks.columns(axis_ms, width)
    reached = min(width, ceil(row.elapsed_ms(now_ms) / axis_ms * width))
    kinds: list[Tone | None] = [None] * width
    gap_from = 0
    for column in [*sorted(marks), reached]:
        # Between neighbours that stream there is air; only a gap that the eye can see is a wait.
        if gap_from == 0 or column - gap_from >= 3:
            kinds[gap_from:column] = ["dim"] * (column - gap_from)
        gap_from = column + 1
    for column, close in marks.items():
        kinds[column] = "burst" if close >= _MANY else "tick"
    glyphs: dict[Tone | None, str] = {None: " ", "dim": "·", "tick": "▏", "burst": "█"}
    bar, start = "", 0
    for column in range(1, width + 1):
        if column == width or kinds[column] != kinds[start]:
            kind = kinds[start]
            run = glyphs[kind] * (column - start)
            bar += run if kind is None else style.paint(run, kind)
            start = column
    return bar


def _ruler(axis_ms: float, width: int) -> str:
    step = next((rule for rule in _RULES_MS if rule / axis_ms * width >= 9), axis_ms)
    ruler, at = "", 0
    while step * at <= axis_ms:
        label = t(text("{s:g} s", s=step * at / 1000))
        column = int(step * at / axis_ms * width)
        if column + cells(label) > width:
            break
        ruler += " " * (column - cells(ruler)) + label
        at += 1
    return ruler


def _proofs(picture: Picture, width: int, now_ms: float, style: Style) -> list[str]:
    if all(row.step is None and row.judged is None for row in picture.rows.values()):
        return []
    names = _names(picture, width, style)
    lines = [""]
    for key, row in picture.rows.items():
        room = max(1, width - cells(names[key]) - 6)
        if row.judged is not None:
            mark, tone = CAME[row.judged.mark]
            says = fit(_shown(outcome(row.judged), style), room)
            lines.append(f"{style.paint(mark, tone)} {names[key]}  {style.paint(says, 'bold')}")
        else:
            turning = spin(now_ms) if row.step is not None else " "
            step = fit(_shown(row.step or "–", style), room)
            lines.append(f"{style.paint(turning, 'tick')} {names[key]}  {style.paint(step, 'dim')}")
    return lines


def outcome(lane: Lane) -> str:
    """What came of the lane, in a few words; why it could not be measured is the result's to say."""
    return lane_view(lane).outcome


def _shown(sentence: str, style: Style) -> str:
    """The text as it will be printed, so that it is measured as that: "?" is wider than an accent alone."""
    return style.finish(one_line(sentence))


def spin(now_ms: float) -> str:
    return SPINNER[int(now_ms / 100) % len(SPINNER)]
