"""The moves of a lock-step proof: measure the round trip, open, feed, wait, watch what comes out.

What the moves are for is in `kit.proof.lockstep`.
"""

from __future__ import annotations

from math import inf
from statistics import median

from kit.proof.actions import Await, End, Feed, Machine, Observed, Open, Ping, Reply
from kit.proof.doubts import Doubt
from kit.proof.events import ChunkDecoder
from kit.proof.received import Received
from kit.proof.verdict import Finding, Method, Shape, Verdict

SMALL = 200  # octets: a token
PINGS = 5
COLD_PATIENCE_MS = 60_000.0  # the first ping may meet a cold start
COLD_MS = 1_000.0
SIDE_PATIENCE_MS = 5_000.0


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


class Steps:
    """The state of one proof, and each move that it can make.

    Attributes:
        rtt_ms: the side connection's round trip, a median of five pings.
        slowest_ms: the largest of them, from which every patience is derived.
        evidence: what was done and seen so far, a sentence a step; may be shown live.
    """

    def __init__(self) -> None:
        self.rtt_ms = 0.0
        self.slowest_ms = 0.0
        self.evidence: list[str] = []
        self._doubts: list[Doubt] = []
        self._stream = Received(ChunkDecoder())  # until one is opened: nothing received
        self._opened_ms = 0.0
        self._sent = 0  # octets
        self._count = 0  # events

    # What is waited for, and how long.

    @property
    def _patience_ms(self) -> float:
        return max(2_000.0, 5 * self.slowest_ms)

    @property
    def _rung_ms(self) -> float:
        # TCP's own retransmission takes 200 ms and more: a lost packet must not look like a held event.
        return max(400.0, 3 * self.slowest_ms)

    @property
    def floor_ms(self) -> float:
        """A hold below this cannot be seen at this round trip."""
        return max(15.0, 5 * self.slowest_ms)

    # The moves.

    def _measure_round_trip(self) -> Machine[None]:
        first = yield from self._ping(COLD_PATIENCE_MS)
        replies = yield from self._pings()
        if first.took_ms > COLD_MS + self.slowest_ms:
            self._doubts.append(Doubt.COLD_START)
            self._say(f"the first ping took {first.took_ms / 1000:.1f} s: the service was starting")
        if len({reply.instance for reply in (first, *replies)}) > 1:
            raise GiveUpError(Doubt.OTHER_INSTANCE)

    def _pings(self) -> Machine[list[Reply]]:
        """Five round trips: their median and their largest."""
        replies: list[Reply] = []
        for _ in range(PINGS):
            replies.append((yield from self._ping(SIDE_PATIENCE_MS)))
        self.rtt_ms = median(reply.took_ms for reply in replies)
        self.slowest_ms = max(reply.took_ms for reply in replies)
        return replies

    def _ping(self, within_ms: float) -> Machine[Reply]:
        reply = (yield Ping(within_ms)).reply
        if reply is None:
            raise GiveUpError(Doubt.SIDE_REQUEST_HUNG)
        return reply

    def _open(self, size: int) -> Machine[None]:
        self._begin((yield Open(size)))
        self._sent, self._count = size, 1

    def _begin(self, observed: Observed) -> None:
        if observed.stream is not None:
            self._stream, self._opened_ms = observed.stream, observed.now_ms

    def _feed(self, size: int) -> Machine[Reply]:
        reply = (yield Feed(size, SIDE_PATIENCE_MS)).reply
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
            reply = (yield Feed(size, SIDE_PATIENCE_MS)).reply
            if reply is None:
                raise GiveUpError(Doubt.SIDE_REQUEST_HUNG)
            if reply.known:
                self._sent += size
                self._count += 1
                return reply
            if attempt == 0:
                self._say("the origin does not know the stream yet: still starting, or another instance")
            if (yield from self._arrives(1, 500.0)):
                break
        raise GiveUpError(Doubt.OTHER_INSTANCE)

    def _end_once_started(self) -> Machine[None]:
        """End the stream; it may still be on its way, and who ends what is not known yet ends nothing."""
        for _ in range(10):
            reply = (yield End(SIDE_PATIENCE_MS)).reply
            if reply is None:
                raise GiveUpError(Doubt.SIDE_REQUEST_HUNG)
            if reply.known or (yield from self._arrives(1, 500.0)):
                return

    def _step(self, size: int, patience_ms: float | None = None) -> Machine[float | None]:
        """Feed one event and wait for it: the milliseconds it took, None if it did not arrive."""
        fed = yield from self._feed(size)
        if (yield from self._arrives(self._count, patience_ms or self._patience_ms)):
            return self._stream.arrivals[self._count - 1][0] - fed.sent_ms
        return None

    def _single(self, size: int) -> Machine[bool]:
        """Feed one event: does it arrive whole, with the shorter patience of a repetition?"""
        return (yield from self._step(size, self._rung_ms)) is not None

    def _feed_and_watch(self, size: int) -> Machine[tuple[int, bool] | None]:
        """Feed one event; what came out (octets, and whether it came at once), None if nothing did."""
        before = self._stream.octets
        fed = yield from self._feed(size)
        observed = yield Await(self._rung_ms, octets=before + 1)
        self._check_alive()
        if self._stream.octets == before:
            return None
        prompt = self._prompt(fed, observed.now_ms)
        seen = before
        while seen != self._stream.octets:  # a block may take several reads
            seen = self._stream.octets
            yield Await(max(60.0, self.slowest_ms), octets=seen + 1)
        return seen - before, prompt

    def _arrives(self, events: int, within_ms: float) -> Machine[bool]:
        yield Await(within_ms, events=events)
        if self._stream.events >= events:
            return True
        self._check_alive()
        return False

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

    def _hold(self, steps: list[float]) -> float:
        return max(0.0, median(steps) - self.rtt_ms)

    def _prompt(self, fed: Reply, arrived_ms: float) -> bool:
        """Whether what arrived was let go by what was fed, and not by the clock."""
        return arrived_ms - fed.sent_ms <= self.rtt_ms + max(150.0, 5 * self.slowest_ms)

    def _check_alive(self) -> None:
        stream = self._stream
        self._check_status()
        if stream.ended_ms is not None:
            self._say(f"the stream ended by itself after {stream.events} events")
            raise OverError(self._found(Verdict.INCONCLUSIVE, doubts=(Doubt.STREAM_CUT,)))

    def _check_status(self) -> None:
        stream = self._stream
        if stream.refused or stream.status == 501:  # the origin's half of the proof never answers so
            self._say(f"a hop answered {stream.status}: it will not forward a message incrementally")
            raise OverError(self._found(Verdict.REFUSED))
        if stream.status not in (None, 200):
            self._say(f"the proof's stream was answered with {stream.status}")
            raise OverError(self._found(Verdict.INCONCLUSIVE, doubts=(Doubt.NO_PROOF,)))

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
        return Finding(
            verdict,
            Method.LOCK_STEP,
            shape,
            block_bytes,
            hold_ms,
            self.floor_ms,
            (*self._doubts, *doubts),
            tuple(self.evidence),
        )
