"""The header rules of a front. Pure: headers in, headers out.

A front removes what a platform is documented to remove, adds what it is documented to add, and sees to what
belongs to one hop only (RFC 9110, section 7.6.1) by itself.

Added values may hold placeholders, filled in for each exchange:

- `{trace}`: `TRACE/SPAN` as in X-Cloud-Trace-Context, random, the same in request and response
- `{client}`: the client's address
- `{forwarded_for}`: the X-Forwarded-For that the client sent, a comma, its address; else its address only
- `{scheme}`: the scheme that the client used (the lab has no TLS: always `http`)
- `{host}`: the Host that the client asked for
- `{date}`: now, as an HTTP date, for fronts that set their own Date
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from kit.errors import Code, KitError

Header = tuple[bytes, bytes]
"""A name, in any case, and its value."""

PLACEHOLDERS = frozenset({"trace", "client", "forwarded_for", "scheme", "host", "date"})
_PLACEHOLDER = re.compile(r"\{(\w*)\}")

_ONE_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade".split()
)


def check(added: Mapping[str, str]) -> None:
    """Raise `KitError` (bad-target) if a value holds a placeholder that no front can fill in."""
    for name, value in added.items():
        for placeholder in _PLACEHOLDER.findall(value):
            if placeholder not in PLACEHOLDERS:
                known = ", ".join(f"{{{each}}}" for each in sorted(PLACEHOLDERS))
                raise KitError(
                    Code.BAD_TARGET,
                    f"The front adds the header {name} with {{{placeholder}}}, which stands for nothing.",
                    f"In target.toml use one of {known}.",
                )


def rewrite(
    headers: Iterable[Header], *, removed: Iterable[str], added: Mapping[str, str], values: Mapping[str, str]
) -> tuple[Header, ...]:
    """What a front makes of a head's headers.

    Args:
        headers: as they came.
        removed: lower-case names; a trailing `*` stands for any end.
        added: name to value; takes the place of whatever bore that name.
        values: what the placeholders stand for in this exchange.
    """
    came = list(headers)
    gone = _ONE_HOP | _named_by_connection(came)
    gone |= {name.lower().encode("latin-1") for name in added}
    patterns = tuple(removed)

    def stays(name: bytes) -> bool:
        lower = name.lower()
        text = lower.decode("latin-1")
        return lower not in gone and not any(fnmatchcase(text, pattern) for pattern in patterns)

    kept = [(name, value) for name, value in came if stays(name)]
    return (*kept, *((name.encode("latin-1"), _fill(value, values)) for name, value in added.items()))


def find(headers: Iterable[Header], name: bytes) -> bytes | None:
    """The value of the first header of that (lower-case) name."""
    return next((value for key, value in headers if key.lower() == name), None)


def without(headers: Iterable[Header], name: bytes) -> tuple[Header, ...]:
    """All but those of that (lower-case) name."""
    return tuple((key, value) for key, value in headers if key.lower() != name)


def _named_by_connection(headers: Iterable[Header]) -> frozenset[bytes]:
    named = b",".join(value for name, value in headers if name.lower() == b"connection")
    # "close" and "keep-alive" are options, not names, and no header is called so.
    return frozenset(token.strip().lower() for token in named.split(b","))


def _fill(value: str, values: Mapping[str, str]) -> bytes:
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), value).encode("latin-1", "replace")
