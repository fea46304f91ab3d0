"""How long streams live, on made-up clocks: which limits are seen, and which are not made up."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.actions import Action, Await, Feed, Observed
from kit.proof.causes import Cause, NamedCause
from kit.proof.contract import Figure, Term
from kit.proof.doubts import Doubt
from kit.proof.steps import OVERTAKEN
from kit.proof.stream_life import BEAT_S, StreamLifetime, apart_s, life, side_by_side
from kit.proof.stream_limits import Kind, Limits, finding, judge, named_with
from tests.kit.proof.conftest import Hop, Network, Output, Stall

LIMIT_S = 110.0


class Limit(Hop):
    """Cuts a stream after a silence, or after a time, in milliseconds.

    Args:
        dead_ms: after such a silence nothing passes any more, and nothing is closed.
        holds: whether it passes nothing at all.
        comments: whether those pass, are held until an event comes or the end, or are taken out, before they
            come to the hop with the limit.
    """

    def __init__(
        self, idle_ms: float, total_ms: float, dead_ms: float, *, holds: bool, comments: str = "pass"
    ) -> None:
        self.idle_ms, self.total_ms, self.dead_ms, self.holds = idle_ms, total_ms, dead_ms, holds
        self.comments = comments
        self.kept = b""

    def open(self, now_ms: float) -> None:
        self.opened_ms = self.said_ms = now_ms

    def push(self, now_ms: float, data: bytes) -> Output:
        if self.comments != "pass" and data.startswith(b":"):
            self.kept += data if self.comments == "held" else b""
            return []
        data, self.kept = self.kept + data, b""
        silent_ms, self.said_ms = now_ms - self.said_ms, now_ms
        self.alarm_ms = min(self.opened_ms + self.total_ms, now_ms + self.idle_ms)
        return [] if self.holds or silent_ms >= self.dead_ms else [(0.0, data)]

    def close(self, now_ms: float) -> Output:
        return [(0.0, self.kept)] if self.kept else []

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
        comments: str = "pass",
        older: bool = False,
    ) -> None:
        total_ms = min(total_s * 1000, 120_000.0 if older else inf)
        super().__init__(
            lambda: Limit(idle_s * 1000, total_ms, dead_s * 1000, holds=holds, comments=comments), rtt_ms
        )
        self.older = older
        self.status, self.clean, self.deaf_after = status, clean, deaf_after
        self.status_at_end = timeout_status
        self.requests = 0

    def act(self, action: Action) -> Observed:
        self.requests += not isinstance(action, Await)
        self.hung = isinstance(action, Feed) and self.feeds >= self.deaf_after
        return super().act(action)


def seen(for_s: float = LIMIT_S, *, framing: bool = True, **way: Any) -> Limits:
    lives = [Way(**way).run(machine) for _, machine in side_by_side(for_s, comments=framing)]
    return judge(lives[:2], lives[2:], apart_s(for_s))


ONCE = (Doubt.NOT_REPEATED,)
# The way; which limits are seen, on silence and on the whole, with what doubt; and what is said of them.
WAYS: list[tuple[dict[str, Any], Kind, float | None, float | None, tuple[Doubt, ...], str]] = [
    ({}, Kind.NO_LIMIT, None, None, (), "no limit below 110 s was seen"),
    ({}, Kind.NO_LIMIT, None, None, (), "in some deployments: 120 s of silence"),
    ({"for_s": 250.0}, Kind.NO_LIMIT, None, None, (), "Cloud Run, its request timeout: 300 s in all"),
    ({"idle_s": 20.0}, Kind.IDLE_LIMIT, 20, None, (), "every 10 s"),
    ({"idle_s": 30.0}, Kind.IDLE_LIMIT, 30, None, (), "every 15 s"),
    ({"idle_s": 45.0}, Kind.IDLE_LIMIT, 45, None, (), "every 22 s"),
    ({"idle_s": 60.0}, Kind.IDLE_LIMIT, 60, None, (), "nginx, its proxy_read_timeout"),
    ({"idle_s": 60.0}, Kind.IDLE_LIMIT, 60, None, (), "ALB"),
    # The second stream that is silent was not watched for so long.
    ({"idle_s": 107.0}, Kind.IDLE_LIMIT, 107, None, ONCE, ""),
    ({"total_s": 15.0}, Kind.TIME_LIMIT, None, 15, (), "This number by default has Envoy"),
    ({"total_s": 15.0}, Kind.TIME_LIMIT, None, 15, (), "A hint only"),
    ({"total_s": 30.0}, Kind.TIME_LIMIT, None, 30, (), "broken off after 30.0 s"),
    ({"total_s": 30.0, "clean": True}, Kind.TIME_LIMIT, None, 30, (), "as if it were whole after 30.0 s"),
    ({"total_s": 100.0}, Kind.TIME_LIMIT, None, 100, (), "No heartbeat helps"),
    ({"total_s": 106.0}, Kind.TIME_LIMIT, None, 106, ONCE, "No heartbeat helps"),
    ({"idle_s": 20.0, "total_s": 70.0}, Kind.BOTH, 20, 70, (), "No heartbeat helps"),
    ({"idle_s": 20.0, "total_s": 106.0}, Kind.BOTH, 20, 106, ONCE, "No heartbeat helps"),
    ({"idle_s": 60.0, "total_s": 64.0}, Kind.BOTH, 60, 64, (), "No heartbeat helps"),
    ({"for_s": 600.0, "idle_s": 300.0}, Kind.IDLE_LIMIT, 300, None, (), "stream_idle_timeout"),
    ({"for_s": 600.0, "total_s": 300.0}, Kind.TIME_LIMIT, None, 300, (), "Cloud Run"),
    ({"for_s": 3600.0}, Kind.NO_LIMIT, None, None, (), "no limit below 3600 s was seen"),
    # What ends such a stream is its origin, and not the way.
    (
        {"for_s": 600.0, "older": True},
        Kind.NO_LIMIT,
        None,
        None,
        (),
        "the origin's copy of the proof is older, and ends",
    ),
    ({"for_s": 600.0, "older": True}, Kind.NO_LIMIT, None, None, (), "no limit below 115 s was seen"),
    ({"for_s": 600.0, "older": True, "idle_s": 60.0}, Kind.IDLE_LIMIT, 60, None, (), "proxy_read_timeout"),
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
        ({"status": status}, Kind.UNCLEAR, None, None, (Doubt.PROOF_LIMITED,), f"answered with {status}")
        for status in (429, 503)
    ),
    *(
        ({"status": status}, Kind.UNCLEAR, None, None, (Doubt.NO_PROOF,), f"answered with {status}")
        for status in (404, 500, 501)
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

    lived = Lossy().run(life(LIMIT_S, beat_s=BEAT_S))
    assert (lived.cut, lived.talked) == (False, True)
    assert lived.longest_silence_s < 2 * BEAT_S


def lived(for_s: float, *, cut: bool = True, silence: float = 1.0, **more: Any) -> StreamLifetime:
    return StreamLifetime(for_s, cut, False, 200, silence, silence, **more)


def test_what_does_not_happen_again_is_no_limit() -> None:
    found = judge([lived(20, silence=20), lived(45, silence=45)], [lived(110, cut=False)])
    assert (found.kind, found.doubts, found.unlike) == (Kind.UNCLEAR, (Doubt.NOT_REPEATED,), True)
    assert not judge([lived(20, silence=20)], [lived(40)]).unlike


def test_a_stream_that_is_cut_because_it_talks_is_under_no_limit_of_time() -> None:
    assert judge([lived(110, cut=False, silence=110)], [lived(20)]).kind is Kind.UNCLEAR
    assert judge([lived(90, silence=90)], [lived(40)]).kind is Kind.UNCLEAR


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


@given(TIMES, TIMES, st.floats(0.1, 300), st.sampled_from(["pass", "held", "taken out"]), st.floats(5, 600))
def test_what_is_true_lies_within_each_figure(
    idle: float, total: float, rtt: float, comments: str, for_s: float
) -> None:
    found = finding(seen(for_s, idle_s=idle, total_s=total, rtt_ms=rtt, comments=comments))
    figures = {figure.term: figure for figure in found.figures}
    slack_ms = 2 * rtt
    for term, true_s in ((Term.IDLE, idle), (Term.ALIVE, total)):
        if term in figures:
            assert figures[term].least - slack_ms <= true_s * 1000 <= figures[term].most + slack_ms
    if (beats := figures.get(Term.HEARTBEAT)) is not None:
        late = beats.least > 0
        assert late or comments == "pass" or beats.most == inf
        assert not (late and comments == "pass")


@given(st.floats(0.5, 200), st.floats(2, 200))
def test_an_accident_that_ends_all_streams_at_one_moment_is_no_limit(when: float, for_s: float) -> None:
    lives = [
        Way(total_s=when - begin_s if when > begin_s else inf).run(machine)
        for begin_s, machine in side_by_side(for_s, comments=True)
    ]
    found = finding(judge(lives[:2], lives[2:], apart_s(for_s)))
    proved = found.sure == "proved"
    assert not proved or when >= for_s - 1


@pytest.mark.parametrize(
    ("way", "says"),
    [
        ({}, "lives for at least 110 s"),
        ({"comments": "held"}, "lives for at least 110 s, and heartbeats are held"),
        ({"idle_s": 60.0}, "cut after 60 s of silence"),
        ({"idle_s": 60.0, "comments": "held"}, "cut after 60 s of silence, and heartbeats are held"),
        ({"total_s": 30.0}, "cut after 30 s"),
        ({"idle_s": 20.0, "total_s": 70.0}, "cut after 20 s of silence and cut after 70 s"),
        (
            {"for_s": 600.0, "older": True},
            "lives for at least 115 s, and was watched for no longer: the origin's copy of the proof is "
            "older, and ends streams after 120 s",
        ),
        (
            {"deaf_after": 0},
            "no limit below 110 s was seen, and whether what was not cut still passes an event could not be "
            "seen",
        ),
        ({"status": 404}, "a stream was answered with 404"),
    ],
)
def test_the_clause_says_it_in_a_few_words(way: dict[str, Any], says: str) -> None:
    assert finding(seen(**way)).says == says


def test_the_clauses_advice_has_lines_to_paste() -> None:
    assert "    proxy_read_timeout 3600s;" in finding(seen(idle_s=60.0)).advice
    assert "    timeout: 0s" in finding(seen(total_s=15.0)).advice
    assert "--for" in finding(seen()).advice


# A hop that does not run for longer than a second does not cut when it should.
STALLS = st.tuples(
    st.sampled_from(["client", "origin"]), st.floats(0, 120_000), st.floats(0, 10_000)
) | st.tuples(st.sampled_from(["hop", "stream"]), st.floats(0, 120_000), st.floats(0, 1_000))


@given(TIMES, TIMES, st.lists(STALLS, max_size=3), st.sampled_from(["pass", "held"]))
def test_no_stall_of_any_part_makes_a_figure_wrong_that_is_proved(
    idle: float, total: float, stalls: list[tuple[str, float, float]], comments: str
) -> None:
    lives = []
    for begin_s, machine in side_by_side(LIMIT_S, comments=True):
        way = Way(idle, total, comments=comments)
        way.stalls = [Stall(who, start_ms - begin_s * 1000, for_ms) for who, start_ms, for_ms in stalls]
        lives.append(way.run(machine))
    found = finding(judge(lives[:2], lives[2:], apart_s(LIMIT_S)))
    true_ms = {Term.IDLE: idle * 1000, Term.ALIVE: total * 1000}
    for figure in found.figures:
        if found.sure == "proved" and figure.term in true_ms:
            assert figure.least - 1_050 <= true_ms[figure.term] <= figure.most + 50


def test_heartbeats_that_are_held_are_named_with_the_silence_that_ends_their_stream() -> None:
    for comments, said in (("held", "comments are held"), ("taken out", "comments are held")):
        found = seen(idle_s=20.0, comments=comments)
        assert (found.kind, found.held, found.doubts) == (Kind.IDLE_LIMIT, True, ())
        assert "heartbeats do not, since they are held" in found.evidence[-1]
        assert any(said in line for line in found.evidence)
        assert "freed first" in found.advice[0]


def test_heartbeats_that_are_held_where_nothing_is_cut_are_told_apart_from_those_that_are_taken_out() -> None:
    for comments, said in (("held", "comments are held"), ("taken out", "comments are taken out")):
        found = seen(comments=comments)
        assert (found.kind, found.held, found.doubts) == (Kind.NO_LIMIT, False, ())
        assert any(said in line for line in found.evidence)
        heartbeat = next(figure for figure in found.figures if figure.term is Term.HEARTBEAT)
        assert heartbeat.least > 90_000
        assert heartbeat.most == inf


def test_what_holds_heartbeats_and_the_limit_that_ends_them_are_one_cause_with_both_lines() -> None:
    found = seen(idle_s=60.0, comments="held")
    (alone,) = named_with(found)
    assert (alone.cause, alone.certainty, alone.holds) == (Cause.HEARTBEATS_HELD, "certain", False)
    holder = NamedCause(Cause.NGINX_BUFFERS, "certain", "freed by X-Accel-Buffering: no")
    other = NamedCause(Cause.BURSTS, "likely", "several at once", holds=False)
    first, both = named_with(found, [other, holder])
    assert first == other
    assert (both.cause, both.certainty, both.holds) == (Cause.NGINX_BUFFERS, "certain", True)
    assert both.because.startswith(f"{holder.because}; a silence of 60 s ends a stream")
    for one in (alone, both):
        assert "    X-Accel-Buffering: no" in one.remedy
        assert "    proxy_read_timeout 3600s;" in one.remedy


def test_limits_on_silence_and_on_the_whole_are_causes_that_hold_nothing() -> None:
    holder = NamedCause(Cause.NGINX_BUFFERS, "certain", "freed by X-Accel-Buffering: no")
    assert named_with(seen(), [holder]) == (holder,)
    first, *limits = named_with(seen(idle_s=60.0, total_s=106.0), [holder])
    assert first == holder
    assert [(one.cause, one.certainty, one.holds) for one in limits] == [
        (Cause.IDLE_LIMIT, "likely", False),
        (Cause.TIME_LIMIT, "likely", False),
    ]


def test_no_heartbeat_is_judged_by_what_an_older_origin_sends_in_its_place() -> None:
    for found in (seen(older=True), seen(framing=False)):
        assert found.kind is Kind.NO_LIMIT
        assert {figure.term for figure in found.figures} == {Term.IDLE, Term.ALIVE}
        assert any("small events are passed on" in line for line in found.evidence)


def test_what_was_watched_to_its_end_lives_for_so_long_at_least() -> None:
    found = finding(seen(for_s=5.0))
    assert (found.sure, found.doubts) == ("proved", ())
    figures = {figure.term: figure for figure in found.figures}
    assert 5000 <= figures[Term.IDLE].least < 5100
    assert 5000 <= figures[Term.ALIVE].least < 5100
    assert figures[Term.IDLE].most == figures[Term.ALIVE].most == inf
    assert figures[Term.HEARTBEAT].most < 100


def test_what_a_busy_machine_sees_end_is_doubtful_and_its_figures_are_wider() -> None:
    silent = [lived(20.0, silence=20.0, late_s=0.6), lived(20.0, silence=20.0)]
    found = judge(silent, [lived(110, cut=False, passes=True)], 5.5)
    assert (found.kind, found.doubts) == (Kind.IDLE_LIMIT, (Doubt.BUSY_MACHINE,))
    assert found.figures[0] == Figure(Term.IDLE, 18_400.0, 21_600.0)
    assert finding(found).sure == "likely"


def test_that_a_silent_stream_lives_is_not_proved_where_it_cannot_be_fed() -> None:
    found = finding(seen(deaf_after=0))
    assert (found.sure, found.doubts) == ("likely", (Doubt.SIDE_REQUEST_HUNG,))


@given(TIMES, TIMES, st.floats(0.1, 300), st.floats(1, 10))
def test_so_many_requests_are_made_at_most(idle: float, total: float, rtt: float, beat: float) -> None:
    silent, talking = Way(idle, total, rtt_ms=rtt), Way(idle, total, rtt_ms=rtt)
    silent.run(life(LIMIT_S))
    talking.run(life(LIMIT_S, beat_s=beat))
    # Each is opened, fed at its end and ended; a beat may have to be repeated, and be waited for.
    assert silent.requests <= 3 + OVERTAKEN
    assert talking.requests <= 3 + OVERTAKEN + 3 * (int(LIMIT_S / beat) + 1)


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
