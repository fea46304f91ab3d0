"""What became of streams through a deploy, on made-up clocks and of made-up answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.actions import Action, Observed, Open
from kit.proof.contract import Clause
from kit.proof.doubts import Doubt
from kit.proof.received import Received
from kit.proof.rollout import (
    Fate,
    KeptStream,
    Move,
    Slot,
    answered,
    fed,
    last_id,
    retry_after_s,
    through,
    unwatched,
)
from kit.proof.sse import SSEDecoder
from tests.kit.proof.conftest import Hop, Network, Output, Stall, event

LEFT_S = 8.0


class Ends(Hop):
    """Ends its stream at a time, in milliseconds; before that it passes all, or as the whole holds it."""

    def __init__(self, at_ms: float, *, holds: bool = False) -> None:
        self.alarm_ms = at_ms
        self._held: list[bytes] | None = [] if holds else None

    def push(self, now_ms: float, data: bytes) -> Output:
        if self._held is None:
            return [(0.0, data)]
        self._held.append(data)
        return []

    def fire(self, now_ms: float) -> Output:
        self.alarm_ms = inf
        return [(0.0, None)]

    def close(self, now_ms: float) -> Output:
        return [(0.0, data) for data in self._held or ()]


class Way(Network):
    """A version whose streams are to be left after `LEFT_S`."""

    def __init__(self, hop: Callable[[], Hop] = Hop, *, clean: bool = True, status: int = 200) -> None:
        super().__init__(hop)
        self.clean, self.status, self.slot = clean, status, Slot()

    def act(self, action: Action) -> Observed:
        observed = super().act(action)
        self.slot.leave = self.now_ms >= LEFT_S * 1000
        return observed

    def life(self) -> KeptStream:
        return self.run(fed(self.slot))


def test_a_stream_that_is_left_alone_is_whole_once_it_is_asked_to_end() -> None:
    way = Way()
    life = way.life()
    assert (life.fate, way.slot.opened) == (Fate.FINISHED, True)
    assert way.feeds == pytest.approx(LEFT_S, abs=1), "it is kept talking"


def test_one_of_which_nothing_arrives_before_its_end_is_whole_too() -> None:
    assert Way(lambda: Ends(inf, holds=True)).life().fate is Fate.FINISHED


def test_one_whose_connection_breaks_off_is_cut_and_when_is_known() -> None:
    life = Way(lambda: Ends(5_000), clean=False).life()
    assert (life.fate, life.how) == (Fate.CUT, "its connection broke off")
    assert life.over_ms == pytest.approx(5_000, abs=10)


def test_one_that_is_closed_before_it_was_asked_to_end_ended_early() -> None:
    assert Way(lambda: Ends(5_000)).life().fate is Fate.ENDED


def test_one_that_goes_on_when_its_origin_is_told_to_stop_is_whole_with_the_last_of_its_events() -> None:
    class Stopped(Way):
        def act(self, action: Action) -> Observed:
            if self.now_ms >= 5_000 and not self._cut:
                self._emit(event(self._emitted, 200), self.now_ms)
                self._emit(event(self._emitted, 200, "last"), self.now_ms + 1_000)
                self._close(self.now_ms + 1_000)
            return super().act(action)

    life = Stopped().life()
    assert life.fate is Fate.FINISHED
    assert life.over_ms == pytest.approx(6_000, abs=200)


def test_one_that_is_closed_and_lacks_events_was_cut_however_well_its_end_looks() -> None:
    life = Way(lambda: Ends(5_000, holds=True)).life()
    assert (life.fate, life.how.startswith("no response")) == (Fate.CUT, True)


@pytest.mark.parametrize("status", [404, 429, 502])
def test_what_is_no_stream_was_never_open(status: int) -> None:
    way = Way(status=status)
    life = way.life()
    assert (life.fate, life.how, way.slot.opened) == (Fate.CUT, f"answered with status {status}", False)


def test_among_several_instances_the_one_that_has_the_stream_is_found() -> None:
    way = Way()
    way.unknown_feeds = 3
    assert way.life().fate is Fate.FINISHED


def test_one_that_no_side_request_reaches_any_more_is_still_open() -> None:
    class Deaf(Way):
        def act(self, action: Action) -> Observed:
            self.hung = self.now_ms > 4_000 and not isinstance(action, Open)
            return super().act(action)

    way = Deaf()
    life = way.life()
    assert (life.fate, way.slot.opened) == (Fate.OPEN, True)
    assert life.over_ms < 30_000, "it is not asked for ever"


def test_one_that_was_asked_to_end_and_never_does_is_cut() -> None:
    class Endless(Way):
        def _close(self, at_ms: float) -> None:
            pass

    life = Endless().life()
    assert (life.fate, life.how) == (Fate.CUT, "its origin ended it, and no end came")


def test_a_machine_that_sleeps_while_the_end_comes_does_not_make_it_a_cut() -> None:
    way = Way()
    way.stalls.append(Stall("client", LEFT_S * 1000, 60_000))
    assert way.life().fate is Fate.FINISHED


# An answer of the kit's own service.


def answer(*events: tuple[str, int | None], ends: bool | None = True, status: int = 200) -> Received:
    """Events by name and number; `ends`: cleanly, by a cut (False), or not yet (None)."""
    received = Received(SSEDecoder())
    received.head(0.0, status, {})
    for name, number in events:
        lines = [f"event: {name}"] if number is None else [f"id: {'a' * 32}.{number}", f"event: {name}"]
        problem = {"type": "urn:streamproof:problem:shutting-down", "retry_after_s": 1}
        lines.append(f"data: {json.dumps(problem if name == 'error' else {})}")
        received.body(1.0, ("\n".join(lines) + "\n\n").encode())
    if ends is not None:
        received.end(2.0, clean=ends)
    return received


def tokens(*numbers: int) -> list[tuple[str, int | None]]:
    return [("token", number) for number in numbers]


DONE, TOLD = ("done", 3), ("error", None)


@pytest.mark.parametrize(
    ("first", "then", "resumed", "fate"),
    [
        (answer(*tokens(0, 1, 2), DONE), None, False, Fate.FINISHED),
        (answer(*tokens(0, 2), DONE), None, False, Fate.CUT),
        (answer(*tokens(0, 1, 1, 2), DONE), None, False, Fate.CUT),
        (answer(*tokens(0, 1), ends=None), None, False, Fate.OPEN),
        (answer(*tokens(0, 1), ends=False), None, False, Fate.CUT),
        (answer(*tokens(0, 1), ends=True), None, False, Fate.CUT),
        (answer(status=502), None, False, Fate.CUT),
        (answer(*tokens(0, 1), TOLD), None, False, Fate.TOLD),
        (answer(*tokens(0, 1), TOLD), answer(status=503), False, Fate.TOLD),
        (answer(*tokens(0, 1), TOLD), answer(*tokens(0), ends=None), False, Fate.ANEW),
        (answer(*tokens(0, 1), TOLD), answer(*tokens(2), DONE), True, Fate.RESUMED),
        (answer(*tokens(0, 1), ("error", 2)), answer(*tokens(2), DONE), True, Fate.RESUMED),
        (answer(*tokens(0, 1), TOLD), answer(DONE), True, Fate.TOLD),
        (answer(*tokens(0, 1), TOLD), answer(*tokens(1, 2), DONE), True, Fate.TOLD),
        (answer(*tokens(0, 1), TOLD), answer(*tokens(2), ends=False), True, Fate.TOLD),
    ],
)
def test_an_answers_fate_is_told_by_its_last_event_and_by_the_numbers_of_all(
    first: Received, then: Received | None, resumed: bool, fate: Fate
) -> None:
    assert answered(first, then, resumed=resumed)[0] is fate


def test_an_answer_that_ends_with_an_error_says_when_to_ask_again_and_from_where() -> None:
    ended = answer(*tokens(0, 1), TOLD)
    assert (retry_after_s(ended), last_id(ended)) == (1.0, f"{'a' * 32}.1")
    assert retry_after_s(answer(*tokens(0))) is None
    assert (retry_after_s(answer()), last_id(answer())) == (None, "")


@given(st.lists(st.binary(max_size=200), max_size=8), st.booleans())
def test_whatever_a_server_sends_has_a_fate(pieces: Sequence[bytes], ends: bool) -> None:
    received = Received(SSEDecoder())
    received.head(0.0, 200, {})
    for piece in pieces:
        received.body(1.0, piece)
    if ends:
        received.end(2.0, clean=True)
    fate, _ = answered(received, received, resumed=True)
    retry_after_s(received)
    assert fate in Fate


# The clause.

MOVE = Move(0.0, 2_000.0)
OPENED = "Some streams were open."


def of(fate: Fate, *seconds: float, how: str = "") -> list[KeptStream]:
    return [KeptStream(fate, at * 1000, how) for at in seconds]


@pytest.mark.parametrize(
    ("streams", "says", "sure", "doubts"),
    [
        (of(Fate.FINISHED, 5, 5, 5), "3 of 3 streams finished", "proved", ()),
        (
            [*of(Fate.FINISHED, 5, 5), *of(Fate.CUT, 10, 10, 10.2)],
            "3 of 5 cut without a word after 10 s, 2 finished",
            "proved",
            (),
        ),
        (
            [*of(Fate.FINISHED, 5, 5, 5), *of(Fate.CUT, 1.25)],
            "1 of 4 cut without a word after 1.2 s, 3 finished",
            "likely",
            (Doubt.NOT_REPEATED,),
        ),
        (of(Fate.ENDED, 1, 3), "2 of 2 ended early, in good order, after 1.0 to 3.0 s", "proved", ()),
        (of(Fate.OPEN, 7, 7), "2 of 2 still open after 7.0 s", "proved", ()),
        (of(Fate.ANEW, 7, 7), "2 of 2 told to reconnect, and answered anew", "proved", ()),
        (of(Fate.FINISHED, 5), "1 of 1 streams finished", "likely", (Doubt.NOT_REPEATED,)),
    ],
)
def test_the_clause_says_the_worst_first_and_proves_only_what_was_seen_twice(
    streams: list[KeptStream], says: str, sure: str, doubts: tuple[Doubt, ...]
) -> None:
    found = through(streams, MOVE, OPENED)
    assert (found.clause, found.says, found.sure, found.doubts) == (Clause.DEPLOY, says, sure, doubts)
    assert found.evidence[:2] == (OPENED, "The traffic began to move at 0 s, had moved at 2.0 s.")
    assert bool(found.advice) is (Fate.CUT in {one.fate for one in streams})


def test_a_path_that_cut_streams_before_anything_moved_is_not_blamed_on_the_deploy() -> None:
    found = through(of(Fate.CUT, 5, 5), MOVE, OPENED, accidents=3)
    assert (found.sure, found.doubts) == ("likely", (Doubt.STREAM_CUT,))
    assert found.evidence[-1].startswith("3 had been cut before")


def test_the_evidence_says_when_what_was_done_and_what_could_not_be_opened() -> None:
    move = Move(1_000.0, 3_000.0, 3_100.0, 24_000.0)
    found = through(
        of(Fate.CUT, 5, 5, how="its connection broke off"), move, OPENED, unopened=["status 429"] * 4
    )
    assert found.evidence[1:] == (
        "4 more could not be opened: status 429.",
        "The traffic began to move at 0 s, had moved at 2.0 s, the version before was told to stop at 2.1 s, "
        "and had been at 23 s.",
        "2 cut without a word, 4.0 s after the move began: its connection broke off.",
    )


def test_what_was_not_watched_is_unknown_with_its_reason() -> None:
    found = unwatched("its proof is not open")
    assert (found.clause, found.says, found.sure) == (Clause.DEPLOY, "its proof is not open", "unknown")
