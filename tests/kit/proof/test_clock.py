from __future__ import annotations

from dataclasses import replace

import pytest

from kit.proof.actions import Reply
from kit.proof.clock import aligned


def ping(sent_ms: float, there_ms: float, back_ms: float, ahead_ms: float = 1_000_000.0) -> Reply:
    """A ping that took so long to an origin whose clock is ahead of ours, and so long back."""
    now_ms = sent_ms + there_ms + ahead_ms
    return Reply(sent_ms, sent_ms + there_ms + back_ms, now_ms, "an instance", False, 0)


def test_the_quickest_ping_says_most_of_the_offset() -> None:
    clock = aligned([ping(0, 1, 40), ping(50, 3, 3), ping(60, 90, 5)])
    assert clock.offset_ms == pytest.approx(1_000_000.0)
    assert (clock.rtt_ms, clock.slowest_ms, clock.jitter_ms) == (41, 95, 89)


def test_one_slow_ping_among_many_is_no_jitter() -> None:
    clock = aligned([*(ping(10.0 * k, 1, 1 + k / 10) for k in range(11)), ping(200, 900, 1)])
    assert clock.rtt_ms == pytest.approx(2.55)
    assert clock.slowest_ms == 901
    assert clock.jitter_ms < 1


def test_what_this_process_slept_is_no_jitter() -> None:
    slow = replace(ping(60, 90, 5), late_ms=92.0)
    clock = aligned([ping(0, 1, 2), ping(50, 1, 3), slow])
    assert (clock.slowest_ms, clock.jitter_ms) == (95, 1)
