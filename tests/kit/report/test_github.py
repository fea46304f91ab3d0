"""The workflow commands, read as GitHub's runner reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit.proof.doubts import Doubt
from kit.proof.lane import Comparison, LaneState
from kit.proof.verdict import Verdict
from kit.report.github import command, github, outputs
from kit.report.view import ComparisonView, view
from kit.targets import Target
from tests.kit.report.conftest import filled
from tests.kit.report.documents import FOLDER, SEEN, texts


class Command(NamedTuple):
    """A workflow command as the runner reads it."""

    level: str
    properties: dict[str, str]
    data: str


def _unescaped(text: str, *escapes: str) -> str:
    # In the runner's order: the percent sign last, or `%250A` would become a line's end.
    for escape in (*escapes, "%25"):
        text = text.replace(escape, chr(int(escape[1:], 16)))
    return text


def runner(line: str) -> Command:
    """Read one line by the runner's rules (actions/runner, ActionCommand.cs, TryParseV2)."""
    line = line.lstrip()
    assert line.startswith("::")
    end = line.index("::", 2)
    level, _, rest = line[2:end].partition(" ")
    pairs = (pair.split("=", 1) for pair in rest.strip().split(",") if pair)
    properties = {name: _unescaped(value, "%0D", "%0A", "%3A", "%2C") for name, value in pairs}
    return Command(level, properties, _unescaped(line[end + 2 :], "%0D", "%0A"))


def commands(seen: ComparisonView) -> list[Command]:
    return [runner(line) for line in github(seen).splitlines()]


def test_where_all_is_as_promised_and_nothing_is_doubted_there_is_nothing_to_say(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    assert github(view(comparison, targets)) == ""


def test_each_lane_that_came_out_badly_is_a_command_with_what_to_do() -> None:
    assert texts()["commands.txt"] == (FOLDER / "commands.txt").read_text(encoding="utf-8")
    held, unsure, died = commands(SEEN)
    assert (held.level, unsure.level, died.level) == ("error", "warning", "error")
    assert held.properties == {"title": "streamproof: flex on: buffered whole, expected: streamed"}
    assert held.data.splitlines()[0].startswith("It should stream here: probe the service directly")


def test_what_is_inconclusive_is_an_error_where_it_fails_the_step(
    troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    unsure = troubled.lanes[4]
    (alone,) = commands(view(replace(troubled, lanes=(unsure,)), targets))
    assert alone.level == "error"
    hoped_for = replace(unsure, expected=Verdict.INCONCLUSIVE)
    assert {one.level for one in commands(view(replace(troubled, lanes=(hoped_for,)), targets))} == {"notice"}


def test_a_doubt_about_what_came_out_well_is_one_notice_for_all_its_lanes(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    doubted = tuple(replace(lane, doubts=(Doubt.COLD_START,)) for lane in comparison.lanes[4:])
    (notice,) = commands(view(replace(comparison, lanes=doubted), targets))
    title = "streamproof: run off, run on: cold-start"
    assert notice == ("notice", {"title": title}, Doubt.COLD_START.remedy)


def test_a_later_step_can_read_the_worst_verdict() -> None:
    assert outputs(SEEN) == "verdict=inconclusive\n"


HOSTILE = "a\r\n::error::x, y=%0A%250A%3A\u2028##[add-mask]z\x1b[31m::stop-commands::t\x85"


@given(title=st.text(max_size=30), lines=st.lists(st.text(max_size=30), max_size=3))
@example(title=HOSTILE, lines=[HOSTILE, HOSTILE])
@example(title="one ", lines=[" "])
@example(title="%0A%25", lines=["%0D%0A", ":,"])
def test_whatever_is_said_comes_back_and_stays_one_command(title: str, lines: list[str]) -> None:
    printed = command("error", title, lines)
    assert len(printed.splitlines()) == 1
    read = runner(printed)
    assert read.level == "error"
    assert set(read.properties) <= {"title"}
    harmless = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
    assert not harmless.search(read.data)
    assert not harmless.search(read.properties.get("title", ""))
    assert len(read.data.split("\n")) == max(1, len(lines))
    plain = all(character.isprintable() for character in title)
    if plain:
        assert read.properties["title"] == title.rstrip()  # the runner trims the properties


@settings(max_examples=30)
@given(data=st.data(), hostile=st.text(max_size=20))
@example(data=None, hostile=HOSTILE)
def test_any_comparison_has_a_command_for_each_lane_that_came_out_badly(
    data: st.DataObject | None,
    hostile: str,
    comparisons: st.SearchStrategy[Comparison],
    targets: Mapping[str, Target],
) -> None:
    seen = filled(SEEN if data is None else view(data.draw(comparisons), targets), lambda: hostile)
    read = commands(seen)
    bad = [lane for lane in seen.lanes if lane.state is not LaneState.OK]
    assert [one.level != "notice" for one in read].count(True) == len(bad)
    assert all(one.properties["title"].startswith("streamproof: ") for one in read)
