"""The workflow commands, read as GitHub's runner reads them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit.proof.doubts import Doubt
from kit.proof.lane import LaneState
from kit.proof.verdict import Verdict
from kit.report.github import command, github, outputs
from kit.report.view import ComparisonView, view
from tests.kit.report.documents import SEEN, VIEWS
from tests.kit.report.measured import AS_PROMISED, TARGETS, TROUBLED, filled


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


def test_where_all_is_as_promised_and_nothing_is_doubted_there_is_nothing_to_say() -> None:
    assert github(view(AS_PROMISED, TARGETS)) == ""


def test_each_lane_that_came_out_badly_is_a_command_with_what_to_do() -> None:
    held, unsure, died, missed = commands(SEEN)
    assert [one.level for one in (held, unsure, died, missed)] == ["error", "warning", "error", "error"]
    assert held.properties == {"title": "streamproof: flex on: buffered whole, not as documented (streamed)"}
    assert held.data.splitlines()[0].startswith("It should stream here: probe the service directly")
    assert missed.properties["title"].startswith(
        "streamproof: run on: streamed, as documented; kept alive: a silence of 60 s"
    )


def test_what_is_inconclusive_is_an_error_where_it_fails_the_step() -> None:
    unsure = TROUBLED.lanes[4]
    (alone,) = commands(view(replace(TROUBLED, lanes=(unsure,)), TARGETS))
    assert alone.level == "error"
    hoped_for = replace(unsure, expected=Verdict.INCONCLUSIVE)
    assert {one.level for one in commands(view(replace(TROUBLED, lanes=(hoped_for,)), TARGETS))} == {"notice"}


def test_a_doubt_about_what_came_out_well_is_one_notice_for_all_its_lanes() -> None:
    doubted = tuple(replace(lane, doubts=(Doubt.COLD_START,)) for lane in AS_PROMISED.lanes[4:])
    (notice,) = commands(view(replace(AS_PROMISED, lanes=doubted), TARGETS))
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
@given(VIEWS, st.text(max_size=20))
@example(SEEN, HOSTILE)
def test_any_comparison_has_a_command_for_each_lane_that_came_out_badly(
    seen: ComparisonView, hostile: str
) -> None:
    seen = filled(seen, lambda: hostile)
    read = commands(seen)
    bad = [lane for lane in seen.lanes if lane.state is not LaneState.OK]
    assert [one.level != "notice" for one in read].count(True) == len(bad)
    assert all(one.properties["title"].startswith("streamproof: ") for one in read)
