"""A measurement's progress in plain lines: for a log, a pipe, a screen reader."""

from __future__ import annotations

from kit.events import Announced, Answered, Arrived, Event, Judged, LaneKey, ProofStep, Stage
from kit.language import t, text
from kit.report.cells import one_line
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
            case Stage(says) | Announced(says):
                self.lines.append(one_line(says))
            case Arrived(key, arrival):
                if self._picture.rows[key].marks.count == 1:
                    self._add(key, text("first event at {s:.1f} s", s=arrival.arrived_ms / 1000))
            case Answered(key):
                row = self._picture.rows[key]
                said = row.said(now_ms)
                if said.startswith("first") and row.marks.last_ms is not None:
                    said = text(
                        "the last of {count:,} events at {s:.1f} s",
                        count=row.marks.count,
                        s=row.marks.last_ms / 1000,
                    )
                self._add(key, said)
            case ProofStep(key, says):
                self._add(key, says)
            case Judged(lane) if lane.error is None or len(self._picture.rows) > 1:  # one's is the command's
                self._add(LaneKey.of(lane), f"{CAME[lane.mark][0]} {t(outcome(lane))}")

    def over(self, mark: str, now_ms: float) -> None:
        """Adds no line."""

    def frame(self, width: int, now_ms: float, style: Style) -> list[str]:
        """Nothing: a log is not drawn over."""
        return []

    def finished(self, width: int, style: Style) -> list[str]:
        """The lines since the last call."""
        lines, self.lines = self.lines, []
        return [style.finish(line) for line in lines]

    def _add(self, key: LaneKey, says: str) -> None:
        self.lines.append(f"{one_line(lane_name(key))}: {one_line(says)}")
