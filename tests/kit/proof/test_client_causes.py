from __future__ import annotations

from kit.proof.client_causes import ClientCause


def test_whether_the_client_holds_is_said_only_where_it_is_known() -> None:
    assert ClientCause.NO_FAULT.holds is False
    assert ClientCause.INCONCLUSIVE.holds is None
    assert ClientCause.CURL_NO_BUFFER.holds is True
    assert ClientCause.SILENCE.holds is False


def test_a_fault_is_one_whether_it_holds_or_not() -> None:
    assert ClientCause.NO_FAULT.fault is False
    assert ClientCause.INCONCLUSIVE.fault is None
    assert ClientCause.CURL_NO_BUFFER.fault is ClientCause.SILENCE.fault is True
