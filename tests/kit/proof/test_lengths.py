"""Two lengths of one answer: what may be suspected of them, and what may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.doubts import Doubt
from kit.proof.lengths import CHANCE_MS, CHANCES, SLOPE, compare
from kit.proof.quick_check import State
from kit.proof.timeline import Arrival, Timeline
from kit.proof.verdict import Method, Verdict


def line(times: list[float], *, complete: bool = True, stays_open_ms: float = 0.0) -> Timeline:
    arrivals = tuple(Arrival(k, None, at, 200) for k, at in enumerate(times))
    return Timeline(arrivals, None, (times[-1] if times else 0.0) + stays_open_ms, complete)


def streamed(begin_ms: float, tokens: int, pace_ms: float) -> list[float]:
    return [begin_ms + pace_ms * k for k in range(tokens)]


def whole(begin_ms: float, tokens: int, pace_ms: float, spread_ms: float = 0.0) -> list[float]:
    end = begin_ms + pace_ms * tokens
    return [end + spread_ms * k / tokens for k in range(tokens)]


def in_blocks(times: list[float], events: int) -> list[float]:
    return [times[min(len(times) - 1, k // events * events + events - 1)] for k in range(len(times))]


def test_an_answer_that_begins_when_it_ends_looks_held_whole() -> None:
    found = compare(line(whole(300, 16, 20)), line(whole(300, 512, 20)))
    assert found.state is State.HELD
    assert found.slope == pytest.approx(1.0)
    assert found.doubts == (Doubt.LENGTHS_ALONE,)


def test_an_answer_whose_beginning_does_not_wait_is_not_held_whole() -> None:
    found = compare(line(streamed(300, 16, 20)), line(streamed(350, 512, 20)))
    assert found.state is State.STREAMS
    assert found.slope == pytest.approx(0.005, abs=0.001)
    assert "in 512 lots, the largest of 200 bytes" in found.evidence[-1]


def test_blocks_are_not_called_streamed() -> None:
    found = compare(line(in_blocks(streamed(300, 16, 20), 20)), line(in_blocks(streamed(300, 512, 20), 20)))
    assert found.state is State.STREAMS
    assert "whether it is held in blocks, this does not tell" in found.evidence[-1]
    assert "the largest of 4,000 bytes" in found.evidence[-1]


def test_the_verdict_is_inconclusive_whatever_is_suspected() -> None:
    for answer in (whole, streamed):
        found = compare(line(answer(300, 16, 20)), line(answer(300, 512, 20))).finding
        assert (found.verdict, found.method, found.shape) == (Verdict.INCONCLUSIVE, Method.LENGTHS, None)
        assert Doubt.LENGTHS_ALONE in found.doubts
        assert found.evidence


def test_a_fast_server_is_too_short_to_tell() -> None:
    found = compare(line(streamed(300, 16, 0.1)), line(streamed(310, 512, 0.1)))
    assert (found.state, found.slope, found.doubts) == (State.UNDECIDED, None, (Doubt.TOO_SHORT,))
    assert "at least 2000 ms are needed" in found.evidence[-1]


def test_a_long_answer_that_stopped_early_is_too_short_to_tell() -> None:
    found = compare(line(whole(300, 100, 20)), line(whole(300, 90, 20)))
    assert (found.state, found.doubts) == (State.UNDECIDED, (Doubt.TOO_SHORT,))


def test_a_way_that_varies_more_needs_a_longer_answer() -> None:
    short, long = line(whole(300, 16, 20)), line(whole(300, 200, 20))
    assert compare(short, long).state is State.HELD
    assert compare(short, long, jitter_ms=1_000).doubts == (Doubt.TOO_SHORT,)


def test_a_model_that_thinks_longer_when_it_may_say_more_is_not_called_held() -> None:
    found = compare(line(streamed(1_000, 16, 20)), line(streamed(21_000, 300, 20)))
    assert found.slope is not None
    assert found.slope > SLOPE
    assert (found.state, found.doubts) == (State.UNDECIDED, ())


def test_what_was_cut_says_nothing() -> None:
    for short, long in ((True, False), (False, True)):
        found = compare(line(whole(300, 16, 20), complete=short), line(whole(300, 512, 20), complete=long))
        assert found.state is State.UNDECIDED
        assert Doubt.STREAM_CUT in found.doubts


@pytest.mark.parametrize("empty", [0, 1])
def test_no_event_says_nothing(empty: int) -> None:
    lines = [line(whole(300, 16, 20)), line(whole(300, 512, 20))]
    lines[empty] = line([])
    found = compare(*lines)
    assert (found.state, found.slope, found.doubts) == (State.UNDECIDED, None, (Doubt.TOO_SHORT,))


def test_a_connection_that_stays_open_is_no_longer_answer() -> None:
    found = compare(
        line(streamed(300, 16, 1), stays_open_ms=0), line(streamed(300, 512, 1), stays_open_ms=60_000)
    )
    assert found.doubts == (Doubt.TOO_SHORT,)


CHANCE = st.floats(0, CHANCE_MS)


@given(CHANCE, CHANCE, st.integers(1, 32), st.integers(200, 600), st.floats(0.1, 100), st.floats(0, 5_000))
def test_chance_makes_no_streamed_answer_look_held(
    early: float, late: float, short: int, long: int, pace: float, cold: float
) -> None:
    a, b = line(streamed(cold + early, short, pace)), line(streamed(cold + late, long, pace))
    assert compare(a, b).state is not State.HELD
    if (found := compare(a, b)).slope is not None:
        assert abs(found.slope) <= 1 / CHANCES + 1e-9


@given(CHANCE, CHANCE, st.integers(1, 32), st.integers(200, 600), st.floats(0.1, 100), st.floats(0, 400))
def test_chance_makes_no_held_answer_look_streamed(
    early: float, late: float, short: int, long: int, pace: float, spread: float
) -> None:
    a, b = line(whole(early, short, pace)), line(whole(late, long, pace, spread))
    found = compare(a, b)
    assert found.state is not State.STREAMS
    if found.slope is not None and spread <= 300:
        assert found.state is State.HELD


TIMES = st.lists(st.floats(0, 1e5), max_size=20).map(sorted)


@given(TIMES, TIMES, st.booleans(), st.floats(0, 1e4))
def test_any_two_timelines_give_an_inconclusive_finding(
    short: list[float], long: list[float], complete: bool, jitter: float
) -> None:
    found = compare(line(short), line(long, complete=complete), jitter_ms=jitter).finding
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.evidence
    assert complete or Doubt.STREAM_CUT in found.doubts
