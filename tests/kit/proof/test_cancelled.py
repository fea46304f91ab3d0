"""Whether the origin knows that its client left, on made-up clocks: never falsely certain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle, pairwise, repeat
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.actions import (
    Action,
    Await,
    By,
    End,
    Feed,
    Gone,
    Leave,
    Observed,
    Open,
    Ping,
    Progress,
    Reply,
    Wait,
)
from kit.proof.cancelled import (
    WATCH_MS,
    Departure,
    Outcome,
    answer_departs,
    departs,
    judge,
    judge_named,
    named_departs,
)
from kit.proof.contract import ClauseFinding, Term
from kit.proof.doubts import Doubt
from kit.proof.received import Received
from kit.proof.sse import SSEDecoder
from tests.kit.proof.conftest import Stall, event, played

OFFSET_MS = 1_700_000_000_000.0  # the origin's clock


@dataclass(frozen=True)
class Hop:
    """What a hop does when its client leaves.

    Attributes:
        after_ms: it tells the origin so much later; infinite for never.
        events: it tells the origin once so many events have come that it cannot pass on.
        idle_ms: it ends what is silent for so long, whatever its client does.
        holds: whether no event comes through before the end.
    """

    after_ms: float = 0.0
    events: float = inf
    idle_ms: float = inf
    holds: bool = False


PASSES = Hop()
AT_EVENT, AT_SECOND = Hop(inf, 1), Hop(inf, 2)
IGNORES = Hop(inf)


class Path:
    """One stream from its opening on.

    Attributes:
        stalls: what does not run for a while: client, origin, hop, or the hop's part of the stream.
        older: whether the origin's copy is one that does not say why, and knows no stream without an event.
        instances: who answers side requests; the stream is at "a".
        left_ms: when it was left, on the client's clock.
    """

    def __init__(self, hop: Hop, *, rtt_ms: float = 1.0, begins_ms: float = 0.0) -> None:
        self.hop, self.rtt_ms, self.now_ms = hop, rtt_ms, begins_ms
        self.stalls: list[Stall] = []
        self.older = self.hung = False
        self.status = 200
        self.why: Any = "left"
        self.instances: Iterator[str] = repeat("a")
        self.left_ms = inf
        self._late_ms = 0.0
        self._stream = Received(SSEDecoder())
        self._opened_ms = inf  # at the origin
        self._heard_ms = inf  # when the leaving is at the hop
        self._writes: list[float] = []
        self._ended_ms = inf

    def act(self, action: Action) -> Observed:
        self._late_ms = 0.0
        self._until(self.now_ms)
        match action:
            case Open():
                if self.status != 200:
                    self._stream.head(self.now_ms, self.status, {})
                    self._stream.end(self.now_ms, clean=True)
                else:
                    self._opened_ms = self._at_origin(self.now_ms)
                    if action.first or self.older:
                        self._writes.append(self._opened_ms)
                return self._observed()
            case Leave():
                self._until(self.now_ms + 0.1)
                self.left_ms = self.now_ms
                self._stream.end(self.now_ms, clean=False)
                self._heard_ms = self._at_origin(self.now_ms, stream=True)
                return self._observed()
            case Await():
                until = self.now_ms + action.within_ms
                comes = self._comes_ms()
                self._until(comes if self.now_ms < comes <= until else until)
                return self._observed()
            case Wait():
                self._until(self.now_ms + action.ms)
                return self._observed()
            case Ping() | Feed() | End():
                return self._asked(action)
            case _:
                raise NotImplementedError

    def gone_ms(self, until_ms: float = inf) -> float:
        """When the origin has noticed that the stream is over, by its events until then."""
        over = self._heard_ms + self.hop.after_ms
        writes = [at for at in self._writes if at <= until_ms]
        after = [at for at in writes if at > self._heard_ms]
        if len(after) >= self.hop.events:
            over = min(over, after[int(self.hop.events) - 1])
        spans = pairwise([*writes, inf])
        silent = next((at for at, later in spans if later - at > self.hop.idle_ms), inf)
        return self._running("origin", min(over, silent + self.hop.idle_ms, self._ended_ms))

    def _asked(self, action: Ping | Feed | End) -> Observed:
        sent = self.now_ms
        at, instance = self._at_origin(sent), next(self.instances)
        back = self._running("hop", at) + self.rtt_ms / 2
        if self.hung or back > sent + action.within_ms:
            self._until(sent + action.within_ms)
            return self._observed()
        # Of what comes at the same moment the worst comes first.
        gone_ms = self.gone_ms(at)
        known = self._opened_ms <= at <= gone_ms and instance == "a"
        if known and isinstance(action, Feed):
            self._writes.append(at)
        if known and isinstance(action, End):
            self._ended_ms = at
        self._until(back)
        gone = None
        if gone_ms < at and instance == "a" and not self.older:
            gone = Gone(self.why, OFFSET_MS + gone_ms)
        reply = Reply(sent, self.now_ms, OFFSET_MS + at, instance, known, len(self._writes), gone=gone)
        return self._observed(reply)

    def _observed(self, reply: Reply | None = None) -> Observed:
        return Observed(self.now_ms, reply, self._stream, self._late_ms)

    def _comes_ms(self) -> float:
        if not self._writes or self.hop.holds:
            return inf
        return self._running("stream", self._running("hop", self._writes[0])) + self.rtt_ms / 2

    def _at_origin(self, at_ms: float, *, stream: bool = False) -> float:
        at_ms += self.rtt_ms / 2
        if stream:
            at_ms = self._running("stream", at_ms)
        return self._running("origin", self._running("hop", at_ms))

    def _running(self, who: str, at_ms: float) -> float:
        for stall in self.stalls:
            if stall.who == who and stall.start_ms <= at_ms < stall.start_ms + stall.for_ms:
                at_ms = stall.start_ms + stall.for_ms
        return at_ms

    def _until(self, at_ms: float) -> None:
        runs_ms = self._running("client", at_ms)
        self._late_ms += runs_ms - at_ms
        self.now_ms = max(self.now_ms, runs_ms)
        if self._comes_ms() <= self.now_ms and not self._stream.events and self._stream.ended_ms is None:
            self._stream.head(self.now_ms, 200, {})
            self._stream.body(self.now_ms, event(0, 200))


def departed(path: Path, *, talks: bool, early: bool = False, watch_ms: float = WATCH_MS) -> Departure:
    return played(departs(By.FIN, early=early, watch_ms=watch_ms, talks=talks), path.act)


def found(hop: Hop, *, early: bool = False, rtt_ms: float = 1.0, **path: Any) -> ClauseFinding:
    """Of a silent and a talking stream, the second begun when the first is over or a second later."""
    both = []
    begins_ms = 0.0
    for talks in (False, True):
        one = Path(hop, rtt_ms=rtt_ms, begins_ms=begins_ms)
        for name, value in path.items():
            setattr(one, name, value)
        both.append(departed(one, talks=talks, early=early, watch_ms=WATCH_MS - begins_ms))
        begins_ms = min(one.now_ms, 1_000.0)
    return judge(both)


@pytest.mark.parametrize("rtt_ms", [0.5, 10.0, 60.0, 300.0])
@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize(
    ("hop", "says"),
    [
        (PASSES, "stops after "),
        (replace(PASSES, holds=True), "stops after "),
        (Hop(80.0), "stops after "),
        (Hop(1_500.0), "stops after "),
        (AT_EVENT, "stops only at the next event"),
        (AT_SECOND, "stops only 2 events later"),
        (IGNORES, "goes on (watched "),
        (replace(IGNORES, holds=True), "goes on (watched "),
    ],
)
def test_what_a_hop_does_is_proved(hop: Hop, says: str, early: bool, rtt_ms: float) -> None:
    judged = found(hop, early=early, rtt_ms=rtt_ms)
    assert (judged.says[: len(says)], judged.sure, judged.doubts) == (says, "proved", ()), judged.evidence
    (figure,) = judged.figures
    assert figure.term is Term.CANCEL
    assert figure.least <= hop.after_ms + rtt_ms / 2 <= figure.most
    if hop.after_ms < inf:
        assert figure.most - figure.least <= 2 * rtt_ms + 1


def test_what_goes_on_is_said_for_how_long_it_was_watched() -> None:
    judged = found(IGNORES)
    assert judged.figures[0].least > 3_500.0
    assert judged.says == f"goes on (watched {judged.figures[0].least / 1000:.1f} s)"


@pytest.mark.parametrize("after_ms", [600.0, 1_500.0, 2_500.0, 3_900.0])
def test_what_stops_after_a_time_is_told_from_what_stops_at_an_event(after_ms: float) -> None:
    judged = found(Hop(after_ms))
    assert judged.says.startswith("stops after "), judged.evidence
    assert judged.sure == "proved"
    assert judged.figures[0].least <= after_ms + 0.5 <= judged.figures[0].most


@pytest.mark.parametrize("after_ms", [2_400.0, 3_000.0, 4_000.0])
def test_what_cannot_be_told_apart_is_not_proved(after_ms: float) -> None:
    judged = found(Hop(after_ms), rtt_ms=300.0)
    assert judged.sure == "likely" or judged.says.startswith("stops after "), judged.evidence


def test_a_limit_on_silence_is_not_taken_for_an_origin_that_notices() -> None:
    judged = found(replace(IGNORES, idle_ms=2_000.0))
    assert judged.says.startswith("goes on (watched "), judged.evidence
    assert (judged.sure, judged.doubts) == ("likely", (Doubt.NOT_REPEATED,))


@pytest.mark.parametrize("early", [False, True])
def test_an_older_origin_is_recognised(early: bool) -> None:
    judged = found(PASSES, early=early, older=True)
    assert Doubt.PROOF_OLDER in judged.doubts
    assert judged.sure == ("unknown" if early else "likely")
    assert judged.says.startswith("the origin's copy" if early else "stops after ")


@pytest.mark.parametrize(
    ("obstacle", "doubt"),
    [
        ({"status": 429}, Doubt.PROOF_LIMITED),
        ({"status": 503}, Doubt.PROOF_LIMITED),
        ({"status": 404}, Doubt.NO_PROOF),
        ({"status": 501}, Doubt.NO_PROOF),
        ({"hung": True}, Doubt.SIDE_REQUEST_HUNG),
        ({"instances": repeat("b")}, Doubt.OTHER_INSTANCE),
        ({"why": "time"}, Doubt.STREAM_CUT),
        ({"why": "ended"}, Doubt.STREAM_CUT),
        ({"why": "stopped"}, Doubt.STREAM_CUT),
    ],
)
def test_what_stands_in_the_way_is_said(obstacle: dict[str, Any], doubt: Doubt) -> None:
    judged = found(PASSES, **obstacle)
    assert (judged.sure, judged.figures, judged.doubts) == ("unknown", (), (doubt,))


@pytest.mark.parametrize(("hop", "says"), [(PASSES, "stops after "), (IGNORES, "goes on (watched ")])
def test_other_instances_between_say_nothing(hop: Hop, says: str) -> None:
    judged = found(hop, instances=cycle("abb"))
    assert judged.says.startswith(says), judged.evidence
    assert judged.sure == "proved"


def test_side_requests_that_hang_after_the_leaving_say_nothing() -> None:
    class Hangs(Path):
        def act(self, action: Action) -> Observed:
            self.hung = self.left_ms < self.now_ms - 1_000.0
            return super().act(action)

    one = departed(Hangs(IGNORES), talks=False)
    assert (one.outcome, one.doubts) == (Outcome.UNDECIDED, (Doubt.SIDE_REQUEST_HUNG,))


WHO = ["client", "origin", "hop", "stream"]


# A hop's part of the stream alone stands still for less than the least time of docs/detection.md.
stalls_of = st.builds(
    Stall, st.sampled_from(WHO[:3]), st.floats(0, 10) | st.floats(0, 5_000), st.floats(1, 10_000)
) | st.builds(Stall, st.just("stream"), st.floats(0, 10) | st.floats(0, 5_000), st.floats(1, 700))


@given(
    hop=st.sampled_from([PASSES, Hop(80.0), AT_EVENT, AT_SECOND, IGNORES, replace(IGNORES, holds=True)])
    | st.builds(Hop, st.floats(0, 6_000)),
    early=st.booleans(),
    rtt_ms=st.sampled_from([0.5, 20.0, 150.0]),
    stalls=st.lists(stalls_of, max_size=3),
)
def test_no_stall_makes_it_falsely_certain(hop: Hop, early: bool, rtt_ms: float, stalls: list[Stall]) -> None:
    paths = []
    both = []
    begins_ms = 0.0
    for talks in (False, True):
        path = Path(hop, rtt_ms=rtt_ms, begins_ms=begins_ms)
        path.stalls = stalls
        one = departed(path, talks=talks, early=early, watch_ms=WATCH_MS - begins_ms)
        paths.append(path)
        both.append(one)
        begins_ms = min(path.now_ms, 1_000.0)
        after_ms = path.gone_ms() - path.left_ms
        match one.outcome:
            case Outcome.STOPS:
                assert one.least_ms - 0.2 <= after_ms <= one.most_ms + 0.2
            case Outcome.GOES_ON:
                assert after_ms >= one.watched_ms
    judged = judge(both)
    if judged.sure != "proved":
        return
    if judged.says.startswith("goes on"):
        # Whatever stands still: nothing tells the origin for as long as it was watched.
        assert all(path.gone_ms() - path.left_ms >= judged.figures[0].least for path in paths)
    if judged.says.startswith("stops only"):
        assert hop.events < inf
    if hop.after_ms < inf and judged.says.startswith("stops after"):
        least_ms, most_ms = judged.figures[0].least, judged.figures[0].most
        assert all(least_ms <= path.gone_ms() - path.left_ms <= most_ms for path in paths)
    if hop == IGNORES:
        assert judged.says.startswith("goes on")


class App(Path):
    """An app's own answer in lock-step: so many pieces, one each `pace_ms` once its client has left.

    Attributes:
        ends_ms: the app ends its answer so long after it heard of the leaving.
        hears: whether its server hears of it at all.
    """

    pieces = 40
    pace_ms = 60.0
    ends_ms = 1.0
    hears = True
    free = ""
    works_ms = 0.0  # what it began is at work for so long after its end

    def act(self, action: Action) -> Observed:
        seen = super().act(action)
        if seen.reply is None or not isinstance(action, Ping):
            return seen
        at_ms = seen.reply.now_ms - OFFSET_MS
        heard_ms = self._running("origin", self._heard_ms) if self.hears else inf
        left_ms = min(max(0.0, at_ms - heard_ms), self.ends_ms)
        sent = min(self.pieces, 2 + int(left_ms / self.pace_ms)) if at_ms > heard_ms else 2
        ended = at_ms > heard_ms and (at_ms - heard_ms > self.ends_ms or sent == self.pieces)
        free = "left" if at_ms > heard_ms else self.free
        works = ("feed (app.py:12)",) if ended and at_ms - heard_ms < self.works_ms else ()
        progress = Progress(1, 90, sent, "", free, ended, "", 0.0, 0.0, works=works)
        return replace(seen, reply=replace(seen.reply, known=True, gone=None, progress=progress))


def answers(watch_ms: float = WATCH_MS / 2, **app: Any) -> ClauseFinding:
    both = []
    for _ in range(2):
        one = App(PASSES)
        for name, value in app.items():
            setattr(one, name, value)
        both.append(played(answer_departs(pieces=40, watch_ms=watch_ms), one.act))
    return judge(both)


@pytest.mark.parametrize(
    ("app", "says", "sure"),
    [
        ({}, "stops after ", "proved"),
        ({"ends_ms": 300.0}, "stops after ", "proved"),
        ({"ends_ms": inf}, "goes on (watched ", "proved"),
        ({"ends_ms": inf, "pace_ms": 20.0}, "goes on (watched ", "proved"),  # to its end
        ({"ends_ms": inf, "pace_ms": 1e9}, "goes on (watched ", "proved"),  # in silence
        ({"ends_ms": inf, "pace_ms": 1.0}, "it was over too soon to tell", "unknown"),
        ({"ends_ms": inf, "hears": False}, "its server did not hear of it", "unknown"),
        ({"works_ms": inf}, "goes on (watched ", "likely"),
        ({"works_ms": 1_000.0}, "goes on (watched ", "likely"),  # to its end
        ({"works_ms": 100.0}, "stops after ", "likely"),
        ({"free": "one piece"}, "it was not in lock-step", "unknown"),
    ],
)
def test_an_app_that_stops_is_told_from_one_that_goes_on(app: dict[str, Any], says: str, sure: str) -> None:
    judged = answers(**app)
    assert (judged.says[: len(says)], judged.sure) == (says, sure), judged.evidence


class Named(Path):
    """An answer under a name, which its service writes by itself, for `ends_ms` from its opening on."""

    ends_ms = inf

    def act(self, action: Action) -> Observed:
        assert not isinstance(action, Feed)
        seen = super().act(action)
        if seen.reply is None or not isinstance(action, Ping):
            return seen
        ended = seen.reply.now_ms - OFFSET_MS > self._opened_ms + self.ends_ms
        gone = Gone("ended", seen.reply.now_ms) if ended else None
        return replace(seen, reply=replace(seen.reply, known=seen.reply.known and not ended, gone=gone))


def named(hop: Hop, **differences: Any) -> ClauseFinding:
    both = []
    for _ in range(2):
        one = Named(hop)
        for name, value in differences.items():
            setattr(one, name, value)
        both.append(played(named_departs(watch_ms=WATCH_MS / 2), one.act))
    return judge_named(both)


@pytest.mark.parametrize(
    ("hop", "more", "says", "sure"),
    [
        (PASSES, {}, "stops after ", "likely"),  # it says nothing of a silence
        (IGNORES, {}, "goes on (watched ", "proved"),
        (IGNORES, {"ends_ms": 1_500.0}, "goes on (watched ", "proved"),
        (IGNORES, {"ends_ms": 100.0}, "it was over too soon to tell", "unknown"),
        (Hop(inf, holds=True), {}, "goes on (watched ", "proved"),
        (PASSES, {"instances": repeat("b")}, "side requests reached another instance", "unknown"),
    ],
)
def test_without_a_proof_an_answer_under_a_name_shows_less(
    hop: Hop, more: dict[str, Any], says: str, sure: str
) -> None:
    judged = named(hop, **more)
    assert (judged.says[: len(says)], judged.sure) == (says, sure), judged.evidence
    assert judged.evidence[0].startswith("without a proof")


@given(hop=st.sampled_from([PASSES, IGNORES]), stalls=st.lists(stalls_of, max_size=3))
def test_no_stall_makes_it_falsely_certain_of_a_named_answer(hop: Hop, stalls: list[Stall]) -> None:
    judged = named(hop, stalls=stalls)
    if judged.sure == "proved":
        assert (hop, judged.says[:8]) == (IGNORES, "goes on "), judged.evidence


@given(ends_ms=st.sampled_from([1.0, inf]), stalls=st.lists(stalls_of, max_size=3))
def test_no_stall_makes_it_falsely_certain_of_an_app(ends_ms: float, stalls: list[Stall]) -> None:
    judged = answers(ends_ms=ends_ms, stalls=stalls)
    if judged.sure == "proved":
        assert judged.says.startswith("stops after " if ends_ms < inf else "goes on "), judged.evidence
