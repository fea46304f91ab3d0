from __future__ import annotations

import pytest

from kit.proof.client_causes import ClientCause, Unclear


@pytest.mark.parametrize("cause", ClientCause)
def test_each_cause_is_a_sentence_and_has_its_remedy(cause: ClientCause) -> None:
    sentence = cause.sentence.format(n="512 bytes", media="text/plain")
    assert sentence.endswith((".", "tells how."))
    assert "{" not in sentence
    without = {ClientCause.HELD_OTHERWISE, ClientCause.INCONCLUSIVE}
    assert bool(cause.remedy) is (cause not in without)
    assert all(line.isprintable() for line in cause.remedy)


@pytest.mark.parametrize("unclear", Unclear)
def test_each_reason_for_saying_nothing_says_what_to_do(unclear: Unclear) -> None:
    assert unclear.remedy.endswith(".")


def test_who_holds_is_said_only_where_it_is_known() -> None:
    assert ClientCause.NOT_THE_CLIENT.holds is False
    assert ClientCause.INCONCLUSIVE.holds is None
    assert ClientCause.CURL_NO_BUFFER.holds is True
