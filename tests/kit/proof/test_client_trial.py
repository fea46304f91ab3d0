"""Every way in which a client can hold a stream, on a made-up clock."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.client_trial import Outcome, Trial, trial
from kit.proof.verdict import Shape
from tests.kit.proof.client_stage import ClientStage
from tests.kit.proof.conftest import Hop, Output
from tests.kit.proof.hops import Blocks, Prefix, Shows, Whole


class Texts(Blocks):
    """Reads N octets at a time, and prints the texts of the events in them."""

    def push(self, now_ms: float, data: bytes) -> Output:
        return [(after, self._shown(read or b"")) for after, read in super().push(now_ms, data)]

    def close(self, now_ms: float) -> Output:
        return [(0.3, self._shown(self.held))]

    def _shown(self, read: bytes) -> bytes:
        return b" ".join(re.findall(rb"m\w+e(?=\"})", read))


class Collected(Whole):
    """Reads all at once, and prints the texts when N octets of them are there."""

    def __init__(self, size: int, field: str) -> None:
        super().__init__()
        self.size, self.field = size, field

    def push(self, now_ms: float, data: bytes) -> Output:
        event = json.loads(data.removeprefix(b"data: "))
        self.held += str(event["text"] if self.field == "text" else event["choices"][0]["delta"]).encode()
        ready = len(self.held) // self.size * self.size
        out, self.held = self.held[:ready], self.held[ready:]
        return [(0.3, out)] if out else []


class Behind(Whole):
    """Prints an event when the next one has come."""

    def push(self, now_ms: float, data: bytes) -> Output:
        out, self.held = self.held, data
        return [(0.3, out)] if out else []


class Clock(Hop):
    """Prints what it has every T milliseconds."""

    def __init__(self, every_ms: float) -> None:
        self.every_ms = every_ms

    def push(self, now_ms: float, data: bytes) -> Output:
        return [(self.every_ms - now_ms % self.every_ms, data)]


class Slow(Hop):
    """Is busy for a while once its request is out."""

    def __init__(self, for_ms: float) -> None:
        self.for_ms, self.begun_ms = for_ms, 0.0
        self.ends_ms = for_ms

    def push(self, now_ms: float, data: bytes) -> Output:
        self.begun_ms = self.begun_ms or now_ms
        return [(max(0.3, self.begun_ms + self.for_ms - now_ms), data)]


class Asleep(Hop):
    asks = False


class Skips(Hop):
    """Has no use for the first event, as for an OpenAI-like stream's role."""

    first = True

    def push(self, now_ms: float, data: bytes) -> Output:
        out, self.first = (b"" if self.first else data), False
        return [(0.3, out)] if out else []


class Stage(ClientStage):
    def tried(self, *, sizes: bool = False) -> Trial:
        return self.run(trial(sizes=sizes))


def test_a_client_that_prints_at_once_flows() -> None:
    found = Stage(Hop()).tried()
    assert found.outcome is Outcome.FLOWS
    assert "5 events" in found.seen


def test_no_event_is_sent_before_the_one_before_it_was_printed() -> None:
    stage = Stage(Whole())
    stage.tried()
    assert len(stage.sent) == 1


def test_a_client_that_reads_it_whole_is_held_until_the_end() -> None:
    found = Stage(Whole()).tried(sizes=True)
    assert (found.outcome, found.shape) == (Outcome.HELD, Shape.WHOLE)
    assert "none of 68 printed before the stream's end, 68 after it" in found.seen


@pytest.mark.parametrize("size", [64, 100, 128, 500, 512, 1000, 1024, 1500, 4096, 8192, 10_000, 65_536])
def test_the_size_of_its_reads_is_exact_where_it_prints_all_that_it_reads(size: int) -> None:
    found = Stage(Blocks(size)).tried(sizes=True)
    assert (found.outcome, found.shape, found.block) == (Outcome.HELD, Shape.BLOCKS, (size, size))


@given(st.integers(600, 250_000))
def test_the_size_of_its_reads_lies_where_it_is_said_to_lie(size: int) -> None:
    found = Stage(Texts(size)).tried(sizes=True)
    assert (found.outcome, found.shape) == (Outcome.HELD, Shape.BLOCKS)
    assert found.block is not None
    low, high = found.block
    assert low <= size <= high <= 2 * low + 400


@pytest.mark.parametrize("size", [512 << power for power in range(10)])
def test_a_power_of_two_is_found_closely_even_so(size: int) -> None:
    found = Stage(Texts(size)).tried(sizes=True)
    assert found.block is not None
    assert found.block[0] > size - 200
    assert found.block[1] == size


@pytest.mark.parametrize("field", ["text", "content"])
@pytest.mark.parametrize("size", [1024, 4096, 8192, 32_768])
def test_output_that_is_collected_is_no_reading(size: int, field: str) -> None:
    found = Stage(Collected(size, field)).tried(sizes=True)
    assert (found.shape, found.output_block) == (Shape.BLOCKS, size)


@given(st.sampled_from([50, 64, 80, 100, 128, 200, 250, 256]))
def test_small_reads_are_no_lag_of_an_event(size: int) -> None:
    found = Stage(Texts(size)).tried(sizes=True)
    assert found.outcome is Outcome.FLOWS or found.shape is Shape.BLOCKS


def test_a_lag_of_one_event_is_one_at_any_size() -> None:
    assert Stage(Behind()).tried(sizes=True).shape is Shape.TAIL


@given(st.integers(300, 250_000))
def test_a_client_that_waits_for_a_beginning_is_no_reader_of_blocks(size: int) -> None:
    assert Stage(Prefix(size)).tried(sizes=True).shape is Shape.PREFIX


@given(st.integers(2_700, 4_900))
def test_a_client_that_prints_by_the_clock_is_not_said_to_hold_by_size(every_ms: int) -> None:
    found = Stage(Clock(every_ms)).tried(sizes=True)
    assert found.outcome in (Outcome.FLOWS, Outcome.HELD)
    assert found.outcome is Outcome.FLOWS or found.shape is not Shape.WHOLE


@given(st.integers(2_100, 11_900))
def test_a_slow_beginning_is_no_reading_of_the_whole(for_ms: int) -> None:
    found = Stage(Slow(for_ms)).tried(sizes=True)
    assert found.outcome is Outcome.HELD
    assert found.shape in (Shape.TIMER, Shape.PREFIX, Shape.WHOLE)
    # One that just met the stream's end is known by the shorter run before.
    assert found.shape is not Shape.WHOLE or Stage(Slow(for_ms)).tried().late


def test_what_it_prints_besides_is_not_the_stream() -> None:
    found = Stage(Shows(lambda read: b".")).tried()
    assert found.outcome is Outcome.UNRECOGNISED
    assert "printed 1 byte;" in found.seen


def test_without_a_request_there_is_nothing_to_see() -> None:
    assert Stage(Asleep()).tried().outcome is Outcome.NEVER_ASKED


def test_an_event_that_a_client_has_no_use_for_is_no_hold_by_size() -> None:
    """Its first event never comes by itself: at worst a beginning that waits."""
    found = Stage(Skips()).tried(sizes=True)
    assert found.shape is Shape.PREFIX


def _leaving() -> Iterator[tuple[int, Outcome]]:
    yield from ((1, Outcome.ENDED_EARLY), (2, Outcome.FLOWS), (3, Outcome.FLOWS), (4, Outcome.FLOWS))


@pytest.mark.parametrize(("after", "outcome"), list(_leaving()))
def test_a_client_that_leaves_has_flowed_if_it_printed_two_in_lock_step(after: int, outcome: Outcome) -> None:
    client = Shows(lambda read: read)
    client.ends_after = after
    found = Stage(client).tried()
    assert found.outcome is outcome
    assert found.ended


def test_what_its_own_end_let_go_is_no_flow() -> None:
    class Dies(Whole):
        ends_after = 1

        def push(self, now_ms: float, data: bytes) -> Output:
            return [(0.4, data)]  # printed as it ends

    assert Stage(Dies()).tried().outcome is Outcome.ENDED_EARLY
