"""The conditions that a stream is asked for under, and their variants: an experiment changes one thing.

A proof speaks for the conditions that it ran under and for no others. So all that a hop may decide by is
taken from the answer that is judged: here, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from kit.language import join, text

Framing = Literal["sse", "ndjson", "text"]
Switch = Literal["on", "off"]

# What a proof stream bears that is asked for nothing else.
MEDIA_TYPES: dict[Framing, str] = {
    "sse": "text/event-stream; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "text": "text/plain; charset=utf-8",
}
CACHE_CONTROL = "no-cache, no-transform"
# What the kit asks for where the user does not say.
ACCEPT = "text/event-stream, application/x-ndjson;q=0.9, */*;q=0.8"
# The Accept-Encoding of a browser (Chromium 156), and over plain HTTP to any machine but its own.
BROWSER_CODINGS = "gzip, deflate, br, zstd"
PLAIN_HTTP_CODINGS = "gzip, deflate"
# The head of an answer of the kit's service, which is what to expect of an answer that is not there yet.
USUAL = {"content-type": MEDIA_TYPES["sse"], "cache-control": CACHE_CONTROL, "incremental": "?1"}

# What a proof stream may be asked to bear (docs/proof-protocol.md).
_CONTENT = re.compile(
    r"(?=.{1,100}\Z)(?:text|application)/[a-z0-9][a-z0-9.+-]*(?: ?; ?[a-z]+=\"?[a-z0-9._-]+\"?)*",
    re.ASCII | re.I,
)
_DIRECTIVE = re.compile(
    r"no-cache|no-store|no-transform|public|private|must-revalidate|proxy-revalidate|must-understand"
    r"|immutable|(?:max-age|s-maxage|stale-while-revalidate|stale-if-error)=[0-9]{1,10}",
    re.ASCII | re.I,
)
_VARY = re.compile(r"\*|[a-z0-9-]+", re.ASCII | re.I)
_MOST = 200


def framing(content_type: str) -> Framing:
    """What an event is in this media type."""
    match content_type.partition(";")[0].strip().lower():
        case "text/event-stream":
            return "sse"
        case "application/x-ndjson" | "application/jsonl" | "application/jsonlines":
            return "ndjson"
    return "text"


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a stream is asked for, and what its response bears.

    Attributes:
        method: of the request.
        media: the response's Content-Type, to the letter.
        header: whether the response bears `X-Accel-Buffering: no`.
        incremental: whether it bears `Incremental: ?1`.
        coding: the request's Accept-Encoding; empty where it bears none, as curl's does.
        http2: whether HTTP/2 is offered (over TLS).
        length: whether the response says its length, instead of being sent in chunks.
        direct: whether the service is asked directly, not through the hop.
        cache: the response's Cache-Control; empty for none.
        vary: its Vary; empty for none.
        accept: the request's Accept.
        fresh: whether the query is one that no cache has seen.
    """

    method: str = "GET"
    media: str = MEDIA_TYPES["sse"]
    header: Switch = "on"
    incremental: Switch = "on"
    coding: str = ""
    http2: bool = False
    length: bool = False
    direct: bool = False
    cache: str = CACHE_CONTROL
    vary: str = ""
    accept: str = ACCEPT
    fresh: bool = False

    @property
    def framing(self) -> Framing:
        """How the proof's events are framed."""
        return framing(self.media)


def of_answer(
    method: str,
    asked: Mapping[str, str],
    head: Mapping[str, str],
    *,
    header: Switch,
    http2: bool,
) -> Conditions:
    """The conditions that an answer was asked for and sent under, as far as a proof stream can take them.

    Args:
        method: its request's; anything but GET counts as POST.
        asked: the request's headers, names in lower case.
        head: the response's, names in lower case.
        header: whether it bears `X-Accel-Buffering: no`, which cannot always be seen.
        http2: whether it came over HTTP/2.
    """
    media = head.get("content-type", "").strip()
    return Conditions(
        method="GET" if method == "GET" else "POST",
        # What no proof stream may bear is left as it is by itself: then the two heads differ, see `unlike`.
        media=media if _CONTENT.fullmatch(media) else MEDIA_TYPES[framing(media)],
        header=header,
        incremental="on" if "incremental" in head else "off",
        coding=asked.get("accept-encoding", ""),
        http2=http2,
        cache=_listed(head.get("cache-control", ""), _DIRECTIVE),
        vary=_listed(head.get("vary", ""), _VARY),
        accept=asked.get("accept", ACCEPT),
    )


def bears_accel(head: Mapping[str, str]) -> bool:
    """Whether `X-Accel-Buffering: no` can be seen in this head; nginx takes it out."""
    return head.get("x-accel-buffering", "").strip().lower() == "no"


def unlike(answer: Mapping[str, str], proof: Mapping[str, str]) -> tuple[str, ...]:
    """In which headers a proof's response differs from the answer's, where a hop may decide by them.

    An origin that is older than what it is asked to bear is known by this, and so is a rule for one path.
    """
    differ = {
        "Content-Type": _letters(answer.get("content-type")) != _letters(proof.get("content-type")),
        "Cache-Control": _items(answer.get("cache-control")) != _items(proof.get("cache-control")),
        "Content-Encoding": _coded(answer) != _coded(proof),
        "Incremental": ("incremental" in answer) != ("incremental" in proof),
        "X-Accel-Buffering": bears_accel(answer) != bears_accel(proof),
    }
    return tuple(name for name, differs in differ.items() if differs)


class Change(StrEnum):
    """One thing that an experiment changes. The value is its name in JSON."""

    IDENTITY = "identity"
    HEADER = "header"
    NO_TRANSFORM = "no-transform"
    EVENT_STREAM = "event-stream"
    ACCEPT = "accept"
    METHOD = "method"
    HTTP_VERSION = "http-version"
    INCREMENTAL = "incremental"
    LENGTH = "length"
    FRESH = "fresh"
    DIRECT = "direct"

    def applied(self, to: Conditions) -> Conditions:
        """The conditions with this one thing changed; the same where there is nothing to change."""
        match self:
            case Change.IDENTITY:
                return replace(to, coding="identity") if compresses(to) else to
            case Change.HEADER:
                return replace(to, header="on")
            case Change.NO_TRANSFORM:
                kept = "no-transform" in _items(to.cache)
                return to if kept else replace(to, cache=", ".join(filter(None, (to.cache, "no-transform"))))
            case Change.EVENT_STREAM:
                return replace(to, media="text/event-stream")
            case Change.ACCEPT:
                return replace(to, accept="text/event-stream")
            case Change.METHOD:
                return replace(to, method="GET" if to.method == "POST" else "POST")
            case Change.HTTP_VERSION:
                return replace(to, http2=not to.http2)
            case Change.INCREMENTAL:
                return replace(to, incremental="off" if to.incremental == "on" else "on")
            case Change.LENGTH:
                return replace(to, length=True)
            case Change.FRESH:
                return replace(to, fresh=True)
            case Change.DIRECT:
                return replace(to, direct=True)

    def words(self, to: Conditions) -> str:
        """What is done to these conditions, for a row of evidence."""
        match self:
            case Change.IDENTITY:
                return text("without compression (Accept-Encoding: identity)")
            case Change.HEADER:
                return text("with {header}", header="X-Accel-Buffering: no")
            case Change.NO_TRANSFORM:
                return text("with {header}", header="Cache-Control: no-transform")
            case Change.EVENT_STREAM:
                if to.framing == "sse":
                    return text("as text/event-stream without a charset")
                return text("as text/event-stream")
            case Change.ACCEPT:
                return text("with {header}", header="Accept: text/event-stream")
            case Change.METHOD:
                return text("by {method}", method=self.applied(to).method)
            case Change.HTTP_VERSION:
                return text("over HTTP/{version}", version="1.1" if to.http2 else "2")
            case Change.INCREMENTAL:
                on = to.incremental == "on"
                with_or_not = text("without {header}") if on else text("with {header}")
                return with_or_not.format(header="Incremental: ?1")
            case Change.LENGTH:
                return text("with a Content-Length instead of chunks")
            case Change.FRESH:
                return text("with a query that no cache has seen")
            case Change.DIRECT:
                return text("the service directly")


def compresses(conditions: Conditions) -> bool:
    """Whether a compressed answer is accepted."""
    return conditions.coding not in ("", "identity")


def accepts(asked: str, came: str) -> bool:
    """Whether a client that asks with this Accept-Encoding can read this Content-Encoding (RFC 9110, 12.5.3).

    One that says nothing takes any.
    """
    if not asked or _coded({"content-encoding": came}) == "":
        return True
    offered = {
        name.strip(): q.replace(" ", "") for name, _, q in (one.partition(";") for one in _items(asked))
    }
    q = offered.get(came.strip().lower().removeprefix("x-"), offered.get("*", "q=0"))
    return not re.fullmatch(r"q=0(\.0*)?", q)


def in_words(conditions: Conditions) -> str:
    """All of it in one line."""
    header = text("with {header}") if conditions.header == "on" else text("without {header}")
    cache = f"Cache-Control: {conditions.cache}" if conditions.cache else text("no Cache-Control")
    return join(
        ", ",
        (
            request_in_words(conditions),
            *(() if conditions.cache == CACHE_CONTROL else (cache,)),
            header.format(header="X-Accel-Buffering: no"),
        ),
    )


def request_in_words(conditions: Conditions) -> str:
    """The same without what only the service knows: an nginx on the way hides the header."""
    if not compresses(conditions):
        accepted = text("no compression accepted")
    elif conditions.coding == BROWSER_CODINGS:
        accepted = text("compression accepted")
    else:
        accepted = text("{coding} accepted", coding=conditions.coding)
    version = "2" if conditions.http2 else "1.1"
    how = text("{method} over HTTP/{version}", method=conditions.method, version=version)
    return join(", ", (how, conditions.media, accepted))


def _items(value: str | None) -> frozenset[str]:
    return frozenset(item for each in (value or "").split(",") if (item := each.strip().lower()))


def _listed(value: str, allowed: re.Pattern[str]) -> str:
    """Of a list, what a proof stream may bear, each item once: hops may have said it again."""
    items = dict.fromkeys(item for each in value.split(",") if allowed.fullmatch(item := each.strip()))
    listed = ", ".join(items)
    return listed if len(listed) <= _MOST else ""


def _letters(value: str | None) -> str:
    return "".join((value or "").lower().split())


def _coded(head: Mapping[str, str]) -> str:
    coding = head.get("content-encoding", "").strip().lower()
    return "" if coding == "identity" else coding
