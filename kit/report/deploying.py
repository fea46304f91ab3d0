"""A deployment's progress: on a terminal a row a target, anywhere else plain lines."""

from __future__ import annotations

from dataclasses import dataclass

from kit.events import Event, Finished, Output, Running, Stage, Step
from kit.proof.lane import LaneState
from kit.report.cells import cells, fit, one_line, pad
from kit.report.live_table import spin
from kit.report.style import MARKS, Style

# Off a terminal a tool's own output is logged this seldom: enough to see that it lives, not a second log.
_LOGGED_EVERY_MS = 15_000


@dataclass(slots=True)
class Row:
    """One target, as far as it has come."""

    began_ms: float
    step: str
    output: str = ""
    logged_ms: float = 0.0
    state: LaneState | None = None
    took_ms: float = 0.0


class Steps:
    """All that events have reported of targets so far; see `kit.report.painter.Shown`."""

    def __init__(self, style: Style) -> None:
        self._live = style.colour
        self._style = style
        self.rows: dict[str, Row] = {}
        self._stage: tuple[str, float] | None = None
        self._lines: list[str] = []

    def take(self, event: Event, now_ms: float) -> None:
        """Take in one event; those of lanes change nothing."""
        match event:
            case Stage(text):
                self.over("✓", now_ms)
                self._stage = one_line(text), now_ms
                self._log(one_line(text))
            case Step(target, text):
                self.over("✓", now_ms)
                row = self.rows.setdefault(target, Row(now_ms, ""))
                row.step, row.output, row.logged_ms = one_line(text), "", now_ms
                self._log(f"{one_line(target)}: {row.step}")
            case Output(target, text):
                self._output(target, one_line(text).strip(), now_ms)
            case Running(line):
                self._lines.append(self._style.paint(f"$ {one_line(line)}", "dim"))
            case Finished(target, state, text):
                row = self.rows.setdefault(target, Row(now_ms, ""))
                row.step, row.output, row.state = one_line(text), "", state
                row.took_ms = now_ms - row.began_ms
                self._log(f"{one_line(target)}: {MARKS[state][0]} {row.step} ({clock(row.took_ms)})")

    def _output(self, target: str, text: str, now_ms: float) -> None:
        row = self.rows.get(target)
        # gcloud draws boxes; their edges say nothing.
        if row is None or text == row.output or not any(map(str.isalnum, text)):
            return
        row.output = text
        if now_ms - row.logged_ms >= _LOGGED_EVERY_MS:
            row.logged_ms = now_ms
            self._log(f"{one_line(target)}: {clock(now_ms - row.began_ms)} {text}")

    def _log(self, line: str) -> None:
        """Off a terminal, add the line."""
        if not self._live:
            self._lines.append(line)

    def over(self, mark: str, now_ms: float) -> None:
        """The stage at hand is over; on a terminal its line is permanent."""
        if self._stage is not None and self._live:
            text, since_ms = self._stage
            tone = MARKS[LaneState.OK if mark == "✓" else LaneState.FAILED][1]
            self._lines.append(f"{self._style.paint(mark, tone)} {text}  {clock(now_ms - since_ms)}")
        self._stage = None

    def frame(self, width: int, now_ms: float, style: Style) -> list[str]:
        """On a terminal, the stage at hand and a row for each target."""
        if not self._live:
            return []
        lines = []
        if self._stage is not None:
            text, since_ms = self._stage
            lines.append(
                f"{style.paint(spin(now_ms), 'tick')} {fit(text, width - 2)}  {clock(now_ms - since_ms)}"
            )
        name_cells = max(map(cells, map(one_line, self.rows)), default=0)
        for target, row in self.rows.items():
            lines.append(self._row(pad(one_line(target), name_cells), row, width, now_ms, style))
        return [style.finish(line) for line in lines]

    def _row(self, name: str, row: Row, width: int, now_ms: float, style: Style) -> str:
        took = clock(row.took_ms if row.state is not None else now_ms - row.began_ms)
        if row.state is not None:
            mark, tone = MARKS[row.state]
            said = style.paint(fit(row.step, max(1, width - cells(name) - 12)), "bold")
            return f"{style.paint(mark, tone)} {name}  {pad(took, 5, right=True)}  {said}"
        room = max(1, width - cells(name) - 11)
        step = fit(row.step, room)
        line = fit(row.output, room - cells(step) - 2) if room - cells(step) > 12 else ""
        said = f"{step}  {style.paint(line, 'dim')}" if line else step
        return f"{style.paint(spin(now_ms), 'tick')} {name}  {pad(took, 5, right=True)}  {said}"

    def finished(self, width: int, style: Style) -> list[str]:
        """The lines since the last call."""
        lines, self._lines = self._lines, []
        return [style.finish(line) for line in lines]


def clock(ms: float) -> str:
    """Minutes and seconds, as on a clock: "0:07", "12:30"."""
    seconds = max(0, int(ms / 1000))
    return f"{seconds // 60}:{seconds % 60:02}"
