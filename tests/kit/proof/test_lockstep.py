"""Every shape that a hop can have, at made-up round trips, on a made-up clock."""

from __future__ import annotations

import random
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.proof.doubts import Doubt
from kit.proof.lockstep import LockStep
from kit.proof.verdict import Finding, Method, Shape, Verdict
from tests.kit.proof.conftest import Hop, Network

RTTS = [0.6, 41.0, 151.0, 300.0]


class Whole(Hop):
    def __init__(self) -> None:
        self.held = b""

    def push(self, now_ms: float, data: bytes) -> list[tuple[float, bytes]]:
        self.held += data
        return []

    def close(self, now_ms: float) -> list[tuple[float, bytes]]:
        return [(0.0, self.held)]


class Blocks(Hop):
    """Lets N octets go at a time; `short` of the first block are taken by the head, as nginx does."""

    def __init__(self, size: int, short: int = 0) -> None:
        self.size, self.room, self.held = size, size - short, b""

    def push(self, now_ms: float, data: bytes) -> list[tuple[float, bytes]]:
        self.held += data
        out = []
        while len(self.held) >= self.room:
            out.append((0.0, self.held[: self.room]))
            self.held, self.room = self.held[self.room :], self.size
        return out

    def close(self, now_ms: float) -> list[tuple[float, bytes]]:
        return [(0.0, self.held)]


class Prefix(Hop):
    def __init__(self, size: int) -> None:
        self.size, self.held, self.flowing = size, b"", False

    def push(self, now_ms: float, data: bytes) -> list[tuple[float, bytes]]:
        self.held += data
        self.flowing = self.flowing or len(self.held) >= self.size
        out, self.held = (self.held, b"") if self.flowing else (b"", self.held)
        return [(0.0, out)] if out else []

    def close(self, now_ms: float) -> list[tuple[float, bytes]]:
        return [(0.0, self.held)]


class Tail(Hop):
    """Passes an event up to N; of a larger one, the part beyond a multiple of N waits for the next event."""

    def __init__(self, size: int) -> None:
        self.size, self.held = size, b""

    def push(self, now_ms: float, data: bytes) -> list[tuple[float, bytes]]:
        out, self.held = self.held, b""
        if len(data) > self.size:
            cut = len(data) - len(data) % self.size if len(data) % self.size else len(data) - 1
            data, self.held = data[:cut], data[cut:]
        return [(0.0, out + data)]

    def close(self, now_ms: float) -> list[tuple[float, bytes]]:
        return [(0.0, self.held)]


class LastByte(Hop):
    """Holds the last byte of each event until the next, as HAProxy's gzip does."""

    def __init__(self) -> None:
        self.held = b""

    def push(self, now_ms: float, data: bytes) -> list[tuple[float, bytes]]:
        out, self.held = self.held + data[:-1], data[-1:]
        return [(0.0, out)]

    def close(self, now_ms: float) -> list[tuple[float, bytes]]:
        return [(0.0, self.held)]


class FirstEvent(Hop):
    def __init__(self) -> None:
        self.held: bytes | None = None

    def push(self, now_ms: float, data: bytes) -> list[tuple[float, bytes]]:
        if self.held is None:
            self.held = data
            return []
        out, self.held = self.held + data, b""
        return [(0.0, out)]

    def close(self, now_ms: float) -> list[tuple[float, bytes]]:
        return [(0.0, self.held or b"")]


class Timer(Hop):
    """Each event waits T milliseconds."""

    def __init__(self, after_ms: float) -> None:
        self.after_ms = after_ms

    def push(self, now_ms: float, data: bytes) -> list[tuple[float, bytes]]:
        return [(self.after_ms, data)]


class FirstTimer(Hop):
    """Nothing before T milliseconds, then all passes, as HAProxy's wait-for-body does."""

    def __init__(self, until_ms: float) -> None:
        self.until_ms = until_ms

    def open(self, now_ms: float) -> None:
        self.free_ms = now_ms + self.until_ms

    def push(self, now_ms: float, data: bytes) -> list[tuple[float, bytes]]:
        return [(max(0.0, self.free_ms - now_ms), data)]


class Cut(Hop):
    """Ends the stream after the first event."""

    def push(self, now_ms: float, data: bytes) -> list[tuple[float, bytes]]:
        return [(0.0, data), (0.0, None)]  # type: ignore[list-item]


def prove(make: Any, rtt_ms: float = 0.6) -> Finding:
    return Network(make, rtt_ms).run(LockStep().run())


@pytest.mark.parametrize("rtt_ms", RTTS)
def test_a_hop_that_lets_pass_is_incremental(rtt_ms: float) -> None:
    network = Network(Hop, rtt_ms)
    found = network.run(LockStep().run())
    assert (found.verdict, found.shape, found.method) == (Verdict.INCREMENTAL, None, Method.LOCK_STEP)
    assert found.hold_ms == pytest.approx(0.0, abs=0.01)
    assert found.hold_floor_ms == max(15.0, 5 * rtt_ms)
    assert not found.doubts


@pytest.mark.parametrize("rtt_ms", RTTS)
def test_a_stream_is_proved_in_sixteen_round_trips(rtt_ms: float) -> None:
    network = Network(Hop, rtt_ms)
    network.run(LockStep().run())
    # Six pings, the opening, nine steps; the seventeenth ends the stream.
    assert network.now_ms == pytest.approx(17 * rtt_ms)


@pytest.mark.parametrize("rtt_ms", RTTS)
def test_a_hop_that_collects_the_message_is_whole(rtt_ms: float) -> None:
    found = prove(Whole, rtt_ms)
    assert (found.verdict, found.shape, found.block_bytes) == (Verdict.WHOLE_MESSAGE, Shape.WHOLE, None)
    assert not found.doubts


@settings(deadline=None)
@given(st.integers(512, 256 * 1024), st.sampled_from(RTTS), st.integers(0, 200))
def test_blocks_of_any_size_are_measured_to_the_octet(size: int, rtt_ms: float, short: int) -> None:
    found = prove(lambda: Blocks(size, short), rtt_ms)
    assert (found.verdict, found.shape) == (Verdict.BYTE_LIMITED, Shape.BLOCKS)
    assert found.block_bytes == size


@settings(deadline=None)
@given(st.integers(401, 1024 * 1024), st.sampled_from(RTTS))
def test_a_prefix_is_found_between_two_rungs(size: int, rtt_ms: float) -> None:
    found = prove(lambda: Prefix(size), rtt_ms)
    assert (found.verdict, found.shape) == (Verdict.BYTE_LIMITED, Shape.PREFIX)
    assert found.block_bytes is not None
    assert found.block_bytes / 2 < size <= found.block_bytes or found.block_bytes == 1024


def test_a_prefix_of_two_tokens_is_no_held_first_event() -> None:
    assert prove(lambda: Prefix(300)).shape is Shape.PREFIX


@settings(deadline=None)
@given(st.integers(201, 60_000), st.sampled_from(RTTS))
def test_a_tails_size_is_the_largest_event_that_passes(size: int, rtt_ms: float) -> None:
    found = prove(lambda: Tail(size), rtt_ms)
    assert (found.verdict, found.shape) == (Verdict.BYTE_LIMITED, Shape.TAIL)
    assert found.block_bytes is not None
    assert size - 16 <= found.block_bytes <= size


def test_when_every_event_waits_for_the_next_it_is_a_tail_of_unknown_size() -> None:
    found = prove(LastByte)
    assert (found.verdict, found.shape, found.block_bytes) == (Verdict.BYTE_LIMITED, Shape.TAIL, None)


@pytest.mark.parametrize("rtt_ms", RTTS)
def test_a_held_first_event(rtt_ms: float) -> None:
    found = prove(FirstEvent, rtt_ms)
    assert (found.verdict, found.shape) == (Verdict.BYTE_LIMITED, Shape.FIRST_EVENT)
    assert not found.doubts


@pytest.mark.parametrize("after_ms", [20.0, 208.0, 1000.0, 1900.0])
def test_a_timer_is_time_limited_with_its_time(after_ms: float) -> None:
    found = prove(lambda: Timer(after_ms))
    assert (found.verdict, found.shape) == (Verdict.TIME_LIMITED, Shape.TIMER)
    assert found.hold_ms == pytest.approx(after_ms, abs=1.0)


@settings(deadline=None)
@given(st.floats(2_100, 8_000))
def test_a_timer_longer_than_our_patience_is_never_called_a_buffer(after_ms: float) -> None:
    found = prove(lambda: Timer(after_ms))
    assert (found.verdict, found.shape) == (Verdict.TIME_LIMITED, Shape.TIMER)
    assert found.hold_ms == pytest.approx(after_ms, abs=1.0)


@settings(deadline=None)
@given(st.floats(2_050, 5_500))
def test_a_timer_at_the_start_only_is_never_called_a_buffer(until_ms: float) -> None:
    found = prove(lambda: FirstTimer(until_ms))
    assert (found.verdict, found.shape) == (Verdict.TIME_LIMITED, Shape.TIMER)
    assert found.hold_ms == pytest.approx(until_ms, rel=0.1)


def test_a_cork_below_the_floor_is_not_seen_and_the_floor_says_so() -> None:
    found = prove(lambda: Timer(208.0), rtt_ms=300.0)
    assert found.verdict is Verdict.INCREMENTAL
    assert found.hold_floor_ms is not None
    assert found.hold_floor_ms > 208


@pytest.mark.parametrize("seed", range(40))
def test_a_busy_machine_is_not_called_a_timer(seed: int) -> None:
    chance = random.Random(seed)
    network = Network(Hop, 0.6)
    network.jitter = lambda: chance.expovariate(1 / 8) if chance.random() < 0.5 else 0.0
    assert network.run(LockStep().run()).verdict is Verdict.INCREMENTAL


@pytest.mark.parametrize("seed", range(10))
def test_a_busy_machine_hides_no_held_message(seed: int) -> None:
    chance = random.Random(seed)
    network = Network(Whole, 0.6)
    network.jitter = lambda: chance.expovariate(1 / 8)
    assert network.run(LockStep().run()).verdict is Verdict.WHOLE_MESSAGE


@pytest.mark.parametrize(
    ("make", "verdict"),
    [
        (Hop, Verdict.INCREMENTAL),
        (Whole, Verdict.WHOLE_MESSAGE),
        (lambda: Blocks(65536), Verdict.BYTE_LIMITED),
    ],
)
def test_two_instances_fall_back_to_pause_and_say_so(make: Any, verdict: Verdict) -> None:
    network = Network(make)
    network.instances = cycle(["a", "b"])
    found = network.run(LockStep().run())
    assert (found.verdict, found.method) == (verdict, Method.PAUSE)
    assert Doubt.OTHER_INSTANCE in found.doubts


def test_a_feed_that_another_worker_answers_falls_back_to_pause() -> None:
    network = Network(Hop)
    network.unknown_feeds = 10_000
    found = network.run(LockStep().run())
    assert (found.verdict, found.method) == (Verdict.INCREMENTAL, Method.PAUSE)
    assert Doubt.OTHER_INSTANCE in found.doubts


def test_a_side_request_that_hangs_falls_back_to_pause() -> None:
    network = Network(Whole)
    network.hung = True
    found = network.run(LockStep().run())
    assert (found.verdict, found.method) == (Verdict.WHOLE_MESSAGE, Method.PAUSE)
    assert Doubt.SIDE_REQUEST_HUNG in found.doubts


def test_a_stream_that_is_still_starting_is_waited_for() -> None:
    network = Network(Whole)
    network.unknown_feeds = 3
    found = network.run(LockStep().run())
    assert (found.verdict, found.method) == (Verdict.WHOLE_MESSAGE, Method.LOCK_STEP)


def test_a_stream_that_is_cut_is_inconclusive() -> None:
    found = prove(Cut)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.doubts == (Doubt.STREAM_CUT,)


@pytest.mark.parametrize(
    ("status", "verdict"), [(501, Verdict.REFUSED), (404, Verdict.INCONCLUSIVE), (502, Verdict.INCONCLUSIVE)]
)
def test_a_refusal_is_told_from_an_error(status: int, verdict: Verdict) -> None:
    network = Network(Hop)
    network.status = status
    assert network.run(LockStep().run()).verdict is verdict


@pytest.mark.parametrize(
    "make", [Hop, Whole, FirstEvent, LastByte, lambda: Blocks(4096), lambda: Prefix(65536)]
)
def test_a_verdict_has_its_evidence(make: Any) -> None:
    assert prove(make).evidence


@pytest.mark.parametrize(
    "make", [Hop, Whole, lambda: Blocks(1024 * 1024), lambda: Tail(60_000), lambda: Prefix(1024 * 1024)]
)
def test_no_stream_asks_for_more_than_the_origin_gives(make: Any) -> None:
    network = Network(make)
    network.run(LockStep().run())
    assert network._stream is not None
    assert network._stream.octets <= 4 * 1024 * 1024


def test_a_hop_that_refuses_only_once_it_has_everything_is_told_as_one_that_refuses() -> None:
    class Refuses(Whole):
        def close(self, now_ms: float) -> list[tuple[float, bytes]]:
            return []

    network = Network(Refuses)
    network.status_at_end = 501
    assert network.run(LockStep().run()).verdict is Verdict.REFUSED


def test_a_machine_that_is_late_nearly_always_is_no_timer() -> None:
    class Busy(Hop):
        late = cycle([20.0] * 6 + [1.0])

        def push(self, now_ms: float, data: bytes) -> list[tuple[float, bytes]]:
            return [(next(self.late), data)]

    found = Network(Busy).run(LockStep().run())
    assert found.verdict is Verdict.INCREMENTAL
    assert any("not every one of them late" in seen for seen in found.evidence)


def test_a_tail_that_is_freed_late_once_is_still_a_tail() -> None:
    class Hiccup(Tail):
        freed = 0

        def push(self, now_ms: float, data: bytes) -> list[tuple[float, bytes]]:
            self.freed += bool(self.held)
            return [
                (300.0 if self.held and self.freed == 1 else 0.0, out)
                for _, out in super().push(now_ms, data)
            ]

    found = Network(lambda: Hiccup(4096)).run(LockStep().run())
    assert (found.verdict, found.shape) == (Verdict.BYTE_LIMITED, Shape.TAIL)
