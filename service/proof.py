"""The origin's half of streamproof: a stream whose events a prober orders, over a second connection.

One file, nothing but the standard library: copy it beside any ASGI app. FastAPI and Starlette mount it:

    app.mount("/proof", create_proof())

Around any ASGI app it needs no route of the app's, and can put the app's own answers in lock-step:

    app = wrap(app)

It answers 404 until one of these is set, so that it can stay deployed:

    STREAMPROOF_PROOF_UNTIL   epoch seconds: open until then
    STREAMPROOF_PROOF_TOKEN   16 characters or more: open, without a date, to requests that show it in the
                              header Streamproof-Token, and to no others
    STREAMPROOF_LAB=1         open

With STREAMPROOF_PROOF_TOKEN_SHA256, in hexadecimal, it is open until STREAMPROOF_PROOF_UNTIL and only to who
shows the token with that hash: for where the environment is no place for a secret.

Endpoints below the prefix:

    GET|POST stream?id=<32 hex>&mode=lockstep|pause|free&bytes=200&type=sse|ndjson|text&accel=on|off
                &incremental=on|off&content=MEDIA-TYPE&cache=CACHE-CONTROL&vary=VARY&total=N&seconds=N
                &first=on|off&stop=N
    POST     feed?id=&bytes=     one more event, now; with &comment=on a comment of an SSE stream instead
    POST     end?id=             no more events
    GET      ping?id=            which instance and version, its clock; with id whether it has the stream, and
                                 of one that is over why (`gone`)
    POST     pass?id=&pieces=    wrap() only: so many pieces of the app's answer may go

An event is exactly `bytes` octets, framing included; its data is
`{"seq", "ms" (server's epoch time), "part" ("first"|"bulk"|"rest": mode=pause; "last": stop=N), "pad"}`.
A feed reaches its stream only within one process: with several workers or instances it may answer
`"known": false`, and the prober falls back to mode=pause.

A request that bears Streamproof-Answer: <32 hex> and the right Streamproof-Token gets the app's own answer
piece by piece: the first at once, each further one, and the end, when it is asked for
(docs/proof-protocol.md). All other requests reach the app untouched.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import math
import os
import re
import secrets
import signal
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any
from urllib.parse import parse_qsl

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Query = Mapping[str, str]

# At once in a process: where requests must show a token (and in the lab), and where a stranger's may come.
STREAMS = 5_000
STRANGERS_STREAMS = 128
STREAM_OCTETS = 4 * 1024 * 1024
ALL_OCTETS = 16 * STREAM_OCTETS  # of all that are open
FREE_OCTETS = 1024 * 1024
STREAM_SECONDS = 120.0  # unless a stream is asked to live longer, or less long
MOST_SECONDS = 3_900
STOP_SECONDS = 60
GONE = 64  # streams that are over, of which it is known why
EVENT_OCTETS = range(128, 1024 * 1024 + 1)
DEFAULT_OCTETS = 200
# mode=pause: more than any block size known (64 KiB, 1 MiB) goes ahead of the silence, so that whatever still
# holds after it holds the whole message.
BULK_OCTETS = 1_153_434
SILENCE_SECONDS = 1.0
REST_EVENTS = 3
# The app's own answers in lock-step: so many at a time, each held so long in all, and a `pass` is answered
# by then, so that a silent app is no side request that hangs.
ANSWERS = 4
HOLD_SECONDS = 30.0
ALONE_SECONDS = 2.0  # without a side request: they reach another process, or none is made
PASS_SECONDS = 5.0
PIECES_NOTED = 1_000
WORKS_NAMED = 3
_SLASH = r"[/\\]"
_OF_THREADS = re.compile(
    rf"{_SLASH}(threading|queue|concurrent{_SLASH}futures{_SLASH}thread)\.py\Z|{_SLASH}anyio{_SLASH}"
)
# Of a request that the app has not read; beyond that it is not watched whether the client is there.
UNREAD_OCTETS = 64 * 1024
BLINK_SECONDS = 0.05
# Events written back to back share a write of about this size: it is what a kernel would do to them anyway.
BATCH_OCTETS = 16 * 1024

MEDIA_TYPES = {
    "sse": "text/event-stream; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "text": "text/plain; charset=utf-8",
}
CACHE_CONTROL = "no-cache, no-transform"
# What else a stream may be asked to bear, so that a hop sees in it what it sees in an answer. Each is a
# closed grammar in which no line ends.
_CONTENT = re.compile(
    r"(?=.{1,100}\Z)(?:text|application)/[a-z0-9][a-z0-9.+-]*(?: ?; ?[a-z]+=\"?[a-z0-9._-]+\"?)*",
    re.ASCII | re.I,
)
_DIRECTIVE = (
    r"(?:no-cache|no-store|no-transform|public|private|must-revalidate|proxy-revalidate|must-understand"
    r"|immutable|(?:max-age|s-maxage|stale-while-revalidate|stale-if-error)=[0-9]{1,10})"
)
_CACHE = re.compile(rf"(?=.{{1,200}}\Z){_DIRECTIVE}(?: ?, ?{_DIRECTIVE})*", re.ASCII | re.I)
_VARY = re.compile(r"(?=.{1,200}\Z)(?:\*|[a-z0-9-]+)(?: ?, ?(?:\*|[a-z0-9-]+))*", re.ASCII | re.I)
MODES = ("lockstep", "pause", "free")
VERSION = "Streamproof-Version"
SHOWN_IN = "Streamproof-Token"
ANSWER = "Streamproof-Answer"
_USABLE_TOKEN = re.compile(r"[!-~]{16,}")
# A page of another origin may see how long its request waited for a connection (Resource Timing).
NO_STORE = {"Cache-Control": "no-store", "Timing-Allow-Origin": "*"}


# Why the proof is closed: an error's code, and its sentence.
CLOSED = {
    "proof-expired": "STREAMPROOF_PROOF_UNTIL is not set, or has passed",
    "proof-until-unreadable": "STREAMPROOF_PROOF_UNTIL is not a number of seconds",
    "proof-token": f"the header {SHOWN_IN} does not bear the token of STREAMPROOF_PROOF_TOKEN",
    "proof-token-unusable": "STREAMPROOF_PROOF_TOKEN is not 16 or more visible ASCII characters",
}


def closed_by_environment(shown: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Why the environment closes the proof to who shows this token, a key of `CLOSED`; None: it is open."""
    if environ.get("STREAMPROOF_LAB") == "1":
        return None
    if token := environ.get("STREAMPROOF_PROOF_TOKEN"):
        return _closed_by_token(token, shown)
    if (digest := environ.get("STREAMPROOF_PROOF_TOKEN_SHA256")) and not _hashes_to(digest, shown):
        return "proof-token"
    try:
        until = float(environ.get("STREAMPROOF_PROOF_UNTIL") or 0)
    except ValueError:
        until = math.nan
    if not math.isfinite(until):
        return "proof-until-unreadable"
    return None if time.time() < until else "proof-expired"


def _closed_by_token(token: str, shown: str) -> str | None:
    if not _USABLE_TOKEN.fullmatch(token):
        return "proof-token-unusable"
    # In constant time: how long it takes says nothing of the token.
    return None if hmac.compare_digest(token.encode(), shown.encode()) else "proof-token"


def _hashes_to(digest: str, shown: str) -> bool:
    of_shown = hashlib.sha256(shown.encode()).hexdigest()
    return hmac.compare_digest(digest.lower().encode(errors="replace"), of_shown.encode())


def version_by_environment(environ: Mapping[str, str] = os.environ) -> str | None:
    """What the platform calls this deployment: GAE_VERSION (App Engine), K_REVISION (Cloud Run), else the
    name or the digest that `kit deploy` gives it; None where nothing says."""
    names = ("GAE_VERSION", "K_REVISION", "STREAMPROOF_VERSION", "STREAMPROOF_BUNDLE")
    return next((value for name in names if (value := environ.get(name))), None)


def create_proof(
    *,
    enabled: Callable[[], bool] | None = None,
    token: str | None = None,
    instance: str | None = None,
    version: str | None = None,
) -> ASGIApp:
    """An ASGI app to mount under any prefix.

    Args:
        enabled: asked at each request; while it says no, everything answers 404.
        token: opens the proof to requests that show it in the header Streamproof-Token, and to no others,
            whatever `enabled` says. Without either, `closed_by_environment` decides.
        instance: names this process in the answers; random by default. It must differ between processes.
        version: names what is deployed, in the header Streamproof-Version of every response and in the
            answers; by default `version_by_environment`.
    """

    return _Proof(enabled, token, instance, version)


def wrap(
    app: ASGIApp,
    *,
    prefix: str = "/proof",
    enabled: Callable[[], bool] | None = None,
    token: str | None = None,
    instance: str | None = None,
    version: str | None = None,
) -> ASGIApp:
    """The app with the proof below `prefix`, and its answers in lock-step for who shows the token.

    Any other request reaches the app untouched.

    Args:
        app: any ASGI app. What it has below the prefix itself is not reached any more.
        prefix: a path, below the root path that the server names.
        enabled: see `create_proof`, like the rest.
        token: without one here or in STREAMPROOF_PROOF_TOKEN no answer is put in lock-step.
        instance: names this process.
        version: names what is deployed.
    """
    return _Wrapped(app, prefix, _Proof(enabled, token, instance, version, wraps=True))


class _Wrapped:
    """An app behind the proof. `app` is the app; `proof` answers below the prefix, wherever it is mounted."""

    def __init__(self, app: ASGIApp, prefix: str, proof: _Proof) -> None:
        self.app = app
        self.proof = proof
        self._prefix = prefix.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self._prefix in scope["path"] and (below := self._below(scope)):
                await self.proof({**scope, "root_path": "", "path": below}, receive, send)
                return
            for name, value in scope["headers"]:
                if name == _ANSWER and (answer := self.proof.take(value, scope["headers"])):
                    await answer.run(self.app, scope, receive, send)
                    return
        await self.app(scope, receive, send)

    def _below(self, scope: Scope) -> str:
        """The path below the prefix; empty where it is not. Not every server puts the root path before it."""
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        return path.removeprefix(self._prefix) if path.startswith(f"{self._prefix}/") else ""


class _Refusal(Exception):
    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error, self.message = status, error, message


class _Proof:
    """What one process has open, by id: the proof's own streams, and the app's answers in lock-step."""

    def __init__(
        self,
        enabled: Callable[[], bool] | None,
        token: str | None,
        instance: str | None,
        version: str | None,
        *,
        wraps: bool = False,
    ) -> None:
        self._enabled, self._token = enabled, token
        version = version or version_by_environment()
        self._names: dict[str, object] = {"instance": instance or secrets.token_hex(8)}
        if version:
            self._names["version"] = version
        if wraps:
            self._names["wraps"] = True
        self._version = {VERSION: version} if version else {}
        self._headers = {**NO_STORE, **self._version}
        self._streams: dict[str, _Stream] = {}
        self._gone: dict[str, Mapping[str, object]] = {}  # the last in the end
        self._octets = 0  # that they were ordered in all
        self._answers: dict[str, _Answer] = {}
        self._signals = _ServerSignals(self._stopped)
        self._endpoints: dict[tuple[str, str], Callable[[Query], ASGIApp | Awaitable[ASGIApp]]] = {
            ("GET", "/stream"): self._stream,
            ("POST", "/stream"): self._stream,
            ("POST", "/feed"): self._feed,
            ("POST", "/pass"): self._pass,
            ("POST", "/end"): self._end,
            ("GET", "/ping"): self._ping,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if (why := self._closed(_shown(scope["headers"]))) is not None:
                raise _Refusal(404, why, CLOSED[why])
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            endpoint = self._endpoints.get((scope["method"], path))
            if endpoint is None:
                known = any(path == there for _, there in self._endpoints)
                raise (
                    _Refusal(405, "method", "by another method")
                    if known
                    else _Refusal(404, "path", "unknown")
                )
            response = endpoint(
                dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
            )
            if isinstance(response, Awaitable):
                response = await response
        except _Refusal as no:
            response = _json(
                no.status, {"streamproof": 1, "error": no.error, "message": no.message}, self._headers
            )
        await response(scope, receive, send)

    def take(self, bare: bytes, headers: list[tuple[bytes, bytes]]) -> _Answer | None:
        """An answer to put in lock-step; None where the request may not ask for it, or too many are."""
        shown = _shown(headers)
        if self._closed(shown) is not None or not self._is_token(shown):
            return None
        one = bare.decode("latin-1").lower()
        held = sum(not answer.free for answer in self._answers.values())
        before = self._answers.get(one)
        again = before is not None and before.ended and before.free == "status"  # a redirect
        if not _ID.fullmatch(one) or not (before is None or again) or held >= ANSWERS:
            return None
        while len(self._answers) >= 2 * ANSWERS:  # those that are over, or are not held any more
            del self._answers[next(one for one, answer in self._answers.items() if answer.free)]
        answer = self._answers[one] = _Answer(self._left)
        self._signals.watch()
        return answer

    def _closed(self, shown: str) -> str | None:
        """Why the proof is closed to who shows this token, a key of `CLOSED`; None: it is open."""
        if self._token is not None:
            return _closed_by_token(self._token, shown)
        if self._enabled is not None:
            return None if self._enabled() else "proof-expired"
        return closed_by_environment(shown)

    def _is_token(self, shown: str) -> bool:
        if token := self._token or os.environ.get("STREAMPROOF_PROOF_TOKEN"):
            return _closed_by_token(token, shown) is None
        digest = os.environ.get("STREAMPROOF_PROOF_TOKEN_SHA256")
        return _hashes_to(digest, shown) if digest else False

    def _ping(self, query: Query) -> ASGIApp:
        if "id" not in query:
            return self._told({})
        return self._state(query, self._open(_id(query)))

    def _feed(self, query: Query) -> ASGIApp:
        stream = self._streams.get(_id(query))
        size, comment = _octets(query), _one_of(query, "comment", ("off", "on")) == "on"
        if stream is None or stream.gone:
            return self._state(query, None)
        stream.order(size, comment=comment)
        return self._state(query, stream)

    async def _pass(self, query: Query) -> ASGIApp:
        answer = self._answers.get(_id(query))
        value = query.get("pieces", "")
        if not re.fullmatch(r"[0-9]{1,9}", value):
            raise _Refusal(400, "bad-pieces", "pieces must be a number: how many may go in all")
        if answer is not None:
            await answer.allow(int(value))
        return self._state(query, answer)

    def _end(self, query: Query) -> ASGIApp:
        there = self._open(_id(query))
        if there is not None:
            there.end()
        return self._state(query, there)

    def _open(self, one: str) -> _Stream | _Answer | None:
        return self._streams.get(one) or self._answers.get(one)

    def _state(self, query: Query, there: _Stream | _Answer | None) -> ASGIApp:
        if isinstance(there, _Answer):
            return self._told(there.state(times="times" in query))
        gone = None if there else self._gone.get(_id(query))
        state: dict[str, object] = {"known": there is not None, "emitted": there.ordered if there else 0}
        also = {"seconds": there.plan.seconds} if there else {"gone": gone} if gone else {}
        return self._told(state | also)

    def _stream(self, query: Query) -> ASGIApp:
        plan = _Plan.parse(query)
        # From here to the registration nothing is awaited, so two openings cannot both pass the checks.
        if plan.id in self._streams:
            raise _Refusal(409, "id-in-use", f"a stream with the id {plan.id} is open already")
        if len(self._streams) >= (most := self._most_streams()):
            raise _Refusal(429, "too-many-streams", f"{most} proof streams are open, which is the limit")
        stream = _Stream(plan, self._version, self._take, closed=self._close)
        self._streams[plan.id] = stream
        self._signals.watch()
        return stream

    def _most_streams(self) -> int:
        names = ("STREAMPROOF_PROOF_TOKEN", "STREAMPROOF_PROOF_TOKEN_SHA256")
        shown = self._token or (self._enabled is None and any(map(os.environ.get, names)))
        return STREAMS if shown or os.environ.get("STREAMPROOF_LAB") == "1" else STRANGERS_STREAMS

    def _take(self, octets: int) -> None:
        if self._octets + octets > ALL_OCTETS:
            raise _Refusal(429, "too-many-octets", f"the limit of all open streams is {ALL_OCTETS} octets")
        self._octets += octets

    def _close(self, stream: _Stream) -> None:
        del self._streams[stream.plan.id]
        self._gone.pop(stream.plan.id, None)
        self._gone[stream.plan.id] = stream.gone
        if len(self._gone) > GONE:
            del self._gone[next(iter(self._gone))]
        self._octets -= stream.octets
        self._left()

    def _left(self) -> None:
        if not self._streams and all(answer.ended for answer in self._answers.values()):
            self._signals.unwatch()

    def _stopped(self, number: int) -> None:
        for stream in tuple(self._streams.values()):
            if number == signal.SIGTERM:
                stream.stop()
            else:
                stream.end("stopped")
        for answer in tuple(self._answers.values()):
            answer.end("stopped")

    def _told(self, fields: Mapping[str, object]) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            # In HTTP/1.0 a cut answer may look whole.
            asked = {"http": scope.get("http_version", ""), "now_ms": time.time() * 1000}
            body = {"streamproof": 1, **fields, **self._names, **asked}
            await _json(200, body, self._headers)(scope, receive, send)

        return answer


_ANSWER = ANSWER.lower().encode()
_SHOWN_IN = SHOWN_IN.lower().encode()
_ID = re.compile(r"[0-9a-f]{32}")


def _shown(headers: list[tuple[bytes, bytes]]) -> str:
    """The token that a request shows; empty for none."""
    return next((value.decode("latin-1") for name, value in headers if name == _SHOWN_IN), "")


def _json(status: int, body: Mapping[str, object], headers: Mapping[str, str]) -> ASGIApp:
    octets = json.dumps(body, separators=(",", ":")).encode()
    named = {"Content-Length": str(len(octets)), "Content-Type": "application/json", **headers}

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": _raw(named)})
        await send({"type": "http.response.body", "body": octets})

    return respond


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the request for a stream asks for, checked."""

    id: str
    mode: str
    size: int
    media: str
    accel: bool
    incremental: bool
    content: str
    cache: str
    vary: str
    total: int | None
    first: bool
    seconds: float
    stop: int

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> _Plan:
        mode = _one_of(query, "mode", MODES)
        media = _one_of(query, "type", tuple(MEDIA_TYPES))
        size = _octets(query)
        total = _total(query)
        first = _one_of(query, "first", ("on", "off")) == "on"
        if not first and mode != "lockstep":
            raise _Refusal(400, "bad-first", "first=off is for mode=lockstep: the others send by themselves")
        if total is not None:
            limit = FREE_OCTETS if mode == "free" else STREAM_OCTETS
            if total > limit:
                raise _Refusal(429, "too-many-octets", f"total is {total}, and the limit is {limit}")
            least = _pause_octets(size) if mode == "pause" else size
            if total < least:
                raise _Refusal(400, "bad-total", f"total is {total}, and this stream needs {least} at least")
        return cls(
            id=_id(query),
            mode=mode,
            size=size,
            media=media,
            accel=_one_of(query, "accel", ("on", "off")) == "on",
            incremental=_one_of(query, "incremental", ("on", "off")) == "on",
            content=_borne(query, "content", _CONTENT, MEDIA_TYPES[media]),
            # Present and empty, it asks for none.
            cache="" if query.get("cache") == "" else _borne(query, "cache", _CACHE, CACHE_CONTROL),
            vary=_borne(query, "vary", _VARY, ""),
            total=total,
            first=first,
            seconds=_seconds(query),
            stop=_stop(query, mode),
        )

    @property
    def octets(self) -> int:
        """What it sends whatever is ordered."""
        if self.total is not None or self.mode == "lockstep":
            return self.total or 0
        return FREE_OCTETS if self.mode == "free" else _pause_octets(self.size)


def _id(query: Mapping[str, str]) -> str:
    value = query.get("id", "").lower()
    if not _ID.fullmatch(value):
        raise _Refusal(400, "bad-id", "id must be 32 hexadecimal digits, chosen at random by the prober")
    return value


def _one_of(query: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = query.get(name, choices[0])
    if value not in choices:
        raise _Refusal(400, f"bad-{name}", f"{name} must be one of {', '.join(choices)}")
    return value


def _borne(query: Mapping[str, str], name: str, grammar: re.Pattern[str], default: str) -> str:
    value = query.get(name)
    if value is None:
        return default
    if not grammar.fullmatch(value):
        raise _Refusal(400, f"bad-{name}", f"{name} is nothing that a proof stream may bear")
    return value


def _octets(query: Mapping[str, str]) -> int:
    value = query.get("bytes", str(DEFAULT_OCTETS))
    # Digits are counted first: int() of a very long text is work.
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) not in EVENT_OCTETS:
        raise _Refusal(400, "bad-bytes", f"bytes must lie between {EVENT_OCTETS[0]} and {EVENT_OCTETS[-1]}")
    return int(value)


def _total(query: Mapping[str, str]) -> int | None:
    value = query.get("total")
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,12}", value):
        raise _Refusal(400, "bad-total", "total must be a number of octets")
    return int(value)


def _seconds(query: Mapping[str, str]) -> float:
    value = query.get("seconds")
    if value is None:
        return STREAM_SECONDS
    if not re.fullmatch(r"[0-9]{1,9}", value) or not 1 <= int(value) <= MOST_SECONDS:
        raise _Refusal(400, "bad-seconds", f"seconds must lie between 1 and {MOST_SECONDS}")
    return float(value)


def _stop(query: Mapping[str, str], mode: str) -> int:
    value = query.get("stop", "0")
    if (
        not re.fullmatch(r"[0-9]{1,9}", value)
        or int(value) > STOP_SECONDS
        or (value != "0" and mode != "lockstep")
    ):
        raise _Refusal(400, "bad-stop", f"stop must lie between 0 and {STOP_SECONDS}, and mode be lockstep")
    return int(value)


def _pause_octets(size: int) -> int:
    return size + -(-BULK_OCTETS // size) * size + REST_EVENTS * DEFAULT_OCTETS


class _Stream:
    """One proof stream: emits what is ordered, until it is ended, left, or its time is over.

    Attributes:
        gone: why it is over, or will be once what was ordered is out, and since when; empty while it goes on.
    """

    def __init__(
        self,
        plan: _Plan,
        version: Mapping[str, str],
        take: Callable[[int], None],
        closed: Callable[[_Stream], None],
    ) -> None:
        self.plan = plan
        self.octets = 0  # taken
        self.ordered = 0
        self.gone: Mapping[str, object] = {}
        self._take = take
        self._stopping: int | None = None
        self._closed = closed
        self._limit = STREAM_OCTETS if plan.total is None else plan.total
        self._octets_ordered = 0
        self._orders: deque[tuple[int, bool]] = deque()
        self._wake = asyncio.Event()
        self._seq = 0
        self._octets_sent = 0
        headers = {"Content-Type": plan.content, **version}
        if plan.cache:
            headers["Cache-Control"] = plan.cache
        if plan.vary:
            headers["Vary"] = plan.vary
        if plan.incremental:
            headers["Incremental"] = "?1"
        if plan.accel:
            headers["X-Accel-Buffering"] = "no"
        if plan.total is not None:
            headers["Content-Length"] = str(plan.total)
        self._head = _raw(headers)
        if plan.octets:
            self._takes(plan.octets)
        if plan.mode == "lockstep" and plan.first:
            self.order(plan.size)

    def order(self, size: int, *, comment: bool = False) -> None:
        """Has one more event of `size` octets emitted, or a comment."""
        if self.plan.mode != "lockstep":
            raise _Refusal(400, "not-lockstep", f"this is a {self.plan.mode} stream; it is not fed")
        if comment and self.plan.media != "sse":
            raise _Refusal(400, "bad-comment", f"a stream of type {self.plan.media} has no comments")
        if self._octets_ordered + size > self._limit:
            raise _Refusal(429, "too-many-octets", f"this stream's limit is {self._limit} octets")
        if self.plan.total is None:
            self._takes(size)
        self._octets_ordered += size
        self.ordered += 1
        self._orders.append((size, comment))
        self._wake.set()

    def _takes(self, octets: int) -> None:
        self._take(octets)
        self.octets += octets

    def end(self, why: str = "ended") -> None:
        """Lets what is ordered go out, then ends the stream: `why` is one of "ended" (it was asked to, or had
        no more to send), "left" (its client did), "time", "stopped" (the server). The first reason stays."""
        if not self.gone:
            self.gone = {"why": why, "ms": time.time() * 1000}
        self._wake.set()

    def stop(self) -> None:
        """Its server stops: it goes on for as long as it was asked to, and ends with one event more."""
        left = self.plan.stop if self._stopping is None else self._stopping
        if self.gone or left == 0:
            self.end("stopped")
            return
        self._stopping = left - 1
        self.order(DEFAULT_OCTETS)
        asyncio.get_running_loop().call_later(1.0, self.stop)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._send = send
        run = asyncio.ensure_future(self._run())
        tasks = {run, asyncio.ensure_future(_client_gone(receive))}
        try:
            first = asyncio.FIRST_COMPLETED
            done, _ = await asyncio.wait(tasks, timeout=self.plan.seconds, return_when=first)
            sent_all = run in done and not isinstance(run.exception(), OSError)
            self.end("ended" if sent_all else "left" if done else "time")
            # Time is over: a moment to end in good order, unless the client does not even read.
            done, _ = await asyncio.wait(tasks, timeout=1.0, return_when=first)
            with contextlib.suppress(OSError):  # how some servers say that the client is gone
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            self.end("left")  # where the server cancels this instead
            self._closed(self)
            await asyncio.wait(tasks)

    async def _run(self) -> None:
        if not self.plan.first:
            await self._wake.wait()
        await self._send({"type": "http.response.start", "status": 200, "headers": self._head})
        if self.plan.mode == "lockstep":
            await self._lockstep()
        elif self.plan.mode == "pause":
            await self._pause()
        else:
            await self._free()
        await self._pad()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _lockstep(self) -> None:
        while True:
            while self._orders:
                size, comment = self._orders.popleft()
                await self._write(self._event(size, comment=comment))
            if self.gone:
                if self._stopping is not None:
                    await self._write(self._event(DEFAULT_OCTETS, "last"))
                return
            self._wake.clear()
            await self._wake.wait()

    async def _pause(self) -> None:
        size = self.plan.size
        await self._write(self._count(self._event(size, "first")))
        await self._back_to_back((size, "bulk") for _ in range(-(-BULK_OCTETS // size)))
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0 if self.gone else SILENCE_SECONDS):
                await self._wake.wait()
        await self._back_to_back((DEFAULT_OCTETS, "rest") for _ in range(REST_EVENTS))

    async def _free(self) -> None:
        octets = FREE_OCTETS if self.plan.total is None else self.plan.total
        await self._back_to_back((self.plan.size, None) for _ in range(octets // self.plan.size))

    async def _back_to_back(self, events: Iterator[tuple[int, str | None]]) -> None:
        batch: list[bytes] = []
        octets = 0
        for size, part in events:
            if self.gone:
                break
            batch.append(self._count(self._event(size, part)))
            octets += size
            if octets >= BATCH_OCTETS:
                await self._write(b"".join(batch))
                # Writing may not wait at all: let the others run.
                await asyncio.sleep(0)
                batch.clear()
                octets = 0
        if batch:
            await self._write(b"".join(batch))

    def _count(self, event: bytes) -> bytes:
        self.ordered += 1
        return event

    async def _write(self, body: bytes) -> None:
        self._octets_sent += len(body)
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _pad(self) -> None:
        # Empty lines: a parser of any of the three types passes over them.
        while self.plan.total is not None and self._octets_sent < self.plan.total:
            await self._write(b"\n" * min(BATCH_OCTETS, self.plan.total - self._octets_sent))

    def _event(self, size: int, part: str | None = None, *, comment: bool = False) -> bytes:
        seq, self._seq = self._seq, self._seq + 1
        field = f'"part":"{part}",' if part else ""
        data = f'{{"seq":{seq},"ms":{time.time() * 1000:.3f},{field}"pad":"'.encode()
        sse = b": " if comment else b"data: "
        before, after = (sse + data, b'"}\n\n') if self.plan.media == "sse" else (data, b'"}\n')
        return before + _noise(size - len(before) - len(after)) + after


class _Answer:
    """One answer of the app's, in lock-step: a piece goes when it is asked for, and so does the end.

    A piece is a message of the body with octets. What cannot be held is released and says why (`free`): an
    answer with a length, of another status than 200, or in one piece; one whose client has left; one that
    waited for too long in all.

    Attributes:
        free: why nothing is held any more; empty while it is.
        ended: whether the app has done with it.
    """

    def __init__(self, over: Callable[[], None]) -> None:
        self.free = ""
        self.ended = False
        self._over = over
        self._allowed = 1
        self._pieces = 0  # released
        self._octets = 0
        self._sent = 0  # by the app
        self._waits = ""
        self._coding = ""
        self._accel = False
        self._began = self._gone = time.time()
        self._times: list[tuple[int, float, float]] = []
        self._held_s = 0.0
        self._asked_s = time.monotonic()
        self._blocked_s = 0.0
        self._go = asyncio.Event()
        self._news = asyncio.Event()
        self._work = _Work()

    def state(self, *, times: bool) -> dict[str, object]:
        """What a side request is answered; with `times` also, of each piece that was noted, how many octets
        there were with it, when the app sent it and when it was released, in milliseconds from the request.
        """
        self._asked_s = time.monotonic()
        reply: dict[str, object] = {
            "known": True,
            "emitted": self._pieces,
            "octets": self._octets,
            "sent": self._sent,
            "waits": self._waits,
            "free": self.free,
            "ended": self.ended,
            "coding": self._coding,
            "accel": self._accel,
            "blocked_ms": round(self._blocked_s * 1000),
            "gone_ms": self._gone * 1000,
            "works": self._work.left() if self.ended else [],
        }
        return reply | ({"times": self._times} if times else {})

    async def allow(self, pieces: int) -> None:
        """Lets so many go in all; returns when they are gone or no more can be, and in PASS_SECONDS."""
        self._allowed = max(self._allowed, pieces)
        self._go.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PASS_SECONDS):
                while self._pieces < pieces and self._waits != "end" and not self.free and not self.ended:
                    self._news.clear()
                    await self._news.wait()

    def end(self, why: str = "asked") -> None:
        """Releases all, the end as well."""
        self.free = self.free or why
        self._go.set()
        self._news.set()

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Has the app answer this request, which does not show that it is held."""
        self._ears = _Ears(receive, lambda: self.end("left"))
        self._out = send
        headers = [pair for pair in scope["headers"] if pair[0] not in (_ANSWER, _SHOWN_IN)]
        blinks = asyncio.ensure_future(self._blink())
        try:
            with self._work.noted():
                await app({**scope, "headers": headers}, self._ears.receive, self._send)
        finally:
            blinks.cancel()
            self._ears.close()
            self.end("over")
            self.ended = True
            self._over()

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begins(message)
        if message["type"] != "http.response.body":
            await self._out(message)
            return
        ends = not message.get("more_body", False)
        if octets := len(message.get("body", b"")):
            if ends and not self._sent:
                self.end("one piece")
            ends = not await self._piece(octets, message) and ends
        elif not ends or self.free:
            await self._out(message)
            return
        if ends:
            await self._turn("end")
            await self._out({"type": "http.response.body", "body": b"", "more_body": False})

    def _begins(self, message: Message) -> None:
        head = {name.lower(): value for name, value in message.get("headers", ())}
        self._coding = head.get(b"content-encoding", b"").decode("latin-1").strip().lower()
        self._accel = head.get(b"x-accel-buffering", b"").strip().lower() == b"no"
        if message["status"] != 200:
            self.end("status")
        elif b"content-length" in head:
            self.end("length")

    async def _piece(self, octets: int, message: Message) -> bool:
        """Releases it in its turn; whether as it was: while the end is held it goes by itself."""
        sent = time.time()
        self._sent += 1
        await self._turn("piece")
        self._gone = time.time()
        as_it_was = bool(self.free)
        await self._out(message if as_it_was else {**message, "more_body": True})
        self._pieces += 1
        self._octets += octets
        if len(self._times) < PIECES_NOTED:
            at = [round((when - self._began) * 1000, 1) for when in (sent, self._gone)]
            self._times.append((self._octets, at[0], at[1]))
        self._news.set()
        return as_it_was

    async def _turn(self, what: str) -> None:
        """Waits until it may go: a piece or the end."""
        while not self.free and (what == "end" or self._pieces >= self._allowed):
            began = time.monotonic()
            self._asked_s = self._asked_s if self._waits else max(self._asked_s, began)
            left_s = min(HOLD_SECONDS - self._held_s, ALONE_SECONDS - (began - self._asked_s))
            if left_s <= 0:
                self.end("time" if self._held_s >= HOLD_SECONDS else "alone")
                break
            self._waits = what
            self._news.set()
            self._go.clear()
            go = asyncio.ensure_future(self._go.wait())
            try:
                heard = self._ears.listening()
                await asyncio.wait(
                    {go, heard} if heard else {go},
                    timeout=left_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                go.cancel()
                self._held_s += time.monotonic() - began
        self._waits = ""

    async def _blink(self) -> None:
        """Notes for how long the loop did not run when it was due: the app kept it from everything else."""
        while True:
            due = time.monotonic() + BLINK_SECONDS
            await asyncio.sleep(BLINK_SECONDS)
            late = time.monotonic() - due
            self._blocked_s += late if late >= BLINK_SECONDS else 0.0


class _Work:
    """What an app began while it answered one request: tasks of the event loop, and work in threads.

    While it does, this stands in front of the loop's own task factory. What another request began in a thread
    meanwhile counts too.
    """

    _begun: ContextVar[weakref.WeakSet[asyncio.Task[Any]] | None] = ContextVar("begun", default=None)
    _noting = 0
    _before: Any = None

    def __init__(self) -> None:
        self._tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._busy = dict(_busy())

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Notes what is begun within the block."""
        loop, kind = asyncio.get_running_loop(), _Work
        if not kind._noting:
            kind._before = loop.get_task_factory()
            loop.set_task_factory(_noted_task)
        kind._noting += 1
        token = self._begun.set(self._tasks)
        try:
            yield
        finally:
            self._begun.reset(token)
            kind._noting -= 1
            if not kind._noting and loop.get_task_factory() is _noted_task:
                loop.set_task_factory(kind._before)

    def left(self) -> list[str]:
        """What of it is at work yet, at most `WORKS_NAMED`: "feed (app.py:12)"."""
        codes = {getattr(task.get_coro(), "cr_code", None) for task in self._tasks if not task.done()}
        codes |= {code for thread, code in _busy() if thread not in self._busy}
        return sorted(map(_named, filter(None, codes)))[:WORKS_NAMED]


def _noted_task(loop: asyncio.AbstractEventLoop, coro: Any, **how: Any) -> Any:
    make = _Work._before
    task = asyncio.Task(coro, loop=loop, **how) if make is None else make(loop, coro, **how)
    if (begun := _Work._begun.get()) is not None:
        begun.add(task)
    return task


def _busy() -> Iterator[tuple[int, CodeType]]:
    """The threads that have something to do, and what; one of a pool that waits for work has not."""
    for thread, frame in sys._current_frames().items():
        found, at = None, frame
        while at is not None:
            found = found if _OF_THREADS.search(at.f_code.co_filename) else at.f_code
            at = at.f_back  # type: ignore[assignment]
        if found is not None:
            yield thread, found


def _named(code: CodeType) -> str:
    return f"{code.co_qualname} ({re.split(_SLASH, code.co_filename)[-1]}:{code.co_firstlineno})"


class _Ears:
    """Hears a request's client also while the app does not listen, and keeps for the app what it said."""

    def __init__(self, receive: Receive, gone: Callable[[], None]) -> None:
        self._receive = receive
        self._gone = gone
        self._heard: deque[Message] = deque()
        self._unread = 0
        self._task: asyncio.Task[None] | None = None

    async def receive(self) -> Message:
        """The app's own."""
        while not self._heard:
            task = self._listen()
            await asyncio.wait({task})
            task.result()
        if self._heard[0]["type"] == "http.disconnect":
            return self._heard[0]
        message = self._heard.popleft()
        self._unread -= len(message.get("body", b""))
        return message

    def listening(self) -> asyncio.Task[None] | None:
        """What ends when the client says something more; None where that is not to be heard."""
        gone = bool(self._heard) and self._heard[-1]["type"] == "http.disconnect"
        return None if gone or self._unread >= UNREAD_OCTETS else self._listen()

    def close(self) -> None:
        """Stops to listen."""
        if self._task is not None:
            self._task.cancel()

    def _listen(self) -> asyncio.Task[None]:
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._hear())
        return self._task

    async def _hear(self) -> None:
        try:
            message = await self._receive()
        except Exception:
            self._gone()
            raise
        self._heard.append(message)
        self._unread += len(message.get("body", b""))
        if message["type"] == "http.disconnect":
            self._gone()


def _noise(octets: int) -> bytes:
    """Text that no content coding makes much smaller: what compresses would get through a block too early."""
    return base64.urlsafe_b64encode(os.urandom(octets * 3 // 4 + 3))[:octets]


async def _client_gone(receive: Receive) -> None:
    # The body of a POST is of no interest here, but what comes after it is.
    while (await receive())["type"] != "http.disconnect":
        pass


class _ServerSignals:
    """Ends streams when the server gets SIGTERM; a lock-step stream would hold it up for two minutes.

    While a stream is open this stands in front of the server's own handlers and calls them in turn.
    """

    def __init__(self, stop: Callable[[int], None]) -> None:
        self._stop = stop
        self._before: dict[int, Callable[[int, FrameType | None], object]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self) -> None:
        # Only the main thread may set handlers, and only there do signals matter to a server.
        if self._before or threading.current_thread() is not threading.main_thread():
            return
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            if callable(before):
                self._before[number] = before
                signal.signal(number, self._on_signal)

    def unwatch(self) -> None:
        for number, before in list(self._before.items()):
            # A handler installed on top of ours in the meantime still calls ours: then leave it.
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, before)
                del self._before[number]

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop, number)
        self._before[number](number, frame)
