"""A text generator's pieces as a streaming response: framing, heartbeat, deadline, cancellation, headers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import traceback
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service import problems
from service.framing import Framing
from service.generate import Finish
from service.problems import Problem
from service.streams import LAST_WORD_S, OpenStreams

log = logging.getLogger("streamproof")


@dataclass(frozen=True, slots=True)
class Began:
    """When a request began, on both clocks: the one the world shares and the one that never jumps."""

    epoch_ms: float = field(default_factory=lambda: time.time() * 1000)
    monotonic_s: float = field(default_factory=time.monotonic)

    def elapsed_ms(self) -> float:
        return (time.monotonic() - self.monotonic_s) * 1000


class AnswerStream(Response):
    """Streams one answer. A response that ends in neither `done` nor `error` was cut by somebody else.

    The head is held until the first piece is there, or an error, which then becomes a real HTTP status: most
    upstream errors come before the first piece. It is not held longer than one heartbeat interval: from then
    on a front that closes idle connections matters more than the status.

    Args:
        pieces: what the generator yields.
        framing: how it is written down.
        began: when the request did.
        streams: what counts this answer while it runs.
        heartbeat_s: seconds of silence after which a heartbeat is sent.
        deadline_s: seconds since `began` after which the answer ends with an error; None for never.
        accel: whether to send `X-Accel-Buffering: no`.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[str | Finish],
        framing: Framing,
        began: Began,
        streams: OpenStreams,
        *,
        heartbeat_s: float,
        deadline_s: float | None,
        accel: bool,
    ) -> None:
        self.status_code = 200
        self.background = None
        #: How it ended, for the log: "done", the kind of a problem, or "client-left".
        self.ended = "client-left"
        self.events = 0
        self._pieces = pieces
        self._framing = framing
        self._began = began
        self._streams = streams
        self._heartbeat_s = heartbeat_s
        self._deadline_s = deadline_s
        self._head_sent = False
        self._last_write = began.monotonic_s
        # Pieces and heartbeats come from two tasks, and ASGI does not say that two may wait in `send`.
        # No lock: taken for every event, it would cost as much as framing it.
        self._writing = False
        self._beating: asyncio.Event | None = None
        self._interrupted: asyncio.Future[Problem] = asyncio.get_running_loop().create_future()
        self.raw_headers = [
            (b"content-type", framing.media_type.encode()),
            # no-transform: a proxy that compresses would hold text back to compress it well.
            (b"cache-control", b"no-cache, no-transform"),
            (b"incremental", b"?1"),
            (b"streamproof-started-ms", f"{began.epoch_ms:.3f}".encode()),
        ]
        if accel:
            self.raw_headers.append((b"x-accel-buffering", b"no"))

    def interrupt(self, problem: Problem) -> None:
        """Ends the answer with the problem, wherever it is."""
        if not self._interrupted.done():
            self._interrupted.set_result(problem)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._streams.hold(self):
                await self._run(scope, receive, send)
        except Problem as refused:
            await self._refuse(refused, scope, receive, send)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        pump = loop.create_task(self._pump(send))
        gone = loop.create_task(_client_gone(receive))
        heartbeat = loop.create_task(self._heartbeat(send))
        deadline = None
        if self._deadline_s is not None:
            left = self._deadline_s - self._began.elapsed_ms() / 1000
            deadline = loop.call_later(left, self.interrupt, problems.deadline(self._deadline_s))
        ends: list[asyncio.Future[Any]] = [pump, gone, self._interrupted]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if deadline is not None:
                deadline.cancel()
            for task in (pump, gone, heartbeat):
                task.cancel()
            await asyncio.wait({pump, gone, heartbeat})
        if not pump.cancelled():
            failure = pump.exception()
            if failure is None:
                return
            if not isinstance(failure, Problem):
                raise failure
            await self._fail(failure, scope, receive, send)
        elif self._interrupted.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORD_S):
                    await self._fail(self._interrupted.result(), scope, receive, send)

    async def _pump(self, send: Send) -> None:
        finish: Finish | None = None
        frame, began = self._framing.token, self._began.monotonic_s
        try:
            async with aclosing(self._pieces) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Finish):
                        finish = piece
                        break
                    while self._beating is not None:
                        await self._beating.wait()
                    self._writing = True
                    if not self._head_sent:
                        await self._send_head(send)
                    self._last_write = now = time.monotonic()
                    body = frame(self.events, piece, (now - began) * 1000)
                    self.events += 1
                    try:
                        await send({"type": "http.response.body", "body": body, "more_body": True})
                    except OSError:  # how a server may say that the client is gone
                        return
                    self._writing = False
        except Problem:
            raise
        except Exception as failure:
            # The message of a foreign exception may quote the prompt: the log gets the type and the place.
            place = "".join(traceback.format_tb(failure.__traceback__))
            log.error("the generator failed with %s\n%s", type(failure).__name__, place)
            raise problems.internal() from None
        if finish is None:
            log.error("the generator ended without a Finish")
            raise problems.internal()
        usage = {"prompt_tokens": finish.prompt_tokens, "output_tokens": finish.output_tokens}
        data = {"usage": usage, "finish_reason": finish.reason}
        while self._beating is not None:
            await self._beating.wait()
        self._writing = True
        if not self._head_sent:
            await self._send_head(send)
        await self._end(send, self._framing.done(self.events, data), "done")

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
            except OSError:  # the client is gone, as the pump will see
                return
            finally:
                self._last_write = time.monotonic()
                self._beating = None
                beating.set()

    async def _send_head(self, send: Send) -> None:
        self._head_sent = True
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

    async def _end(self, send: Send, last: bytes, ended: str) -> None:
        # Said only after it is sent: a client that leaves during the last event has not got it.
        await send({"type": "http.response.body", "body": last, "more_body": False})
        self.events += 1
        self.ended = ended

    async def _fail(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        if self._head_sent:
            await self._end(send, self._framing.error(self.events, problem.body()), problem.kind)
        else:
            await self._refuse(problem, scope, receive, send)

    async def _refuse(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        self.status_code = problem.status
        self.ended = problem.kind
        await problem.response()(scope, receive, send)


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
