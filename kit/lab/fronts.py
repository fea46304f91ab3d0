"""A platform's front as it treats one response. Pure: bytes in, bytes to forward; no sockets, no clock.

A `Gate` stands between the service and the client for one response and follows a `FrontSpec`:

- **none** forwards every byte as it comes.
- **blocks** holds everything, the head too, until a block is full, then forwards block by block; the rest
  goes when the response ends. `X-Accel-Buffering: no` from the service opens the gate, where the platform
  honours it.
- **whole** collects the message and forwards it at its end, with a Content-Length.

What is documented and what is inferred (sources and certainty: the claims in `deploy/*/target.toml`):

- Documented: "64k-blocks" and their switch (Flexible); "sent as a single HTTP response" and an empty 500 over
  the cap (Standard); the cap that spares chunked responses (Cloud Run).
- Inferred: that a block counts the body only. nginx's own first block is smaller by the length of the head
  that it received, because its first buffer holds that too; Google's page only says "64k-blocks".
- Inferred: a whole-message front answers 502 when the service breaks off, since the client has seen nothing
  yet. Measured with nginx: one that holds blocks forwards what it holds, then cuts the connection.
- Inferred: over the cap with the head already gone, the connection is cut.
- The deadline counts from the request's head, and nothing that flows puts it off. Before the head went out:
  500 from a whole-message front (Google's old Java page), else 504 (Cloud Run's page), from a front that
  lets everything pass in Envoy's words. Google's own page says 502 as well. Once the head has gone, the
  connection is cut and the status stays 200 (seen in Cloud Run's logs, and reported of GKE's front).
- Held against an Envoy with a route timeout (tests/kit/lab/test_fronts_against_envoy.py): the same events
  pass, the service's connection ends at the same moment, and no last chunk comes. Envoy differs in three
  ways: it counts from the request's end; over HTTP/1.1 it ends the client's connection a second later
  (its delayed_close_timeout); and it lets a cut look whole to an HTTP/1.0 client, where this front resets.

Not emulated, though documented: the limits on header sizes, Standard's own gzip, `Cache-Control: private`
beside a Set-Cookie, HTTP/2 to the client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kit.lab.headers import Header, find, rewrite, without
from kit.targets import FrontSpec


@dataclass(frozen=True, slots=True)
class Head:
    """A response's status and headers."""

    status: int
    headers: tuple[Header, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """What the client gets now, in this order: the head, body bytes, then nothing more, an end or a cut.

    Attributes:
        head: None when it has gone already.
        body: goes to the client as one write.
        end: the response is complete.
        cut: the connection ends here without a clean end, and the client must be able to see that.
    """

    head: Head | None = None
    body: bytes = b""
    end: bool = False
    cut: bool = False


class Gate:
    """Holds one response as its platform does.

    `begin` once, `feed` for every piece of the body, then one of `finish`, `broke` and `expire`. Each returns
    what to forward now. After an end or a cut everything more is swallowed.
    """

    def __init__(
        self, spec: FrontSpec, head: Head, *, values: Mapping[str, str], bodyless: bool = False
    ) -> None:
        """Stand in front of one response.

        Args:
            spec: how the platform behaves.
            head: as the service sent it.
            values: what the placeholders of added headers stand for (`kit.lab.headers`).
            bodyless: the answer has no body whatever its head says (to HEAD; 204 and 304).
        """
        freed = spec.accel_frees and (find(head.headers, b"x-accel-buffering") or b"").lower() == b"no"
        chunked = find(head.headers, b"transfer-encoding") is not None
        spared = chunked and spec.cap_spares_chunked
        length = find(head.headers, b"content-length")

        self._spec = spec
        self._values = values
        self._hold = "none" if freed else spec.hold
        self._cap = None if spared or bodyless else spec.response_cap_bytes
        self._announced = int(length) if length and length.isdigit() else 0
        self._bodyless = bodyless
        self._head: Head | None = Head(head.status, _pass_headers(spec, head.headers, values))
        self._held = bytearray()
        self._total_bytes = 0
        self._over = False

    def begin(self) -> list[Release]:
        """The head arrived."""
        if self._cap is not None and self._announced > self._cap:
            return self._too_large()
        if self._hold == "none" and not self._bodyless:
            return [self._flush(0)]
        return []

    def feed(self, data: bytes) -> list[Release]:
        """A piece of the body arrived."""
        if self._over or self._bodyless:
            return []
        self._total_bytes += len(data)
        if self._cap is not None and self._total_bytes > self._cap:
            return self._too_large()
        self._held += data
        if self._hold == "none":
            return [self._flush(len(self._held))]
        if self._hold == "blocks" and self._spec.block_bytes:
            size = self._spec.block_bytes
            return [self._flush(size) for _ in range(len(self._held) // size)]
        return []

    def finish(self) -> list[Release]:
        """The service ended its response properly."""
        if self._over:
            return []
        self._over = True
        if self._hold == "whole" and self._head is not None and not self._bodyless:
            size = str(len(self._held)).encode()
            headers = (*without(self._head.headers, b"content-length"), (b"Content-Length", size))
            self._head = replace(self._head, headers=headers)
        return [replace(self._flush(len(self._held)), end=True)]

    def broke(self) -> list[Release]:
        """The service broke off in the middle of its response."""
        if self._over:
            return []
        self._over = True
        if self._hold == "whole":
            self._held.clear()
            return plain(self._spec, 502, "The service broke off in the middle of its answer.", self._values)
        return [replace(self._flush(len(self._held)), cut=True)]

    def expire(self) -> list[Release]:
        """The front's deadline for the whole exchange has come."""
        return self._stop(late(self._spec, self._values))

    def _too_large(self) -> list[Release]:
        return self._stop(plain(self._spec, 500, "", self._values))

    def _stop(self, instead: list[Release]) -> list[Release]:
        """An answer of the front's own while the head is still here, else a cut."""
        if self._over:
            return []
        self._over = True
        self._held.clear()
        return [Release(cut=True)] if self._head is None else instead

    def _flush(self, size: int) -> Release:
        release = Release(self._head, bytes(self._held[:size]))
        del self._held[:size]
        self._head = None
        return release


def late(spec: FrontSpec, values: Mapping[str, str]) -> list[Release]:
    """What a client gets when the deadline comes before the head went out (see the module's comment)."""
    if spec.hold == "none":
        return plain(spec, 504, "upstream request timeout", values, line_end="")
    return plain(spec, 500 if spec.hold == "whole" else 504, "", values)


def plain(
    spec: FrontSpec, status: int, sentence: str, values: Mapping[str, str], *, line_end: str = "\n"
) -> list[Release]:
    """An answer of the front's own: a sentence as text, or an empty body."""
    body = f"{sentence}{line_end}".encode() if sentence else b""
    own: Sequence[Header] = ((b"Content-Length", str(len(body)).encode()),)
    if body:
        own = ((b"Content-Type", b"text/plain; charset=utf-8"), *own)
    headers = rewrite(own, removed=(), added=spec.response_headers_added, values=values)
    return [Release(Head(status, headers), body, end=True)]


def _pass_headers(
    spec: FrontSpec, headers: tuple[Header, ...], values: Mapping[str, str]
) -> tuple[Header, ...]:
    removed = spec.response_headers_removed
    if find(headers, b"transfer-encoding") is not None:
        removed = (*removed, "content-length")  # the other one rules (RFC 9112, section 6.3)
    if spec.accel_frees:
        removed = (*removed, "x-accel-buffering")  # consumed, as nginx does (ngx_http_proxy_hide_headers)
    return rewrite(headers, removed=removed, added=spec.response_headers_added, values=values)
