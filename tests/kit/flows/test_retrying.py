from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from kit.events import Event, Stage, Watch, silent
from kit.flows.retrying import FIRST_PAUSE_S, LONGEST_PAUSE_S, compare_again
from kit.probe.client import Ask
from kit.probe.spec import LaneSpec
from kit.proof.lane import Arm, Comparison, Environment, Lane, LaneError
from kit.proof.timeline import Timeline
from kit.proof.verdict import Method, Verdict

LANE = Lane(
    "probe", "http://x", "on", Verdict.INCREMENTAL, Verdict.INCREMENTAL, None, None, 0.0, 15.0,
    Method.LOCK_STEP, (), (), Timeline((), None, 0.0, True),
)  # fmt: skip
OUTCOMES = {
    "streamed": LANE,
    "held": replace(LANE, verdict=Verdict.WHOLE_MESSAGE),
    "unsure": replace(LANE, verdict=Verdict.INCONCLUSIVE),
    "failed": replace(LANE, verdict=Verdict.INCONCLUSIVE, error=LaneError("timed-out", "Late.", "Wait.")),
    "refused": replace(
        LANE,
        verdict=Verdict.INCONCLUSIVE,
        error=LaneError("http-status", "It answered GET with 404.", "Check the path.", lasting=True),
    ),
}
ARMS: tuple[Arm, Arm] = ("on", "off")
SPECS = [LaneSpec("probe", Ask("GET", "http://x"), header=arm) for arm in ARMS]


class Hop:
    """Gives each arm one outcome after another, and notes what was asked and how long was waited."""

    def __init__(self, **outcomes: str) -> None:
        self.outcomes = {arm: iter(kinds.split()) for arm, kinds in outcomes.items()}
        self.asked: list[list[str]] = []
        self.waited: list[float] = []

    async def measure(
        self, specs: Sequence[LaneSpec], environment: Environment, watch: Watch = silent
    ) -> Comparison:
        self.asked.append([spec.header for spec in specs])
        arms: list[Arm] = ["off" if spec.header == "off" else "on" for spec in specs]
        lanes = (replace(OUTCOMES[next(self.outcomes[arm])], header=arm) for arm in arms)
        return Comparison(environment, f"at {len(self.asked)}", "0", "Why?", tuple(lanes))

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)

    def run(self, arms: int, retries: int, watch: Watch = silent) -> Comparison:
        return asyncio.run(
            compare_again(SPECS[:arms], "url", watch, retries=retries, measure=self.measure, sleep=self.sleep)
        )


@pytest.mark.parametrize("outcome", ["streamed", "held"])
def test_a_verdict_stands_whatever_was_hoped_for(outcome: str) -> None:
    hop = Hop(on=outcome)
    found = hop.run(1, retries=5)
    assert (len(hop.asked), hop.waited, found.lanes[0].earlier) == (1, [], ())


def test_without_retries_everything_is_measured_once() -> None:
    hop = Hop(on="unsure")
    assert hop.run(1, retries=0).lanes[0].verdict is Verdict.INCONCLUSIVE
    assert len(hop.asked) == 1


def test_what_is_undecided_is_measured_again_until_it_is_decided_and_each_attempt_is_kept() -> None:
    hop = Hop(on="failed unsure held streamed")
    (lane,) = hop.run(1, retries=5).lanes
    assert [(one.verdict, one.error) for one in lane.attempts] == [
        (Verdict.INCONCLUSIVE, "timed-out"),
        (Verdict.INCONCLUSIVE, None),
        (Verdict.WHOLE_MESSAGE, None),
    ]


def test_after_so_many_it_stays_undecided() -> None:
    hop = Hop(on="unsure unsure failed streamed")
    (lane,) = hop.run(1, retries=2).lanes
    assert len(lane.attempts) == 3
    assert lane.error is not None


def test_a_refusal_that_cannot_change_is_met_once() -> None:
    hop = Hop(on="refused streamed")
    assert hop.run(1, retries=5).lanes[0].error is not None
    assert (len(hop.asked), hop.waited) == (1, [])


def test_only_the_arm_that_is_undecided_is_measured_again() -> None:
    hop = Hop(on="held", off="unsure streamed")
    found = hop.run(2, retries=5)
    assert hop.asked == [["on", "off"], ["off"]]
    assert [lane.verdict for lane in found.lanes] == [Verdict.WHOLE_MESSAGE, Verdict.INCREMENTAL]
    assert [len(lane.attempts) for lane in found.lanes] == [1, 2]
    assert found.measured_at == "at 1"


def test_a_pause_that_grows_lies_between_and_a_person_is_told_why() -> None:
    hop, events = Hop(on="unsure " * 9), list[Event]()
    hop.run(1, retries=8, watch=events.append)
    assert hop.waited[0] == FIRST_PAUSE_S
    assert hop.waited == sorted(hop.waited)
    assert hop.waited[-1] == LONGEST_PAUSE_S
    assert events[0] == Stage("Undecided, so it is measured again (1 of 8 times at most).")
