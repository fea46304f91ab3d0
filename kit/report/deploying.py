"""What happens while targets are deployed: on a terminal a row a target, anywhere else plain lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, TextIO

from kit.proof.lane import LaneState
from kit.report.cells import cells, clean, fit, pad
from kit.report.painter import Painter
from kit.report.style import MARKS, SPINNER, Style

# Off a terminal gcloud's own lines are told this seldom: enough to see that it lives, not a second log.
_TOLD_EVERY_MS = 15_000


class DeployWatcher(Protocol):
    """Told what happens, as it happens. No method may block or raise."""

    def stage(self, text: str) -> None:
        """A new part of the work begins ("looking at what is there")."""

    def step(self, target: str, text: str) -> None:
        """This target's next step begins ("uploading and building")."""

    def line(self, target: str, text: str) -> None:
        """gcloud printed this line for the target."""

    def command(self, text: str) -> None:
        """This line is about to be run, and changes something."""

    def finished(self, target: str, state: LaneState, text: str) -> None:
        """The target is done: how it came out, and in a few words what."""


@dataclass(slots=True)
class Row:
    """One target, as far as it has come."""

    began_ms: float
    step: str
    line: str = ""
    told_ms: float = 0.0
    state: LaneState | None = None
    took_ms: float = 0.0


class Steps:
    """What was told so far; see `kit.report.painter.Told`."""

    def __init__(self, style: Style) -> None:
        self._live = style.colour
        self._style = style
        self.rows: dict[str, Row] = {}
        self._stage: tuple[str, float] | None = None
        self._lines: list[str] = []

    def stage(self, text: str, now_ms: float) -> None:
        """See `DeployWatcher`."""
        self._end_stage("✓", now_ms)
        self._stage = clean(text), now_ms
        if not self._live:
            self._lines.append(clean(text))

    def step(self, target: str, text: str, now_ms: float) -> None:
        """See `DeployWatcher`."""
        self._end_stage("✓", now_ms)
        row = self.rows.setdefault(target, Row(now_ms, ""))
        row.step, row.line = clean(text), ""
        row.told_ms = now_ms
        if not self._live:
            self._lines.append(f"{clean(target)}: {row.step}")

    def line(self, target: str, text: str, now_ms: float) -> None:
        """See `DeployWatcher`."""
        row = self.rows.get(target)
        said = clean(text).strip()
        # gcloud draws boxes; their edges say nothing.
        if row is None or said == row.line or not any(map(str.isalnum, said)):
            return
        row.line = said
        if not self._live and now_ms - row.told_ms >= _TOLD_EVERY_MS:
            row.told_ms = now_ms
            self._lines.append(f"{clean(target)}: {clock(now_ms - row.began_ms)} {said}")

    def command(self, text: str, now_ms: float) -> None:
        """See `DeployWatcher`."""
        self._lines.append(self._style.paint(f"$ {clean(text)}", "dim"))

    def done(self, target: str, state: LaneState, text: str, now_ms: float) -> None:
        """See `DeployWatcher.finished`."""
        row = self.rows.setdefault(target, Row(now_ms, ""))
        row.step, row.line, row.state, row.took_ms = clean(text), "", state, now_ms - row.began_ms
        if not self._live:
            self._lines.append(f"{clean(target)}: {MARKS[state][0]} {row.step} ({clock(row.took_ms)})")

    def frame(self, width: int, now_ms: float, style: Style) -> list[str]:
        """See `Told`."""
        if not self._live:
            return []
        lines = []
        if self._stage is not None:
            text, since_ms = self._stage
            lines.append(
                f"{style.paint(_spin(now_ms), 'tick')} {fit(text, width - 2)}  {clock(now_ms - since_ms)}"
            )
        name_cells = max(map(cells, map(clean, self.rows)), default=0)
        for target, row in self.rows.items():
            lines.append(self._row(pad(clean(target), name_cells), row, width, now_ms, style))
        return [style.finish(line) for line in lines]

    def _row(self, name: str, row: Row, width: int, now_ms: float, style: Style) -> str:
        took = clock(row.took_ms if row.state is not None else now_ms - row.began_ms)
        if row.state is not None:
            mark, tone = MARKS[row.state]
            said = style.paint(fit(row.step, max(1, width - cells(name) - 12)), "bold")
            return f"{style.paint(mark, tone)} {name}  {pad(took, 5, right=True)}  {said}"
        room = max(1, width - cells(name) - 11)
        step = fit(row.step, room)
        line = fit(row.line, room - cells(step) - 2) if room - cells(step) > 12 else ""
        said = f"{step}  {style.paint(line, 'dim')}" if line else step
        return f"{style.paint(_spin(now_ms), 'tick')} {name}  {pad(took, 5, right=True)}  {said}"

    def finished(self, width: int, style: Style) -> list[str]:
        """See `Told`."""
        lines, self._lines = self._lines, []
        return [style.finish(line) for line in lines]

    def over(self, mark: str, now_ms: float) -> None:
        """See `Told`."""
        self._end_stage(mark, now_ms)

    def _end_stage(self, mark: str, now_ms: float) -> None:
        if self._stage is not None and self._live:
            text, since_ms = self._stage
            tone = MARKS[LaneState.OK if mark == "✓" else LaneState.FAILED][1]
            self._lines.append(f"{self._style.paint(mark, tone)} {text}  {clock(now_ms - since_ms)}")
        self._stage = None


class LiveSteps(Painter):
    """A `DeployWatcher` on a stream; a context manager, as `kit.report.live.LiveLanes` is."""

    def __init__(
        self,
        stream: TextIO,
        width: int | None = None,
        colour: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        style = Style.of(stream)
        style = style if colour is None else replace(style, colour=colour)
        self._steps = Steps(style)
        super().__init__(self._steps, stream, style, width, clock)

    def stage(self, text: str) -> None:
        """See `DeployWatcher`."""
        self.tell(self._steps.stage, text)

    def step(self, target: str, text: str) -> None:
        """See `DeployWatcher`."""
        self.tell(self._steps.step, target, text)

    def line(self, target: str, text: str) -> None:
        """See `DeployWatcher`."""
        self.tell(self._steps.line, target, text)

    def command(self, text: str) -> None:
        """See `DeployWatcher`."""
        self.tell(self._steps.command, text)

    def finished(self, target: str, state: LaneState, text: str) -> None:
        """See `DeployWatcher`."""
        self.tell(self._steps.done, target, state, text)


def clock(ms: float) -> str:
    """Minutes and seconds, as on a clock: "0:07", "12:30"."""
    seconds = max(0, int(ms / 1000))
    return f"{seconds // 60}:{seconds % 60:02}"


def _spin(now_ms: float) -> str:
    return SPINNER[int(now_ms / 100) % len(SPINNER)]
