from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.proof.doubts import Doubt
from kit.proof.lockstep import LockStep
from kit.proof.quick_check import Observation, QuickCheck, Sign, State, of_finding
from kit.proof.steps import LEAST_MS
from kit.proof.verdict import Shape, Verdict
from tests.kit.proof.conftest import Hop, Network, Stall
from tests.kit.proof.hops import Blocks, FirstEvent, Prefix, Starved, Tail, Timer, Whole
from tests.kit.proof.test_lockstep import KINDS, RTTS


def observe(network: Network, event_bytes: int = 1_000) -> Observation:
    return network.run(QuickCheck(network.rtt_ms, network.rtt_ms, event_bytes).run())


@pytest.mark.parametrize("rtt_ms", RTTS)
def test_a_stream_passes_and_the_first_word_comes_after_two_round_trips(rtt_ms: float) -> None:
    network = Network(Hop, rtt_ms)
    signs: dict[Sign, float] = {}
    seen = network.run(QuickCheck(rtt_ms, rtt_ms, 1_000, signs.__setitem__).run())
    assert seen.state is State.STREAMS
    assert signs == {sign: pytest.approx(2 * rtt_ms, abs=0.01) for sign in (Sign.SERVED, Sign.PASSES)}


@pytest.mark.parametrize("rtt_ms", RTTS)
def test_that_the_first_event_is_held_shows_before_the_second_is_judged(rtt_ms: float) -> None:
    network = Network(Whole, rtt_ms)
    signs: dict[Sign, float] = {}
    network.run(QuickCheck(rtt_ms, rtt_ms, 1_000, signs.__setitem__).run())
    assert [*signs] == [Sign.SERVED, Sign.HELD]
    assert signs[Sign.HELD] < network.now_ms - LEAST_MS


@pytest.mark.parametrize("rtt_ms", RTTS)
@pytest.mark.parametrize("hop", [Whole, lambda: Blocks(4096), lambda: Prefix(65536), FirstEvent])
def test_whatever_holds_the_beginning_is_held(hop: type[Hop], rtt_ms: float) -> None:
    assert observe(Network(hop, rtt_ms)).state is State.HELD


def test_a_tail_over_the_size_that_is_judged_passes_and_one_below_it_is_held() -> None:
    assert observe(Network(lambda: Tail(4096)), 1_000).state is State.STREAMS
    held = observe(Network(lambda: Tail(4096)), 6_000)
    assert (held.state, held.shape) == (State.HELD, Shape.TAIL)


def test_a_timer_is_held_and_one_late_event_is_not() -> None:
    held = observe(Network(lambda: Timer(208.0)))
    assert (held.state, held.shape) == (State.HELD, Shape.TIMER)
    assert held.hold_ms == pytest.approx(208.0, abs=1)
    network = Network(Hop)
    late = iter([0.0] * 5 + [900.0])
    network.jitter = lambda: next(late, 0.0)
    assert observe(network).state is State.STREAMS


def test_a_stream_that_another_instance_has_is_undecided_and_not_held() -> None:
    network = Network(Whole)
    network.unknown_feeds = 99
    seen = observe(network)
    assert seen.state is State.UNDECIDED
    assert seen.doubts == (Doubt.OTHER_INSTANCE,)


def test_side_requests_that_hang_leave_it_undecided() -> None:
    network = Network(Whole)
    network.hung = True
    assert observe(network).doubts == (Doubt.SIDE_REQUEST_HUNG,)


@pytest.mark.parametrize(("status", "state"), [(501, State.REFUSED), (404, State.UNDECIDED)])
def test_a_stream_that_does_not_begin_is_refused_or_undecided(status: int, state: State) -> None:
    network = Network(Hop)
    network.status = status
    assert observe(network).state is state


def test_a_lateness_that_a_busy_machine_may_have_is_not_held() -> None:
    assert observe(Network(lambda: Timer(30.0))).state is State.STREAMS


@given(
    hop=st.sampled_from([Hop, Whole, FirstEvent, *(lambda n=n: Blocks(n) for n in (700, 4096, 65536))]),
    rtt_ms=st.floats(0.3, 400),
)
def test_it_says_of_every_hop_what_the_whole_proof_says(hop: type[Hop], rtt_ms: float) -> None:
    whole = of_finding(Network(hop, rtt_ms).run(LockStep().run()))
    assert observe(Network(hop, rtt_ms), 70_001).state is whole.state


@settings(deadline=None, max_examples=200)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    who=st.sampled_from(["client", "origin", "hop", "stream"]),
    start_ms=st.floats(0, 3_000) | st.floats(0, 30),
    for_ms=st.floats(1, 10_000),
)
def test_a_stall_neither_holds_a_stream_nor_frees_one(
    kind: str, who: str, start_ms: float, for_ms: float
) -> None:
    make, verdict, _ = KINDS[kind]
    network = Network(make)
    network.stalls = [Stall(who, start_ms, min(for_ms, LEAST_MS - 1) if who == "stream" else for_ms)]
    expected = State.STREAMS if verdict is Verdict.INCREMENTAL else State.HELD
    assert observe(network, 6_000).state is expected


@pytest.mark.parametrize("seed", range(20))
def test_what_is_starved_for_a_while_is_looked_at_anew(seed: int) -> None:
    assert observe(Network(lambda: Starved(seed, 400.0, 3_000.0))).state is State.STREAMS
    assert observe(Network(lambda: Starved(seed, 400.0))).shape is not Shape.TIMER


def test_a_stream_that_a_limit_refuses_is_undecided_and_says_so() -> None:
    network = Network(Hop)
    network.status = 429
    assert observe(network).doubts == (Doubt.PROOF_LIMITED,)
