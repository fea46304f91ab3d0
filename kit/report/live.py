"""Shows events on a stream: as a live picture on a terminal, as plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TextIO

from kit.report.deploying import Steps
from kit.report.live_table import Picture
from kit.report.painter import Painter
from kit.report.plain_log import PlainLog
from kit.report.style import Style


def live_lanes(
    stream: TextIO, *, colour: bool | None = None, clock: Callable[[], float] = time.monotonic
) -> Painter:
    """The `Watch` of lanes that are measured; a context manager.

    Args:
        stream: where to; stderr, since data belongs to stdout.
        colour: True draws, False writes plain lines; unless given, what the stream and NO_COLOR call for.
        clock: seconds.
    """
    style = _style(stream, colour)
    return Painter(Picture() if style.colour else PlainLog(), stream, style, clock)


def live_steps(stream: TextIO, *, colour: bool | None = None) -> Painter:
    """The `Watch` of targets that are deployed, looked at or removed; else as `live_lanes`."""
    style = _style(stream, colour)
    return Painter(Steps(style), stream, style)


def _style(stream: TextIO, colour: bool | None) -> Style:
    style = Style.of(stream)
    return style if colour is None else replace(style, colour=colour)
