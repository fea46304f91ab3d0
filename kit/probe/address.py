"""An address as a person types it, and as it goes on the wire."""

from __future__ import annotations

import difflib
import re
from typing import TypeAlias
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from kit.errors import UsageError
from kit.loopback import is_loopback
from kit.probe.http_errors import shown

# What RFC 3986 lets stand in a path or a query; "%" because most of what is typed is quoted already.
_KEPT = "%/?:@!$&'()*+,;=-._~[]"

# X-Serverless-Authorization is Google's second place for an identity token:
# https://docs.cloud.google.com/run/docs/authenticating/service-to-service
# The next three are where text generators (Anthropic's, Azure's, Google's) take their keys, the last is where
# a proof takes its own.
_IDENTIFYING = (
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-serverless-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "streamproof-token",
)
_PORTS = {"http": 80, "https": 443}

Headers: TypeAlias = tuple[tuple[str, str], ...]


def checked(url: str) -> SplitResult:
    """The address in its parts.

    Raises:
        KitError: BAD_USAGE, it is none that can be asked.
    """
    if (parts := _parts(url)) is not None:
        return parts
    meant = _meant(url)
    port = re.match(r"[A-Za-z]+://[^/?#]*:(\d+)(?:[/?#]|$)", url)
    if port is not None and not 0 < int(port[1][:6]) < 65_536:
        raise UsageError(f"The port of {shown(url)[:200]!r} is none.", "Ports go from 1 to 65535.")
    raise UsageError(
        f"{shown(url)[:200]!r} is no address that can be probed.",
        f"Did you mean {meant}?" if meant else "Give a whole one, as in https://example.com/search.",
    )


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        host = _host(parts)
        fine = parts.scheme in ("http", "https") and host.isprintable() and not set(host) & set(' "<>\\^`{|}')
    except ValueError:  # a port that is none, half an IPv6 address, a label too long
        return None
    return parts if fine and host else None


# What may be a scheme (no name with a port), and the rest.
_TYPED = re.compile(r"(?:([A-Za-z]+)(?::/*|//+)(?![0-9]{1,5}(?:[/?#]|$)))?(.*)", re.DOTALL)
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


def _meant(url: str) -> str:
    """The address that was probably meant, as `shown`; empty where none is near."""
    typed = url.strip(" \t\r\n<>'\"`")
    found = _TYPED.fullmatch(re.sub("^//", "", typed))
    scheme, rest = found.groups() if found else ("", "")
    rest = f"localhost{rest}" if re.match(":[0-9]", rest) else rest
    if six := re.fullmatch(r"([0-9A-Fa-f:]*::[0-9A-Fa-f:]*?)(:[0-9]{2,5})?([/?#].*|)", rest, re.DOTALL):
        rest = f"[{six[1]}]{six[2] or ''}{six[3]}"  # IPv6 without its brackets
    if scheme:
        near = difflib.get_close_matches(scheme.lower(), _SCHEMES, n=1)
        scheme = _SCHEMES[near[0]] if near else ""
    elif (parts := _parts(f"http://{rest}")) is not None:
        name = parts.hostname or ""
        local = is_loopback(name) or parts.port not in (None, 443) or name.replace(".", "").isdigit()
        scheme = "http" if local else "https" if "." in name.strip(".") else ""
    meant = _parts(f"{scheme}://{rest}") if scheme else None
    return "" if meant is None else shown(meant.geturl())


def in_ascii(url: str) -> str:
    """The address as it is sent: the name in IDNA, the rest percent-encoded, without a password.

    Raises:
        KitError: BAD_USAGE, it is none that can be asked.
    """
    parts = checked(url)
    try:
        path, query, fragment = (quote(part, safe=_KEPT) for part in parts[2:])
    except UnicodeEncodeError:  # half a character
        path, query, fragment = (quote(part, safe=_KEPT, errors="replace") for part in parts[2:])
    return urlunsplit((parts.scheme, _host(parts), path, query, fragment))


def same_origin(headers: Headers, url: str, other: str) -> Headers:
    """The headers, without what identifies the user if `other` is another origin than `url` (RFC 6454, 4)."""
    if _origin(url) == _origin(other):
        return headers
    return tuple(header for header in headers if header[0].lower() not in _IDENTIFYING)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _host(parts: SplitResult) -> str:
    """Name and port in ASCII; empty where there is none. Raises ValueError where it cannot be one."""
    name = parts.hostname or ""
    if parts.port == 0:
        raise ValueError
    if name and not name.isascii():
        name = name.encode("idna").decode("ascii")
    name = f"[{name}]" if ":" in name else name
    return name if parts.port is None or not name else f"{name}:{parts.port}"
