"""HTTP that stamps every network read, and turns whatever a server can do wrong into one sentence.

httpcore2 speaks the protocols. Its network streams are wrapped, since a stamp taken after parsing and
decoding is late by what those cost. Content coding is undone here, in bounded pieces.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import time
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from types import TracebackType
from typing import Any, Self
from urllib.parse import SplitResult, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore2

from kit import __version__
from kit.errors import Code, KitError
from kit.language import text
from kit.probe.address import checked, in_ascii, same_origin
from kit.probe.coding import Coding
from kit.probe.http_errors import no_plain_http, shown, timed_out, translate_errors
from kit.probe.tls import Trust, context, speaks_tls, trust_here
from kit.proof.actions import By
from kit.proof.conditions import ACCEPT

MAX_REDIRECTS = 10
MAX_BODY_BYTES = 64 * 1024 * 1024
_ANSWERED: set[str] = set()  # hosts and ports that have answered in plain HTTP
_NO_LINGER = struct.pack("ii", 1, 0)
# Of the first request on a connection, whose stream is number 1; the code is CANCEL (RFC 9113, 6.4).
_RST_STREAM = bytes.fromhex("000004 03 00 00000001 00000008")
_MAX_CONCURRENT_STREAMS = 3  # HTTP/2's setting: https://www.rfc-editor.org/rfc/rfc9113#section-6.5.2


def now_ms() -> float:
    """The client's clock: milliseconds from an arbitrary zero, never set back."""
    return time.perf_counter() * 1000


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `headers` are sent as they are, after our own `host`, `user-agent` and `accept`.

    They may hold a token, and are not shown.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes | None = None


class Response:
    """One response whose head is in.

    Attributes:
        status: the HTTP status.
        headers: lower-case name to value; repeated ones joined by ", ".
        url: where it came from, redirects followed.
        head_ms: when the read that completed its head returned.
        coded_octets: how much of its body was read so far, before content coding is undone.
        http_version: "HTTP/1.1", "HTTP/2".
    """

    def __init__(self, url: str, raw: httpcore2.Response, stamp: _Stamp) -> None:
        self.url = url
        self.status = raw.status
        self.headers = _joined(raw.headers)
        version: bytes = raw.extensions.get("http_version", b"HTTP/1.1")
        self.http_version = version.decode("ascii", "replace")
        self.head_ms = stamp.read_ms
        self.coded_octets = 0
        self._raw = raw
        self._stamp = stamp

    async def reads(self) -> AsyncIterator[tuple[float, bytes]]:
        """The body as it arrives, content coding undone: (when it was read, bytes).

        A read that nothing can be decoded from yet is there too, without any.

        Raises:
            KitError: BODY_CUT, NOT_HTTP, BAD_ENCODING, TOO_LARGE, UNREACHABLE.
        """
        undo = Coding(self.headers.get("content-encoding", ""))
        total = 0
        with translate_errors(self.url, in_body=True):
            async for raw in self._raw.aiter_stream():
                at = self._stamp.read_ms
                self.coded_octets += len(raw)
                piece = b""
                for piece in undo.decode(raw):
                    total += len(piece)
                    if total > MAX_BODY_BYTES:
                        raise KitError(
                            Code.TOO_LARGE,
                            text(
                                "{url} sent more than {mib} MiB and went on.",
                                url=shown(self.url),
                                mib=MAX_BODY_BYTES >> 20,
                            ),
                            text(
                                "Ask for a shorter answer: a stream of a few seconds is enough to judge it."
                            ),
                        )
                    yield at, piece
                if not piece:
                    yield at, piece
        undo.end()

    async def beginning(self) -> bytes:
        """The first 16 KiB of the body, as far as they come within a second; what goes wrong ends it."""
        body = b""
        try:
            async with asyncio.timeout(1.0):
                async for _, piece in self.reads():
                    body += piece
                    if len(body) >= 16 * 1024:
                        break
        except (KitError, TimeoutError):
            pass
        return body


class Client:
    """A pool of connections. Two clients never share one, so a side request cannot queue behind a stream.

    Args:
        http2: offer HTTP/2 (over TLS; without it HTTP/1.1 is what a server gets).
        timeout_s: for connecting, and for each silence while a request is sent or answered.

    Attributes:
        versions: what responses said of the version that they come from (docs/proof-protocol.md), each once.
        multiplexed: how many requests at once a server allows on one connection of HTTP/2, as one said last;
            None where none did.
    """

    def __init__(self, *, http2: bool = False, timeout_s: float = 60.0) -> None:
        self._http2 = http2
        self._timeout_s = timeout_s
        self._pools: dict[tuple[str, str | None, Trust], httpcore2.AsyncConnectionPool] = {}
        self._stack = AsyncExitStack()
        self._opened: list[_StampedStream] = []
        self.versions: set[str] = set()
        self.multiplexed: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def stream(self, ask: Ask) -> AsyncGenerator[Response]:
        """Send a request; the response once its head is in. Up to 10 redirects are followed.

        Credentials are not sent on to another origin.

        Raises:
            KitError: whatever went wrong, in a sentence.
        """
        for _ in range(MAX_REDIRECTS + 1):
            async with self._once(ask) as response:
                onward = response.headers.get("location")
                if response.status not in (301, 302, 303, 307, 308) or onward is None:
                    if version := response.headers.get("streamproof-version"):
                        self.versions.add(version)
                    yield response
                    return
                ask = _redirected(ask, response.status, onward)
        raise KitError(
            Code.TOO_MANY_REDIRECTS,
            text(
                "{url} redirected more than {most} times.",
                url=shown(ask.url),
                most=MAX_REDIRECTS,
            ),
            text("Give the address at which the answer itself is served."),
            lasting=True,
        )

    async def fetch(
        self, ask: Ask, *, within_ms: float, begins: bytes = b"", most_bytes: int = 64 * 1024
    ) -> tuple[Response, bytes, float, float]:
        """A small request and its whole answer: (response, body, sent_ms, arrived_ms).

        A body that does not begin with `begins` is not read on: it may be a stream without end.

        Raises:
            KitError: TIMED_OUT, TOO_LARGE and whatever else went wrong.
        """
        sent, body = now_ms(), b""
        try:
            async with asyncio.timeout(within_ms / 1000), self.stream(ask) as response:
                arrived = response.head_ms
                async for at, piece in response.reads():
                    arrived, body = at, body + piece
                    if not body.startswith(begins[: len(body)]):
                        break
                    if len(body) > most_bytes:
                        raise KitError(
                            Code.TOO_LARGE,
                            text("{url} answered with too much.", url=shown(ask.url)),
                            text("Check the address."),
                        )
        except TimeoutError:
            raise timed_out(shown(ask.url), within_ms / 1000) from None
        return response, body, sent, arrived

    @asynccontextmanager
    async def _once(self, ask: Ask) -> AsyncGenerator[Response]:
        url = in_ascii(ask.url)
        parts = urlsplit(url)
        pool = await self._pool(parts.scheme, parts.hostname or "")
        extensions: dict[str, Any] = {
            "timeout": dict.fromkeys(("connect", "read", "write", "pool"), self._timeout_s)
        }
        if self._http2:
            extensions["trace"] = self._trace
        async with AsyncExitStack() as stack:
            try:
                with translate_errors(ask.url, in_body=False, timeout_s=self._timeout_s):
                    raw = await stack.enter_async_context(
                        pool.stream(
                            ask.method,
                            url,
                            headers=headers_of(ask, parts.netloc),
                            content=ask.body,
                            extensions=extensions,
                        )
                    )
            except KitError as error:
                if await _wants_tls(parts, error):
                    raise no_plain_http(ask.url) from error
                raise
            if parts.scheme == "http":
                _ANSWERED.add(parts.netloc)
            stream = raw.extensions.get("network_stream")
            yield Response(ask.url, raw, stream.stamp if isinstance(stream, _StampedStream) else _Stamp())

    @asynccontextmanager
    async def leaving(self, by: By) -> AsyncGenerator[None]:
        """Have what is left within end so: all connections of this client, or its first request on HTTP/2.

        httpcore only forgets a request on HTTP/2 that is left, and its server never hears of it.
        """
        if by is By.RST:
            for one in self._opened:
                one.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        yield
        for one in [*self._opened]:
            tls = one.get_extra_info("ssl_object")
            if by is By.RST_STREAM and tls is not None and tls.selected_alpn_protocol() == "h2":
                await one.write(_RST_STREAM)
            else:
                await one.aclose()

    async def _trace(self, what: str, how: Mapping[str, Any]) -> None:
        if what == "http2.receive_remote_settings.complete":
            changed = how["return_value"].changed_settings.get(_MAX_CONCURRENT_STREAMS)
            self.multiplexed = self.multiplexed if changed is None else changed.new_value

    async def _pool(self, scheme: str, host: str) -> httpcore2.AsyncConnectionPool:
        proxy = None if proxy_bypass(host) else _proxy(scheme)
        trust = trust_here()
        key = scheme, proxy, trust
        if key not in self._pools:
            self._pools[key] = await self._stack.enter_async_context(
                httpcore2.AsyncConnectionPool(
                    ssl_context=_ssl_context(trust, http2=self._http2) if scheme == "https" else None,
                    proxy=httpcore2.Proxy(proxy) if proxy else None,
                    http2=self._http2,
                    network_backend=_StampingBackend(self._opened),
                )
            )
        return self._pools[key]


async def _wants_tls(parts: SplitResult, error: KitError) -> bool:
    """Whether what failed over plain HTTP, once connected, would have got through over TLS."""
    connected = isinstance(error.__cause__, httpcore2.ProtocolError | httpcore2.ReadError)
    host = parts.hostname
    if parts.scheme != "http" or not connected or not host or not (proxy_bypass(host) or not _proxy("http")):
        return False
    if parts.netloc in _ANSWERED:  # what it closes now it refuses: no further connection
        return False
    return await speaks_tls(host, parts.port or 80)


class _Stamp:
    def __init__(self) -> None:
        self.read_ms = now_ms()


class _StampedStream(httpcore2.AsyncNetworkStream):
    """A network stream that notes when each read returned, and is listed among the open ones."""

    def __init__(
        self, inner: httpcore2.AsyncNetworkStream, stamp: _Stamp, opened: list[_StampedStream]
    ) -> None:
        self._inner = inner
        self._opened = opened
        self.stamp = stamp
        opened.append(self)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        data = await self._inner.read(max_bytes, timeout)
        self.stamp.read_ms = now_ms()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        if self in self._opened:
            self._opened.remove(self)
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        inner = await self._inner.start_tls(ssl_context, server_hostname, timeout)
        self._opened.remove(self)
        return _StampedStream(inner, self.stamp, self._opened)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _StampingBackend(httpcore2.AnyIOBackend):
    def __init__(self, opened: list[_StampedStream]) -> None:
        self._opened = opened

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        inner = await super().connect_tcp(host, port, timeout, local_address, socket_options)
        return _StampedStream(inner, _Stamp(), self._opened)


def _proxy(scheme: str) -> str | None:
    """The proxy that the environment names. Raises KitError (UNREACHABLE) if it is none that can be used."""
    named = getproxies().get(scheme)
    if not named:
        return None
    proxy = named if "://" in named else f"http://{named}"
    try:
        checked(proxy)
    except KitError:
        raise KitError(
            Code.UNREACHABLE,
            text("The proxy {proxy!r} is none that can be used.", proxy=shown(proxy)[:200]),
            text(
                "Set {scheme}_proxy to an http:// one, or name the host in no_proxy to ask it directly.",
                scheme=scheme,
            ),
        ) from None
    return proxy


def headers_of(ask: Ask, host: str) -> list[tuple[bytes, bytes]]:
    """All that a request bears; `host` is the address's own, with its port."""
    ours = {
        "host": host,
        "user-agent": f"streamproof/{__version__}",
        "accept": ACCEPT,
    }
    if ask.body is not None:
        ours["content-length"] = str(len(ask.body))
    given = urlsplit(ask.url)
    if given.username is not None:
        pair = f"{unquote(given.username)}:{unquote(given.password or '')}"
        ours["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    for name, _ in ask.headers:
        ours.pop(name.lower(), None)
    return [(name.encode("latin-1"), value.encode("utf-8")) for name, value in (*ours.items(), *ask.headers)]


def _redirected(ask: Ask, status: int, onward: str) -> Ask:
    try:
        url = urljoin(ask.url, onward)
        checked(url)
    except (ValueError, KitError):
        raise KitError(
            Code.NOT_HTTP,
            text(
                "{url} redirected to what is no address that can be probed: {onward!r}.",
                url=shown(ask.url),
                onward=shown(onward)[:200],
            ),
            text("Give the address at which the answer itself is served."),
            lasting=True,
        ) from None
    if status == 303 or (status in (301, 302) and ask.method == "POST"):
        ask = replace(ask, method="GET", body=None)
    return replace(ask, url=url, headers=same_origin(ask.headers, ask.url, url))


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


@cache
def _ssl_context(trust: Trust, *, http2: bool) -> ssl.SSLContext:
    """One for all that trust alike: while certificates are loaded no read is stamped."""
    return context(trust, http2=http2)
