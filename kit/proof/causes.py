"""Who holds a stream, from what frees it: the decision table, and for each cause the text that mends it.

Pure data and one function that reads it. The rows come from some 86 configurations of real proxies
(docs/detection.md); what holds the kit to them is a matrix of real ones (tests/system/test_doctor_matrix.py).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from kit.proof.conditions import Change
from kit.proof.doubts import Doubt
from kit.proof.experiments import BlockingFactor, Traced
from kit.proof.quick_check import Observation, State
from kit.proof.verdict import Shape

# certain: only this explains what was proven · likely: the usual reason for what was seen · possible: one of
# several that the evidence does not separate.
Certainty = Literal["certain", "likely", "possible"]


class Cause(StrEnum):
    """Who held the stream: a closed list."""

    NGINX_BUFFERS = "nginx-buffers"
    NGINX_GZIP = "nginx-gzip"
    COMPRESSOR = "compressor"
    COMPRESSION = "compression"
    BUFFERED = "buffered"
    BLOCKS = "blocks"
    WHOLE_MESSAGE = "whole-message"
    PREFIX_BUFFER = "prefix-buffer"
    FIRST_EVENT = "first-event"
    TIMER = "timer"
    REFUSES = "refuses"
    MEDIA_TYPE = "media-type"
    ACCEPT = "accept"
    METHOD = "method"
    HTTP_VERSION = "http-version"
    INCREMENTAL_HEADER = "incremental-header"
    CHUNK_FRAMING = "chunk-framing"
    APP = "app"
    ANSWER_PATH = "answer-path"
    IDLE_LIMIT = "idle-limit"
    TIME_LIMIT = "time-limit"
    BURSTS = "bursts"
    BLOCKED = "blocked"
    ANSWER_CUT = "answer-cut"
    NO_EVENTS = "no-events"
    FALSE_HEADER = "false-header"
    REPLAYED = "replayed"
    UNKNOWN = "unknown"

    @property
    def says(self) -> str:
        """Who holds the stream, in one sentence."""
        return _SAYS[self]

    @property
    def remedy(self) -> str:
        """What frees it: text to read and lines to paste."""
        return _REMEDIES[self]


@dataclass(frozen=True, slots=True)
class NamedCause:
    """A cause, and how sure it is.

    Attributes:
        cause: which.
        certainty: how sure.
        because: the experiment that says so, or what it is read from.
        apart: the experiment that would say more; empty where none is known.
        where: whether it is the service or a hop before it, where the service was asked directly as well.
        to_try: what frees it or may free it, where that hangs on what was tried; empty for the cause's own.
        holds: whether it holds the answer, and does not only end it, spoil it, or come beside.
    """

    cause: Cause
    certainty: Certainty
    because: str
    apart: str = ""
    where: str = ""
    to_try: str = ""
    holds: bool = True

    @property
    def remedy(self) -> str:
        """What frees it, or what to try: text to read and lines to paste."""
        return self.to_try or self.cause.remedy


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: if each of `frees` frees the stream, and none of `fails` does, it is this.

    `tried` must have been tried, or it is only likely. `line` is the remedy that was tried with it.
    """

    cause: Cause
    frees: frozenset[Change]
    fails: frozenset[Change] = frozenset()
    shapes: frozenset[Shape] = frozenset()
    tried: frozenset[Change] = frozenset()
    line: str = ""


def _set(*changes: Change) -> frozenset[Change]:
    return frozenset(changes)


_NO_TRANSFORM = (
    "Send this header with the answer, which this compressor honours (Express' compression, HAProxy's, "
    "Caddy's and Envoy's do):\n"
    "    Cache-Control: no-cache, no-transform\n"
    "or have the answer left uncompressed; in Express call res.flush() after each event."
)
# The first row that fits. A factor is one thing that holds the stream: several are looked up one by one.
RULES = (
    Rule(Cause.NGINX_GZIP, frees=_set(Change.IDENTITY, Change.HEADER)),
    Rule(Cause.NGINX_BUFFERS, frees=_set(Change.HEADER)),
    Rule(
        Cause.COMPRESSOR,
        frees=_set(Change.IDENTITY, Change.NO_TRANSFORM),
        tried=_set(Change.HEADER),
        line=_NO_TRANSFORM,
    ),
    Rule(Cause.COMPRESSOR, frees=_set(Change.IDENTITY), tried=_set(Change.HEADER)),
    Rule(Cause.MEDIA_TYPE, frees=_set(Change.EVENT_STREAM)),
    Rule(Cause.ACCEPT, frees=_set(Change.ACCEPT)),
    Rule(Cause.METHOD, frees=_set(Change.METHOD)),
    Rule(Cause.TIMER, frees=_set(Change.HTTP_VERSION), shapes=frozenset({Shape.TIMER})),
    Rule(Cause.HTTP_VERSION, frees=_set(Change.HTTP_VERSION)),
    Rule(Cause.INCREMENTAL_HEADER, frees=_set(Change.INCREMENTAL)),
    Rule(Cause.REPLAYED, frees=_set(Change.FRESH)),
)

# What a middleware of the service can do as well as a hop, and the experiment that tells the two apart.
APART = "whether it is a hop or the service itself: ask the service past the hop too, with --direct URL"
_ANYWHERE = frozenset({Cause.COMPRESSOR, Cause.WHOLE_MESSAGE, Cause.BLOCKS, Cause.PREFIX_BUFFER, Cause.TIMER})

# What nothing frees, by how it is held.
SHAPES: dict[Shape | None, Cause] = {
    Shape.WHOLE: Cause.WHOLE_MESSAGE,
    Shape.BLOCKS: Cause.BLOCKS,
    Shape.TAIL: Cause.BLOCKS,
    Shape.PREFIX: Cause.PREFIX_BUFFER,
    Shape.FIRST_EVENT: Cause.FIRST_EVENT,
    Shape.TIMER: Cause.TIMER,
}


def causes(traced: Traced, *, may_bear_header: bool = False) -> tuple[NamedCause, ...]:
    """What holds the stream, the first first; none where it streams.

    Args:
        traced: what the experiments found.
        may_bear_header: whether the answer may bear `X-Accel-Buffering: no` though the stream does not: then
            what that header frees need not hold the answer, and comes last.
    """
    if traced.base.state is State.REFUSED:
        return (
            NamedCause(Cause.REFUSES, "certain", "a hop answered that it will not forward it incrementally"),
        )
    spared = {one for one in traced.factors if may_bear_header and Change.HEADER in one.frees}
    named = [
        _of_factor(one, traced, spared=one in spared)
        for one in sorted(traced.factors, key=spared.__contains__)
    ]
    if traced.rest is not None:
        named.append(_of_shape(traced.rest, all_seen=_all_seen(traced)))
    return tuple(_placed(one, traced.direct) for one in named)


def _placed(named: NamedCause, direct: Observation | None) -> NamedCause:
    """On which side of the address that was called direct it is."""
    if direct is None:
        return replace(named, apart=APART) if named.cause in _ANYWHERE and not named.apart else named
    if direct.streams:
        return replace(named, where="asked directly, a stream passes: it is a hop between there and here")
    if direct.state is State.UNDECIDED:
        return replace(named, where=f"asked directly, nothing could be decided: {direct.said}")
    return replace(
        named, where="asked directly, it is held as well: it is the service itself, or a hop there"
    )


def _of_factor(factor: BlockingFactor, traced: Traced, *, spared: bool) -> NamedCause:
    tried = factor.frees | factor.fails
    freed = " and ".join(sorted(_BY[one] for one in factor.frees)) or (
        "all that was changed at once; which of it is needed could not be seen"
    )
    for rule in RULES:
        fits = rule.frees <= factor.frees and not rule.fails & factor.frees
        if fits and (not rule.shapes or factor.shape in rule.shapes):
            proven = _all_seen(traced) and rule.tried <= tried and not spared
            if rule.cause is Cause.COMPRESSOR and not (rule.tried <= tried or _bore_the_header(traced)):
                return NamedCause(Cause.COMPRESSION, "likely", f"freed by {freed}", to_try=rule.line)
            sure: Certainty = "certain" if proven else "likely"
            holds = rule.cause is not Cause.REPLAYED
            return NamedCause(rule.cause, sure, f"freed by {freed}", to_try=rule.line, holds=holds)
    return NamedCause(Cause.UNKNOWN, "possible", f"freed by {freed}")


def _bore_the_header(traced: Traced) -> bool:
    """Whether it was held with the header on it, or was never asked for without."""
    borne = [row for row in traced.rows if row.experiment.conditions.header == "on"]
    held = any(row.observation.state is State.HELD for row in borne)
    return bool(borne) and (held or len(borne) == len(traced.rows))


def to_try(failed: Collection[Change]) -> str:
    """What may free an answer that could only be watched, the cheapest and most usual first.

    Args:
        failed: what was tried, or is so already, and does not free it.
    """
    lines = [_EACH]
    if Change.HEADER not in failed:
        lines.append(
            "Send this header with the answer, if it does not bear it already (an nginx would hide it):"
        )
        lines.append("    X-Accel-Buffering: no")
    lines += [
        "In nginx, of several in the outermost, in the location of this path:",
        "    proxy_buffering off;",
    ]
    if Change.IDENTITY not in failed:
        lines += [
            "    gzip off;",
            "Leave the answer's type out of what any other hop or middleware compresses.",
        ]
    if Change.EVENT_STREAM not in failed:
        lines += [
            "Where it may, send the answer as a type that filters and compressors leave alone:",
            "    Content-Type: text/event-stream",
        ]
    return "\n".join([*lines, _IF_NONE])


_EACH = (
    "None of these could be tried from here. Make one change at a time, and run this again after each; it "
    "helped if the first event comes long before the last:"
)
_IF_NONE = (
    "If none of them helps, something collects whole responses: a filter that reads bodies (ModSecurity: "
    "SecResponseBodyAccess), lighttpd (server.stream-response-body = 2), or a platform (App Engine Standard "
    "is documented to: Flexible or Cloud Run, or docs/polling.md)."
)


def _all_seen(traced: Traced) -> bool:
    """Whether every experiment decided something, and proved it."""
    return all(row.observation.proven and row.observation.state is not State.UNDECIDED for row in traced.rows)


def _of_shape(rest: Observation, *, all_seen: bool) -> NamedCause:
    if rest.state is State.REFUSED:
        return NamedCause(
            Cause.REFUSES, "certain", "a hop answered that it will not forward it incrementally"
        )
    cause = SHAPES.get(rest.shape, Cause.UNKNOWN)
    if cause is Cause.UNKNOWN:
        return NamedCause(
            cause, "possible", "nothing that was tried frees it, and how it is held is not known"
        )
    busy = frozenset({Doubt.BUSY_MACHINE})  # its figures are doubtful, and not what kind of hold it is
    sure: Certainty = "certain" if rest.proven and all_seen and busy.issuperset(rest.doubts) else "likely"
    return NamedCause(cause, sure, f"nothing that was tried frees it; how it is held: {rest.said}")


_BY = {
    Change.IDENTITY: "leaving compression out",
    Change.HEADER: "X-Accel-Buffering: no",
    Change.NO_TRANSFORM: "Cache-Control: no-transform",
    Change.EVENT_STREAM: "text/event-stream",
    Change.ACCEPT: "Accept: text/event-stream",
    Change.METHOD: "the other method",
    Change.HTTP_VERSION: "the other HTTP version",
    Change.INCREMENTAL: "the Incremental header's change",
    Change.FRESH: "another query",
}

_SAYS = {
    Cause.NGINX_BUFFERS: (
        "An nginx, or a hop that obeys the same header (App Engine Flexible's is documented to), collects "
        "the response in its buffers; X-Accel-Buffering: no frees it."
    ),
    Cause.NGINX_GZIP: (
        "An nginx compresses the response and collects what it compresses; without compression, or with "
        "X-Accel-Buffering: no, it passes."
    ),
    Cause.COMPRESSOR: (
        "A compressor on the way, or a middleware of the service, does not flush after each event. "
        "X-Accel-Buffering: no has no effect on it, or a hop before it takes that header away."
    ),
    Cause.COMPRESSION: (
        "The answer is compressed on the way, or by a middleware of the service, and what compresses it does "
        "not flush after each event. Whether X-Accel-Buffering: no frees it was not tried."
    ),
    Cause.BUFFERED: "A hop collects the answer before it passes it on, in its buffers or to compress it.",
    Cause.BLOCKS: (
        "A hop collects the response in blocks. X-Accel-Buffering: no does not free it: the hop does not "
        "obey it, or an nginx behind it has taken the header away, as nginx does."
    ),
    Cause.WHOLE_MESSAGE: (
        "Something collects the whole response before it passes any of it on: a hop (App Engine Standard is "
        "documented to, lighttpd does by default, a filter that reads bodies, an antivirus), or a middleware "
        "of the service that reads the body."
    ),
    Cause.PREFIX_BUFFER: (
        "A hop holds the beginning of the response until its buffer is full; from then on it streams."
    ),
    Cause.FIRST_EVENT: "A hop holds the first event until the second is there.",
    Cause.TIMER: "A hop flushes by the clock: it waits for more before it sends what it has.",
    Cause.REFUSES: (
        "A hop refuses to forward this response incrementally: it is configured to buffer, and it says so "
        "(501) because the response asks for Incremental: ?1."
    ),
    Cause.MEDIA_TYPE: (
        "A hop decides by the media type: it streams text/event-stream and holds the answer's own."
    ),
    Cause.ACCEPT: "A hop decides by the request's Accept header whether it streams the answer.",
    Cause.METHOD: "A hop treats the answer to this method differently from the answer to the other.",
    Cause.HTTP_VERSION: "A hop holds the response on this HTTP version only.",
    Cause.INCREMENTAL_HEADER: "A hop decides by the Incremental header whether it streams.",
    Cause.CHUNK_FRAMING: (
        "A hop holds what says its length. The answer bears a Content-Length; sent in chunks it would pass."
    ),
    Cause.APP: (
        "The service itself: it sends its events in a bunch, after the work is done. The way from it to here "
        "has no part in it."
    ),
    Cause.ANSWER_PATH: (
        "Something that treats this path alone: a middleware that reads its body, or a proxy's rule for it. "
        "The way to the same service passes a stream on another path."
    ),
    Cause.IDLE_LIMIT: "A hop cuts a stream on which nothing has come for some time.",
    Cause.TIME_LIMIT: "A hop, or the platform, cuts every stream after the same time.",
    Cause.BURSTS: (
        "The service, or the model that it asks, writes in bursts: several events at once, and silence "
        "between them."
    ),
    Cause.BLOCKED: (
        "The service does nothing else while it answers: it blocks its own event loop, or takes one request "
        "at a time. With a blocked loop what it writes may leave only at the end."
    ),
    Cause.ANSWER_CUT: (
        "Something ended the answer before its end: the server's own worker (its time limit, or a crash), or "
        "a limit of a hop on silence or on the whole."
    ),
    Cause.NO_EVENTS: "The service itself: what it writes forms no events of the type that it names.",
    Cause.FALSE_HEADER: (
        "A Content-Encoding or a Content-Length is not true of the body: a relay decoded or changed it and "
        "kept the header, or what compresses it does each piece by itself."
    ),
    Cause.REPLAYED: (
        "A stored copy: a cache on the way, or the service's own, replays the answer to an earlier request "
        "at once."
    ),
    Cause.UNKNOWN: "It is held, and the evidence does not say by what.",
}

_COMPRESSORS = (
    "Starlette or FastAPI: take Starlette 1.5 or newer, or GZipMiddleware on other routes only. "
    "Flask-Compress: set COMPRESS_STREAMS to False, or leave the answer's type out of COMPRESS_MIMETYPES. "
    "aiohttp: no enable_compression() on this response.\n"
    "Express: call res.flush() after each event. Next.js "
    "and webpack's dev server: compress: false. Apache: SetEnv no-gzip 1. lighttpd: the type out of "
    "deflate.mimetypes."
)

# For a hop that holds the answer's path and passes another.
HOP_OF_PATH = (
    "Look in the hop for its rule on this path; in nginx, in the location of this path:\n"
    "    proxy_buffering off;\n"
    "or send this header with the answer, and run this again:\n"
    "    X-Accel-Buffering: no"
)
EVENT_FORMS = {
    "sse": (
        "Write each event of text/event-stream as lines that begin with data: and a blank line after them:\n"
        "    data: …\\n\\n"
    ),
    "ndjson": "Write each object of application/x-ndjson on a line of its own:\n    {…}\\n",
}
_REMEDIES = {
    Cause.NGINX_BUFFERS: (
        "Send this header with the answer:\n"
        "    X-Accel-Buffering: no\n"
        "or say in nginx, in the location of this path:\n"
        "    proxy_buffering off;\n"
        "    proxy_http_version 1.1;\n"
        '    proxy_set_header Connection "";'
    ),
    Cause.NGINX_GZIP: (
        "Send this header with the answer, which makes nginx flush what it compresses:\n"
        "    X-Accel-Buffering: no\n"
        "or leave the answer's type out of gzip_types in nginx; or, as for text/html, which it always "
        "compresses, in the location of this path:\n"
        "    gzip off;"
    ),
    Cause.COMPRESSOR: (
        f"Have the answer left uncompressed.\n{_COMPRESSORS}\n"
        "nginx behind another nginx: in the outer one, for this path:\n"
        "    gzip off;\n"
        "Any other, if it obeys one of these headers on the answer:\n"
        "    Cache-Control: no-transform\n"
        "    Content-Encoding: identity"
    ),
    Cause.COMPRESSION: (
        "Send this header with the answer first, which makes nginx flush what it compresses, and run this "
        "again:\n"
        "    X-Accel-Buffering: no\n"
        "If that does not help, have the answer left uncompressed. In nginx, for this path:\n"
        "    gzip off;\n"
        "Express' compression, HAProxy and some others obey this header on the answer:\n"
        f"    Cache-Control: no-transform\n{_COMPRESSORS}"
    ),
    Cause.BUFFERED: to_try((Change.EVENT_STREAM,)),
    Cause.BLOCKS: (
        "Switch response buffering off in the hop itself, for this path. Of two nginx, in the outer one, "
        "which never sees the header:\n"
        "    proxy_buffering off;\n"
        "or have the inner one pass the header on:\n"
        "    proxy_pass_header X-Accel-Buffering;\n"
        "and look for this line in either, which makes it ignore the header:\n"
        "    proxy_ignore_headers X-Accel-Buffering;\n"
        "In Apache, on this ProxyPass: flushpackets=on. If the service itself holds it: in Go call "
        "http.NewResponseController(w).Flush() after each event, in PHP switch output_buffering off."
    ),
    Cause.WHOLE_MESSAGE: (
        "If a hop holds it, switch that off. In lighttpd:\n"
        "    server.stream-response-body = 2\n"
        "in ModSecurity, for this path:\n"
        "    SecResponseBodyAccess Off\n"
        "in Varnish, in vcl_backend_response, without ESI:\n"
        "    set beresp.do_stream = true;\n"
        "in Envoy take out the filter that reads bodies. Else leave the platform (App Engine Standard: "
        "Flexible with X-Accel-Buffering: no, or Cloud Run), or ask for the answer in pieces "
        "(docs/polling.md).\n"
        "If the service does: write the middleware as pure ASGI, without reading body_iterator to its end."
    ),
    Cause.PREFIX_BUFFER: (
        "Take the response buffer out of the hop. In Caddy remove this line from reverse_proxy:\n"
        "    response_buffers …"
    ),
    Cause.FIRST_EVENT: 'Send two events at the start: a comment (":" and an empty line) before the first.',
    Cause.TIMER: (
        "In HAProxy, whose cork holds each event some 200 ms on HTTP/1.1:\n"
        "    option http-no-delay\n"
        "in Caddy, inside reverse_proxy:\n"
        "    flush_interval -1\n"
        "in Traefik, on the service's load balancer:\n"
        "    responseForwarding.flushInterval: -1\n"
        "in Go's httputil.ReverseProxy:\n"
        "    FlushInterval: -1"
    ),
    Cause.REFUSES: (
        "Take the response buffer out of that hop, for this path. In Caddy remove this line from "
        "reverse_proxy:\n"
        "    response_buffers …\n"
        "Without the Incremental header it would buffer and not say so."
    ),
    Cause.MEDIA_TYPE: (
        "Send the answer as\n"
        "    Content-Type: text/event-stream\n"
        "or name its type in the hop's rule; in ModSecurity take it out of:\n"
        "    SecResponseBodyMimeType …"
    ),
    Cause.ACCEPT: (
        "Ask with this header, as a browser's EventSource does:\n"
        "    Accept: text/event-stream\n"
        "or change the hop's rule for other requests."
    ),
    Cause.METHOD: (
        "Ask by the other method, or look in the hop for a rule on this one (a limit on POST, a body filter, "
        "a quick tunnel)."
    ),
    Cause.HTTP_VERSION: (
        "Have the hop speak the version that streams. An nginx that buffers holds some 16 KiB over TLS on "
        "HTTP/1.1 (its ssl_buffer_size) and not on HTTP/2; in its server or location:\n"
        "    http2 on;\n"
        "    proxy_buffering off;"
    ),
    Cause.INCREMENTAL_HEADER: "Send the header as in the row that streams, or change the hop's rule for it.",
    Cause.CHUNK_FRAMING: (
        "Send no Content-Length with the answer, so that it goes out in chunks; in nginx, for the way to the "
        "service:\n"
        "    proxy_http_version 1.1;\n"
        '    proxy_set_header Connection "";'
    ),
    Cause.APP: (
        "Yield each event when it is there, before the next is computed; with a callback or a queue, read it "
        "while the work goes on and not after it. An async generator that waits without await (time.sleep, a "
        "synchronous SDK) comes in a bunch too: await it, or write it with def. Django under ASGI consumes a "
        "synchronous generator whole: make it async there."
    ),
    Cause.ANSWER_PATH: (
        f"{HOP_OF_PATH}\n"
        "Or look at what the service mounts around this path alone: a middleware that reads its body. To see "
        "on which side it is, ask the service directly:\n"
        "    kit doctor URL --direct http://127.0.0.1:PORT/PATH"
    ),
    Cause.IDLE_LIMIT: (
        "Send a heartbeat at least twice in that time, as a comment line that clients pass over:\n"
        "    :\n"
        "or raise the limit: nginx proxy_read_timeout (60 s), HAProxy timeout server, a load balancer's idle "
        "timeout."
    ),
    Cause.TIME_LIMIT: (
        "Raise the limit (Cloud Run: --timeout; Envoy: the route's timeout, 15 s by default; a Google load "
        "balancer: the backend's timeoutSec, 30 s by default), or let clients resume with Last-Event-ID."
    ),
    Cause.BURSTS: (
        "If the service collects, yield each event when it is there. If the provider of the model does, no "
        "hop can change it: ask it for smaller pieces, or spread the text over the time between two bursts "
        "where it is shown."
    ),
    Cause.BLOCKED: (
        "In an async generator await what takes time: the asynchronous client of an SDK, asyncio.sleep "
        "instead of time.sleep. Or write it with def instead of async def: Starlette and FastAPI run that in "
        "a thread.\n"
        "With uvloop 0.22.1 or older what was written leaves only when the loop is free.\n"
        "gunicorn's sync worker takes one request at a time:\n"
        "    gunicorn --worker-class gthread --threads 8"
    ),
    Cause.ANSWER_CUT: (
        "Look at the log of the server at that moment. In gunicorn, whose sync workers end an answer after "
        "30 s unless told otherwise:\n"
        "    gunicorn --timeout 0\n"
        "or take a worker class that is not bound by it (gthread, an ASGI one). On the way: nginx "
        "proxy_read_timeout (60 s of silence), HAProxy timeout server (silence), Envoy's route timeout (15 s "
        "in all), a load balancer's idle timeout. Against a limit on silence send a heartbeat, a comment "
        'line (":" and an empty one).'
    ),
    Cause.NO_EVENTS: f"{EVENT_FORMS['sse']}\n{EVENT_FORMS['ndjson']}",
    Cause.FALSE_HEADER: (
        "Where the relay reads a decoded body (fetch() does, and so do httpx and requests), leave these "
        "headers out of what it passes on:\n"
        "    Content-Encoding, Content-Length, Transfer-Encoding\n"
        "or have it ask for the answer uncoded:\n"
        "    Accept-Encoding: identity\n"
        "In Django leave GZipMiddleware out of an async generator's path, of which it compresses each piece "
        "by itself."
    ),
    Cause.REPLAYED: (
        "Send this header with the answer, which no cache may keep then:\n"
        "    Cache-Control: no-store\n"
        "or leave its path out of the cache; in nginx, in the location of this path:\n"
        "    proxy_cache off;\n"
        "in Varnish, in vcl_recv:\n"
        '    if (req.url ~ "^/PATH") { return (pass); }'
    ),
    Cause.UNKNOWN: "Ask the service directly, then hop by hop (--direct URL), to find where it begins.",
}
