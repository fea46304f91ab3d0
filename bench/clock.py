"""Many streams read at once, and how late each event was: a good clock, so it has a process of its own.

`python -m bench.clock PORT STREAMS EVENTS INTERVAL_S FIRST_S RAMP_S` opens the streams, the first at once and
the last after RAMP_S seconds. It prints a line as soon as each has begun, and at the end what it has seen.

A raw asyncio Protocol on uvloop: with so many streams a client that does more is late itself. It stamps each
read and counts the events in it; the rest is done when all is over. An event has come with the read that
brings the beginning of its data, so that servers may order a frame as they like.
"""

from __future__ import annotations

import asyncio
import gc
import json
import select
import signal
import subprocess
import sys
import time
from array import array
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass
from typing import IO, cast

import uvloop

# What comes later than this after the schedule's end did not come.
DRAIN_S = 5.0
TICK_S = 0.01

BEGUN = "begun\n"

# The embedded text has no fewer words.
LEAST_WORDS = 61
_REQUEST = (
    b"POST /search?ai_prompt=Why+do+streams+come+late,+in+%d+words&max_output_tokens=%d&seed=%d HTTP/1.1\r\n"
    b"Host: bench\r\nContent-Length: 0\r\n\r\n"
)
_EVENT = b"\ndata: {"


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of a server: `events` a stream, one each `interval_s`, the first after `first_s`."""

    streams: int
    events: int
    interval_s: float
    first_s: float
    ramp_s: float


@dataclass(frozen=True, slots=True)
class Seen:
    """How late the events were, in milliseconds, and how many of those that were due never came.

    One that never came counts as late by the time for which it was waited for, and was later than that: where
    a hundredth is missing, `p99_ms` flatters the server.

    `own_lag_ms` is the 99th percentile of the client's own lateness, that of a timer of its own.
    """

    due: int
    missing: int
    p50_ms: float
    p99_ms: float
    most_ms: float
    own_lag_ms: float


class Client:
    """That process, as others see it. Leaving the block ends it."""

    def __init__(self, port: int, load: Load) -> None:
        argv = [sys.executable, "-m", "bench.clock", str(port), *map(str, astuple(load))]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_begun(self, within_s: float) -> None:
        """Until each stream has begun.

        Raises:
            RuntimeError: they have not.
        """
        ready, _, _ = select.select([self._output], [], [], within_s)
        if not ready or self._output.readline() != BEGUN:
            raise RuntimeError(f"not all streams had begun after {within_s:g} s: is this machine too busy?")

    def seen(self) -> Seen:
        """What it has seen, when all is over."""
        if lines := self._output.read().splitlines():
            return Seen(**json.loads(lines[-1]))
        raise RuntimeError("the client of the streams ended early")

    @property
    def _output(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout


class _Streams:
    """All of them: which have begun, which have brought all that they should."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.all: list[_Stream] = []
        self.begun = 0
        self._whole = 0
        self.over = asyncio.Event()

    def one_begun(self) -> None:
        self.begun += 1
        if self.begun == self.load.streams:
            print(BEGUN, end="", flush=True)

    def one_whole(self) -> None:
        self._whole += 1
        if self._whole == self.load.streams:
            self.over.set()


class _Stream(asyncio.Protocol):
    def __init__(self, number: int, streams: _Streams) -> None:
        self._number = number
        self._streams = streams
        self._events = streams.load.events
        self._tail = b""
        # Before the connection is there: a server that does not take it is late already.
        self.asked_s = time.monotonic()
        self.came_s = array("d")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        request = _REQUEST % (max(self._events, LEAST_WORDS), self._events, self._number)
        # A cast: uvloop's are not of asyncio's class.
        cast(asyncio.Transport, transport).write(request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        data = self._tail + data
        self._tail = data[1 - len(_EVENT) :]
        if found := data.count(_EVENT):
            had = len(self.came_s)
            self.came_s.extend([now] * found)
            if had == 0:
                self._streams.one_begun()
            if had < self._events <= had + found:
                self._streams.one_whole()


async def _watch(port: int, load: Load) -> Seen:
    loop = asyncio.get_running_loop()
    lags_s: list[float] = []

    def tick(due_s: float) -> None:
        lags_s.append(loop.time() - due_s)
        loop.call_at(loop.time() + TICK_S, tick, loop.time() + TICK_S)

    tick(loop.time())
    began_s = time.monotonic()
    streams = _Streams(load)
    connecting = set()
    for number in range(load.streams):
        await asyncio.sleep(max(0.0, began_s + number * load.ramp_s / load.streams - time.monotonic()))
        streams.all.append(stream := _Stream(number, streams))
        connecting.add(loop.create_task(_connect(stream, port)))
    with suppress(TimeoutError):
        async with asyncio.timeout(load.first_s + load.events * load.interval_s + DRAIN_S):
            await streams.over.wait()
    ended_s = time.monotonic()
    return _judged(load, streams.all, ended_s, sorted(lags_s))


async def _connect(stream: _Stream, port: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: stream, "127.0.0.1", port)


def _judged(load: Load, streams: list[_Stream], ended_s: float, lags_s: list[float]) -> Seen:
    late_s = array("d")
    missing = 0
    for stream in streams:
        first_s = stream.asked_s + load.first_s
        came_s = stream.came_s[: load.events]
        missing += load.events - len(came_s)
        came_s.extend([ended_s] * (load.events - len(came_s)))
        late_s.extend(at - (first_s + seq * load.interval_s) for seq, at in enumerate(came_s))
    ordered = sorted(late_s)
    return Seen(
        due=len(ordered),
        missing=missing,
        p50_ms=quantile(ordered, 0.5) * 1000,
        p99_ms=quantile(ordered, 0.99) * 1000,
        most_ms=ordered[-1] * 1000,
        own_lag_ms=quantile(lags_s, 0.99) * 1000,
    )


def quantile(ordered: list[float], part: float) -> float:
    """Of values in order; `part` 0.99 for the 99th percentile."""
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def main(words: list[str]) -> None:
    port, streams, events, interval_s, first_s, ramp_s = words
    load = Load(int(streams), int(events), float(interval_s), float(first_s), float(ramp_s))
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback: the parent process gets the signal as well
    gc.disable()  # it would stop the clock
    print(json.dumps(asdict(uvloop.run(_watch(int(port), load)))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
