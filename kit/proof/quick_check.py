"""The shortest proof: do small events pass under these conditions, one by one? Two round trips say so.

A lock-step proof (`kit.proof.lockstep`) tells how a stream is held and by how much. To compare conditions
it is enough to know whether it is held, and several can be checked side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum

from kit.language import text
from kit.proof.actions import Action, End, Machine, Observed
from kit.proof.doubts import Doubt
from kit.proof.steps import MOST_BEGINNINGS, SIDE_TIMEOUT_MS, SMALL, Came, GiveUpError, OverError, Steps
from kit.proof.verdict import Finding, Shape, Verdict

# On a busy machine every event may come some milliseconds late. The shortest timer that was measured, a cork
# of HAProxy's, holds each for 208 ms.
LEAST_HOLD_MS = 50.0


class State(StrEnum):
    """What became of a stream under some conditions."""

    STREAMS = "streams"
    HELD = "held"
    REFUSED = "refused"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen under some conditions.

    Attributes:
        state: the word.
        said: what was seen, for a person.
        shape: how it is held, where that is known.
        block_bytes: N of the shape, octets; None where not known.
        hold_ms: how much later than it should have an event arrived; None where not measured.
        proven: False for what only arrival times suggest.
        doubts: reasons not to trust it.
        verdict: of a whole proof; None where there was none.
    """

    state: State
    said: str
    shape: Shape | None = None
    block_bytes: int | None = None
    hold_ms: float | None = None
    proven: bool = True
    doubts: tuple[Doubt, ...] = ()
    verdict: Verdict | None = None

    @property
    def streams(self) -> bool:
        """Whether it streams."""
        return self.state is State.STREAMS

    @property
    def busy(self) -> bool:
        """Whether it is undecided because this process did not run enough: worth asking again."""
        return self.state is State.UNDECIDED and Doubt.BUSY_MACHINE in self.doubts


class Sign(Enum):
    """What a quick check shows before it is done."""

    SERVED = "served"  # the stream and a side request, side by side
    HELD = "held"  # the first event, for the whole least time
    PASSES = "passes"  # two events, one by one


class QuickCheck(Steps):
    """One check of one path. `run()` is the machine.

    Args:
        rtt_ms: the side connection's round trip, measured before.
        slowest_ms: the slowest of those that were measured.
        event_bytes: an event of this size is judged as well; above it a held tail is no matter.
        on_sign: called with each sign, once, as soon as it is there, and the milliseconds since the opening.
            That a stream passes takes two round trips.
    """

    def __init__(
        self,
        rtt_ms: float,
        slowest_ms: float,
        event_bytes: int = SMALL,
        on_sign: Callable[[Sign, float], None] = lambda sign, ms: None,
    ) -> None:
        super().__init__(rtt_ms, slowest_ms, LEAST_HOLD_MS)
        self._event_bytes = event_bytes
        self._on_sign = on_sign
        self._signs: set[Sign] = set()

    def run(self) -> Machine[Observation]:
        """Open, wait for the first event, then step; whatever came of it."""
        try:
            seen = yield from self._look()
            yield End(SIDE_TIMEOUT_MS)
        except OverError as over:
            seen = of_finding(over.finding)
        except GiveUpError as why:
            yield End(SIDE_TIMEOUT_MS)
            seen = Observation(State.UNDECIDED, why.doubt.remedy, doubts=(why.doubt,))
        return seen

    def _sign(self, sign: Sign, at_ms: float) -> None:
        if sign not in self._signs:
            self._signs.add(sign)
            self._on_sign(sign, at_ms - self._opened_ms)

    def _do(self, action: Action) -> Machine[Observed]:
        observed = yield from super()._do(action)
        if observed.reply is not None and observed.reply.known:
            self._sign(Sign.SERVED, observed.now_ms)
        return observed

    def _look(self) -> Machine[Observation]:
        seen = None
        for _ in range(MOST_BEGINNINGS):
            yield from self._open(SMALL)
            seen = yield from self._once()
            if seen is not None and not seen.busy:
                return seen
            yield End(SIDE_TIMEOUT_MS)
        said = text("what was held once was not held again")
        return seen or Observation(State.UNDECIDED, said, doubts=(Doubt.NOT_REPEATED,))

    def _once(self) -> Machine[Observation | None]:
        """None if what was held was not held again."""
        if (yield from self._begins(self._least_ms)) is Came.HELD:
            # A stream that the origin does not know was never held: it has not begun.
            yield from self._feed_once_started()
            self._sign(Sign.HELD, self._now_ms)
            if (yield from self._comes(self._least_ms, events=1)) is Came.HELD:
                return Observation(
                    State.HELD, text("the first two events did not come, and side requests overtook them")
                )
            yield from self._reopen(SMALL)
            held = (yield from self._begins(self._least_ms)) is Came.HELD
            said = text("the first event did not come before the second was sent, on two streams")
            return Observation(State.HELD, said) if held else None
        pace = None
        if (yield from self._single(SMALL)):
            self._sign(Sign.PASSES, self._stream.arrivals[1][0])
            pace = yield from self._pace()
        if pace is None:
            said = text(
                "event {events} did not come before the next was sent", events=self._stream.events + 1
            )
            return Observation(State.HELD, said) if (yield from self._again(SMALL)) else None
        if pace.late is None:
            said = text("events came late by any time, or in time by turns")
            return Observation(State.UNDECIDED, said, doubts=(Doubt.BUSY_MACHINE,))
        if pace.late:
            hold = pace.hold_ms
            return Observation(
                State.HELD, text("each event came {hold:.0f} ms late", hold=hold), Shape.TIMER, hold_ms=hold
            )
        size, passed = self._event_bytes, self._count
        if size > SMALL and not (yield from self._single(size)):
            said = text("the end of an event of {size:,} bytes did not come", size=size)
            return Observation(State.HELD, said, Shape.TAIL) if (yield from self._again(size)) else None
        said = text("{passed} events, each sent only after the one before had come: passed", passed=passed)
        return Observation(State.STREAMS, said)

    def _again(self, size: int) -> Machine[bool]:
        """An event of this size is held: even once the next is sent, or else another one as well?"""
        yield from self._feed(SMALL)
        if (yield from self._comes(self._least_ms, events=self._count - 1)) is Came.HELD:
            return True
        return not (yield from self._single(size))


def of_finding(finding: Finding) -> Observation:
    """A whole proof's finding in the same words."""
    state = {
        Verdict.INCREMENTAL: State.STREAMS,
        Verdict.REFUSED: State.REFUSED,
        Verdict.INCONCLUSIVE: State.UNDECIDED,
    }.get(finding.verdict, State.HELD)
    said = finding.evidence[-1] if finding.evidence else ""
    return Observation(
        state,
        said,
        finding.shape,
        finding.block_bytes,
        finding.hold_ms,
        doubts=finding.doubts,
        verdict=finding.verdict,
    )
