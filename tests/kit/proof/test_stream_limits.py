"""How long streams live, on made-up clocks: which limits are seen, and which are not made up."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.actions import Action, Await, Feed, Observed
from kit.proof.doubts import Doubt
from kit.proof.stream_limits import BEAT_S, LIMIT_S, Kind, Limits, StreamLifetime, judge, lives
from tests.kit.proof.conftest import Hop, Network, Output


class Limit(Hop):
    """Cuts a stream after a silence, or after a time, in milliseconds.

    Args:
        dead_ms: after such a silence nothing passes any more, and nothing is closed.
        holds: whether it passes nothing at all.
    """

    def __init__(self, idle_ms: float, total_ms: float, dead_ms: float, *, holds: bool) -> None:
        self.idle_ms, self.total_ms, self.dead_ms, self.holds = idle_ms, total_ms, dead_ms, holds

    def open(self, now_ms: float) -> None:
        self.opened_ms = self.said_ms = now_ms

    def push(self, now_ms: float, data: bytes) -> Output:
        silent_ms, self.said_ms = now_ms - self.said_ms, now_ms
        self.alarm_ms = min(self.opened_ms + self.total_ms, now_ms + self.idle_ms)
        return [] if self.holds or silent_ms >= self.dead_ms else [(0.0, data)]

    def fire(self, now_ms: float) -> Output:
        self.alarm_ms = inf
        return [(0.0, None)]


class Way(Network):
    """One origin and a way to it with limits in seconds. From its `deaf_after`th feed on it cannot be fed."""

    def __init__(
        self,
        idle_s: float = inf,
        total_s: float = inf,
        *,
        rtt_ms: float = 10.0,
        status: int = 200,
        clean: bool = False,
        holds: bool = False,
        deaf_after: float = inf,
        dead_s: float = inf,
        timeout_status: int | None = None,
    ) -> None:
        super().__init__(lambda: Limit(idle_s * 1000, total_s * 1000, dead_s * 1000, holds=holds), rtt_ms)
        self.status, self.clean, self.deaf_after = status, clean, deaf_after
        self.status_at_end = timeout_status
        self.requests = 0

    def act(self, action: Action) -> Observed:
        self.requests += not isinstance(action, Await)
        self.hung = isinstance(action, Feed) and self.feeds >= self.deaf_after
        return super().act(action)


def seen(**way: Any) -> Limits:
    return judge(Way(**way).run(lives()), Way(**way).run(lives(beat_s=BEAT_S)))


ONCE = (Doubt.NOT_REPEATED,)
# The way; which limits are seen, on silence and on the whole, with what doubt; and what is said of them.
WAYS: list[tuple[dict[str, Any], Kind, float | None, float | None, tuple[Doubt, ...], str]] = [
    ({}, Kind.NO_LIMIT, None, None, (), "no limit below 110 s was seen"),
    ({}, Kind.NO_LIMIT, None, None, (), "Cloud Run"),
    ({"idle_s": 20.0}, Kind.IDLE_LIMIT, 20, None, (), "every 10 s"),
    ({"idle_s": 30.0}, Kind.IDLE_LIMIT, 30, None, (), "every 15 s"),
    ({"idle_s": 45.0}, Kind.IDLE_LIMIT, 45, None, (), "every 22 s"),
    ({"idle_s": 60.0}, Kind.IDLE_LIMIT, 60, None, ONCE, "nginx, its proxy_read_timeout"),
    ({"idle_s": 60.0}, Kind.IDLE_LIMIT, 60, None, ONCE, "ALB"),
    ({"total_s": 15.0}, Kind.TIME_LIMIT, None, 15, (), "This number by default has Envoy"),
    ({"total_s": 15.0}, Kind.TIME_LIMIT, None, 15, (), "A hint only"),
    ({"total_s": 30.0}, Kind.TIME_LIMIT, None, 30, (), "broken off after 30.0 s"),
    ({"total_s": 30.0, "clean": True}, Kind.TIME_LIMIT, None, 30, (), "as if it were whole after 30.0 s"),
    # Two that are cut at the same moment may have met the same accident.
    ({"total_s": 60.0}, Kind.TIME_LIMIT, None, 60, ONCE, "No heartbeat helps"),
    ({"total_s": 100.0}, Kind.TIME_LIMIT, None, 100, ONCE, "No heartbeat helps"),
    ({"idle_s": 20.0, "total_s": 45.0}, Kind.BOTH, 20, 45, (), "No heartbeat helps"),
    ({"idle_s": 20.0, "total_s": 70.0}, Kind.BOTH, 20, 70, ONCE, "No heartbeat helps"),
    # Shorter than the beat: both are silent for longer.
    ({"idle_s": 3.0}, Kind.UNCLEAR, None, None, ONCE, "so seldom"),
    ({"idle_s": 109.5}, Kind.UNCLEAR, None, None, ONCE, ""),
    (
        {"total_s": 30.0, "holds": True, "timeout_status": 504},
        Kind.UNCLEAR,
        None,
        None,
        ONCE,
        "answered with 504 after 30.0 s",
    ),
    ({"idle_s": 60.0, "deaf_after": 3}, Kind.UNCLEAR, None, None, (Doubt.SIDE_REQUEST_HUNG,), ""),
    ({"deaf_after": 3}, Kind.NO_LIMIT, None, None, (), ""),
    ({"dead_s": 30.0}, Kind.UNCLEAR, None, None, (Doubt.STREAM_CUT,), "came through it any more"),
    *(
        ({"status": status}, Kind.UNCLEAR, None, None, (Doubt.NO_PROOF,), f"answered with {status}")
        for status in (404, 429, 500, 501, 503)
    ),
]


@pytest.mark.parametrize(("way", "kind", "idle_s", "total_s", "doubts", "said"), WAYS)
def test_the_limits_of_a_way_are_seen(
    way: dict[str, Any],
    kind: Kind,
    idle_s: float | None,
    total_s: float | None,
    doubts: tuple[Doubt, ...],
    said: str,
) -> None:
    found = seen(**way)
    assert (found.kind, found.doubts) == (kind, doubts)
    assert (found.idle_s, found.total_s) == (
        idle_s and pytest.approx(idle_s, abs=0.1),
        total_s and pytest.approx(total_s, abs=0.1),
    )
    assert said in " ".join((*found.evidence, *found.advice))
    assert kind is not Kind.UNCLEAR or found.advice == ()


def test_the_default_of_another_kind_of_limit_is_no_hint() -> None:
    assert not any("Vercel" in line for line in seen(idle_s=60.0).advice)  # its limit is on the whole
    assert not any("default" in line for line in seen(total_s=45.0).advice)


def test_one_beat_that_is_lost_does_not_silence_the_stream() -> None:
    class Lossy(Way):
        lost = False

        def act(self, action: Action) -> Observed:
            if isinstance(action, Feed) and self.feeds == 2 and not self.lost:
                self.lost = True
                return self._observed()
            return super().act(action)

    (life,) = Lossy().run(lives(beat_s=BEAT_S))
    assert (life.cut, life.talked) == (False, True)
    assert life.longest_silence_s < 2 * BEAT_S


def life(lived: float, *, cut: bool = True, silence: float = 1.0) -> StreamLifetime:
    return StreamLifetime(lived, cut, False, 200, silence, silence)


def test_what_does_not_happen_again_is_no_limit() -> None:
    found = judge([life(20, silence=20), life(45, silence=45)], [life(110, cut=False)])
    assert (found.kind, found.doubts) == (Kind.UNCLEAR, (Doubt.NOT_REPEATED,))


def test_a_stream_that_is_cut_because_it_talks_is_under_no_limit_of_time() -> None:
    assert judge([life(110, cut=False, silence=110)], [life(20)]).kind is Kind.UNCLEAR
    assert judge([life(90, silence=90)], [life(40)]).kind is Kind.UNCLEAR


def test_a_cut_is_looked_for_twice_within_the_time_that_is_watched() -> None:
    way = Way(idle_s=30.0)
    first, second = way.run(lives())
    assert (first.cut, second.cut) == (True, True)
    assert way.now_ms <= LIMIT_S * 1000 + 2 * way.rtt_ms
    assert len(Way(idle_s=60.0).run(lives())) == 1


TIMES = st.floats(8, 300) | st.just(inf)


@given(TIMES, TIMES, st.floats(0.1, 300), st.booleans())
def test_no_limit_is_told_that_is_not_there(idle: float, total: float, rtt: float, clean: bool) -> None:
    found = seen(idle_s=idle, total_s=total, rtt_ms=rtt, clean=clean)
    if found.idle_s is not None:
        assert found.idle_s == pytest.approx(idle, abs=1.0)
    if found.total_s is not None:
        assert found.total_s == pytest.approx(total, abs=1.0)
    if found.kind is Kind.NO_LIMIT:
        assert min(idle, total) >= LIMIT_S - 1
    if found.kind is Kind.TIME_LIMIT:
        assert total < idle + LIMIT_S / 10


@given(TIMES, TIMES, st.floats(0.1, 300), st.floats(1, 10))
def test_so_many_requests_are_made_at_most(idle: float, total: float, rtt: float, beat: float) -> None:
    silent, talking = Way(idle, total, rtt_ms=rtt), Way(idle, total, rtt_ms=rtt)
    silent.run(lives())
    talking.run(lives(beat_s=beat))
    # Four streams, each ended; each beat may have to be repeated.
    assert silent.requests + talking.requests <= 2 * 4 + 2 * (int(LIMIT_S / beat) + 4)


def test_a_limit_that_takes_a_second_to_close_is_one_limit_however_the_beats_fall() -> None:
    # An Envoy's: nothing passes after 2 s, and the connection is closed at 3 s.
    silent = (StreamLifetime(3.0, True, False, 200, 3.0, 0.1),) * 2
    for last_s in (1.0, 1.4, 1.9):
        talking = (StreamLifetime(3.1, True, False, 200, last_s, 0.6),) * 2
        assert judge(silent, talking).kind is Kind.TIME_LIMIT


def test_a_process_that_slept_takes_two_ends_for_one_limit_if_it_slept_so_long() -> None:
    silent = (
        StreamLifetime(3.0, True, False, 200, 3.0, 0.1),
        StreamLifetime(5.5, True, False, 200, 5.5, 0.1, late_s=2.5),
    )
    talking = (StreamLifetime(3.1, True, False, 200, 0.4, 0.4),) * 2
    assert judge(silent, talking).kind is Kind.TIME_LIMIT
