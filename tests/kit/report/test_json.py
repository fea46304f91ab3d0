"""What `--json` prints is what kit/report/schema.json says, which is made of kit/report/wire.py."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kit.cli import runner
from kit.errors import Code
from kit.proof.bound import Bound
from kit.proof.diagnosis import AppExamined, Diagnosis
from kit.proof.lane import Comparison
from kit.proof.looks import Piece, watch
from kit.proof.verdict import Verdict
from kit.report import wire
from kit.report.diagnosis import app_lines, headline
from kit.report.json import (
    SCHEMA_VERSION,
    app_data,
    comparison_data,
    diagnosis_data,
    document,
    lane_data,
    probed_data,
)
from kit.targets import load_targets
from kit.workshop.server import RECORDING
from tests.kit.report.diagnosed import APP, BESIDE, HELD, STREAMS, WATCHED, any_app, any_diagnosis
from tests.kit.report.measured import AS_PROMISED, COMPARISONS, CONTRACTED, EVERY, POLLED, RETRIED, TROUBLED

KEPT = (files("kit.report") / "schema.json").read_text(encoding="utf-8")
VALIDATOR = Draft202012Validator(json.loads(KEPT))
OPTIONAL = {
    "attempts",
    "looks",
    "clumps",
    "asked_as",
    "only_for",
    "expectation",
    "clauses",
    "request",
    "response",
    "header_known",
    "round_trip_ms",
    "remedy",
}  # older kits wrote none of them
APPS = load_targets()
ERROR = {"code": "unreachable", "message": "It went wrong.", "hint": "Do it right."}
CLUMPED = watch([Piece(700.0 * (1 + place // 20), 820) for place in range(200)], (), "events")
LOOKED_AT = replace(
    EVERY.lanes[-1],
    asked_as="both",
    only_for="plain",
    expected=None,
    at_most=Bound(hold_ms=200.0),
    timeline=replace(EVERY.lanes[-1].timeline, watched=CLUMPED),
)


def printed(data: Any) -> dict[str, Any]:
    """As a program reads it."""
    read: dict[str, Any] = json.loads(json.dumps(document(data, ["a warning"]), allow_nan=False))
    return read


def test_the_schema_is_what_the_model_gives() -> None:
    assert wire.schema_text() == KEPT, "`make docs` writes it anew"
    Draft202012Validator.check_schema(json.loads(KEPT))


@given(COMPARISONS)
def test_every_comparison_and_every_probe_is_as_the_schema_says(comparison: Comparison) -> None:
    VALIDATOR.validate(printed(comparison_data(comparison)))
    for lane in comparison.lanes:
        alone = probed_data(replace(comparison, lanes=(lane,)))
        VALIDATOR.validate(printed(alone))
        VALIDATOR.validate({"schema_version": 1, "error": ERROR, "exit_code": 1, "lane": alone})


@given(any_diagnosis(st.text(max_size=30)))
def test_every_diagnosis_is_as_the_schema_says(diagnosis: Diagnosis) -> None:
    VALIDATOR.validate(printed(diagnosis_data(diagnosis)))


@given(any_app(st.text(max_size=30)))
def test_every_app_examined_is_as_the_schema_says(found: AppExamined) -> None:
    VALIDATOR.validate(printed(app_data(found, APPS)))


@pytest.mark.parametrize("diagnosis", [STREAMS, HELD, WATCHED, BESIDE])
def test_what_the_doctor_finds_is_as_the_schema_says(diagnosis: Diagnosis) -> None:
    VALIDATOR.validate(printed(diagnosis_data(diagnosis)))


def test_so_is_a_recording_with_its_texts() -> None:
    recorded = json.loads(RECORDING.read_bytes())
    for lane in recorded["data"]["lanes"]:
        assert lane.setdefault("delivery", "stream") == "stream"  # an older kit's has none
    VALIDATOR.validate(recorded)


@pytest.mark.parametrize("code", Code)
def test_every_error_is_as_the_schema_says(code: Code) -> None:
    VALIDATOR.validate({"schema_version": 1, "error": {**ERROR, "code": str(code)}})


DOCUMENTS = {
    "comparison": comparison_data(replace(EVERY, lanes=(*EVERY.lanes, LOOKED_AT))),
    "lane": probed_data(replace(EVERY, lanes=(LOOKED_AT,))),
    "diagnosis": diagnosis_data(HELD),
    "app": app_data(APP, APPS),
}


def _objects(value: Any, *place: str) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Each object in it, with the names that lead there."""
    if isinstance(value, dict):
        yield place, value
        for name, inner in value.items():
            yield from _objects(inner, *place, name)
    for inner in value if isinstance(value, list) else ():
        yield from _objects(inner, *place)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_schema_lets_no_field_be_added_or_missing(name: str) -> None:
    whole = printed(DOCUMENTS[name])
    for lane in (one for _, one in _objects(whole) if "timeline" in one):
        del lane["timeline"][1:]
    VALIDATOR.validate(whole)
    tried = set()
    for place, found in _objects(whole):
        # Of a list's members those that look alike are one.
        alike = (place, *((field, type(value)) for field, value in sorted(found.items())))
        # An app's targets have any names.
        if set(found) <= {"standard", "flex", "run"} or alike in tried:
            continue
        tried.add(alike)
        found["more"] = 1
        assert not VALIDATOR.is_valid(whole), found
        del found["more"]
        for field in [*found]:
            value = found.pop(field)
            optional = field in OPTIONAL and "timeline" in found
            assert VALIDATOR.is_valid(whole) == optional, (field, found)
            found[field] = value


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        *(("comparison", ("schema_version",), other) for other in (2, None)),
        ("comparison", ("data", "as_expected"), None),
        ("comparison", ("data", "environment"), "moon"),
        *(
            ("comparison", ("data", "lanes", 0, field), other)
            for field, other in {
                "verdict": "streamed",
                "expected": "streamed",
                "header": "as-is",
                "delivery": "post",
                "shape": "lump",
                "method": "guess",
                "hold_ms": -1,
                "block_bytes": -1,
                "doubts": ["a-hunch"],
                "looks": "odd",
                "asked_as": "curl",
                "only_for": "all",
                "error": {"code": "bad-luck", "message": "m", "hint": "h"},
                "attempts": [],
            }.items()
        ),
        ("comparison", ("data", "lanes", 3, "verdict"), "incremental"),  # it could not be measured
        ("comparison", ("data", "lanes", 3, "duration_ms"), 1),
        ("comparison", ("data", "lanes", 0, "attempts", 0, "error"), "bad-luck"),
        ("comparison", ("data", "lanes", 0, "attempts", 0, "doubts"), ["a-hunch"]),
        ("comparison", ("data", "lanes", 0, "timeline", 0, "arrived_ms"), None),
        ("comparison", ("data", "lanes", 0, "timeline", 0, "seq"), -1),
        ("lane", ("data", "clumps", "count"), 0),
        *(
            ("lane", ("data", "clauses", 0, field), other)
            for field, other in {
                "clause": "promptness",
                "says": None,
                "sure": "certain",
                "as_expected": "no",
                "doubts": ["a-hunch"],
                "figures": [{"term": "cancel", "least": -1, "most": None}],
            }.items()
        ),
        ("lane", ("data", "clauses", 0, "figures", 0, "most"), "inf"),
        ("diagnosis", ("data", "verdict"), "streamed"),
        ("diagnosis", ("data", "requests"), 0),
        ("diagnosis", ("data", "first_verdict_ms"), -1),
        ("diagnosis", ("data", "causes", 0, "cause"), "gremlins"),
        ("diagnosis", ("data", "causes", 0, "certainty"), "sure"),
        ("diagnosis", ("data", "causes", 0, "remedy"), None),
        ("diagnosis", ("data", "causes", 0, "where"), False),
        ("diagnosis", ("data", "evidence", 0, "saw"), "passed"),
        ("diagnosis", ("data", "evidence", 0, "shape"), "lump"),
        ("diagnosis", ("data", "evidence", 0, "block_bytes"), -1),
        ("diagnosis", ("data", "evidence", 0, "proven"), None),
        ("diagnosis", ("data", "hops", 0, "says"), None),
        ("diagnosis", ("data", "limits"), [1]),
        ("diagnosis", ("data", "lane"), None),
        *(("app", ("data", "environment"), other) for other in ("cloud", "url", None)),
        ("app", ("data", "targets", "standard", "verdict"), "streamed"),
    ],
)
def test_the_schema_lets_no_other_value_pass(name: str, path: tuple[str | int, ...], value: object) -> None:
    changed = copy.deepcopy(printed(DOCUMENTS[name]))
    at: Any = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    assert not VALIDATOR.is_valid(changed)


def test_the_fields_stand_in_the_models_order() -> None:
    data = comparison_data(EVERY)
    assert list(data) == [*wire.Comparison.__annotations__]
    assert list(data["lanes"][0]) == [*wire.Lane.__annotations__]
    assert list(diagnosis_data(HELD)) == [*wire.Diagnosis.__annotations__]
    assert list(app_data(APP, APPS)) == [*wire.AppDiagnosis.__annotations__]


def test_a_bound_stands_in_the_place_of_an_expected_verdict() -> None:
    assert (lane_data(LOOKED_AT)["expected"], lane_data(EVERY.lanes[0])["expected"]) == (
        "hold<=200ms",
        "byte-limited",
    )


def test_a_clause_says_what_it_is_held_to_and_whether_it_is_proved_to_keep_it() -> None:
    lane = lane_data(CONTRACTED)
    assert lane["expectation"] == "incremental, many>=10, cancel<1s, idle>1m"
    assert lane["as_expected"] is False
    clauses = {str(one["clause"]): one for one in lane["clauses"]}
    assert {name: (one["expected"], one["as_expected"]) for name, one in clauses.items()} == {
        "cancelled": ("cancel<1s", False),
        "many": ("many>=10", True),
        "kept-alive": ("idle>1m", False),
        "deploy": (None, None),
    }
    assert clauses["cancelled"]["figures"] == [{"term": "cancel", "least": 5000.0, "most": None}]


def test_a_comparison_of_a_kit_that_knew_no_clauses_is_as_the_schema_says() -> None:
    document = printed(comparison_data(AS_PROMISED))
    for lane in document["data"]["lanes"]:
        for field in OPTIONAL:
            del lane[field]
    VALIDATOR.validate(document)


def test_what_an_answer_looks_like_is_a_word_with_its_figures() -> None:
    lane = lane_data(AS_PROMISED.lanes[0])
    assert (lane["looks"], lane["clumps"]) == (None, None)
    lane = lane_data(LOOKED_AT)
    assert lane["looks"] == "clumped"
    assert lane["clumps"] == {
        "count": 10,
        "octets": 16_400,
        "events": 20,
        "silence_ms": 700.0,
        "largest_octets": 16_400,
        "longest_silence_ms": 700.0,
        "wait_ms": 700.0,
        "spread_ms": 6_300.0,
    }


def test_an_app_examined_has_a_line_for_each_place_and_whether_all_came_as_expected() -> None:
    found = app_data(APP, APPS)
    lines = {line["target"]: (line["says"], line["remedy"]) for line in found["summary"]}
    assert [*lines] == [None, *APP.targets]
    for place, one in zip(lines, APP.diagnoses, strict=True):
        assert lines[place][0] == headline(one)
    standard = next(line for line in app_lines(APP, APPS) if line.target == "standard")
    assert lines["standard"][1] == standard.advice
    assert found["as_expected"] is None
    held_to = replace(
        APP, itself=replace(APP.itself, lane=replace(APP.itself.lane, expected=Verdict.REFUSED))
    )
    assert app_data(held_to, APPS)["as_expected"] is False


def test_an_experiment_says_its_conditions_field_by_field() -> None:
    first = diagnosis_data(HELD)["evidence"][0]
    assert first["conditions"] == asdict(HELD.rows[0].experiment.conditions)


def test_times_are_rounded_to_a_tenth() -> None:
    lane = lane_data(AS_PROMISED.lanes[5])
    assert (lane["timeline"][1]["arrived_ms"], lane["hold_ms"]) == (386.2, 0.3)


def test_a_lane_says_how_its_answer_was_asked_for() -> None:
    assert [lane_data(lane)["delivery"] for lane in (AS_PROMISED.lanes[0], POLLED)] == ["stream", "polling"]


def test_every_attempt_is_told_with_its_verdict_error_and_doubts() -> None:
    assert lane_data(RETRIED)["attempts"] == [
        {"verdict": "inconclusive", "error": "unreachable", "doubts": []},
        {"verdict": "inconclusive", "error": None, "doubts": ["slow-link", "cold-start"]},
        {"verdict": "incremental", "error": None, "doubts": []},
    ]


def test_a_failed_lane_has_its_error_and_no_figures() -> None:
    lane: dict[str, Any] = {**lane_data(TROUBLED.lanes[5])}
    assert lane["error"]["code"] == "service-died"
    figures = ("ttfb_ms", "first_event_ms", "duration_ms", "hold_ms", "hold_floor_ms", "block_bytes", "shape")
    assert {lane[figure] for figure in figures} == {None}
    assert (lane["verdict"], lane["as_expected"], lane["timeline"]) == ("inconclusive", False, [])


def test_the_report_and_the_commands_print_the_same_version() -> None:
    assert runner.SCHEMA_VERSION == SCHEMA_VERSION
