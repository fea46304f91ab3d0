"""What a front of which no source says anything does is not measured, and what its service does is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.flows.emulated import left_directly, through, with_unsourced
from kit.probe.client import Ask
from kit.proof.contract import QUICK, UNASKED, Clause, ClauseFinding, ContractSpec, Figure, Term
from kit.proof.doubts import Doubt
from kit.proof.lane import Lane, LaneError
from tests.fixtures.origin import Origin
from tests.kit.lab.specs import front
from tests.kit.report.measured import AS_PROMISED

QUICKLY = ContractSpec(QUICK)
LANE = AS_PROMISED.lanes[0]
STOPS = ClauseFinding(
    Clause.CANCELLED, "stops after 8 ms", "proved", (Figure(Term.CANCEL, 1, 8),), evidence=("it was left",)
)


def test_through_such_a_front_all_is_asked_but_whether_it_passes_a_leave_on() -> None:
    assert through(front("none", client_leaves="passed"), QUICKLY) == QUICKLY
    assert through(front("none", client_leaves="unknown"), QUICKLY).clauses == (Clause.MANY,)


def test_its_lane_says_what_the_service_does_and_that_no_source_says_the_rest() -> None:
    many = ClauseFinding(Clause.MANY, "10 at once pass", "proved")
    asked: Lane = replace(LANE, clauses=(many,))
    left, same = with_unsourced(asked, STOPS).clauses
    assert same == many
    assert left.says == "the service itself: stops after 8 ms; no source says what its front does"
    assert (left.sure, left.figures) == ("unknown", ())
    assert left.evidence == ("asked with no front before it: it was left",)


def test_of_a_service_that_shows_nothing_only_the_front_is_spoken_of() -> None:
    nothing = ClauseFinding(
        Clause.CANCELLED, "its origin shows no proof", "unknown", doubts=(Doubt.NO_PROOF,)
    )
    (left,) = with_unsourced(LANE, nothing).clauses
    assert (left.says, left.doubts) == ("no source says what its front does", (Doubt.NO_PROOF,))


def test_a_lane_that_was_not_asked_or_not_measured_says_nothing() -> None:
    assert with_unsourced(LANE, None) == LANE
    broken = replace(LANE, error=LaneError("unreachable", "No server answers.", "Look."))
    assert with_unsourced(broken, STOPS) == broken


async def test_what_is_not_asked_of_a_contract_is_not_done() -> None:
    nothing = await left_directly({"a": Ask("GET", "http://127.0.0.1:9")}, UNASKED, token="", timeout_s=1)
    assert nothing == {}


@pytest.mark.alone
async def test_a_service_that_is_left_directly_says_what_it_does_itself(origin: Origin) -> None:
    asks = {"run": Ask("GET", origin())}
    found = await left_directly(asks, QUICKLY, token="", timeout_s=10)
    assert found["run"].sure == "proved"
    assert found["run"].says.startswith("stops after ")
