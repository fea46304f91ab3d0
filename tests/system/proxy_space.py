"""A space of real proxies: how each hop is configured, and what it then does to a stream. Pure.

The streams are the kit's service's, and such as an app of a user's sends: without the header or with it, with
`no-cache` only or no Cache-Control, of other media types, and longer than a buffer.

The truth about a case is reckoned from the configurations alone, walking outward from the origin: who is sent
`X-Accel-Buffering` and who takes it out, who compresses, in what framing each hop is answered. Whether it is
what the proxies do, test_proxy_space.py asks them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, Protocol
from urllib.parse import urlencode

from kit.probe.client import Ask
from kit.proof.conditions import BROWSER_CODINGS, CACHE_CONTROL, MEDIA_TYPES, framing
from kit.proof.lane import Arm
from tests.fixtures.foreign import SECRET
from tests.fixtures.sites import COMPRESSED, CaddySite, EnvoySite, NginxSite, Site

Version = Literal["1.0", "1.1"]
# How a hop is asked: in HTTP/1.x, in HTTP/1.1 over TLS, or in HTTP/2 over TLS.
Asked = Literal["1.0", "1.1", "1.1 tls", "2"]
Media = Literal["sse", "ndjson", "text", "html", "json"]
Method = Literal["GET", "POST"]
# What the client accepts: no compression, one coding, or what a browser does.
Accepts = Literal["", "gzip", "br", "zstd", "browser"]
Built = Literal["service", "mounted", "wrapped"]

# Enough to be judged, and few enough that a hop which takes 300 ms for each has done in seconds.
OUTPUT_TOKENS = 24
ACCEPTS = {"sse": "text/event-stream", "ndjson": "application/x-ndjson", "text": "text/plain"}
# What an app of a user's says that it sends, to the letter.
TYPES = {"sse": "text/event-stream", "text": "text/plain", "html": "text/html; charset=utf-8"}
TYPES |= {"json": "application/json"}
# Each of some 600 octets, with what no coding makes much smaller: five times what nginx's gzip holds at once.
LONG = {"n": 140, "gap": 0.02, "noise": 420}
SHORT = {"n": OUTPUT_TOKENS, "gap": 0.08}


@dataclass(frozen=True, slots=True)
class Asker:
    """What is asked for, and how.

    Attributes:
        accepts: in which codings the answer may be compressed.
        arm: whether the service sends `X-Accel-Buffering: no`.
        tls: whether the outermost hop is asked over TLS, and then in HTTP/2 if `http2`.
        long: whether the answer is longer than any buffer of nginx's, where the origin has such a one.
    """

    method: Method = "GET"
    media: Media = "sse"
    accepts: Accepts = ""
    arm: Arm = "off"
    tls: bool = False
    http2: bool = False
    long: bool = False

    @property
    def coding(self) -> str:
        """The request's Accept-Encoding."""
        return BROWSER_CODINGS if self.accepts == "browser" else self.accepts or "identity"

    def takes(self, *codings: str) -> bool:
        """Whether it accepts one of these."""
        return any(coding in self.coding.split(", ") for coding in codings)

    def __str__(self) -> str:
        words = [self.method, self.media, self.accepts, f"arm {self.arm}", "long" if self.long else ""]
        return " ".join(filter(None, [*words, "tls" if self.tls else "", "h2" if self.http2 else ""]))


@dataclass(frozen=True, slots=True)
class Origin:
    """Who answers, under uvicorn: the service, or an app of a user's that has the proof beside or around it.

    Attributes:
        chunks_always: also to who asks in HTTP/1.0 (httptools); h11 then ends with the connection.
        incremental: whether it says `Incremental: ?1`.
        cache: its Cache-Control; empty for none.
        built: what it is.
    """

    chunks_always: bool = True
    incremental: bool = True
    cache: str = CACHE_CONTROL
    built: Built = "service"

    @property
    def http(self) -> str:
        return "httptools" if self.chunks_always else "h11"

    @property
    def app(self) -> str:
        if self.built != "service":
            return f"tests.fixtures.foreign:{'wrapped' if self.built == 'wrapped' else 'app'}"
        if not self.no_transform:
            return "tests.fixtures.apps:transformable"
        return "service.main:app" if self.incremental else "tests.fixtures.apps:without_incremental"

    @property
    def no_transform(self) -> bool:
        return "no-transform" in self.cache

    @property
    def token(self) -> str | None:
        """What its proof has to be shown."""
        return SECRET if self.built == "wrapped" else None

    def content_type(self, media: Media) -> str:
        """Of its answer."""
        return MEDIA_TYPES[framing(ACCEPTS[media])] if self.built == "service" else TYPES[media]

    def ask(self, base: str, asker: Asker, question: str) -> Ask:
        """The request for its answer."""
        if self.built == "service":
            path, accept = "search", ACCEPTS[asker.media]
            query = {"ai_prompt": "Why is the sky blue?", "max_output_tokens": OUTPUT_TOKENS}
        else:
            path, accept = "chat", "*/*"
            query = {**(LONG if asker.long else SHORT), "type": TYPES[asker.media], "question": question}
            query |= {"cc": self.cache} if self.cache else {}
            query |= {"accel": "no"} if asker.arm == "on" else {}
            query |= {"incremental": "?1"} if self.incremental else {}
        headers = (("accept", accept), ("accept-encoding", asker.coding))
        body = b"" if asker.method == "POST" else None
        return Ask(asker.method, f"{base}/{path}?{urlencode(query)}", headers, body)

    def __str__(self) -> str:
        if self.built != "service":
            incremental = ["incremental"] if self.incremental else []
            return " ".join([self.http, self.built, self.cache or "no-cache-control", *incremental])
        words = ["" if self.incremental else "no-incremental", "" if self.no_transform else "transformable"]
        return " ".join(filter(None, [self.http, *words]))


@dataclass(frozen=True, slots=True)
class Flow:
    """A response between two hops.

    Attributes:
        chunked: whether in chunks; else it ends with the connection, or its length was said.
        reaches: whether `X-Accel-Buffering`, if the service sends it, is still there.
        coded: whether a hop has compressed it already.
        incremental, no_transform: as the origin says it.
        pieces_kib: the largest piece that it is cut into; None where it comes as it was written.
    """

    chunked: bool
    reaches: bool = True
    coded: bool = False
    incremental: bool = True
    no_transform: bool = True
    pieces_kib: float | None = None


_NOTHING: frozenset[str] = frozenset()
# Where a hop behind it cuts a large event into pieces that exceed a buffer, how the reads fall decides.
_EITHER = frozenset({"tail", "streams"})
_ANY_SIZE = math.inf


class Hop(Protocol):
    """One proxy's configuration."""

    @property
    def asks_in(self) -> Version:
        """The version of HTTP in which it asks what stands behind it."""

    def site(self, upstream: str | Site, *, tls: bool = False) -> Site:
        """It, in front of something."""

    def holds(self, flow: Flow, asker: Asker, asked: Asked) -> frozenset[str]:
        """Why a stream stands still here, as the doctor would name it; empty if it flows."""

    def onward(self, flow: Flow, asker: Asker, asked: Asked) -> Flow:
        """What it makes of the response for who asks like that."""


@dataclass(frozen=True, slots=True)
class NginxHop:
    """nginx.

    Attributes:
        asks_in: HTTP/1.0 was the default before 1.29.7.
        buffer_kib: one buffer's size.
        ignores: whether `X-Accel-Buffering` is ignored.
        tells: whether it is passed on, which nginx does only if its file says so.
        bare: whether `gzip on` stands without `gzip_types`: then it compresses text/html, and only that.
    """

    asks_in: Version = "1.1"
    buffering: bool = True
    buffer_kib: int = 4
    gzip: bool = False
    cache: bool = False
    ignores: bool = False
    tells: bool = False
    bare: bool = False

    def site(self, upstream: str | Site, *, tls: bool = False) -> Site:
        size = f"{self.buffer_kib}k"
        lines = [
            f"proxy_http_version {self.asks_in};",
            'proxy_set_header Connection "";' if self.asks_in == "1.1" else "",
            "" if self.buffering else "proxy_buffering off;",
            f"proxy_buffer_size {size}; proxy_buffers 8 {size};",
            f"proxy_busy_buffers_size {2 * self.buffer_kib}k;",
            "gzip on; gzip_min_length 1; gzip_proxied any;" if self.gzip else "",
            f"gzip_types {' '.join(set(COMPRESSED) - {'text/html'})};" if self.gzip and not self.bare else "",
            "proxy_cache answers; proxy_cache_valid 200 1m;" if self.cache else "",
            "proxy_ignore_headers X-Accel-Buffering;" if self.ignores else "",
            "proxy_pass_header X-Accel-Buffering;" if self.tells else "",
        ]
        http = "proxy_cache_path cached keys_zone=answers:1m;" if self.cache else ""
        return NginxSite(upstream, "\n".join(filter(None, lines)), http, tls)

    def holds(self, flow: Flow, asker: Asker, asked: Asked) -> frozenset[str]:
        heard = flow.reaches and not self.ignores
        if not self.buffering or (heard and asker.arm == "on"):
            return _NOTHING
        compressing = frozenset({"nginx-gzip" if heard else "compressor"})
        buffering = frozenset({"nginx-buffers" if heard else "blocks"})
        # Only after a chunk does it flush what it has; but what goes over TLS waits for a full record
        # (ssl_buffer_size) even so, and in HTTP/2 it does not.
        flushes = flow.chunked and asked != "1.1 tls"
        if self._compresses(flow, asker, asked):
            return compressing if flushes else compressing | buffering
        if not flushes:
            return buffering
        # Compressed, the proof's largest event has no end that exceeds the largest buffer.
        if flow.coded and self.buffer_kib == 64:
            return _NOTHING
        if flow.pieces_kib is None:
            return frozenset({"tail"})
        return _NOTHING if flow.pieces_kib <= self.buffer_kib else _EITHER

    def onward(self, flow: Flow, asker: Asker, asked: Asked) -> Flow:
        compresses = self._compresses(flow, asker, asked)
        return replace(
            flow,
            chunked=asked != "1.0",
            reaches=flow.reaches and self.tells,
            coded=flow.coded or compresses,
            pieces_kib=_ANY_SIZE if compresses else self.buffer_kib,
        )

    def _compresses(self, flow: Flow, asker: Asker, asked: Asked) -> bool:
        # Not for who asks in HTTP/1.0 (gzip_http_version).
        wanted = self.gzip and asker.takes("gzip") and (asker.media == "html" or not self.bare)
        return wanted and not flow.coded and asked != "1.0"

    def __str__(self) -> str:
        words = [
            f"nginx/{self.asks_in}",
            f"{self.buffer_kib}k",
            "" if self.buffering else "unbuffered",
            ("bare " if self.bare else "") + "gzip" if self.gzip else "",
            "cache" if self.cache else "",
            "ignores" if self.ignores else "",
            "tells" if self.tells else "",
        ]
        return " ".join(filter(None, words))


@dataclass(frozen=True, slots=True)
class CaddyHop:
    """Caddy.

    Attributes:
        buffers: `response_buffers`; empty for none.
        encodes: in which codings `encode` does, the preferred first.
        templates: whether it evaluates text/plain and text/html as templates, which it reads whole.
        flush_ms: `flush_interval`; -1 for at once, None for the default.
        strips: whether it takes `X-Accel-Buffering` out.
    """

    buffers: str = ""
    encodes: tuple[str, ...] = ()
    templates: bool = False
    flush_ms: int | None = None
    strips: bool = False
    asks_in: Version = "1.1"

    def site(self, upstream: str | Site, *, tls: bool = False) -> Site:
        flush = "-1" if self.flush_ms == -1 else f"{self.flush_ms}ms"
        lines = [
            f"response_buffers {self.buffers}" if self.buffers else "",
            "" if self.flush_ms is None else f"flush_interval {flush}",
            "header_down -X-Accel-Buffering" if self.strips else "",
        ]
        types = "\n".join(f"header Content-Type {media}*" for media in COMPRESSED)
        match = f"minimum_length 1\nmatch {{\n{types}\n}}"
        beside = [
            f"encode {' '.join(self.encodes)} {{\n{match}\n}}" if self.encodes else "",
            "templates" if self.templates else "",
        ]
        return CaddySite(upstream, "\n".join(filter(None, lines)), "\n".join(filter(None, beside)), tls)

    def holds(self, flow: Flow, asker: Asker, asked: Asked) -> frozenset[str]:
        if self.buffers and flow.incremental:
            return frozenset({"refuses"})
        if self.buffers:
            return frozenset({"whole-message" if self.buffers == "unlimited" else "prefix-buffer"})
        evaluated = self.templates and asker.media in ("text", "html")
        return frozenset({"media-type"}) if evaluated else _NOTHING

    def onward(self, flow: Flow, asker: Asker, asked: Asked) -> Flow:
        return replace(
            flow,
            chunked=asked != "1.0",
            reaches=flow.reaches and not self.strips,
            coded=flow.coded or (asker.takes(*self.encodes) and not flow.no_transform),
            # It copies 32 KiB at a time; through `encode` in what pieces its compressor likes.
            pieces_kib=_ANY_SIZE if self.encodes else 32,
        )

    def __str__(self) -> str:
        words = [
            "caddy",
            f"buffers {self.buffers}" if self.buffers else "",
            *self.encodes,
            "templates" if self.templates else "",
            "" if self.flush_ms is None else f"flush {self.flush_ms}",
            "strips" if self.strips else "",
        ]
        return " ".join(filter(None, words))


READS = {
    "": "",
    "all": "function envoy_on_response(h) h:body() end",
    "not-sse": """
        function envoy_on_response(h)
            local kind = h:headers():get("content-type") or ""
            if not kind:find("event-stream", 1, true) then h:body() end
        end""",
    "post": """
        function envoy_on_request(h)
            h:streamInfo():dynamicMetadata():set("asked", "method", h:headers():get(":method"))
        end
        function envoy_on_response(h)
            local asked = h:streamInfo():dynamicMetadata():get("asked")
            if asked and asked["method"] == "POST" then h:body() end
        end""",
}


@dataclass(frozen=True, slots=True)
class EnvoyHop:
    """Envoy.

    Attributes:
        reads: which bodies a Lua filter reads: "all", "not-sse", "post".
        asks_ms: a filter asks another service about each piece, which takes so long; 0 for none.
        compresses: in which coding its compressor filter does; empty for none.
        file_buffer: a filter that collects a response.
        timeout_s: the route's; 0 for none.
        strips: whether it takes `X-Accel-Buffering` out.
    """

    reads: str = ""
    asks_ms: int = 0
    compresses: str = ""
    file_buffer: bool = False
    timeout_s: int = 0
    strips: bool = False
    asks_in: Version = "1.1"

    def site(self, upstream: str | Site, *, tls: bool = False) -> Site:
        return EnvoySite(
            upstream,
            READS[self.reads],
            asks_ms=self.asks_ms,
            compresses=self.compresses,
            file_buffer=self.file_buffer,
            without_headers=("x-accel-buffering",) if self.strips else (),
            timeout_s=self.timeout_s,
            tls=tls,
        )

    def holds(self, flow: Flow, asker: Asker, asked: Asked) -> frozenset[str]:
        if self.reads == "all" or self.file_buffer:
            return frozenset({"whole-message"})
        if self.reads == "not-sse" and asker.media != "sse":
            return frozenset({"media-type"})
        if self.reads == "post" and asker.method == "POST":
            return frozenset({"method"})
        # Its compressors flush after each piece, but for the one of zstd.
        if self.compresses == "zstd" and self._compresses(flow, asker):
            return frozenset({"compressor"})
        return frozenset({"timer"}) if self.asks_ms else _NOTHING

    def onward(self, flow: Flow, asker: Asker, asked: Asked) -> Flow:
        coded = flow.coded or self._compresses(flow, asker)
        reaches = flow.reaches and not self.strips
        return replace(flow, chunked=asked != "1.0", reaches=reaches, coded=coded)

    def _compresses(self, flow: Flow, asker: Asker) -> bool:
        return asker.takes(self.compresses) and not flow.coded and not flow.no_transform

    def __str__(self) -> str:
        words = [
            "envoy",
            f"lua {self.reads}" if self.reads else "",
            f"asks {self.asks_ms}" if self.asks_ms else "",
            self.compresses,
            "file-buffer" if self.file_buffer else "",
            f"timeout {self.timeout_s}" if self.timeout_s else "",
            "strips" if self.strips else "",
        ]
        return " ".join(filter(None, words))


@dataclass(frozen=True, slots=True)
class Case:
    """The service behind hops, from the innermost to the outermost, and how it is asked."""

    origin: Origin
    hops: tuple[Hop, ...]
    asker: Asker

    def ask(self, base: str) -> Ask:
        """The request for its answer; no cache on the way has that of another."""
        return self.origin.ask(base, self.asker, str(self))

    def site(self, origin: str) -> Site:
        """The outermost hop, with all that stands behind it."""
        upstream: str | Site = origin
        for place, hop in enumerate(self.hops, 1):
            upstream = hop.site(upstream, tls=self.asker.tls and place == len(self.hops))
        assert not isinstance(upstream, str)
        return upstream

    @property
    def truth(self) -> frozenset[str]:
        """All that holds the stream; empty if it flows. With "streams" in it, both may be seen."""
        held = self._held(self.asker)
        if self.asker.tls and not self.asker.http2:
            # What no longer buffers when it is asked in HTTP/2 makes the version a reason too.
            freed = held & BUFFERING - self._held(replace(self.asker, http2=True))
            return held | {"http-version"} if freed else held
        return held

    @property
    def seen(self) -> frozenset[str]:
        """What holds it as far as a client can know: nginx hides the header that frees larger events."""
        hides = any(not getattr(hop, "tells", True) or getattr(hop, "strips", False) for hop in self.hops)
        hidden = hides and self.origin.built != "service" and self.asker.arm == "on"
        without = replace(self, asker=replace(self.asker, arm="off")).truth if hidden else _NOTHING
        return self.truth or (without & _EITHER | {"streams"})

    def _held(self, asker: Asker) -> frozenset[str]:
        held: set[str] = set()
        first = self._asked(0, asker) == "1.0"
        flow = Flow(
            self.origin.chunks_always or not first,
            incremental=self.origin.incremental,
            no_transform=self.origin.no_transform,
        )
        for place, hop in enumerate(self.hops):
            asked = self._asked(place + 1, asker)
            held |= hop.holds(flow, asker, asked)
            if "refuses" in held:
                # A hop that refuses has read the head, and a hop that holds it behind that one is seen first.
                return frozenset(held & (STAYING | {"refuses"}))
            flow = hop.onward(flow, asker, asked)
        # Where even small events stay, what would happen to the end of large ones is not seen.
        others = held - _EITHER
        return frozenset(others if held & STAYING else held - {"streams"} if others else held)

    def _asked(self, place: int, asker: Asker) -> Asked:
        """How the hop at that place outside of the origin (0) is asked."""
        if place < len(self.hops):
            return self.hops[place].asks_in
        if not asker.tls:
            return "1.1"
        return "2" if asker.http2 else "1.1 tls"

    def __str__(self) -> str:
        return f"{self.origin} → {' → '.join(map(str, self.hops))} ({self.asker})"


def _nginx_hops() -> Iterator[NginxHop]:
    versions: tuple[Version, Version] = ("1.0", "1.1")
    for version in versions:
        for buffer_kib in (4, 16, 64):
            yield NginxHop(version, buffer_kib=buffer_kib)
        yield NginxHop(version, buffering=False)
        yield NginxHop(version, ignores=True)
        yield NginxHop(version, cache=True)
        yield NginxHop(version, tells=True)
        yield NginxHop(version, gzip=True)
        yield NginxHop(version, gzip=True, ignores=True)
    yield NginxHop(gzip=True, bare=True)
    yield NginxHop(gzip=True, buffer_kib=64)
    yield NginxHop(gzip=True, buffering=False)


CADDY_BUFFERS = tuple(CaddyHop(size) for size in ("4KiB", "16KiB", "64KiB", "1MiB", "unlimited"))
COMPRESSORS: tuple[Hop, ...] = (
    CaddyHop(encodes=("gzip",)),
    CaddyHop(encodes=("zstd", "gzip")),
    EnvoyHop(compresses="gzip"),
    EnvoyHop(compresses="br"),
    EnvoyHop(compresses="zstd"),
)
CHUNKED, UNCHUNKED = Origin(), Origin(chunks_always=False)
QUIET, TRANSFORMABLE = Origin(incremental=False), Origin(cache="no-cache")
ORIGINS = (CHUNKED, UNCHUNKED, QUIET, TRANSFORMABLE)

PLAIN: tuple[Hop, ...] = (
    CaddyHop(),
    CaddyHop(templates=True),
    CaddyHop(flush_ms=500),
    EnvoyHop(),
    EnvoyHop("all"),
    EnvoyHop("not-sse"),
    EnvoyHop("post"),
    EnvoyHop(asks_ms=300),
    EnvoyHop(file_buffer=True),
    EnvoyHop(timeout_s=60),
)
SINGLES: tuple[tuple[Origin, Hop], ...] = (
    *product((CHUNKED, UNCHUNKED), _nginx_hops()),
    *product((CHUNKED, QUIET), CADDY_BUFFERS),
    *product((CHUNKED, TRANSFORMABLE), COMPRESSORS),
    *product((CHUNKED, UNCHUNKED), PLAIN),
)
# What stands in a chain only: alone, to take a header out changes nothing.
STRIPPING = (CaddyHop(strips=True), EnvoyHop(strips=True))
BUFFERING = frozenset({"nginx-buffers", "blocks"})
STAYING = BUFFERING | {"nginx-gzip", "compressor", "whole-message", "media-type", "method"}
STREAMING_A_TURN = 3
_ACCEPTED: tuple[Accepts, ...] = ("gzip", "br", "zstd", "browser")
HOPS = (*dict.fromkeys(hop for _, hop in SINGLES), *STRIPPING)


def singles(dice: random.Random, count: int) -> list[Case]:
    """So many configurations of one hop, each with an asker who is likely to meet what it does."""
    return _mixed(dice, [_case(dice, origin, hop) for origin, hop in SINGLES], count)


def chains(dice: random.Random, count: int) -> list[Case]:
    """So many chains of two."""
    every = [
        _case(dice, dice.choice(ORIGINS), dice.choice(HOPS), dice.choice(HOPS)) for _ in range(20 * count)
    ]
    return _mixed(dice, list(dict.fromkeys(every)), count)


def compressed() -> list[Case]:
    """Each hop that compresses, asked in each way to accept what it does."""
    hops: tuple[Hop, ...] = (NginxHop(gzip=True), *COMPRESSORS)
    return [
        Case(TRANSFORMABLE, (hop,), Asker(accepts=accepts))
        for hop in hops
        for accepts in _ACCEPTED
        if accepts in (*_compresses(hop), "browser")
    ]


def _case(dice: random.Random, origin: Origin, *hops: Hop) -> Case:
    """The origin, or in every other case an app of a user's that is served in the same way."""

    def likely(percent: int) -> bool:
        return dice.random() < percent / 100

    if likely(50):
        origin = replace(
            origin,
            # Which alone decides whether a Caddy that buffers refuses.
            incremental=origin.incremental and any(getattr(hop, "buffers", "") for hop in hops),
            cache=dice.choice(("no-cache", "no-cache", "")),
            built="mounted" if likely(50) else "wrapped",
        )
    users = origin.built != "service"
    codings = {coding for hop in hops for coding in _compresses(hop)}
    templates = any(getattr(hop, "templates", False) for hop in hops)
    bare = any(getattr(hop, "bare", False) for hop in hops)
    by_method = any(getattr(hop, "reads", "") == "post" for hop in hops)
    by_media = any(getattr(hop, "reads", "") == "not-sse" for hop in hops)
    slowly = any(getattr(hop, "asks_ms", 0) for hop in hops)
    tls = likely(50)
    others: tuple[Media, ...] = ("text", "html", "json") if users else ("text", "ndjson")
    if bare and users:
        others = ("html",)
    elif templates:
        others = ("text", "html") if users else ("text",)
    accepts = _ACCEPTED
    if codings and likely(80):
        accepts = tuple(one for one in accepts if one in (*codings, "browser"))
    asker = Asker(
        method="POST" if by_method or likely(30) else "GET",
        media=dice.choice(others)
        if likely(75 if templates or by_media or bare else 60 if users else 25)
        else "sse",
        accepts=dice.choice(accepts) if likely(80 if codings else 30) else "",
        arm="on" if likely(30) else "off",
        tls=tls,
        http2=tls and likely(50),
        long=users and not slowly and likely(40),
    )
    return Case(origin, hops, asker)


def _compresses(hop: Hop) -> tuple[str, ...]:
    """In which codings."""
    if isinstance(hop, NginxHop):
        return ("gzip",) if hop.gzip else ()
    if isinstance(hop, CaddyHop):
        return hop.encodes
    return (hop.compresses,) if isinstance(hop, EnvoyHop) and hop.compresses else ()


def _mixed(dice: random.Random, cases: Sequence[Case], count: int) -> list[Case]:
    """So many of them, in turn of each truth that there is, as long as there are any; more that stream."""
    piles: dict[tuple[str, ...], list[Case]] = {}
    for case in dice.sample(cases, len(cases)):
        piles.setdefault(tuple(sorted(case.truth)), []).append(case)
    drawn: list[Case] = []
    while len(drawn) < count and piles:
        for truth in list(piles):
            for _ in range(1 if truth else STREAMING_A_TURN):
                if piles[truth]:
                    drawn.append(piles[truth].pop())
            if not piles[truth]:
                del piles[truth]
    return drawn[:count]
