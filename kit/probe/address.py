"""An address as a person types it, and as it goes on the wire."""

from __future__ import annotations

from typing import TypeAlias
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from kit.errors import UsageError
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
    try:
        parts = urlsplit(url)
        host = _host(parts)
        fine = parts.scheme in ("http", "https") and host.isprintable() and not set(host) & set(' "<>\\^`{|}')
    except ValueError:  # a port that is none, half an IPv6 address, a label too long
        fine = False
    if not fine or not host:
        raise UsageError(
            f"{shown(url)[:200]!r} is no address that can be probed.",
            "Give a whole one, as in https://example.com/search.",
        )
    return parts


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
