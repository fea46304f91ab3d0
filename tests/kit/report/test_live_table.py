from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from kit.events import Answered, Arrived, Asked, Judged, LaneKey, LanesBegun, ProofStep, Stage
from kit.proof.timeline import Arrival, Timeline
from kit.report.cells import cells
from kit.report.live_table import Marks, Picture, finished_text, lanes_text
from kit.report.style import Style
from tests.kit.report.measured import AS_PROMISED, POLLED, TROUBLED, timeline

STANDARD, FLEX, RUN = (LaneKey(name, "on") for name in ("standard", "flex", "run"))
# A held lane and two that stream.
THREE = {STANDARD: timeline("whole"), FLEX: timeline("incremental"), RUN: timeline("incremental")}


def _drawn(timelines: dict[LaneKey, Timeline], until_ms: float) -> Picture:
    """The picture of lanes asked at 1,000 ms on the painter's clock, with all that came until a moment."""
    picture = Picture()
    picture.take(LanesBegun(tuple(timelines)), 1_000)
    for key, line in timelines.items():
        picture.take(Asked(key), 1_000)
        for arrival in line.arrivals:
            if arrival.arrived_ms <= until_ms:
                picture.take(Arrived(key, arrival), 1_000 + arrival.arrived_ms)
        if line.duration_ms <= until_ms:
            picture.take(Answered(key), 1_000 + line.duration_ms)
    return picture


def test_a_held_lane_stays_empty_and_then_fills_at_once() -> None:
    standard, flex, run, ruler = lanes_text(_drawn(THREE, 5_000), 72, 6_000)
    assert re.fullmatch(r"  standard  ·+█  all 61 events at 4\.3 s", standard)
    assert re.fullmatch(r"  flex      ·{1,4}[▏ ]+  first at 0\.3 s", flex)
    assert re.fullmatch(r"  run       ·{1,4}[▏ ]+  first at 0\.3 s", run)
    assert flex.count("▏") >= 30
    assert ruler.split() == ["0", "s", "2", "s", "4", "s"]


def test_while_it_runs_each_lane_has_come_as_far_as_the_clock() -> None:
    standard, flex, _, _ = lanes_text(_drawn(THREE, 1_500), 72, 2_500)
    assert re.fullmatch(r"  standard  ·{17,18} {17,18}  waiting 1\.5 s", standard)
    assert flex.endswith("first at 0.3 s")
    assert len(flex[12:48].rstrip()) in (17, 18)


def test_the_axis_grows_with_the_time() -> None:
    *_, early = lanes_text(_drawn(THREE, 1_000), 100, 2_000)
    *_, late = lanes_text(_drawn(THREE, 4_000), 100, 5_000)
    assert "2.5 s" in early
    assert "4 s" not in early
    assert "4 s" in late


def test_blocks_show_as_lumps_with_waiting_between() -> None:
    (row, _) = lanes_text(_drawn({FLEX: timeline("blocks")}, 9_000), 80, 9_000)
    assert re.fullmatch(r"  flex  ·+█·+█·+█·*▏?  first at 1\.6 s", row)


def test_a_fast_answer_that_was_not_held_is_not_drawn_as_a_lump() -> None:
    arrivals = tuple(Arrival(seq, None, 10.0 * seq, 100) for seq in range(300))
    (row, _) = lanes_text(_drawn({RUN: Timeline(arrivals, 0, 3_000, True)}, 9_000), 80, 9_000)
    assert "█" not in row
    assert "▏▏▏▏▏▏" in row


def test_lanes_of_both_arms_say_which_is_which() -> None:
    both = {LaneKey("flex", "off"): timeline("whole"), LaneKey("flex", "on"): timeline("incremental")}
    off, on, _, legend = lanes_text(_drawn(both, 9_000), 80, 9_000)
    assert off.startswith("  flex off  ")
    assert on.startswith("  flex on   ")
    assert legend == "  on, off: X-Accel-Buffering: no is sent, is not sent"


def test_a_lane_by_polling_says_so() -> None:
    lanes = {STANDARD: timeline("whole"), LaneKey.of(POLLED): POLLED.timeline}
    picture = _drawn(lanes, 9_000)
    picture.take(Judged(POLLED), 9_000)
    held, pieces, _, legend, *proofs = lanes_text(picture, 90, 9_000)
    assert re.fullmatch(r"  standard on       ·+█  all 61 events at 4\.3 s", held)
    assert re.fullmatch(r"  standard polling  ·{1,4}[▏ ]+  first at 0\.3 s", pieces)
    assert legend == "  polling: asked for in pieces, each a whole response"
    assert proofs[-1] == "● standard polling  arrived as written"


def test_a_lane_that_got_nothing_says_so() -> None:
    (row, _) = lanes_text(_drawn({RUN: Timeline((), 20, 4_000, True)}, 9_000), 80, 9_000)
    assert row.endswith("no event")


def test_the_proof_has_a_line_a_lane_and_ends_in_the_verdict() -> None:
    picture = Picture()
    keys = tuple(LaneKey(lane.target, lane.header) for lane in AS_PROMISED.lanes)
    picture.take(LanesBegun(keys), 0)
    picture.take(ProofStep(keys[0], "feeding on: 256 KiB"), 10)
    picture.take(Judged(AS_PROMISED.lanes[5]), 20)
    lines = lanes_text(picture, 80, 50)
    assert "⠋ standard off  feeding on: 256 KiB" in lines
    assert "● run      on   streamed" in lines


def test_a_lane_that_failed_says_why_and_does_not_stretch_the_axis() -> None:
    picture = _drawn({STANDARD: THREE[STANDARD]}, 9_000)
    picture.take(LanesBegun((RUN,)), 1_000)
    picture.take(Asked(RUN), 1_000)
    picture.take(Judged(TROUBLED.lanes[5]), 60_000)
    lines = lanes_text(picture, 100, 60_000)
    assert lines[1].endswith("failed")
    assert lines[2].split()[-2:] == ["4", "s"]
    assert "✗ run       could not be measured" in lines


def test_a_part_that_is_done_is_handed_out_once_with_its_time() -> None:
    picture = Picture()
    picture.take(Stage("rendering 3 bundles"), 0)
    assert lanes_text(picture, 60, 1_200) == ["⠹ rendering 3 bundles  1.2 s"]
    picture.take(Stage("measuring"), 2_000)
    assert finished_text(picture, 60, Style()) == ["✓ rendering 3 bundles  2.0 s"]
    assert finished_text(picture, 60, Style()) == []


def test_no_event_draws_nothing() -> None:
    assert lanes_text(Picture(), 80, 0) == []


@given(
    names=st.lists(st.text(), min_size=1, max_size=4, unique=True),
    times=st.lists(st.floats(0, 1e6), max_size=50),
    now=st.floats(0, 1e6),
    width=st.integers(40, 200),
    encoding=st.sampled_from(["utf-8", "ascii"]),
)
def test_no_line_is_wider_than_the_terminal(
    names: list[str], times: list[float], now: float, width: int, encoding: str
) -> None:
    keys = tuple(
        key
        for name in names
        for key in (LaneKey(name, "on"), LaneKey(name, "off"), LaneKey(name, "on", "polling"))
    )
    picture = Picture()
    picture.take(Stage(names[0]), 0)
    picture.take(LanesBegun(keys), 0)
    for ms in sorted(times):
        picture.take(Arrived(keys[0], Arrival(0, None, ms, 1)), ms)
    picture.take(Asked(keys[-1]), 0)
    picture.take(ProofStep(keys[-1], names[-1]), 0)
    for line in lanes_text(picture, width, now, Style(encoding=encoding)):
        assert cells(line) <= width
        line.encode(encoding)


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=3_000), st.integers(1, 200))
def test_every_event_has_its_column_however_long_the_stream(times: list[float], width: int) -> None:
    marks = Marks()
    for ms in sorted(times):
        marks.add(ms)
    axis = max(times) or 1.0
    columns = marks.columns(axis, width)
    assert marks.count == len(times)
    assert all(0 <= column < width for column in columns)
    # A bin is at most a five hundredth of the axis, or 4 ms.
    slack = 1 + width * max(1 / 500, 4 / axis)
    wanted = [min(width - 1, ms / axis * width) for ms in times]
    assert all(any(abs(column - want) <= slack for column in columns) for want in wanted)
