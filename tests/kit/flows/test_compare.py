from __future__ import annotations

import asyncio
from dataclasses import replace

from kit import __version__
from kit.events import Answered, Arrived, Asked, Event, Judged, LanesBegun, ProofStep
from kit.flows.compare import compare
from kit.probe.client import Ask
from kit.probe.spec import LaneSpec
from kit.proof.contract import Clause, ContractSpec, Limit, Term
from kit.proof.lane import Arm, LaneState, state
from kit.proof.verdict import Verdict
from tests.fixtures.origin import Origin


def spec(name: str, url: str, header: Arm = "on") -> LaneSpec:
    return LaneSpec(name, Ask("GET", url), header=header, prompt="Why?", max_output_tokens=40)


def test_every_answer_comes_before_any_proof_and_each_event_is_reported_at_once(origin: Origin) -> None:
    url, events = origin(), list[Event]()
    found = asyncio.run(
        compare([spec("a", url), spec("a", url, "off"), spec("b", url)], "url", events.append)
    )
    assert [(lane.target, lane.header) for lane in found.lanes] == [("a", "on"), ("a", "off"), ("b", "on")]
    assert {lane.verdict for lane in found.lanes} == {Verdict.INCREMENTAL}
    kinds = [type(event) for event in events]
    assert kinds[0] is LanesBegun
    assert kinds.index(ProofStep) > len(kinds) - 1 - kinds[::-1].index(Answered)
    # The lanes run side by side: each is asked before any has answered in full.
    assert kinds.index(Answered) > len(kinds) - 1 - kinds[::-1].index(Asked)
    assert kinds.count(Arrived) == 3 * 41
    assert kinds.count(Judged) == 3


def test_a_lane_that_cannot_be_reached_leaves_the_others_alone(origin: Origin) -> None:
    found = asyncio.run(compare([spec("a", origin()), spec("gone", "http://127.0.0.1:1")], "url"))
    here, gone = found.lanes
    assert (here.verdict, here.error) == (Verdict.INCREMENTAL, None)
    assert gone.error is not None
    assert gone.error.code == "unreachable"


def test_nothing_is_announced_where_nothing_can_be_reached() -> None:
    events: list[Event] = []
    asyncio.run(compare([spec("gone", "http://127.0.0.1:1")], "url", events.append))
    assert [type(event) for event in events] == [LanesBegun, Judged]


def test_it_says_when_and_by_which_kit_it_was_measured() -> None:
    found = asyncio.run(compare([], "lab"))
    assert (found.environment, found.kit_version, found.lanes) == ("lab", __version__, ())
    assert found.measured_at.endswith("Z")


def test_a_lane_is_judged_once_with_its_clauses_and_its_limits_count(origin: Origin) -> None:
    limits = (Limit(Term.IDLE, ">", 100.0), Limit(Term.ALIVE, "<", 100.0))
    held_to = replace(spec("a", origin()), limits=limits, contract=ContractSpec.of(limits, for_s=0.5))
    events = list[Event]()
    found = asyncio.run(compare([held_to, spec("gone", "http://127.0.0.1:1")], "url", events.append))
    judged = [event.lane for event in events if isinstance(event, Judged)]
    assert sorted(lane.target for lane in judged) == ["a", "gone"]
    lane = next(lane for lane in judged if lane.target == "a")
    assert lane == found.lanes[0]
    assert [one.clause for one in lane.clauses] == [Clause.KEPT_ALIVE]
    assert (lane.verdict, state(lane)) == (Verdict.INCREMENTAL, LaneState.NOT_AS_EXPECTED)
