from __future__ import annotations

from kit.events import Answered, Arrived, Asked, Judged, LaneKey, LanesBegun, ProofStep, Stage
from kit.report.plain_log import PlainLog
from tests.kit.report.measured import AS_PROMISED, POLLED, TROUBLED, timeline


def _log(how: str) -> list[str]:
    log = PlainLog()
    key = LaneKey("flex", "on")
    log.take(LanesBegun((key,)), 0)
    log.take(Asked(key), 0)
    for arrival in timeline(how).arrivals:
        log.take(Arrived(key, arrival), arrival.arrived_ms)
    log.take(Answered(key), 4_400)
    return log.lines


def test_a_streamed_lane_is_told_at_its_first_and_its_last_event() -> None:
    assert _log("incremental") == [
        "flex on: first event at 0.3 s",
        "flex on: the last of 61 events at 4.3 s",
    ]


def test_a_held_lane_is_told_to_have_come_all_at_once() -> None:
    assert _log("whole")[-1] == "flex on: all 61 events at 4.3 s"


def test_stages_steps_and_verdicts_are_lines_of_their_own() -> None:
    log = PlainLog()
    log.take(Stage("proving\nit"), 0)
    log.take(ProofStep(LaneKey("run", "on"), "200 bytes: passed in \x1b[31m2 ms"), 0)
    log.take(Judged(AS_PROMISED.lanes[5]), 0)
    log.take(Judged(TROUBLED.lanes[3]), 0)
    log.take(Judged(POLLED), 0)
    assert log.lines == [
        "proving it",
        "run on: 200 bytes: passed in �[31m2 ms",
        "run on: ● streamed",
        "flex on: ■ buffered whole",
        "standard polling: ● arrived as written",
    ]
