"""Runs a proof (`kit.proof.lockstep`) against a real origin, on real sockets and the real clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from kit.errors import Code, KitError
from kit.probe.client import Ask, Client, now_ms
from kit.probe.faults import shown
from kit.probe.lateness import Sleep, drained
from kit.probe.origin import Side, new_stream, stream_url
from kit.probe.spec import coding
from kit.proof.actions import Action, Await, End, Feed, Machine, Observed, Open, Ping
from kit.proof.conditions import Conditions
from kit.proof.events import EventTooLargeError, LineDecoder
from kit.proof.received import Received
from kit.proof.sse import SSEDecoder

T = TypeVar("T")

_PARTING_MS = 1_000.0  # Ctrl-C may have been pressed


@dataclass(frozen=True, slots=True)
class ProofRequest:
    """How the proof's stream is asked for: as the lane's own answer is.

    Attributes:
        base: the proof's prefix.
        at: under which conditions.
        headers: what else is sent with it, and with each side request.
    """

    base: str
    at: Conditions = field(default_factory=Conditions)
    headers: tuple[tuple[str, str], ...] = ()


class Driver:
    """One proof's I/O: a stream on one connection, side requests on another.

    Args:
        streams, side: two clients, so that the two never share a connection.
        request: how to ask.
        stepped: called after each action, to show the evidence as it grows.

    Attributes:
        stream_id: of the stream opened last; empty before the first.
        head: of the stream that came last, names in lower case; empty before the first.
    """

    def __init__(
        self, streams: Client, side: Client, request: ProofRequest, stepped: Callable[[], None] = lambda: None
    ) -> None:
        self._streams = streams
        self._headers = (*request.headers, *coding(request.at))
        self._side = Side(side, request.base, self._headers)
        self._request = request
        self._stepped = stepped
        self.stream_id = ""
        self.head: Mapping[str, str] = {}
        self._received: Received | None = None
        self._reader: asyncio.Task[None] | None = None
        self._fault: KitError | None = None
        self._news = asyncio.Event()
        self._sleep = Sleep()

    async def run(self, machine: Machine[T]) -> T:
        """What the machine makes of it.

        Raises:
            KitError: the stream could not be opened, or broke in a way that no verdict covers.
        """
        self._sleep.start()
        try:
            action = next(machine)
            while True:
                observed = await self._act(action)
                self._stepped()
                action = machine.send(observed)
        except StopIteration as stop:
            made: T = stop.value
            return made
        except BaseException:
            # Not every hop passes on that its client has left: without this the stream would go on.
            if self.stream_id:
                with suppress(KitError):
                    await self._side.end(self.stream_id, _PARTING_MS)
            raise
        finally:
            self._sleep.stop()
            await self._leave()

    async def _act(self, action: Action) -> Observed:
        reply = None
        match action:
            case Ping():
                reply = await self._side.ping(action.within_ms, self.stream_id)
            case Open():
                await self._open(action)
            case Feed():
                reply = await self._side.feed(self.stream_id, action.bytes, action.within_ms)
            case End() if self.stream_id:
                reply = await self._side.end(self.stream_id, action.within_ms)
            case End():
                pass
            case Await():
                await self._wait(action)
        if not self._enough(action):
            await drained(self._news)  # what lies there came in time, however late this process looks
        if self._fault is not None:
            raise self._fault
        if self._reader is not None and self._reader.done():
            self._reader.result()  # a bug must not look like a stream that was cut
        return Observed(now_ms(), reply, self._received, self._sleep.taken_ms())

    def _enough(self, action: Action) -> bool:
        """Whether what is waited for is there, or nothing more can come."""
        received = self._received
        if received is None or received.ended_ms is not None:
            return True
        return isinstance(action, Await) and (
            received.events >= action.events or received.octets >= action.octets
        )

    async def _open(self, action: Open) -> None:
        await self._leave()
        self.stream_id = new_stream()
        at = self._request.at
        url = stream_url(self._request.base, self.stream_id, mode=action.mode, size=action.bytes, at=at)
        body = b"" if at.method == "POST" else None
        self._received = Received(SSEDecoder() if at.framing == "sse" else LineDecoder())
        ask = Ask(at.method, url, (*self._headers, ("accept", at.accept)), body)
        self._reader = asyncio.create_task(self._read(ask, self._received))

    async def _read(self, ask: Ask, received: Received) -> None:
        """Read one stream to its end; every read is news."""
        clean = False
        try:
            async with self._streams.stream(ask) as response:
                received.head(response.head_ms, response.status, response.headers)
                if response.status == 200:
                    self.head = response.headers
                self._news.set()
                async for at, data in response.reads():
                    received.body(at, data)
                    self._news.set()
                clean = True
        except EventTooLargeError:
            self._fault = KitError(
                Code.TOO_LARGE,
                f"{shown(ask.url)} sent an event without an end.",
                "That is not the proof's protocol: check the --proof address.",
            )
        except KitError as error:
            # A stream that had begun and broke is something to judge; one that never began is not.
            if received.status is None or error.code is not Code.BODY_CUT:
                self._fault = error
        finally:
            received.end(now_ms(), clean=clean)
            self._news.set()

    async def _wait(self, action: Await) -> None:
        deadline = now_ms() + action.within_ms
        while not self._enough(action):
            left = deadline - now_ms()
            if left <= 0:
                return
            self._news.clear()
            try:
                async with asyncio.timeout(left / 1000):
                    await self._news.wait()
            except TimeoutError:
                return

    async def _leave(self) -> None:
        """Close the stream's connection, whatever state it is in."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            await asyncio.wait({reader})
            if not reader.cancelled():
                reader.result()
