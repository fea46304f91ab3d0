"""Whom the page's server answers. Pure.

A page anywhere can send requests to a server on this machine, and with a name of its own that resolves to
127.0.0.1 it could read the answers too. So the Host must be a name of ours, and what does something must come
from our own page. And where other machines reach the server, a request must show the secret that stands in
the page's address: each run spends the credentials, and perhaps a model, of the person who started it.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from kit.loopback import is_loopback


def host_of(header: str) -> str | None:
    """The name or address in a Host header, in lower case, without port and brackets; None for no such."""
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None


def is_ours(host: str | None, names: Collection[str], reached: str | None) -> bool:
    """Whether a Host is one of ours: this machine's own, one that was given, or the address that was reached.

    Args:
        host: as `host_of` gives it.
        names: the names that the user gave, in lower case.
        reached: the local address of the connection; another's page cannot bring a browser to name it.
    """
    if host is None:
        return False
    return is_loopback(host) or host in names or (reached is not None and _same(host, reached))


def is_from_us(headers: Mapping[str, str], names: Collection[str], reached: str | None) -> bool:
    """Whether a request comes from our own page, or from no page at all.

    The browser's own word (Sec-Fetch-Site) counts where there is one; it has none on a plain http page of
    another machine's, and then the Origin's name must be ours.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return is_ours(urlsplit(origin).hostname, names, reached)
    except ValueError:
        return False


def needs_secret(host: str, names: Collection[str]) -> bool:
    """Whether others than this machine's own user may reach what listens on `host` and is opened as `names`.

    A further name is a tunnel's or a preview's, which leads here from elsewhere.
    """
    return bool(names) or not is_loopback(host)


def shows(secret: str, shown: Collection[str | None]) -> bool:
    """Whether the secret is among what was shown; how long this takes says nothing of it."""
    right = [hmac.compare_digest((one or "").encode(), secret.encode()) for one in shown]
    return any(right)


def _same(host: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(host) == ipaddress.ip_address(address)
    except ValueError:
        return False
