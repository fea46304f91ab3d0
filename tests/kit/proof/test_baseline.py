"""What is known to be missed does not fail; what is new, worse or undecided does; better is said."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.baseline import Miss, against, misses, written
from kit.proof.bound import Bound
from kit.proof.contract import Clause, ClauseFinding, Figure, Limit, Sure, Term
from kit.proof.doubts import Doubt
from kit.proof.lane import Lane, LaneError, LaneState, state
from kit.proof.verdict import Verdict
from tests.fixtures.lanes import lane_of

NAME = "run on"
HELD = lane_of(expected=Verdict.INCREMENTAL, verdict=Verdict.BYTE_LIMITED, block_bytes=4096)
STREAMS = lane_of(expected=Verdict.INCREMENTAL)
KNOWN = Miss(NAME, "delivered", Verdict.BYTE_LIMITED, 4096)


def cancelled(least: float, most: float = inf, *, sure: Sure = "proved") -> Lane:
    """A lane whose origin learns so late that its client left, and is to learn within a second."""
    finding = ClauseFinding(Clause.CANCELLED, "…", sure, (Figure(Term.CANCEL, least, most),))
    return replace(STREAMS, limits=(Limit(Term.CANCEL, "<", 1_000.0),), clauses=(finding,))


def idle(most: float) -> Lane:
    finding = ClauseFinding(Clause.KEPT_ALIVE, "…", "proved", (Figure(Term.IDLE, 0.0, most),))
    return replace(STREAMS, limits=(Limit(Term.IDLE, ">", 60_000.0),), clauses=(finding,))


def test_what_is_known_is_no_failure_any_more_and_claims_nothing() -> None:
    assert state(HELD) is LaneState.NOT_AS_EXPECTED
    found = against([(NAME, HELD)], [KNOWN])
    (lane,) = found.lanes
    assert (found.known, found.new, found.worse, found.better) == ((KNOWN,), (), (), ())
    assert (state(lane), lane.expected, lane.verdict) == (LaneState.OK, None, Verdict.BYTE_LIMITED)


@pytest.mark.parametrize("baseline", [[], [replace(KNOWN, lane="run off")], [replace(KNOWN, what="cancel")]])
def test_what_is_new_fails(baseline: list[Miss]) -> None:
    found = against([(NAME, HELD)], baseline)
    assert (found.new, found.lanes) == ((KNOWN,), (HELD,))


@pytest.mark.parametrize(
    ("lane", "worse"),
    [
        (HELD, False),
        (replace(HELD, block_bytes=1024), False),
        (replace(HELD, block_bytes=None), False),
        (replace(HELD, block_bytes=65536), True),
        (replace(HELD, verdict=Verdict.TIME_LIMITED), True),
        (replace(HELD, verdict=Verdict.WHOLE_MESSAGE), True),
        (replace(HELD, verdict=Verdict.REFUSED), True),
    ],
)
def test_a_worse_verdict_and_a_larger_block_fail(lane: Lane, worse: bool) -> None:
    found = against([(NAME, lane)], [KNOWN])
    assert bool(found.worse) is worse
    assert (state(found.lanes[0]) is LaneState.NOT_AS_EXPECTED) is worse


@pytest.mark.parametrize(
    ("lane", "known", "worse"),
    [
        (cancelled(3_000), 2_000.0, False),
        (cancelled(5_000), 2_000.0, True),
        (idle(25_000), 30_000.0, False),
        (idle(10_000), 30_000.0, True),
    ],
)
def test_a_figure_is_worse_once_it_is_twice_as_bad(lane: Lane, known: float, worse: bool) -> None:
    what = lane.limits[0].term
    found = against([(NAME, lane)], [Miss(NAME, what, figure=known)])
    assert (bool(found.worse), bool(found.known)) == (worse, not worse)


def test_a_bound_on_what_arrives_is_covered_by_its_parts() -> None:
    lane = replace(HELD, expected=None, at_most=Bound(200.0, 1024.0))
    assert misses(NAME, lane) == (), "without arrivals nothing is known of it"
    found = against([(NAME, lane)], [Miss(NAME, "hold", figure=400.0)])
    assert state(found.lanes[0]) is LaneState.INCONCLUSIVE


@pytest.mark.parametrize(
    ("lane", "known"),
    [
        (replace(STREAMS, verdict=Verdict.INCONCLUSIVE), KNOWN),
        (replace(HELD, error=LaneError("http-status", "500.", "…"), verdict=Verdict.INCONCLUSIVE), KNOWN),
        (replace(HELD, doubts=(Doubt.STREAM_CUT,)), KNOWN),
        (cancelled(10, sure="likely"), Miss(NAME, "cancel", figure=9_000.0)),
    ],
)
def test_what_is_undecided_cut_or_not_measured_is_never_covered(lane: Lane, known: Miss) -> None:
    baseline = [known]
    found = against([(NAME, lane)], baseline)
    assert found.lanes == (lane,)
    assert state(lane) is not LaneState.OK
    assert (found.known, found.better) == ((), ())
    assert set(written([(NAME, lane)], baseline)) == set(baseline)


def test_one_thing_that_is_known_covers_no_other() -> None:
    both = replace(cancelled(5_000), verdict=Verdict.BYTE_LIMITED, block_bytes=4096)
    found = against([(NAME, both)], [KNOWN])
    assert [one.what for one in found.new] == ["cancel"]
    assert state(found.lanes[0]) is LaneState.NOT_AS_EXPECTED
    undecided = replace(cancelled(10, sure="unknown"), verdict=Verdict.BYTE_LIMITED, block_bytes=4096)
    assert state(against([(NAME, undecided)], [KNOWN]).lanes[0]) is LaneState.INCONCLUSIVE


def test_what_got_better_is_said_and_written_without_it_the_entry_is_gone() -> None:
    gone = Miss(NAME, "cancel", figure=9_000.0)
    lane = cancelled(0, 20)
    found = against([(NAME, lane)], [KNOWN, gone, Miss("elsewhere", "delivered", Verdict.REFUSED)])
    assert found.better == ((KNOWN, None), (gone, None))
    less = against([(NAME, HELD)], [replace(KNOWN, verdict=Verdict.WHOLE_MESSAGE, octets=None)])
    assert [now for _, now in less.better] == [KNOWN]
    assert written([(NAME, lane)], [KNOWN, gone]) == ()


LANES = st.builds(
    lambda verdict, octets, expected, least, sure, limited: replace(
        cancelled(least, sure=sure),
        verdict=verdict,
        block_bytes=octets,
        expected=expected,
        limits=(Limit(Term.CANCEL, "<", 1_000.0),) if limited else (),
    ),
    st.sampled_from(Verdict),
    st.none() | st.integers(1, 1_000_000),
    st.none() | st.sampled_from(Verdict),
    st.floats(0, 100_000),
    st.sampled_from(["proved", "likely", "unknown"]),
    st.booleans(),
)
MISSES = st.builds(
    Miss,
    st.sampled_from(["a", "b"]),
    st.sampled_from(["delivered", "cancel"]),
    st.none() | st.sampled_from(Verdict),
    st.none() | st.integers(1, 1_000_000),
    st.none() | st.floats(0, 100_000),
)


@given(LANES, LANES, st.lists(MISSES, max_size=4))
def test_what_is_written_covers_all_that_was_decided_and_nothing_else(
    one: Lane, other: Lane, before: list[Miss]
) -> None:
    lanes = [("a", one), ("b", other)]
    found = against(lanes, written(lanes, before))
    assert (found.new, found.worse) == ((), ())
    for lane, lowered in zip((one, other), found.lanes, strict=True):
        if state(lane) is LaneState.NOT_AS_EXPECTED:
            assert state(lowered) in (LaneState.OK, LaneState.INCONCLUSIVE)
        else:
            assert state(lowered) is state(lane)


@given(LANES, st.lists(MISSES, max_size=4))
def test_no_baseline_makes_well_of_what_is_undecided(lane: Lane, baseline: list[Miss]) -> None:
    (lowered,) = against([("a", lane)], baseline).lanes
    if state(lane) is LaneState.INCONCLUSIVE:
        assert lowered == lane
    assert replace(lowered, expected=lane.expected, limits=lane.limits) == lane, "nothing else changes"
