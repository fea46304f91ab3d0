"""May a browser's page ask a service by itself? Found out by asking as the browser would.

What a page may read of another origin's, that origin says: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

from urllib.parse import urlsplit

from kit.errors import KitError
from kit.loopback import is_loopback
from kit.probe.client import Ask, Client
from kit.probe.origin import ping_path
from kit.probe.tls import Trust, trust_here

_WITHIN_MS = 10_000.0


async def may_ask(
    client: Client, ask: Ask, base: str | None, page: str | None, *, polls: bool = False
) -> bool:
    """Whether a page may ask for the answer, and for the proof where there is one.

    Args:
        client: who asks.
        ask: the answer's request. One that shows a credential is no browser's business.
        base: the proof's prefix; None where there is none.
        page: the page's origin, as in "http://127.0.0.1:8765"; None where it is not known.
        polls: whether it will send Prefer, to ask for the answer in pieces.
    """
    if page is None or not _may_reach(ask, page):
        return False
    wanted = {"Origin": page, "Access-Control-Request-Method": ask.method}
    if ask.body is not None:
        wanted["Access-Control-Request-Headers"] = "content-type,prefer" if polls else "content-type"
    asked = [Ask("OPTIONS", ask.url, tuple(wanted.items()))]
    if base is not None:
        asked.append(Ask("GET", f"{base}/{ping_path()}", (("Origin", page),)))
    return all([await _allows(client, one, page) for one in asked])


def origin_of(url: str) -> str:
    """The origin of an address, as a browser writes it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


def _may_reach(ask: Ask, page: str) -> bool:
    lane, here = urlsplit(ask.url), urlsplit(page)
    if lane.username is not None or any(name.lower() != "content-type" for name, _ in ask.headers):
        return False
    if here.scheme == "https" and lane.scheme == "http":
        return False  # mixed content
    if lane.scheme == "https" and trust_here() != Trust():
        return False  # a browser trusts by its own list
    try:
        (ask.body or b"").decode()
    except UnicodeDecodeError:  # the page is told of the request in JSON
        return False
    # A loopback address is the machine's where the browser runs, which may be another than this one.
    return is_loopback(here.hostname or "") or not is_loopback(lane.hostname or "")


async def _allows(client: Client, ask: Ask, page: str) -> bool:
    try:
        response, _, _, _ = await client.fetch(ask, within_ms=_WITHIN_MS)
    except KitError:
        return False
    allowed = response.headers.get("access-control-allow-origin")
    return response.status < 300 and allowed in ("*", page)
