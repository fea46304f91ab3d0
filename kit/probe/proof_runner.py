"""Runs a proof's machine (`kit.proof.lockstep`, `.held_answer`) against a real origin and the real clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from kit.errors import Code, KitError
from kit.language import text
from kit.probe.client import Ask, Client, Response, now_ms
from kit.probe.http_errors import shown
from kit.probe.lateness import Sleep, drained
from kit.probe.origin import Side, new_stream, stream_url
from kit.probe.spec import coding
from kit.proof.actions import (
    Action,
    Await,
    End,
    Feed,
    Leave,
    Machine,
    Observed,
    Open,
    Pass,
    Ping,
    Progress,
    Reply,
    Wait,
)
from kit.proof.conditions import Conditions
from kit.proof.events import ChunkDecoder, EventTooLargeError, LineDecoder
from kit.proof.received import Received
from kit.proof.sse import SSEDecoder
from kit.proof.steps import SIDE_TIMEOUT_MS

T = TypeVar("T")

_PARTING_MS = 1_000.0  # Ctrl-C may have been pressed


@dataclass(frozen=True, slots=True)
class ProofRequest:
    """How the proof's stream is asked for: as the lane's own answer is.

    Attributes:
        base: the proof's prefix.
        at: under which conditions.
        headers: what else is sent with it, and with each side request.
        side: the prefix of side requests, where they go another way than the stream; empty for `base`.
    """

    base: str
    at: Conditions = field(default_factory=Conditions)
    headers: tuple[tuple[str, str], ...] = ()
    side: str = ""


class Runner:
    """Runs a machine, whatever the stream: takes its actions and waits for what comes.

    Args:
        stepped: called after each action, to show the evidence as it grows.
    """

    _reads_on = False  # what has come is read even where what is waited for is there

    def __init__(self, stepped: Callable[[], None] = lambda: None) -> None:
        self._stepped = stepped
        self._received: Received | None = None
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
            await self._part()
            raise
        finally:
            self._sleep.stop()
            await self._leave()

    async def _act(self, action: Action) -> Observed:
        reply = None
        if isinstance(action, Await):
            await self._until(lambda: self._enough(action), action.within_ms)
        else:
            reply = await self._do(action)
        if self._reads_on or not self._enough(action):
            await drained(self._news)  # what lies there came in time, however late this process looks
        self._check()
        return Observed(now_ms(), reply, self._received, self._sleep.taken_ms())

    async def _do(self, action: Action) -> Reply | None:
        """Take an action that does not only wait; the side request's answer, if it had one."""
        raise NotImplementedError

    def _check(self) -> None:
        """Raises what went wrong with the stream."""

    async def _part(self) -> None:
        """The machine did not come to its end: leave nothing of it behind."""

    async def _leave(self) -> None:
        """Close the stream's connection, whatever state it is in."""

    def _enough(self, action: Action) -> bool:
        """Whether what is waited for is there, or nothing more can come."""
        received = self._received
        if received is None or received.ended_ms is not None:
            return True
        return isinstance(action, Await) and (
            received.events >= action.events or received.octets >= action.octets
        )

    async def _until(self, condition: Callable[[], bool], within_ms: float) -> None:
        """Return when it holds, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_ms / 1000):
                while not condition():
                    self._news.clear()
                    await self._news.wait()


class SideRunner(Runner):
    """Runs a machine whose origin is asked on a side connection.

    Args:
        side: for the side requests.
        stepped: see `Runner`.

    Attributes:
        stream_id: of the stream opened last; empty before the first.
    """

    def __init__(self, side: Side, stepped: Callable[[], None] = lambda: None) -> None:
        super().__init__(stepped)
        self._side = side
        self.stream_id = ""

    async def _do(self, action: Action) -> Reply | None:
        reply = None
        match action:
            case Ping():
                reply = await self._side.ping(action.within_ms, self.stream_id)
            case Open():
                await self._open(action)
            case Feed():
                reply = await self._side.feed(
                    self.stream_id, action.bytes, action.within_ms, comment=action.comment
                )
            case Pass():
                reply = await self._side.let(self.stream_id, action.pieces, action.within_ms)
            case End() if self.stream_id:
                reply = await self._side.end(self.stream_id, action.within_ms)
            case Wait():
                await asyncio.sleep(action.ms / 1000)
        if reply is not None:
            self._heard(reply)
        return reply

    async def _open(self, action: Open) -> None:
        raise NotImplementedError

    def _heard(self, reply: Reply) -> None:
        """A side request was answered."""

    async def _part(self) -> None:
        # Not every hop passes on that its client has left: without this the stream would go on.
        if self.stream_id:
            with suppress(KitError):
                await self._side.end(self.stream_id, _PARTING_MS)


class Driver(SideRunner):
    """One proof's I/O: a stream on one connection, side requests on another.

    Args:
        streams, side: two clients, so that the two never share a connection.
        request: how to ask.
        stepped: see `Runner`.

    Attributes:
        head: of the stream that came last, names in lower case; empty before the first.
    """

    def __init__(
        self, streams: Client, side: Client, request: ProofRequest, stepped: Callable[[], None] = lambda: None
    ) -> None:
        self._headers = (*request.headers, *coding(request.at))
        super().__init__(Side(side, request.side or request.base, self._headers), stepped)
        self._streams = streams
        self._request = request
        self.head: Mapping[str, str] = {}
        self._reader: asyncio.Task[None] | None = None
        self._fault: KitError | None = None

    def _check(self) -> None:
        if self._fault is not None:
            raise self._fault
        if self._reader is not None and self._reader.done():
            self._reader.result()  # a bug must not look like a stream that was cut

    async def _do(self, action: Action) -> Reply | None:
        if isinstance(action, Leave):
            async with self._streams.leaving(action.by):
                await self._leave()
            return None
        return await super()._do(action)

    async def _open(self, action: Open) -> None:
        await self._leave()
        self.stream_id = new_stream()
        at = self._request.at
        url = stream_url(
            self._request.base,
            self.stream_id,
            mode=action.mode,
            size=action.bytes,
            at=at,
            seconds=action.seconds,
            first=action.first,
            stop=action.stop,
        )
        body = b"" if at.method == "POST" else None
        self._received = Received(SSEDecoder(comments=True) if at.framing == "sse" else LineDecoder())
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
                text("{url} sent an event without an end.", url=shown(ask.url)),
                text("That is not the proof's protocol: check the --proof address."),
            )
        except KitError as error:
            # A stream that had begun and broke is something to judge; one that never began is not.
            if received.status is None or error.code is not Code.BODY_CUT:
                self._fault = error
        finally:
            received.end(now_ms(), clean=clean)
            self._news.set()

    async def _leave(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            await asyncio.wait({reader})
            if not reader.cancelled():
                reader.result()


async def driven(request: ProofRequest, machine: Machine[T], *, http2: bool, timeout_s: float) -> T:
    """What the machine returns, run on two connections of its own: one for streams, one beside them.

    Raises:
        KitError: a stream could not be opened.
    """
    async with (
        Client(http2=http2, timeout_s=timeout_s) as streams,
        Client(http2=http2, timeout_s=timeout_s) as side,
    ):
        return await Driver(streams, side, request).run(machine)


async def together(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What each returns, in order, run at the same time; where one raises, the others are cancelled first."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class AnswerDriver(Driver):
    """The app's own answer in lock-step in the place of the proof's stream, to be left.

    Args:
        streams, side, request: as a Driver's; the request is the side connection's.
        ask: what asks for the answer, with the proof's token.
    """

    def __init__(self, streams: Client, side: Client, request: ProofRequest, ask: Ask) -> None:
        super().__init__(streams, side, request)
        self._ask = ask

    async def _open(self, action: Open) -> None:
        await self._leave()
        self.stream_id = new_stream()
        self._received = Received(ChunkDecoder())
        ask = replace(self._ask, headers=(*self._ask.headers, ("streamproof-answer", self.stream_id)))
        self._reader = asyncio.create_task(self._read(ask, self._received))


class AnswerRunner(SideRunner):
    """Side requests for an answer that is read elsewhere, which says here what it reads.

    Octets are counted as its origin counts them: before content coding, unless the app itself had coded them.

    Attributes:
        asks: the header that the answer's request bears, beside the proof's token.
    """

    def __init__(self, side: Side) -> None:
        super().__init__(side)
        self.stream_id = new_stream()
        self.asks = ("streamproof-answer", self.stream_id)
        self._plain = self._counted = self._received = Received(ChunkDecoder())
        self._coded = Received(ChunkDecoder())

    @property
    def octets(self) -> int:
        """How many came, counted as the origin counts them."""
        return self._counted.octets

    async def progress(self) -> Progress | None:
        """How far the origin is with it, which releases all of it; None where there was no answer."""
        reply = await self._side.end(self.stream_id, SIDE_TIMEOUT_MS)
        return None if reply is None else reply.progress

    def head(self, response: Response) -> None:
        """The answer's head is in."""
        for received in (self._plain, self._coded):
            received.head(response.head_ms, response.status, response.headers)
        self._news.set()

    def body(self, at_ms: float, octets: int, coded_octets: int) -> None:
        """Some of it was read: so many octets more, so many in all before content coding was undone."""
        self._plain.count(at_ms, octets)
        self._coded.count(at_ms, coded_octets - self._coded.octets)
        self._news.set()

    def ended(self, *, clean: bool) -> None:
        """It is over."""
        for received in (self._plain, self._coded):
            received.end(now_ms(), clean=clean)
        self._news.set()

    def _heard(self, reply: Reply) -> None:
        if reply.progress is not None:
            coding, borne = reply.progress.coding, self._coded.headers.get("content-encoding", "")
            self._received = self._counted = (
                self._coded if coding and coding == borne.lower() else self._plain
            )
