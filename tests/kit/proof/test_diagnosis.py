from __future__ import annotations

import pytest

from kit.proof.diagnosis import verdict_of
from kit.proof.quick_check import Observation, State, of_finding
from kit.proof.verdict import Finding, Method, Shape, Verdict


@pytest.mark.parametrize("verdict", Verdict)
def test_a_whole_proofs_verdict_stays_what_it_is(verdict: Verdict) -> None:
    assert verdict_of(of_finding(Finding(verdict, Method.LOCK_STEP))) is verdict


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (Observation(State.STREAMS, ""), Verdict.INCREMENTAL),
        (Observation(State.REFUSED, ""), Verdict.REFUSED),
        (Observation(State.UNDECIDED, ""), Verdict.INCONCLUSIVE),
        (Observation(State.HELD, "", Shape.WHOLE), Verdict.WHOLE_MESSAGE),
        (Observation(State.HELD, "", Shape.TIMER), Verdict.TIME_LIMITED),
        (Observation(State.HELD, "", Shape.TAIL), Verdict.BYTE_LIMITED),
    ],
)
def test_a_look_is_told_in_the_words_of_a_verdict(seen: Observation, verdict: Verdict) -> None:
    assert verdict_of(seen) is verdict


def test_what_is_held_nobody_knows_how_is_no_verdict() -> None:
    assert verdict_of(Observation(State.HELD, "")) is Verdict.INCONCLUSIVE
