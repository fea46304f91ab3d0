"""An answer's events as a streaming response: heartbeat, deadline, cancellation, headers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service import problems
from service.error_handler import SEND
from service.events import Began, Event, error
from service.framing import Framing
from service.problems import Problem
from service.streams import LAST_WORD_S, OpenStreams

STARTED = "streamproof-started-ms"


class AnswerStream(Response):
    """Streams one answer. A response that ends in neither `done` nor `error` was cut on the way.

    The head is held until the first event is there, or an error, which then becomes a real HTTP status: most
    upstream errors come before the first piece. It is not held longer than one heartbeat interval: from then
    on a front that closes idle connections matters more than the status.

    Args:
        events: of the answer, from number `first` on, tokens as events or as `framing` has them; it raises
            the Problem that the answer ends with.
        framing: how they are written down.
        began: when the request did.
        streams: what counts this response while it runs.
        heartbeat_s: seconds of silence after which a heartbeat is sent.
        deadline_s: seconds since `began` after which the response ends with an error; None for never.
        accel: whether to send `X-Accel-Buffering: no`.
        first: the number of the first event.
        kept: whether the answer is kept: then this response only reads it, and an error that ends the
            response does not end the answer.
        started_ms: when the answer was asked for, in epoch milliseconds; None for when the request was.
    """

    def __init__(
        self,
        events: AsyncGenerator[bytes | Event] | AsyncGenerator[Event],
        framing: Framing,
        began: Began,
        streams: OpenStreams,
        *,
        heartbeat_s: float,
        deadline_s: float | None,
        accel: bool,
        first: int = 0,
        kept: bool = False,
        started_ms: float | None = None,
    ) -> None:
        self.status_code = 200
        self.background = None
        #: How it ended, for the log: "done", the kind of a problem, or "client-left".
        self.ended = "client-left"
        self.events = 0
        self._source = events
        self._framing = framing
        self._began = began
        self._streams = streams
        self._heartbeat_s = heartbeat_s
        self._deadline_s = deadline_s
        self._seq = first
        self._kept = kept
        self._head_sent = False
        self._last_write = began.monotonic_s
        # Events and heartbeats come from two tasks, and ASGI does not say that two may wait in `send`.
        # No lock: taken for every event, it would cost as much as framing it.
        self._writing = False
        self._beating: asyncio.Event | None = None
        self._interrupted: asyncio.Future[Problem] = asyncio.get_running_loop().create_future()
        started_ms = began.epoch_ms if started_ms is None else started_ms
        self.raw_headers = [
            (b"content-type", framing.media_type.encode()),
            # no-transform: a proxy that compresses would hold text back to compress it well.
            (b"cache-control", b"no-cache, no-transform"),
            (b"incremental", b"?1"),
            (STARTED.encode(), f"{started_ms:.3f}".encode()),
        ]
        if accel:
            self.raw_headers.append((b"x-accel-buffering", b"no"))

    def interrupt(self, problem: Problem) -> None:
        """Ends the response with the problem, wherever it is."""
        if not self._interrupted.done():
            self._interrupted.set_result(problem)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._streams.hold(self, reads=self._kept):
                await self._run(scope, receive, send)
        except Problem as refused:
            await self._refuse(refused, scope, receive, send)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        pump = loop.create_task(self._pump(scope, send))
        gone = loop.create_task(client_gone(receive))
        heartbeat = loop.create_task(self._heartbeat(send))
        deadline = None
        if self._deadline_s is not None:
            left = self._deadline_s - self._began.elapsed_ms() / 1000
            late = problems.response_deadline if self._kept else problems.deadline
            deadline = loop.call_later(left, self.interrupt, late(self._deadline_s))
        ends: list[asyncio.Future[Any]] = [pump, gone, heartbeat, self._interrupted]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if deadline is not None:
                deadline.cancel()
            for task in (pump, gone, heartbeat):
                task.cancel()
            await asyncio.wait({pump, gone, heartbeat})
        for task in (gone, heartbeat):
            if not task.cancelled():
                task.result()  # raises what only a bug raises there
        if not pump.cancelled():
            failure = pump.exception()
            if failure is None:
                return
            if not isinstance(failure, Problem):
                raise failure
            await self._fail(failure, self._seq, scope, receive, send)
        elif self._interrupted.done():
            seq = None if self._kept else self._seq
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORD_S):
                    await self._fail(self._interrupted.result(), seq, scope, receive, send)

    async def _pump(self, scope: Scope, send: Send) -> None:
        # All of the loop is done for each event; what it costs stands in bench/streaming_cpu.py.
        onward: Send = scope.get(SEND, send)
        frame, now = self._framing.frame, time.monotonic
        async with aclosing(self._source) as events:
            async for event in events:
                while self._beating is not None:
                    await self._beating.wait()
                self._writing = True
                if not self._head_sent:
                    await self._send_head(send)
                if isinstance(event, bytes):
                    body = event
                else:
                    body = frame(self._seq, event)
                    if event.name == "done":
                        await self._end(send, body, "done")
                        return
                self._last_write = now()
                self._seq += 1
                self.events += 1
                try:
                    await onward({"type": "http.response.body", "body": body, "more_body": True})
                except OSError:  # how a server may say that the client is gone
                    return
                self._writing = False

    async def _heartbeat(self, send: Send) -> None:
        while True:
            silent_s = time.monotonic() - self._last_write
            if silent_s < self._heartbeat_s:
                await asyncio.sleep(self._heartbeat_s - silent_s)
                continue
            self._last_write = time.monotonic()
            if self._writing:
                continue  # not silence: the client is slow to read what is there
            self._beating = beating = asyncio.Event()
            try:
                if not self._head_sent:
                    await self._send_head(send)
                if self._framing.heartbeat:
                    body = self._framing.heartbeat
                    await send({"type": "http.response.body", "body": body, "more_body": True})
            except OSError:  # the client is gone
                return
            finally:
                self._last_write = time.monotonic()
                self._beating = None
                beating.set()

    async def _send_head(self, send: Send) -> None:
        self._head_sent = True
        # How long the service itself took until there was something to send: what a client waits beyond that
        # is the way's.
        self.raw_headers.append((b"server-timing", f"first;dur={self._began.elapsed_ms():.1f}".encode()))
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

    async def _end(self, send: Send, last: bytes, ended: str) -> None:
        # Said only after it is sent: a client that leaves during the last event has not got it.
        await send({"type": "http.response.body", "body": last, "more_body": False})
        self.events += 1
        self.ended = ended

    async def _fail(
        self, problem: Problem, seq: int | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if self._head_sent:
            await self._end(send, self._framing.frame(seq, error(problem)), problem.kind)
        else:
            await self._refuse(problem, scope, receive, send)

    async def _refuse(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        self.status_code = problem.status
        self.ended = problem.kind
        await problem.response()(scope, receive, send)


async def client_gone(receive: Receive) -> None:
    """Returns when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
