"""Draws over its last frame on a terminal, and writes plain lines anywhere else.

The work only puts its events into a queue: a terminal that is held (Ctrl-S) or slow must not hold the work.
A thread of its own takes them out and draws.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TextIO

from kit.events import Announced, Event
from kit.report.cells import cells
from kit.report.style import Style, size

_FRAMES_A_SECOND = 12
_SHOWN_WITHIN_S = 1.0  # not for ever: a terminal may be held
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_CLEAR_LINE, _CLEAR_BELOW = "\x1b[K", "\x1b[J"


class Shown(Protocol):
    """All that was reported so far, and how it looks. It owns no clock: each moment is given."""

    def take(self, event: Event, now_ms: float) -> None:
        """Take in one event."""

    def frame(self, width: int, now_ms: float, style: Style) -> list[str]:
        """The lines that are drawn over by the next frame; none off a terminal."""

    def finished(self, width: int, style: Style) -> list[str]:
        """The lines that are permanent; each is returned once."""

    def over(self, mark: str, now_ms: float) -> None:
        """All is over: well ("✓") or not ("✗")."""


class Painter:
    """A `Watch` whose thread shows the events on one stream, for as long as its `with` lasts.

    At the end, also after Ctrl-C, the last frame stays and the cursor is back. A bug in
    `content` does not stop the work: the picture freezes, and the bug is raised at the end.

    Args:
        content: takes in the events; its methods run on the painter's side only.
        stream: where to; stderr, since data belongs to stdout.
        style: how to write there; with colour it draws.
        clock: seconds.
    """

    def __init__(
        self,
        content: Shown,
        stream: TextIO,
        style: Style,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._content = content
        self._stream = stream
        self._style = style
        self._clock = clock
        self._inbox: deque[tuple[Event, float]] = deque()
        self._waiting: deque[threading.Event] = deque()
        self._frame: list[str] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._paint, name="painter", daemon=True)
        self._broken = False
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        if self._style.colour:
            atexit.register(self._show_cursor)
            self._write(_HIDE_CURSOR)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        try:
            if self._failure is None:
                self._turn("✓" if kind is None else "✗")
            elif kind is None or issubclass(kind, Exception):  # an interruption stays one
                raise self._failure
        finally:
            if self._style.colour:
                self._write("\n" if self._frame else "")
                self._show_cursor()
                atexit.unregister(self._show_cursor)

    def __call__(self, event: Event) -> None:
        """Enqueue the event, with the time; return once it is shown where it is `Announced`."""
        self._inbox.append((event, self._clock() * 1000))
        if isinstance(event, Announced):
            shown = threading.Event()
            self._waiting.append(shown)
            shown.wait(_SHOWN_WITHIN_S)

    def refresh(self) -> None:
        """Take in the queued events and show them, now. The painter does this some twelve times a second."""
        self._turn()

    def _turn(self, mark: str | None = None) -> None:
        """Show what is queued; with the mark that all ended with ("✓", "✗"), for the last time."""
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        while self._inbox:
            self._content.take(*self._inbox.popleft())
        if mark is not None:
            self._content.over(mark, self._clock() * 1000)
        if self._style.colour:
            self._draw(last=mark is not None)
        else:
            lines = self._content.finished(size(self._stream).columns, self._style)
            self._write("".join(f"{line}\n" for line in lines))
        for one in waiting:
            one.set()

    def _paint(self) -> None:
        try:
            while not self._stopped.wait(1 / _FRAMES_A_SECOND):
                self.refresh()
        except Exception as failure:
            self._failure = failure

    def _draw(self, *, last: bool) -> None:
        """Draw over the last frame, in one write; nothing if nothing changed."""
        columns, rows = size(self._stream)
        # One cell less than there are: a full line would leave the cursor hanging behind the edge.
        frame = self._content.frame(columns - 1, self._clock() * 1000, self._style)
        if not last:
            # What has scrolled off the top cannot be drawn over.
            frame = frame[: rows - 1]
        finished = self._content.finished(columns - 1, self._style)
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
    plain, *painted = line.split("\x1b[")
    return cells(plain) + sum(cells(part.partition("m")[2]) for part in painted)
