"""The lock-step proof: the origin sends event k+1 only when asked by a client that has received event k.

A hop that holds the message can never pass, so the verdict needs no clock, no threshold and no long
stream. The method, its accuracy and what it was measured against: docs/detection.md.

This is a generator that yields what to do (`kit.proof.actions`) and is told what was seen. It holds no
socket and no clock; `kit.probe.drive` runs it on real ones, the tests on made-up ones.
"""

from __future__ import annotations

from statistics import median

from kit.proof import pause
from kit.proof.actions import Await, End, Machine, Open
from kit.proof.doubts import Doubt
from kit.proof.steps import SIDE_PATIENCE_MS, SMALL, GiveUpError, OverError, Steps
from kit.proof.verdict import Finding, Method, Shape, Verdict

MEDIUM, LARGE = 6_000, 70_001  # octets: more than a page buffer, more than 64 KiB
STEPS = 3
SMALLEST = 128  # the origin's smallest event
RUNGS = [1024 << power for power in range(11)]  # 1 KiB … 1 MiB
STREAM_CAP = 4 * 1024 * 1024  # the origin sends no more than this on one stream
END_PATIENCE_MS = 30_000.0  # for what was held to come out after the end
BISECT_TO = 16  # octets


class LockStep(Steps):
    """One proof of one path: `run()` is the machine.

    Args:
        longest_timer_ms: a hop that lets go by the clock is waited for so long.
    """

    def __init__(self, longest_timer_ms: float = 20_000.0) -> None:
        super().__init__()
        self._longest_timer_ms = longest_timer_ms

    def run(self) -> Machine[Finding]:
        """The whole proof: lock-step, or pause where lock-step is not possible."""
        try:
            yield from self._measure_round_trip()
            finding = yield from self._lock_step()
            yield End(SIDE_PATIENCE_MS)
        except OverError as over:
            finding = over.finding
        except GiveUpError as why:
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
        small: list[float] = []
        for size in (SMALL, MEDIUM, LARGE):
            taken: list[float] = []
            for _ in range(STEPS):
                took = yield from self._step(size)
                if took is None:
                    return (yield from self._stalled(size))
                taken.append(took)
            if size == SMALL:
                small = taken
            self._say(
                f"{STEPS} events of {size:,} bytes, each sent only after the one before had arrived:"
                f" passed, in {median(taken):.1f} ms each (round trip {self.rtt_ms:.1f} ms)"
            )
        if first_held:
            return (yield from self._first_event_or_prefix())
        return (yield from self._by_hold(small))

    # The verdicts.

    def _by_hold(self, steps: list[float]) -> Machine[Finding]:
        """Everything passed: how late was it?"""
        if self.slowest_ms > max(3.0, 2 * self.rtt_ms):
            # One ping met a busy moment and would hide a real hold below five times itself: ask again.
            slowest, rtt = self.slowest_ms, self.rtt_ms
            yield from self._pings()
            if self.slowest_ms > slowest:
                self.slowest_ms, self.rtt_ms = slowest, rtt
        hold = self._hold(steps)
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
            always = self._hold([min(steps)]) >= self.floor_ms
            self._say(
                f"eight more events, each beside a ping, came {hold:.0f} ms later than a round trip at the "
                f"median, {'and every one of them late' if always else 'but not every one of them late'}"
            )
            if always:
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
        late = 0
        for _ in range(STEPS):
            fed = yield from self._feed(SMALL)
            if not (yield from self._arrives(self._count - 1, self._rung_ms)):
                return (yield from self._by_size())
            late += not self._prompt(fed, self._stream.arrivals[self._count - 2][0])
            if late > 1:  # once a busy machine may be late; a timer always is
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
        self._check_status()  # a hop may refuse only once it has all that it was to refuse
        if self._stream.octets < self._sent:
            self._say(f"{self._stream.octets:,} of {self._sent:,} bytes came after the stream's end")
            return self._found(Verdict.INCONCLUSIVE, doubts=(Doubt.STREAM_CUT,))
        self._say(f"after the stream's end all {self._sent:,} bytes came within {took:.0f} ms")
        if early or took > self._patience_ms / 2:
            # The end may not be what let it go: a long timer looks like this. End a stream at once and see.
            yield from self._open(SMALL)
            yield from self._end_once_started()
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
            took = yield from self._step(SMALL, patience_ms=self._longest_timer_ms)
            if took is None:
                self._doubts.append(Doubt.NOT_REPEATED)
                return self._found(Verdict.INCONCLUSIVE)
            steps.append(took)
        hold = self._hold(steps)
        if hold < self.floor_ms:
            hold = self._first_ms
            if hold - self.rtt_ms < max(150.0, self.floor_ms):  # nor was the beginning late: by what was it?
                self._say("but neither the beginning nor the events after it were late")
                return self._found(Verdict.INCONCLUSIVE, doubts=(Doubt.NOT_REPEATED,))
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
