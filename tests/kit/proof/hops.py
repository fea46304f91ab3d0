"""Every shape that a hop can have; a client that prints what it reads is one as well."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from random import Random

from tests.kit.proof.conftest import Hop, Output


class Whole(Hop):
    def __init__(self) -> None:
        self.held = b""

    def push(self, now_ms: float, data: bytes) -> Output:
        self.held += data
        return []

    def close(self, now_ms: float) -> Output:
        return [(0.0, self.held)]


class Blocks(Whole):
    """Lets N octets go at a time; `short` of the first block are taken by the head, as nginx does."""

    def __init__(self, size: int, short: int = 0) -> None:
        self.size, self.room, self.held = size, size - short, b""

    def push(self, now_ms: float, data: bytes) -> Output:
        self.held += data
        out: Output = []
        while len(self.held) >= self.room:
            out.append((0.0, self.held[: self.room]))
            self.held, self.room = self.held[self.room :], self.size
        return out


class Prefix(Whole):
    def __init__(self, size: int) -> None:
        self.size, self.held, self.flowing = size, b"", False

    def push(self, now_ms: float, data: bytes) -> Output:
        self.held += data
        self.flowing = self.flowing or len(self.held) >= self.size
        out, self.held = (self.held, b"") if self.flowing else (b"", self.held)
        return [(0.0, out)] if out else []


class Tail(Whole):
    """Passes an event up to N; of a larger one, the part beyond a multiple of N waits for the next event."""

    def __init__(self, size: int) -> None:
        self.size, self.held = size, b""

    def push(self, now_ms: float, data: bytes) -> Output:
        out, self.held = self.held, b""
        if len(data) > self.size:
            cut = len(data) - len(data) % self.size if len(data) % self.size else len(data) - 1
            data, self.held = data[:cut], data[cut:]
        return [(0.0, out + data)]


class LastByte(Whole):
    """Holds the last byte of each event until the next, as HAProxy's gzip does."""

    def push(self, now_ms: float, data: bytes) -> Output:
        out, self.held = self.held + data[:-1], data[-1:]
        return [(0.0, out)]


class FirstEvent(Hop):
    def __init__(self) -> None:
        self.held: bytes | None = None

    def push(self, now_ms: float, data: bytes) -> Output:
        if self.held is None:
            self.held = data
            return []
        out, self.held = self.held + data, b""
        return [(0.0, out)]

    def close(self, now_ms: float) -> Output:
        return [(0.0, self.held or b"")]


class Timer(Hop):
    """Each event waits T milliseconds."""

    def __init__(self, after_ms: float) -> None:
        self.after_ms = after_ms

    def push(self, now_ms: float, data: bytes) -> Output:
        return [(self.after_ms, data)]


class FirstTimer(Hop):
    """Nothing before T milliseconds, then all passes, as HAProxy's wait-for-body does."""

    def __init__(self, until_ms: float) -> None:
        self.until_ms = until_ms

    def open(self, now_ms: float) -> None:
        self.free_ms = now_ms + self.until_ms

    def push(self, now_ms: float, data: bytes) -> Output:
        return [(max(0.0, self.free_ms - now_ms), data)]


class Tick(Hop):
    """Flushes at each multiple of T, whatever has come by then."""

    def __init__(self, every_ms: float, phase_ms: float) -> None:
        self.every_ms, self.phase_ms, self.held = every_ms, phase_ms, b""

    def push(self, now_ms: float, data: bytes) -> Output:
        if not self.held:
            ticks = (now_ms - self.phase_ms) // self.every_ms + 1
            self.alarm_ms = self.phase_ms + ticks * self.every_ms
        self.held += data
        return []

    def fire(self, now_ms: float) -> Output:
        self.alarm_ms = inf
        out, self.held = self.held, b""
        return [(0.0, out)] if out else []

    def close(self, now_ms: float) -> Output:
        return self.fire(now_ms)


class Quiet(Tick):
    """Flushes once nothing has come for T."""

    def push(self, now_ms: float, data: bytes) -> Output:
        self.held += data
        self.alarm_ms = now_ms + self.every_ms
        return []


class Cut(Hop):
    """Ends the stream after the first event."""

    over = False

    def push(self, now_ms: float, data: bytes) -> Output:
        over, self.over = self.over, True
        return [] if over else [(0.0, data), (0.0, None)]


class Shows(Hop):
    """As a client it prints this of each read, 0.3 ms later; None ends it."""

    def __init__(self, of: Callable[[bytes], bytes | None]) -> None:
        self.of = of

    def push(self, now_ms: float, data: bytes) -> Output:
        return [(0.3, self.of(data))]


class Starved(Hop):
    """Passes all, late by any time: its process seldom runs, for so long."""

    def __init__(self, seed: int, most_ms: float, until_ms: float = inf) -> None:
        self.random, self.most_ms, self.until_ms = Random(seed), most_ms, until_ms

    def push(self, now_ms: float, data: bytes) -> Output:
        return [(self.random.expovariate(4 / self.most_ms) if now_ms < self.until_ms else 0.0, data)]
