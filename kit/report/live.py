"""Shows on a terminal, or tells a log, what happens while lanes are measured.

The watcher's methods only put what they are told into an inbox: a terminal that is held (Ctrl-S) or slow
must not hold the measurement. A thread of its own takes it out and draws.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TextIO

from kit.proof.lane import Lane
from kit.proof.timeline import Arrival
from kit.report.cells import cells
from kit.report.diary import Diary
from kit.report.lanes import Picture, finished_text, lanes_text
from kit.report.style import Style, size
from kit.report.watch import LaneKey

_FRAMES_A_SECOND = 12
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_CLEAR_LINE, _CLEAR_BELOW = "\x1b[K", "\x1b[J"


class LiveLanes:
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
        self._style = style if colour is None else replace(style, colour=colour)
        self._stream = stream
        self._width = width
        self._clock = clock
        self._told: Picture | Diary = Picture() if self._style.colour else Diary()
        self._inbox: deque[tuple[Callable[..., None], tuple[Any, ...], float]] = deque()
        self._frame: list[str] = []
        self._stopped = threading.Event()
        self._painter = threading.Thread(target=self._paint, name="live-lanes", daemon=True)
        self._broken = False

    def __enter__(self) -> Self:
        if self._style.colour:
            atexit.register(self._show_cursor)
            self._write(_HIDE_CURSOR)
        self._painter.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._painter.join()
        if isinstance(self._told, Picture):
            self._tell(self._told.done, "✓" if kind is None else "✗")
        self._turn(last=True)
        if self._style.colour:
            self._write("\n" if self._frame else "")
            self._show_cursor()
            atexit.unregister(self._show_cursor)

    def stage(self, text: str) -> None:
        """See `Watcher`."""
        self._tell(self._told.stage, text)

    def lanes(self, keys: tuple[LaneKey, ...]) -> None:
        """See `Watcher`."""
        self._tell(self._told.lanes, keys)

    def asked(self, key: LaneKey) -> None:
        """See `Watcher`."""
        self._tell(self._told.asked, key)

    def arrival(self, key: LaneKey, arrival: Arrival) -> None:
        """See `Watcher`."""
        self._tell(self._told.arrival, key, arrival)

    def answered(self, key: LaneKey) -> None:
        """See `Watcher`."""
        self._tell(self._told.answered, key)

    def proof(self, key: LaneKey, step: str) -> None:
        """See `Watcher`."""
        self._tell(self._told.proof, key, step)

    def judged(self, lane: Lane) -> None:
        """See `Watcher`."""
        self._tell(self._told.judged, lane)

    def refresh(self) -> None:
        """Take in what was told and show it, now. The painter does this some twelve times a second."""
        self._turn(last=False)

    def _turn(self, *, last: bool) -> None:
        while self._inbox:
            method, arguments, now_ms = self._inbox.popleft()
            method(*arguments, now_ms)
        if isinstance(self._told, Diary):
            lines, self._told.lines = self._told.lines, []
            self._write("".join(f"{self._style.finish(line)}\n" for line in lines))
        else:
            self._draw(self._told, last=last)

    def _tell(self, method: Callable[..., None], *arguments: object) -> None:
        self._inbox.append((method, arguments, self._now_ms()))

    def _now_ms(self) -> float:
        return self._clock() * 1000

    def _paint(self) -> None:
        while not self._stopped.wait(1 / _FRAMES_A_SECOND):
            self.refresh()

    def _draw(self, picture: Picture, *, last: bool) -> None:
        """Draw over the last frame, in one write; nothing if nothing changed."""
        columns, rows = size(self._stream)
        columns = self._width or columns
        # One cell less than there are: a full line would leave the cursor hanging behind the edge.
        frame = lanes_text(picture, columns - 1, self._now_ms(), self._style)
        if not last:
            # What has scrolled off the top cannot be drawn over.
            frame = frame[: rows - 1]
        finished = finished_text(picture, columns - 1, self._style)
        if frame == self._frame and not finished:
            return
        # A terminal that became narrower has broken the last frame's lines into more.
        above = sum(max(1, -(-_visible(line) // columns)) for line in self._frame)
        lines = finished + frame
        self._frame = frame
        up = f"\x1b[{above}A" if above else ""
        self._write("\r" + up + "".join(f"{line}{_CLEAR_LINE}\n" for line in lines) + _CLEAR_BELOW)

    def _show_cursor(self) -> None:
        self._write(_SHOW_CURSOR)

    def _write(self, text: str) -> None:
        """Write, unless the stream is gone; a picture is not worth an error."""
        if self._broken or not text:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._broken = True


def _visible(line: str) -> int:
    """A line's cells without its colours."""
    plain, *painted = line.split("\x1b[")
    return cells(plain) + sum(cells(part.partition("m")[2]) for part in painted)
