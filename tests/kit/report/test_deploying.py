"""What a person sees while targets are deployed."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from kit.events import Finished, Output, Running, Stage, Step
from kit.proof.lane import LaneState
from kit.report.cells import cells
from kit.report.deploying import Steps, clock
from kit.report.live import live_steps
from kit.report.style import Style

PLAIN, COLOUR = Style(), Style(colour=True)


def _plain(steps: Steps) -> list[str]:
    return steps.finished(100, PLAIN)


def test_a_log_gets_a_line_a_step_and_how_each_target_ended() -> None:
    steps = Steps(PLAIN)
    steps.take(Stage("Looking at what is there."), 0)
    steps.take(Step("run", "uploading and building"), 1_000)
    steps.take(Running("gcloud run deploy streamproof"), 1_100)
    steps.take(Finished("run", LaneState.NOT_AS_EXPECTED, "not promoted"), 63_000)
    assert _plain(steps) == [
        "Looking at what is there.",
        "run: uploading and building",
        "$ gcloud run deploy streamproof",
        "run: ✗ not promoted (1:02)",
    ]
    assert _plain(steps) == []
    assert steps.frame(80, 70_000, PLAIN) == []


def test_a_log_gets_a_line_of_a_long_build_every_15_s() -> None:
    steps = Steps(PLAIN)
    steps.take(Step("flex", "building"), 0)
    for second in range(1, 61):
        steps.take(Output("flex", f"Step {second}"), second * 1_000)
    assert _plain(steps) == [
        "flex: building",
        *(f"flex: {clock(second * 1_000)} Step {second}" for second in (15, 30, 45, 60)),
    ]


def test_the_edges_of_gclouds_boxes_are_not_shown() -> None:
    steps = Steps(COLOUR)
    steps.take(Step("run", "building"), 0)
    steps.take(Output("run", "Uploading 3 files"), 1_000)
    steps.take(Output("run", "╚══════╝"), 2_000)
    assert "Uploading 3 files" in steps.frame(80, 3_000, Style())[0]


def test_a_terminal_shows_each_target_with_its_step_its_time_and_the_last_line() -> None:
    steps = Steps(COLOUR)
    steps.take(Step("run", "building"), 0)
    steps.take(Step("standard", "building"), 0)
    steps.take(Output("run", "Uploading sources"), 1_000)
    steps.take(Finished("standard", LaneState.OK, "promoted"), 5_000)
    first, second = steps.frame(80, 42_000, Style())
    assert first.split() == [first.split()[0], "run", "0:42", "building", "Uploading", "sources"]
    assert second.split() == ["✓", "standard", "0:05", "promoted"]


@given(
    st.text(min_size=1, max_size=20),
    st.text(max_size=300),
    st.text(max_size=300),
    st.integers(30, 200),
)
def test_no_text_breaks_out_of_its_row(target: str, step: str, line: str, width: int) -> None:
    steps = Steps(COLOUR)
    steps.take(Step(target, step), 0)
    steps.take(Output(target, line), 1)
    (row,) = steps.frame(width, 2, Style())
    assert not any(character in row for character in "\n\r\x1b\x07\x9b")
    if cells(target) < width // 3:
        assert cells(row) <= width
    steps.take(Running(line), 3)
    assert all("\n" not in said for said in steps.finished(width, Style()))


def test_off_a_terminal_no_escape_sequence_is_written() -> None:
    stream = io.StringIO()
    with live_steps(stream) as live:
        live(Stage("Looking."))
        live(Step("run", "building"))
        live(Output("run", "\x1b[31mred\x1b[0m"))
        live(Finished("run", LaneState.OK, "promoted"))
    assert stream.getvalue() == "Looking.\nrun: building\nrun: ✓ promoted (0:00)\n"
