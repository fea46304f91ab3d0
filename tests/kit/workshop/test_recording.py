from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from kit.errors import Code, KitError
from kit.proof.lane import Comparison
from kit.report.json import comparison_data, document
from kit.targets import load_targets
from kit.workshop.recording import read
from kit.workshop.server import RECORDING
from tests.kit.report.measured import COMPARISONS


@given(COMPARISONS.filter(lambda comparison: comparison.lanes))
def test_what_compare_prints_is_read_back_as_it_was(printed: Comparison) -> None:
    written = comparison_data(printed)
    comparison, found = read(json.dumps(document(written)).encode())
    assert comparison_data(comparison) == found == written


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"schema_version": 2, "data": {}}',
        b'{"schema_version": 1, "data": {"lanes": [1]}}',
        b'{"schema_version": 1, "error": {"code": "internal", "message": "", "hint": ""}}',
        b"\xff\xfe",
        b"[" * 20_000,
    ],
)
def test_another_file_is_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(KitError) as caught:
        read(content)
    assert caught.value.code is Code.BAD_USAGE
    assert "recording" in caught.value.message


@pytest.mark.parametrize(
    "changes",
    [
        {"expected": "streamed"},
        {"expected": "hold<=soon"},
        {"verdict": "streamed"},
        {"timeline": [{"seq": 0, "sent_ms": None, "arrived_ms": 86_400_001, "bytes": 9}]},
        {"timeline": [{"seq": 0, "sent_ms": None, "arrived_ms": -1, "bytes": 9}]},
        {"timeline": [{"seq": 0, "sent_ms": None, "arrived_ms": 1, "bytes": 9}] * 100_001},
        None,
    ],
)
def test_so_is_one_that_says_what_cannot_be(
    comparison_with_text: dict[str, Any], changes: dict[str, Any] | None
) -> None:
    lanes = comparison_with_text["data"]["lanes"]
    lanes[:] = [{**lanes[0], **changes}] if changes else lanes * 65
    with pytest.raises(KitError, match="That file is no recording"):
        read(json.dumps(comparison_with_text).encode())


def test_a_bound_and_for_whom_it_was_judged_are_read_back(comparison_with_text: dict[str, Any]) -> None:
    lane = comparison_with_text["data"]["lanes"][0]
    lane.update(
        expected="hold<=200ms",
        expectation="hold<=200ms, cancel<1s",
        asked_as="both",
        only_for="plain",
        more="of a later kit",
    )
    comparison, _ = read(json.dumps(comparison_with_text).encode())
    (found,) = comparison.lanes
    assert (str(found.at_most), found.expected, found.asked_as, found.only_for) == (
        "hold<=200ms",
        None,
        "both",
        "plain",
    )


def test_the_one_that_comes_with_the_kit_is_the_labs_in_both_positions() -> None:
    comparison, data = read(RECORDING.read_bytes())
    assert (comparison.environment, comparison.as_expected) == ("lab", True)
    found = {(lane.target, lane.header): lane.verdict for lane in comparison.lanes}
    said = ["".join(one.get("text", "") for one in lane["timeline"]) for lane in data["lanes"]]
    assert [text[-80:] for text in said if not text.rstrip().endswith((".", "?"))] == []
    targets = load_targets()
    assert found == {(name, arm): targets[name].expect[arm] for name in targets for arm in ("on", "off")}


def test_an_arrival_may_bear_its_text(comparison_with_text: dict[str, Any]) -> None:
    _, found = read(json.dumps(comparison_with_text).encode())
    assert found["lanes"][0]["timeline"][0]["text"] == "word "


@pytest.fixture
def comparison_with_text() -> dict[str, Any]:
    lane = {
        "target": "run",
        "url": "http://x",
        "header": "on",
        "expected": None,
        "verdict": "incremental",
        "shape": None,
        "block_bytes": None,
        "hold_ms": 0,
        "hold_floor_ms": 15,
        "as_expected": None,
        "method": "lock-step",
        "ttfb_ms": 1,
        "first_event_ms": 1,
        "duration_ms": 2,
        "doubts": [],
        "error": None,
        "timeline": [{"seq": 0, "sent_ms": None, "arrived_ms": 1, "bytes": 9, "text": "word "}],
        "evidence": [],
    }
    data = {
        "as_expected": True,
        "environment": "lab",
        "measured_at": "2026-11-25T00:00:00Z",
        "kit_version": "0",
        "prompt": "Why?",
        "lanes": [lane],
    }
    return {"schema_version": 1, "data": data, "warnings": []}
