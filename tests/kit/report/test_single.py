from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kit.proof.doubts import Doubt
from kit.proof.lane import Comparison
from kit.report.cells import cells
from kit.report.style import Style
from kit.report.terminal import probe_text
from kit.targets import Target


def test_the_verdict_comes_first_then_what_it_rests_on(comparison: Comparison) -> None:
    lines = probe_text(comparison.lanes[5]).splitlines()
    assert lines[0] == "✓ streamed, as expected"
    text = " ".join(" ".join(lines).split())
    assert "first byte 300 ms, first event 301 ms, 61 events in 4.3 s" in text
    assert "hold < 15 ms" in text
    assert "by lock-step" in text
    positions = [text.index(step) for step in comparison.lanes[5].evidence]
    assert positions == sorted(positions)


def test_a_hold_that_was_seen_is_told_with_what_could_not_have_been_seen(comparison: Comparison) -> None:
    held = replace(comparison.lanes[5], hold_ms=208.4)
    assert "hold 208 ms (below 15 ms nothing could have been seen)" in probe_text(held)


def test_a_verdict_against_expectation_names_both(
    troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    text = probe_text(troubled.lanes[3], None, targets["flex"])
    assert text.startswith("✗ buffered whole, expected: streamed\n")


def test_each_doubt_stands_with_its_remedy(troubled: Comparison) -> None:
    lane = troubled.lanes[4]
    text = " ".join(probe_text(lane).split())
    assert text.startswith("? inconclusive")
    for doubt in lane.doubts:
        assert f"{doubt}: {doubt.remedy}" in text


def test_a_failure_is_told_with_its_remedy_and_no_figures(troubled: Comparison) -> None:
    text = probe_text(troubled.lanes[5])
    assert text.startswith("✗ could not be measured")
    assert "The service of run ended with status 1 before it answered." in text
    assert "→ Read the end of its log in build/run.log." in text
    assert "first byte" not in text


def test_a_small_answer_held_in_a_large_block_is_explained(comparison: Comparison) -> None:
    assert "is smaller than one block" in " ".join(probe_text(comparison.lanes[2]).split())


def test_what_a_server_without_the_proof_was_not_asked_is_not_said(comparison: Comparison) -> None:
    ours = comparison.lanes[5]
    assert "the service was asked to" in probe_text(ours)
    assert "the service was asked" not in probe_text(replace(ours, doubts=(Doubt.NO_PROOF,)))


@given(data=st.data(), width=st.integers(40, 160))
def test_any_lane_fits_and_moves_no_cursor(
    data: st.DataObject, comparisons: st.SearchStrategy[Comparison], width: int
) -> None:
    for lane in data.draw(comparisons).lanes:
        text = probe_text(lane, Style(width))
        assert all(cells(line) <= width for line in text.splitlines())
        assert "\x1b" not in text
