from __future__ import annotations

from collections.abc import Callable

import pytest

from kit.proof.doubts import Doubt
from kit.proof.lockstep import LockStep
from kit.proof.verdict import Verdict
from tests.kit.proof.conftest import Hop, Network, Output


def first_then(first_ms: float, later_ms: float) -> Callable[[], float]:
    """Extra milliseconds for what is asked first, and for all that follows."""
    waiting = [first_ms]
    return lambda: waiting.pop() if waiting else later_ms


def test_a_cold_start_is_said_and_does_not_count_as_a_round_trip() -> None:
    network, proof = Network(Hop, 1.0), LockStep()
    network.jitter = first_then(20_000.0, 0.0)
    found = network.run(proof.run())
    assert found.verdict is Verdict.INCREMENTAL
    assert found.doubts == (Doubt.COLD_START,)
    assert proof.rtt_ms == pytest.approx(1.0)
    assert "20.0 s" in found.evidence[0]


def test_a_service_that_was_running_is_not_said_to_have_started() -> None:
    network = Network(Hop, 300.0)
    assert network.run(LockStep().run()).doubts == ()


def test_one_busy_moment_does_not_hide_a_real_hold() -> None:
    class Late(Hop):
        def push(self, now_ms: float, data: bytes) -> Output:
            return [(208.0, data)]

    network = Network(Late, 1.0)
    pings = iter([0.0, 0.0, 120.0])
    network.jitter = lambda: next(pings, 0.0)
    found = network.run(LockStep().run())
    assert found.verdict is Verdict.TIME_LIMITED
    assert found.hold_ms == pytest.approx(208.0, abs=1)


def test_every_patience_grows_with_the_slowest_ping() -> None:
    network, proof = Network(Hop, 900.0), LockStep()
    network.run(proof.run())
    assert proof.slowest_ms == pytest.approx(900.0)
    assert proof.floor_ms == pytest.approx(4500.0)
