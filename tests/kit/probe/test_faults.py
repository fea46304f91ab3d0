from __future__ import annotations

import ssl

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code, KitError
from kit.probe.faults import shown, told

URL = "https://me:secret@host.example:8443/search?key=secret"


def test_an_address_is_shown_without_credentials_and_query() -> None:
    assert shown(URL) == "https://host.example:8443/search"


@given(st.text(max_size=60))
def test_whatever_the_address_showing_it_never_raises(url: str) -> None:
    shown(url)


def caught(error: Exception, *, in_body: bool) -> KitError:
    with pytest.raises(KitError) as raised, told(URL, in_body=in_body, timeout_s=7.0):
        raise error
    return raised.value


@pytest.mark.parametrize(
    ("error", "in_body", "code"),
    [
        (httpcore2.ConnectTimeout(), False, Code.TIMED_OUT),
        (httpcore2.ReadTimeout(), True, Code.TIMED_OUT),
        (httpcore2.ConnectError("All connection attempts failed"), False, Code.UNREACHABLE),
        (httpcore2.ConnectError("[Errno -2] Name or service not known"), False, Code.NAME_NOT_FOUND),
        (httpcore2.ConnectError(ssl.SSLError("certificate verify failed")), False, Code.TLS_FAILED),
        (httpcore2.ProxyError("407"), False, Code.UNREACHABLE),
        (httpcore2.RemoteProtocolError("illegal"), False, Code.NOT_HTTP),
        (httpcore2.RemoteProtocolError("incomplete"), True, Code.BODY_CUT),
        (httpcore2.ReadError("reset"), True, Code.BODY_CUT),
        (httpcore2.ReadError("reset"), False, Code.UNREACHABLE),
        (OSError("no route"), False, Code.UNREACHABLE),
    ],
)
def test_each_fault_has_its_code_and_one_sentence_without_secrets(
    error: Exception, in_body: bool, code: Code
) -> None:
    fault = caught(error, in_body=in_body)
    assert fault.code is code
    assert fault.hint
    assert "secret" not in fault.message
    assert "\n" not in fault.message


def test_what_is_no_fault_of_the_network_is_left_alone() -> None:
    for error in (KitError(Code.TOO_LARGE, "a", "b"), ValueError("mine")):
        with pytest.raises(type(error)), told(URL, in_body=False):
            raise error
