"""The origin's half of the proof, as seen from here: finding it, and asking it (docs/proof-protocol.md)."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from pydantic import TypeAdapter, ValidationError

from kit.errors import Code, KitError, UsageError
from kit.probe.address import Headers, same_origin
from kit.probe.client import Ask, Client, now_ms
from kit.probe.http_errors import shown
from kit.proof.actions import Gone, Progress, Reply
from kit.proof.conditions import CACHE_CONTROL, MEDIA_TYPES, Conditions
from kit.proof.doubts import Doubt

T = TypeVar("T")

_BEGINS = b"{"
_PROGRESS = TypeAdapter(Progress)
_GONE = TypeAdapter(Gone)
_PING_MS = 5_000.0
SHOWN_IN = "streamproof-token"
LIMITED = (429, 503)  # how a limit on requests or connections answers
LIMITED_S = 1.0  # before what a limit refused is asked for again
LENGTH = 256 * 1024  # octets: more than any stream with a length sends
# Why an origin that speaks the protocol takes no part now: its error has the name of the doubt.
_CLOSED = {
    str(doubt): doubt
    for doubt in (
        Doubt.PROOF_EXPIRED,
        Doubt.PROOF_UNTIL_UNREADABLE,
        Doubt.PROOF_TOKEN,
        Doubt.PROOF_TOKEN_UNUSABLE,
    )
}
_NOBODY_THERE = (Code.UNREACHABLE, Code.NAME_NOT_FOUND, Code.TLS_FAILED, Code.BAD_USAGE)


@dataclass(frozen=True, slots=True)
class Found:
    """Whether an origin speaks the proof's protocol.

    Attributes:
        base: its prefix; None where it is not to be had.
        why_not: where it is not.
        ours: whether it is the kit's own service: by what it says where a token is wanted, and at a root.
        shows: the header that every request to the proof bears, where the origin asked for its token.
    """

    base: str | None
    why_not: Doubt = Doubt.NO_PROOF
    ours: bool = False
    shows: Headers = field(default=(), repr=False)

    @property
    def speaks(self) -> bool:
        """Whether the protocol is spoken there, now or at another time."""
        return self.base is not None or self.why_not in _CLOSED.values() or self.ours


async def discover(
    client: Client,
    url: str,
    headers: Headers,
    *,
    within_ms: float,
    proof_url: str | None,
    token: str | None = None,
) -> Found:
    """Look for `proof/ping` beside the probed URL, then at the origin, or only at `proof_url`.

    Args:
        client: who asks.
        url: the probed URL.
        headers: of the request for it.
        within_ms: a service that is still starting may take so long once; not once for each place to look at.
        proof_url: the proof's prefix, or its path at the origin, where the user named it.
        token: the proof's own. Only who speaks the protocol and asks for a token is shown it.

    Raises:
        KitError: the server cannot be reached at all.
    """
    found, until = Found(None), now_ms() + within_ms
    bases = [urljoin(url, proof_url).rstrip("/")] if proof_url else _bases(url)
    for place, base in enumerate(bases):
        wait_ms = within_ms if place == 0 else max(until - now_ms(), _PING_MS)
        usual = same_origin(headers, url, base)
        try:
            here = await _at(client, base, usual, wait_ms)
            if here.why_not is Doubt.PROOF_LIMITED:
                await asyncio.sleep(LIMITED_S)
                here = await _at(client, base, usual, wait_ms)
            if here.why_not is Doubt.PROOF_TOKEN and token is not None:
                shows = ((SHOWN_IN, token),)
                here = replace(await _at(client, base, (*usual, *shows), wait_ms), shows=shows)
        except KitError as error:
            if error.code in _NOBODY_THERE:
                error.hint = error.hint.replace(f"{_bare(base)}/ping", _bare(url))
                raise
            continue  # whatever this path does, the answer's own may do better
        if here.base is not None:
            found = here
            break
        if not found.speaks and here.why_not is not Doubt.NO_PROOF:
            found = here
    at = root(url, found)
    if at is not None and found.speaks and not found.ours:
        found = replace(found, ours=await _is_ours(client, at, same_origin(headers, url, at)))
    return found


def root(url: str, found: Found) -> str | None:
    """The service's root without its slash, where the URL is just that; None where it asks for more."""
    parts = urlsplit(url)
    at = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
    is_root = parts.path in ("", "/") or found.base == f"{at}/proof"
    return at if is_root and not parts.query else None


async def _is_ours(client: Client, at: str, headers: Headers) -> bool:
    """Whether what is at this root says that it is the kit's own service."""
    ask = Ask("GET", f"{at}/whoami", headers)
    try:
        response, body, _, _ = await client.fetch(ask, within_ms=_PING_MS, begins=_BEGINS)
    except KitError:
        return False
    return response.status == 200 and {"target", "generator", "instance"} <= _object(body).keys()


async def _at(client: Client, base: str, headers: Headers, within_ms: float) -> Found:
    """Who answers a ping at this prefix. Raises KitError."""
    ask = Ask("GET", f"{base}/{ping_path()}", headers)
    response, body, _, _ = await client.fetch(ask, within_ms=within_ms, begins=_BEGINS)
    payload = _object(body)
    if payload.get("streamproof") == 1:
        if response.status == 200:
            return Found(base)
        return Found(None, _CLOSED.get(str(payload.get("error")), Doubt.NO_PROOF))
    if response.status in LIMITED:
        return Found(None, Doubt.PROOF_LIMITED)
    if response.status in (401, 403):
        # Whatever guards it answers in its own words; the service's are problems of a type of its own.
        ours = str(payload.get("type")).startswith("urn:streamproof:problem:")
        return Found(None, Doubt.PROOF_REFUSED, ours)
    return Found(None)


def usable(token: str | None) -> str | None:
    """The proof's token, or None for none.

    Raises:
        KitError: BAD_USAGE, no origin takes such a token. It is not repeated.
    """
    if token is not None and not re.fullmatch(r"[!-~]{16,}", token):
        raise UsageError(
            "The proof's token is not 16 or more visible ASCII characters.",
            "Give what the service has in STREAMPROOF_PROOF_TOKEN, in that variable or as --proof-token.",
        )
    return token


class Side:
    """Side requests, one at a time, on a connection of their own; each has a URL of its own."""

    def __init__(self, client: Client, base: str, headers: Headers) -> None:
        self._client = client
        self._base = base
        self._headers = headers

    async def ping(self, within_ms: float, stream: str = "") -> Reply | None:
        """The origin's clock, and whether it has this stream; None if there was no proper answer in time."""
        return await self._ask("GET", ping_path(stream), within_ms)

    async def feed(self, stream: str, size: int, within_ms: float, *, comment: bool = False) -> Reply | None:
        """One more event now, or a comment."""
        path = feed_path(stream, size)
        return await self._ask("POST", f"{path}&comment=on" if comment else path, within_ms)

    async def let(self, stream: str, pieces: int, within_ms: float) -> Reply | None:
        """So many pieces of an answer in all."""
        return await self._ask("POST", f"pass?id={stream}&pieces={pieces}&{_nonce()}", within_ms)

    async def end(self, stream: str, within_ms: float) -> Reply | None:
        """No more events."""
        return await self._ask("POST", end_path(stream), within_ms)

    async def _ask(self, method: str, path: str, within_ms: float) -> Reply | None:
        body = b"" if method == "POST" else None
        try:
            response, raw, sent, arrived = await self._client.fetch(
                Ask(method, f"{self._base}/{path}", self._headers, body), within_ms=within_ms, begins=_BEGINS
            )
        except KitError:
            return None
        return reply_of(response.status, raw, sent, arrived)


def reply_of(status: int, body: bytes, sent_ms: float, arrived_ms: float) -> Reply | None:
    """A side request's answer; None where it is none of the protocol's."""
    payload = _object(body)
    now, known, emitted = payload.get("now_ms"), payload.get("known", False), payload.get("emitted", 0)
    if status != 200 or not isinstance(now, (int, float)) or not isinstance(emitted, int):
        return None
    return Reply(
        sent_ms,
        arrived_ms,
        float(now),
        str(payload.get("instance")),
        known is True,
        emitted,
        payload.get("wraps") is True,
        _progress(payload),
        str(payload.get("http", "")),
        seconds=_number(payload.get("seconds")),
        gone=_read(_GONE, payload.get("gone")),
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _progress(payload: Mapping[str, object]) -> Progress | None:
    """An answer's, where this is one's; None too where it is not as the protocol has it."""
    return _read(_PROGRESS, {**payload, "pieces": payload.get("emitted")})


def _read(as_one: TypeAdapter[T], value: object) -> T | None:
    try:
        return as_one.validate_python(value)
    except ValidationError:
        return None


def ping_path(stream: str = "") -> str:
    """What asks for the origin's clock, and for a stream's state, below the proof's prefix."""
    return f"ping?id={stream}&{_nonce()}" if stream else f"ping?{_nonce()}"


def feed_path(stream: str, size: int) -> str:
    """What orders one more event."""
    return f"feed?id={stream}&bytes={size}&{_nonce()}"


def end_path(stream: str) -> str:
    """What ends a stream."""
    return f"end?id={stream}&times=on&{_nonce()}"


def new_stream() -> str:
    """A stream's id: 128 random bits."""
    return secrets.token_hex(16)


def stream_url(
    base: str,
    stream: str,
    *,
    mode: str,
    size: int,
    at: Conditions,
    seconds: int | None = None,
    first: bool = True,
    stop: int = 0,
) -> str:
    """Where a stream is opened that bears what these conditions say; see `kit.proof.actions.Open`."""
    query: dict[str, str | int] = {
        "id": stream,
        "mode": mode,
        "bytes": size,
        "type": at.framing,
        "accel": at.header,
    }
    # An origin may be older than these, and has them as they are by default.
    further: dict[str, tuple[str | int, str | int]] = {
        "stop": (stop, 0),
        "incremental": (at.incremental, "on"),
        "content": (at.media, MEDIA_TYPES[at.framing]),
        "cache": (at.cache, CACHE_CONTROL),
        "vary": (at.vary, ""),
        "first": ("on" if first else "off", "on"),
    }
    query |= {name: wanted for name, (wanted, usual) in further.items() if wanted != usual}
    query |= {} if seconds is None else {"seconds": seconds}
    return f"{base}/stream?{urlencode({**query, 'total': LENGTH} if at.length else query)}"


def _bases(url: str) -> list[str]:
    parts = urlsplit(url)
    beside = urljoin(urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")), "proof")
    root = urlunsplit((parts.scheme, parts.netloc, "/proof", "", ""))
    return list(dict.fromkeys([beside, root]))


def _bare(url: str) -> str:
    return shown(url).partition("://")[2]


def _nonce() -> str:
    # Caches replayed side requests that shared a URL.
    return f"n={secrets.token_hex(8)}"


def _object(body: bytes) -> Mapping[str, object]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}
