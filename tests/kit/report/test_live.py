from __future__ import annotations

import fcntl
import io
import os
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from pathlib import Path

import pyte
import pytest

import kit.report.painter
from kit.events import Answered, Arrived, Asked, Event, Judged, LaneKey, LanesBegun, Stage, Watch
from kit.proof.timeline import Arrival
from kit.report.live import live_lanes
from kit.report.painter import Painter
from kit.report.style import Style
from tests.fixtures.terminal import Terminal
from tests.kit.report.measured import AS_PROMISED

ROOT = Path(__file__).parents[3]
FLEX, STANDARD = LaneKey("flex", "on"), LaneKey("standard", "on")


class Clock:
    """Seconds that pass where the test sets them."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _colour_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")


def _size(monkeypatch: pytest.MonkeyPatch, columns: int, rows: int) -> None:
    monkeypatch.setattr(kit.report.painter, "size", lambda stream: os.terminal_size((columns, rows)))


def _screen(columns: int, rows: int, written: str) -> list[str]:
    """What a terminal shows after all that was written."""
    screen = pyte.Screen(columns, rows)
    # A terminal's line discipline turns a line feed into a new line.
    pyte.Stream(screen).feed(written.replace("\r\n", "\n").replace("\n", "\r\n"))
    return [line.rstrip() for line in screen.display]


def _report_a_lane(watch: Watch, clock: Clock, key: LaneKey, arrivals: list[float]) -> None:
    watch(Asked(key))
    begun = clock.now
    for seq, ms in enumerate(arrivals):
        clock.now = begun + ms / 1000
        watch(Arrived(key, Arrival(seq, None, ms, 100)))
    watch(Answered(key))
    clock.now = begun


def test_frames_are_drawn_over_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    _size(monkeypatch, 60, 24)
    stream, clock = Terminal(), Clock()
    with live_lanes(stream, clock=clock) as watch:
        watch(Stage("measuring"))
        watch(LanesBegun((STANDARD, FLEX)))
        watch(Asked(STANDARD))
        for _ in range(5):
            clock.now += 0.4
            watch.refresh()
        clock.now = 100.0
        _report_a_lane(watch, clock, STANDARD, [2000.0] * 9)
        _report_a_lane(watch, clock, FLEX, [250.0 * n for n in range(1, 9)])
        clock.now = 102.0
    lines = _screen(60, 24, stream.getvalue())
    assert lines[0] == "✓ measuring  2.0 s"
    assert lines[1].startswith("  standard  ····")
    assert lines[1].endswith("█  all 9 events at 2.0 s")
    assert lines[2].startswith("  flex      ··")
    assert lines[2].endswith("first at 0.2 s")
    assert lines[3].split()[:2] == ["0", "s"]
    assert not any(lines[4:])


def test_the_cursor_comes_back_also_when_it_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    _size(monkeypatch, 60, 24)
    stream = Terminal()

    def measure() -> None:
        with live_lanes(stream) as watch:
            watch(Stage("measuring"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure()
    written = stream.getvalue()
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    assert "✗ measuring" in "\n".join(_screen(60, 24, written))


class Broken:
    """A `Shown` with a bug: in taking in an event, or in showing it."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.met = threading.Event()

    def take(self, event: Event, now_ms: float) -> None:
        self._fail("taking")

    def frame(self, width: int, now_ms: float, style: Style) -> list[str]:
        return self._fail("showing")

    def finished(self, width: int, style: Style) -> list[str]:
        return self._fail("showing")

    def over(self, mark: str, now_ms: float) -> None:
        return

    def _fail(self, where: str) -> list[str]:
        if where == self.where:
            self.met.set()
            raise ZeroDivisionError
        return []


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("where", ["taking", "showing"])
@pytest.mark.parametrize("raised", [None, KeyboardInterrupt])
def test_a_bug_in_drawing_is_raised_at_the_end_with_its_own_traceback_and_the_cursor_back(
    colour: bool, where: str, raised: type[KeyboardInterrupt] | None
) -> None:
    stream, content, went_on = Terminal(), Broken(where), False

    def work() -> None:
        nonlocal went_on
        with Painter(content, stream, Style(colour=colour)) as watch:
            watch(Stage("measuring"))
            assert content.met.wait(60)
            watch(Stage("proving"))
            went_on = True
            if raised is not None:
                raise raised

    with pytest.raises(raised or ZeroDivisionError) as caught:  # an interruption stays one
        work()
    assert went_on  # the work is not cut short for a picture
    assert raised or caught.traceback[-2].name in ("take", "frame", "finished")
    assert not colour or stream.getvalue().endswith("\x1b[?25h")


@pytest.mark.parametrize("columns", [30, 40, 59])
def test_a_terminal_that_became_narrower_is_left_without_remains(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    _size(monkeypatch, 80, 24)
    stream, clock = Terminal(), Clock()
    with live_lanes(stream, clock=clock) as watch:
        watch(LanesBegun((STANDARD, FLEX)))
        watch(Asked(STANDARD))
        watch.refresh()
        before = _screen(80, 24, stream.getvalue())[:4]
        # The terminal breaks each line that has become too long for it into several.
        broken = sum(max(1, -(-len(line) // columns)) for line in before if line)
        assert broken > 3
        start = len(stream.getvalue())
        _size(monkeypatch, columns, 24)
        clock.now += 1
        watch.refresh()
        assert stream.getvalue()[start:].startswith(f"\r\x1b[{broken}A")


def test_a_low_terminal_gets_no_more_lines_than_it_can_draw_over(monkeypatch: pytest.MonkeyPatch) -> None:
    _size(monkeypatch, 80, 8)
    stream, clock = Terminal(), Clock()
    with live_lanes(stream, clock=clock) as watch:
        watch(LanesBegun(tuple(LaneKey(lane.target, lane.header) for lane in AS_PROMISED.lanes)))
        for lane in AS_PROMISED.lanes:
            watch(Judged(lane))
        for _ in range(3):
            clock.now += 1
            watch(Stage(f"at {clock.now}"))
            watch.refresh()
        lines = _screen(80, 8, stream.getvalue())
        assert sum("standard off" in line for line in lines) == 1
    assert "run      on   streamed" in "\n".join(_screen(80, 40, stream.getvalue()))


def test_a_picture_that_has_not_changed_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    _size(monkeypatch, 60, 24)
    stream, clock = Terminal(), Clock()
    with live_lanes(stream, clock=clock) as watch:
        watch(Stage("measuring"))
        watch.refresh()
        before = stream.getvalue()
        watch.refresh()
        assert stream.getvalue() == before


@pytest.mark.parametrize("variable", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colour_gets_plain_lines(
    monkeypatch: pytest.MonkeyPatch, variable: tuple[str, str]
) -> None:
    monkeypatch.setenv(*variable)
    stream = Terminal()
    with live_lanes(stream) as watch:
        watch(Stage("measuring"))
        watch(LanesBegun((FLEX,)))
        watch(Asked(FLEX))
        watch(Arrived(FLEX, Arrival(0, None, 300, 9)))
    assert stream.getvalue() == "measuring\nflex on: first event at 0.3 s\n"


def test_off_a_terminal_there_are_plain_lines() -> None:
    stream = io.StringIO()
    with live_lanes(stream) as watch:
        watch(Stage("measuring"))
    assert stream.getvalue() == "measuring\n"


def test_plain_lines_fit_the_encoding() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    with live_lanes(stream) as watch:
        watch(Judged(AS_PROMISED.lanes[5]))
        watch(Stage("测量"))
    assert raw.getvalue() == b"run on: o streamed\n??\n"


@pytest.mark.parametrize("stream_type", [Terminal, io.StringIO])
def test_a_stream_that_is_gone_breaks_nothing(stream_type: Callable[[], io.StringIO]) -> None:
    stream = stream_type()
    with live_lanes(stream) as watch:
        stream.close()
        watch(Stage("measuring"))
        watch.refresh()
        watch(LanesBegun((FLEX,)))
    assert stream.closed


def test_a_terminal_that_is_held_does_not_hold_the_measurement() -> None:
    held, reached = threading.Event(), threading.Event()

    class Held(Terminal):
        def write(self, text: str) -> int:
            if "measuring" in text:
                reached.set()
                held.wait()
            return super().write(text)

    reported = threading.Event()
    with live_lanes(Held()) as watch:
        watch(Stage("measuring"))
        assert reached.wait(60)

        def tell() -> None:
            for seq in range(10_000):
                watch(Arrived(FLEX, Arrival(seq, None, float(seq), 9)))
            reported.set()

        threading.Thread(target=tell, daemon=True).start()
        in_time = reported.wait(60)
        held.set()
    assert in_time


SCRIPT = """
import sys, threading
from kit.events import Answered, Arrived, Asked, LaneKey, LanesBegun, Stage
from kit.proof.timeline import Arrival
from kit.report.live import live_lanes

keys = LaneKey("standard", "on"), LaneKey("flex", "on")
try:
    with live_lanes(sys.stderr) as watch:
        watch(Stage("asking 两 lanes"))
        watch(LanesBegun(keys))
        for key in keys:
            watch(Asked(key))
        for seq in range(20):
            watch(Arrived(keys[1], Arrival(seq, None, 200.0 + 200 * seq, 100)))
        if "wait" in sys.argv:
            threading.Event().wait()
        for seq in range(20):
            watch(Arrived(keys[0], Arrival(seq, None, 4000.0, 100)))
        for key in keys:
            watch(Answered(key))
    print("done", file=sys.stderr)
except KeyboardInterrupt:
    print("interrupted", file=sys.stderr)
"""


def _in_a_terminal(columns: int, *arguments: str, until: bytes | None = None) -> str:
    """All that the script writes to a terminal of its own; interrupted once `until` was written."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments], stderr=theirs, cwd=ROOT, env=environment
    )
    os.close(theirs)
    written = b""
    with process:
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux's word for the end of a terminal that no other process holds
                break
            written += piece
            if not piece:
                break
            if until is not None and until in written:
                process.send_signal(signal.SIGINT)
                until = None
    os.close(ours)
    assert process.returncode == 0
    return written.decode()


@pytest.mark.parametrize("columns", [60, 100])
def test_in_a_real_terminal_the_last_frame_stays(columns: int) -> None:
    written = _in_a_terminal(columns)
    lines = _screen(columns, 24, written)
    # pyte leaves a blank cell behind each wide character.
    assert lines[0].replace("两 ", "两").startswith("✓ asking 两lanes")
    assert lines[1].startswith("  standard  ····")
    assert lines[1].endswith("█  all 20 events at 4.0 s")
    assert lines[2].startswith("  flex      ·")
    assert lines[2].endswith("  first at 0.2 s")
    assert lines[2].count("▏") >= 12
    assert lines[3].split()[0] == "0"
    assert lines[4:6] == ["", "done"]
    assert not any(lines[6:])
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_in_a_real_terminal_an_interrupt_leaves_no_remains() -> None:
    written = _in_a_terminal(60, "wait", until=b"first at")
    lines = _screen(60, 24, written)
    assert lines[0].startswith("✗ asking")
    assert [line[:10].strip() for line in lines[1:3]] == ["standard", "flex"]
    assert lines[4:6] == ["", "interrupted"]
    assert not any(lines[6:])
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
