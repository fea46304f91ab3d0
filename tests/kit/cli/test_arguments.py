from __future__ import annotations

import pytest

from kit.cli.arguments import VERDICTS, Arms, arms, expectation, pairs, status
from kit.errors import Exit, KitError
from kit.proof.expectation import Expectation
from kit.proof.lane import LaneState
from kit.proof.verdict import Verdict


def test_both_arms_are_measured_with_the_header_first() -> None:
    assert [arms(wanted) for wanted in Arms] == [["on"], ["off"], ["on", "off"], ["as-is"]]


def test_the_help_names_every_verdict() -> None:
    assert VERDICTS.split(", ") == list(Verdict)
    assert expectation(None) == Expectation()
    assert expectation("streamed") == Expectation(Verdict.INCREMENTAL)


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
