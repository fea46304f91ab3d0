"""kit/proof/contract.py: a limit is met or missed by what is proved, and by nothing else."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.contract import ASKED, Clause, ClauseFinding, ContractSpec, Figure, Limit, Sign, Sure, Term

_SIGNS: tuple[Sign, ...] = ("<", "<=", ">", ">=")


def _found(figure: Figure, sure: Sure = "proved") -> list[ClauseFinding]:
    return [ClauseFinding(figure.term.clause, "as the test says", sure, (figure,))]


@given(st.sampled_from(Term), st.sampled_from(_SIGNS), st.integers(0, 999_999_999))
def test_a_limit_is_read_back_as_it_is_written(term: Term, sign: Sign, value: int) -> None:
    limit = Limit(term, sign, float(value))
    assert Limit.parse(str(limit)) == limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("cancel<1s", Limit(Term.CANCEL, "<", 1_000.0)),
        (" idle > 60 s ", Limit(Term.IDLE, ">", 60_000.0)),
        ("alive>=10m", Limit(Term.ALIVE, ">=", 600_000.0)),
        ("heartbeat<=250ms", Limit(Term.HEARTBEAT, "<=", 250.0)),
        ("many>=100", Limit(Term.MANY, ">=", 100.0)),
    ],
)
def test_limits_as_people_write_them(text: str, limit: Limit) -> None:
    assert Limit.parse(text) == limit


@pytest.mark.parametrize(
    "text", ["", "cancel", "cancel<1", "many>=100s", "cancel=1s", "hold<=2s", "many>=１"]
)
def test_what_is_no_limit(text: str) -> None:
    assert Limit.parse(text) is None


@pytest.mark.parametrize(
    ("text", "figure", "met"),
    [
        ("cancel<1s", Figure(Term.CANCEL, 0, 12), True),
        ("cancel<1s", Figure(Term.CANCEL, 5_000, inf), False),
        ("cancel<1s", Figure(Term.CANCEL, 500, inf), None),
        ("idle>60s", Figure(Term.IDLE, 110_000, inf), True),
        ("idle>60s", Figure(Term.IDLE, 59_000, 60_000), False),
        ("idle>60s", Figure(Term.IDLE, 10_000, inf), None),
        ("many>=100", Figure(Term.MANY, 100, inf), True),
        ("many>=100", Figure(Term.MANY, 40, 40), False),
        ("many>=100", Figure(Term.CANCEL, 0, 12), None),
    ],
)
def test_an_interval_meets_a_limit_with_both_its_ends(text: str, figure: Figure, met: bool | None) -> None:
    limit = Limit.parse(text)
    assert limit is not None
    assert limit.met(_found(figure)) is met
    assert limit.met(_found(figure, "likely")) is None


def test_every_term_belongs_to_a_clause() -> None:
    assert {term.clause for term in Term} == {Clause.CANCELLED, Clause.KEPT_ALIVE, Clause.MANY}


@pytest.mark.parametrize(
    ("limits", "spec"),
    [
        ("", ContractSpec()),
        ("cancel<1s", ContractSpec((Clause.CANCELLED,))),
        ("cancel<10s", ContractSpec((Clause.CANCELLED,), watch_s=15.5)),
        ("idle>60s", ContractSpec((Clause.KEPT_ALIVE,), for_s=66.0)),
        ("idle>2s alive>=10m heartbeat<1s", ContractSpec((Clause.KEPT_ALIVE,), for_s=630.0)),
        ("alive>=1h", ContractSpec((Clause.KEPT_ALIVE,), for_s=3_630.0)),
        ("many>=100", ContractSpec((Clause.MANY,), streams=100)),
        ("many>100", ContractSpec((Clause.MANY,), streams=101)),
        ("many<=4", ContractSpec((Clause.MANY,), streams=5)),
    ],
)
def test_what_limits_need_is_asked(limits: str, spec: ContractSpec) -> None:
    assert ContractSpec.of([limit for one in limits.split() if (limit := Limit.parse(one))]) == spec


def test_what_is_asked_for_goes_before_what_limits_need() -> None:
    limits = (Limit(Term.IDLE, ">", 60_000.0), Limit(Term.MANY, ">=", 100.0))
    spec = ContractSpec.of(limits, ASKED, for_s=2.0, streams=3)
    assert spec == ContractSpec(ASKED, for_s=2.0, streams=3)
