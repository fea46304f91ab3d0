from __future__ import annotations

import errno
import json
import socket
import ssl

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code, KitError
from kit.probe.client import Ask
from kit.probe.http_errors import bad_status, reported, shown, translate_errors
from kit.proof.events import Event

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


def test_why_no_connection_was_made_is_said_in_words() -> None:
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Verbindungsaufbau abgelehnt")
    assert "(connection refused)" in caught(connecting(refused), in_body=False).message
    both = httpcore2.ConnectError("All connection attempts failed")
    both.__cause__ = ExceptionGroup("each address", [refused, OSError("whatever")])
    assert "(connection refused)" in caught(both, in_body=False).message


def handshake(code: int | None = None, reason: str = "") -> httpcore2.ConnectError:
    error = ssl.SSLError("whatever") if code is None else ssl.SSLCertVerificationError("whatever")
    error.reason = reason
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_code, error.verify_message = code or 0, "self-signed certificate"
    return connecting(error)


def test_a_plain_port_that_was_asked_for_tls_is_named_with_the_address_that_was_meant() -> None:
    fault = caught(handshake(reason="WRONG_VERSION_NUMBER"), in_body=False)
    assert fault.hint == "Did you mean http://host.example:8443/search?"


@pytest.mark.parametrize(("code", "helps"), [(18, True), (20, True), (10, False), (62, False)])
def test_a_certificate_that_is_not_trusted_has_its_reason_and_what_trusts_it(code: int, helps: bool) -> None:
    fault = caught(handshake(code), in_body=False)
    assert fault.message.endswith("is not trusted: self-signed certificate.")
    assert ("--cacert FILE, or SSL_CERT_FILE=FILE kit" in fault.hint) is helps
    assert "--insecure" in fault.hint


ASKED = Ask("POST", "http://h.example/chat?key=sec-ret", (("authorization", "Bearer abc-def"),), b"{}")
BARE = Ask("GET", "http://h.example/chat")


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (
            {"detail": [{"loc": ["body", "q"], "msg": "Field required", "input": "x"}]},
            "body.q: Field required",
        ),
        ({"detail": "Not Found"}, "Not Found"),
        ({"type": "about:blank", "title": "Gone", "detail": "No more"}, "No more"),
        ({"title": "Gone"}, "Gone"),
        ({"error": {"message": "No such model", "code": 5}}, "No such model"),
        ({"error": "nope"}, "nope"),
        ({"detail": "bad token abc-def for sec-ret"}, "bad token … for …"),
        ([1, None], ""),
        ({}, ""),
        ("a\n\x1b[31mb", "a [31mb"),
    ],
)
def test_a_refusal_repeats_why_and_nothing_that_was_sent(payload: object, why: str) -> None:
    fault = bad_status(ASKED, 422, {"content-type": "application/json"}, json.dumps(payload).encode())
    assert fault.message == f"http://h.example/chat answered POST with 422{f': {why}' if why else ''}."


@given(st.binary(max_size=200), st.sampled_from(["", "text/plain", "application/json", "text/html"]))
def test_whatever_a_refusal_says_is_one_printable_line(body: bytes, media: str) -> None:
    said = bad_status(BARE, 500, {"content-type": media}, body).message
    assert said.isprintable()
    assert len(said) < 400


@pytest.mark.parametrize(
    ("ask", "status", "headers", "hint"),
    [
        (BARE, 422, {}, "Give the parameters it wants"),
        (ASKED, 422, {}, "Correct --data"),
        (BARE, 401, {}, "--token-env NAME"),
        (ASKED, 401, {}, "The credentials that were given do not open it"),
        (BARE, 405, {}, "--method POST or GET"),
        (BARE, 405, {"allow": "POST, OPTIONS"}, "as in --method POST."),
        (BARE, 415, {}, "Content-Type: application/json"),
        (BARE, 426, {"upgrade": "websocket"}, "WebSocket"),
        (BARE, 431, {}, "fewer headers"),
        (BARE, 204, {}, "no answer to read"),
        (BARE, 302, {}, "no answer to read"),
        (BARE, 500, {}, "Look at the server's log."),
    ],
)
def test_the_next_step_follows_from_what_was_given(
    ask: Ask, status: int, headers: dict[str, str], hint: str
) -> None:
    assert hint in bad_status(ask, status, headers).hint


@pytest.mark.parametrize(
    ("events", "wrong"),
    [
        (
            [("message", "a"), ("message", '{"error": {"message": "quota\\nexceeded", "code": 1}}')],
            "quota exceeded",
        ),
        ([("error", '{"type": "error", "error": {"type": "x", "message": "overloaded"}}')], "overloaded"),
        ([("message", '{"type": "error", "message": "gone"}'), ("message", "[DONE]")], "gone"),
        ([("error", "it broke")], "it broke"),
        ([("line", '{"error": "no model", "done": true}')], "no model"),
        ([("chunk", '{"jsonrpc": "2.0", "error": {"code": -32000,'), ("chunk", ' "message": "no"}}')], "no"),
        ([("error", "no key sec-ret")], "no key …"),
        ([("message", '{"error": null}'), ("message", '{"error": true}'), ("message", "[1]")], ""),
        ([("chunk", "an error "), ("chunk", "is text")], ""),
        ([], ""),
    ],
)
def test_an_answer_with_a_good_status_repeats_the_error_that_it_reports(
    events: list[tuple[str, str]], wrong: str
) -> None:
    assert reported(ASKED, [Event(kind, data, "", len(data)) for kind, data in events]) == wrong


@given(
    st.lists(
        st.builds(Event, st.sampled_from(["error", "message", "chunk"]), st.text(), st.just(""), st.just(1))
    )
)
def test_whatever_an_answer_reports_is_one_printable_line(events: list[Event]) -> None:
    assert reported(BARE, events).isprintable()


@pytest.mark.parametrize(
    "says",
    [
        "<center>The plain HTTP request was sent to HTTPS port</center>",
        "Client sent an HTTP request to an HTTPS server.",
        "You're speaking plain HTTP to an SSL-enabled server port.",
    ],
)
def test_a_tls_port_that_says_so_in_plain_http_is_named_with_the_address_that_was_meant(says: str) -> None:
    fault = bad_status(BARE, 400, {"content-type": "text/html"}, says.encode())
    assert (fault.code, fault.hint) == (Code.NOT_HTTP, "Did you mean https://h.example/chat?")
