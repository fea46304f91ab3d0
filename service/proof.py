"""The origin's half of streamproof: a stream whose events a prober orders, over a second connection.

One file, nothing but the standard library and starlette: copy it into any FastAPI or Starlette app.

    app.mount("/proof", create_proof())

Around any ASGI app it needs no route of the app's:

    app = wrap(app)

It answers 404 until `STREAMPROOF_LAB=1` or `STREAMPROOF_PROOF_UNTIL` (epoch seconds, ahead of now) is set,
so that it can stay deployed and be opened for an hour. Endpoints below the prefix:

    GET|POST stream?id=<32 hex>&mode=lockstep|pause|free&bytes=200&type=sse|ndjson|text&accel=on|off
                &incremental=on|off&content=MEDIA-TYPE&cache=CACHE-CONTROL&vary=VARY&total=N
    POST     feed?id=&bytes=     one more event, now
    POST     end?id=             no more events
    GET      ping?id=            which instance and version, its clock; with id whether it has the stream

An event is exactly `bytes` octets, framing included; its data is
`{"seq", "ms" (server's epoch time), "part" ("first"|"bulk"|"rest", mode=pause only), "pad"}`.
A feed reaches its stream only within one process: with several workers or instances it may answer
`"known": false`, and the prober falls back to mode=pause.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import secrets
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

STREAMS = 16
STREAM_OCTETS = 4 * 1024 * 1024
FREE_OCTETS = 1024 * 1024
STREAM_SECONDS = 120.0
EVENT_OCTETS = range(128, 1024 * 1024 + 1)
DEFAULT_OCTETS = 200
# mode=pause: more than any block size known (64 KiB, 1 MiB) goes ahead of the silence, so that whatever still
# holds after it holds the whole message.
BULK_OCTETS = 1_153_434
SILENCE_SECONDS = 1.0
REST_EVENTS = 3
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
# A page of another origin may see how long its request waited for a connection (Resource Timing).
NO_STORE = {"Cache-Control": "no-store", "Timing-Allow-Origin": "*"}


def open_by_environment() -> bool:
    """Whether STREAMPROOF_LAB is 1 or STREAMPROOF_PROOF_UNTIL (epoch seconds) lies ahead."""
    if os.environ.get("STREAMPROOF_LAB") == "1":
        return True
    try:
        return time.time() < float(os.environ.get("STREAMPROOF_PROOF_UNTIL", "0"))
    except ValueError:
        return False


def version_by_environment(environ: Mapping[str, str] = os.environ) -> str | None:
    """What the platform calls this deployment: GAE_VERSION (App Engine), K_REVISION (Cloud Run), else the
    digest that `kit deploy` gives it; None where nothing says."""
    names = ("GAE_VERSION", "K_REVISION", "STREAMPROOF_BUNDLE")
    return next((value for name in names if (value := environ.get(name))), None)


def create_proof(
    *,
    enabled: Callable[[], bool] | None = None,
    instance: str | None = None,
    version: str | None = None,
) -> Router:
    """An ASGI app to mount under any prefix.

    Args:
        enabled: asked at each request; while it says no, everything answers 404. By default
            `open_by_environment`.
        instance: names this process in the answers; random by default. It must differ between processes.
        version: names what is deployed, in the header Streamproof-Version of every response and in the
            answers; by default `version_by_environment`.
    """
    proof = _Proof(
        enabled or open_by_environment,
        instance or secrets.token_hex(8),
        version or version_by_environment(),
    )
    return Router(
        [
            Route("/stream", proof.guard(proof.stream), methods=["GET", "POST"]),
            Route("/feed", proof.guard(proof.feed), methods=["POST"]),
            Route("/end", proof.guard(proof.end), methods=["POST"]),
            Route("/ping", proof.guard(proof.ping), methods=["GET"]),
        ]
    )


def wrap(
    app: ASGIApp,
    *,
    prefix: str = "/proof",
    enabled: Callable[[], bool] | None = None,
    instance: str | None = None,
    version: str | None = None,
) -> ASGIApp:
    """The app with the proof below `prefix`; all else reaches the app untouched.

    Args:
        app: any ASGI app. What it has below the prefix itself is not reached any more.
        prefix: a path, below the root path that the server names.
        enabled: see `create_proof`, like the rest.
        instance: names this process.
        version: names what is deployed.
    """
    return _Wrapped(app, prefix, create_proof(enabled=enabled, instance=instance, version=version))


class _Wrapped:
    """An app behind the proof. `app` is the app."""

    def __init__(self, app: ASGIApp, prefix: str, proof: ASGIApp) -> None:
        self.app = app
        self._prefix = prefix.rstrip("/")
        self._proof = proof

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._is_ours(scope):
            root = scope.get("root_path", "") + self._prefix
            await self._proof({**scope, "root_path": root, "path": _absolute(scope)}, receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if self._prefix not in path:
            return False
        below = _absolute(scope).removeprefix(scope.get("root_path", ""))
        return below.startswith(f"{self._prefix}/")


def _absolute(scope: Scope) -> str:
    """The request's path with the root path before it, which not every server puts there."""
    path, root = scope["path"], scope.get("root_path", "")
    return path if path.startswith(root) else f"{root}{path}"


class _Refusal(Exception):
    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error, self.message = status, error, message


class _Proof:
    """The open streams of one process, by id."""

    def __init__(self, enabled: Callable[[], bool], instance: str, version: str | None) -> None:
        self._enabled = enabled
        self._names = {"instance": instance} | ({"version": version} if version else {})
        self._version = {VERSION: version} if version else {}
        self._headers = {**NO_STORE, **self._version}
        self._streams: dict[str, _Stream] = {}
        self._signals = _ServerSignals(self._end_all)

    def guard(self, endpoint: Callable[[Request], Response]) -> Callable[[Request], object]:
        async def answer(request: Request) -> Response:
            if not self._enabled():
                return JSONResponse({"streamproof": 1, "error": "proof-expired"}, 404, self._headers)
            try:
                return endpoint(request)
            except _Refusal as no:
                body = {"streamproof": 1, "error": no.error, "message": no.message}
                return JSONResponse(body, no.status, self._headers)

        return answer

    def ping(self, request: Request) -> Response:
        if "id" not in request.query_params:
            return self._answer({})
        return self._state(self._streams.get(_id(request.query_params)))

    def feed(self, request: Request) -> Response:
        stream = self._streams.get(_id(request.query_params))
        size = _octets(request.query_params)
        if stream is None or stream.ended:
            return self._state(None)
        stream.order(size)
        return self._state(stream)

    def end(self, request: Request) -> Response:
        stream = self._streams.get(_id(request.query_params))
        if stream is not None:
            stream.end()
        return self._state(stream)

    def _state(self, stream: _Stream | None) -> Response:
        return self._answer({"known": stream is not None, "emitted": stream.ordered if stream else 0})

    def stream(self, request: Request) -> Response:
        plan = _Plan.parse(request.query_params)
        # From here to the registration nothing is awaited, so two openings cannot both pass the checks.
        if plan.id in self._streams:
            raise _Refusal(409, "id-in-use", f"a stream with the id {plan.id} is open already")
        if len(self._streams) >= STREAMS:
            raise _Refusal(429, "too-many-streams", f"{STREAMS} proof streams are open, which is the limit")
        stream = _Stream(plan, self._version, closed=self._close)
        self._streams[plan.id] = stream
        self._signals.watch()
        return stream

    def _close(self, stream: _Stream) -> None:
        del self._streams[stream.plan.id]
        if not self._streams:
            self._signals.unwatch()

    def _end_all(self) -> None:
        for stream in self._streams.values():
            stream.end()

    def _answer(self, fields: Mapping[str, object]) -> Response:
        body = {"streamproof": 1, **fields, **self._names, "now_ms": time.time() * 1000}
        return JSONResponse(body, headers=self._headers)


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

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> _Plan:
        mode = _one_of(query, "mode", MODES)
        media = _one_of(query, "type", tuple(MEDIA_TYPES))
        size = _octets(query)
        total = _total(query)
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
        )


def _id(query: Mapping[str, str]) -> str:
    value = query.get("id", "")
    if not re.fullmatch(r"[0-9a-fA-F]{32}", value):
        raise _Refusal(400, "bad-id", "id must be 32 hexadecimal digits, chosen at random by the prober")
    return value.lower()


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


def _pause_octets(size: int) -> int:
    return size + -(-BULK_OCTETS // size) * size + REST_EVENTS * DEFAULT_OCTETS


class _Stream(Response):
    """One proof stream: emits what is ordered, until it is ended, left, or its time is over."""

    def __init__(self, plan: _Plan, version: Mapping[str, str], closed: Callable[[_Stream], None]) -> None:
        self.plan = plan
        self.ordered = 0
        self.ended = False
        self._closed = closed
        self._limit = STREAM_OCTETS if plan.total is None else plan.total
        self._octets_ordered = 0
        self._orders: deque[int] = deque()
        self._wake = asyncio.Event()
        self._seq = 0
        self._octets_sent = 0
        self.status_code = 200
        self.background = None
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
        self.raw_headers = [(k.lower().encode(), v.encode()) for k, v in headers.items()]
        if plan.mode == "lockstep":
            self.order(plan.size)

    def order(self, size: int) -> None:
        """Has one more event of `size` octets emitted."""
        if self.plan.mode != "lockstep":
            raise _Refusal(400, "not-lockstep", f"this is a {self.plan.mode} stream; it is not fed")
        if self._octets_ordered + size > self._limit:
            raise _Refusal(429, "too-many-octets", f"this stream's limit is {self._limit} octets")
        self._octets_ordered += size
        self.ordered += 1
        self._orders.append(size)
        self._wake.set()

    def end(self) -> None:
        """Lets what is ordered go out, then ends the stream."""
        self.ended = True
        self._wake.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._send = send
        tasks = {asyncio.ensure_future(self._run()), asyncio.ensure_future(_client_gone(receive))}
        try:
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait(tasks, timeout=STREAM_SECONDS, return_when=first)
            self.end()
            # Time is over: a moment to end in good order, unless the client does not even read.
            done, _ = await asyncio.wait(tasks, timeout=1.0, return_when=first)
            with contextlib.suppress(OSError):  # how some servers say that the client is gone
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            self._closed(self)
            await asyncio.wait(tasks)

    async def _run(self) -> None:
        await self._send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
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
                await self._write(self._event(self._orders.popleft()))
            if self.ended:
                return
            self._wake.clear()
            await self._wake.wait()

    async def _pause(self) -> None:
        size = self.plan.size
        await self._write(self._count(self._event(size, "first")))
        await self._back_to_back((size, "bulk") for _ in range(-(-BULK_OCTETS // size)))
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0 if self.ended else SILENCE_SECONDS):
                await self._wake.wait()
        await self._back_to_back((DEFAULT_OCTETS, "rest") for _ in range(REST_EVENTS))

    async def _free(self) -> None:
        octets = FREE_OCTETS if self.plan.total is None else self.plan.total
        await self._back_to_back((self.plan.size, None) for _ in range(octets // self.plan.size))

    async def _back_to_back(self, events: Iterator[tuple[int, str | None]]) -> None:
        batch: list[bytes] = []
        octets = 0
        for size, part in events:
            if self.ended:
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

    def _event(self, size: int, part: str | None = None) -> bytes:
        seq, self._seq = self._seq, self._seq + 1
        field = f'"part":"{part}",' if part else ""
        data = f'{{"seq":{seq},"ms":{time.time() * 1000:.3f},{field}"pad":"'.encode()
        before, after = (b"data: " + data, b'"}\n\n') if self.plan.media == "sse" else (data, b'"}\n')
        return before + _noise(size - len(before) - len(after)) + after


def _noise(octets: int) -> bytes:
    """Text that no content coding makes much smaller: what compresses would get through a block too early."""
    return base64.urlsafe_b64encode(os.urandom(octets * 3 // 4 + 3))[:octets]


async def _client_gone(receive: Receive) -> None:
    # The body of a POST is of no interest here, but what comes after it is.
    while (await receive())["type"] != "http.disconnect":
        pass


class _ServerSignals:
    """Ends streams when the server is told to stop; a lock-step stream would hold it up for two minutes.

    While a stream is open this stands in front of the server's own handlers and calls them in turn.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
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
            # If somebody has put a handler on top of ours in the meantime it still calls ours: then leave it.
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, before)
                del self._before[number]

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop)
        self._before[number](number, frame)
