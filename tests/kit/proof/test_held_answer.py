"""An app's own answer in lock-step through every shape of hop, on a made-up clock."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.proof.actions import Action, End, Observed, Pass, Ping, Progress
from kit.proof.doubts import Doubt
from kit.proof.events import ChunkDecoder
from kit.proof.held_answer import MOST, HeldAnswer, all_at_once, as_it_came, kept_its_loop, waited
from kit.proof.received import Received
from kit.proof.verdict import Finding, Method, Shape, Verdict
from tests.kit.proof.conftest import Hop, Network, Output, Stall
from tests.kit.proof.hops import Blocks, FirstEvent, LastByte, Prefix, Timer, Whole
from tests.kit.proof.test_lockstep import RTTS

PASS_MS = 5_000.0
Piece = tuple[float, int]  # how long the app takes over it, milliseconds, and its octets
TOKENS: list[Piece] = [(60.0, 90)] * 40


class App(Network):
    """A wrapped app, which writes these pieces, behind a hop."""

    def __init__(self, hop: Callable[[], Hop], pieces: Sequence[Piece], rtt_ms: float = 1.0) -> None:
        super().__init__(hop, rtt_ms)
        self.pieces = pieces
        self.passes = 0
        self.free = ""  # why it is not held
        self._gone: list[float] = []
        self._free_ms: float | None = None
        self._stream = Received(ChunkDecoder())
        self._starts_ms = rtt_ms / 2
        self._hop.open(self._starts_ms)
        if self.pieces:
            self._let(1, 0.0)

    def act(self, action: Action) -> Observed:
        match action:
            case Pass():
                self._late_ms = 0.0
                self._until(self.now_ms)
                self.passes += 1
                at_ms = self._at_origin()
                self._let(action.pieces, at_ms)
                answers_ms = self._gone[: action.pieces][-1] if self._gone else at_ms
                if len(self._gone) < action.pieces:
                    answers_ms = max(answers_ms, self._done_ms())
                return self._told(min(max(at_ms, answers_ms), at_ms + PASS_MS), action.within_ms)
            case End():
                self._late_ms = 0.0
                self._until(self.now_ms)
                at_ms = self._at_origin()
                if self._free_ms is None:
                    self._let(len(self.pieces), at_ms)
                    self._close(max(at_ms, self._done_ms()))
                    self._free_ms = at_ms
                return self._told(at_ms, action.within_ms)
            case Ping():
                self._late_ms = 0.0
                self._until(self.now_ms)
                return self._told(self._at_origin(), action.within_ms)
        return super().act(action)

    def _done_ms(self) -> float:
        return self._gone[-1] if self._gone else self._starts_ms

    def _let(self, pieces: int, at_ms: float) -> None:
        for takes_ms, octets in self.pieces[len(self._gone) : pieces]:
            gone_ms = max(at_ms, self._done_ms() + takes_ms)
            self._gone.append(gone_ms)
            self._emit(b"x" * octets, gone_ms)

    def _told(self, at_ms: float, within_ms: float) -> Observed:
        gone = [ms for ms in self._gone if ms <= at_ms]
        octets = sum(octets for _, octets in self.pieces[: len(gone)])
        waits: Literal["", "end"] = "end" if len(gone) == len(self.pieces) and self._free_ms is None else ""
        progress = Progress(
            len(gone), octets, len(gone), waits, self.free, False, "", gone[-1] if gone else 0.0, 0.0
        )
        return self._reply(at_ms, known=True, within_ms=within_ms, progress=progress)


def judged(app: App) -> tuple[Finding | None, HeldAnswer]:
    machine = HeldAnswer()
    app.run(machine.run())
    assert app._free_ms is not None, "all of it is released in the end"
    return machine.finding, machine


def seen(app: App) -> tuple[Verdict, Shape | None]:
    found, machine = judged(app)
    assert found is not None, machine.evidence
    assert found.method is Method.LOCK_STEP
    return found.verdict, found.shape


class Joining(Hop):
    """Splits what it is given, and brings the rest of it together with what comes next, at once or soon."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def push(self, now_ms: float, data: bytes) -> Output:
        cut = self.random.randrange(len(data) + 1)
        return [(0.0, data[:cut]), (self.random.uniform(0, 10), data[cut:])]


STREAMED = (Verdict.INCREMENTAL, None)


@pytest.mark.parametrize("rtt", RTTS)
def test_an_answer_that_comes_as_it_is_release_is_streamed_in_a_dozen_steps(rtt: float) -> None:
    app = App(Hop, TOKENS, rtt)
    assert seen(app) == STREAMED
    assert app.passes <= MOST + 1
    written = sum(takes for takes, _ in TOKENS)
    assert app.now_ms < written + (MOST + 12) * rtt + 50


@given(
    seed=st.integers(0, 1_000),
    rtt=st.sampled_from(RTTS),
    pieces=st.lists(st.tuples(st.floats(0, 400), st.integers(1, 40_000)), min_size=2, max_size=60),
)
@settings(max_examples=60, deadline=None)
def test_pieces_that_a_hop_joins_and_splits_are_streamed_all_the_same(
    seed: int, rtt: float, pieces: list[Piece]
) -> None:
    assert seen(App(partial(Joining, seed), pieces, rtt)) == STREAMED


@given(
    rtt=st.sampled_from(RTTS),
    who=st.sampled_from(["client", "origin", "hop"]),
    start=st.floats(0, 2_500),
    length=st.floats(0, 9_000),
)
@settings(max_examples=60, deadline=None)
def test_no_stall_holds_an_answer(rtt: float, who: str, start: float, length: float) -> None:
    app = App(Hop, TOKENS, rtt)
    app.stalls = [Stall(who, start, length)]
    found, _ = judged(app)
    assert found is None or found.verdict is Verdict.INCREMENTAL


@pytest.mark.parametrize("rtt", RTTS)
@pytest.mark.parametrize(
    ("hop", "verdict", "shape"),
    [
        (Whole, Verdict.WHOLE_MESSAGE, Shape.WHOLE),
        (partial(Blocks, 65_536), Verdict.WHOLE_MESSAGE, Shape.WHOLE),  # larger than all of it
        (partial(Blocks, 512), Verdict.BYTE_LIMITED, Shape.BLOCKS),
        (LastByte, Verdict.BYTE_LIMITED, Shape.TAIL),
        (FirstEvent, Verdict.BYTE_LIMITED, Shape.FIRST_EVENT),
        (partial(Prefix, 512), Verdict.BYTE_LIMITED, Shape.PREFIX),
    ],
)
def test_how_an_answer_is_held_is_said_as_far_as_it_shows(
    hop: Callable[[], Hop], verdict: Verdict, shape: Shape, rtt: float
) -> None:
    app = App(hop, TOKENS, rtt)
    found, machine = judged(app)
    assert found is not None, machine.evidence
    assert (found.verdict, found.shape) == (verdict, shape), found.evidence
    assert found.block_bytes == (512 if shape is Shape.BLOCKS else None)
    assert app.now_ms < 2_400 + 15_000, "a few seconds more than it takes to write"


@pytest.mark.parametrize("rtt", RTTS)
@pytest.mark.parametrize("timer", [400.0, 1_000.0, 1_900.0, 5_000.0])
def test_a_timer_is_one_or_is_left_to_the_proofs_own_streams(timer: float, rtt: float) -> None:
    found, machine = judged(App(partial(Timer, timer), TOKENS, rtt))
    seen = timer >= max(15.0, 5 * rtt)
    assert not seen or found is None or found.verdict is not Verdict.INCREMENTAL, machine.evidence
    if timer < 700.0 and rtt < 50.0:
        assert found is not None
        assert (found.verdict, found.shape) == (Verdict.TIME_LIMITED, Shape.TIMER)


def test_how_long_an_answer_waited_for_its_proof_is_said() -> None:
    assert waited(progress((0.0, 0.0), (10.0, 300.0))) == ()
    assert "1290 ms" in " ".join(waited(progress((0.0, 0.0), (10.0, 1_300.0))))


def test_an_answer_that_streams_to_a_process_that_never_sleeps_has_no_doubt() -> None:
    found, _ = judged(App(Hop, TOKENS))
    assert found is not None
    assert (found.verdict, found.doubts) == (Verdict.INCREMENTAL, ())


def test_what_an_answer_is_too_short_to_show_is_a_doubt() -> None:
    found, _ = judged(App(Whole, TOKENS))
    assert found is not None
    assert found.doubts == (Doubt.BUFFER_SIZE_UNKNOWN,)
    found, _ = judged(App(FirstEvent, TOKENS))
    assert found is not None
    assert found.doubts == (Doubt.NOT_REPEATED,)


def test_an_event_that_is_larger_than_those_before_is_held_by_its_own_size() -> None:
    class Page(Hop):
        """nginx's: the end of an event of over 4 KiB waits for the next."""

        held = b""

        def push(self, now_ms: float, data: bytes) -> Output:
            data = self.held + data
            self.held = data[len(data) - len(data) % 4096 :] if len(data) > 4096 else b""
            return [(0.0, data[: len(data) - len(self.held)])]

        def close(self, now_ms: float) -> Output:
            return [(0.0, self.held)]

    assert seen(App(Page, TOKENS)) == STREAMED
    found, machine = judged(App(Page, [*TOKENS[:6], *[(60.0, 6_000)] * 30]))
    assert found is not None, machine.evidence
    assert found.verdict is Verdict.BYTE_LIMITED


def test_a_held_end_of_an_answer_is_seen_though_all_else_streams() -> None:
    class LastPiece(Hop):
        """Passes all but what comes last."""

        held = b""
        count = 0

        def push(self, now_ms: float, data: bytes) -> Output:
            self.count += 1
            if self.count < len(TOKENS):
                return [(0.0, data)]
            self.held = data
            return []

        def close(self, now_ms: float) -> Output:
            return [(0.0, self.held)]

    found, _ = judged(App(LastPiece, TOKENS))
    assert found is not None
    assert found.verdict is not Verdict.INCREMENTAL


@pytest.mark.parametrize("why", ["one piece", "length"])
def test_an_answer_that_cannot_be_held_is_not_judged_so_and_says_why(why: str) -> None:
    app = App(Hop, TOKENS[:1])
    app.free = why
    found, machine = judged(app)
    assert found is None
    assert machine.evidence[-1].startswith("the answer could not be put in lock-step: ")


def test_an_origin_that_hangs_or_knows_nothing_of_it_leaves_it_to_its_times() -> None:
    class Unknown(App):
        def _told(self, at_ms: float, within_ms: float) -> Observed:
            return self._reply(at_ms, known=False, within_ms=within_ms)

    found, machine = judged(Unknown(Hop, TOKENS))
    assert found is None
    machine.came(560)
    assert "other-instance" in machine.evidence[-1]


def test_one_piece_and_its_end_are_too_short_to_tell_all() -> None:
    _, machine = judged(App(Hop, TOKENS[:2]))
    assert machine.short
    _, machine = judged(App(Hop, TOKENS))
    assert not machine.short


# What is the app's own doing


def progress(*times: tuple[float, float], **more: Any) -> Progress:
    """Pieces of 10 octets: when the app sent each, and when it was released."""
    noted = tuple((10 * (place + 1), *pair) for place, pair in enumerate(times))
    known = Progress(len(times), 10 * len(times), len(times), "end", "", False, "", 0.0, 0.0, noted)
    return replace(known, **more)


def held_back(sent: Sequence[float], rtt_ms: float) -> list[tuple[float, float]]:
    """The first few pieces are released one by one, the rest as they are sent."""
    gone: list[tuple[float, float]] = []
    for place, at_ms in enumerate(sent):
        before_ms = gone[-1][1] if gone else 0.0
        at_ms = max(at_ms, before_ms)
        gone.append((at_ms, max(at_ms, before_ms + rtt_ms) if place < 5 else at_ms))
    return gone


@pytest.mark.parametrize("rtt", RTTS)
def test_an_app_that_collected_its_answer_is_told_from_one_that_thought_before_it_wrote(rtt: float) -> None:
    collected = held_back([1_800.0 + 0.1 * place for place in range(40)], rtt)
    assert "the app sent all 40 pieces" in all_at_once(progress(*collected), 40)
    thought = held_back([10_000.0 + 15.0 * place for place in range(100)], rtt)
    assert all_at_once(progress(*thought), 100) == ""
    quick = held_back([5.0 + 0.1 * place for place in range(40)], rtt)
    assert all_at_once(progress(*quick), 40) == ""


def test_an_answer_in_one_piece_was_collected_if_it_has_several_events_and_took_a_while() -> None:
    assert "all 12 events in one piece" in all_at_once(progress((1_500.0, 1_500.0)), 12)
    assert all_at_once(progress((1_500.0, 1_500.0)), 1) == ""
    assert all_at_once(progress((500.0, 500.0)), 12) == ""
    assert all_at_once(None, 12) == ""


def test_what_the_app_compresses_itself_is_said_to_be_compressed_there() -> None:
    assert as_it_came(progress()).endswith("as it came")
    assert "compresses (gzip)" in as_it_came(progress(coding="gzip"))


def test_a_loop_that_the_app_kept_to_itself_for_much_of_its_answer_is_said() -> None:
    made = (100.0, 100.0), (1_000.0, 4_000.0), (4_900.0, 4_900.0)  # in 1.9 s, and held for 3 s
    assert "1200 ms" in " ".join(kept_its_loop(progress(*made, blocked_ms=1_200.0)))
    assert kept_its_loop(progress(*made, blocked_ms=900.0)) == ()
    assert kept_its_loop(progress((90.0, 90.0), blocked_ms=90.0)) == ()


def test_an_answer_that_is_cut_while_it_is_held_is_not_called_streamed() -> None:
    class Cut(App):
        """Passes five pieces, holds the rest, and is cut after ten."""

        def _emit(self, data: bytes, at_ms: float) -> None:
            if len(self._gone) <= 5:
                super()._emit(data, at_ms)
            elif len(self._gone) == 10:
                self._close(at_ms)

    found, machine = judged(Cut(Hop, TOKENS))
    assert found is None, machine.evidence


def test_octets_that_a_hop_changed_say_nothing_of_what_was_held() -> None:
    _, machine = judged(App(Hop, TOKENS))
    machine.came(sum(octets for _, octets in TOKENS))
    assert [machine.finding is None, machine.lost] == [False, False]
    machine.came(1)
    assert [machine.finding is None, machine.lost] == [True, True]
    assert "judged by its times" in machine.evidence[-1]
