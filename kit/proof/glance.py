"""The shortest proof: do small events pass under these conditions, one by one? Two round trips say so.

A lock-step proof (`kit.proof.lockstep`) tells how a stream is held and by how much. To compare conditions
it is enough to know whether it is held, and several can be looked at side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from kit.proof.actions import End, Machine
from kit.proof.doubts import Doubt
from kit.proof.steps import SIDE_PATIENCE_MS, SMALL, GiveUpError, OverError, Steps
from kit.proof.verdict import Finding, Shape, Verdict

STEPS = 4
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
class Seen:
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


class Glance(Steps):
    """One look at one path. `run()` is the machine.

    Args:
        rtt_ms: the side connection's round trip, measured before.
        slowest_ms: the slowest of those that were measured.
        event_bytes: an event of this size is judged as well; above it a held tail is no matter.
        told: called as soon as two events have passed, one by one, with the milliseconds since the opening:
            two round trips.
    """

    def __init__(
        self,
        rtt_ms: float,
        slowest_ms: float,
        event_bytes: int = SMALL,
        told: Callable[[float], None] = lambda ms: None,
    ) -> None:
        super().__init__()
        self.rtt_ms, self.slowest_ms = rtt_ms, slowest_ms
        self._event_bytes = event_bytes
        self._told = told

    def run(self) -> Machine[Seen]:
        """Open, wait for the first event, then step; whatever came of it."""
        try:
            seen = yield from self._look()
            yield End(SIDE_PATIENCE_MS)
        except OverError as over:
            seen = of_finding(over.finding)
        except GiveUpError as why:
            yield End(SIDE_PATIENCE_MS)
            seen = Seen(State.UNDECIDED, why.doubt.remedy, doubts=(why.doubt,))
        return seen

    def _look(self) -> Machine[Seen]:
        yield from self._open(SMALL)
        if not (yield from self._arrives(1, self._patience_ms)):
            # A stream that the origin does not know was never held: it has not begun.
            yield from self._feed_once_started()
            freed = yield from self._arrives(1, self._rung_ms)
            then = "; the second freed it" if freed else ""
            return Seen(State.HELD, f"the first event did not come within {self._patience_ms:.0f} ms{then}")
        took: list[float] = []
        for _ in range(STEPS):
            step = yield from self._step(SMALL)
            if step is None:
                return Seen(State.HELD, f"event {len(took) + 2} did not come before the next was sent")
            took.append(step)
            if len(took) == 1:
                self._told(self._stream.arrivals[1][0] - self._opened_ms)
        # A busy machine is late now and then, a timer always: the promptest step cannot be luck.
        hold = max(0.0, min(took) - self.rtt_ms)
        if hold >= max(LEAST_HOLD_MS, self.floor_ms):
            return Seen(State.HELD, f"each event came {hold:.0f} ms late", Shape.TIMER, hold_ms=hold)
        if self._event_bytes > SMALL and (yield from self._step(self._event_bytes)) is None:
            return Seen(
                State.HELD, f"the end of an event of {self._event_bytes:,} bytes did not come", Shape.TAIL
            )
        return Seen(
            State.STREAMS, f"{STEPS + 1} events, each sent only after the one before had come: passed"
        )


def of_finding(finding: Finding) -> Seen:
    """A whole proof's finding in the same words."""
    state = {
        Verdict.INCREMENTAL: State.STREAMS,
        Verdict.REFUSED: State.REFUSED,
        Verdict.INCONCLUSIVE: State.UNDECIDED,
    }.get(finding.verdict, State.HELD)
    said = finding.evidence[-1] if finding.evidence else ""
    return Seen(
        state,
        said,
        finding.shape,
        finding.block_bytes,
        finding.hold_ms,
        doubts=finding.doubts,
        verdict=finding.verdict,
    )
