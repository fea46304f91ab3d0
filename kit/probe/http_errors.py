"""Errors between the kit and a server, each in one sentence with a remedy."""

from __future__ import annotations

import socket
import ssl
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import httpcore2

from kit.errors import Code, KitError

E = TypeVar("E", bound=BaseException)

# The resolver's words for "there is none" (not every system has both); all else means that it does not know.
_NO_SUCH_NAME = tuple(getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA") if hasattr(socket, name))


def shown(url: str) -> str:
    """The address as it may be shown: without credentials and without its query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "that address"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


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
        url, text = self._url, " ".join(str(error).split())[:200]
        host = _origin(url)
        match error:
            case httpcore2.TimeoutException():
                return timed_out(url, self._timeout_s)
            case httpcore2.ConnectError() if _cause(error, ssl.SSLError):
                return KitError(
                    Code.TLS_FAILED,
                    f"No secure connection to {host}: {text or 'the handshake failed'}",
                    "Check https:// against http://, the name in the address and the server's certificate; "
                    "SSL_CERT_FILE names a CA of your own.",
                )
            case httpcore2.ConnectError() if lookup := _cause(error, socket.gaierror):
                unknown = lookup.errno in _NO_SUCH_NAME
                reason = "is not known" if unknown else f"could not be looked up ({lookup.strerror})"
                return KitError(
                    Code.NAME_NOT_FOUND,
                    f"The host name in {host} {reason}.",
                    "Check the spelling, and that this machine can look names up.",
                )
            case httpcore2.ConnectError() | httpcore2.ProxyError():
                return KitError(
                    Code.UNREACHABLE,
                    f"No server answers at {host} ({text or 'connection failed'}).",
                    "Check the host and port, and that the server is running.",
                )
            case httpcore2.RemoteProtocolError() if self._in_body:
                return KitError(
                    Code.BODY_CUT,
                    f"{url} broke off in the middle of its answer ({text}).",
                    "Look at the server's log, and at the time limits on the way.",
                )
            case httpcore2.ProtocolError():
                return KitError(
                    Code.NOT_HTTP,
                    f"{url} did not answer in HTTP ({text}).",
                    "Check the port, and http:// against https://.",
                )
            case httpcore2.NetworkError() | OSError():
                return KitError(
                    Code.BODY_CUT if self._in_body else Code.UNREACHABLE,
                    f"The connection to {url} broke ({text or type(error).__name__}).",
                    "Look at the server's log, and try again."
                    if self._in_body
                    else "Check the port, and http:// against https://; then look at the server's log.",
                )
        return None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def timed_out(url: str, seconds: float | None) -> KitError:
    """No answer in time; `url` as `shown`."""
    within = "" if seconds is None else f" within {seconds:.0f} s"
    return KitError(
        Code.TIMED_OUT,
        f"{url} did not answer{within}.",
        "Give it longer with --timeout SECONDS, or look at whether the server is stuck.",
    )


def _cause(error: BaseException | None, kind: type[E]) -> E | None:
    """The error of this kind that it comes from, however often it was wrapped since."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


# Refusals that say of themselves that another time may do: https://www.rfc-editor.org/rfc/rfc9110#section-15.5
_NOT_NOW = (408, 409, 421, 425, 429)


def bad_status(url: str, method: str, status: int) -> KitError:
    """A status that is no answer."""
    hints = {
        401: "Give a token: --bearer-env NAME names the variable that holds it; for `kit compare --deployed` "
        "it is KIT_TOKEN.",
        403: "Give a token that may call it: --bearer-env NAME names the variable that holds it.",
        404: "Check the path.",
        405: "Try the other method: --method POST or GET, or probe_method in kit.toml.",
        406: "Say what it may answer with: --header 'Accept: …'.",
        415: "Say what the data is: --header 'Content-Type: application/json'.",
        422: "Give the parameters it wants: --data '{…}' --header 'Content-Type: application/json', or "
        "probe_body in kit.toml.",
        429: "It is asked too often; wait and try again.",
        501: "Try the other method (--method POST or GET); or a hop will not forward it incrementally.",
        503: "It is overloaded or starting; wait and try again.",
    }
    return KitError(
        Code.HTTP_STATUS,
        f"{shown(url)} answered {method} with {status}.",
        hints.get(status, "Look at the server's log."),
        lasting=400 <= status < 500 and status not in _NOT_NOW,
    )


def silent(url: str, timeout_s: float, *, head_came: bool) -> KitError:
    """Nothing of an answer came within its time, or nothing but its head."""
    within = f"within {timeout_s:g} s"
    return KitError(
        Code.NO_STREAM if head_came else Code.TIMED_OUT,
        f"{shown(url)} "
        + (f"answered but sent no event {within}." if head_came else f"did not answer {within}."),
        "Give it longer with --timeout SECONDS, or look at whether the server is stuck.",
    )
