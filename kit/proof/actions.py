"""The actions that a machine asks its runner to take, and the observations it is sent in return."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Literal, TypeAlias, TypeVar

from kit.proof.client_marks import Place
from kit.proof.received import Received


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask the origin for its time on the side connection, and whether it has the stream opened last.

    Given up after `within_ms`.
    """

    within_ms: float


@dataclass(frozen=True, slots=True)
class Open:
    """Open a new stream (its predecessor is over) whose first event has `bytes` octets. Does not wait.

    `seconds`: for how long it is to live at its origin; None for as long as any does, 120 s.
    Without `first` the origin sends nothing, no head either, until it is fed; an older one does all the same.
    Told to stop, its origin goes on with it for `stop` seconds.
    """

    bytes: int
    mode: Literal["lockstep", "pause"] = "lockstep"
    seconds: int | None = None
    first: bool = True
    stop: int = 0


@dataclass(frozen=True, slots=True)
class Feed:
    """Have the origin send one event of `bytes` octets, or a comment; wait for the side request's answer."""

    bytes: int
    within_ms: float
    comment: bool = False


@dataclass(frozen=True, slots=True)
class Pass:
    """Have the origin release so many pieces of its answer in all; wait for the side request's answer.

    That comes once they are gone, or no more can be.
    """

    pieces: int
    within_ms: float


@dataclass(frozen=True, slots=True)
class End:
    """Have the origin end the stream, or release all of its answer; wait for the side request's answer."""

    within_ms: float


@dataclass(frozen=True, slots=True)
class Await:
    """Wait until the stream has so many complete events, or so many octets, or ended; or `within_ms`."""

    within_ms: float
    events: float = inf
    octets: float = inf


@dataclass(frozen=True, slots=True)
class Pair:
    """Write two events to a client, the first cut at `place`, with a pause before each piece."""

    place: Place


class By(StrEnum):
    """How a client leaves a stream: it closes the connection, with a FIN or a RST, or takes the request back
    (RST_STREAM) on a connection of HTTP/2 that stays open."""

    FIN = "FIN"
    RST = "RST"
    RST_STREAM = "RST_STREAM"


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the stream while it goes on. It counts as ended from then on."""

    by: By


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for `ms`."""

    ms: float


Action: TypeAlias = Ping | Open | Feed | Pass | End | Await | Pair | Leave | Wait


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an answer in lock-step is at its origin. Times in milliseconds.

    Attributes:
        pieces: that were released.
        octets: in them, as they left the origin.
        sent: pieces that the app has sent; the last of them may wait.
        waits: whether a piece waits, or only the end does.
        free: why nothing is held any more; empty while it is.
        ended: whether the app has done with it.
        coding: the Content-Encoding that the octets bear already; empty for none.
        gone_ms: when the last piece was released, on the origin's clock.
        blocked_ms: for how long the app's event loop did not run when it was due, in all.
        times: of each piece that was noted: how many octets there were with it, when the app sent it and when
            it was released, both from the request's beginning at the origin.
        accel: whether the answer bears `X-Accel-Buffering: no`, which a hop may hide.
        works: once the app has done with it, what it began meanwhile and is at work yet: "feed (app.py:12)".
    """

    pieces: int
    octets: int
    sent: int
    waits: Literal["", "piece", "end"]
    free: str
    ended: bool
    coding: str
    gone_ms: float
    blocked_ms: float
    times: tuple[tuple[int, float, float], ...] = ()
    accel: bool = False
    works: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gone:
    """What became of a stream: why it is over, and when its origin noticed, on the origin's clock."""

    why: Literal["left", "ended", "time", "stopped"]
    ms: float


@dataclass(frozen=True, slots=True)
class Reply:
    """A side request's answer.

    Attributes:
        sent_ms, arrived_ms: on the client's clock.
        now_ms: the origin's clock when it answered.
        instance: which instance answered.
        known: whether that instance has the stream; False where an older origin's ping does not say.
        emitted: how many events it has sent.
        wraps: whether it can put the app's own answers in lock-step.
        progress: of such an answer; None of anything else.
        late_ms: for how long this process did not run while it waited for it.
        http: the version of HTTP in which the origin was asked, "1.0" or "1.1" say; empty where an older one
            does not tell.
        seconds: for how long the stream may live at its origin; None where an older one does not tell.
        gone: of a stream that is over; None of one that goes on, of one that the origin forgot, and where an
            older one does not tell.
    """

    sent_ms: float
    arrived_ms: float
    now_ms: float
    instance: str
    known: bool
    emitted: int
    wraps: bool = False
    progress: Progress | None = None
    http: str = ""
    late_ms: float = 0.0
    seconds: float | None = None
    gone: Gone | None = None

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
