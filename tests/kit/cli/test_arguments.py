from __future__ import annotations

from typing import Any

import pytest

from kit.cli.arguments import VERDICTS, Arms, Asked, arms, expectation, pairs, status
from kit.errors import Exit, KitError
from kit.proof.contract import ASKED, Clause, ContractSpec
from kit.proof.expectation import Expectation
from kit.proof.lane import LaneState
from kit.proof.verdict import Verdict


def test_both_arms_are_measured_with_the_header_first() -> None:
    assert [arms(wanted) for wanted in Arms] == [["on"], ["off"], ["on", "off"], ["as-is"]]


def test_the_help_names_every_verdict() -> None:
    assert VERDICTS.split(", ") == list(Verdict)
    assert expectation(None) == Expectation()
    assert expectation("streamed") == Expectation(Verdict.INCREMENTAL)


def asked(expect: str | None = None, **options: Any) -> ContractSpec:
    return Asked(**options).held(expect)["contract"]


@pytest.mark.parametrize(
    ("text", "for_s"), [("90s", 90.0), ("10m", 600.0), ("1h", 3600.0), ("1.5m", 90.0), ("5 s", 5.0)]
)
def test_a_length_of_time_asks_for_how_long_streams_live(text: str, for_s: float) -> None:
    assert asked(for_=text) == ContractSpec((Clause.KEPT_ALIVE,), for_s=for_s)
    assert asked(for_=text, contract=True) == ContractSpec(ASKED, for_s=for_s)
    assert asked(for_=text, expect="idle>2s") == ContractSpec((Clause.KEPT_ALIVE,), for_s=for_s)


@pytest.mark.parametrize("text", ["", "10", "ten minutes", "0s", "-5s", "1h1", "\u0661s"])
def test_what_is_no_length_of_time_is_a_usage_error(text: str) -> None:
    with pytest.raises(KitError, match="--for") as caught:
        asked(for_=text)
    assert caught.value.exit is Exit.USAGE


def test_streams_are_watched_for_an_hour_and_not_for_much_longer() -> None:
    assert asked(expect="alive>=1h").for_s == 3_630.0
    for options in ({"for_": "65m"}, {"for_": "10d"}, {"expect": "idle>2h"}):
        with pytest.raises(KitError, match="watched for 1 h at most"):
            asked(**options)


def test_a_number_of_streams_asks_for_so_many_at_once() -> None:
    assert asked(streams=40) == ContractSpec((Clause.MANY,), streams=40)


def test_each_state_has_its_status() -> None:
    assert [status(state) for state in LaneState] == [
        Exit.FAILED,
        Exit.NOT_AS_EXPECTED,
        Exit.INCONCLUSIVE,
        Exit.OK,
    ]


def test_the_worst_of_several_gives_the_status_and_none_is_well() -> None:
    assert status(*reversed(LaneState)) is Exit.FAILED
    assert status(LaneState.OK, LaneState.INCONCLUSIVE, LaneState.NOT_AS_EXPECTED) is Exit.NOT_AS_EXPECTED
    assert status() is Exit.OK


def test_pairs_keep_what_follows_the_first_equals_sign() -> None:
    assert pairs("--x", "A=B", ["a=http://b/?c=d"]) == {"a": "http://b/?c=d"}


@pytest.mark.parametrize("values", [["a"], ["a="], ["=b"], ["a=b", "a=c"]])
def test_what_is_no_pair_is_a_usage_error(values: list[str]) -> None:
    with pytest.raises(KitError) as caught:
        pairs("--x", "A=B", values)
    assert caught.value.exit is Exit.USAGE
