"""The actions of a machine that has many streams at once, and what it sees of them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Literal, TypeAlias, TypeVar

from kit.language import text
from kit.proof.actions import Reply
from kit.proof.received import Received


class Missing(Enum):
    """Why a side request has no proper answer."""

    HUNG = "hung"
    REFUSED = text("were refused")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a stream did not begin.

    Attributes:
        how: the status, or what became of the connection.
        by: whose refusal it is: the path's, the proof's own, or this client's.
        server: what the answer calls its server; empty for nothing.
    """

    how: str
    by: Literal["path", "proof", "client"] = "path"
    server: str = ""


@dataclass(slots=True, eq=False)
class Stream:
    """One of the streams; it grows while the proof looks at it."""

    received: Received
    refusal: Refusal | None = None
    left: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing more can come."""
        return self.refusal is not None or self.left or self.received.ended_ms is not None

    @property
    def passes(self) -> bool:
        """Whether it is open and its first event is here."""
        return not self.over and self.received.events > 0


@dataclass(frozen=True, slots=True)
class Open:
    """Open so many fresh streams at the same time, each with a first event of a token's size; do not wait."""

    count: int


@dataclass(frozen=True, slots=True)
class Watch:
    """Wait until `enough` of the streams have so many events or are over; or `within_ms`.

    `wanted` is each stream's number, and how many events.
    """

    wanted: tuple[tuple[int, int], ...]
    within_ms: float
    enough: float = inf


@dataclass(frozen=True, slots=True)
class Ask:
    """Side requests, one for each stream (for none: one ping), at most `sides` at the same time.

    None is given longer than `within_ms`, and after one without an answer no further is begun.
    """

    what: Literal["ping", "feed", "end"]
    streams: tuple[int, ...]
    within_ms: float
    sides: int = 1


@dataclass(frozen=True, slots=True)
class Leave:
    """Close the streams' connections, and those of the side requests: a path may count these, too."""

    streams: tuple[int, ...]


Action: TypeAlias = Open | Watch | Ask | Leave
Answer: TypeAlias = Reply | Missing


@dataclass(frozen=True, slots=True)
class Observed:
    """How things stand after an action.

    Attributes:
        now_ms: the client's clock.
        streams: all that were ever opened, in their order; the place is the number.
        answers: to the side requests, in their order.
        late_ms: for how long of the action this process did not run when it was due.
    """

    now_ms: float
    streams: Sequence[Stream]
    answers: tuple[Answer, ...] = ()
    late_ms: float = 0.0


T = TypeVar("T")
Machine: TypeAlias = Generator[Action, Observed, T]
