"""How many streams at once, on made-up clocks: which limits are seen, and which are not made up."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit.proof.actions import Reply
from kit.proof.contract import Clause, ClauseFinding, Limit, Term
from kit.proof.doubts import Doubt
from kit.proof.many import Many
from kit.proof.received import Received
from kit.proof.sse import SSEDecoder
from kit.proof.streams import Action, Ask, Leave, Missing, Observed, Open, Refusal, Stream, Watch
from tests.kit.proof.conftest import event, played


@dataclass(eq=False)
class Request:
    """A stream or a side request on its way; `admitted` is what happens when it is let in."""

    admitted: Callable[[], None]
    refused: Callable[[str], None]
    counts: bool = True


@dataclass(eq=False)
class Fake(Stream):
    """A stream of the made-up path: its place among those that run, and whether the origin has it."""

    received: Received = field(default_factory=lambda: Received(SSEDecoder()))
    instance: str = ""
    place: int = 0
    emitted: int = 0
    running: bool = False
    request: Request | None = None


class Path:
    """An origin, and a way to it that takes so many at once.

    Args:
        limit: how many run at the same time; what it does with one more: refuse it or queue it.
        counts_side: whether a side request is one of them.
        notices: whether it passes on that its client has left.
        rate: of `(requests, ms)`: so many in a window of so long, the others are refused.
        held_from, late_from: from that place on all events but the first come never, or late.
        first_held: whether the first does not come either.
        proof_limit: the origin's own.
        instances: how many take turns.
        cuts: whether one more ends the oldest.
        breaks: what becomes of one that is one too many, beside being refused: it ends without an event, or
            after one.
        dies_ms: a stream ends by itself after so long.
        stalls: when (from, until) the whole path does nothing.
        starts_late_ms: from `late_from` on the first event comes so late.
    """

    def __init__(
        self,
        *,
        limit: float = inf,
        queues: bool = False,
        counts_side: bool = True,
        notices: bool = True,
        rate: tuple[int, float] | None = None,
        held_from: float = inf,
        first_held: bool = False,
        late_from: float = inf,
        late_ms: float = 0.0,
        starts_late_ms: float = 0.0,
        proof_limit: float = 4096,
        instances: int = 1,
        cuts: bool = False,
        stalls: tuple[tuple[float, float], ...] = (),
        rtt_ms: float = 1.0,
        alone: str = "",
        sleeps_ms: float = 0.0,
        breaks: Literal["", "empty", "after one"] = "",
        dies_ms: float = inf,
    ) -> None:
        self.limit, self.queues, self.counts_side, self.notices = limit, queues, counts_side, notices
        self.rate, self.held_from, self.first_held = rate, held_from, first_held
        self.late_from, self.late_ms, self.starts_late_ms = late_from, late_ms, starts_late_ms
        self.proof_limit, self.cuts, self.stalls, self.rtt_ms = proof_limit, cuts, stalls, rtt_ms
        self.alone, self.sleeps_ms, self.breaks, self.dies_ms = alone, sleeps_ms, breaks, dies_ms
        self.names = [f"instance-{number}" for number in range(instances)]
        self.turn = itertools.cycle(self.names)
        self.now_ms = 0.0
        self.due: list[tuple[float, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.streams: list[Fake] = []
        self.running = 0
        self.queue: list[Request] = []
        self.taken: dict[int, int] = {}
        self.most_open = 0

    def found(self, streams: int = 10, **client: Any) -> ClauseFinding:
        found = played(Many(streams, **client).run(), self.act)
        assert found.clause is Clause.MANY
        return found

    @property
    def left_running(self) -> int:
        self.advance(1_000.0, lambda: False)
        return sum(stream.running for stream in self.streams)

    def act(self, action: Action) -> Observed:
        answers: tuple[Reply | Missing, ...] = ()
        match action:
            case Open():
                for _ in range(action.count):
                    self.open()
            case Watch():
                self.advance(action.within_ms, lambda: self.enough(action))
            case Leave():
                for number in action.streams:
                    self.leave(self.streams[number])
            case Ask():
                answers = self.ask(action)
        self.now_ms += self.sleeps_ms
        self.advance(0.0, lambda: False)
        return Observed(self.now_ms, self.streams, answers, self.sleeps_ms)

    def enough(self, watch: Watch) -> bool:
        ready = sum(
            (one := self.streams[number]).over or one.received.events >= events
            for number, events in watch.wanted
        )
        return ready >= min(watch.enough, max(1, len(watch.wanted)))

    # Time.

    def at(self, in_ms: float, does: Callable[[], None]) -> None:
        """In so long, later where the path stalls then."""
        when = self.now_ms + in_ms
        for since, until in self.stalls:
            if since <= when < until:
                when = until
        heapq.heappush(self.due, (when, next(self.order), does))

    def advance(self, within_ms: float, done: Callable[[], bool]) -> None:
        until = self.now_ms + within_ms
        while not done():
            if not self.due or self.due[0][0] > until:
                self.now_ms = max(self.now_ms, until)
                return
            when, _, does = heapq.heappop(self.due)
            self.now_ms = max(self.now_ms, when)
            does()

    # The hop.

    def arrive(self, request: Request) -> None:
        if self.rate is not None:
            window = int(self.now_ms // self.rate[1])
            self.taken[window] = self.taken.get(window, 0) + 1
            if self.taken[window] > self.rate[0]:
                request.refused("429")
                return
        if not request.counts:
            request.admitted()
        elif self.running < self.limit:
            self.running += 1
            request.admitted()
        elif self.queues:
            self.queue.append(request)
        elif self.cuts:
            oldest = next(one for one in self.streams if one.running)
            self.end(oldest)
            self.running += 1
            request.admitted()
        else:
            request.refused("503")

    def release(self) -> None:
        self.running -= 1
        while self.queue and self.running < self.limit:
            self.running += 1
            self.queue.pop(0).admitted()

    # Streams.

    def open(self) -> None:
        stream = Fake()
        self.streams.append(stream)
        request = Request(lambda: self.begin(stream), lambda how: self.refuse(stream, how))
        stream.request = request

        def arrives() -> None:
            if not stream.left:
                self.arrive(request)

        self.at(self.rtt_ms / 2, arrives)

    def refuse(self, stream: Fake, how: str, by: Any = "path") -> None:
        if self.breaks and by == "path":
            if self.breaks == "after one":
                self.at(self.rtt_ms / 2, lambda: self.come(stream, event(0, 200)))
            self.at(self.rtt_ms / 2, lambda: None if stream.over else self.ended(stream))
            return
        self.at(self.rtt_ms / 2, lambda: setattr(stream, "refusal", Refusal(how, by)))

    def begin(self, stream: Fake) -> None:
        if sum(one.running for one in self.streams) >= self.proof_limit:
            self.refuse(stream, "too-many-streams", "proof")
            self.release()
            return
        stream.running, stream.instance = True, next(self.turn)
        stream.place = sum(one.running for one in self.streams)
        self.most_open = max(self.most_open, stream.place)
        self.emit(stream, first=True)
        if self.dies_ms < inf:
            self.at(self.dies_ms, lambda: self.end(stream))

    def emit(self, stream: Fake, *, first: bool = False) -> None:
        stream.emitted += 1
        data = event(stream.emitted - 1, 200)
        held = stream.place >= self.held_from and (self.first_held or not first)
        late_ms = self.late_ms if stream.place >= self.late_from and not first else 0.0
        if first and stream.place >= self.late_from:
            late_ms = self.starts_late_ms
        if self.alone == "held" and not first:
            held = True
        if not held:
            self.at(self.rtt_ms / 2 + late_ms, lambda: self.come(stream, data))

    def come(self, stream: Fake, data: bytes) -> None:
        if not stream.over:
            stream.received.status = 200
            stream.received.body(self.now_ms, data)

    def end(self, stream: Fake) -> None:
        if stream.running:
            stream.running = False
            self.at(self.rtt_ms / 2, lambda: None if stream.over else self.ended(stream))
            self.release()

    def ended(self, stream: Fake) -> None:
        stream.received.end(self.now_ms, clean=True)

    def leave(self, stream: Fake) -> None:
        stream.left = True

        def noticed() -> None:
            if stream.request in self.queue:
                self.queue.remove(stream.request)
            self.end(stream)

        if self.notices:
            self.at(self.rtt_ms / 2, noticed)

    # Side requests: so many lanes that one does not wait for another.

    def ask(self, ask: Ask) -> tuple[Reply | Missing, ...]:
        answers: list[Reply | Missing] = []
        for number in ask.streams or (-1,):
            answers.append(self.side(ask, number))
            if isinstance(answers[-1], Missing):
                break
        return (*answers, *answers[-1:] * (len(ask.streams or (-1,)) - len(answers)))

    def side(self, ask: Ask, number: int) -> Reply | Missing:
        asked_ms = self.now_ms
        got: list[Reply | Missing] = []

        def admitted() -> None:
            instance = next(self.turn)
            stream = self.streams[number] if number >= 0 else None
            known = stream is not None and stream.running and stream.instance == instance
            if known and ask.what == "feed":
                self.emit(stream)  # type: ignore[arg-type]
            emitted = stream.emitted if known and stream is not None else 0
            at_ms = self.now_ms
            self.at(
                self.rtt_ms / 2,
                lambda: got.append(Reply(asked_ms, self.now_ms, at_ms, instance, known, emitted)),
            )
            if known and ask.what == "end":
                self.end(stream)  # type: ignore[arg-type]
            if request.counts:
                self.release()

        request = Request(
            admitted,
            lambda how: self.at(self.rtt_ms / 2, lambda: got.append(Missing.REFUSED)),
            self.counts_side,
        )
        self.at(self.rtt_ms / 2, lambda: self.arrive(request))
        self.advance(ask.within_ms, lambda: bool(got))
        if not got and request in self.queue:
            self.queue.remove(request)
        return got[0] if got else Missing.HUNG


def figure(found: ClauseFinding) -> tuple[float, float]:
    (only,) = found.figures
    assert only.term is Term.MANY
    return only.least, only.most


@pytest.mark.parametrize("streams", [1, 2, 10, 100, 700])
def test_what_a_path_without_a_limit_takes_all_pass(streams: int) -> None:
    path = Path()
    found = path.found(streams)
    assert (found.sure, figure(found), path.most_open) == ("proved", (streams, inf), streams)
    assert found.says == ("one passes" if streams == 1 else f"{streams} at once pass")
    assert path.left_running == 0


@pytest.mark.parametrize("rtt_ms", [0.5, 35.0])  # its side requests all come after each other
def test_the_default_takes_less_than_a_second_on_a_good_path(rtt_ms: float) -> None:
    path = Path(rtt_ms=rtt_ms)
    assert path.found().sure == "proved"
    assert path.now_ms < 1_000


LIMITS = [1, 2, 3, 9, 10, 40, 137]


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("counts_side", [True, False])
@pytest.mark.parametrize("rtt_ms", [0.5, 60.0])
def test_from_which_one_on_they_are_refused(limit: int, counts_side: bool, rtt_ms: float) -> None:
    path = Path(limit=limit, counts_side=counts_side, rtt_ms=rtt_ms)
    found = path.found(max(10, limit + 1))
    took_ms = path.now_ms
    assert (found.sure, figure(found)) == ("proved", (limit, limit)), found
    assert found.says.startswith("refused from the ")
    assert found.says.endswith("on (503)")
    assert "limit_conn" in found.advice
    assert path.left_running == 0
    assert rtt_ms > 1 or limit > 10 or took_ms < 5_000


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("counts_side", [True, False])
@pytest.mark.parametrize("rtt_ms", [0.5, 60.0])
def test_from_which_one_on_they_are_queued(limit: int, counts_side: bool, rtt_ms: float) -> None:
    path = Path(limit=limit, queues=True, counts_side=counts_side, rtt_ms=rtt_ms)
    found = path.found(max(10, limit + 1))
    took_ms = path.now_ms
    assert (found.sure, figure(found)) == ("proved", (limit, limit)), found
    assert found.says.startswith("queued from the ")
    assert "gthread" in found.advice
    assert path.left_running == 0
    assert rtt_ms > 1 or limit > 10 or took_ms < 5_000


@pytest.mark.parametrize(
    ("limit", "says"),
    [(1, "2nd"), (2, "3rd"), (3, "4th"), (10, "11th"), (12, "13th"), (20, "21st"), (111, "112th")],
)
def test_a_limit_is_said_by_the_first_that_is_one_too_many(limit: int, says: str) -> None:
    assert Path(limit=limit, counts_side=False).found(150).says == f"refused from the {says} on (503)"


@pytest.mark.parametrize("first_held", [True, False])
@pytest.mark.parametrize("held_from", [2, 10, 40])
def test_from_which_one_on_they_are_held(held_from: int, first_held: bool) -> None:
    path = Path(held_from=held_from, first_held=first_held)
    found = path.found(50)
    assert (found.sure, figure(found)) == ("proved", (held_from - 1, held_from - 1)), found
    assert found.says.startswith("held from the ")
    assert path.left_running == 0


def test_from_which_one_on_they_are_late() -> None:
    path = Path(late_from=7, late_ms=300.0)
    found = path.found()
    assert (found.sure, figure(found)) == ("likely", (6, 6))
    assert found.says == "late from the 7th on, by 300 ms"


def test_events_that_are_late_of_one_stream_alone_say_nothing_of_many() -> None:
    found = Path(late_from=1, late_ms=300.0).found()
    assert (found.sure, found.says) == ("proved", "10 at once pass")


def test_a_stream_that_begins_late_by_itself_is_not_queued() -> None:
    for starts_late_ms in (300.0, 900.0, 1_300.0, 1_700.0):
        found = Path(late_from=5, starts_late_ms=starts_late_ms).found()
        assert figure(found)[1] == inf or found.sure != "proved", (starts_late_ms, found)


def test_a_limit_that_is_just_what_was_wanted_keeps_what_was_expected() -> None:
    found = Path(limit=10).found(10)
    assert (found.sure, figure(found)) == ("proved", (10, 10))
    assert Limit.parse("many>=10").met([found]) is True  # type: ignore[union-attr]
    assert Limit.parse("many>=11").met([found]) is False  # type: ignore[union-attr]


@pytest.mark.parametrize("window_ms", [200.0, 1_000.0, 10_000.0, 60_000.0])
@pytest.mark.parametrize("requests", [8, 12, 20])
def test_a_limit_on_a_rate_is_no_limit_on_a_number(requests: int, window_ms: float) -> None:
    found = Path(rate=(requests, window_ms)).found()
    assert found.sure != "proved" or (figure(found)[0] >= 10 and figure(found)[1] == inf), found


def test_the_proofs_own_limit_is_told_apart() -> None:
    path = Path(proof_limit=16)
    found = path.found(100)
    assert (found.sure, figure(found)) == ("proved", (16, inf))
    assert found.says == "16 at once pass; the origin's copy of the proof allows no more"


def test_this_clients_own_limit_is_told_apart() -> None:
    found = Path().found(100, client_limit=40, why="this process may open no more files")
    assert (found.sure, figure(found)) == ("proved", (40, inf))
    assert found.says == "40 at once pass; this process may open no more files"


@pytest.mark.parametrize("instances", [2, 3])
def test_streams_on_several_instances_are_not_called_proved(instances: int) -> None:
    path = Path(instances=instances)
    found = path.found()
    assert (found.sure, figure(found)) == ("likely", (10, inf))
    assert Doubt.OTHER_INSTANCE in found.doubts


def test_a_path_that_does_not_pass_on_that_its_client_left_proves_nothing() -> None:
    found = Path(limit=4, queues=True, notices=False).found()
    assert (found.sure, figure(found)) == ("likely", (1, 4)), found
    found = Path(limit=4, notices=False).found()
    assert (found.sure, figure(found)) == ("unknown", (4, inf)), found
    assert found.says == "refused from the 5th on (503), for their number or for coming so fast"


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        ("empty", "refused from the 7th on (ended before its first event)"),
        ("after one", "cut from the 7th on"),
    ],
)
def test_one_too_many_that_ends_at_once_is_seen(breaks: Any, says: str) -> None:
    found = Path(limit=6, breaks=breaks).found()
    assert (found.says, found.sure) == (says, "proved" if breaks == "empty" else "likely"), found


@pytest.mark.parametrize("dies_ms", [1.0, 5.0, 30.0, 300.0, 1_100.0])
def test_streams_that_end_by_themselves_show_no_limit(dies_ms: float) -> None:
    for path in (Path(dies_ms=dies_ms), Path(dies_ms=dies_ms, limit=6), Path(dies_ms=dies_ms, held_from=6)):
        found = path.found()
        assert found.sure != "proved" or figure(found) in ((10, inf), (6, 6), (5, 5)), found


def test_a_path_that_cuts_an_old_one_for_a_new_one() -> None:
    found = Path(limit=6, cuts=True).found()
    assert found.sure == "likely"
    assert found.says.startswith("cut from")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (Path(limit=0), "no stream of the proof's could be opened"),
        (Path(proof_limit=0), "no stream of the proof's could be opened (too-many-streams)"),
        (Path(held_from=1, first_held=True), "one stream by itself does not begin"),
        (Path(alone="held"), "one stream by itself is held already"),
        (Path(limit=0, queues=True), "the origin's proof does not answer"),
    ],
)
def test_why_nothing_is_known(path: Path, why: str) -> None:
    if path.limit == 0 and not path.queues:
        path.counts_side = False
    found = path.found()
    assert (found.sure, found.figures) == ("unknown", ()), found
    assert why in found.says


def test_a_process_that_sleeps_makes_a_limit_doubtful_and_not_wrong() -> None:
    found = Path(limit=4, sleeps_ms=80.0).found()
    assert found.sure != "proved" or figure(found) == (4, 4)
    assert Doubt.BUSY_MACHINE in found.doubts


STALLS = st.lists(
    st.tuples(st.floats(0, 6_000), st.floats(1, 10_000)).map(lambda one: (one[0], one[0] + one[1])),
    max_size=3,
).map(tuple)


@given(
    kind=st.sampled_from(["none", "refuses", "queues", "held", "first-held", "late", "rate"]),
    limit=st.integers(2, 14),
    counts_side=st.booleans(),
    rtt_ms=st.floats(0.2, 80),
    stalls=STALLS,
    instances=st.sampled_from([1, 1, 2]),
    notices=st.booleans(),
    dies_ms=st.one_of(st.just(inf), st.floats(1, 5_000)),
)
@example("none", 2, True, 1.0, ((3.0, 1_500.0),), 1, True, inf)
@example("none", 2, True, 1.0, ((3.0, 900.0), (903.0, 2_000.0)), 1, True, inf)
@example("rate", 7, False, 10.0, ((0.0, 2_790.0),), 1, False, inf)
def test_a_path_that_stalls_at_any_moment_is_never_said_to_have_another_limit(
    kind: str,
    limit: int,
    counts_side: bool,
    rtt_ms: float,
    stalls: tuple[tuple[float, float], ...],
    instances: int,
    notices: bool,
    dies_ms: float,
) -> None:
    path = Path(
        stalls=stalls,
        rtt_ms=rtt_ms,
        counts_side=counts_side,
        instances=instances,
        notices=notices,
        dies_ms=dies_ms,
    )
    truth = inf
    match kind:
        case "refuses" | "queues":
            path.limit, path.queues, truth = limit, kind == "queues", limit
        case "held" | "first-held":
            path.held_from, path.first_held, truth = limit + 1, kind == "first-held", limit
        case "late":  # which may not show, and is never proved
            path.late_from, path.late_ms = limit + 1, 400.0
        case "rate":
            path.rate = limit + 4, 40 * rtt_ms * limit
    found = path.found()
    if found.sure == "proved":
        least, most = figure(found)
        assert least <= truth <= most, found
        assert most in (inf, truth)
