"""A made-up network with a made-up clock: one origin, one hop of a chosen behaviour, one round trip."""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from math import inf
from typing import TypeVar

from kit.proof.actions import (
    Action,
    Await,
    End,
    Feed,
    Leave,
    Machine,
    Observed,
    Open,
    Pair,
    Pass,
    Ping,
    Progress,
    Reply,
    Wait,
)
from kit.proof.received import Received
from kit.proof.sse import SSEDecoder

T = TypeVar("T")
Asks = TypeVar("Asks")
Gets = TypeVar("Gets")
# What a hop sends on: after so many milliseconds, what; None for the end.
Output = list[tuple[float, bytes | None]]


def played(machine: Generator[Asks, Gets, T], answer: Callable[[Asks], Gets]) -> T:
    """What the machine makes of it, once each thing that it asks for was answered."""
    try:
        asks = next(machine)
        while True:
            asks = machine.send(answer(asks))
    except StopIteration as stop:
        made: T = stop.value
        return made


def event(seq: int, size: int, part: str | None = None, field: str = "data") -> bytes:
    payload = {"seq": seq, "ms": 0.0, **({"part": part} if part else {}), "pad": ""}
    bare = len(f"{field}: {json.dumps(payload)}\n\n")
    payload["pad"] = "x" * (size - bare)
    return f"{field}: {json.dumps(payload)}\n\n".encode()


class Hop:
    """Lets everything pass. As a client it prints all that it reads, as it reads it.

    Attributes:
        alarm_ms: when `fire` is to be called next.
        asks: of a client: whether it asks for the stream.
        ends_after: of a client: pieces after which it ends by itself.
        ends_ms: of a client: when it ends, after the stream's end.
    """

    alarm_ms = inf
    asks = True
    ends_after: int | None = None
    ends_ms = 5.0

    def fire(self, now_ms: float) -> Output:
        return []

    def open(self, now_ms: float) -> None:
        pass

    def push(self, now_ms: float, data: bytes) -> Output:
        return [(0.0, data)]

    def close(self, now_ms: float) -> Output:
        return []


@dataclass(frozen=True)
class Stall:
    """What does not run for a while: client, origin, hop, or the hop's part of the stream."""

    who: str
    start_ms: float
    for_ms: float


class Network:
    def __init__(self, hop: Callable[[], Hop], rtt_ms: float = 1.0) -> None:
        self.make_hop = hop
        self.rtt_ms = rtt_ms
        self.now_ms = 0.0
        self.hung = False  # side requests get no answer while a stream is open
        self.instances = itertools.cycle(["a"])
        self.unknown_feeds = 0  # so many feeds are answered by an instance without the stream
        self.jitter: Callable[[], float] = lambda: 0.0
        self.status = 200
        self.status_at_end: int | None = None  # of a hop that answers only then
        self.feeds = 0
        self.side_requests = 0
        self.stalls: list[Stall] = []
        self.clean = True  # whether a cut looks like an end
        self._cut = False
        self.pings_know = True  # an older origin's ping does not say whether it has the stream
        self.older = False  # its origin knows no comments, and does not let a stream live longer
        self._late_ms = 0.0
        self._stream: Received | None = None
        self._hop = hop()
        self._due: list[tuple[float, int, bytes | None]] = []
        self._order = itertools.count()
        self._emitted = 0
        self._last_ms = 0.0

    def run(self, machine: Machine[T]) -> T:
        return played(machine, self.act)

    def act(self, action: Action) -> Observed:
        self._late_ms = 0.0
        self._until(self.now_ms)
        self.side_requests += isinstance(action, Ping | Feed | End)
        match action:
            case Ping():
                known = self._stream is not None and self.unknown_feeds == 0 and self.pings_know
                return self._reply(self._at_origin(), known=known, within_ms=action.within_ms)
            case Open():
                return self._open(action)
            case Feed() | End() if self.hung or self._stream is None:
                self._until(self.now_ms + action.within_ms)
                return self._observed()
            case Feed() if self.unknown_feeds > 0:
                self.unknown_feeds -= 1
                return self._reply(self._at_origin(), known=False, within_ms=action.within_ms)
            case Feed():
                self.feeds += 1
                at_ms = self._at_origin()
                self._fire(at_ms)
                if known := not self._cut:
                    field = "" if action.comment and not self.older else "data"
                    self._emit(event(self._emitted, action.bytes, field=field), at_ms)
                return self._reply(at_ms, known=known, within_ms=action.within_ms)
            case End():
                at_ms = self._at_origin()
                self._close(at_ms)
                return self._reply(at_ms, known=True, within_ms=action.within_ms)
            case Await():
                return self._await(action)
            case Pass() | Pair() | Leave() | Wait():
                raise NotImplementedError

    def _observed(self, reply: Reply | None = None) -> Observed:
        return Observed(self.now_ms, reply, self._stream, self._late_ms)

    def _running(self, who: str, at_ms: float) -> float:
        """When `who` runs next."""
        for stall in self.stalls:
            if stall.who == who and stall.start_ms <= at_ms < stall.start_ms + stall.for_ms:
                at_ms = stall.start_ms + stall.for_ms
        return at_ms

    def _at_origin(self) -> float:
        """When a request that is sent now is seen by the origin."""
        return self._running("origin", self._running("hop", self.now_ms + self.rtt_ms / 2))

    def _open(self, action: Open) -> Observed:
        self._due.clear()
        self._last_ms, self._cut = 0.0, False
        self._stream = Received(SSEDecoder(comments=True))
        self._hop = self.make_hop()
        self._emitted = 0
        opened = self._observed()
        if self.status != 200:
            self._stream.head(self.now_ms, self.status, {})
            self._stream.end(self.now_ms, clean=True)
            return opened
        start = self._at_origin()
        self._hop.open(start)
        if action.mode == "lockstep":
            self._emit(event(0, action.bytes), start)
            return opened
        self._emit(event(0, action.bytes, "first"), start)
        for _ in range(70):
            self._emit(event(self._emitted, action.bytes, "bulk"), start)
        for _ in range(3):
            self._emit(event(self._emitted, 200, "rest"), start + 1000)
        self._close(start + 1000)
        return opened

    def _way(self) -> float:
        return self.rtt_ms / 2 + self.jitter()

    def _emit(self, data: bytes, at_ms: float) -> None:
        self._emitted += 1
        at_ms = self._at_hop(at_ms)
        self._fire(at_ms)
        self._release(at_ms, self._hop.push(at_ms, data))

    def _close(self, at_ms: float) -> None:
        at_ms = self._at_hop(at_ms)
        self._fire(at_ms)
        self._release(at_ms, [*self._hop.close(at_ms), (0.0, None)])

    def _fire(self, until_ms: float) -> None:
        while (alarm := self._at_hop(self._hop.alarm_ms)) <= until_ms:
            self._release(alarm, self._hop.fire(alarm))

    def _at_hop(self, at_ms: float) -> float:
        return self._running("stream", self._running("hop", at_ms))

    def _release(self, at_ms: float, released: Output) -> None:
        for after, data in released:
            self._cut = self._cut or data is None
            # A connection keeps its order, whatever the jitter.
            self._last_ms = max(self._last_ms, self._at_hop(at_ms + after) + self._way())
            heapq.heappush(self._due, (self._last_ms, next(self._order), data))

    def _reply(
        self, at_ms: float, *, known: bool, within_ms: float, progress: Progress | None = None
    ) -> Observed:
        sent = self.now_ms
        back_ms = self._running("hop", at_ms) + self.rtt_ms / 2 + self.jitter()
        if back_ms > sent + within_ms:
            self._until(sent + within_ms)
            return self._observed()
        self._until(back_ms)
        instance = next(self.instances)
        return self._observed(
            Reply(
                sent,
                self.now_ms,
                at_ms,
                instance,
                known,
                self._emitted,
                progress=progress,
                seconds=None if self.older else 3_900.0,
            )
        )

    def _await(self, action: Await) -> Observed:
        deadline = self.now_ms + action.within_ms
        stream = self._stream
        assert stream is not None
        while stream.events < action.events and stream.octets < action.octets and stream.ended_ms is None:
            self._fire(min(deadline, self._due[0][0] if self._due else deadline))
            if not self._due or self._due[0][0] > deadline:
                self._until(deadline)
                break
            self._until(self._due[0][0])
        return self._observed()

    def _until(self, at_ms: float) -> None:
        """The client goes on at this time, or when it runs again; all that is there by then is read."""
        runs_ms = self._running("client", at_ms)
        self._late_ms += runs_ms - at_ms
        self._fire(runs_ms)
        while self._due and self._due[0][0] <= runs_ms:
            due_ms, _, data = heapq.heappop(self._due)
            when = self._running("client", due_ms)
            assert self._stream is not None
            if data is None:
                if self._stream.status is None and self.status_at_end is not None:
                    self._stream.head(when, self.status_at_end, {})
                self._stream.end(when, clean=self.clean)
            else:
                if self._stream.status is None:
                    self._stream.head(when, 200, {})
                self._stream.body(when, data)
        self.now_ms = max(self.now_ms, runs_ms)
