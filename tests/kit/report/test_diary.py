from __future__ import annotations

from collections.abc import Callable

from kit.events import Answered, Arrived, Asked, Judged, LaneKey, LanesBegun, ProofStep, Stage
from kit.proof.lane import Comparison, Lane
from kit.proof.timeline import Timeline
from kit.report.diary import Diary


def _diary(how: str, timeline: Callable[..., Timeline]) -> list[str]:
    diary = Diary()
    key = LaneKey("flex", "on")
    diary.take(LanesBegun((key,)), 0)
    diary.take(Asked(key), 0)
    for arrival in timeline(how).arrivals:
        diary.take(Arrived(key, arrival), arrival.arrived_ms)
    diary.take(Answered(key), 4_400)
    return diary.lines


def test_a_streamed_lane_is_told_at_its_first_and_its_last_event(timeline: Callable[..., Timeline]) -> None:
    assert _diary("incremental", timeline) == [
        "flex on: first event at 0.3 s",
        "flex on: the last of 61 events at 4.3 s",
    ]


def test_a_held_lane_is_told_to_have_come_all_at_once(timeline: Callable[..., Timeline]) -> None:
    assert _diary("whole", timeline)[-1] == "flex on: all 61 events at 4.3 s"


def test_stages_steps_and_verdicts_are_lines_of_their_own(
    comparison: Comparison, troubled: Comparison, polled: Lane
) -> None:
    diary = Diary()
    diary.take(Stage("proving\nit"), 0)
    diary.take(ProofStep(LaneKey("run", "on"), "200 bytes: passed in \x1b[31m2 ms"), 0)
    diary.take(Judged(comparison.lanes[5]), 0)
    diary.take(Judged(troubled.lanes[3]), 0)
    diary.take(Judged(polled), 0)
    assert diary.lines == [
        "proving it",
        "run on: 200 bytes: passed in �[31m2 ms",
        "run on: ✓ streamed",
        "flex on: ✗ buffered whole",
        "standard polling: ✓ arrived as written",
    ]
