"""A measurement's progress in plain lines: for a log, a pipe, a screen reader."""

from __future__ import annotations

from kit.events import Announced, Answered, Arrived, Event, Judged, LaneKey, ProofStep, Stage
from kit.report.cells import clean
from kit.report.live_table import Picture, outcome
from kit.report.style import CAME, Style
from kit.report.words import lane_name


class PlainLog:
    """Turns events into `lines`; see `kit.report.painter.Shown`."""

    def __init__(self) -> None:
        self._picture = Picture()
        self.lines: list[str] = []

    def take(self, event: Event, now_ms: float) -> None:
        """Take in one event; those of deployments add no line."""
        self._picture.take(event, now_ms)
        match event:
            case Stage(text) | Announced(text):
                self.lines.append(clean(text))
            case Arrived(key, arrival):
                if self._picture.rows[key].marks.count == 1:
                    self._add(key, f"first event at {arrival.arrived_ms / 1000:.1f} s")
            case Answered(key):
                row = self._picture.rows[key]
                said = row.said(now_ms)
                if said.startswith("first") and row.marks.last_ms is not None:
                    said = f"the last of {row.marks.count:,} events at {row.marks.last_ms / 1000:.1f} s"
                self._add(key, said)
            case ProofStep(key, text):
                self._add(key, text)
            case Judged(lane) if lane.error is None or len(self._picture.rows) > 1:  # one's is the command's
                self._add(LaneKey.of(lane), f"{CAME[lane.mark][0]} {outcome(lane)}")

    def over(self, mark: str, now_ms: float) -> None:
        """Adds no line."""

    def frame(self, width: int, now_ms: float, style: Style) -> list[str]:
        """Nothing: a log is not drawn over."""
        return []

    def finished(self, width: int, style: Style) -> list[str]:
        """The lines since the last call."""
        lines, self.lines = self.lines, []
        return [style.finish(line) for line in lines]

    def _add(self, key: LaneKey, text: str) -> None:
        self.lines.append(f"{clean(lane_name(key))}: {clean(text)}")
