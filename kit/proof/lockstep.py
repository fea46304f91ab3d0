"""The lock-step proof: the origin sends event k+1 only when asked by a client that has received event k.

A hop that holds the message can never pass, so the verdict needs no clock, no threshold and no long
stream. The method, its accuracy and what it was measured against: docs/detection.md.

This is a generator that yields what to do (`kit.proof.actions`) and is told what was seen. It holds no
socket and no clock; `kit.probe.drive` runs it on real ones, the tests on made-up ones.
"""

from __future__ import annotations

from math import inf
from statistics import median

from kit.proof import pause
from kit.proof.actions import Await, End, Feed, Machine, Observed, Open, Ping, Reply
from kit.proof.doubts import Doubt
from kit.proof.events import ChunkDecoder
from kit.proof.received import Received
from kit.proof.verdict import Finding, Method, Shape, Verdict

SMALL, MEDIUM, LARGE = 200, 6_000, 70_001  # octets: a token, a page buffer and a bit, 64 KiB and a bit
STEPS = 3
SMALLEST = 128  # the origin's smallest event
RUNGS = [1024 << power for power in range(11)]  # 1 KiB … 1 MiB
STREAM_CAP = 4 * 1024 * 1024  # the origin sends no more than this on one stream

PINGS = 5
COLD_PATIENCE_MS = 60_000.0  # the first ping may meet a cold start
COLD_MS = 1_000.0
SIDE_PATIENCE_MS = 5_000.0
END_PATIENCE_MS = 30_000.0  # for what was held to come out after the end
BISECT_TO = 16  # octets


class _GiveUpError(Exception):
    """Lock-step is not possible here; the doubt says why."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__(doubt)
        self.doubt = doubt


class _OverError(Exception):
    """The stream ended, or never began: there is nothing more to see."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.verdict)
        self.finding = finding


class LockStep:
    """One proof of one path. `run()` is the machine; `evidence` grows as it goes and may be shown live.

    Attributes:
        rtt_ms: the side connection's round trip, a median of five pings.
        slowest_ms: the largest of them, from which every patience is derived.
        offset_ms: the origin's clock minus ours, from the fastest ping.
        evidence: what was done and seen so far, a sentence a step.
    """

    def __init__(self) -> None:
        self.rtt_ms = 0.0
        self.slowest_ms = 0.0
        self.offset_ms: float | None = None
        self.evidence: list[str] = []
        self._doubts: list[Doubt] = []
        self._stream = Received(ChunkDecoder())  # until one is opened: nothing received
        self._opened_ms = 0.0
        self._sent = 0  # octets
        self._count = 0  # events
        self._small_steps: list[float] = []

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

    def run(self) -> Machine[Finding]:
        """The whole proof: lock-step, or pause where lock-step is not possible."""
        try:
            yield from self._measure_round_trip()
            finding = yield from self._lock_step()
            yield End(SIDE_PATIENCE_MS)
        except _OverError as over:
            finding = over.finding
        except _GiveUpError as why:
            yield End(SIDE_PATIENCE_MS)
            finding = yield from self._pause(why.doubt)
        return finding

    def _lock_step(self) -> Machine[Finding]:
        yield from self._open(SMALL)
        first_held = False
        if not (yield from self._arrives(1, self._patience_ms)):
            self._say(f"the first event ({SMALL} bytes) did not arrive within {self._patience_ms:.0f} ms")
            yield from self._feed_once_started()
            if not (yield from self._arrives(1, self._rung_ms)):
                return (yield from self._by_size())
            first_held = True
            self._say("the second event freed the first")
        for size in (SMALL, MEDIUM, LARGE):
            taken: list[float] = []
            for _ in range(STEPS):
                took = yield from self._step(size)
                if took is None:
                    return (yield from self._stalled(size))
                taken.append(took)
            if size == SMALL:
                self._small_steps = taken
            self._say(
                f"{STEPS} events of {size:,} bytes, each sent only after the one before had arrived:"
                f" passed, in {median(taken):.1f} ms each (round trip {self.rtt_ms:.1f} ms)"
            )
        if first_held:
            return (yield from self._first_event_or_prefix())
        return (yield from self._by_hold())

    # The verdicts.

    def _by_hold(self) -> Machine[Finding]:
        """Everything passed: how late was it?"""
        if self.slowest_ms > max(3.0, 2 * self.rtt_ms):
            # One ping met a busy moment and would hide a real hold below five times itself: ask again.
            slowest, rtt = self.slowest_ms, self.rtt_ms
            yield from self._pings()
            if self.slowest_ms > slowest:
                self.slowest_ms, self.rtt_ms = slowest, rtt
        hold = self._hold(self._small_steps)
        if hold >= self.floor_ms:
            # A busy machine is late now and then, a timer always: look again, each step beside a ping.
            steps, pings = [], []
            for _ in range(8):
                pings.append((yield from self._ping(SIDE_PATIENCE_MS)).took_ms)
                took = yield from self._step(SMALL)
                if took is None:
                    return (yield from self._stalled(SMALL))
                steps.append(took)
            self.rtt_ms, self.slowest_ms = median(pings), max(self.slowest_ms, *pings)
            hold = self._hold(steps)
            if self._hold([sorted(steps)[2]]) >= self.floor_ms:
                self._say(
                    f"eight more events took {hold:.0f} ms longer than a round trip, three in four at least"
                )
                return self._found(Verdict.TIME_LIMITED, Shape.TIMER, hold_ms=hold)
        return self._found(Verdict.INCREMENTAL, hold_ms=hold)

    def _first_event_or_prefix(self) -> Machine[Finding]:
        """The second event freed the first: would a larger first event have passed alone?"""
        first_ms = self._first_ms
        yield End(SIDE_PATIENCE_MS)
        yield from self._open(MEDIUM)
        if (yield from self._arrives(1, self._rung_ms)):
            self._say(f"on a new stream, a first event of {MEDIUM:,} bytes passed at once")
            return self._found(Verdict.BYTE_LIMITED, Shape.PREFIX, block_bytes=2 * SMALL)
        yield from self._feed_once_started()
        if (yield from self._arrives(1, self._rung_ms)):
            self._say(f"on a new stream, a first event of {MEDIUM:,} bytes was held until the second, too")
            return self._found(Verdict.BYTE_LIMITED, Shape.FIRST_EVENT)
        return (yield from self._start_held_by_time(first_ms))

    def _stalled(self, size: int) -> Machine[Finding]:
        """An event of this size did not arrive whole: does the next one free it?"""
        self._say(
            f"an event of {size:,} bytes did not arrive whole within {self._patience_ms:.0f} ms"
            f" ({size - self._held} bytes of it did)"
        )
        for _ in range(STEPS):
            fed = yield from self._feed(SMALL)
            if not (yield from self._arrives(self._count - 1, self._rung_ms)):
                return (yield from self._by_size())
            if not self._prompt(fed, self._stream.arrivals[self._count - 2][0]):
                return (yield from self._by_time())
            # The tiny event may itself be held, if even those are: it is not what is asked here.
            if (yield from self._single(size)):
                self._say(f"the next event freed it, but another of {size:,} bytes passed")
                self._doubts.append(Doubt.NOT_REPEATED)
                return self._found(Verdict.INCONCLUSIVE)
        yield from self._feed(SMALL)
        yield from self._arrives(self._count - 1, self._rung_ms)
        self._say(f"a tiny event after it freed it, {STEPS} times of {STEPS}")
        if size == SMALL:
            return self._found(Verdict.BYTE_LIMITED, Shape.TAIL)
        return (yield from self._tail(MEDIUM if size == LARGE else SMALL, size))

    def _tail(self, passes: int, stalls: int) -> Machine[Finding]:
        """Between a size that passes and one that stalls: the largest that passes, by bisection."""
        while stalls - passes > BISECT_TO:
            size = (passes + stalls) // 2
            if (yield from self._single(size)):
                passes = size
            else:
                stalls = size
                yield from self._feed(SMALL)
                yield from self._arrives(self._count - 1, self._rung_ms)
        self._say(f"single events of {passes:,} bytes pass, of {stalls:,} bytes wait for the next one")
        return self._found(Verdict.BYTE_LIMITED, Shape.TAIL, block_bytes=passes)

    def _by_size(self) -> Machine[Finding]:
        """Nothing frees it but more bytes, or the end: feed on, doubling, until something comes out."""
        for rung in RUNGS:
            size = rung - self._held
            if size < SMALLEST:
                continue
            freed = yield from self._feed_and_watch(size)
            if freed is None:
                continue
            octets, prompt = freed
            self._say(f"with {rung:,} bytes held in all, {octets:,} came out")
            if not prompt:
                return (yield from self._by_time())
            return (yield from self._blocks_or_prefix(rung))
        self._say(f"{self._held:,} bytes were held in all, and nothing came out")
        return (yield from self._whole())

    def _whole(self) -> Machine[Finding]:
        early = self._stream.octets
        ended = yield End(SIDE_PATIENCE_MS)
        came = yield Await(END_PATIENCE_MS, octets=self._sent)
        took = came.now_ms - ended.now_ms
        if self._stream.octets < self._sent:
            self._say(f"{self._stream.octets:,} of {self._sent:,} bytes came after the stream's end")
            return self._found(Verdict.INCONCLUSIVE, doubts=(Doubt.STREAM_CUT,))
        self._say(f"after the stream's end all {self._sent:,} bytes came within {took:.0f} ms")
        if early or took > self._patience_ms / 2:
            # The end may not be what let it go: a long timer looks like this. End a stream at once and see.
            yield from self._open(SMALL)
            yield End(SIDE_PATIENCE_MS)
            if not (yield from self._arrives(1, END_PATIENCE_MS)):
                return self._found(Verdict.INCONCLUSIVE, doubts=(Doubt.STREAM_CUT,))
            took = self._first_ms
            self._say(f"a stream that was ended at once came after {took:.0f} ms")
            if took > self._patience_ms:
                return self._found(Verdict.TIME_LIMITED, Shape.TIMER, hold_ms=took - self.rtt_ms)
        return self._found(Verdict.WHOLE_MESSAGE, Shape.WHOLE)

    def _blocks_or_prefix(self, rung: int) -> Machine[Finding]:
        """A rung came out at once: does all flow now (a prefix), or does it take as much again (blocks)?"""
        if (yield from self._single(SMALL)) and (yield from self._single(SMALL)):
            return (yield from self._prefix(rung))
        released: list[int] = []
        fed = 0
        step = max(SMALLEST, rung // 4)
        while len(released) < 2 and fed <= 3 * rung and self._sent + step <= STREAM_CAP:
            freed = yield from self._feed_and_watch(step)
            fed += step
            if freed is not None:
                octets, prompt = freed
                if not prompt:
                    return (yield from self._by_time())
                released.append(octets)
                fed = 0
        if len(released) < 2:
            self._say("it could not be seen to do so again")
            return self._found(Verdict.BYTE_LIMITED, block_bytes=rung, doubts=(Doubt.NOT_REPEATED,))
        self._say(
            f"then {released[0]:,} and {released[1]:,} bytes came out at a time, fed {step:,} at a time"
        )
        even = max(released) - min(released) <= 0.1 * max(released)
        return self._found(
            Verdict.BYTE_LIMITED, Shape.BLOCKS, block_bytes=round(median(released)) if even else None
        )

    def _prefix(self, rung: int) -> Machine[Finding]:
        """One release alone is no prefix (a timer looks like one): repeat it, quickly, on a new stream."""
        self._say("from then on small events passed")
        first_ms = self._first_ms
        yield End(SIDE_PATIENCE_MS)
        yield from self._open(SMALL)
        yield from self._feed_once_started(rung - SMALL)
        if (yield from self._arrives(1, self._rung_ms)) and self._first_ms < first_ms / 2:
            self._say(f"on a new stream, {rung:,} bytes at once came out after {self._first_ms:.0f} ms")
            return self._found(Verdict.BYTE_LIMITED, Shape.PREFIX, block_bytes=rung)
        return (yield from self._start_held_by_time(first_ms))

    def _start_held_by_time(self, first_ms: float) -> Machine[Finding]:
        """What freed a stream's beginning once did not free it again: did time?"""
        if not (yield from self._arrives(1, 2 * first_ms)):
            return self._found(Verdict.INCONCLUSIVE, doubts=(Doubt.NOT_REPEATED,))
        self._say(f"on a new stream the first event came after {self._first_ms:.0f} ms, whatever was sent")
        return self._found(Verdict.TIME_LIMITED, Shape.TIMER, hold_ms=self._first_ms)

    def _by_time(self) -> Machine[Finding]:
        """Something came out when nothing had been sent: measure the timer."""
        self._say("it came out when nothing had just been sent: a timer?")
        steps: list[float] = []
        for _ in range(STEPS):
            took = yield from self._step(SMALL, patience_ms=20_000.0)
            if took is None:
                self._doubts.append(Doubt.NOT_REPEATED)
                return self._found(Verdict.INCONCLUSIVE)
            steps.append(took)
        hold = self._hold(steps)
        if hold < self.floor_ms:
            hold = self._first_ms
            self._say(f"only the beginning was held, for {hold:.0f} ms; then events passed")
        else:
            self._say(f"single events came {hold:.0f} ms late")
        return self._found(Verdict.TIME_LIMITED, Shape.TIMER, hold_ms=hold)

    def _pause(self, why: Doubt) -> Machine[Finding]:
        self._doubts.append(why)
        self._say(f"lock-step was not possible ({why}), so the origin was asked to pause instead")
        self._begin((yield Open(16_384, mode="pause")))
        yield Await(60_000.0)
        self._check_status()
        stream = self._stream
        judged = pause.judge(stream.arrivals, clean=stream.ended_ms is not None and stream.clean)
        return Finding(
            judged.verdict,
            Method.PAUSE,
            judged.shape,
            doubts=(*self._doubts, *judged.doubts),
            evidence=(*self.evidence, *judged.evidence),
        )

    # The steps.

    def _measure_round_trip(self) -> Machine[None]:
        first = yield from self._ping(COLD_PATIENCE_MS)
        replies = yield from self._pings()
        if first.took_ms > COLD_MS + self.slowest_ms:
            self._doubts.append(Doubt.COLD_START)
            self._say(f"the first ping took {first.took_ms / 1000:.1f} s: the service was starting")
        if len({reply.instance for reply in (first, *replies)}) > 1:
            raise _GiveUpError(Doubt.OTHER_INSTANCE)

    def _pings(self) -> Machine[list[Reply]]:
        """Five round trips: their median, their largest, and the clocks' distance from the fastest."""
        replies: list[Reply] = []
        for _ in range(PINGS):
            replies.append((yield from self._ping(SIDE_PATIENCE_MS)))
        self.rtt_ms = median(reply.took_ms for reply in replies)
        self.slowest_ms = max(reply.took_ms for reply in replies)
        best = min(replies, key=lambda reply: reply.took_ms)
        self.offset_ms = best.now_ms - (best.sent_ms + best.arrived_ms) / 2
        return replies

    def _ping(self, within_ms: float) -> Machine[Reply]:
        reply = (yield Ping(within_ms)).reply
        if reply is None:
            raise _GiveUpError(Doubt.SIDE_REQUEST_HUNG)
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
            raise _GiveUpError(Doubt.SIDE_REQUEST_HUNG)
        if not reply.known:
            self._check_alive()
            raise _GiveUpError(Doubt.OTHER_INSTANCE)
        self._sent += size
        self._count += 1
        return reply

    def _feed_once_started(self, size: int = SMALL) -> Machine[Reply]:
        """As `_feed`, but the stream may still be on its way to an instance that is starting."""
        for attempt in range(10):
            reply = (yield Feed(size, SIDE_PATIENCE_MS)).reply
            if reply is None:
                raise _GiveUpError(Doubt.SIDE_REQUEST_HUNG)
            if reply.known:
                self._sent += size
                self._count += 1
                return reply
            if attempt == 0:
                self._say("the origin does not know the stream yet: still starting, or another instance")
            if (yield from self._arrives(1, 500.0)):
                break
        raise _GiveUpError(Doubt.OTHER_INSTANCE)

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
            raise _OverError(self._found(Verdict.INCONCLUSIVE, doubts=(Doubt.STREAM_CUT,)))

    def _check_status(self) -> None:
        stream = self._stream
        if stream.refused:
            self._say(f"a hop answered {stream.status}: it will not forward a message incrementally")
            raise _OverError(self._found(Verdict.REFUSED))
        if stream.status not in (None, 200):
            self._say(f"the proof's stream was answered with {stream.status}")
            raise _OverError(self._found(Verdict.INCONCLUSIVE, doubts=(Doubt.NO_PROOF,)))

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
