from __future__ import annotations

import copy
import json
from dataclasses import replace
from enum import StrEnum
from importlib.resources import files
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kit.cli import runner
from kit.errors import Code
from kit.flows.doctor_app import AppExamined
from kit.proof.causes import Cause, Certainty
from kit.proof.diagnosis import Diagnosis
from kit.proof.doubts import Doubt
from kit.proof.lane import Comparison, Lane
from kit.proof.looks import Looks, Piece, watch
from kit.proof.quick_check import State
from kit.proof.verdict import Method, Shape, Verdict
from kit.report.diagnosis import app_data, diagnosis_data
from kit.report.json import SCHEMA_VERSION, comparison_data, document, lane_data
from tests.kit.report.diagnosed import APP, BESIDE, HELD, STREAMS, WATCHED, any_app, any_diagnosis

SCHEMA = json.loads((files("kit.report") / "schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
LANE_FIELDS = [
    "target",
    "url",
    "header",
    "delivery",
    "expected",
    "verdict",
    "shape",
    "block_bytes",
    "hold_ms",
    "hold_floor_ms",
    "as_expected",
    "method",
    "ttfb_ms",
    "first_event_ms",
    "duration_ms",
    "doubts",
    "error",
    "timeline",
    "evidence",
    "attempts",
    "looks",
    "clumps",
    "asked_as",
    "only_for",
]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@given(data=st.data())
def test_every_comparison_is_as_the_schema_says(
    data: st.DataObject, comparisons: st.SearchStrategy[Comparison]
) -> None:
    comparison = data.draw(comparisons)
    printed = json.loads(json.dumps(document(comparison_data(comparison), ["a warning"]), allow_nan=False))
    VALIDATOR.validate(printed)


@given(data=st.data())
def test_every_probe_is_as_the_schema_says(
    data: st.DataObject, comparisons: st.SearchStrategy[Comparison]
) -> None:
    for lane in data.draw(comparisons).lanes:
        VALIDATOR.validate(json.loads(json.dumps(document(lane_data(lane)))))


@pytest.mark.parametrize("code", Code)
def test_every_error_is_as_the_schema_says(code: Code) -> None:
    body = {"code": str(code), "message": "It went wrong.", "hint": "Do it right."}
    VALIDATOR.validate({"schema_version": 1, "error": body})


@pytest.mark.parametrize("diagnosis", [STREAMS, HELD, WATCHED, BESIDE])
def test_what_the_doctor_finds_is_as_the_schema_says(diagnosis: Diagnosis) -> None:
    VALIDATOR.validate(json.loads(json.dumps(document(diagnosis_data(diagnosis)), allow_nan=False)))


@given(any_diagnosis(st.text(max_size=30)))
def test_every_diagnosis_is_as_the_schema_says(diagnosis: Diagnosis) -> None:
    VALIDATOR.validate(json.loads(json.dumps(document(diagnosis_data(diagnosis)), allow_nan=False)))


@given(any_app(st.text(max_size=30)))
def test_every_app_examined_is_as_the_schema_says(found: AppExamined) -> None:
    VALIDATOR.validate(json.loads(json.dumps(document(app_data(found)), allow_nan=False)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("more",), 1),
        (("data", "more"), 1),
        (("data", "verdict"), "streamed"),
        (("data", "requests"), 0),
        (("data", "first_verdict_ms"), -1),
        (("data", "causes", 0, "cause"), "gremlins"),
        (("data", "causes", 0, "certainty"), "sure"),
        (("data", "causes", 0, "remedy"), None),
        (("data", "causes", 0, "where"), False),
        (("data", "causes", 0, "more"), 1),
        (("data", "evidence", 0, "saw"), "passed"),
        (("data", "evidence", 0, "shape"), "lump"),
        (("data", "evidence", 0, "block_bytes"), -1),
        (("data", "evidence", 0, "proven"), None),
        (("data", "evidence", 0, "more"), 1),
        (("data", "hops", 0, "says"), None),
        (("data", "hops", 0, "more"), 1),
        (("data", "limits"), [1]),
        (("data", "lane", "verdict"), "streamed"),
        (("data", "lane"), None),
    ],
)
def test_the_schema_lets_no_other_diagnosis_pass(path: tuple[str | int, ...], value: object) -> None:
    printed = document(diagnosis_data(HELD))
    assert VALIDATOR.is_valid(printed)
    assert not VALIDATOR.is_valid(_changed(printed, path, value))
    of_app = document(app_data(APP))
    there = ("data", "targets", "standard", *path[1:]) if len(path) > 1 else path
    assert VALIDATOR.is_valid(of_app)
    assert not VALIDATOR.is_valid(_changed(of_app, there, value))


@pytest.mark.parametrize("value", ["cloud", "url", None])
def test_an_app_is_examined_in_the_lab_alone(value: object) -> None:
    assert not VALIDATOR.is_valid(_changed(document(app_data(APP)), ("data", "environment"), value))


def test_no_field_of_a_diagnosis_may_be_missing() -> None:
    for path in ((), ("causes", 0), ("evidence", 0), ("hops", 0)):
        place: Any = diagnosis_data(HELD)
        for key in path:
            place = place[key]
        for field in place:
            printed = document(diagnosis_data(HELD))
            at: Any = printed["data"]
            for key in path:
                at = at[key]
            del at[field]
            assert not VALIDATOR.is_valid(printed), (*path, field)


def test_the_fields_are_those_of_the_contract_in_its_order(comparison: Comparison) -> None:
    data = comparison_data(comparison)
    assert list(data) == ["as_expected", "environment", "measured_at", "kit_version", "prompt", "lanes"]
    assert list(data["lanes"][0]) == LANE_FIELDS
    assert list(data["lanes"][0]["timeline"][0]) == ["seq", "sent_ms", "arrived_ms", "bytes"]


def _changed(printed: dict[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    changed = copy.deepcopy(printed)
    at: Any = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("more",), 1),
        (("schema_version",), 2),
        (("data", "more"), 1),
        (("data", "as_expected"), None),
        (("data", "environment"), "moon"),
        (("data", "lanes", 0, "more"), 1),
        (("data", "lanes", 0, "verdict"), "streamed"),
        (("data", "lanes", 0, "expected"), "streamed"),
        (("data", "lanes", 0, "delivery"), "post"),
        (("data", "lanes", 0, "hold_ms"), -1),
        (("data", "lanes", 0, "doubts"), ["a-hunch"]),
        (("data", "lanes", 0, "error"), {"code": "internal", "message": "m"}),
        (("data", "lanes", 0, "attempts"), []),
        (("data", "lanes", 0, "attempts", 0, "more"), 1),
        (("data", "lanes", 0, "attempts", 0, "error"), "bad-luck"),
        (("data", "lanes", 0, "attempts", 0, "doubts"), ["a-hunch"]),
        (("data", "lanes", 0, "timeline", 0, "more"), 1),
        (("data", "lanes", 0, "timeline", 0, "arrived_ms"), None),
    ],
)
def test_the_schema_lets_nothing_else_pass(
    comparison: Comparison, path: tuple[str | int, ...], value: object
) -> None:
    printed = document(comparison_data(comparison))
    assert VALIDATOR.is_valid(printed)
    assert not VALIDATOR.is_valid(_changed(printed, path, value))


def test_the_schema_lets_no_field_be_missing(comparison: Comparison) -> None:
    printed = document(comparison_data(comparison))
    for field in LANE_FIELDS[:-5]:  # the recordings of older kits have no attempts, no look and no client
        without = copy.deepcopy(printed)
        del without["data"]["lanes"][0][field]
        assert not VALIDATOR.is_valid(without), field


@pytest.mark.parametrize(
    ("words", "listed"),
    [
        (Verdict, SCHEMA["$defs"]["verdict"]["enum"]),
        (Shape, SCHEMA["$defs"]["lane"]["properties"]["shape"]["enum"][:-1]),
        (Method, SCHEMA["$defs"]["lane"]["properties"]["method"]["enum"]),
        (Looks, SCHEMA["$defs"]["lane"]["properties"]["looks"]["enum"][:-1]),
        (Doubt, SCHEMA["$defs"]["lane"]["properties"]["doubts"]["items"]["enum"]),
        (Code, SCHEMA["$defs"]["error"]["properties"]["code"]["enum"]),
        (Cause, SCHEMA["$defs"]["cause"]["properties"]["cause"]["enum"]),
        (State, SCHEMA["$defs"]["experiment"]["properties"]["saw"]["enum"]),
    ],
)
def test_the_schema_knows_every_word_of_the_closed_lists(words: type[StrEnum], listed: list[str]) -> None:
    known = [str(word) for word in words]
    assert listed == known, f"bring kit/report/schema.json up to date with {words.__name__}"


def test_the_schema_knows_how_sure_a_cause_can_be() -> None:
    assert SCHEMA["$defs"]["cause"]["properties"]["certainty"]["enum"] == list(get_args(Certainty))


def test_what_an_answer_looks_like_is_a_word_with_its_figures(comparison: Comparison) -> None:
    lane = comparison.lanes[0]
    assert (lane_data(lane)["looks"], lane_data(lane)["clumps"]) == (None, None)
    pieces = [Piece(700.0 * (1 + place // 20), 820) for place in range(200)]
    lane = replace(lane, timeline=replace(lane.timeline, watched=watch(pieces, (), "events")))
    assert lane_data(lane)["looks"] == "clumped"
    assert lane_data(lane)["clumps"] == {
        "count": 10,
        "octets": 16_400,
        "events": 20,
        "silence_ms": 700.0,
        "largest_octets": 16_400,
        "longest_silence_ms": 700.0,
        "wait_ms": 700.0,
        "spread_ms": 6_300.0,
    }


def test_times_are_rounded_to_a_tenth(comparison: Comparison) -> None:
    lane = lane_data(comparison.lanes[5])
    assert (lane["timeline"][1]["arrived_ms"], lane["hold_ms"]) == (386.2, 0.3)


def test_a_lane_says_how_its_answer_was_asked_for(comparison: Comparison, polled: Lane) -> None:
    assert [lane_data(lane)["delivery"] for lane in (comparison.lanes[0], polled)] == ["stream", "polling"]


def test_every_attempt_is_told_with_its_verdict_error_and_doubts(retried: Lane) -> None:
    assert lane_data(retried)["attempts"] == [
        {"verdict": "inconclusive", "error": "unreachable", "doubts": []},
        {"verdict": "inconclusive", "error": None, "doubts": ["slow-link", "cold-start"]},
        {"verdict": "incremental", "error": None, "doubts": []},
    ]


def test_a_failed_lane_has_its_error_and_no_figures(troubled: Comparison) -> None:
    lane = lane_data(troubled.lanes[5])
    assert lane["error"]["code"] == "service-died"
    figures = ("ttfb_ms", "first_event_ms", "duration_ms", "hold_ms", "hold_floor_ms", "block_bytes", "shape")
    assert [lane[figure] for figure in figures] == [None] * len(figures)
    assert (lane["verdict"], lane["as_expected"], lane["timeline"]) == ("inconclusive", False, [])


def test_the_report_and_the_commands_print_the_same_version() -> None:
    assert runner.SCHEMA_VERSION == SCHEMA_VERSION
