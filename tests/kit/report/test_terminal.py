from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.report.cells import cells
from kit.report.style import Style
from kit.report.terminal import lane_text, table
from kit.report.view import ComparisonView, lane_view, view
from tests.fixtures.chinese import english_left
from tests.kit.report.documents import SAID, SEEN, VIEWS
from tests.kit.report.measured import AS_PROMISED, TARGETS, TROUBLED


def of(text: str) -> str:
    """On one line, however it was wrapped."""
    return " ".join(text.split())


def test_a_hold_that_was_seen_stands_beside_what_could_not_have_been_seen() -> None:
    held = replace(AS_PROMISED.lanes[5], hold_ms=208.4)
    assert "hold 208 ms (below 15 ms nothing could have been seen)" in lane_text(lane_view(held))


def test_off_a_terminal_the_sentence_about_all_targets_stands_in_one_piece() -> None:
    short = (
        "Standard buffers whatever you do; Flex is documented to buffer in 64 KiB blocks until the response "
        "carries `X-Accel-Buffering: no`; Cloud Run streams."
    )
    # Where all came as documented, what each does says the same.
    assert short not in table(view(AS_PROMISED, TARGETS))
    assert f"  Documented: {short}" in table(view(TROUBLED, TARGETS)).splitlines()
    assert " ".join(SEEN.answer) in table(SEEN).splitlines()


def test_advice_is_said_once_also_when_the_arms_come_apart() -> None:
    lanes = AS_PROMISED.lanes
    apart = view(replace(AS_PROMISED, lanes=lanes[0::2] + lanes[1::2]), TARGETS)
    assert of(table(apart)).count(TARGETS["standard"].advice or "") == 1


def test_colour_adds_nothing_but_colour() -> None:
    plain, colour, lane = Style(100), Style(100, colour=True), SEEN.lanes[2]
    for painted, bare in (
        (table(SEEN, colour), table(SEEN, plain)),
        (lane_text(lane, colour), lane_text(lane, plain)),
    ):
        assert painted != bare
        stripped = re.sub(r"\x1b\[\d+m", "", painted)
        assert [line.rstrip() for line in stripped.splitlines()] == bare.splitlines()


@pytest.mark.parametrize("width", [100, 80, 60, 40])
def test_it_fits_the_terminal_and_never_cuts_a_verdict(width: int) -> None:
    text = table(view(AS_PROMISED, TARGETS), Style(width))
    assert max(cells(line) for line in text.splitlines()) <= width
    assert "…" not in text
    assert ("hold" in text.splitlines()[0]) == (width >= 80)


def test_in_chinese_no_english_is_left(chinese: None) -> None:
    names = ("flex", "run", "standard", "polling")
    assert english_left(table(SAID, Style(100)), *names) == []
    for lane in SAID.lanes:
        assert english_left(lane_text(lane, Style(100)), "unreachable") == []


def test_wide_characters_are_counted_as_wide() -> None:
    lanes = (replace(AS_PROMISED.lanes[0], target="标准环境"), AS_PROMISED.lanes[1])
    text = table(view(replace(AS_PROMISED, lanes=lanes), TARGETS), Style(100))
    chinese, latin = (line for line in text.splitlines() if "  buffered whole" in line)
    assert cells(chinese[: chinese.index("buffered")]) == cells(latin[: latin.index("buffered")])


@given(VIEWS, st.none() | st.integers(40, 160), st.sampled_from(["utf-8", "ascii"]))
def test_anything_fits_and_can_be_printed(seen: ComparisonView, width: int | None, encoding: str) -> None:
    style = Style(width, encoding=encoding)
    for text in (table(seen, style), *(lane_text(lane, style) for lane in seen.lanes)):
        text.encode(encoding)
        assert "\x1b" not in text
        assert width is None or all(cells(line) <= width for line in text.splitlines())
