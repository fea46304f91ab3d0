"""A space of real proxies: how each hop is configured, and what it then does to a stream. Pure.

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
from kit.proof.lane import Arm
from tests.fixtures.sites import CaddySite, EnvoySite, NginxSite, Site

Version = Literal["1.0", "1.1"]
# How a hop is asked: in HTTP/1.x, in HTTP/1.1 over TLS, or in HTTP/2 over TLS.
Asked = Literal["1.0", "1.1", "1.1 tls", "2"]
Media = Literal["sse", "ndjson", "text"]
Method = Literal["GET", "POST"]

# Enough to be judged, and few enough that a hop which takes 300 ms for each has done in seconds.
OUTPUT_TOKENS = 24
ACCEPTS = {"sse": "text/event-stream", "ndjson": "application/x-ndjson", "text": "text/plain"}


@dataclass(frozen=True, slots=True)
class Asker:
    """What is asked for, and how.

    Attributes:
        gzip: whether the answer may be compressed.
        arm: whether the service sends `X-Accel-Buffering: no`.
        tls: whether the outermost hop is asked over TLS, and then in HTTP/2 if `http2`.
    """

    method: Method = "GET"
    media: Media = "sse"
    gzip: bool = False
    arm: Arm = "off"
    tls: bool = False
    http2: bool = False

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return (("accept", ACCEPTS[self.media]), ("accept-encoding", "gzip" if self.gzip else "identity"))

    def ask(self, base: str) -> Ask:
        """The service's answer to a question."""
        query = urlencode({"ai_prompt": "Why is the sky blue?", "max_output_tokens": OUTPUT_TOKENS})
        body = b"" if self.method == "POST" else None
        return Ask(self.method, f"{base}/search?{query}", self.headers, body)

    def __str__(self) -> str:
        words = [self.method, self.media, "gzip" if self.gzip else "", f"arm {self.arm}"]
        return " ".join(filter(None, [*words, "tls" if self.tls else "", "h2" if self.http2 else ""]))


@dataclass(frozen=True, slots=True)
class Origin:
    """The service under uvicorn.

    Attributes:
        chunks_always: also to who asks in HTTP/1.0 (httptools); h11 then ends with the connection.
        incremental: whether it says `Incremental: ?1`.
        no_transform: whether it says `Cache-Control: no-transform`.
    """

    chunks_always: bool = True
    incremental: bool = True
    no_transform: bool = True

    @property
    def http(self) -> str:
        return "httptools" if self.chunks_always else "h11"

    @property
    def app(self) -> str:
        if not self.no_transform:
            return "tests.fixtures.apps:transformable"
        return "service.main:app" if self.incremental else "tests.fixtures.apps:without_incremental"

    def __str__(self) -> str:
        words = ["" if self.incremental else "no-incremental", "" if self.no_transform else "transformable"]
        return " ".join(filter(None, [self.http, *words]))


@dataclass(frozen=True, slots=True)
class Flow:
    """A response between two hops.

    Attributes:
        chunked: whether in chunks; else it ends with the connection, or its length was said.
        reaches: whether `X-Accel-Buffering`, if the service sends it, is still there.
        gzip: whether a hop has compressed it already.
        incremental, no_transform: as the origin says it.
        pieces_kib: the largest piece that it is cut into; None where it comes as it was written.
    """

    chunked: bool
    reaches: bool = True
    gzip: bool = False
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
        tells: whether it is passed on, which nginx does only if told.
    """

    asks_in: Version = "1.1"
    buffering: bool = True
    buffer_kib: int = 4
    gzip: bool = False
    cache: bool = False
    ignores: bool = False
    tells: bool = False

    def site(self, upstream: str | Site, *, tls: bool = False) -> Site:
        size = f"{self.buffer_kib}k"
        lines = [
            f"proxy_http_version {self.asks_in};",
            'proxy_set_header Connection "";' if self.asks_in == "1.1" else "",
            "" if self.buffering else "proxy_buffering off;",
            f"proxy_buffer_size {size}; proxy_buffers 8 {size};",
            f"proxy_busy_buffers_size {2 * self.buffer_kib}k;",
            "gzip on; gzip_min_length 1; gzip_proxied any;" if self.gzip else "",
            f"gzip_types {' '.join(ACCEPTS.values())};" if self.gzip else "",
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
        if flow.gzip and self.buffer_kib == 64:
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
            gzip=flow.gzip or compresses,
            pieces_kib=_ANY_SIZE if compresses else self.buffer_kib,
        )

    def _compresses(self, flow: Flow, asker: Asker, asked: Asked) -> bool:
        # Not for who asks in HTTP/1.0 (gzip_http_version).
        return self.gzip and asker.gzip and not flow.gzip and asked != "1.0"

    def __str__(self) -> str:
        words = [
            f"nginx/{self.asks_in}",
            f"{self.buffer_kib}k",
            "" if self.buffering else "unbuffered",
            "gzip" if self.gzip else "",
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
        gzip: `encode gzip`.
        templates: whether it evaluates text/plain as a template, which it reads whole.
        flush_ms: `flush_interval`; -1 for at once, None for the default.
        strips: whether it takes `X-Accel-Buffering` out.
    """

    buffers: str = ""
    gzip: bool = False
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
        types = "\n".join(f"header Content-Type {media}*" for media in ACCEPTS.values())
        beside = [
            f"encode {{\ngzip\nminimum_length 1\nmatch {{\n{types}\n}}\n}}" if self.gzip else "",
            "templates" if self.templates else "",
        ]
        return CaddySite(upstream, "\n".join(filter(None, lines)), "\n".join(filter(None, beside)), tls)

    def holds(self, flow: Flow, asker: Asker, asked: Asked) -> frozenset[str]:
        if self.buffers and flow.incremental:
            return frozenset({"refuses"})
        if self.buffers:
            return frozenset({"whole-message" if self.buffers == "unlimited" else "prefix-buffer"})
        return frozenset({"media-type"}) if self.templates and asker.media == "text" else _NOTHING

    def onward(self, flow: Flow, asker: Asker, asked: Asked) -> Flow:
        return replace(
            flow,
            chunked=asked != "1.0",
            reaches=flow.reaches and not self.strips,
            gzip=flow.gzip or (self.gzip and asker.gzip and not flow.no_transform),
            # It copies 32 KiB at a time; through `encode` in what pieces its compressor likes.
            pieces_kib=_ANY_SIZE if self.gzip else 32,
        )

    def __str__(self) -> str:
        words = [
            "caddy",
            f"buffers {self.buffers}" if self.buffers else "",
            "gzip" if self.gzip else "",
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
        gzip: the compressor filter.
        file_buffer: a filter that collects a response.
        timeout_s: the route's; 0 for none.
        strips: whether it takes `X-Accel-Buffering` out.
    """

    reads: str = ""
    asks_ms: int = 0
    gzip: bool = False
    file_buffer: bool = False
    timeout_s: int = 0
    strips: bool = False
    asks_in: Version = "1.1"

    def site(self, upstream: str | Site, *, tls: bool = False) -> Site:
        return EnvoySite(
            upstream,
            READS[self.reads],
            asks_ms=self.asks_ms,
            gzip=self.gzip,
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
        return frozenset({"timer"}) if self.asks_ms else _NOTHING

    def onward(self, flow: Flow, asker: Asker, asked: Asked) -> Flow:
        coded = flow.gzip or (self.gzip and asker.gzip and not flow.no_transform)
        reaches = flow.reaches and not self.strips
        return replace(flow, chunked=asked != "1.0", reaches=reaches, gzip=coded)

    def __str__(self) -> str:
        words = [
            "envoy",
            f"lua {self.reads}" if self.reads else "",
            f"asks {self.asks_ms}" if self.asks_ms else "",
            "gzip" if self.gzip else "",
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

    def site(self, origin: str) -> Site:
        """The outermost hop, with all that stands behind it."""
        upstream: str | Site = origin
        for hop in self.hops:
            upstream = hop.site(upstream, tls=self.asker.tls and hop is self.hops[-1])
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
                # Who refuses has read the head, and whoever holds that behind it is seen first.
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
    yield NginxHop(gzip=True, buffer_kib=64)
    yield NginxHop(gzip=True, buffering=False)


CADDY_BUFFERS = tuple(CaddyHop(size) for size in ("4KiB", "16KiB", "64KiB", "1MiB", "unlimited"))
COMPRESSORS: tuple[Hop, ...] = (CaddyHop(gzip=True), EnvoyHop(gzip=True))
CHUNKED, UNCHUNKED = Origin(), Origin(chunks_always=False)
QUIET, TRANSFORMABLE = Origin(incremental=False), Origin(no_transform=False)
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
HOPS = (*dict.fromkeys(hop for _, hop in SINGLES), *STRIPPING)


def singles(dice: random.Random, count: int) -> list[Case]:
    """So many configurations of one hop, each with an asker who is likely to meet what it does."""
    every = [Case(origin, (hop,), _asker(dice, hop)) for origin, hop in SINGLES]
    return _mixed(dice, every, count)


def chains(dice: random.Random, count: int) -> list[Case]:
    """So many chains of two."""
    every: list[Case] = []
    for _ in range(20 * count):
        inner, outer = dice.choice(HOPS), dice.choice(HOPS)
        every.append(Case(dice.choice(ORIGINS), (inner, outer), _asker(dice, inner, outer)))
    return _mixed(dice, every, count)


def _asker(dice: random.Random, *hops: Hop) -> Asker:
    def likely(percent: int) -> bool:
        return dice.random() < percent / 100

    gzip = any(getattr(hop, "gzip", False) for hop in hops)
    templates = any(getattr(hop, "templates", False) for hop in hops)
    by_method = any(getattr(hop, "reads", "") == "post" for hop in hops)
    by_media = any(getattr(hop, "reads", "") == "not-sse" for hop in hops)
    tls = likely(50)
    other: Media = "text" if templates or likely(50) else "ndjson"
    return Asker(
        method="POST" if likely(75 if by_method else 30) else "GET",
        media=other if likely(75 if templates or by_media else 25) else "sse",
        gzip=likely(80 if gzip else 15),
        arm="on" if likely(30) else "off",
        tls=tls,
        http2=tls and likely(50),
    )


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
