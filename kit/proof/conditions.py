"""Under what a stream is asked for, and what can be changed about it: an experiment changes one thing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

MediaType = Literal["sse", "ndjson", "text"]
Switch = Literal["on", "off"]

MEDIA_TYPES: dict[MediaType, str] = {
    "sse": "text/event-stream",
    "ndjson": "application/x-ndjson",
    "text": "text/plain",
}


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a stream is asked for, and what its response bears.

    Attributes:
        method: of the request.
        media: of the response.
        header: whether the response bears `X-Accel-Buffering: no`.
        incremental: whether it bears `Incremental: ?1`.
        gzip: whether the request accepts gzip.
        http2: whether HTTP/2 is offered (over TLS).
        length: whether the response says its length, instead of being sent in chunks.
        direct: whether the service is asked directly, not through the hop.
    """

    method: str = "GET"
    media: MediaType = "sse"
    header: Switch = "on"
    incremental: Switch = "on"
    gzip: bool = False
    http2: bool = False
    length: bool = False
    direct: bool = False


class Change(StrEnum):
    """One thing that an experiment changes. The value is its name in JSON."""

    IDENTITY = "identity"
    HEADER = "header"
    EVENT_STREAM = "event-stream"
    METHOD = "method"
    HTTP_VERSION = "http-version"
    INCREMENTAL = "incremental"
    LENGTH = "length"
    DIRECT = "direct"

    def applied(self, to: Conditions) -> Conditions:
        """The conditions with this one thing changed; the same where there is nothing to change."""
        match self:
            case Change.IDENTITY:
                return replace(to, gzip=False)
            case Change.HEADER:
                return replace(to, header="on")
            case Change.EVENT_STREAM:
                return replace(to, media="sse")
            case Change.METHOD:
                return replace(to, method="GET" if to.method == "POST" else "POST")
            case Change.HTTP_VERSION:
                return replace(to, http2=not to.http2)
            case Change.INCREMENTAL:
                return replace(to, incremental="off" if to.incremental == "on" else "on")
            case Change.LENGTH:
                return replace(to, length=True)
            case Change.DIRECT:
                return replace(to, direct=True)

    def words(self, to: Conditions) -> str:
        """What is done to these conditions, for a row of evidence."""
        match self:
            case Change.IDENTITY:
                return "without compression (Accept-Encoding: identity)"
            case Change.HEADER:
                return "with X-Accel-Buffering: no"
            case Change.EVENT_STREAM:
                return "as text/event-stream"
            case Change.METHOD:
                return f"by {self.applied(to).method}"
            case Change.HTTP_VERSION:
                return f"over HTTP/{'1.1' if to.http2 else '2'}"
            case Change.INCREMENTAL:
                return f"{'without' if to.incremental == 'on' else 'with'} Incremental: ?1"
            case Change.LENGTH:
                return "with a Content-Length instead of chunks"
            case Change.DIRECT:
                return "the service directly"


def in_words(conditions: Conditions) -> str:
    """All of it in one line."""
    header = f"{'with' if conditions.header == 'on' else 'without'} X-Accel-Buffering: no"
    return f"{request_in_words(conditions)}, {header}"


def request_in_words(conditions: Conditions) -> str:
    """The same without what only the service knows: an nginx on the way hides the header."""
    return ", ".join(
        (
            f"{conditions.method} over HTTP/{'2' if conditions.http2 else '1.1'}",
            MEDIA_TYPES[conditions.media],
            "gzip accepted" if conditions.gzip else "no compression accepted",
        )
    )
