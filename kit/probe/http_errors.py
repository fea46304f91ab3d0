"""Errors between the kit and a server, each in one sentence with a remedy."""

from __future__ import annotations

import errno
import json
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import httpcore2

from kit.errors import Code, KitError
from kit.language import text
from kit.urls import without_credentials

if TYPE_CHECKING:
    from kit.probe.client import Ask
    from kit.proof.events import Event

E = TypeVar("E", bound=BaseException)

# The resolver's words for "there is none" (not every system has both); all else means that it does not know.
_NO_SUCH_NAME = tuple(getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA") if hasattr(socket, name))

_REFUSALS = {
    errno.ECONNREFUSED: text("connection refused"),
    errno.EHOSTUNREACH: text("no route to it"),
    errno.ENETUNREACH: text("no route to its network"),
    errno.ETIMEDOUT: text("it does not react"),
}


def shown(url: str) -> str:
    """The address as it may be shown: without credentials and without its query."""
    try:
        parts = urlsplit(without_credentials(url))
    except ValueError:
        return text("that address")
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


class translate_errors:
    """`with translate_errors(url, …):` turns what httpcore2 and the socket layer raise into a `KitError`.

    Args:
        url: what was asked; shown without its query, which may hold a prompt or a key.
        in_body: whether the response's head is in already.
        timeout_s: what a timeout's sentence says; None says no number.
    """

    def __init__(self, url: str, *, in_body: bool, timeout_s: float | None = None) -> None:
        self._url = shown(url)
        self._in_body = in_body
        self._timeout_s = timeout_s

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, (KitError, TimeoutError)):
            translated = self._error(error)
            if translated is not None:
                raise translated from error

    def _error(self, error: Exception) -> KitError | None:
        url, why = self._url, " ".join(str(error).split())[:200]
        host = _origin(url)
        match error:
            case httpcore2.TimeoutException():
                return timed_out(url, self._timeout_s)
            case httpcore2.ConnectError() if failed := _cause(error, ssl.SSLError):
                return _tls_failed(url, failed)
            case httpcore2.ConnectError() if lookup := _cause(error, socket.gaierror):
                unknown = lookup.errno in _NO_SUCH_NAME
                said = text("The host name in {host} could not be looked up ({why}).")
                said = text("The host name in {host} is not known.") if unknown else said
                return KitError(
                    Code.NAME_NOT_FOUND,
                    said.format(host=host, why=lookup.strerror),
                    text("Check the spelling, and that this machine can look names up."),
                )
            case httpcore2.ConnectError() | httpcore2.ProxyError():
                return KitError(
                    Code.UNREACHABLE,
                    text(
                        "No server answers at {host} ({why}).",
                        host=host,
                        why=_refusal(error) or why or text("connection failed"),
                    ),
                    text("Check the host and port, and that the server is running."),
                )
            case httpcore2.RemoteProtocolError() if self._in_body:
                return KitError(
                    Code.BODY_CUT,
                    text("{url} broke off in the middle of its answer ({why}).", url=url, why=why),
                    text("Look at the server's log, and at the time limits on the way."),
                )
            case httpcore2.ProtocolError():
                return KitError(
                    Code.NOT_HTTP,
                    text("{url} did not answer in HTTP ({why}).", url=url, why=why),
                    text("Check the port, and http:// against https://."),
                )
            case httpcore2.NetworkError() | OSError():
                return KitError(
                    Code.BODY_CUT if self._in_body else Code.UNREACHABLE,
                    text("The connection to {url} broke ({why}).", url=url, why=why or type(error).__name__),
                    text("Look at the server's log, and try again.")
                    if self._in_body
                    else text("Check the port, and http:// against https://; then look at the server's log."),
                )
        return None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def timed_out(url: str, seconds: float | None) -> KitError:
    """No answer in time; `url` as `shown`."""
    within = text("{url} did not answer within {seconds:.0f} s.")
    said = text("{url} did not answer.") if seconds is None else within
    return KitError(
        Code.TIMED_OUT,
        said.format(url=url, seconds=seconds),
        text("Give it longer with --timeout SECONDS, or look at whether the server is stuck."),
    )


def _cause(error: BaseException | None, kind: type[E]) -> E | None:
    """The error of this kind that it comes from, however often it was wrapped since."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def _refusal(error: BaseException) -> str:
    """Why no connection could be made, in words; empty where the system's number says nothing usual."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, BaseExceptionGroup):  # one for each of the name's addresses
            return next(filter(None, map(_refusal, seen.exceptions)), "")
        if isinstance(seen, OSError) and seen.errno in _REFUSALS:
            return _REFUSALS[seen.errno]
        seen = seen.__cause__ or seen.__context__
    return ""


# In openssl's words: what came was no TLS at all, or HTTP.
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG")
# openssl's x509_vfy.h: whom another authority would satisfy.
_UNKNOWN_ISSUER = (18, 19, 20, 21)


def _tls_failed(url: str, error: ssl.SSLError) -> KitError:
    host = _origin(url)
    if getattr(error, "reason", "") in _NO_TLS:
        return KitError(
            Code.TLS_FAILED,
            text("{host} does not speak TLS.", host=host),
            text("Did you mean {url}?", url=_with_scheme(url, "http")),
            lasting=True,
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        why = getattr(error, "verify_message", "") or _UNVERIFIED
        unknown = getattr(error, "verify_code", None) in _UNKNOWN_ISSUER
        return KitError(
            Code.TLS_FAILED,
            text(
                "The certificate of {host} is not trusted: {why}.",
                host=host,
                why=why if why is _UNVERIFIED else why.rstrip("."),
            ),
            (
                text(
                    "Name the certificate that signed it: --cacert FILE, or SSL_CERT_FILE=FILE kit …; "
                    "--insecure trusts any."
                )
                if unknown
                else text("Correct the certificate, or the name in the address; --insecure trusts any.")
            ),
            lasting=True,
        )
    why = " ".join(str(error).split())[:200] or text("the handshake failed")
    return KitError(
        Code.TLS_FAILED,
        text("No secure connection to {host}: {why}", host=host, why=why),
        text("Check https:// against http://, and what versions of TLS the server speaks."),
    )


def no_plain_http(url: str) -> KitError:
    """A port that speaks TLS was asked in plain HTTP."""
    return KitError(
        Code.NOT_HTTP,
        text("{host} speaks TLS, and was asked in plain HTTP.", host=_origin(shown(url))),
        text("Did you mean {url}?", url=_with_scheme(shown(url), "https")),
        lasting=True,
    )


def _with_scheme(url: str, scheme: str) -> str:
    return f"{scheme}://{url.partition('://')[2]}"


# Refusals that say of themselves that another time may do: https://www.rfc-editor.org/rfc/rfc9110#section-15.5
_NOT_NOW = (408, 409, 421, 425, 429)
_UNVERIFIED = text("it cannot be verified")
_GIVE_DATA = text("--data '{…}', or probe_body in kit.toml")
# In the words of nginx, Go (Caddy, Traefik) and Apache.
_SPOKE_PLAIN = re.compile(
    r"plain HTTP request was sent|HTTP request to an HTTPS server|SSL-enabled server port"
)


def bad_status(
    ask: Ask, status: int, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> KitError:
    """A status that is no answer.

    Args:
        ask: what was asked; neither its headers nor its body are shown.
        status: what was answered.
        headers: the response's, by lower-case name.
        body: how the response's body begins, which may say why.
    """
    headers = headers or {}
    if status == 400 and _SPOKE_PLAIN.search(body.decode("utf-8", "replace")):
        return no_plain_http(ask.url)
    why = _without_what_was_sent(ask, said(headers.get("content-type", ""), body))
    answered = text("{url} answered {method} with {status}.")
    answered = text("{url} answered {method} with {status}: {why}.") if why else answered
    return KitError(
        Code.HTTP_STATUS,
        answered.format(url=shown(ask.url), method=ask.method, status=status, why=why.rstrip(".")),
        _hint(ask, status, headers),
        lasting=400 <= status < 500 and status not in _NOT_NOW,
    )


# What of a request says nothing of the user.
_PLAIN = ("accept", "accept-encoding", "accept-language", "content-type", "user-agent")


def reported(ask: Ask, events: Sequence[Event]) -> str:
    """What an answer with a good status says went wrong, in its last event that says so; else "".

    Args:
        ask: what was asked; neither its headers nor its body are shown.
        events: the answer's.
    """
    if events and all(event.type == "chunk" for event in events):  # one document, however it was read
        events = [replace(events[0], data="".join(event.data for event in events))]
    for event in reversed(events):
        try:
            payload = json.loads(event.data)
        except (ValueError, RecursionError):
            payload = event.data
        wrong = payload.get("error") if isinstance(payload, dict) else None
        if not wrong and "error" in (event.type, payload.get("type") if isinstance(payload, dict) else ""):
            wrong = payload
        if wrong and (why := _shown(_sentence(wrong))):
            return _without_what_was_sent(ask, why)
    return ""


def _without_what_was_sent(ask: Ask, why: str) -> str:
    """Some servers repeat a key or a question: what is sent in headers and in the query is not shown."""
    sent = [word for name, value in ask.headers if name.lower() not in _PLAIN for word in value.split()]
    sent += [value for _, value in parse_qsl(urlsplit(ask.url).query)]
    for word in sorted((word for word in sent if len(word) >= 4), key=len, reverse=True):
        why = why.replace(word, "…")
    return why


def _hint(ask: Ask, status: int, headers: Mapping[str, str]) -> str:
    sent = {name.lower() for name, _ in ask.headers}
    if status in (401, 403) and "authorization" in sent:
        return text(
            "The credentials that were given do not open it: look at who may call it, and for how long."
        )
    if status in (405, 501) and (allowed := headers.get("allow", "").strip()):
        return text(
            "Give a method that it takes ({allowed}), as in --method {first}.",
            allowed=allowed,
            first=re.split("[, ]", allowed)[0],
        )
    if status == 415 and "content-type" in sent:
        return text("It takes another Content-Type than was given: --header 'Content-Type: …'.")
    if status in (400, 422) and ask.body is not None:
        return text("Correct --data (probe_body in kit.toml), or its --header 'Content-Type: …'.")
    if status < 400:
        return text("That is no answer to read: give the address, or the request, whose answer streams.")
    return _HINTS.get(status, text("Look at the server's log."))


_HINTS = {
    400: text("Give what it wants: {give_data}, or parameters in the address.", give_data=_GIVE_DATA),
    401: text(
        "Give a token: --token-env NAME names the variable that holds it; for `kit compare "
        "--deployed` it is KIT_TOKEN."
    ),
    403: text("Give a token that may call it: --token-env NAME names the variable that holds it."),
    404: text("Check the path."),
    405: text("Try the other method: --method POST or GET, or probe_method in kit.toml."),
    407: text("A proxy on the way wants credentials: name them in the address of https_proxy or http_proxy."),
    406: text("Say what it may answer with: --header 'Accept: …'."),
    411: text("Give --data, even an empty one: --data ''."),
    413: text("Send less in --data, or raise the limit (nginx: client_max_body_size)."),
    415: text("Say what the data is: --header 'Content-Type: application/json'."),
    422: text("Give the parameters it wants: {give_data}.", give_data=_GIVE_DATA),
    426: text("It speaks another protocol there (WebSocket?): give the address of a stream over HTTP."),
    429: text("It is asked too often; wait and try again."),
    501: text("Try the other method (--method POST or GET); or a hop will not forward it incrementally."),
    431: text("Send fewer headers, or shorter ones: cookies, a long token."),
    502: text(
        "A hop answered for a service that it could not reach: check that the service runs, and its log."
    ),
    504: text(
        "A hop answered for a service that took too long: look at the service, and at the hop's time limit."
    ),
    503: text("It is overloaded or starting; wait and try again."),
}


def said(media: str, body: bytes) -> str:
    """What an error's body says in a sentence: FastAPI's `detail`, a problem's, OpenAI's `error`; else "".

    Of FastAPI's only where and what, and not the input that it repeats.
    """
    text = body.decode("utf-8", "replace")
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        payload = text if media.startswith("text/plain") else None
    return _shown(_sentence(payload))


def _shown(sentence: str) -> str:
    return "".join(c for c in " ".join(sentence.split()) if c.isprintable())[:300]


def _sentence(payload: object) -> str:
    match payload:
        case str():
            return payload
        case {"msg": str(what), "loc": [*where]}:
            return f"{'.'.join(map(str, where))}: {what}"
        case {"detail": inner} | {"error": inner} | {"message": inner} | {"title": inner} if inner:
            return _sentence(inner)
        case [*several]:
            return "; ".join(filter(None, map(_sentence, several)))
    return ""


def silent(url: str, timeout_s: float, *, head_came: bool) -> KitError:
    """Nothing of an answer came within its time, or nothing but its head."""
    said = text("{url} answered but sent no event within {timeout_s:g} s.")
    said = said if head_came else text("{url} did not answer within {timeout_s:g} s.")
    return KitError(
        Code.NO_STREAM if head_came else Code.TIMED_OUT,
        said.format(url=shown(url), timeout_s=timeout_s),
        text("Give it longer with --timeout SECONDS, or look at whether the server is stuck."),
    )
