"""A server on this machine whose stream is known to be good: each event leaves at once, whole or in pieces.

It answers any method and path, and reads the rest of a request without notice of it. Every request gets the
same stream from its beginning, so that a client that asks again misses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Literal

from kit.proof.client_examination import TYPES, Framing
from kit.proof.client_marks import SMALLEST, MarkedMedia, Place, marked_event, pair

_HEAD_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 64 * 1024
_CONNECTIONS: Final = 64  # a client that asks without end must not fill our memory
_PIECE_S: Final = 0.015  # between two pieces, so that a client reads them one by one
# EventSource is to ask again at once; so that a client may know the end, all of the usual last events.
_RETRY: Final = b"retry: 100\n\n"
_LAST: Final = b"data: [DONE]\n\n" + b"".join(
    b"event: %s\ndata: {}\n\n" % name for name in (b"done", b"end", b"close", b"complete", b"finish", b"stop")
)
_LOST: Final = (ConnectionError, TimeoutError, asyncio.IncompleteReadError)


Ending = Literal["plain", "retry", "last-event"]


class KnownGood:
    """The server, from `async with` on.

    Args:
        media, framing: of the stream.
        nonce: in its marks.
        asked: called once the stream has been asked for.
        answered: how many requests get a short stream that ends, before the stream is given to the next.
        ending: unless "plain", an event stream bids clients come back soon, and a request after its end gets
            a 204; "last-event" adds one that says that it is the last.

    Attributes:
        url: where it is; any path under it, and any query, are the same.
        requests: how many came, those for a head alone left out.
        refused: whether something came that is not HTTP/1.
        http10: whether a request came in HTTP/1.0.
    """

    def __init__(
        self,
        media: MarkedMedia,
        framing: Framing,
        nonce: str,
        asked: Callable[[], None],
        answered: int = 0,
        ending: Ending = "plain",
    ) -> None:
        self.url = ""
        self.requests = 0
        self.refused = False
        self.http10 = False
        self._asked = asked
        self._media: MarkedMedia = media
        self._framing: Framing = framing
        self._answered = answered
        self._nonce = nonce
        self._ending = ending
        self._events = 0
        self._written: list[bytes] = []
        self._streams: dict[asyncio.StreamWriter, bool] = {}  # and whether it is chunked
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._over = asyncio.Event()  # nothing more will be written
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> KnownGood:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_HEAD_BYTES)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/stream"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None  # noqa: S101 (it was entered)
        self._server.close()
        self._over.set()
        serving = [task for task in self._open.values() if task is not None]
        for writer in self._open:
            writer.transport.abort()
        await asyncio.gather(*serving, return_exceptions=True)
        await self._server.wait_closed()

    def write(self, octets: int) -> None:
        """Send one event of so many octets on every stream."""
        self._send(marked_event(self._media, self._nonce, self._events, octets))
        self._events += 1

    async def write_pair(self, place: Place) -> None:
        """Send two events on every stream, the first one cut (`kit.proof.client_marks.pair`)."""
        pieces = pair(self._media, self._nonce, self._events, place)
        self._events += 2
        for piece in pieces:
            await asyncio.sleep(_PIECE_S)
            self._send(piece)

    def _send(self, data: bytes) -> None:
        self._written.append(data)
        for writer, chunked in self._streams.items():
            writer.write(_chunk(data) if chunked else data)

    def end(self) -> None:
        """End every stream, those that are yet to be asked for included."""
        if self._ending == "last-event" and self._media == "sse":
            self._send(_LAST)
        self._over.set()
        for writer, chunked in self._streams.items():
            _finish(writer, chunked)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = asyncio.current_task()
        try:
            if len(self._open) <= _CONNECTIONS:
                await self._answer(reader, writer)
        except _LOST:
            pass
        finally:
            self._streams.pop(writer, None)
            writer.close()
            with suppress(*_LOST):
                await writer.wait_closed()
            del self._open[writer]

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            head = b""
        except asyncio.IncompleteReadError as error:
            self.refused = self.refused or bool(error.partial)
            raise
        method, _, version = head.partition(b"\r\n")[0].partition(b" ")[::1]
        version = version.rpartition(b" ")[2]
        if version not in (b"HTTP/1.1", b"HTTP/1.0") or not method.isalpha():
            self.refused = True
            writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        if b"100-continue" in head.lower():
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.http10 = self.http10 or version == b"HTTP/1.0"
        if self._ending != "plain" and self._over.is_set():
            self.requests += 1
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            self._asked()
            await writer.drain()
            return
        chunked = self._framing == "chunked" and version == b"HTTP/1.1"
        writer.write(self._head(chunked))
        if method not in (b"HEAD", b"OPTIONS"):
            self.requests += 1
            self._begin(writer, chunked)
        else:
            writer.write_eof()
        while await reader.read(_READ_BYTES):
            pass
        await self._over.wait()  # a client that has closed its half may still read

    def _begin(self, writer: asyncio.StreamWriter, chunked: bool) -> None:
        if self.requests <= self._answered:
            short = marked_event(self._media, "0", 0, SMALLEST)
            writer.write(_chunk(short) if chunked else short)
            _finish(writer, chunked)
            return
        self._streams[writer] = chunked
        before = (_RETRY,) if self._ending != "plain" and self._media == "sse" else ()
        for data in (*before, *self._written):
            writer.write(_chunk(data) if chunked else data)
        if self._over.is_set():
            _finish(writer, chunked)
        self._asked()

    def _head(self, chunked: bool) -> bytes:
        lines = [
            f"HTTP/1.{0 if self._framing == 'http10' else 1} 200 OK",
            f"Content-Type: {TYPES[self._media]}; charset=utf-8",
            "Cache-Control: no-cache",
            *(["Transfer-Encoding: chunked"] if chunked else []),
            "Connection: close",
        ]
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def _chunk(event: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(event), event)


def _finish(writer: asyncio.StreamWriter, chunked: bool) -> None:
    if not writer.is_closing():
        if chunked:
            writer.write(b"0\r\n\r\n")
        with suppress(OSError):
            writer.write_eof()
