"""A front on a port: the I/O around `kit.lab.fronts`. HTTP/1.1 on both sides.

Nothing is decided here but how bytes travel: the gate says what the client gets and when. A service that
cannot be reached or does not speak HTTP is a 502 in a plain sentence; one that breaks off is, once the head
has gone, a connection that ends without its clean end, so that the client can tell. Every request has an
upstream connection of its own.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import struct
from collections.abc import Mapping
from email.utils import formatdate

import h11

from kit.lab import headers as rules
from kit.lab.fronts import Gate, Head, Release, deadline_status, plain
from kit.lab.sockets import HOST
from kit.targets import FrontSpec

_READ_BYTES = 65_536
_REQUEST_HEAD_BYTES = 32_768
_RESPONSE_HEAD_BYTES = 65_536  # Flexible's documented limit, the largest of the three
_LINGER_S = 1.0

Said = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]


class ClientGone(Exception):
    """The client has left in the middle of an exchange."""


class Peer:
    """One end of a connection: h11's state machine on a stream."""

    def __init__(
        self, machine: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.machine = machine
        self.reader = reader
        self.writer = writer

    async def next_event(self) -> Said:
        """The next thing the peer said; reads only when it is needed, which is what pushes back."""
        while True:
            event = self.machine.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self.machine.they_are_waiting_for_100_continue:
                await self.send(h11.InformationalResponse(status_code=100, headers=[], reason="Continue"))
            self.machine.receive_data(await self.reader.read(_READ_BYTES))

    async def send(self, *events: h11.Event) -> None:
        """Say that, in one write; waits while the peer's buffers are full."""
        data = b"".join(self.machine.send(event) or b"" for event in events)
        if data:
            self.writer.write(data)
            await self.writer.drain()

    async def left(self) -> None:
        """Return once the peer has closed. What it sends meanwhile is kept for later, up to a bound."""
        kept_bytes = 0
        while data := await self.reader.read(_READ_BYTES):
            self.machine.receive_data(data)
            kept_bytes += len(data)
            if kept_bytes > _READ_BYTES:
                await asyncio.Event().wait()  # read no further: the peer is pushed back

    def abort(self) -> None:
        """Drop the connection at once, unsent bytes included."""
        self.writer.transport.abort()


class Front:
    """Serves one target's front on a port of 127.0.0.1.

    Args:
        spec: how the platform's front end behaves.
        service_port: where the service listens, on 127.0.0.1.
    """

    def __init__(self, spec: FrontSpec, service_port: int) -> None:
        rules.check(spec.request_headers_added)
        rules.check(spec.response_headers_added)
        self._spec = spec
        self._service_port = service_port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, listener: socket.socket) -> None:
        """Serve on a bound socket."""
        self._server = await asyncio.start_server(self._accept, sock=listener, limit=_READ_BYTES)

    async def close(self) -> None:
        """Stop listening and drop every connection, on both sides."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (a coroutine always runs in one)
        self._connections.add(task)
        machine = h11.Connection(h11.SERVER, max_incomplete_event_size=_REQUEST_HEAD_BYTES)
        client = Peer(machine, reader, writer)
        try:
            await self._converse(client)
        except (ConnectionError, ClientGone):
            client.abort()
        except asyncio.CancelledError:
            client.abort()  # the front is closing; nobody waits for this task's result
        finally:
            writer.close()
            self._connections.discard(task)

    async def _converse(self, client: Peer) -> None:
        """One request after another, for as long as the client keeps the connection."""
        while True:
            try:
                request = await client.next_event()
            except h11.RemoteProtocolError as error:
                await self._refuse(client, error)
                return
            if not isinstance(request, h11.Request):
                return
            await _Exchange(self._spec, client, request).run(self._service_port)
            machine = client.machine
            if machine.our_state is not h11.DONE or machine.their_state is not h11.DONE:
                await _linger(client)
                return
            machine.start_next_cycle()

    async def _refuse(self, client: Peer, error: h11.RemoteProtocolError) -> None:
        """The client's bytes are no HTTP."""
        if client.machine.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            status = error.error_status_hint
            for release in plain(self._spec, status, f"This is not an HTTP/1.1 request: {error}.", _values()):
                await _answer(client, release)
            await _linger(client)


class _Exchange:
    """One request and its response."""

    def __init__(self, spec: FrontSpec, client: Peer, request: h11.Request) -> None:
        self._spec = spec
        self._client = client
        self._request = request
        self._values = _values(client, request)
        self._gate: Gate | None = None
        self._client_gone = False

    async def run(self, service_port: int) -> None:
        """Take it to its end. Raises `ClientGone` or `ConnectionError` when the client's side is lost."""
        try:
            async with asyncio.timeout(self._spec.deadline_s):
                service = await self._connect(service_port)
                if service is not None:
                    try:
                        await self._both_ways(service)
                    finally:
                        service.abort()
        except TimeoutError:
            late = self._gate.expire() if self._gate else self._own(deadline_status(self._spec), "")
            await self._release(late)

    async def _connect(self, port: int) -> Peer | None:
        try:
            reader, writer = await asyncio.open_connection(HOST, port, limit=_READ_BYTES)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            await self._release(self._own(502, f"The service behind this front does not answer: {reason}."))
            return None
        machine = h11.Connection(h11.CLIENT, max_incomplete_event_size=_RESPONSE_HEAD_BYTES)
        return Peer(machine, reader, writer)

    async def _both_ways(self, service: Peer) -> None:
        """Send the request up and the response down, at the same time."""
        up = asyncio.create_task(self._up(service))
        down = asyncio.create_task(self._down(service))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            if not down.done():
                await self._client_ended(up, down)
            await down
        finally:
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _client_ended(self, up: asyncio.Task[None], down: asyncio.Task[None]) -> None:
        """The client's half is over before the response is: it left, or it sent rubbish."""
        error = up.exception()
        if isinstance(error, ClientGone):
            if self._spec.client_leaves == "passed":
                raise error
            # Whether the platform tells the service is unknown, so it is not told: the response is read to
            # its end, at most until the deadline, and what can no longer be written is thrown away.
            # (A client that closed only its sending half still gets its answer.)
        elif isinstance(error, h11.RemoteProtocolError):
            down.cancel()
            if self._client.machine.our_state is h11.SEND_RESPONSE:
                status, sentence = error.error_status_hint, f"This is not an HTTP/1.1 request: {error}."
                await self._release(self._own(status, sentence))
            raise ClientGone from error
        elif error is not None and not isinstance(error, ConnectionError):
            raise error
        # A service that stops reading may still answer (413): its response decides.

    async def _up(self, service: Peer) -> None:
        """Send the request; then watch for the client to leave."""
        await service.send(self._request_for_service())
        while True:
            event = await self._next_from_client()
            if isinstance(event, h11.Data):
                await service.send(event)
            elif isinstance(event, h11.EndOfMessage):
                await service.send(h11.EndOfMessage())
                break
        try:
            await self._client.left()
        except ConnectionError as error:
            raise ClientGone from error
        raise ClientGone

    async def _next_from_client(self) -> Said:
        try:
            return await self._client.next_event()
        except ConnectionError as error:
            raise ClientGone from error
        except h11.RemoteProtocolError as error:
            if self._client.reader.at_eof():
                raise ClientGone from error
            raise

    def _request_for_service(self) -> h11.Request:
        came = list(self._request.headers.raw_items())
        headers = rules.rewrite(
            came,
            removed=(*self._spec.request_headers_removed, "expect"),
            added=self._spec.request_headers_added,
            values=self._values,
        )
        own: list[rules.Header] = [(b"Connection", b"close")]
        if rules.find(came, b"transfer-encoding"):
            own.append((b"Transfer-Encoding", b"chunked"))
        if rules.find(headers, b"host") is None:
            own.append((b"Host", f"{HOST}".encode()))
        return h11.Request(method=self._request.method, target=self._request.target, headers=[*headers, *own])

    async def _down(self, service: Peer) -> None:
        """Let the response through the gate."""
        try:
            head = await self._response_head(service)
        except (h11.ProtocolError, ConnectionError) as error:
            await self._release(
                self._own(502, f"The service behind this front gave no HTTP answer: {error}.")
            )
            return
        bodyless = self._request.method == b"HEAD" or head.status in {204, 304}
        self._gate = Gate(self._spec, head, values=self._values, bodyless=bodyless)
        await self._release(self._gate.begin())
        while True:
            try:
                event = await service.next_event()
            except (h11.RemoteProtocolError, ConnectionError):
                await self._release(self._gate.broke())
                return
            if isinstance(event, h11.Data):
                await self._release(self._gate.feed(bytes(event.data)))
            elif isinstance(event, h11.EndOfMessage):
                await self._release(self._gate.finish())
                return

    async def _response_head(self, service: Peer) -> Head:
        while True:
            event = await service.next_event()
            if isinstance(event, h11.Response):
                return Head(event.status_code, tuple(event.headers.raw_items()))
            if not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError("it closed the connection")

    async def _release(self, releases: list[Release]) -> None:
        for release in releases:
            if self._client_gone:
                return
            try:
                await _answer(self._client, release)
            except ConnectionError as error:
                if self._spec.client_leaves == "passed":
                    raise ClientGone from error
                self._client_gone = True

    def _own(self, status: int, sentence: str) -> list[Release]:
        return plain(self._spec, status, sentence, self._values)


async def _answer(client: Peer, release: Release) -> None:
    """Write one release to the client. Raises `ClientGone` after a cut."""
    machine = client.machine
    events: list[h11.Event] = []
    if release.head is not None:
        status = release.head.status
        reason = http.client.responses.get(status, "")
        events.append(h11.Response(status_code=status, reason=reason, headers=list(release.head.headers)))
    if release.body:
        events.append(h11.Data(data=release.body))
    if release.end:
        events.append(h11.EndOfMessage())
    await client.send(*events)
    if release.cut:
        await _cut(client, seen_by_framing=machine.their_http_version == b"1.1")


async def _cut(client: Peer, *, seen_by_framing: bool) -> None:
    """End the connection so that the client sees a cut: its framing shows it, or else a reset does."""
    client.writer.transport.set_write_buffer_limits(0)
    await client.writer.drain()
    if not seen_by_framing:
        sock = client.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ClientGone


async def _linger(client: Peer) -> None:
    """Close without losing the answer: a socket closed with unread bytes is reset, and the answer with it."""
    if not client.writer.can_write_eof():
        return
    client.writer.write_eof()
    try:
        async with asyncio.timeout(_LINGER_S):
            while await client.reader.read(_READ_BYTES):
                pass
    except TimeoutError:
        return


def _values(client: Peer | None = None, request: h11.Request | None = None) -> Mapping[str, str]:
    """What the placeholders of added headers stand for in one exchange."""
    headers = list(request.headers) if request else []
    address = client.writer.get_extra_info("peername")[0] if client else HOST
    before = (rules.find(headers, b"x-forwarded-for") or b"").decode("latin-1")
    return {
        "trace": f"{os.urandom(16).hex()}/{int.from_bytes(os.urandom(8))}",
        "client": address,
        "forwarded_for": f"{before}, {address}" if before else address,
        "scheme": "http",
        "host": (rules.find(headers, b"host") or HOST.encode()).decode("latin-1"),
        "date": formatdate(usegmt=True),
    }
