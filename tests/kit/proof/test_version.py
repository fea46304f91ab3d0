"""A verdict is the deployed version's, or there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.proof.doubts import Doubt
from kit.proof.lane import LaneError
from kit.proof.verdict import Shape, Verdict
from kit.proof.version import ExpectedVersion, held_against
from tests.fixtures.lanes import lane_of

HELD = lane_of(
    "flex",
    expected=Verdict.INCREMENTAL,
    verdict=Verdict.BYTE_LIMITED,
    shape=Shape.BLOCKS,
    block_bytes=65_536,
    hold_ms=900.0,
    doubts=(Doubt.COLD_START,),
    evidence=("It stalled.",),
)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (None, {"sp-old"}),
        (ExpectedVersion("sp-new"), {"sp-new"}),
        (ExpectedVersion("sp-new", says=True), {"sp-new"}),
        (ExpectedVersion("sp-new"), set()),
    ],
)
def test_the_deployed_version_keeps_its_verdict_and_so_does_an_origin_that_says_none(
    wanted: ExpectedVersion | None, said: set[str]
) -> None:
    assert held_against(HELD, wanted, said) is HELD


@pytest.mark.parametrize(
    ("wanted", "said", "who"),
    [
        (ExpectedVersion("sp-new"), {"sp-old"}, "sp-old"),
        (ExpectedVersion("sp-new"), {"sp-old", "sp-new"}, "sp-new, sp-old"),
        (ExpectedVersion("sp-new", says=True), set(), "one that does not say which it is"),
        (ExpectedVersion("sp-new"), {"x" * 10_000}, "x" * 80),
    ],
)
def test_where_any_response_is_another_versions_nothing_is_decided(
    wanted: ExpectedVersion, said: set[str], who: str
) -> None:
    lane = held_against(HELD, wanted, said)
    assert (lane.verdict, lane.shape, lane.block_bytes, lane.hold_ms) == (
        Verdict.INCONCLUSIVE,
        None,
        None,
        None,
    )
    assert lane.doubts == (Doubt.OTHER_VERSION, Doubt.COLD_START)
    assert lane.evidence[-1] == f"It was sp-new that was to answer, and what answered was {who}."


def test_a_lane_that_could_not_be_measured_keeps_its_error() -> None:
    failed = replace(HELD, error=LaneError("unreachable", "No.", "Look."))
    assert held_against(failed, ExpectedVersion("sp-new"), {"sp-old"}) is failed
