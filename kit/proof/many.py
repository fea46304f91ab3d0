"""How many streams at once a path delivers: one beside the other until some are refused, wait or are held.

**Refused** is said by the answer. It is for their number where further ones are refused for a second while
the others stay open, and one passes, and no more, as soon as one has left; a limit on requests in a time lets
one in though none has left. **Queued** and **held** are statements about order, as in `kit.proof.steps`: side
requests that were begun later came back, and it has not come. Queued is what comes once another one has
ended. What was seen is seen again with fresh streams before it is called proved (docs/detection.md).

This is a generator that yields what to do and is sent what was seen. `kit.probe.many` runs it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from statistics import median
from typing import Literal

from kit.language import text
from kit.proof.actions import Reply
from kit.proof.causes import Cause
from kit.proof.clock import Awake
from kit.proof.contract import Clause, ClauseFinding, Figure, Sure, Term
from kit.proof.doubts import Doubt
from kit.proof.steps import BUSY_MS, LEAST_MS, LEAST_TRIPS, OVERTAKEN, QUIET_MS, UNCLEAR_MS
from kit.proof.streams import (
    Action,
    Answer,
    Ask,
    Leave,
    Machine,
    Missing,
    Observed,
    Open,
    Refusal,
    Stream,
    Watch,
)

STREAMS = 10
MOST_STREAMS = 10_000
PINGS = 3
COLD_TIMEOUT_MS = 60_000.0  # the first ping may meet a cold start
SIDE_TIMEOUT_MS = 1_000.0  # what takes longer waits; it must do so twice
AT_ONCE = range(10, 129)  # so many are opened at the same time: a listen queue takes no more for sure
STEADY_MS = 1_000.0  # for so long further ones must be refused: a limit on a rate lets one in
TRY_MS = 150.0
RELEASE_MS = 1_000.0  # from the end of one until another may come in its place
SLOW_MS = 4_000.0  # for streams that go on beginning, and for a path that lets one in now and then
ROUNDS = 3
_FULL = ("too-many-streams", "too-many-octets")  # what an origin calls its own limits
PER_SIDE = 8  # streams a side connection
MOST_SIDES = 16


class Kind(StrEnum):
    """What becomes of a stream that is one too many."""

    REFUSED = "refused"
    QUEUED = "queued"
    SILENT = "silent"  # it does not begin, and why is not known
    HELD = "held"
    LATE = "late"
    CUT = "cut"


class _UnknownError(Exception):
    """Nothing can be said of this path; the message is why."""

    def __init__(self, why: str, doubt: Doubt | None = None) -> None:
        super().__init__(why)
        self.doubts = () if doubt is None else (doubt,)


@dataclass(frozen=True, slots=True)
class _Round:
    """What was seen once.

    Attributes:
        passed: streams that were delivered at the same time.
        kind: what became of one more; None where there was none.
        how: how it was refused, or by how much it was late.
        shown: whether it was seen that their number is the reason.
        by: who refused.
        stepped: whether those that passed were seen to do so in lock-step too.
        rated: whether it is a limit on requests in a time.
    """

    passed: int
    kind: Kind | None = None
    how: str = ""
    shown: bool = False
    by: Literal["path", "proof", "client"] = "path"
    stepped: bool = True
    rated: bool = False


@dataclass(frozen=True, slots=True)
class _Wait:
    """What has not come, how many side requests overtook it, and the last of them."""

    missing: tuple[int, ...]
    trips: int = 0
    last: Answer | None = None


class Many(Awake):
    """One measurement: `run()` is the machine.

    Args:
        streams: how many at once.
        client_limit: how many this client can open; `why` says it.
        why: "this process may open 1,000 files".
    """

    def __init__(self, streams: int = STREAMS, client_limit: float = inf, why: str = "") -> None:
        self._wanted = max(1, int(min(streams, client_limit)))
        self._why = why if client_limit < streams else ""
        self._streams: Sequence[Stream] = ()
        self._begun = 0  # where the round's streams begin
        self._events: dict[int, int] = {}  # that each must have
        self._evidence: list[str] = []
        self._doubts: list[Doubt] = []
        self._rtt_ms = 0.0
        self._late_alone = False
        self._several = False  # instances: a side request may not reach a stream's
        self._stuck = False  # what the origin may have cannot be ended
        self._ended: set[int] = set()  # by the origin, as it said
        self._hung = False  # a side request had no answer
        self._asked: list[Reply] = []

    def run(self) -> Machine[ClauseFinding]:
        """The whole of it. All streams are ended."""
        try:
            yield from self._measure_round_trip()
            finding = yield from self._find()
        except _UnknownError as why:
            self._doubts += why.doubts
            finding = self._found(str(why), "unknown")
        if not self._stuck:
            yield from self._clear()
        return finding

    def _find(self) -> Machine[ClauseFinding]:
        rounds = [(yield from self._round(self._wanted, alone=True))]
        if rounds[0].kind is None or rounds[0].by != "path":
            return self._passes(rounds[0])
        while len(rounds) < ROUNDS and (yield from self._clear()):
            self._say(text("once more, with fresh streams"))
            expected = rounds[0].passed
            rounds.append((yield from self._round(expected + 1, expected=expected)))
            before, last = rounds[-2:]
            if before.shown and last.shown and (before.kind, before.passed) == (last.kind, last.passed):
                return self._limited(last, stepped=before.stepped or last.stepped)
        return self._unsteady(rounds)

    def _passes(self, seen: _Round) -> ClauseFinding:
        """As many as were wanted, or as the proof or this client allows."""
        says = text("{passed:,} at once pass", passed=seen.passed) if seen.passed > 1 else text("one passes")
        sure: Sure = "proved" if seen.stepped else "likely"
        if seen.rated:
            says += text("; more were refused for a while ({how})", how=seen.how)
            sure = "likely"
        elif seen.by == "proof":
            says += text("; the origin's copy of the proof allows no more")
        elif seen.by == "client":
            says += text("; {how}", how=seen.how)
        elif self._why:
            says += text("; {why}", why=self._why)
        return self._found(says, sure, Figure(Term.MANY, seen.passed))

    def _limited(self, seen: _Round, *, stepped: bool) -> ClauseFinding:
        """The same limit, twice."""
        # The first event of each says that it began, and the next ones whether it goes on.
        figure = Figure(Term.MANY, seen.passed if stepped else 1, seen.passed)
        return self._found(_says(seen), "proved" if stepped else "likely", figure, advice=_advice(seen.kind))

    def _unsteady(self, rounds: Sequence[_Round]) -> ClauseFinding:
        """Not the same limit twice, or not for their number."""
        stopped = [each for each in rounds if each.kind is not None]
        least = min(each.passed for each in rounds)
        seen = min(stopped, key=lambda each: each.passed)
        advice = _advice(seen.kind)
        if len(rounds) > len(stopped):
            self._doubts.append(Doubt.NOT_REPEATED)
            says = text("{says} once, and not again", says=_says(seen))
            return self._found(says, "unknown", Figure(Term.MANY, least), advice=advice)
        most = max(each.passed for each in rounds)
        if seen.kind is Kind.REFUSED and not any(each.shown for each in rounds):
            says = text("{says}, for their number or for coming so fast", says=_says(seen))
            return self._found(says, "unknown", Figure(Term.MANY, least), advice=advice)
        if most > least:
            self._doubts.append(Doubt.NOT_REPEATED)
            says = text(
                "{kind} from {first} to {last} on, not always the same",
                kind=seen.kind,
                first=_ordinal(least + 1),
                last=_ordinal(most + 1),
            )
            return self._found(says, "likely", Figure(Term.MANY, least, most), advice=advice)
        least = least if any(each.stepped for each in rounds) else min(1, least)
        return self._found(_says(seen), "likely", Figure(Term.MANY, least, most), advice=advice)

    # One round.

    def _round(self, count: int, *, expected: int = 0, alone: bool = False) -> Machine[_Round]:
        """Open fresh streams until there are so many, or one too many; then let one in, and step the rest.

        Args:
            count: how many.
            expected: so many passed before; what is refused below that may still be on its way out.
            alone: whether the first is to be looked at by itself.
        """
        self._begun = len(self._streams)
        if alone:
            stop = yield from self._alone()
            if stop is not None:
                return (yield from self._fill(2, expected)) or stop
        stop = yield from self._fill(count, expected)
        if stop is not None:
            return stop
        stop = (yield from self._lock_step()) or _Round(len(self._passing))
        if stop.kind in (Kind.REFUSED, Kind.QUEUED):  # a side request was the one too many
            return (yield from self._fill(stop.passed + 1, expected)) or stop
        return stop

    def _alone(self) -> Machine[_Round | None]:
        """One stream by itself; a round only where its side requests wait for it."""
        stop = yield from self._fill(1, 0)
        stream = self._streams[self._begun]
        if stop is not None:
            if stop.kind is Kind.CUT:
                raise _UnknownError(text("one stream by itself is cut already"), Doubt.STREAM_CUT)
            if stream.over:
                how = self._refusal(self._begun).how
                raise _UnknownError(text("no stream of the proof's could be opened ({how})", how=how))
            raise _UnknownError(text("one stream by itself does not begin"))
        stop = yield from self._lock_step()
        if stop is None or stop.kind is None:
            return None
        if stop.kind is Kind.LATE:
            self._say(text("single events of one stream by itself come late, too"))
            self._late_alone = True
            return None
        if stop.kind is Kind.HELD:
            raise _UnknownError(text("one stream by itself is held already"))
        if stop.kind is Kind.CUT:
            raise _UnknownError(text("one stream by itself is cut already"), Doubt.STREAM_CUT)
        return stop

    def _fill(self, count: int, expected: int) -> Machine[_Round | None]:
        """Open until so many are open; None where all of them pass."""
        yield from self._leave(())
        patient_ms = self._ran_ms + RELEASE_MS
        step = AT_ONCE[0]
        while len(before := self._passing) < count:
            new = yield from self._open(min(step, count - len(before)))
            step = min(2 * step, AT_ONCE[-1])
            wait = yield from self._wait([(number, 1) for number in new], slow=True, longer=expected > 0)
            if cut := self._cut((*before, *new)):
                self._say(
                    text(
                        "with {before} open and {new} more, {cut} of them ended by themselves",
                        before=len(before),
                        new=len(new),
                        cut=cut,
                    )
                )
                return _Round(len(self._passing), Kind.CUT)
            refusal = next((self._refusal(number) for number in new if self._streams[number].over), None)
            if wait.missing:
                return (yield from self._waits(wait, longer=expected > 0))
            if refusal is not None:
                passed = len(self._passing)
                if len(new) > 1:  # where connections are counted, those that are refused count for a moment
                    step = max(1, len(new) // 4)
                    continue
                if refusal.by == "path" and passed < expected and self._ran_ms < patient_ms:
                    yield from self._pause(TRY_MS / 2)
                    step = 1
                    continue
                self._say(
                    text("with {passed} open, one more was refused ({how})", passed=passed, how=refusal.how)
                    + (
                        text(" by what calls itself {server}", server=refusal.server)
                        if refusal.server
                        else ""
                    )
                )
                if refusal.by == "path":
                    return (yield from self._refused(refusal, count))
                return (yield from self._allowed(refusal))
        return None

    def _allowed(self, refusal: Refusal) -> Machine[_Round]:
        """The proof allows no more, or this client does not: what of those that it does?"""
        if refusal.by == "proof" and refusal.how not in _FULL:
            raise _UnknownError(text("the origin's proof refused a stream ({how})", how=refusal.how))
        passed = len(self._passing)
        stop = yield from self._lock_step()
        if stop is None or stop.kind in (None, Kind.REFUSED, Kind.QUEUED):
            return _Round(passed, how=refusal.how, by=refusal.by, stepped=stop is None or stop.stepped)
        return stop

    def _refused(self, refusal: Refusal, count: int) -> Machine[_Round]:
        """Refused for their number, or for coming so fast?"""
        passed, began_ms = len(self._passing), self._ran_ms
        if not passed:
            return _Round(0, Kind.REFUSED, refusal.how)
        while self._ran_ms - began_ms < STEADY_MS:
            yield from self._pause(TRY_MS)
            if (yield from self._one_more()):
                self._say(
                    text(
                        "{later_ms:.0f} ms later one more passed, though none had left",
                        later_ms=self._ran_ms - began_ms,
                    )
                )
                return (yield from self._slowly(refusal, count))
        self._say(text("for {s:g} s all further ones were refused", s=STEADY_MS / 1000))
        if len(self._passing) < passed:
            return _Round(len(self._passing), Kind.CUT)
        leaver, left_ms, released = self._passing[-1], self._ran_ms, False
        yield from self._leave((leaver,))
        while not (released := (yield from self._one_more())) and self._ran_ms - left_ms < RELEASE_MS:
            yield from self._pause(TRY_MS / 3)
        if released:
            self._say(
                text(
                    "one left, and one more passed, {later_ms:.0f} ms later", later_ms=self._ran_ms - left_ms
                )
            )
            if (yield from self._one_more()):  # as where a new second begins in which so many are let in
                self._say(text("and a further one, though none had left"))
                return (yield from self._slowly(refusal, count))
            stop = yield from self._step_rest(self._passing[-1])
        else:
            self._say(text("one left, and further ones were refused all the same"))
            stop = yield from self._lock_step()
        if stop is not None and stop.kind in (Kind.HELD, Kind.LATE):
            return stop
        return _Round(passed, Kind.REFUSED, refusal.how, released, stepped=stop is None and released)

    def _slowly(self, refusal: Refusal, count: int) -> Machine[_Round]:
        """What is refused for coming too fast is asked for again."""
        began_ms = self._ran_ms
        while len(self._passing) < count and self._ran_ms - began_ms < SLOW_MS:
            yield from self._one_more()
            yield from self._pause(TRY_MS)
        passed = len(self._passing)
        rated = passed < count
        self._say(text("opened slowly, {passed} were open at once", passed=passed))
        stop = yield from self._lock_step()
        if stop is not None and stop.kind is not None:
            return stop
        return _Round(passed, how=refusal.how, rated=rated, stepped=stop is None)

    def _one_more(self) -> Machine[bool]:
        new = yield from self._open(1)
        yield from self._do(Watch(((new[0], 1),), self._least_ms))
        return self._streams[new[0]].passes

    def _waits(self, wait: _Wait, *, longer: bool) -> Machine[_Round]:
        """Some have not begun: are they held, or is there a queue?"""
        passing, waiting = self._passing, wait.missing
        open_ = text("with {count} open", count=len(passing))
        if not passing:
            return _Round(0, Kind.SILENT)
        if isinstance(wait.last, Reply):
            if wait.last.known and wait.last.emitted:
                self._say(
                    text(
                        "{open}, the first event of one more did not come: the origin had sent it, and "
                        "{trips} side requests overtook it",
                        open=open_,
                        trips=wait.trips,
                    )
                )
                return _Round(len(passing), Kind.HELD, shown=True)
            self._say(
                text(
                    "{open}, one more did not begin, and {trips} side requests overtook it",
                    open=open_,
                    trips=wait.trips,
                )
            )
        else:
            self._say(text("{open}, one more did not begin, and a side request neither", open=open_))
        yield from self._leave(waiting[1:])
        leaver, left_ms = passing[0], self._ran_ms
        ended = text("ended")
        if not isinstance(wait.last, Reply) or not (yield from self._end(leaver)):
            yield from self._leave((leaver,))
            ended = text("left")
        yield from self._do(Watch(((waiting[0], 1),), RELEASE_MS))
        released = self._streams[waiting[0]].received.events > 0
        took_ms = self._ran_ms - left_ms
        self._say(
            (
                text("one of the others {ended}, and it came {took_ms:.0f} ms later")
                if released
                else text("one of the others {ended}, and it did not come either")
            ).format(ended=ended, took_ms=took_ms)
        )
        if not released and not isinstance(wait.last, Reply):
            return _Round(len(passing), Kind.QUEUED, stepped=False)
        stop = yield from self._step_rest(waiting[0])
        if stop is not None and stop.kind in (Kind.HELD, Kind.LATE):
            return stop
        told_apart = released or not isinstance(wait.last, Reply)
        kind = Kind.QUEUED if told_apart else Kind.SILENT
        return _Round(len(passing), kind, shown=released, stepped=stop is None)

    def _step_rest(self, leaver: int) -> Machine[_Round | None]:
        """`_lock_step` with one less, so that there is room for a side request."""
        yield from self._leave((leaver,))
        began_ms = self._ran_ms
        while self._ran_ms - began_ms < RELEASE_MS:
            if (yield from self._ask("ping", ()))[0] is not Missing.REFUSED:
                break
            yield from self._pause(TRY_MS / 3)
        return (yield from self._lock_step())

    def _lock_step(self) -> Machine[_Round | None]:
        """One more event on each that passes. None where they all come; a round for what happens else."""
        passing = self._passing
        if not passing:
            return None
        fed, missing = yield from self._feed(passing)
        wait = _Wait(())
        if missing is None:
            wait = yield from self._wait([(number, self._events[number]) for number in fed])
        if cut := self._cut(passing):
            self._say(text("of {count} open ones {cut} ended by themselves", count=len(passing), cut=cut))
            return _Round(len(passing) - cut, Kind.CUT)
        if missing is not None:
            self._say(text("with {count} open, side requests {came}", count=len(passing), came=missing.value))
            kind = Kind.REFUSED if missing is Missing.REFUSED else Kind.QUEUED
            return _Round(len(passing), kind, stepped=False)
        if len(fed) < len(passing):
            self._several = True
            self._doubts.append(Doubt.OTHER_INSTANCE)
        if wait.missing and wait.trips < OVERTAKEN:
            return _Round(len(passing), Kind.QUEUED, stepped=False)
        if wait.missing:
            self._say(
                text(
                    "with {count} open, an event on each: {missing} did not come, and {trips} side "
                    "requests overtook them",
                    count=len(passing),
                    missing=len(wait.missing),
                    trips=wait.trips,
                )
            )
            return _Round(len(passing) - len(wait.missing), Kind.HELD, shown=not self._several)
        late = [number for number, each in fed.items() if self._hold_ms(number, each)]
        if late and not self._late_alone:
            stop = yield from self._late(late, passing)
            if stop is not None:
                return stop
        if len(fed) < len(passing):
            self._say(
                text("{count} open, an event on {fed} of them: all came", count=len(passing), fed=len(fed))
            )
            return _Round(len(passing), stepped=False)
        self._say(
            text("{count} open, an event on each: all came", count=len(passing))
            if len(passing) > 1
            else text("one stream by itself, one event more: it came")
        )
        return None

    def _feed(self, numbers: Sequence[int]) -> Machine[tuple[dict[int, Reply], Missing | None]]:
        """Feed each; the answers of those whose instance was reached, and what became of one that was not."""
        fed: dict[int, Reply] = {}
        asked: list[Reply] = []
        for sides in dict.fromkeys((min(MOST_SIDES, 1 + len(numbers) // PER_SIDE), 1)):
            left = tuple(number for number in numbers if number not in fed)
            if not left:
                break
            answers = yield from self._ask("feed", left, sides)
            replies = {
                number: one for number, one in zip(left, answers, strict=True) if isinstance(one, Reply)
            }
            asked += replies.values()
            fed |= {number: one for number, one in replies.items() if one.known}
            for number in fed.keys() & replies.keys():
                self._events[number] += 1
            missing = next((one for one in answers if isinstance(one, Missing)), None)
            if missing is not Missing.REFUSED:
                break
            yield from self._leave(())  # several side connections may be some too many
        self._asked = sorted(asked, key=lambda each: each.sent_ms)
        return fed, missing

    def _late(self, late: Sequence[int], passing: Sequence[int]) -> Machine[_Round | None]:
        """Some came late: again, twice?"""
        holds: list[float] = []
        for _ in range(2):
            fed, missing = yield from self._feed(late)
            wait = yield from self._wait([(number, self._events[number]) for number in fed])
            if missing is not None or wait.missing:
                return None
            holds = [self._hold_ms(number, each) for number, each in fed.items()]
            late = [number for number, hold_ms in zip(fed, holds, strict=True) if hold_ms]
            if not late:
                return None
        how = text("by {median:.0f} ms", median=median(filter(None, holds)))
        self._say(
            text(
                "with {count} open, {late} of them had three events late, {how}",
                count=len(passing),
                late=len(late),
                how=how,
            )
        )
        # By how few side requests an event is overtaken hangs on the way: which is the first is not certain.
        return _Round(passing.index(late[0]), Kind.LATE, how)

    def _hold_ms(self, number: int, fed: Reply) -> float:
        """By how much the last event of it was late; 0 below `UNCLEAR_MS`, and where nothing overtook it."""
        arrivals = self._streams[number].received.arrivals
        if len(arrivals) < self._events[number]:
            return 0.0
        came_ms = arrivals[self._events[number] - 1][0]
        hold_ms, back_ms, trips = came_ms - fed.arrived_ms, fed.arrived_ms, 0
        for each in self._asked if hold_ms > UNCLEAR_MS else ():
            if each.sent_ms >= back_ms and each.arrived_ms <= came_ms:
                back_ms, trips = each.arrived_ms, trips + 1
        return hold_ms if trips >= OVERTAKEN else 0.0

    # Between two rounds.

    def _clear(self) -> Machine[bool]:
        """End all that the origin may have; whether the path is as it was."""
        open_ = tuple(number for number, one in enumerate(self._streams) if not one.over)
        began_ms, quiet = self._ran_ms, Counter[int]()
        if self._hung:
            yield from self._leave(open_)
        while mine := self._unended:
            answers = yield from self._ask("end", mine, min(MOST_SIDES, 1 + len(mine) // PER_SIDE))
            yield from self._leave(open_)
            open_ = ()
            # One that never began may be in a queue yet, and of another instance's nothing is known.
            quiet.update(n for n, one in zip(mine, answers, strict=True) if isinstance(one, Reply))
            if not self._several:
                self._ended |= {n for n in mine if quiet[n] > (not self._streams[n].received.events)}
            over = self._ran_ms - began_ms >= RELEASE_MS
            if self._unended and (over or self._several or Missing.HUNG in answers):
                break
            yield from self._pause(TRY_MS / 3 if self._unended else 0.0)
        self._hung = False
        yield from self._leave(open_)
        self._stuck = bool(self._unended)
        return not self._stuck

    @property
    def _unended(self) -> tuple[int, ...]:
        """Streams that the origin may have."""
        return tuple(
            number
            for number, one in enumerate(self._streams)
            if one.refusal is None
            and number not in self._ended
            and (one.left or one.received.ended_ms is None)
        )

    def _end(self, number: int) -> Machine[bool]:
        """Whether the origin ended it."""
        yield from self._ask("end", (number,))
        return number in self._ended

    # Steps.

    def _measure_round_trip(self) -> Machine[None]:
        took: list[float] = []
        within_ms = COLD_TIMEOUT_MS
        for _ in range(PINGS):
            answer = (yield from self._ask("ping", (), within_ms=within_ms))[0]
            if not isinstance(answer, Reply):
                raise _UnknownError(text("the origin's proof does not answer"), Doubt.SIDE_REQUEST_HUNG)
            took.append(answer.took_ms)
            within_ms = SIDE_TIMEOUT_MS + took[0]
        self._rtt_ms = median(took)

    def _open(self, count: int) -> Machine[tuple[int, ...]]:
        first = len(self._streams)
        yield from self._do(Open(count))
        new = tuple(range(first, len(self._streams)))
        self._events |= dict.fromkeys(new, 1)
        return new

    def _wait(
        self, wanted: Sequence[tuple[int, int]], *, slow: bool = False, longer: bool = False
    ) -> Machine[_Wait]:
        """Wait for events: the rule of what does not come.

        Args:
            wanted: of which stream how many.
            slow: whether the wait goes on while some come.
            longer: what comes by itself after up to `QUIET_MS` is in no queue, and not held.
        """

        def missing() -> tuple[int, ...]:
            return tuple(number for number, _ in left())

        def left() -> list[tuple[int, int]]:
            return [
                (number, events)
                for number, events in wanted
                if not (one := self._streams[number]).over and one.received.events < events
            ]

        least_ms = self._least_ms + (QUIET_MS - LEAST_MS if longer else 0.0)
        yield from self._do(Watch(tuple(wanted), 2 * self._rtt_ms + TRY_MS / 3))
        trips, last = 0, None
        began_ms = since_ms = self._ran_ms
        while left():
            count = len(left())
            over = self._ran_ms - since_ms >= least_ms
            within_ms = max(since_ms + least_ms - self._ran_ms, self._least_ms / 2)
            last = (yield from self._ask("ping", missing()[:1], within_ms=within_ms))[0]
            if not left():
                break
            if isinstance(last, Reply):
                trips += 1
                self._asked.append(last)
            if over and (trips >= OVERTAKEN or not isinstance(last, Reply)):
                break
            yield from self._do(Watch(tuple(left()), max(10.0, least_ms / 8)))
            if slow and len(left()) < count and self._ran_ms - began_ms < SLOW_MS:
                trips, since_ms = 0, self._ran_ms
        return _Wait(missing(), trips, last)

    def _leave(self, numbers: tuple[int, ...]) -> Machine[None]:
        yield from self._do(Leave(numbers))

    def _pause(self, for_ms: float) -> Machine[None]:
        yield from self._do(Watch((), for_ms, enough=1))

    def _ask(
        self,
        what: Literal["ping", "feed", "end"],
        numbers: tuple[int, ...],
        sides: int = 1,
        within_ms: float | None = None,
    ) -> Machine[tuple[Answer, ...]]:
        # Beside thousands of streams this process and the origin have other things to do, too.
        within_ms = (within_ms or SIDE_TIMEOUT_MS + LEAST_TRIPS * self._rtt_ms) + len(self._streams)
        answers = (yield from self._do(Ask(what, numbers, within_ms, sides))).answers
        self._hung = self._hung or Missing.HUNG in answers
        if what == "end":
            self._ended |= {n for n, one in zip(numbers, answers, strict=True) if _knew(one)}
        return answers

    def _do(self, action: Action) -> Machine[Observed]:
        observed = yield action
        self._now_ms, self._streams = observed.now_ms, observed.streams
        self._late_ms += observed.late_ms
        return observed

    # What can be said without doing anything.

    @property
    def _least_ms(self) -> float:
        return LEAST_MS + LEAST_TRIPS * self._rtt_ms

    def _cut(self, numbers: Sequence[int]) -> int:
        """How many of those that have begun ended by themselves."""
        return sum(
            one.over and not one.left and one.received.events > 0
            for one in (self._streams[number] for number in numbers)
        )

    def _refusal(self, number: int) -> Refusal:
        """Why one that is over has not begun."""
        return self._streams[number].refusal or Refusal(text("ended before its first event"))

    @property
    def _passing(self) -> tuple[int, ...]:
        """The round's streams that pass."""
        return tuple(n for n in range(self._begun, len(self._streams)) if self._streams[n].passes)

    def _say(self, sentence: str) -> None:
        self._evidence.append(sentence)

    def _found(self, says: str, sure: Sure, *figures: Figure, advice: str = "") -> ClauseFinding:
        # What passes in lock-step does so however late this process looks.
        limited = any(figure.most < inf for figure in figures)
        busy = (Doubt.BUSY_MACHINE,) if limited and self._late_ms > BUSY_MS else ()
        doubts = tuple(dict.fromkeys((*self._doubts, *busy)))
        return ClauseFinding(Clause.MANY, says, sure, figures, doubts, tuple(self._evidence), advice)


def _knew(answer: Answer) -> bool:
    return isinstance(answer, Reply) and answer.known


def _says(seen: _Round) -> str:
    how = {
        "": "",
        Kind.REFUSED: text(" ({how})", how=seen.how),
        Kind.LATE: text(", {how}", how=seen.how),
    }.get((seen.how and seen.kind) or "", "")
    return text("{kind} from the {first} on{how}", kind=seen.kind, first=_ordinal(seen.passed + 1), how=how)


_ORDINALS = {1: text("{number:,}st"), 2: text("{number:,}nd"), 3: text("{number:,}rd")}


def _ordinal(number: int) -> str:
    if 11 <= number % 100 <= 13 or number % 10 not in _ORDINALS:
        return text("{number:,}th", number=number)
    return _ORDINALS[number % 10].format(number=number)


_CAUSES = {Kind.REFUSED: Cause.STREAM_LIMIT, Kind.QUEUED: Cause.QUEUE}


def _advice(kind: Kind | None) -> str:
    cause = None if kind is None else _CAUSES.get(kind)
    return "" if cause is None else cause.remedy
