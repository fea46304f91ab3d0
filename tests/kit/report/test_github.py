from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit.proof.doubts import Doubt
from kit.proof.lane import Comparison, Lane, LaneState, state
from kit.proof.verdict import Verdict
from kit.report.github import command, github, outputs
from kit.targets import Target


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
    level, _, told = line[2:end].partition(" ")
    pairs = (pair.split("=", 1) for pair in told.strip().split(",") if pair)
    properties = {name: _unescaped(value, "%0D", "%0A", "%3A", "%2C") for name, value in pairs}
    return Command(level, properties, _unescaped(line[end + 2 :], "%0D", "%0A"))


def commands(comparison: Comparison, targets: Mapping[str, Target]) -> list[Command]:
    return [runner(line) for line in github(comparison, targets).splitlines()]


def test_where_all_is_as_promised_and_nothing_is_doubted_there_is_nothing_to_say(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    assert github(comparison, targets) == ""


def test_what_is_not_as_expected_or_failed_is_an_error_with_what_to_do(
    troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    held, _, died = commands(troubled, targets)
    assert held.level == died.level == "error"
    assert held.properties == {"title": "streamproof: flex on: buffered whole, expected: streamed"}
    assert "probe the service directly" in held.data
    assert f"cold-start: {Doubt.COLD_START.remedy}" in held.data.splitlines()
    assert all(f"- {step}" in held.data.splitlines() for step in troubled.lanes[3].evidence)
    assert "emulated from documentation" in held.data
    assert died.properties == {"title": "streamproof: run on: could not be measured"}
    assert "Read the end of its log in build/run.log." in died.data.splitlines()


def test_what_is_inconclusive_is_an_error_where_it_fails_the_step_and_a_warning_where_worse_does(
    troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    unsure = troubled.lanes[4]
    assert [one.level for one in commands(troubled, targets)] == ["error", "warning", "error"]
    (alone,) = commands(replace(troubled, lanes=(unsure,)), targets)
    assert alone.level == "error"
    assert f"no-proof: {Doubt.NO_PROOF.remedy}" in alone.data.splitlines()
    hoped_for = replace(unsure, expected=Verdict.INCONCLUSIVE)
    assert {one.level for one in commands(replace(troubled, lanes=(hoped_for,)), targets)} == {"notice"}


def test_a_doubt_about_what_came_out_well_is_one_notice_for_all_its_lanes(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    doubted = tuple(replace(lane, doubts=(Doubt.COLD_START,)) for lane in comparison.lanes[4:])
    (notice,) = commands(replace(comparison, lanes=doubted), targets)
    assert notice == (
        "notice",
        {"title": "streamproof: run off, run on: cold-start"},
        Doubt.COLD_START.remedy,
    )


def test_every_attempt_is_told(comparison: Comparison, retried: Lane, targets: Mapping[str, Target]) -> None:
    held = replace(retried, verdict=Verdict.WHOLE_MESSAGE)
    (told,) = commands(replace(comparison, lanes=(held,)), targets)
    assert "1. could not be measured (unreachable); 2. inconclusive (slow-link, cold-start)" in told.data


def test_a_query_is_told_to_nobody(troubled: Comparison, targets: Mapping[str, Target]) -> None:
    lanes = tuple(replace(lane, url="https://me:pw@example.org/x?key=secret") for lane in troubled.lanes)
    said = github(replace(troubled, lanes=lanes), targets)
    assert "https%3A" not in said, "only a title's colons are escaped"
    assert "https://***@example.org/x?…" in said
    assert "secret" not in said
    assert "pw" not in said


HOSTILE = "a\r\n::error::x, y=%0A%250A%3A\u2028##[add-mask]z\x1b[31m::stop-commands::t\x85"


@given(title=st.text(max_size=30), lines=st.lists(st.text(max_size=30), max_size=3))
@example(title=HOSTILE, lines=[HOSTILE, HOSTILE])
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
    if plain and title:
        assert read.properties["title"] == title


@settings(max_examples=30)
@given(data=st.data(), hostile=st.text(max_size=20))
@example(data=None, hostile=HOSTILE)
def test_any_comparison_has_a_command_for_each_lane_that_came_out_badly(
    data: st.DataObject | None,
    hostile: str,
    comparisons: st.SearchStrategy[Comparison],
    troubled: Comparison,
    targets: Mapping[str, Target],
) -> None:
    drawn = troubled if data is None else data.draw(comparisons)
    lanes = tuple(
        replace(lane, target=hostile, url=hostile, evidence=(hostile, *lane.evidence)) for lane in drawn.lanes
    )
    read = commands(replace(drawn, prompt=hostile, lanes=lanes), targets)
    bad = [lane for lane in lanes if state(lane) is not LaneState.OK]
    assert [one.level != "notice" for one in read].count(True) == len(bad)
    assert all(one.properties["title"].startswith("streamproof: ") for one in read)


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [
        ([], "inconclusive"),
        ([Verdict.INCREMENTAL], "incremental"),
        ([Verdict.WHOLE_MESSAGE, Verdict.INCREMENTAL], "whole-message"),
        ([Verdict.REFUSED, Verdict.INCONCLUSIVE], "inconclusive"),
    ],
)
def test_a_later_step_can_read_the_worst_verdict(
    comparison: Comparison, verdicts: list[Verdict], told: str
) -> None:
    lanes = tuple(replace(comparison.lanes[0], verdict=verdict) for verdict in verdicts)
    assert outputs(replace(comparison, lanes=lanes)) == f"verdict={told}\n"
