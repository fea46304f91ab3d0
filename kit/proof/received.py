"""One response as far as it has come in. Pure: it is given what was read and when."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kit.proof.conditions import framing
from kit.proof.events import ChunkDecoder, Decoder, Event, LineDecoder
from kit.proof.sse import SSEDecoder

# What caches say of a copy that they had (RFC 9211, 9111, and the usual headers before them).
_STORED = {
    "cache-status": re.compile(r";\s*hit\b", re.I),
    "age": re.compile(r"[1-9][0-9]*"),
    "x-varnish": re.compile(r"[0-9]+ [0-9]+"),
}
_HIT = re.compile(r"(?:\b|_)hit\b", re.I)
MOST_READS = 100_000  # more are counted with the last


class Received:
    """One response, from its head to its end.

    All times are milliseconds on the client's clock, from whatever zero the caller uses.

    Attributes:
        status: None until the head is in.
        headers: lower-case name to value.
        head_ms: when the head was in.
        arrivals: the complete events, each with the time of the read that completed it.
        octets: body octets after content decoding, complete events or not, but for blocks that are no event:
            a hop may send comments of its own while it holds all that the origin sends.
        reads: when so much of it came, the latest read last; what came at the same time is one.
        ended_ms: when the response ended; None while it runs.
        clean: whether its framing ended as it must; only meaningful once it ended.
        late_ms: by how much a read may be late because this process did not run; 0 where not measured.
        left: whether we left it before it ended.
        http_version: "HTTP/1.0", "HTTP/1.1", "HTTP/2"; empty where it is not known.
        origin_http: the version in which its origin is asked, "1.0" or "1.1" say; empty where unknown.
    """

    def __init__(self, decoder: Decoder) -> None:
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.head_ms: float | None = None
        self.arrivals: list[tuple[float, Event]] = []
        self.octets = 0
        self.reads: list[tuple[float, int]] = []
        self.ended_ms: float | None = None
        self.clean = False
        self.late_ms = 0.0
        self.left = False
        self.http_version = ""
        self.origin_http = ""
        self._decoder = decoder

    def head(self, now_ms: float, status: int, headers: Mapping[str, str], http_version: str = "") -> None:
        """The response's head is in."""
        self.http_version = http_version
        self.head_ms, self.status, self.headers = now_ms, status, headers

    def use(self, decoder: Decoder) -> None:
        """The head says what an event is: decode the body with this."""
        self._decoder = decoder

    def body(self, now_ms: float, data: bytes) -> list[Event]:
        """Some body is in (content coding already undone); the events it completed.

        Raises:
            EventTooLargeError: see `Decoder`.
        """
        before = _beside(self._decoder)
        events = self._decoder.feed(data)
        self.count(now_ms, len(data) - (_beside(self._decoder) - before))
        self.arrivals += [(now_ms, event) for event in events]
        return events

    def count(self, now_ms: float, octets: int) -> None:
        """So many octets of the body are in, whatever they are."""
        self.octets += octets
        if octets <= 0:  # a comment: its own, or the one whose beginning was counted before
            return
        if self.reads and (self.reads[-1][0] == now_ms or len(self.reads) >= MOST_READS):
            now_ms, octets = self.reads[-1][0], self.reads.pop()[1] + octets
        self.reads.append((now_ms, octets))

    def end(self, now_ms: float, *, clean: bool) -> None:
        """The response is over."""
        self.ended_ms, self.clean = now_ms, clean

    @property
    def ends_with_its_connection(self) -> bool:
        """Whether its framing has no end of its own (RFC 9112, 6.3), so that a cut looks like one."""
        framed = "content-length" in self.headers or "transfer-encoding" in self.headers
        return self.http_version.startswith("HTTP/1") and not framed

    @property
    def stored_by(self) -> str:
        """The header by which a cache says that this is a copy it had; empty where none does."""
        for name, value in self.headers.items():
            cache = name.startswith(("x-", "cf-", "cdn-")) and "cache" in name
            says = _STORED.get(name, _HIT if cache else None)
            if says is not None and says.search(value):
                return f"{name}: {value[:60]}"
        return ""

    @property
    def unfinished(self) -> bool:
        """Whether what came last is the beginning of an event without its end."""
        return isinstance(self._decoder, (SSEDecoder, LineDecoder)) and self._decoder.unfinished

    @property
    def events(self) -> int:
        """How many complete events are in."""
        return len(self.arrivals)

    @property
    def refused(self) -> bool:
        """Whether a hop refused to forward it incrementally (RFC 10036, section 4).

        A bare 501 (Caddy's) is one only where the origin is known to do better: others answer so to a
        method that they do not know.
        """
        says_so = "incremental_refused" in self.headers.get("proxy-status", "").lower()
        return says_so and self.status in (429, 501)


def decoder_of(content_type: str) -> Decoder:
    """What an event is in this media type."""
    match framing(content_type):
        case "sse":
            return SSEDecoder()
        case "ndjson":
            return LineDecoder()
        case "text":
            return ChunkDecoder()


def _beside(decoder: Decoder) -> int:
    """Octets of what is complete and no event; only an event stream has such."""
    return decoder.beside if isinstance(decoder, SSEDecoder) else 0
