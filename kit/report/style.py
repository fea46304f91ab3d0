"""An output stream's abilities: how wide, in colour or not, and which characters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TextIO

from kit.proof.lane import LaneState, Mark
from kit.report.cells import cells

Tone = Literal["ok", "held", "wrong", "unsure", "dim", "bold", "tick", "burst"]

_CODES: dict[Tone, str] = {
    "ok": "32",
    "held": "33",
    "wrong": "31",
    "unsure": "33",
    "dim": "2",
    "bold": "1",
    "tick": "36",
    "burst": "33",
}

# How an answer came.
CAME: dict[Mark, tuple[str, Tone]] = {
    Mark.STREAMED: ("●", "ok"),
    Mark.HELD: ("■", "held"),
    Mark.BROKEN: ("✗", "wrong"),
    Mark.UNDECIDED: ("?", "unsure"),
}
# How an expectation came out, or a piece of work.
MARKS: dict[LaneState, tuple[str, Tone]] = {
    LaneState.OK: ("✓", "ok"),
    LaneState.INCONCLUSIVE: ("?", "unsure"),
    LaneState.NOT_AS_EXPECTED: ("✗", "wrong"),
    LaneState.FAILED: ("✗", "wrong"),
}

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

# One character for one, so that a layout made with the left column stays a layout with the right one.
_PLAIN = str.maketrans("▏█·●■✓✗–…→─•“”’" + SPINNER, '|#.o#+x-~>-*""\'' + r"|/-\|/-\|/")


@dataclass(frozen=True, slots=True)
class Style:
    """How to write to one stream.

    Attributes:
        width: its columns; None where that is not known, off a terminal.
        colour: whether escape sequences are welcome, for colour and for drawing anew.
        encoding: what its characters must fit into.
    """

    width: int | None = None
    colour: bool = False
    encoding: str = "utf-8"

    @classmethod
    def of(cls, stream: TextIO, environment: Mapping[str, str] = os.environ) -> Style:
        """The stream's own style: colour only on a terminal, without NO_COLOR (https://no-color.org)."""
        encoding = getattr(stream, "encoding", None) or "utf-8"
        if not stream.isatty():
            return cls(encoding=encoding)
        plain = bool(environment.get("NO_COLOR")) or environment.get("TERM") in ("dumb", "unknown")
        return cls(columns(stream), not plain, encoding)

    def paint(self, text: str, tone: Tone) -> str:
        """The text in a tone, where tones can be shown."""
        return f"\x1b[{_CODES[tone]}m{text}\x1b[0m" if self.colour and text else text

    def finish(self, text: str) -> str:
        """The text in characters that the stream can print."""
        if not self._prints("▏█·●■✓✗–…→" + SPINNER):
            text = text.translate(_PLAIN)
        if self._prints(text):
            return text
        # What takes no cell leaves none: a mark in its place would make the line longer than it was measured.
        text = "".join(one for one in text if self._prints(one) or cells(one))
        return text.encode(self.encoding, "replace").decode(self.encoding)

    def _prints(self, text: str) -> bool:
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True


def columns(stream: TextIO) -> int:
    """How wide the terminal is now."""
    return size(stream).columns


def size(stream: TextIO) -> os.terminal_size:
    """The terminal's size now; 80 by 24 where it does not say."""
    try:
        found = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        found = os.terminal_size((0, 0))
    return os.terminal_size((found.columns or 80, found.lines or 24))
