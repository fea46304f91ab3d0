from __future__ import annotations

import pytest

from kit.proof.client_causes import ClientCause, Unclear


@pytest.mark.parametrize("cause", ClientCause)
def test_each_cause_is_a_sentence_and_has_its_remedy(cause: ClientCause) -> None:
    sentence = cause.sentence.format(n="512 bytes", media="text/plain")
    assert sentence.endswith(".")
    assert "{" not in sentence
    without = {ClientCause.HELD_OTHERWISE, ClientCause.INCONCLUSIVE}
    assert bool(cause.remedy) is (cause not in without)
    assert all(line.isprintable() for line in cause.remedy)


@pytest.mark.parametrize("unclear", Unclear)
def test_each_reason_for_saying_nothing_says_what_to_do(unclear: Unclear) -> None:
    assert unclear.remedy.endswith(".")


def test_whether_the_client_holds_is_said_only_where_it_is_known() -> None:
    assert ClientCause.NO_FAULT.holds is False
    assert ClientCause.INCONCLUSIVE.holds is None
    assert ClientCause.CURL_NO_BUFFER.holds is True
    assert ClientCause.SILENCE.holds is False


def test_a_fault_is_one_whether_it_holds_or_not() -> None:
    assert ClientCause.NO_FAULT.fault is False
    assert ClientCause.INCONCLUSIVE.fault is None
    assert ClientCause.CURL_NO_BUFFER.fault is ClientCause.SILENCE.fault is True
