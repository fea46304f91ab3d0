"""Bytes in, complete events out: what "an event arrived" means for each media type.

No decoder holds more than `MAX_EVENT_BYTES` of an unfinished event, so that a server which never ends one
cannot fill our memory.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Protocol

# Twice the largest event that the proof sends; an answer's event is a few hundred bytes.
MAX_EVENT_BYTES = 2 * 1024 * 1024


class EventTooLargeError(Exception):
    """An event grew over the limit without ending."""


@dataclass(frozen=True, slots=True)
class Event:
    """One complete event.

    Attributes:
        type: the SSE event name ("message" if none was given); "line" or "chunk" for other media types.
        data: its payload as text.
        id: the SSE last event id in force; empty for other media types.
        octets: its size, framing included, since the end of the event before.
    """

    type: str
    data: str
    id: str
    octets: int


class Decoder(Protocol):
    """Takes the body as it arrives."""

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes completed, in order.

        Raises:
            EventTooLargeError: an event is over the limit.
        """


class LineDecoder:
    """A line is an event (NDJSON, text in lines). Lines end with LF; a CR before it belongs to it."""

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self._pending = bytearray()
        self._limit = limit

    def feed(self, data: bytes) -> list[Event]:
        """The lines that these bytes completed, in order.

        Raises:
            EventTooLargeError: a line is over the limit, complete or not.
        """
        *complete, rest = data.split(b"\n")
        events = []
        for line in complete:
            self._pending += line
            text = bytes(self._pending).decode("utf-8", "replace")
            events.append(Event("line", text.removesuffix("\r"), "", len(self._pending) + 1))
            self._pending.clear()
        self._pending += rest
        if len(self._pending) > self._limit:
            raise EventTooLargeError
        return events

    @property
    def unfinished(self) -> bool:
        """Whether what came last is the beginning of an object; a whole one may lack its line break."""
        try:
            json.loads(self._pending or b"{}")
        except (ValueError, RecursionError):
            return True
        return False


class ChunkDecoder:
    """Each read is an event: for bodies whose events we do not know."""

    def feed(self, data: bytes) -> list[Event]:
        """These bytes, as one event; none of no bytes."""
        return [Event("chunk", data.decode("utf-8", "replace"), "", len(data))] if data else []
