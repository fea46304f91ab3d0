"""A timeline: events sent and arrived, each with its time and size.

All times are milliseconds from the moment the request was sent, on the client's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from kit.proof.looks import Watched


class End(Enum):
    """How a response ended."""

    WHOLE = "its framing's end, and a mark of its own where one is to be expected"
    UNMARKED = "its framing's end alone: a hop may have made that of a cut"
    UNKNOWN = "the connection's end, or no mark where its kind bears one: whole, or cut"
    CUT = "not by its framing's end, or not by its service's own"
    LEFT = "it went on for longer than our patience"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One complete event.

    Attributes:
        seq: the origin's number for it, from 0 (its place in the stream if the origin gives none).
        sent_ms: when the origin sent it, mapped to the client's clock; None where that is not known.
        arrived_ms: when the network read that completed it returned.
        bytes: its octets, framing included, before content coding.
    """

    seq: int
    sent_ms: float | None
    arrived_ms: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """One response, from the request to its end.

    Attributes:
        arrivals: the complete events in order of arrival.
        ttfb_ms: the response's first byte (its head); None when nothing arrived.
        duration_ms: the end of the response, or our timeout.
        complete: whether the response ended as its protocol says it must (`done` or `error`, and the
            framing's own end), and not by a cut or by our leaving.
        end: how it ended; None where only `complete` is known.
        watched: what it looks like; None where that was not judged.
    """

    arrivals: tuple[Arrival, ...]
    ttfb_ms: float | None
    duration_ms: float
    complete: bool
    end: End | None = None
    watched: Watched | None = None

    @property
    def first_event_ms(self) -> float | None:
        """When the first complete event arrived."""
        return self.arrivals[0].arrived_ms if self.arrivals else None
