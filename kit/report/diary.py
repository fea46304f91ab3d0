"""What happens while lanes are measured, in plain lines: for a log, a pipe, a screen reader."""

from __future__ import annotations

from kit.proof.lane import Lane, state
from kit.proof.timeline import Arrival
from kit.report.cells import clean
from kit.report.lanes import Picture, outcome
from kit.report.style import MARKS, Style
from kit.report.watch import LaneKey
from kit.report.words import lane_name


class Diary:
    """What happens, as lines: told like a `Picture`, it gathers `lines` for somebody to print."""

    def __init__(self) -> None:
        self._picture = Picture()
        self.lines: list[str] = []

    def stage(self, text: str, now_ms: float) -> None:
        """See `Watcher`."""
        self.lines.append(clean(text))

    def lanes(self, keys: tuple[LaneKey, ...], now_ms: float) -> None:
        """See `Watcher`."""
        self._picture.lanes(keys, now_ms)

    def asked(self, key: LaneKey, now_ms: float) -> None:
        """See `Watcher`."""
        self._picture.asked(key, now_ms)

    def arrival(self, key: LaneKey, arrival: Arrival, now_ms: float) -> None:
        """See `Watcher`."""
        self._picture.arrival(key, arrival, now_ms)
        row = self._picture.rows[key]
        if row.marks.count == 1:
            self._say(key, f"first event at {arrival.arrived_ms / 1000:.1f} s")

    def answered(self, key: LaneKey, now_ms: float) -> None:
        """See `Watcher`."""
        self._picture.answered(key, now_ms)
        row = self._picture.rows[key]
        said = row.said(now_ms)
        if said.startswith("first") and row.marks.last_ms is not None:
            said = f"the last of {row.marks.count:,} events at {row.marks.last_ms / 1000:.1f} s"
        self._say(key, said)

    def proof(self, key: LaneKey, step: str, now_ms: float) -> None:
        """See `Watcher`."""
        self._say(key, step)

    def judged(self, lane: Lane, now_ms: float) -> None:
        """See `Watcher`."""
        self._say(LaneKey.of(lane), f"{MARKS[state(lane)][0]} {outcome(lane)}")

    def frame(self, width: int, now_ms: float, style: Style) -> list[str]:
        """See `Told`."""
        return []

    def finished(self, width: int, style: Style) -> list[str]:
        """See `Told`."""
        lines, self.lines = self.lines, []
        return [style.finish(line) for line in lines]

    def over(self, mark: str, now_ms: float) -> None:
        """See `Told`."""

    def _say(self, key: LaneKey, text: str) -> None:
        self.lines.append(f"{clean(lane_name(key))}: {clean(text)}")
