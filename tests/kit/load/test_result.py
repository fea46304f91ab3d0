from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kit.load.plan import Schedule
from kit.load.result import Holding, LoadResult, Proof, holding
from kit.load.slo import judge, parse
from kit.load.tally import Tally
from kit.proof.lane import LaneState
from kit.proof.quick_check import State


def proofs(*seen: tuple[int, State]) -> tuple[Proof, ...]:
    return tuple(Proof(float(at), open_, state, "") for at, (open_, state) in enumerate(seen))


def result(tally: Tally, slo: str = "", *, interrupted: bool = False) -> LoadResult:
    judged = tuple(judge(one, tally) for one in parse(slo)) if slo else ()
    schedule = Schedule(10, 1.0, 10.0)
    return LoadResult("http://x/", schedule, 1, tally, judged=judged, interrupted=interrupted)


def tally(started: int = 10, first_ms: float = 50.0, own_ms: float = 1.0) -> Tally:
    made = Tally()
    made.started = made.left = started
    made.events = 100
    for _ in range(started):
        made.first.add(first_ms)
    made.own.add(own_ms)
    return made


def test_it_begins_to_hold_where_the_first_check_did_not_pass() -> None:
    seen = proofs(
        (10, State.STREAMS),
        (38, State.STREAMS),
        (39, State.UNDECIDED),
        (40, State.HELD),
        (50, State.STREAMS),
        (50, State.HELD),
    )
    assert holding(seen) == Holding(38, 40, State.HELD, 2, 3)


def test_where_each_check_passed_or_none_was_decided_it_holds_nothing() -> None:
    assert holding(proofs((1, State.STREAMS), (2, State.UNDECIDED))) is None
    assert holding(()) is None


@given(st.lists(st.tuples(st.integers(0, 100), st.sampled_from(list(State))), max_size=20))
def test_what_was_undecided_says_nothing(seen: list[tuple[int, State]]) -> None:
    decided = [one for one in seen if one[1] is not State.UNDECIDED]
    assert holding(proofs(*seen)) == holding(proofs(*decided))


def test_without_objectives_what_streams_is_well() -> None:
    assert result(tally()).state is LaneState.OK
    assert result(tally()).doubts == ()


def test_a_missed_objective_is_not_as_expected_and_a_doubtful_one_inconclusive() -> None:
    assert result(tally(), "first=20").state is LaneState.NOT_AS_EXPECTED
    assert result(tally(), "first=20,late=1").state is LaneState.NOT_AS_EXPECTED
    assert result(tally(), "first=100,late=1").state is LaneState.INCONCLUSIVE
    assert result(tally(own_ms=40.0), "first=20").state is LaneState.INCONCLUSIVE


def test_a_late_generator_makes_figures_doubtful_unless_an_objective_is_met_in_spite_of_it() -> None:
    late = tally(own_ms=400.0)
    assert result(late).state is LaneState.INCONCLUSIVE
    assert "400 ms" in result(late).doubts[0]
    assert result(late, "first=100").state is LaneState.OK


def test_streams_that_were_not_started_leave_everything_open() -> None:
    assert result(tally(started=5), "first=100").state is LaneState.INCONCLUSIVE
    assert "10 streams that were planned 5" in result(tally(started=5)).doubts[0]
    assert result(tally(started=5), interrupted=True).doubts == ()


def test_where_nothing_came_it_failed() -> None:
    assert result(Tally()).state is LaneState.FAILED


def test_a_worker_that_was_lost_is_a_doubt() -> None:
    lost = tally()
    lost.left = 4
    assert "6 of its streams" in result(lost).doubts[0]
