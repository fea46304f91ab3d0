from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.load.plan import Plan, Schedule

SCHEDULES = st.builds(
    Schedule,
    streams=st.integers(1, 50),
    ramp_s=st.floats(0, 100),
    for_s=st.floats(1, 1_000),
    every_s=st.none() | st.floats(5, 100),
)


@given(SCHEDULES)
def test_streams_start_evenly_over_the_ramp_and_never_after_the_end(schedule: Schedule) -> None:
    starts = [list(schedule.starts(index)) for index in range(schedule.streams)]
    first = [one[0] for one in starts if one]
    assert all(0 <= at < schedule.for_s for one in starts for at in one)
    steps = [later - sooner for sooner, later in pairwise(first)]
    assert steps == pytest.approx([schedule.ramp_s / schedule.streams] * len(steps))
    assert schedule.planned == sum(map(len, starts))


@given(SCHEDULES)
def test_each_is_asked_for_anew_whether_the_last_one_is_over_or_not(schedule: Schedule) -> None:
    for index in range(schedule.streams):
        starts = list(schedule.starts(index))
        if schedule.every_s is None:
            assert len(starts) <= 1
        else:
            steps = [later - sooner for sooner, later in pairwise(starts)]
            assert steps == pytest.approx([schedule.every_s] * len(steps))
            assert not starts or starts[-1] + schedule.every_s >= schedule.for_s


@given(SCHEDULES, st.integers(1, 8), st.integers(0, 8))
def test_workers_share_the_starts_out_whichever_has_one_more(
    schedule: Schedule, workers: int, turned: int
) -> None:
    taken = [
        schedule.place(user, worker, workers)
        for worker in range(workers)
        for user in range(len(range((worker + turned) % workers, schedule.streams, workers)))
    ]
    assert len(taken) == schedule.streams
    assert all(0 <= place < schedule.streams for place in taken)
    wrong = sum(place != index for index, place in enumerate(sorted(taken)))
    assert wrong < 2 * workers


def test_a_plan_travels_to_locust_and_shows_no_header() -> None:
    plan = Plan(
        Schedule(50, 1.5, 30.0, None),
        "POST",
        "http://example.com/a?b=c",
        (("host", "example.com"), ("authorization", "Bearer sécret")),
        '{"ai_prompt": "为什么"}',
        5.0,
    )
    assert Plan.of(plan.text) == plan
    assert "sécret" not in repr(plan)
