from __future__ import annotations

import socket
import ssl

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code, KitError
from kit.probe.http_errors import shown, translate_errors

URL = "https://me:secret@host.example:8443/search?key=secret"


def test_an_address_is_shown_without_credentials_and_query() -> None:
    assert shown(URL) == "https://host.example:8443/search"


@given(st.text(max_size=60))
def test_whatever_the_address_showing_it_never_raises(url: str) -> None:
    shown(url)


def caught(error: Exception, *, in_body: bool) -> KitError:
    with pytest.raises(KitError) as raised, translate_errors(URL, in_body=in_body, timeout_s=7.0):
        raise error
    return raised.value


def connecting(cause: OSError) -> httpcore2.ConnectError:
    """A failure to connect as httpcore2 raises it: the system's own error is its context."""
    error = httpcore2.ConnectError(cause)
    error.__context__ = OSError("All connection attempts failed")
    error.__context__.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "in_body", "code"),
    [
        (httpcore2.ConnectTimeout(), False, Code.TIMED_OUT),
        (httpcore2.ReadTimeout(), True, Code.TIMED_OUT),
        (httpcore2.ConnectError("All connection attempts failed"), False, Code.UNREACHABLE),
        (connecting(socket.gaierror(socket.EAI_NONAME, "whatever")), False, Code.NAME_NOT_FOUND),
        (connecting(socket.gaierror(socket.EAI_AGAIN, "whatever")), False, Code.NAME_NOT_FOUND),
        (connecting(ssl.SSLCertVerificationError("whatever")), False, Code.TLS_FAILED),
        (connecting(ssl.SSLEOFError("whatever")), False, Code.TLS_FAILED),
        # What the system's text says decides nothing: it is translated, and names files and hosts.
        (connecting(OSError("the certificate's host name in getaddrinfo")), False, Code.UNREACHABLE),
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
        with pytest.raises(type(error)), translate_errors(URL, in_body=False):
            raise error


def test_a_name_that_could_not_be_looked_up_is_not_called_unknown() -> None:
    unknown = caught(connecting(socket.gaierror(socket.EAI_NONAME, "no such name")), in_body=False)
    assert "is not known" in unknown.message
    failed = caught(connecting(socket.gaierror(socket.EAI_AGAIN, "try again")), in_body=False)
    assert "could not be looked up (try again)" in failed.message
