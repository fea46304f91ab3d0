"""What a proof asks its driver to do, and what it is told in return. The only words between them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from math import inf
from typing import Literal, TypeAlias, TypeVar

from kit.proof.received import Received


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask the origin for its time on the side connection, and whether it has the stream opened last.

    Given up after `within_ms`.
    """

    within_ms: float


@dataclass(frozen=True, slots=True)
class Open:
    """Open a new stream (its predecessor is over) whose first event has `bytes` octets. Does not wait."""

    bytes: int
    mode: Literal["lockstep", "pause"] = "lockstep"


@dataclass(frozen=True, slots=True)
class Feed:
    """Have the origin send one event of `bytes` octets; wait for the side request's answer."""

    bytes: int
    within_ms: float


@dataclass(frozen=True, slots=True)
class End:
    """Have the origin end the stream; wait for the side request's answer."""

    within_ms: float


@dataclass(frozen=True, slots=True)
class Await:
    """Wait until the stream has so many complete events, or so many octets, or ended; or `within_ms`."""

    within_ms: float
    events: float = inf
    octets: float = inf


Action: TypeAlias = Ping | Open | Feed | End | Await


@dataclass(frozen=True, slots=True)
class Reply:
    """A side request's answer.

    Attributes:
        sent_ms, arrived_ms: on the client's clock.
        now_ms: the origin's clock when it answered.
        instance: which instance answered.
        known: whether that instance has the stream; False where an older origin's ping does not say.
        emitted: how many events it has sent.
    """

    sent_ms: float
    arrived_ms: float
    now_ms: float
    instance: str
    known: bool
    emitted: int

    @property
    def took_ms(self) -> float:
        """The round trip."""
        return self.arrived_ms - self.sent_ms


@dataclass(frozen=True, slots=True)
class Observed:
    """How things stand after an action.

    Attributes:
        now_ms: the client's clock.
        reply: the side request's answer; None for other actions, and when it hung or failed.
        stream: the stream opened last (it grows while the proof looks at it); None before the first. All that
            this machine's kernel had of it when the action was over has been read.
        late_ms: for how long of the action this process did not run when it was due.
    """

    now_ms: float
    reply: Reply | None
    stream: Received | None
    late_ms: float = 0.0


T = TypeVar("T")
Machine: TypeAlias = Generator[Action, Observed, T]
