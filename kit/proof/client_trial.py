"""One run of a client against a known good stream: is each event printed before the next one is sent?

The same lock-step as for a path (`kit.proof.lockstep`), with the client's own standard output at its end:
event k+1 is written only after event k's mark was seen there. A client may print any part of an event, so
what counts is marks; how much came out is a hint, and exact only where the client prints all that it reads.

In the words of `kit.proof.actions`, `Open` starts the command and returns once its request has come in (or
never will); from then on patience counts, so that a slow start is no hold. `Feed` writes one event, `End`
ends the stream. The stream that is looked at (`Received`) is the standard output: its events are marks
(`kit.proof.client_marks`), its status is None until the request is in, and it ends when the command does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import gcd, inf
from statistics import median

from kit.language import text
from kit.proof.actions import Await, End, Feed, Machine, Observed, Open
from kit.proof.client_causes import Fault
from kit.proof.client_marks import SMALLEST, Place
from kit.proof.events import ChunkDecoder
from kit.proof.received import Received
from kit.proof.verdict import Shape

# Octets of the tokens: primes, so that no fixed size of reading fits them by chance.
TOKENS = (199, 211, 223, 197, 227)
ENOUGH = 2  # tokens in lock-step after which a command that ends by itself has shown that it flows
SIZES = [512 << power for power in range(10)]  # 512 B … 256 KiB
EVENT = 4096  # octets of the largest event: some clients refuse a line of 64 KiB
TIMEOUT_MS = 2_000.0
SIZE_MS = 400.0
PROMPT_MS = 150.0
QUIET_MS = 100.0
TIMER_MS = 5_000.0
END_MS = 10_000.0
LATE_MS = 1_000.0
SMALLEST_BLOCK = 16  # octets: below that a common divisor is chance
ROUND = 8_000  # octets: a multiple of the sizes that people choose, as the sizes are of powers of two


class Outcome(StrEnum):
    """What a client did with the stream."""

    FLOWS = "flows"
    HELD = "held"
    UNRECOGNISED = "unrecognised"  # it got the whole stream, and no mark was printed
    ENDED_EARLY = "ended-early"  # the command ended before anything could be said
    NEVER_ASKED = "never-asked"
    BROKE = "broke"  # it held nothing, and something else went wrong (`kit.proof.client_stress`)


@dataclass(frozen=True, slots=True)
class Trial:
    """What one run showed.

    Attributes:
        outcome: the word.
        seen: what was seen, one sentence or two.
        shape: how it holds, if that was asked for and found.
        block: of `Shape.BLOCKS` and `PREFIX`: N lies between these, in octets; equal where it is exact.
        ended: whether the command ended by itself.
        late: whether what it held came long after the stream's end: a slow beginning looks like this.
        output_block: of `Shape.BLOCKS`: N in octets of output, if it is its output that it collects.
        wrong: what broke.
        lived_ms: of `Outcome.BROKE`: from its request to where it gave up, if it did.
        place: of `Outcome.BROKE`: at which event it gave up, if that may be why.
    """

    outcome: Outcome
    seen: str
    shape: Shape | None = None
    block: tuple[int, int] | None = None
    ended: bool = False
    late: bool = False
    output_block: int | None = None
    wrong: tuple[Fault, ...] = ()
    lived_ms: float | None = None
    place: Place | None = None


def wait(stream: Received, within_ms: float, events: float = inf, octets: float = inf) -> Machine[float]:
    """Wait as `Await` does; the milliseconds it took, without those in which this process did not run."""
    last, waited_ms = (yield Await(0.0)), 0.0
    while waited_ms < within_ms:
        seen = yield Await(within_ms - waited_ms, events, octets)
        waited_ms += seen.now_ms - last.now_ms - seen.late_ms
        last = seen
        there = stream.events >= events or stream.octets >= octets
        if there or stream.ended_ms is not None or not seen.late_ms:
            break
    return waited_ms


def never_asked(stream: Received) -> Trial:
    """What a run showed in which no request came."""
    if stream.ended_ms is not None:
        return Trial(Outcome.NEVER_ASKED, text("the command ended without asking for the URL"), ended=True)
    return Trial(Outcome.NEVER_ASKED, text("the command did not ask for the URL in time"))


def trial(*, sizes: bool) -> Machine[Trial]:
    """One run. With `sizes` a client that holds is fed on, to see whether it holds by size."""
    return _Trial().run(sizes)


class _Trial:
    def __init__(self) -> None:
        self._stream = Received(ChunkDecoder())
        self._before = 0  # octets printed before the request
        self._ends: list[int] = []  # of each event sent, in octets from the stream's beginning
        self._paused_at: list[int] = []  # octets of output whenever something had come out, and no more did

    @property
    def _sent(self) -> int:
        return self._ends[-1]

    @property
    def _behind(self) -> int:
        """Events that were sent and are not to be seen."""
        return len(self._ends) - self._stream.events

    def run(self, sizes: bool) -> Machine[Trial]:
        opened = yield Open(TOKENS[0])
        self._ends = [TOKENS[0]]
        assert opened.stream is not None  # noqa: S101 (an Open was answered)
        self._stream, self._before = opened.stream, opened.stream.octets
        if self._stream.status is None:
            return never_asked(self._stream)
        fed_ms, taken = opened.now_ms, list[float]()
        for size in (*TOKENS[1:], 0):
            yield from self._wait(TIMEOUT_MS, events=len(self._ends))
            if self._behind:
                break
            taken.append(self._stream.arrivals[-1][0] - fed_ms)
            if self._stream.ended_ms is not None:
                break
            if size:
                fed_ms = (yield from self._feed(size)).now_ms
        if self._stream.ended_ms is not None:
            return self._ended_early(len(taken))
        if not self._behind:
            yield End(0)
            return Trial(
                Outcome.FLOWS,
                text(
                    "{n} events, each printed before the next one was sent, {took} after it was sent",
                    n=len(taken),
                    took=_took(median(taken)),
                ),
            )
        return (yield from self._held(sizes))

    # How a run ends.

    def _ended_early(self, passed: int) -> Trial:
        # What came out may have come by the end alone; not where the next event was sent, which waits for it.
        if passed >= ENOUGH:
            return Trial(
                Outcome.FLOWS,
                text(
                    "the command ended by itself after {n} events, each printed before the next was sent",
                    n=passed,
                ),
                ended=True,
            )
        return Trial(
            Outcome.ENDED_EARLY,
            text("the command ended by itself while the stream ran, after {events}", events=_events(passed)),
            ended=True,
        )

    def _held(self, sizes: bool) -> Machine[Trial]:
        first = self._stream.events
        shape, block, how = None, None, ""
        if sizes:
            shape, block, how = yield from self._by_size()
        before = self._stream.events
        late_ms = 0.0
        if self._stream.ended_ms is None:
            end_ms = (yield End(0)).now_ms
            yield from self._wait(END_MS, events=len(self._ends))
            if shape is Shape.BLOCKS:
                yield from self._wait(LATE_MS, octets=self._sent)  # the rest of the last event
            late_ms = self._stream.arrivals[-1][0] - end_ms if self._stream.events else 0.0
        ended = self._stream.ended_ms is not None
        if not self._stream.events:
            octets = self._stream.octets
            printed = _bytes(octets) if octets else text("nothing")
            return Trial(
                Outcome.UNRECOGNISED,
                text(
                    "the command got the whole stream and printed {printed}; no event could be recognised "
                    "in it",
                    printed=printed,
                ),
                ended=ended,
            )
        if shape is Shape.BLOCKS:
            block = self._exactly(block)
        after = self._stream.events - before
        seen = text(
            "event {n} was not printed within {s:.0f} s of being sent{how}; {before} of {all} printed before "
            "the stream's end, {after} after it",
            n=first + 1,
            s=TIMEOUT_MS / 1000,
            how=how,
            before=before or text("none"),
            all=len(self._ends),
            after=after or text("none"),
        )
        output = self._output_block() if shape is Shape.BLOCKS else None
        late = late_ms > LATE_MS
        if late:
            seen += text(", {s:.1f} s later", s=late_ms / 1000)
        return Trial(Outcome.HELD, seen, shape, block, ended, late, output)

    def _exactly(self, block: tuple[int, int] | None) -> tuple[int, int] | None:
        """N, where the client prints exactly what it reads: then each pause lies at a multiple of it."""
        exact = gcd(*self._paused_at)
        if self._stream.octets != self._sent or block is None or exact < SMALLEST_BLOCK:
            return block
        return (exact, exact) if block[0] <= exact <= block[1] else block

    def _output_block(self) -> int | None:
        """Where it does not, the pauses lie at multiples of its output's size, if it collects that."""
        if self._stream.octets == self._sent or len(self._paused_at) < 2:
            return None
        exact = gcd(*self._paused_at)
        return exact if exact % 512 == 0 and exact else None

    # Does it hold by size?

    def _by_size(self) -> Machine[tuple[Shape | None, tuple[int, int] | None, str]]:
        for size in SIZES:
            if size < self._sent + SMALLEST:
                continue
            low = self._sent if self._stream.octets == self._before else 1
            released = yield from self._grow_to(size)
            if self._stream.ended_ms is not None:
                return None, None, text(", and the command ended before its stream did")
            if released is None:
                continue
            if released > PROMPT_MS:
                timer = yield from self._by_time()
                if timer is not None and timer <= PROMPT_MS:
                    return (
                        Shape.TIMER,
                        None,
                        text(", but later, by itself; from then on events were printed at once"),
                    )
                if timer is not None:
                    return Shape.TIMER, None, text(", but {s:.1f} s later, by itself", s=timer / 1000)
            return (yield from self._by_release(low, size))
        return Shape.WHOLE, None, text(", and {n:,} bytes sent in all brought nothing", n=self._sent)

    def _by_release(self, low: int, size: int) -> Machine[tuple[Shape | None, tuple[int, int] | None, str]]:
        """So much freed something: what does it take to free more?"""
        how = text(", and with {n:,} bytes sent in all something was", n=size)
        behind = []
        for token in TOKENS[:3]:
            yield from self._feed_and_watch(token)
            behind.append(self._behind)
        if behind == [0, 0, 0]:
            return Shape.PREFIX, (low, size), how + text("; from then on each event was printed at once")
        if behind == [1, 1, 1]:
            for multiple in (1024, ROUND):
                yield from self._grow_to(self._next(multiple))
                if not self._behind:
                    return Shape.BLOCKS, (1, max(TOKENS)), how + text("; small pieces at a time come out")
            return Shape.TAIL, None, how + text("; each event was printed when the next one was sent")
        # Reads of `size` octets leave everything after their last multiple unprinted, and reach the next one.
        total = self._next(size)
        printed = sum(end <= total - size for end in self._ends)
        yield from self._grow_to(total - SMALLEST)
        early = self._stream.events > printed
        yield from self._grow_to(total)
        if early or self._behind:
            return Shape.BLOCKS, (low, size), how + text("; and again later")
        return (
            Shape.BLOCKS,
            (size - SMALLEST + 1, size),
            how + text("; then nothing until {n:,} had been sent, and all of it then", n=total),
        )

    def _next(self, multiple: int) -> int:
        """The next multiple that two events can reach."""
        return -(-(self._sent + 2 * SMALLEST) // multiple) * multiple

    def _by_time(self) -> Machine[float | None]:
        """Something came out when nothing had just been sent: does an event come out alone?"""
        yield from self._watch(self._stream.octets)
        fed = yield from self._feed(TOKENS[0])
        yield from self._wait(TIMER_MS, events=len(self._ends))
        return None if self._behind else self._stream.arrivals[-1][0] - fed.now_ms

    # The moves.

    def _wait(self, within_ms: float, events: float = inf, octets: float = inf) -> Machine[float]:
        return (yield from wait(self._stream, within_ms, events, octets))

    def _feed(self, size: int) -> Machine[Observed]:
        observed = yield Feed(size, 0)
        self._ends.append(self._sent + size)
        return observed

    def _feed_and_watch(self, size: int) -> Machine[float | None]:
        before = self._stream.octets
        yield from self._feed(size)
        return (yield from self._look(before))

    def _grow_to(self, total: int) -> Machine[float | None]:
        """Send up to `total` octets in all; after how many milliseconds something came out, if it did."""
        before = self._stream.octets
        while self._sent < total:
            left = total - self._sent
            yield from self._feed(left if left <= EVENT else min(EVENT, left - SMALLEST))
        return (yield from self._look(before))

    def _look(self, before: int) -> Machine[float | None]:
        waited_ms = yield from self._wait(SIZE_MS, octets=before + 1)
        if self._stream.octets == before:
            return None
        yield from self._watch(before)
        return waited_ms

    def _watch(self, seen: int) -> Machine[None]:
        """Wait while more comes out, but not for longer than it takes to know a client that floods."""
        for _ in range(50):
            if self._stream.octets == seen:
                break
            seen = self._stream.octets
            yield from self._wait(QUIET_MS, octets=seen + 1)
        self._paused_at.append(self._stream.octets)


def _took(ms: float) -> str:
    return text("less than 1 ms") if ms < 1 else text("{ms:.0f} ms", ms=ms)


def _events(count: int) -> str:
    return text("1 event") if count == 1 else text("{n} events", n=count)


def _bytes(count: int) -> str:
    return text("1 byte") if count == 1 else text("{n:,} bytes", n=count)
