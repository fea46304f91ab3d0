"""Base class of what measures one lane, however its answer is delivered: find the origin, ask, judge."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from kit.errors import Code, KitError
from kit.language import text
from kit.probe.address import same_origin
from kit.probe.client import Ask, Client, now_ms
from kit.probe.http_errors import shown, silent
from kit.probe.lateness import Sleep
from kit.probe.origin import Found, Side, discover
from kit.probe.spec import LaneSpec, as_our_service
from kit.proof import answer, exchange
from kit.proof.actions import Reply
from kit.proof.answer import Judge
from kit.proof.clock import Clock, aligned
from kit.proof.events import ChunkDecoder
from kit.proof.lane import Lane, LaneError
from kit.proof.received import Received
from kit.proof.timeline import Arrival, Timeline
from kit.proof.verdict import Finding, Method, Verdict
from kit.urls import without_credentials

PINGS = 3  # that make the origin's clock known
PING_MS = 5_000.0
MOST_EVENTS = 100_000

OnArrival = Callable[[Arrival], None]


class Measured(ABC):
    """One lane's measurement in three steps, so that several lanes can take each step side by side.

    `find`, `answer` and `prove` are called in this order; what goes wrong in one is kept for the lane.

    Attributes:
        spec: what is measured, and how.
        clock: the origin's; None where it is not known.
        line: the answer's timeline, once there is one.
        received: the answer's response, as far as it came.
        redirected: where the answer came from, where that is not what was asked; else empty.
    """

    def __init__(self, spec: LaneSpec) -> None:
        self.spec = spec
        self._stack = AsyncExitStack()
        self._found = Found(None)
        self._ask = spec.ask
        self.received = Received(ChunkDecoder())
        self.redirected = ""
        self._replies: list[Reply] = []
        self.clock: Clock | None = None
        self.line = Timeline((), None, 0.0, False)
        self._by_answer = Finding(Verdict.INCONCLUSIVE, Method.PASSIVE)
        self._error: KitError | None = None

    async def __aenter__(self) -> Self:
        spec = self.spec
        self._streams = await self._stack.enter_async_context(
            Client(http2=spec.http2, timeout_s=spec.timeout_s)
        )
        self._side = await self._stack.enter_async_context(Client(http2=spec.http2, timeout_s=spec.timeout_s))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def asked(self) -> Ask:
        """The request for the answer, as it is sent."""
        return self._ask

    @property
    def found(self) -> Found:
        """Where a proof is to be had."""
        return self._found

    @property
    def pings(self) -> tuple[Reply, ...]:
        """What each ping of the origin brought."""
        return tuple(self._replies)

    @property
    def versions(self) -> frozenset[str]:
        """The versions that responses said they come from."""
        return frozenset(self._streams.versions | self._side.versions)

    @property
    def error(self) -> KitError | None:
        """What went wrong so far."""
        return self._error

    @property
    def by_answer(self) -> Finding:
        """What the answer says by itself."""
        return self._by_answer

    @property
    def reachable(self) -> bool:
        """Whether nothing has gone wrong so far."""
        return self._error is None

    @property
    def provable(self) -> bool:
        """Whether a proof can still be had."""
        return False

    async def find(self) -> None:
        """Is the proof to be had here?"""
        spec = self.spec
        try:
            self._found = await discover(
                self._side,
                spec.ask.url,
                spec.ask.headers,
                within_ms=spec.timeout_s * 1000,
                proof_url=spec.proof_url,
                token=spec.proof_token,
            )
            self._ask = as_our_service(spec, self._found)
        except KitError as error:
            self._error = error

    async def answer(self, arrived: OnArrival = lambda _: None) -> None:
        """Ask for the answer and watch it arrive; `arrived` is called with each event."""
        received = self.received
        asked = now_ms()
        sleep = Sleep()
        sleep.start()
        try:
            async with asyncio.timeout(self.spec.timeout_s):
                await self._read(received, asked, arrived)
        except TimeoutError:
            received.left = True
            if not received.arrivals:
                head_came = received.status is not None
                self._error = silent(self._ask.url, self.spec.timeout_s, head_came=head_came)
        except KitError as error:
            if not (error.code is Code.BODY_CUT and received.arrivals):
                self._error = error
        finally:
            received.late_ms = sleep.longest_ms()
            received.origin_http = self._replies[-1].http if self._replies else ""
            sleep.stop()
        self.line, self._by_answer = answer.judged(
            received, asked_ms=asked, now_ms=now_ms(), clock=self.clock, by=self._judge(received)
        )

    def with_exchange(self, lane: Lane) -> Lane:
        """The lane with its request, what is known of its response, and how far away its origin is."""
        ask, received = self._ask, self.received
        head = None
        if received.status is not None:
            to = self.redirected or None
            head = exchange.response(received.status, received.http_version, received.headers, to)
        return replace(
            lane,
            request=exchange.request(
                ask.method, shown(ask.url), ask.headers, ask.body, prompted=ask.body is not self.spec.ask.body
            ),
            response=head,
            round_trip_ms=min((one.arrived_ms - one.sent_ms for one in self._replies), default=None),
        )

    def forget(self) -> None:
        """Forget the answer and its error, to ask for it again."""
        self.received, self._error = Received(ChunkDecoder()), None

    @abstractmethod
    async def prove(self, stepped: Callable[[str], None] = lambda _: None) -> Lane:
        """Prove it, where that is possible, and say what came out; never raises a `KitError`.

        `stepped` is called with each new line of evidence.
        """

    @abstractmethod
    async def _read(self, received: Received, asked: float, arrived: OnArrival) -> None:
        """Ask, and note what comes and when. Raises `KitError`."""

    @abstractmethod
    def _judge(self, received: Received) -> Judge:
        """How the answer itself is judged."""

    def _note(self, received: Received, at: float, data: bytes, asked: float, arrived: OnArrival) -> None:
        """Some of the answer was read."""
        before = received.events
        for seq, event in enumerate(received.body(at, data), before):
            arrived(Arrival(seq, None, at - asked, event.octets))
        if received.events > MOST_EVENTS:
            raise KitError(
                Code.TOO_LARGE,
                text(
                    "{url} sent more than {most:,} events and went on.",
                    url=shown(self._ask.url),
                    most=MOST_EVENTS,
                ),
                text("Ask for a shorter answer: a stream of a few seconds is enough to judge it."),
            )

    async def _ping(self) -> None:
        """Ask the origin for its clock once more, where it has one; three answers make it known."""
        base = self._found.base
        if base is None:
            return
        headers = (*same_origin(self.spec.ask.headers, self.spec.ask.url, base), *self._found.shows)
        side = Side(self._side, base, headers)
        sleep = Sleep()
        sleep.start()
        reply = await side.ping(PING_MS)
        if reply is not None:
            self._replies.append(replace(reply, late_ms=sleep.taken_ms()))
        sleep.stop()
        if len(self._replies) >= PINGS:
            self.clock = aligned(self._replies)


def put_together(spec: LaneSpec, line: Timeline, finding: Finding, error: KitError | None) -> Lane:
    """What came out of a lane.

    Args:
        spec: what was to be measured.
        line: its answer's timeline.
        finding: the verdict and all that it rests on.
        error: why it could not be measured; None for a lane that could.
    """
    hold = finding.hold_ms
    if hold is None:
        hold = answer.first_hold_ms(line)
    return Lane(
        target=spec.target,
        url=without_credentials(spec.ask.url),
        header="off" if spec.header == "off" else "on",
        expected=spec.expected,
        verdict=Verdict.INCONCLUSIVE if error else finding.verdict,
        shape=None if error else finding.shape,
        block_bytes=None if error else finding.block_bytes,
        hold_ms=None if error else hold,
        hold_floor_ms=finding.hold_floor_ms,
        method=finding.method,
        doubts=tuple(dict.fromkeys(finding.doubts)),
        evidence=finding.evidence,
        timeline=line,
        error=None
        if error is None
        else LaneError(str(error.code), error.message, error.hint, lasting=error.lasting),
        delivery=spec.delivery,
        at_most=spec.at_most,
        limits=spec.limits,
    )
