"""Does the origin know that its client left? Streams are left, and the side connection asks when it noticed.

A statement about order, as `kit.proof.steps` makes them: a stream goes on where side requests that were begun
after the leaving came back and said that the origin still has it; it stopped where one says that it is over.
What the origin's clock says of the moment only narrows that. Each way of leaving is tried twice: once the
origin then writes nothing for nearly the whole watch, once it writes on from the middle of it, so that what
stops at an event is told from what stops after a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from math import ceil, inf
from typing import Self

from kit.language import join, text
from kit.proof.actions import Await, By, End, Feed, Leave, Machine, Observed, Open, Ping, Reply, Wait
from kit.proof.causes import Cause
from kit.proof.clock import Awake
from kit.proof.contract import Clause, ClauseFinding, Figure, Sure, Term
from kit.proof.doubts import Doubt
from kit.proof.received import Received
from kit.proof.steps import BUSY_MS, LEAST_MS, OVERTAKEN, SMALL

WATCH_MS = 5_000.0  # a clause that is asked for without a length of time costs no more
TALKS_MS = 1_000.0  # before the watch ends, the origin writes on in what was silent till then
SOON_MS = 500.0  # after the leaving at the earliest, in what is not: in the middle of its watch
BEAT_MS = 250.0
# By the second event a server notices whose first write a kernel took and answered with a RST; what needs
# more, or is not over so soon after it, is over for another reason.
MOST_EVENTS = 3
PROMPT_MS = 100.0
# Of a watch that is called whole: a side request that is on its way when it ends is not waited for.
WHOLE = 0.8
_REST_MS = (5.0, 200.0)  # between two side requests, an eighth of the time since the leaving
PARTING_MS = 200.0  # what goes on is ended


class Outcome(IntEnum):
    """What became of a stream that was left, the best first."""

    STOPS = 0
    AT_EVENT = 1
    GOES_ON = 2
    UNDECIDED = 3


@dataclass(frozen=True, slots=True)
class Departure:
    """One stream that its client left. Milliseconds from the leaving on.

    Attributes:
        by: how it was left.
        early: whether before the origin had sent anything of it.
        app: whether it was the app's own answer, and it is the app that stops or goes on.
        outcome: what became of it.
        least_ms, most_ms: between which it was over.
        watched_ms: for how long it is known to have gone on.
        quiet_ms: for how long of that the origin wrote nothing.
        events: that the origin was given to write after the leaving.
        prompt: whether it was over just after the last of them.
        older: whether the origin does not say why it is over.
        held: whether nothing of it had arrived, though the origin had sent an event.
        why: it is undecided; a clause.
        doubts: that go with it.
        works: of an app that was done with its answer, what it had begun and was at work yet.
    """

    by: By
    early: bool
    outcome: Outcome
    least_ms: float = 0.0
    most_ms: float = inf
    watched_ms: float = 0.0
    quiet_ms: float = 0.0
    events: int = 0
    prompt: bool = False
    older: bool = False
    held: bool = False
    why: str = ""
    doubts: tuple[Doubt, ...] = ()
    app: bool = False
    works: tuple[str, ...] = ()


def departs(by: By, *, early: bool, watch_ms: float, talks: bool) -> Machine[Departure]:
    """Open a stream, leave it, and ask.

    Args:
        by: how to leave it.
        early: before the origin sends anything.
        watch_ms: for how long in all, from the opening on.
        talks: whether the origin writes on from the middle of it.
    """
    return (yield from _Departing(by, early=early, watch_ms=watch_ms, talks=talks).run())


def answer_departs(*, pieces: int, watch_ms: float) -> Machine[Departure]:
    """The same of the app's own answer, whose origin passes it on in lock-step: does the app end it?

    It says something where the origin hears of the leaving; what the app may then send is free to go.

    Args:
        pieces: how many the answer had when it was read to its end.
        watch_ms: for how long in all.
    """
    return (yield from _AnswerDeparting(pieces, watch_ms).run())


def named_departs(*, watch_ms: float) -> Machine[Departure]:
    """The same of an answer of the kit's own service, which says how many clients read what has a name.

    Args:
        watch_ms: for how long in all.
    """
    return (yield from _NamedDeparting(By.FIN, early=False, watch_ms=watch_ms, talks=False).run())


# As where each worker answers one request at a time: a stream has it to itself.
_ALONE = text("with one stream open, no side request was answered")


class _UndecidedError(Exception):
    def __init__(self, why: str, *doubts: Doubt) -> None:
        super().__init__(why)
        self.why, self.doubts = why, doubts


class _Departing(Awake):
    _feeds = True

    def __init__(self, by: By, *, early: bool, watch_ms: float, talks: bool) -> None:
        self._watch_ms = watch_ms
        self._talks = talks
        self._left = Departure(by, early, Outcome.UNDECIDED)
        self._instance = ""
        self._rtt_ms = 0.0
        self._others = self._answered = self._begun_alone = False
        self._fed: Reply | None = None  # the last time
        # Of each instance, between what its clock is ahead of ours.
        self._ahead_ms: dict[str, tuple[float, float]] = {}

    def run(self) -> Machine[Departure]:
        try:
            yield from self._opened()
            before_ms = self._now_ms
            yield from self._do(Leave(self._left.by))
            yield from self._watched(before_ms, self._now_ms)
        except _UndecidedError as error:
            self._left = replace(self._left, outcome=Outcome.UNDECIDED, why=error.why, doubts=error.doubts)
        if self._left.outcome in (Outcome.GOES_ON, Outcome.UNDECIDED):
            yield End(PARTING_MS)
        return self._left

    def _opened(self) -> Machine[None]:
        """Have the stream going: the origin has it, and its first event is here, or is held."""
        early = self._left.early
        observed = yield from self._do(Open(SMALL, first=not early))
        stream = observed.stream
        assert stream is not None  # noqa: S101 - it was opened just now
        self._until_ms = self._ran_ms + self._watch_ms
        known, since_ms = 0, self._ran_ms
        while True:
            reply = yield from self._ping()
            self._check(stream)
            if reply is not None and reply.known:
                if early and reply.emitted:
                    raise _UndecidedError(text("the origin's copy of the proof is older"), Doubt.PROOF_OLDER)
                self._instance, known = reply.instance, known + 1
                self._rtt_ms = reply.took_ms
                if self._begun(reply, stream):
                    return
                if known > OVERTAKEN and self._ran_ms - since_ms >= LEAST_MS:
                    self._left = replace(self._left, held=True)
                    return
            elif reply is not None:
                self._others = True
            yield from self._do(Await(20.0, events=1))
            self._check(stream)
            if self._ran_ms >= self._until_ms - self._watch_ms / 2:
                raise self._not_asked()

    def _begun(self, reply: Reply, stream: Received) -> bool:
        """Whether it can be left, once the origin has it."""
        return self._left.early or stream.events > 0

    def _watched(self, before_ms: float, after_ms: float) -> Machine[None]:
        """Ask until it is over or the watch is; `before_ms` and `after_ms` are the leaving's."""
        began_ms = self._ran_ms
        # One more side request would not be back in time.
        last_ms = self._until_ms - max(1.0, 2 * self._rtt_ms)
        talks_ms = last_ms - max(TALKS_MS, MOST_EVENTS * (BEAT_MS + self._rtt_ms))
        if self._talks:
            talks_ms = began_ms + max(SOON_MS, (last_ms - began_ms) / 2 - MOST_EVENTS * self._rtt_ms)
        talks_ms = talks_ms if self._feeds else inf
        replies = 0
        while self._ran_ms < last_ms:
            feeds = self._ran_ms >= talks_ms and replies >= OVERTAKEN
            reply = yield from (self._feed() if feeds else self._ping())
            if reply is not None and reply.instance == self._instance:
                if not reply.known:
                    self._over(reply, before_ms, after_ms)
                    return
                replies += 1
                watched_ms = max(0.0, reply.sent_ms - after_ms)
                quiet_ms = self._left.quiet_ms if self._left.events else watched_ms
                events = self._left.events + feeds
                self._left = replace(self._left, watched_ms=watched_ms, quiet_ms=quiet_ms, events=events)
                if feeds:
                    self._fed = reply
                    talks_ms = self._ran_ms + BEAT_MS
            elif reply is not None:
                self._others = True
            rest_ms = (self._ran_ms - began_ms) / 8
            rest_ms = max(_REST_MS[0], min(rest_ms, _REST_MS[1], talks_ms - self._ran_ms))
            yield from self._do(Wait(max(1.0, min(rest_ms, self._until_ms - self._ran_ms))))
        whole = self._left.watched_ms >= WHOLE * (last_ms - began_ms) - self._rtt_ms
        if replies < OVERTAKEN or not whole:
            raise self._not_asked()
        self._left = replace(self._left, outcome=Outcome.GOES_ON, least_ms=self._left.watched_ms)

    def _over(self, reply: Reply, before_ms: float, after_ms: float) -> None:
        """The origin does not have the stream any more: since when?"""
        gone = reply.gone
        if gone is not None and gone.why != "left":
            why = text("the origin ended the stream itself ({why})", why=gone.why)
            raise _UndecidedError(why, Doubt.STREAM_CUT)
        least_ms, most_ms, since_ms = self._left.watched_ms, reply.arrived_ms - before_ms, 0.0
        ahead_ms = self._ahead_ms[reply.instance]
        # Unless the origin's clock was set in between.
        if gone is not None and gone.ms <= reply.now_ms and ahead_ms[0] <= ahead_ms[1]:
            since_ms = 0.0 if self._fed is None else gone.ms - self._fed.now_ms
            soonest_ms, latest_ms = gone.ms - ahead_ms[1] - after_ms, gone.ms - ahead_ms[0] - before_ms
            if latest_ms < 0:
                raise _UndecidedError(text("the stream was over before it was left"), Doubt.STREAM_CUT)
            if max(least_ms, soonest_ms) <= min(most_ms, latest_ms):
                least_ms, most_ms = max(least_ms, soonest_ms), min(most_ms, latest_ms)
        events = self._left.events
        self._left = replace(
            self._left,
            outcome=Outcome.AT_EVENT if events else Outcome.STOPS,
            least_ms=least_ms,
            most_ms=most_ms,
            prompt=0 < events <= MOST_EVENTS and 0 <= since_ms <= max(PROMPT_MS, 2 * self._rtt_ms),
            older=gone is None,
        )

    def _ping(self) -> Machine[Reply | None]:
        return (yield from self._do(Ping(self._within_ms))).reply

    def _feed(self) -> Machine[Reply | None]:
        return (yield from self._do(Feed(SMALL, self._within_ms))).reply

    @property
    def _within_ms(self) -> float:
        return max(1.0, self._until_ms - self._ran_ms)

    def _do(self, action: Ping | Feed | Open | Leave | Wait | Await) -> Machine[Observed]:
        observed = yield action
        self._now_ms = observed.now_ms
        self._answered = self._answered or observed.reply is not None
        self._begun_alone = not self._answered and observed.stream is not None and observed.stream.events > 0
        self._late_ms += observed.late_ms
        if (reply := observed.reply) is not None:
            least, most = self._ahead_ms.get(reply.instance, (-inf, inf))
            ahead = reply.now_ms - reply.arrived_ms, reply.now_ms - reply.sent_ms
            self._ahead_ms[reply.instance] = max(least, ahead[0]), min(most, ahead[1])
        return observed

    def _check(self, stream: Received) -> None:
        if stream.status not in (None, 200):
            doubt = Doubt.PROOF_LIMITED if stream.status in (429, 503) else Doubt.NO_PROOF
            raise _UndecidedError(
                text("the proof's stream was answered with {status}", status=stream.status), doubt
            )
        if stream.ended_ms is not None:
            raise _UndecidedError(text("the stream ended before it was left"), Doubt.STREAM_CUT)

    def _not_asked(self) -> _UndecidedError:
        if self._others:
            return _UndecidedError(text("side requests reached another instance"), Doubt.OTHER_INSTANCE)
        if self._late_ms > BUSY_MS:
            return _UndecidedError(text("this process did not run for long enough"), Doubt.BUSY_MACHINE)
        if self._begun_alone:
            return _UndecidedError(_ALONE, Doubt.SIDE_REQUEST_HUNG)
        return _UndecidedError(text("side requests did not come back in time"), Doubt.SIDE_REQUEST_HUNG)


class _NamedDeparting(_Departing):
    """Of what writes by itself: nothing is fed."""

    _feeds = False

    def _over(self, reply: Reply, before_ms: float, after_ms: float) -> None:
        if reply.gone is None:
            least_ms, most_ms = self._left.watched_ms, reply.arrived_ms - before_ms
            self._left = replace(self._left, outcome=Outcome.STOPS, least_ms=least_ms, most_ms=most_ms)
        elif self._left.watched_ms >= SOON_MS:  # it was read to its end
            self._left = replace(self._left, outcome=Outcome.GOES_ON)
        else:
            raise _UndecidedError(text("it was over too soon to tell"), Doubt.TOO_SHORT)


class _AnswerDeparting(_Departing):
    """Of an app's answer: nothing is fed, and what counts is whether the app is done with it."""

    def __init__(self, pieces: int, watch_ms: float) -> None:
        super().__init__(By.FIN, early=False, watch_ms=watch_ms, talks=False)
        self._pieces = pieces
        self._left = replace(self._left, app=True)

    def _begun(self, reply: Reply, stream: Received) -> bool:
        if reply.progress is None or reply.progress.free:
            raise _UndecidedError(text("it was not in lock-step when it was to be left"))
        return stream.octets > 0

    def _watched(self, before_ms: float, after_ms: float) -> Machine[None]:
        began_ms, heard = self._ran_ms, False
        while self._ran_ms < self._until_ms:
            reply = yield from self._ping()
            progress = None if reply is None else reply.progress
            if reply is not None and progress is not None:
                heard = heard or progress.free == "left"
                if progress.ended and not (heard and progress.works):
                    self._ended(progress.sent, reply.arrived_ms - before_ms, heard=heard)
                    return
                self._left = replace(self._left, works=progress.works)
                if heard:
                    watched_ms = max(0.0, reply.sent_ms - after_ms)
                    self._left = replace(self._left, watched_ms=watched_ms, least_ms=watched_ms)
            yield from self._do(Wait(min(max((self._ran_ms - began_ms) / 8, _REST_MS[0]), _REST_MS[1])))
        if not heard:
            raise _UndecidedError(text("its server did not hear of it"))
        if self._left.watched_ms < WHOLE * (self._until_ms - began_ms):
            raise self._not_asked()
        self._left = replace(self._left, outcome=Outcome.GOES_ON)

    def _ended(self, sent: int, most_ms: float, *, heard: bool) -> None:
        """The app is done: did it stop, or was that its answer's end?"""
        if self._left.works and self._left.watched_ms >= SOON_MS:  # which came to its end
            self._left = replace(self._left, outcome=Outcome.GOES_ON)
        elif heard and sent <= self._pieces / 2:
            self._left = replace(self._left, outcome=Outcome.STOPS, most_ms=most_ms)
        elif heard and self._left.watched_ms >= SOON_MS:
            self._left = replace(self._left, outcome=Outcome.GOES_ON)
        else:
            raise _UndecidedError(text("it was over too soon to tell"), Doubt.TOO_SHORT)


@dataclass(frozen=True, slots=True)
class _Way:
    """What was found of one way of leaving, or of several: the worst of it.

    Attributes:
        name: which way.
        decided: the departures that say something.
        outcome: the worst of them.
        least_ms, most_ms: between which the origin noticed, whichever of them it was.
        sure: whether all of them say so, and how surely.
        doubts: that go with it.
    """

    name: str
    decided: tuple[Departure, ...]
    outcome: Outcome
    least_ms: float
    most_ms: float
    sure: Sure
    doubts: tuple[Doubt, ...] = ()

    @classmethod
    def of(cls, departures: Sequence[Departure]) -> Self:
        """What repetitions of one way of leaving show."""
        first = departures[0]
        name = (
            text("before the first event")
            if first.early
            else text("in the app")
            if first.app
            else text("by {by}", by=first.by)
        )
        decided = tuple(one for one in departures if one.outcome is not Outcome.UNDECIDED)
        doubts = [doubt for one in departures for doubt in one.doubts]
        if not decided:
            return cls(name, (), Outcome.UNDECIDED, 0.0, inf, "unknown", tuple(doubts))
        sure: Sure = "proved"
        outcomes = {one.outcome for one in decided}
        outcome = max(outcomes)
        alike = len(outcomes) == 1
        if outcome is Outcome.AT_EVENT:
            at_one_time = _at_one_time(decided)
            if (at_one_time and not alike) or not any(one.prompt for one in decided):
                outcome, alike = Outcome.STOPS, at_one_time and not alike
            else:
                alike = alike and not at_one_time and all(one.prompt for one in decided)
        if len(decided) < REPEATED or not alike:
            sure = "likely"
            doubts.append(Doubt.NOT_REPEATED)
        if any(one.works for one in decided):  # it may be for another end than the answer
            sure = "likely"
        if any(one.older for one in decided):
            sure = "likely"
            doubts.append(Doubt.PROOF_OLDER)
        if outcome is Outcome.AT_EVENT:  # an origin that writes nothing does not notice
            least_ms, most_ms = min(one.quiet_ms for one in decided), inf
        else:
            least_ms, most_ms = min(one.least_ms for one in decided), max(one.most_ms for one in decided)
        return cls(name, decided, outcome, least_ms, most_ms, sure, tuple(doubts))

    @property
    def watched_ms(self) -> float:
        """For how long what goes on was seen to, each time."""
        return min(one.watched_ms for one in self.decided if one.outcome is Outcome.GOES_ON)


def _at_one_time(decided: Sequence[Departure]) -> bool:
    """Whether those that an event may have ended may have ended after a time, as the others did."""
    return min(one.most_ms for one in decided) >= max(one.quiet_ms for one in decided if one.events)


REPEATED = 2  # what was seen once may have been an accident


def worst_of(departures: Iterable[Departure]) -> Outcome:
    """The worst that any way of leaving shows; UNDECIDED where none shows anything."""
    known = [way.outcome for way in _ways(departures) if way.decided]
    return max(known, default=Outcome.UNDECIDED)


def _ways(departures: Iterable[Departure]) -> list[_Way]:
    groups: dict[tuple[By, bool, bool], list[Departure]] = {}
    for one in departures:
        groups.setdefault((one.by, one.early, one.app), []).append(one)
    return [_Way.of(group) for group in groups.values()]


def judge(departures: Sequence[Departure]) -> ClauseFinding:
    """What the departures show: those of one way of leaving are repetitions, and the worst way counts."""
    ways = _ways(departures)
    doubts = tuple(dict.fromkeys(doubt for way in ways for doubt in way.doubts))
    evidence = tuple(map(_in_words, departures))
    known = [way for way in ways if way.decided]
    if not known:
        alone = any(one.why == _ALONE for one in departures)
        why, advice = (_ALONE, Cause.QUEUE.remedy) if alone else (departures[0].why, "")
        return ClauseFinding(Clause.CANCELLED, why, "unknown", (), doubts, evidence, advice)
    proved = [way for way in known if way.sure == "proved"]
    # What goes on in one way cannot be any worse in another.
    sure: Sure = "likely"
    if len(proved) == len(ways) or any(way.outcome is Outcome.GOES_ON for way in proved):
        sure, known = "proved", proved
    figure = Figure(Term.CANCEL, max(way.least_ms for way in known), max(way.most_ms for way in known))
    return ClauseFinding(Clause.CANCELLED, _says(known), sure, (figure,), doubts, evidence)


def judge_named(departures: Sequence[Departure]) -> ClauseFinding:
    """What answers show that were left while they were written: of a silence they say nothing."""
    found = judge(departures)
    said = text("without a proof: its own answers, asked for under a name, whose readers the service counts")
    if worst_of(departures) is Outcome.STOPS:
        found = replace(found, says=text("{says}, while it writes", says=found.says), sure="likely")
    return replace(found, evidence=(said, *found.evidence))


def _says(ways: Sequence[_Way]) -> str:
    """The ways by what becomes of them, the best first."""
    by: dict[Outcome, list[_Way]] = {}
    for way in sorted(ways, key=lambda way: way.outcome):
        by.setdefault(way.outcome, []).append(way)
    said = []
    for outcome, alike in by.items():
        says = _SAYS[outcome](alike)
        names = join(" or ", (way.name for way in alike))
        said.append(says if len(by) == 1 else text("{names} it {says}", names=names, says=says))
    return join("; ", said)


def _stops(ways: Sequence[_Way]) -> str:
    """Of several the slowest; the quickest too where the two have little to do with each other."""
    seen = [one for way in ways for one in way.decided]
    quickest, slowest = min(one.most_ms for one in seen), max(one.most_ms for one in seen)
    apart = any(one.least_ms > max(2 * quickest, 100.0) for one in seen)
    said = text("stops after {quickest:,} to {slowest:,} ms") if apart else text("stops after {slowest:,} ms")
    return said.format(quickest=ceil(quickest), slowest=ceil(slowest))


def _at_event(ways: Sequence[_Way]) -> str:
    events = max(one.events for way in ways for one in way.decided)
    return (
        text("stops only at the next event")
        if events < 2
        else text("stops only {events} events later", events=events)
    )


def _goes_on(ways: Sequence[_Way]) -> str:
    return text("goes on (watched {s:.1f} s)", s=max(way.watched_ms for way in ways) / 1000)


_SAYS = {Outcome.STOPS: _stops, Outcome.AT_EVENT: _at_event, Outcome.GOES_ON: _goes_on}


def _in_words(one: Departure) -> str:
    if one.app:
        return _apps_in_words(one)
    when = text("before the origin had sent anything") if one.early else text("after the first event")
    if one.held:
        when = text("while its first event was held")
    match one.outcome:
        case Outcome.STOPS:
            seen = text(
                "the origin noticed after {least_ms:.1f} to {most_ms:.1f} ms",
                least_ms=one.least_ms,
                most_ms=one.most_ms,
            )
        case Outcome.AT_EVENT:
            noticed = text("the origin had it {s:.1f} s later, and noticed once the next event was written")
            if one.events != 1:
                noticed = text(
                    "the origin had it {s:.1f} s later, and noticed once {events} more events were written"
                )
            seen = noticed.format(s=one.quiet_ms / 1000, events=one.events)
        case Outcome.GOES_ON:
            seen = text(
                "the origin had it {watched_s:.1f} s later, {events} events on",
                watched_s=one.watched_ms / 1000,
                events=one.events,
            )
        case Outcome.UNDECIDED:
            seen = text("undecided: {why}", why=one.why)
    said = text("a stream was left by {by} {when}: {seen}", by=one.by, when=when, seen=seen)
    return said + text(" (its copy of the proof is older and does not say why)") if one.older else said


def _apps_in_words(one: Departure) -> str:
    match one.outcome:
        case Outcome.GOES_ON if one.works:
            began = join(", ", one.works)
            seen = text(
                "the app was done with it, and {watched_s:.1f} s later what it had begun was still "
                "at work: {began}",
                watched_s=one.watched_ms / 1000,
                began=began,
            )
        case Outcome.GOES_ON:
            seen = text(
                "its server heard of it, and {watched_s:.1f} s later the app still worked on it",
                watched_s=one.watched_ms / 1000,
            )
        case Outcome.UNDECIDED:
            seen = text("undecided: {why}", why=one.why)
        case _:
            seen = text("the app was done with it within {most_ms:.1f} ms", most_ms=one.most_ms)
    return text("the app's own answer was left after its first piece: {seen}", seen=seen)
