from __future__ import annotations

from contextlib import suppress
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.load.slo import Objective, judge, parse
from kit.load.tally import Tally

NUMBERS = st.integers(0, 999_999) | st.decimals(0, 99_999, places=3).map(float)
TIMES = st.builds(
    Objective,
    name=st.sampled_from(["first", "gap", "late"]),
    most=NUMBERS.map(float),
    of=st.sampled_from(["p50", "p95", "p99", "p99.9", "max"]),
    unit=st.just("ms"),
)
COUNTED = st.builds(
    Objective, name=st.sampled_from(["cut", "refused"]), most=st.integers(0, 999_999).map(float)
)
PARTS = st.builds(
    Objective,
    name=st.sampled_from(["cut", "refused"]),
    most=st.integers(0, 100).map(float),
    unit=st.just("%"),
)


@given(st.lists(TIMES | COUNTED | PARTS, min_size=1, unique_by=lambda one: (one.name, one.of)))
def test_what_is_written_is_read(objectives: list[Objective]) -> None:
    assert parse(",".join(map(str, objectives))) == tuple(objectives)


def test_seconds_are_milliseconds_and_the_usual_share_is_the_99th() -> None:
    assert parse("first=0.8s, gap=2s,late=500,cut=0") == (
        Objective("first", 800, "p99", "ms"),
        Objective("gap", 2_000, "p99", "ms"),
        Objective("late", 500, "p99", "ms"),
        Objective("cut", 0),
    )


@given(st.text(max_size=30))
def test_anything_else_is_a_usage_error(text: str) -> None:
    with suppress(UsageError):
        assert parse(text)


@pytest.mark.parametrize(
    "text", ["", "first", "first=", "first=8x", "cut=1.5", "cut=101%", "cut=3ms", "ttfb=1", "cut=0,cut=1"]
)
def test_these_are_none(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def seen(first: list[float], own: list[float]) -> Tally:
    tally = Tally()
    for ms in first:
        tally.started += 1
        tally.first.add(ms)
    for ms in own:
        tally.own.add(ms)
    return tally


@given(st.floats(1, 5_000), st.floats(0, 1_000), st.floats(1, 5_000))
def test_the_generators_own_lateness_never_makes_a_missed_objective_certain(
    true_ms: float, own_ms: float, most: float
) -> None:
    found = judge(Objective("first", most, "p99", "ms"), seen([true_ms + own_ms], [own_ms]))
    if found.met is not None and abs(true_ms - most) > 0.03 * most:
        assert found.met is (true_ms <= most)


def test_a_figure_within_its_bound_is_certain_however_late_the_generator_was() -> None:
    assert judge(Objective("first", 800, "p99", "ms"), seen([500.0], [10_000.0])).met is True


def test_a_figure_over_its_bound_that_the_generator_may_have_made_is_doubtful() -> None:
    found = judge(Objective("first", 800, "p99", "ms"), seen([900.0], [150.0]))
    assert (found.met, found.why) == (None, "the generator itself was late")
    assert judge(Objective("first", 800, "p99", "ms"), seen([900.0], [5.0])).met is False


def test_streams_that_were_refused_never_had_their_first_event() -> None:
    tally = seen([10.0] * 98 + [inf] * 2, [])
    assert judge(Objective("first", 800, "p99", "ms"), tally).met is False
    assert judge(Objective("first", 800, "p95", "ms"), tally).met is True


def test_what_was_not_seen_cannot_be_said() -> None:
    for name in ("first", "gap", "late"):
        found = judge(Objective(name, 1, "p99", "ms"), Tally())
        assert found.met is None
        assert found.why
    assert judge(Objective("cut", 1, "", "%"), Tally()).met is None


def test_streams_are_counted_or_taken_as_a_part() -> None:
    tally = Tally()
    tally.started, tally.cut, tally.refused = 1_000, 1, 10
    assert [judge(one, tally).met for one in parse("cut=0,refused=1%")] == [False, True]
    assert [judge(one, tally).met for one in parse("cut=1,refused=0.9%")] == [True, False]
