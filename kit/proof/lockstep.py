"""The lock-step proof: the origin sends event k+1 only when asked by a client that has received event k.

A hop that holds the message can never pass, so the verdict needs no long stream, and no threshold of time:
what counts is whether side requests that were begun later have overtaken an event (`kit.proof.steps`). What
was seen once is seen again, on a fresh event or a fresh stream, before it is stated. The method, its
accuracy and what it was measured against: docs/detection.md.

This is a generator that yields what to do (`kit.proof.actions`) and is sent what was seen. It holds no
socket and no clock; `kit.probe.proof_runner` runs it on real ones, the tests on made-up ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from kit.language import text
from kit.proof import pause
from kit.proof.actions import Await, End, Machine, Open, Reply
from kit.proof.doubts import Doubt
from kit.proof.steps import (
    LEAST_MS,
    MOST_BEGINNINGS,
    SEARCH_MS,
    SIDE_TIMEOUT_MS,
    SMALL,
    Came,
    GiveUpError,
    OverError,
    Steps,
)
from kit.proof.verdict import Finding, Method, Shape, Verdict

MEDIUM, LARGE = 6_000, 70_001  # octets: more than a page buffer, more than 64 KiB
STEPS = 3
SMALLEST = 128  # the origin's smallest event
SIZES = [1024 << power for power in range(11)]  # 1 KiB … 1 MiB
STREAM_CAP = 4 * 1024 * 1024  # the origin sends no more than this on one stream
END_TIMEOUT_MS = 30_000.0  # for what was held to come out after the end
BISECT_TO = 16  # octets


class LockStep(Steps):
    """One proof of one path: `run()` is the machine.

    Args:
        longest_timer_ms: a hop that flushes on a timer is waited for so long.
        pings: replies of the origin that are known already; what is missing of `PINGS` is asked for.
    """

    def __init__(self, longest_timer_ms: float = 20_000.0, pings: Sequence[Reply] = ()) -> None:
        super().__init__()
        self._longest_timer_ms = longest_timer_ms
        self._pings = pings
        self._beginnings = 0
        self._stalls: Counter[int] = Counter()  # by size, where another event of it passed

    def run(self) -> Machine[Finding]:
        """The whole proof: lock-step, or pause where lock-step is not possible."""
        try:
            try:
                yield from self._measure_round_trip(self._pings)
                finding = yield from self._lock_step()
                yield End(SIDE_TIMEOUT_MS)
            except GiveUpError as why:
                yield End(SIDE_TIMEOUT_MS)
                finding = yield from self._pause(why.doubt)
        except OverError as over:
            finding = over.finding
        return finding

    def _lock_step(self) -> Machine[Finding]:
        self._beginnings += 1
        yield from self._open(SMALL)
        first_held = False
        if (yield from self._begins(self._quiet_ms)) is Came.HELD:
            self._say(
                text(
                    "the first event ({small} bytes) did not arrive, and side requests overtook it",
                    small=SMALL,
                )
            )
            yield from self._feed_once_started()
            came = yield from self._comes(self._least_ms, events=1)
            if came is Came.HELD:
                return (yield from self._by_size())
            if came is Came.LATE:
                return (yield from self._by_time()) or (yield from self._by_size())
            first_held = True
            self._say(text("the second event freed the first"))
        pace = yield from self._pace()
        if pace is None:
            return (yield from self._stalled(SMALL))
        if pace.late is None:
            self._say(text("small events came late by any time, or in time by turns"))
            return (yield from self._again(Doubt.BUSY_MACHINE))
        if pace.late:
            return self._timer(pace.hold_ms)
        self._say(
            text(
                "events of {small:,} bytes, each sent only after the one before had arrived: passed, "
                "{hold_ms:.1f} ms later than a round trip ({rtt_ms:.1f} ms)",
                small=SMALL,
                hold_ms=pace.hold_ms,
                rtt_ms=self.rtt_ms,
            )
        )
        for size in (MEDIUM, LARGE):
            taken: list[float] = []
            for _ in range(STEPS):
                came, took = yield from self._step(size)
                if came is Came.HELD:
                    return (yield from self._stalled(size))
                taken.append(took)
            self._say(
                text(
                    "{steps} events of {size:,} bytes: passed, in {median:.1f} ms each",
                    steps=STEPS,
                    size=size,
                    median=median(taken),
                )
            )
        if first_held:
            return (yield from self._first_event_or_prefix())
        return self._found(Verdict.INCREMENTAL, hold_ms=pace.hold_ms)

    # The verdicts.

    def _again(self, why: Doubt = Doubt.NOT_REPEATED) -> Machine[Finding]:
        """What was seen decides nothing: begin anew, or say why not."""
        if self._beginnings >= MOST_BEGINNINGS:
            return self._found(Verdict.INCONCLUSIVE, doubts=(why,))
        busy = why is Doubt.BUSY_MACHINE
        self._say(
            text("that decides nothing: beginning anew")
            if busy
            else text("that could not be repeated: beginning anew")
        )
        yield End(SIDE_TIMEOUT_MS)
        return (yield from self._lock_step())

    def _first_event_or_prefix(self) -> Machine[Finding]:
        """The second event freed the first: again? And would a larger first event have passed alone?"""
        yield from self._reopen(SMALL)
        if (yield from self._begins(self._least_ms)) is not Came.HELD:
            return (yield from self._again())
        yield from self._reopen(MEDIUM)
        came = yield from self._begins(self._least_ms)
        if came is Came.PROMPT:
            self._say(
                text("on a new stream, a first event of {medium:,} bytes passed at once", medium=MEDIUM)
            )
            return self._found(Verdict.BYTE_LIMITED, Shape.PREFIX, block_bytes=2 * SMALL)
        if came is Came.HELD:
            yield from self._feed_once_started()
            if (yield from self._comes(self._least_ms, events=1)) is Came.PROMPT:
                self._say(
                    text(
                        "on a new stream, a first event of {medium:,} bytes was held until the second, too",
                        medium=MEDIUM,
                    )
                )
                return self._found(Verdict.BYTE_LIMITED, Shape.FIRST_EVENT)
        return (yield from self._again())

    def _stalled(self, size: int) -> Machine[Finding]:
        """An event of this size did not arrive whole: does the next one free it, again and again?"""
        self._say(
            text(
                "an event of {size:,} bytes did not arrive whole, and side requests overtook it "
                "({arrived} bytes of it did arrive)",
                size=size,
                arrived=size - self._held,
            )
        )
        # The last time it is left alone for longer: a timer of just the least time looks like this.
        for least_ms in (self._least_ms, self._least_ms, self._quiet_ms):
            yield from self._feed(SMALL)
            came = yield from self._comes(self._least_ms, events=self._count - 1)
            if came is Came.HELD:
                return (yield from self._by_size())
            if came is Came.LATE:
                # Once a machine may stall; what comes by itself again is a timer.
                found = yield from self._by_time()
                if found is not None:
                    return found
            # The tiny event may itself be held, if even those are: it is not what is asked here.
            came, _ = yield from self._step(size, least_ms)
            if came is Came.LATE:
                found = yield from self._by_time()
                if found is not None:
                    return found
            if came is not Came.HELD:
                return (yield from self._stalls_by_turns(size))
        yield from self._feed(SMALL)
        yield from self._comes(self._least_ms, events=self._count - 1)
        self._say(text("a tiny event after it freed it, {steps} times of {steps}", steps=STEPS))
        if size == SMALL:
            return self._found(Verdict.BYTE_LIMITED, Shape.TAIL)
        return (yield from self._tail(MEDIUM if size == LARGE else SMALL, size))

    def _stalls_by_turns(self, size: int) -> Machine[Finding]:
        """One event of this size was held and the next one was not: a stall, unless it comes twice."""
        self._stalls[size] += 1
        if self._stalls[size] < 2 or size == SMALL:
            return (yield from self._again())
        # Seen behind two nginx in a row, whose buffers fill up by turns.
        self._say(
            text("events of {size:,} bytes are held now and then, until the next one is sent", size=size)
        )
        passes = MEDIUM if size == LARGE else SMALL
        return self._found(Verdict.BYTE_LIMITED, Shape.TAIL, block_bytes=passes)

    def _tail(self, passes: int, stalls: int) -> Machine[Finding]:
        """Between a size that passes and one that stalls: the largest that passes, by bisection."""
        believed = stalls
        while believed - passes > BISECT_TO:
            while stalls - passes > BISECT_TO:
                size = (passes + stalls) // 2
                if (yield from self._tail_passes(size, SEARCH_MS)):
                    passes = size
                else:
                    stalls = size
            # The smallest that stalled was seen to do so for a moment only: twice more, for the whole time.
            for _ in range(2):
                if stalls != believed and (yield from self._tail_passes(stalls, self._least_ms)):
                    passes, stalls = stalls, believed
                    break
            else:
                believed = stalls
            if self._sent > STREAM_CAP // 2:
                yield from self._reopen(SMALL)
                yield from self._begins(self._least_ms)
        self._say(
            text(
                "single events of {passes:,} bytes pass, of {believed:,} bytes wait for the next one",
                passes=passes,
                believed=believed,
            )
        )
        return self._found(Verdict.BYTE_LIMITED, Shape.TAIL, block_bytes=passes)

    def _tail_passes(self, size: int, least_ms: float) -> Machine[bool]:
        if (yield from self._single(size, least_ms)):
            return True
        yield from self._feed(SMALL)
        yield from self._comes(self._least_ms, events=self._count - 1)
        return False

    def _by_size(self) -> Machine[Finding]:
        """Nothing frees it but more bytes, or the end: feed on, doubling, until something comes out."""
        for total in SIZES:
            size = total - self._held
            if size < SMALLEST:
                continue
            last = total == SIZES[-1]
            came, octets = yield from self._feed_and_watch(size, self._least_ms if last else SEARCH_MS)
            if came is Came.HELD:
                continue
            self._say(
                text("with {total:,} bytes held in all, {octets:,} came out", total=total, octets=octets)
            )
            if came is Came.LATE:
                found = yield from self._by_time()
                if found is not None:
                    return found
            return (yield from self._blocks_or_prefix(total))
        self._say(text("{held:,} bytes were held in all, and nothing came out", held=self._held))
        return (yield from self._whole())

    def _whole(self) -> Machine[Finding]:
        ended = yield from self._do(End(SIDE_TIMEOUT_MS))
        came = yield from self._comes(END_TIMEOUT_MS, octets=self._sent)
        if came is Came.HELD:
            self._say(
                text(
                    "{octets:,} of {sent:,} bytes came after the stream's end",
                    octets=self._stream.octets,
                    sent=self._sent,
                )
            )
            return self._found(Verdict.INCONCLUSIVE, doubts=(Doubt.STREAM_CUT,))
        took = self._now_ms - ended.now_ms
        self._say(
            text(
                "after the stream's end all {sent:,} bytes came within {took:.0f} ms",
                sent=self._sent,
                took=took,
            )
        )
        # The end may not be what freed it: a long timer looks like this. End a stream at once and see.
        yield from self._open(SMALL)
        yield from self._end_once_started()
        came = yield from self._comes(END_TIMEOUT_MS, events=1)
        if came is Came.HELD:
            return self._found(Verdict.INCONCLUSIVE, doubts=(Doubt.STREAM_CUT,))
        self._say(
            text("a stream that was ended at once came after {first_ms:.0f} ms", first_ms=self._first_ms)
        )
        if came is Came.LATE and self._first_ms >= LEAST_MS:
            return self._timer(self._first_ms - self.rtt_ms)
        return self._found(Verdict.WHOLE_MESSAGE, Shape.WHOLE)

    def _blocks_or_prefix(self, total: int) -> Machine[Finding]:
        """So much came out at once: does all flow now (a prefix), or does it take as much again (blocks)?"""
        if (yield from self._single(SMALL)) and (yield from self._single(SMALL)):
            return (yield from self._prefix(total))
        step, kept_back = max(SMALLEST, total // 4), False
        while True:
            released: list[int] = []
            fed = 0
            # A stall can join two releases, so two alike are wanted.
            while not alike(released) and fed <= 3 * total and self._sent + step <= STREAM_CAP:
                came, octets = yield from self._feed_and_watch(step, SEARCH_MS)
                if came is Came.LATE:
                    found = yield from self._by_time()
                    if found is not None:
                        return found
                fed += step
                kept_back = kept_back or self._held > 0
                if came is not Came.HELD:
                    released.append(octets)
                    fed = 0
            if len(released) < 2:
                # A timer's release can fall together with what was fed just then.
                found = yield from self._by_time()
                if found is not None:
                    return found
                self._say(text("it could not be seen to do so again"))
                return self._found(Verdict.BYTE_LIMITED, block_bytes=total, doubts=(Doubt.NOT_REPEATED,))
            if not kept_back:  # it was the beginning that was held
                return (yield from self._prefix(total))
            last = released[-2:]
            size = round(median(last))
            # Fed in steps of its own size, several blocks would pass for one.
            if size >= 2 * step or step == SMALLEST:
                break
            step = max(SMALLEST, size // 4)
        self._say(
            text(
                "then {last:,} and {last_2:,} bytes came out at a time, fed {step:,} at a time",
                last=last[0],
                last_2=last[1],
                step=step,
            )
        )
        return self._found(Verdict.BYTE_LIMITED, Shape.BLOCKS, block_bytes=size if alike(released) else None)

    def _prefix(self, total: int) -> Machine[Finding]:
        """Small events passed from then on: on a new stream, are `total` octets let through, and half not?"""
        self._say(text("from then on small events passed"))
        first_ms = self._first_ms
        while True:
            yield from self._reopen(SMALL)
            half = total // 2 - SMALL
            if half >= SMALLEST:
                yield from self._feed_once_started(half)
            came = yield from self._begins(self._least_ms)
            if came is Came.HELD:
                yield from self._feed_once_started(total - self._sent)
                came = yield from self._comes(self._least_ms, events=1)
                if came is Came.PROMPT:
                    break
            elif came is Came.PROMPT:
                if half < SMALLEST:
                    return (yield from self._again())
                total //= 2
                continue
            found = yield from self._start_held_by_time(first_ms)
            return found or (yield from self._again())
        self._say(
            text("on a new stream, {total:,} bytes came out at once, and half of it did not", total=total)
        )
        return self._found(Verdict.BYTE_LIMITED, Shape.PREFIX, block_bytes=total)

    def _start_held_by_time(self, first_ms: float) -> Machine[Finding | None]:
        """Does a stream's beginning come by itself, as it did after `first_ms`? None if not, or at once."""
        wait_ms = min(self._longest_timer_ms, 2 * first_ms + self._least_ms)
        yield from self._reopen(SMALL)
        if (yield from self._begins(wait_ms)) is not Came.LATE:
            return None
        self._say(
            text(
                "on a new stream the first event came after {first_ms:.0f} ms, whatever was sent",
                first_ms=self._first_ms,
            )
        )
        return self._found(Verdict.TIME_LIMITED, Shape.TIMER, hold_ms=self._first_ms)

    def _by_time(self) -> Machine[Finding | None]:
        """Something came out when nothing had been sent: do events come by themselves? None if held for good.

        The stream may be another one afterwards, only if there is a finding.
        """
        self._say(text("it came out when nothing had just been sent: a timer?"))
        first_ms = self._first_ms
        wait_ms = min(self._longest_timer_ms, 2 * (self._now_ms - self._opened_ms) + self._least_ms)
        pace = yield from self._pace(wait_ms)
        if pace is None:
            return None
        if pace.late:
            return self._timer(pace.hold_ms)
        if first_ms - self.rtt_ms >= self._least_ms:
            found = yield from self._start_held_by_time(first_ms)
            if found is not None:
                return found
        return (yield from self._again())

    def _timer(self, hold_ms: float) -> Finding:
        self._say(
            text(
                "single events came {hold_ms:.0f} ms late, when side requests had overtaken them",
                hold_ms=hold_ms,
            )
        )
        return self._found(Verdict.TIME_LIMITED, Shape.TIMER, hold_ms=hold_ms)

    def _pause(self, why: Doubt) -> Machine[Finding]:
        self._doubts.append(why)
        self._say(
            text("lock-step was not possible ({why}), so the origin was asked to pause instead", why=why)
        )
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


def alike(released: list[int]) -> bool:
    """Whether the last two releases are of one size."""
    last = released[-2:]
    return len(last) == 2 and max(last) - min(last) <= 0.1 * max(last)
