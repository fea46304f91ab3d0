from __future__ import annotations

import asyncio

from kit import __version__
from kit.flows.compare import compare
from kit.probe.client import Ask
from kit.probe.spec import LaneSpec
from kit.proof.lane import Arm, Lane
from kit.proof.timeline import Arrival
from kit.proof.verdict import Verdict
from kit.report.watch import LaneKey, Silent
from tests.fixtures.origin import Origin


class Diary(Silent):
    """Notes what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    def stage(self, text: str) -> None:
        self.told.append(("stage", text))

    def lanes(self, keys: tuple[LaneKey, ...]) -> None:
        self.told.append(("lanes", keys))

    def asked(self, key: LaneKey) -> None:
        self.told.append(("asked", key))

    def arrival(self, key: LaneKey, arrival: Arrival) -> None:
        self.told.append(("arrival", key))

    def answered(self, key: LaneKey) -> None:
        self.told.append(("answered", key))

    def proof(self, key: LaneKey, step: str) -> None:
        self.told.append(("proof", key))

    def judged(self, lane: Lane) -> None:
        self.told.append(("judged", LaneKey(lane.target, lane.header)))


def spec(name: str, url: str, header: Arm = "on") -> LaneSpec:
    return LaneSpec(name, Ask("GET", url), header=header, prompt="Why?", max_output_tokens=40)


def test_every_answer_comes_before_any_proof_and_all_is_told_as_it_happens(origin: Origin) -> None:
    url, diary = origin(), Diary()
    found = asyncio.run(compare([spec("a", url), spec("a", url, "off"), spec("b", url)], "url", diary))
    assert [(lane.target, lane.header) for lane in found.lanes] == [("a", "on"), ("a", "off"), ("b", "on")]
    assert {lane.verdict for lane in found.lanes} == {Verdict.INCREMENTAL}
    kinds = [kind for kind, _ in diary.told]
    assert kinds[0] == "lanes"
    assert kinds.index("proof") > len(kinds) - 1 - kinds[::-1].index("answered")
    # The lanes run side by side: each is asked before any has answered in full.
    assert kinds.index("answered") > len(kinds) - 1 - kinds[::-1].index("asked")
    assert kinds.count("arrival") == 3 * 41
    assert kinds.count("judged") == 3


def test_a_lane_that_cannot_be_reached_leaves_the_others_alone(origin: Origin) -> None:
    found = asyncio.run(compare([spec("a", origin()), spec("gone", "http://127.0.0.1:1")], "url"))
    here, gone = found.lanes
    assert (here.verdict, here.error) == (Verdict.INCREMENTAL, None)
    assert gone.error is not None
    assert gone.error.code == "unreachable"


def test_nothing_is_announced_where_nothing_can_be_reached() -> None:
    diary = Diary()
    asyncio.run(compare([spec("gone", "http://127.0.0.1:1")], "url", diary))
    assert [kind for kind, _ in diary.told] == ["lanes", "judged"]


def test_it_says_when_and_by_which_kit_it_was_measured() -> None:
    found = asyncio.run(compare([], "lab"))
    assert (found.environment, found.kit_version, found.lanes) == ("lab", __version__, ())
    assert found.measured_at.endswith("Z")
