"""What lets a new version take the traffic."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.flows import gate
from kit.flows.gate import Judgement
from kit.language import in_chinese
from kit.outcome import Gate
from kit.proof.doubts import Doubt
from kit.proof.lane import Arm, Lane, LaneError
from kit.proof.verdict import Shape, Verdict
from kit.report.view import lane_view
from kit.targets import load_targets
from tests.fixtures.chinese import english_left
from tests.fixtures.lanes import lane_of

TARGETS = load_targets()


def lane(target: str, verdict: Verdict, header: Arm = "on", **changes: Any) -> Lane:
    held = verdict is Verdict.BYTE_LIMITED
    figures = {"shape": Shape.BLOCKS, "block_bytes": 65_536} if held else {}
    expected = TARGETS[target].expect[header]
    return lane_of(target, verdict=verdict, header=header, expected=expected, **figures, **changes)


def judge(name: str, *lanes: Lane) -> Judgement:
    return gate.judge([lane_view(lane, TARGETS[name]) for lane in lanes], TARGETS[name])


@pytest.mark.parametrize("name", list(TARGETS))
def test_what_is_documented_passes(name: str) -> None:
    judgement = judge(name, lane(name, TARGETS[name].expect["on"]))
    assert judgement.gate is Gate.PASSED
    assert judgement.passed
    assert judgement.reason.endswith(", as documented.")


@pytest.mark.parametrize(("name", "verdict"), list(product(TARGETS, Verdict)))
def test_only_what_is_as_good_as_documented_takes_the_traffic(name: str, verdict: Verdict) -> None:
    order = list(Verdict)
    promised = TARGETS[name].expect["on"]
    judgement = judge(name, lane(name, verdict))
    passed = judgement.passed
    assert passed == (verdict is not Verdict.INCONCLUSIVE and order.index(verdict) <= order.index(promised))
    assert english_left(in_chinese(judgement.reason)) == []


def test_a_standard_that_streams_passes_with_the_remark_that_it_is_better_than_documented() -> None:
    judgement = judge("standard", lane("standard", Verdict.INCREMENTAL))
    assert judgement.gate is Gate.BETTER
    assert judgement.reason == "Streamed, where buffered whole is documented."


def test_a_flex_that_holds_blocks_in_spite_of_the_header_is_refused_in_words() -> None:
    judgement = judge("flex", lane("flex", Verdict.BYTE_LIMITED))
    assert judgement.gate is Gate.WORSE
    assert judgement.reason == "Buffered in blocks of 64 KiB, where streamed is promised."


@given(st.sampled_from(list(Verdict)), st.booleans())
def test_the_arm_without_the_header_never_decides(verdict: Verdict, first: bool) -> None:
    on, off = lane("flex", Verdict.INCREMENTAL), lane("flex", verdict, "off")
    assert judge("flex", *([off, on] if first else [on, off])).gate is Gate.PASSED


@pytest.mark.parametrize(
    ("header", "verdict", "gate", "reason"),
    [
        ("on", Verdict.INCREMENTAL, Gate.PASSED, "Streamed, as documented."),
        ("on", Verdict.BYTE_LIMITED, Gate.WORSE, "Buffered in blocks of 64 KiB, where streamed is promised."),
        (
            "off",
            Verdict.BYTE_LIMITED,
            Gate.PASSED,
            "Buffered in blocks of 64 KiB, as documented without X-Accel-Buffering: no, which frees it.",
        ),
    ],
)
def test_a_users_app_is_judged_as_it_is_by_the_promise_for_what_it_bears(
    header: Arm, verdict: Verdict, gate: Gate, reason: str
) -> None:
    judgement = judge("flex", replace(lane("flex", verdict, header), as_is=True))
    assert (judgement.gate, judgement.reason) == (gate, reason)


def test_what_only_browsers_wait_for_takes_no_traffic() -> None:
    held = replace(lane("run", Verdict.BYTE_LIMITED), asked_as="both", only_for="browser")
    judgement = judge("run", held)
    assert judgement.gate is Gate.WORSE
    assert judgement.reason.startswith("Held for browsers: compression (")


def test_a_doubt_holds_it_back_and_is_named() -> None:
    judgement = judge("run", lane("run", Verdict.INCONCLUSIVE, doubts=(Doubt.OTHER_INSTANCE,)))
    assert judgement.gate is Gate.INCONCLUSIVE
    assert "other-instance" in judgement.reason


def test_what_could_not_be_measured_is_held_back_with_the_reason() -> None:
    failed = lane("run", Verdict.INCONCLUSIVE, error=LaneError("http-status", "It answered 503.", "Wait."))
    judgement = judge("run", failed)
    assert judgement.gate is Gate.UNMEASURED
    assert judgement.reason.endswith("It answered 503.")


def test_an_app_that_refuses_the_request_is_said_to_be_asked_as_its_table_says() -> None:
    error = LaneError("http-status", "It answered GET with 405.", "…")
    judgement = judge("run", lane("run", Verdict.INCONCLUSIVE, as_is=True, error=error))
    assert "probe_path, by probe_method" in judgement.reason
