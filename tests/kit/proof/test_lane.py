from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from kit.proof.bound import Bound
from kit.proof.contract import Clause, ClauseFinding, Figure, Limit, Sure, Term
from kit.proof.doubts import Doubt
from kit.proof.lane import (
    Attempt,
    Comparison,
    Lane,
    LaneError,
    LaneState,
    Mark,
    clause_state,
    state,
    undecided,
)
from kit.proof.looks import Piece, watch
from kit.proof.timeline import Timeline
from kit.proof.verdict import Method, Verdict

LANE = Lane(
    "run", "http://x", "on", None, Verdict.INCREMENTAL, None, None, 0.0, 15.0, Method.LOCK_STEP, (), (),
    Timeline((), None, 0.0, True),
)  # fmt: skip
AS_PROMISED = replace(LANE, expected=Verdict.INCREMENTAL)
NOT_SO = replace(LANE, expected=Verdict.WHOLE_MESSAGE)
UNSURE = replace(LANE, verdict=Verdict.INCONCLUSIVE)
CUT = replace(LANE, doubts=(Doubt.STREAM_CUT,))
FAILED = replace(UNSURE, error=LaneError("unreachable", "No server.", "Look."))


@pytest.mark.parametrize(
    ("lane", "expected"),
    [
        (LANE, LaneState.OK),
        (AS_PROMISED, LaneState.OK),
        (NOT_SO, LaneState.NOT_AS_EXPECTED),
        (UNSURE, LaneState.INCONCLUSIVE),
        (replace(UNSURE, expected=Verdict.INCREMENTAL), LaneState.INCONCLUSIVE),
        (replace(UNSURE, expected=Verdict.INCONCLUSIVE), LaneState.OK),
        (FAILED, LaneState.FAILED),
        (CUT, LaneState.INCONCLUSIVE),
        (replace(CUT, expected=Verdict.INCREMENTAL), LaneState.NOT_AS_EXPECTED),
        (replace(LANE, doubts=(Doubt.END_UNKNOWN,)), LaneState.INCONCLUSIVE),
        (replace(AS_PROMISED, doubts=(Doubt.END_UNKNOWN,)), LaneState.INCONCLUSIVE),
        (replace(AS_PROMISED, doubts=(Doubt.END_UNKNOWN, Doubt.STREAM_CUT)), LaneState.NOT_AS_EXPECTED),
        (replace(LANE, doubts=(Doubt.NO_EVENTS,)), LaneState.INCONCLUSIVE),
        (replace(LANE, doubts=(Doubt.NO_ANSWER,)), LaneState.INCONCLUSIVE),
        (replace(LANE, doubts=(Doubt.END_UNMARKED, Doubt.STILL_RUNNING)), LaneState.OK),
        (replace(UNSURE, doubts=(Doubt.STREAM_CUT,), expected=Verdict.INCONCLUSIVE), LaneState.OK),
        (replace(FAILED, expected=Verdict.INCONCLUSIVE), LaneState.FAILED),
    ],
)
def test_how_a_lane_came_out(lane: Lane, expected: LaneState) -> None:
    assert state(lane) is expected


def test_a_cut_at_a_deadline_says_after_how_long_and_is_no_streamed_answer() -> None:
    late = replace(
        AS_PROMISED,
        doubts=(Doubt.STREAM_CUT, Doubt.CUT_AT_DEADLINE),
        timeline=replace(LANE.timeline, duration_ms=30_040.0),
    )
    assert (late.fate, CUT.fate) == ("was cut after 30 s", "was cut")
    assert (late.verdict, state(late)) == (Verdict.INCREMENTAL, LaneState.NOT_AS_EXPECTED)
    assert state(replace(late, expected=None)) is LaneState.INCONCLUSIVE


EVEN = tuple(Piece(100.0 * number, 200) for number in range(1, 21))
WATCHED = replace(UNSURE, timeline=replace(LANE.timeline, watched=watch(EVEN, EVEN, "events")))


@pytest.mark.parametrize(
    ("lane", "bound", "expected"),
    [
        (WATCHED, Bound(hold_ms=200), LaneState.OK),
        (WATCHED, Bound(hold_ms=50), LaneState.NOT_AS_EXPECTED),
        (UNSURE, Bound(hold_ms=200), LaneState.INCONCLUSIVE),
        (replace(WATCHED, doubts=(Doubt.STREAM_CUT,)), Bound(hold_ms=200), LaneState.INCONCLUSIVE),
        (
            replace(WATCHED, verdict=Verdict.WHOLE_MESSAGE, only_for="plain"),
            Bound(octets=999),
            LaneState.NOT_AS_EXPECTED,
        ),
        (FAILED, Bound(hold_ms=200), LaneState.FAILED),
    ],
)
def test_a_bound_is_kept_by_what_arrived(lane: Lane, bound: Bound, expected: LaneState) -> None:
    held_to = replace(lane, at_most=bound)
    assert (state(held_to), held_to.as_expected) == (expected, expected is LaneState.OK)


def test_without_a_promise_nothing_is_as_promised_or_not() -> None:
    assert (LANE.as_expected, AS_PROMISED.as_expected, NOT_SO.as_expected) == (None, True, False)
    assert replace(FAILED, expected=Verdict.INCONCLUSIVE).as_expected is False


@pytest.mark.parametrize(
    ("lanes", "expected"),
    [
        ([LANE, AS_PROMISED], LaneState.OK),
        ([UNSURE, LANE], LaneState.INCONCLUSIVE),
        ([UNSURE, NOT_SO], LaneState.NOT_AS_EXPECTED),
        ([UNSURE, NOT_SO, FAILED], LaneState.FAILED),
        ([], LaneState.OK),
    ],
)
def test_the_worst_lane_decides(lanes: list[Lane], expected: LaneState) -> None:
    whole = Comparison("lab", "now", "0", "Why?", tuple(lanes))
    assert whole.state is expected
    assert whole.as_expected == (expected is LaneState.OK)


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("expected", [None, *Verdict])
def test_only_what_decides_nothing_may_be_measured_again(verdict: Verdict, expected: Verdict | None) -> None:
    lane = replace(LANE, verdict=verdict, expected=expected)
    wanted = verdict is Verdict.INCONCLUSIVE and expected is not Verdict.INCONCLUSIVE
    assert undecided(lane) is wanted
    assert undecided(replace(FAILED, expected=expected))


def test_what_another_measurement_would_meet_again_is_not_measured_again() -> None:
    refused = LaneError("http-status", "It answered GET with 404.", "Check the path.", lasting=True)
    assert not undecided(replace(FAILED, error=refused))
    watched = (Doubt.ARRIVALS_ALONE, Doubt.PROOF_EXPIRED, Doubt.CLOCKS_NOT_ALIGNED)
    seen = replace(UNSURE, method=Method.PASSIVE, doubts=watched)
    assert not undecided(seen)
    for may_pass in (Doubt.BUSY_MACHINE, Doubt.STREAM_CUT, Doubt.OTHER_INSTANCE):
        assert undecided(replace(seen, doubts=(*watched, may_pass)))
    # A proof that was begun, and whose stream was refused.
    assert undecided(replace(UNSURE, method=Method.LOCK_STEP, doubts=(Doubt.NO_PROOF,)))
    assert undecided(UNSURE)


def test_every_measurement_of_a_lane_is_kept_in_order_and_its_own_is_the_last() -> None:
    assert FAILED.attempts == (Attempt(Verdict.INCONCLUSIVE, "unreachable", ()),)
    slow = replace(UNSURE, doubts=(Doubt.SLOW_LINK,), earlier=FAILED.attempts)
    found = replace(LANE, earlier=slow.attempts)
    assert found.attempts == (
        Attempt(Verdict.INCONCLUSIVE, "unreachable", ()),
        Attempt(Verdict.INCONCLUSIVE, None, (Doubt.SLOW_LINK,)),
        Attempt(Verdict.INCREMENTAL, None, ()),
    )


def _found(least: float, most: float, sure: Sure = "proved") -> tuple[ClauseFinding, ...]:
    return (ClauseFinding(Clause.CANCELLED, "as the test says", sure, (Figure(Term.CANCEL, least, most),)),)


SOON = Limit(Term.CANCEL, "<", 1_000.0)
KEPT, MISSED = replace(LANE, clauses=_found(0, 12)), replace(LANE, clauses=_found(5_000, inf))


@pytest.mark.parametrize(
    ("lane", "expected"),
    [
        (KEPT, LaneState.OK),
        (MISSED, LaneState.NOT_AS_EXPECTED),
        (LANE, LaneState.INCONCLUSIVE),
        (replace(LANE, clauses=_found(0, 12, "likely")), LaneState.INCONCLUSIVE),
        (replace(LANE, clauses=_found(5_000, inf, "unknown")), LaneState.INCONCLUSIVE),
        (replace(LANE, clauses=_found(500, inf)), LaneState.INCONCLUSIVE),
        (replace(KEPT, expected=Verdict.INCREMENTAL), LaneState.OK),
        (replace(KEPT, expected=Verdict.WHOLE_MESSAGE), LaneState.NOT_AS_EXPECTED),
        (replace(KEPT, verdict=Verdict.INCONCLUSIVE), LaneState.INCONCLUSIVE),
        (replace(MISSED, verdict=Verdict.INCONCLUSIVE), LaneState.NOT_AS_EXPECTED),
        (replace(KEPT, error=FAILED.error), LaneState.FAILED),
    ],
)
def test_a_limit_is_kept_by_what_is_proved_alone(lane: Lane, expected: LaneState) -> None:
    held_to = replace(lane, limits=(SOON,))
    assert (state(held_to), held_to.as_expected) == (expected, expected is LaneState.OK)


@pytest.mark.parametrize("lane", [LANE, AS_PROMISED, NOT_SO, UNSURE, FAILED, CUT, WATCHED])
@pytest.mark.parametrize("clauses", [KEPT.clauses, MISSED.clauses, _found(0, inf, "unknown")])
def test_a_clause_of_which_nothing_is_expected_changes_nothing(
    lane: Lane, clauses: tuple[ClauseFinding, ...]
) -> None:
    asked = replace(lane, clauses=clauses)
    assert (state(asked), asked.mark, asked.as_expected) == (state(lane), lane.mark, lane.as_expected)
    assert clause_state(asked, Clause.CANCELLED) is None


@pytest.mark.parametrize(
    ("lane", "expected"),
    [
        (LANE, Mark.STREAMED),
        (replace(LANE, expected=Verdict.WHOLE_MESSAGE), Mark.STREAMED),
        (replace(KEPT, verdict=Verdict.WHOLE_MESSAGE, limits=(SOON,)), Mark.HELD),
        (replace(LANE, expected=Verdict.BYTE_LIMITED, verdict=Verdict.BYTE_LIMITED), Mark.HELD),
        (replace(LANE, verdict=Verdict.TIME_LIMITED, only_for="browser"), Mark.HELD),
        (replace(LANE, verdict=Verdict.REFUSED, expected=Verdict.REFUSED), Mark.BROKEN),
        (FAILED, Mark.BROKEN),
        (CUT, Mark.BROKEN),
        (replace(LANE, verdict=Verdict.WHOLE_MESSAGE, doubts=(Doubt.STREAM_CUT,)), Mark.BROKEN),
        (replace(LANE, doubts=(Doubt.END_UNKNOWN,)), Mark.UNDECIDED),
        (replace(LANE, verdict=Verdict.INCONCLUSIVE), Mark.UNDECIDED),
        (replace(LANE, verdict=Verdict.INCONCLUSIVE, expected=Verdict.INCONCLUSIVE), Mark.UNDECIDED),
    ],
)
def test_a_mark_shows_how_the_answer_came_whatever_was_expected_of_it(lane: Lane, expected: Mark) -> None:
    assert lane.mark is expected


@pytest.mark.parametrize(
    ("verdict", "bound", "expected"),
    [
        (Verdict.INCREMENTAL, Bound(hold_ms=200), LaneState.OK),
        (Verdict.INCREMENTAL, Bound(hold_ms=50), LaneState.NOT_AS_EXPECTED),
        (Verdict.WHOLE_MESSAGE, Bound(hold_ms=200), LaneState.NOT_AS_EXPECTED),
    ],
)
def test_a_verdict_and_a_bound_are_kept_both(verdict: Verdict, bound: Bound, expected: LaneState) -> None:
    lane = replace(WATCHED, verdict=Verdict.INCREMENTAL, expected=verdict, at_most=bound)
    assert (state(lane), lane.as_expected) == (expected, expected is LaneState.OK)


def test_a_clause_that_is_not_known_is_no_reason_to_ask_for_the_verdict_again() -> None:
    assert not undecided(replace(LANE, limits=(SOON,)))
