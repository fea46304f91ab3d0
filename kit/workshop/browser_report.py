"""The browser's report, as it posts it: a line of JSON, then the octets of the reads, one after the other.

The octets travel as they came, so that kit/proof decodes and judges them here; the browser only stamps them.
All times are milliseconds of the browser's own clock (performance.now()).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kit.errors import Code, KitError
from kit.language import text
from kit.probe.client import MAX_BODY_BYTES
from kit.probe.http_errors import shown
from kit.probe.measured import MOST_EVENTS
from kit.proof.events import EventTooLargeError
from kit.proof.received import Received

# Twice what the page sends at a time, and less than the megabyte that a default nginx lets through.
MOST_BYTES = 1_000_000

Ms = Annotated[float, Field(allow_inf_nan=False, ge=-1e12, le=1e12)]
Text = Annotated[str, Field(max_length=10_000)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Head(_Model):
    """A response's head."""

    at: Ms
    status: Annotated[int, Field(ge=100, le=599)]
    headers: dict[Text, Text]


class Ended(_Model):
    """A response's end; `clean` where its framing came to its own."""

    at: Ms
    clean: bool


class Answered(_Model):
    """A side request's answer."""

    status: Annotated[int, Field(ge=0, le=599)]
    body: Text
    sent_ms: Ms
    arrived_ms: Ms


class BrowserReport(_Model):
    """How things stand in the browser, since it last said so.

    Attributes:
        now_ms: its clock.
        asked_ms: when the answer was asked for.
        head, reads, ended: of the stream that is open; of each read when it returned and how many octets.
        failed: whether the stream's request came to nothing, before any head.
        reply: what the side request brought; None where there was none, or it hung or failed.
        pings: the round trips before the answer was asked for.
        waited: whether a side request had to wait for a connection, as far as the browser shows.
        hidden: whether the page was hidden meanwhile.
        more: whether more of the same report follows.
    """

    now_ms: Ms
    asked_ms: Ms = 0.0
    head: Head | None = None
    reads: Annotated[list[tuple[Ms, Annotated[int, Field(ge=0)]]], Field(max_length=100_000)] = []
    ended: Ended | None = None
    failed: bool = False
    reply: Answered | None = None
    pings: Annotated[list[Answered], Field(max_length=10)] = []
    waited: bool = False
    hidden: bool = False
    more: bool = False


def read(body: bytes) -> tuple[BrowserReport, list[tuple[float, bytes]]]:
    """A report, and its reads with their octets.

    Raises:
        KitError: BAD_USAGE; it is not of that form.
    """
    line, _, octets = body.partition(b"\n")
    try:
        report = BrowserReport.model_validate_json(line)
    except ValidationError as bad:
        fault = bad.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"])) or "it"
        raise _not_so(f"{where}: {fault['msg']}") from None
    if sum(size for _, size in report.reads) != len(octets):
        raise _not_so("the octets are not as many as it says")
    reads, start = [], 0
    for at, size in report.reads:
        reads.append((at, octets[start : start + size]))
        start += size
    return report, reads


def receive(report: BrowserReport, reads: list[tuple[float, bytes]], received: Received, url: str) -> None:
    """Note what a report says of a stream's body and end, within the bounds of what the probe itself reads.

    Args:
        report: what the browser saw.
        reads: its octets, each with the time of its read.
        received: what came of the stream so far; its head is in.
        url: what was asked, for the error.

    Raises:
        KitError: TOO_LARGE; it is longer than any answer that is worth a measurement, or an event is.
    """
    try:
        for at, octets in reads:
            received.body(at, octets)
            if received.events > MOST_EVENTS or received.octets > MAX_BODY_BYTES:
                raise KitError(
                    Code.TOO_LARGE,
                    text(
                        "{url} sent more than {events:,} events or {mib} MiB.",
                        url=shown(url),
                        events=MOST_EVENTS,
                        mib=MAX_BODY_BYTES >> 20,
                    ),
                    text("Ask for a shorter answer: a stream of a few seconds is enough to judge it."),
                )
    except EventTooLargeError:
        raise KitError(
            Code.TOO_LARGE,
            text("{url} sent an event without an end.", url=shown(url)),
            text("Look at the server: an event ends with a blank line."),
        ) from None
    if report.ended is not None:
        received.end(report.ended.at, clean=report.ended.clean)


def _not_so(why: str) -> KitError:
    return KitError(Code.BAD_USAGE, f"That is no report of the page's ({why}).", "Reload the page.")
