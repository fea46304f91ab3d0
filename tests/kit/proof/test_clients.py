from __future__ import annotations

from dataclasses import replace

import pytest

from kit.proof.clients import beside
from kit.proof.doubts import Doubt
from kit.proof.lane import Lane, LaneState, state
from kit.proof.quick_check import Observation, State
from kit.proof.timeline import Timeline
from kit.proof.verdict import Method, Shape, Verdict

STREAMS = Lane(
    "run", "http://x", "on", Verdict.INCREMENTAL, Verdict.INCREMENTAL, None, None, 0.0, 15.0,
    Method.LOCK_STEP, (Doubt.ANSWER_NOT_CHECKED,), ("passed",), Timeline((), None, 0.0, True),
    asked_as="browser",
)  # fmt: skip
HELD = replace(STREAMS, verdict=Verdict.BYTE_LIMITED, shape=Shape.BLOCKS, block_bytes=65_536, hold_ms=None)
PASSES = Observation(State.STREAMS, "5 events: passed")
BLOCKS = Observation(
    State.HELD,
    "released 4,096",
    Shape.BLOCKS,
    4_096,
    verdict=Verdict.BYTE_LIMITED,
    doubts=(Doubt.BUSY_MACHINE,),
)


@pytest.mark.parametrize(("lane", "seen"), [(STREAMS, PASSES), (HELD, BLOCKS)])
def test_where_both_see_the_same_the_verdict_is_for_both(lane: Lane, seen: Observation) -> None:
    found = beside(lane, seen)
    assert (found.asked_as, found.only_for, found.verdict) == ("both", None, lane.verdict)
    assert found.evidence == (*lane.evidence, f"to a client that accepts no compression: {seen.said}")


def test_what_is_held_for_browsers_alone_is_said_to_be() -> None:
    found = beside(HELD, PASSES)
    assert (found.asked_as, found.only_for, found.verdict) == ("both", "browser", Verdict.BYTE_LIMITED)
    assert state(found) is LaneState.NOT_AS_EXPECTED


def test_what_only_another_client_does_not_get_is_the_verdict() -> None:
    found = beside(STREAMS, BLOCKS)
    assert (found.only_for, found.verdict, found.shape, found.block_bytes) == (
        "plain",
        Verdict.BYTE_LIMITED,
        Shape.BLOCKS,
        4_096,
    )
    assert Doubt.BUSY_MACHINE in found.doubts
    assert state(found) is LaneState.NOT_AS_EXPECTED


@pytest.mark.parametrize(
    "seen", [Observation(State.UNDECIDED, "429"), Observation(State.HELD, "held, and no release seen")]
)
def test_what_could_not_be_seen_is_a_doubt_and_no_verdict(seen: Observation) -> None:
    found = beside(STREAMS, seen)
    assert (found.asked_as, found.only_for, found.verdict) == ("browser", None, Verdict.INCREMENTAL)
    assert found.doubts == (Doubt.ANSWER_NOT_CHECKED, Doubt.PLAIN_CLIENT_UNDECIDED)


def test_a_hop_that_refuses_the_other_client_is_told() -> None:
    found = beside(STREAMS, Observation(State.REFUSED, "501", verdict=Verdict.REFUSED))
    assert (found.only_for, found.verdict) == ("plain", Verdict.REFUSED)
