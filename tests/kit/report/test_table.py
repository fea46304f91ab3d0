from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.lane import Comparison, Lane
from kit.report.cells import cells
from kit.report.style import Style
from kit.report.terminal import table
from kit.report.words import THE_THREE
from kit.targets import Target


def test_off_a_terminal_the_sentence_about_the_three_stands_in_one_piece(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    assert THE_THREE == (
        "Standard buffers whatever you do; Flex is documented to buffer in 64 KiB blocks until the response "
        "carries `X-Accel-Buffering: no`; Cloud Run streams."
    )
    assert THE_THREE in table(comparison, targets).splitlines()


def test_the_sentence_is_marked_as_documentation_where_the_measurement_differs(
    troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    assert f"Documented: {THE_THREE}" in table(troubled, targets)


def test_the_sentence_is_not_said_of_other_lanes(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    assert "Standard buffers" not in table(replace(comparison, lanes=comparison.lanes[:4]), targets)


def test_what_is_emulated_is_called_so_and_a_deployment_is_not(
    comparison: Comparison, deployed: Comparison, targets: Mapping[str, Target]
) -> None:
    assert "emulated from documentation, not observed on Google's cloud" in table(comparison, targets)
    assert "emulated" not in table(deployed, targets)
    assert "A rehearsal: measured on this machine" in table(replace(comparison, environment="cloud"), targets)


def test_it_ends_with_how_many_lanes_are_as_promised(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    assert "✓ 6 of 6 lanes as their platform's documentation promises." in table(comparison, targets)


def test_each_lane_has_its_row_and_each_target_its_advice_once(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    lines = table(comparison, targets).splitlines()
    rows = [line.split() for line in lines if line.startswith("✓ ") and "lanes" not in line]
    assert [row[1:3] for row in rows] == [
        [target, arm] for target in ("standard", "flex", "run") for arm in ("off", "on")
    ]
    text = " ".join(" ".join(lines).split())
    for target in ("standard", "flex"):
        assert text.count(targets[target].advice or "") == 1


def test_advice_is_said_once_also_when_the_arms_come_apart(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    lanes = comparison.lanes
    apart = replace(comparison, lanes=lanes[0::2] + lanes[1::2])
    text = " ".join(table(apart, targets).split())
    assert text.count(targets["standard"].advice or "") == 1


def test_a_lane_by_polling_says_so_in_the_place_of_the_header(
    comparison: Comparison, polled: Lane, targets: Mapping[str, Target]
) -> None:
    text = table(replace(comparison, lanes=(*comparison.lanes[:2], polled)), targets)
    (row,) = [line for line in text.splitlines() if line.split()[1:3] == ["standard", "polling"]]
    assert row.count("arrived as written") == 2


def test_every_doubt_is_a_numbered_note_with_its_remedy(
    troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    text = " ".join(table(troubled, targets).split())
    assert "buffered whole [1] [2]" in text
    doubts = [doubt for lane in troubled.lanes for doubt in lane.doubts]
    assert len(doubts) == 5
    for number, doubt in enumerate(doubts, 1):
        assert f"[{number}] {doubt}: {doubt.remedy}" in text


def test_how_a_lane_came_out_can_be_read_without_colour(
    troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    lines = table(troubled, targets).splitlines()
    marks = {tuple(line.split()[1:3]): line[0] for line in lines if line[:1] in "✓✗?" and line[:1]}
    assert marks[("standard", "on")] == "✓"
    assert marks[("flex", "on")] == "✗"
    assert marks[("run", "off")] == "?"
    assert marks[("run", "on")] == "✗"


def test_colour_adds_nothing_but_colour(troubled: Comparison, targets: Mapping[str, Target]) -> None:
    plain = table(troubled, targets, Style(100))
    painted = table(troubled, targets, Style(100, colour=True))
    assert painted != plain
    stripped = re.sub(r"\x1b\[\d+m", "", painted)
    assert [line.rstrip() for line in stripped.splitlines()] == plain.splitlines()


@pytest.mark.parametrize("width", [100, 80, 60, 40])
def test_it_fits_the_terminal_and_never_cuts_a_verdict(
    comparison: Comparison, targets: Mapping[str, Target], width: int
) -> None:
    text = table(comparison, targets, Style(width))
    assert max(cells(line) for line in text.splitlines()) <= width
    assert "…" not in text
    assert ("hold" in text.splitlines()[0]) == (width >= 80)


def test_wide_characters_are_counted_as_wide(comparison: Comparison, targets: Mapping[str, Target]) -> None:
    lanes = (replace(comparison.lanes[0], target="标准环境"), comparison.lanes[1])
    text = table(replace(comparison, lanes=lanes), targets, Style(100))
    chinese, latin = (line for line in text.splitlines() if "  buffered whole" in line)
    assert cells(chinese[: chinese.index("buffered")]) == cells(latin[: latin.index("buffered")])


@given(data=st.data(), width=st.none() | st.integers(40, 160), encoding=st.sampled_from(["utf-8", "ascii"]))
def test_any_comparison_fits_and_can_be_printed(
    data: st.DataObject,
    comparisons: st.SearchStrategy[Comparison],
    targets: Mapping[str, Target],
    width: int | None,
    encoding: str,
) -> None:
    text = table(data.draw(comparisons), targets, Style(width, encoding=encoding))
    text.encode(encoding)
    assert "\x1b" not in text
    if width is not None:
        assert all(cells(line) <= width for line in text.splitlines())
