"""Shows on a terminal, or tells a log, what happens while lanes are measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TextIO

from kit.proof.lane import Lane
from kit.proof.timeline import Arrival
from kit.report.diary import Diary
from kit.report.lanes import Picture
from kit.report.painter import Painter
from kit.report.style import Style
from kit.report.watch import LaneKey


class LiveLanes(Painter):
    """A `Watcher` that draws a live picture on a terminal, and writes plain lines anywhere else.

    Use it as a context manager: at the end, also after Ctrl-C, the last frame stays and the cursor is back.

    Args:
        stream: where to; stderr, since data belongs to stdout.
        width: columns; the terminal's own, also after it is resized, unless given.
        colour: True draws, False writes plain lines; unless given, what the stream and NO_COLOR call for.
        clock: seconds.
    """

    def __init__(
        self,
        stream: TextIO,
        width: int | None = None,
        colour: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        style = Style.of(stream)
        style = style if colour is None else replace(style, colour=colour)
        self._lanes: Picture | Diary = Picture() if style.colour else Diary()
        super().__init__(self._lanes, stream, style, width, clock)

    def stage(self, text: str) -> None:
        """See `Watcher`."""
        self.tell(self._lanes.stage, text)

    def lanes(self, keys: tuple[LaneKey, ...]) -> None:
        """See `Watcher`."""
        self.tell(self._lanes.lanes, keys)

    def asked(self, key: LaneKey) -> None:
        """See `Watcher`."""
        self.tell(self._lanes.asked, key)

    def arrival(self, key: LaneKey, arrival: Arrival) -> None:
        """See `Watcher`."""
        self.tell(self._lanes.arrival, key, arrival)

    def answered(self, key: LaneKey) -> None:
        """See `Watcher`."""
        self.tell(self._lanes.answered, key)

    def proof(self, key: LaneKey, step: str) -> None:
        """See `Watcher`."""
        self.tell(self._lanes.proof, key, step)

    def judged(self, lane: Lane) -> None:
        """See `Watcher`."""
        self.tell(self._lanes.judged, lane)
