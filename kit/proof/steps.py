"""The steps of a lock-step proof: measure the round trip, open, feed, wait, watch what comes out.

What the steps are for is in `kit.proof.lockstep`. The rule that all of them share: **held is a statement
about order**. An event is held when the origin has acknowledged it, further side requests that were begun
after that have come back through the same hops, and it has not come; a least time only leaves TCP the time
to repair a lost packet. Time in which this process did not run does not count (docs/detection.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import inf
from statistics import median, quantiles

from kit.language import text
from kit.proof.actions import Action, Await, End, Feed, Machine, Observed, Open, Ping, Reply
from kit.proof.clock import Awake
from kit.proof.doubts import Doubt
from kit.proof.events import ChunkDecoder
from kit.proof.received import Received
from kit.proof.verdict import Finding, Method, Shape, Verdict

SMALL = 200  # octets: a token
PINGS = 5
COLD_TIMEOUT_MS = 60_000.0  # the first ping may meet a cold start
COLD_MS = 1_000.0
# A server or a hop that stalls for ten seconds is no server that answers one request at a time.
SIDE_TIMEOUT_MS = 12_000.0

# So many side requests must have overtaken an event. One may have been on its way; the second meets a hop
# that wakes with both sockets readable; the third leaves no such accident.
OVERTAKEN = 3
# While a size is searched for, a wait may be short, and one side request is enough: nothing is stated by it,
# and what is found is confirmed by the whole rule.
SEARCH_MS = 100.0
SEARCH_OVERTAKEN = 1
# TCP sends a lost packet again after 200 ms and a round trip or two, and if that is lost after 400 ms more
# (RFC 6298, with the 200 ms that Linux takes for its minimum).
LEAST_MS = 700.0
LEAST_TRIPS = 4
# The first wait is longer: what a timer of up to so long holds then comes by itself, and is not fed on.
QUIET_MS = 2_000.0
# Whether small events are late is decided once one answer leads the other by so many events.
LEAD = 3
# What a timer holds: four events or more, the middle two thirds of the holds within so much of the median.
STEADY_COUNT, STEADY, STEADY_MS = 4, 0.15, 5.0
MOST_STEPS = 30
MOST_BEGINNINGS = 3  # where what was seen is not seen again, the proof begins anew so often
FLOOR_MS = 15.0
UNCLEAR_MS = 100.0  # half of the shortest timer that was measured in a real proxy, a cork of HAProxy's
BUSY_MS = 500.0  # this process was late by more than this in all: its figures are doubtful
_SETTLE_MS = 30.0  # between two reads of one release
_MOST_WAIT_MS = 60_000.0  # for an event that keeps coming in, octet by octet


class GiveUpError(Exception):
    """Lock-step is not possible here; the doubt says why."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__(doubt)
        self.doubt = doubt


class OverError(Exception):
    """The stream ended, or never began: there is nothing more to see."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.verdict)
        self.finding = finding


class Came(Enum):
    """How something came, by order."""

    PROMPT = "prompt"
    LATE = "late"  # after `OVERTAKEN` side requests that were begun once the origin had sent it
    HELD = "held"  # not at all


class Lead:
    """Whether events come late: which of the two answers leads, and by how much.

    An event counts by how many side requests overtook it, up to `OVERTAKEN`: where a timer is so short that
    only one or two do so, it takes more events to tell. A single stall is outweighed, and so is an event that
    meets a timer just before it fires.
    """

    def __init__(self, least_hold_ms: float) -> None:
        self._least_hold_ms = least_hold_ms
        self._holds: dict[bool, list[float]] = {True: [], False: []}  # by whether it was late
        self._lead = 0

    def add(self, overtaken: int, hold_ms: float) -> None:
        """One more event has come, later by so much than it should have."""
        late = overtaken > 0 and hold_ms >= self._least_hold_ms
        self._holds[late].append(hold_ms)
        self._lead += min(overtaken, OVERTAKEN) if late else -OVERTAKEN

    @property
    def count(self) -> int:
        """Of how many events."""
        return sum(map(len, self._holds.values()))

    @property
    def decided(self) -> bool:
        """Whether it leads by enough, and what came late was late by one time."""
        return abs(self._lead) >= LEAD * OVERTAKEN and (not self.late or self._steady)

    @property
    def late(self) -> bool:
        """Whether what came late leads."""
        return self._lead > 0

    @property
    def at_one(self) -> bool:
        """Whether no event says otherwise."""
        return not self._holds[not self.late]

    @property
    def _steady(self) -> bool:
        """Whether what came late was late by much the same time, as a timer holds each event alike.

        Each event is sent when the one before has come, so just after a flush. Where a machine is short of
        time its servers are late by any time.
        """
        holds = self._holds[True]
        if len(holds) < STEADY_COUNT:
            return False
        sixths = quantiles(holds, n=6, method="inclusive")
        return sixths[-1] - sixths[0] <= max(STEADY * median(holds), STEADY_MS)

    @property
    def hold_ms(self) -> float:
        """The median: of those that were late, if they lead."""
        holds = self._holds[True] if self.late else [*self._holds[True], *self._holds[False]]
        return max(0.0, median(holds))


@dataclass(frozen=True, slots=True)
class Pace:
    """How small events come, one after another: late or not; None where chance decided. Milliseconds."""

    late: bool | None
    hold_ms: float


class Steps(Awake):
    """The state of one proof, and each step that it can take.

    Args:
        rtt_ms, slowest_ms: the round trip, where it was measured before.
        least_hold_ms: an event that comes later by less than this counts as prompt.

    Attributes:
        rtt_ms: the side connection's round trip, the median of the first pings.
        slowest_ms: four of five round trips took no longer: one stall is no measure of the way.
        evidence: what was done and seen so far, a sentence a step; may be shown live.
    """

    def __init__(self, rtt_ms: float = 0.0, slowest_ms: float = 0.0, least_hold_ms: float = FLOOR_MS) -> None:
        self.rtt_ms = rtt_ms
        self.slowest_ms = slowest_ms
        self.evidence: list[str] = []
        self._least_hold_ms = least_hold_ms
        self._doubts: list[Doubt] = []
        self._stream = Received(ChunkDecoder())  # until one is opened: nothing received
        self._opened_ms = 0.0
        self._sent = 0  # octets
        self._count = 0  # events
        self._overtaken = 0  # what came last, by how many side requests
        self._latest_ms = 0.0  # of what came late, the longest wait

    # What is waited for, and how long.

    @property
    def _least_ms(self) -> float:
        # What came late once is waited for twice as long from then on: it may be a timer.
        once_late_ms = min(2 * self._latest_ms, 2 * QUIET_MS)
        return max(LEAST_MS + LEAST_TRIPS * self.slowest_ms, once_late_ms)

    @property
    def _quiet_ms(self) -> float:
        return max(QUIET_MS, self._least_ms)

    @property
    def floor_ms(self) -> float:
        """A hold below this cannot be seen at this round trip."""
        return max(self._least_hold_ms, 5 * self.slowest_ms)

    # The steps.

    def _measure_round_trip(self, known: Sequence[Reply] = ()) -> Machine[None]:
        replies = list(known)
        warm_up = None if replies else (yield from self._ping(COLD_TIMEOUT_MS))
        while len(replies) < PINGS:
            replies.append((yield from self._ping()))
        took = sorted(reply.took_ms for reply in replies)
        self.rtt_ms, self.slowest_ms = median(took), took[int(0.8 * (len(took) - 1))]
        if warm_up is not None and warm_up.took_ms > COLD_MS + took[-1]:
            self._doubts.append(Doubt.COLD_START)
            self._say(
                text(
                    "the first ping took {took_s:.1f} s: the service was starting",
                    took_s=warm_up.took_ms / 1000,
                )
            )
        if len({reply.instance for reply in (*replies, *([warm_up] if warm_up else []))}) > 1:
            raise GiveUpError(Doubt.OTHER_INSTANCE)

    def _ping(self, within_ms: float = SIDE_TIMEOUT_MS) -> Machine[Reply]:
        reply = (yield from self._do(Ping(within_ms))).reply
        if reply is None:
            raise GiveUpError(Doubt.SIDE_REQUEST_HUNG)
        return reply

    def _open(self, size: int) -> Machine[None]:
        self._begin((yield from self._do(Open(size))))
        self._sent, self._count = size, 1

    def _begin(self, observed: Observed) -> None:
        if observed.stream is not None:
            self._stream, self._opened_ms = observed.stream, observed.now_ms

    def _reopen(self, size: int = SMALL) -> Machine[None]:
        yield from self._do(End(SIDE_TIMEOUT_MS))
        yield from self._open(size)

    def _feed(self, size: int) -> Machine[Reply]:
        reply = (yield from self._do(Feed(size, SIDE_TIMEOUT_MS))).reply
        if reply is None:
            raise GiveUpError(Doubt.SIDE_REQUEST_HUNG)
        if not reply.known:
            self._check_alive()
            raise GiveUpError(Doubt.OTHER_INSTANCE)
        self._sent += size
        self._count += 1
        return reply

    def _feed_once_started(self, size: int = SMALL) -> Machine[Reply]:
        """As `_feed`, but the stream may still be on its way to an instance that is starting."""
        for attempt in range(10):
            reply = (yield from self._do(Feed(size, SIDE_TIMEOUT_MS))).reply
            if reply is None:
                raise GiveUpError(Doubt.SIDE_REQUEST_HUNG)
            if reply.known:
                self._sent += size
                self._count += 1
                return reply
            if attempt == 0:
                self._say(
                    text("the origin does not know the stream yet: still starting, or another instance")
                )
            yield from self._do(Await(500.0, events=1))
            self._check_alive()
            if self._stream.events:
                break
        raise GiveUpError(Doubt.OTHER_INSTANCE)

    def _end_once_started(self) -> Machine[None]:
        """End the stream; it may still be on its way, and who ends what is not known yet ends nothing."""
        for _ in range(10):
            reply = (yield from self._do(End(SIDE_TIMEOUT_MS))).reply
            if reply is None:
                raise GiveUpError(Doubt.SIDE_REQUEST_HUNG)
            if reply.known:
                return
            yield from self._do(Await(500.0, events=1))
            if self._stream.events:
                return

    def _begins(self, least_ms: float) -> Machine[Came]:
        """Does the stream's first event come? The origin acknowledges it by knowing the stream."""
        return (yield from self._comes(least_ms, events=1, acknowledged=False))

    def _step(self, size: int, least_ms: float | None = None) -> Machine[tuple[Came, float]]:
        """Feed one event and wait for it: how it came, and after how many milliseconds."""
        fed = yield from self._feed(size)
        came = yield from self._comes(least_ms or self._least_ms, events=self._count)
        if came is Came.HELD:
            return came, inf
        return came, self._stream.arrivals[self._count - 1][0] - fed.sent_ms

    def _single(self, size: int, least_ms: float | None = None) -> Machine[bool]:
        """Feed one event: does it arrive whole?"""
        came, _ = yield from self._step(size, least_ms)
        return came is not Came.HELD

    def _pace(self, least_ms: float | None = None) -> Machine[Pace | None]:
        """Feed small events, each once the one before is there, until it is clear whether they are late.

        None if one of them was held.
        """
        lead = Lead(self._least_hold_ms)
        while not lead.decided and lead.count < MOST_STEPS:
            came, took = yield from self._step(SMALL, least_ms)
            if came is Came.HELD:
                return None
            lead.add(self._overtaken, took - self.rtt_ms)
        late = lead.late if lead.decided and not self._unclear(lead) else None
        return Pace(late, lead.hold_ms)

    def _unclear(self, lead: Lead) -> bool:
        """The round trips of a process that sleeps are so long that nothing overtakes an event."""
        return not lead.late and lead.hold_ms >= UNCLEAR_MS and self._late_ms > BUSY_MS

    def _feed_and_watch(self, size: int, least_ms: float) -> Machine[tuple[Came, int]]:
        """Feed one event: whether anything comes out, and how many octets."""
        before = self._stream.octets
        yield from self._feed(size)
        came = yield from self._comes(least_ms, octets=before + 1)
        seen = before
        while seen != self._stream.octets:  # a block may take several reads
            seen = self._stream.octets
            yield from self._do(Await(_SETTLE_MS, octets=seen + 1))
            yield from self._ping()
        return came, seen - before

    def _comes(
        self, least_ms: float, *, events: float = inf, octets: float = inf, acknowledged: bool = True
    ) -> Machine[Came]:
        """Wait for so many events, or octets: the rule of what is held.

        Args:
            least_ms: how long nothing may come, beside the side requests that must come back; `SEARCH_MS`
                while a size is searched for.
            events: of the stream in all.
            octets: of the stream in all.
            acknowledged: whether the origin has said that it sent them; else a ping must say so first.
        """
        stream = self._stream

        def there() -> bool:
            return stream.events >= events or stream.octets >= octets

        trips, known = 0, acknowledged
        searching = least_ms <= SEARCH_MS
        enough = SEARCH_OVERTAKEN if searching else OVERTAKEN
        asked_ms = self._ran_ms
        yield from self._do(Await(max(2.0, min(self.rtt_ms, least_ms)), events, octets))
        began_ms = since_ms = asked_ms if searching else self._ran_ms
        while not there():
            self._check_alive()
            # The last side request is begun when the time is over: had this process slept until now, what
            # lies in its sockets would be read while that request is under way.
            over = self._ran_ms - since_ms >= least_ms or self._ran_ms - began_ms >= _MOST_WAIT_MS
            before = stream.octets
            reply = yield from self._ping()
            if there():
                break
            known = known or reply.known
            trips += known
            if over and stream.octets == before and (trips >= enough or not known):
                self._check_alive()
                return Came.HELD
            if not over and (trips >= OVERTAKEN or not known):
                left_ms, pause_ms = since_ms + least_ms - self._ran_ms, max(20.0, least_ms / 4)
                if left_ms <= pause_ms + self.rtt_ms:  # one more before the time is over would be in its way
                    pause_ms = left_ms
                yield from self._do(Await(max(1.0, pause_ms), events, octets))
            if stream.octets != before:
                since_ms = self._ran_ms
        self._overtaken = trips
        if trips < OVERTAKEN:
            return Came.PROMPT
        self._latest_ms = max(self._latest_ms, self._ran_ms - began_ms)
        return Came.LATE

    def _do(self, action: Action) -> Machine[Observed]:
        observed = yield action
        self._now_ms = observed.now_ms
        self._late_ms += observed.late_ms
        return observed

    # What can be said without doing anything.

    @property
    def _first_ms(self) -> float:
        """When the first event arrived, from the stream's opening; infinite while it has not."""
        arrivals = self._stream.arrivals
        return arrivals[0][0] - self._opened_ms if arrivals else inf

    @property
    def _held(self) -> int:
        """Octets that were sent and have not arrived."""
        return self._sent - self._stream.octets

    def _check_alive(self) -> None:
        stream = self._stream
        self._check_status()
        if stream.ended_ms is not None:
            self._say(text("the stream ended by itself after {events} events", events=stream.events))
            raise OverError(self._found(Verdict.INCONCLUSIVE, doubts=(Doubt.STREAM_CUT,)))

    def _check_status(self) -> None:
        stream = self._stream
        if stream.refused or stream.status == 501:  # the origin's half of the proof never answers so
            self._say(
                text(
                    "a hop answered {status}: it will not forward a message incrementally",
                    status=stream.status,
                )
            )
            raise OverError(self._found(Verdict.REFUSED))
        if stream.status not in (None, 200):
            self._say(text("the proof's stream was answered with {status}", status=stream.status))
            limited = stream.status in (429, 503)
            doubt = Doubt.PROOF_LIMITED if limited else Doubt.NO_PROOF
            raise OverError(self._found(Verdict.INCONCLUSIVE, doubts=(doubt,)))

    def _say(self, sentence: str) -> None:
        self.evidence.append(sentence)

    def _found(
        self,
        verdict: Verdict,
        shape: Shape | None = None,
        *,
        block_bytes: int | None = None,
        hold_ms: float | None = None,
        doubts: tuple[Doubt, ...] = (),
    ) -> Finding:
        busy = (Doubt.BUSY_MACHINE,) if self._late_ms > BUSY_MS else ()
        return Finding(
            verdict,
            Method.LOCK_STEP,
            shape,
            block_bytes,
            hold_ms,
            self.floor_ms,
            tuple(dict.fromkeys((*self._doubts, *doubts, *busy))),
            tuple(self.evidence),
        )
