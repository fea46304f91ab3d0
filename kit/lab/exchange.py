"""A request through a front, and its response: how bytes travel, and what one side sees when the other ends.

Nothing is decided here but that: the gate (`kit.lab.fronts`) says what the client gets and when. A service
that cannot be reached or does not speak HTTP is a 502 in a plain sentence; one that breaks off is, once the
head has gone, a connection that ends without its clean end, so that the client can tell. Every request has a
connection of its own to the service.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from email.utils import formatdate

import h11

from kit.lab import headers as rules
from kit.lab.fronts import Gate, Head, Release, late, plain
from kit.lab.idle import RUNS
from kit.lab.peer import READ_BYTES, ClientGone, Peer, Said, answer
from kit.lab.sockets import HOST
from kit.targets import FrontSpec

_RESPONSE_HEAD_BYTES = 65_536  # Flexible's documented limit, the largest of the three
_TURNS = 5  # of the loop; what lies in a socket is read and has gone through the gate after two
_IN_SOCKETS_BYTES = 16 * 2**20  # more than lies between a service and its front (Linux: 4 MiB and 6 MiB)


class Exchange:
    """One request and its response."""

    def __init__(self, spec: FrontSpec, client: Peer, request: h11.Request) -> None:
        self._spec = spec
        self._client = client
        self._request = request
        self._values = values(client, request)
        self._service: Peer | None = None
        self._gate: Gate | None = None
        self._request_sent = False
        self._client_gone = False

    async def run(self, service_port: int, is_open: AbstractContextManager[None] = RUNS) -> None:
        """Take it to its end, to the service within `is_open` (`kit.lab.idle`).

        Raises `ClientGone` or `OSError` when the client's side is lost.
        """
        if self._request.method == b"CONNECT":
            await self._release(self._own(405, "This front is no tunnel."))
            return
        try:
            with is_open:
                async with asyncio.timeout(None) as limit:
                    deadline = asyncio.create_task(self._expire(limit))
                    try:
                        self._service = await self._connect(service_port)
                        if self._service is not None:
                            await self._both_ways(self._service)
                    finally:
                        deadline.cancel()
                        if self._service is not None:
                            self._service.abort()
        except TimeoutError:
            if not limit.expired():
                raise
            await self._release(self._gate.expire() if self._gate else late(self._spec, self._values))

    async def _expire(self, limit: asyncio.Timeout) -> None:
        """Let the limit expire at the deadline, but not before all was read that had come by then.

        A timer tells nothing of a time in which this process was asleep: the end of the answer may lie in the
        socket still. So the limit waits for turns of the loop in which nothing comes.
        """
        await asyncio.sleep(self._spec.deadline_s)
        before, still = self._received_bytes(), 0
        most = before + _IN_SOCKETS_BYTES
        while still < _TURNS and before < most:
            await asyncio.sleep(0)
            now = self._received_bytes()
            before, still = now, 0 if now > before else still + 1
        limit.reschedule(asyncio.get_running_loop().time())

    def _received_bytes(self) -> int:
        return self._service.received_bytes if self._service is not None else 0

    async def _connect(self, port: int) -> Peer | None:
        try:
            reader, writer = await asyncio.open_connection(HOST, port, limit=READ_BYTES)
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
            if self._spec.client_leaves == "passed" or not self._request_sent:
                raise error
            # Whether the platform tells the service is unknown, so here it does not: the response is read to
            # its end, at most until the deadline, and what can no longer be written is thrown away.
            # (A client that closed only its sending half still gets its answer.)
        elif isinstance(error, h11.RemoteProtocolError):
            down.cancel()
            await asyncio.wait({down})
            if self._client.machine.our_state is h11.SEND_RESPONSE:
                await self._release(self._own(error.error_status_hint, bad_request(error)))
            raise ClientGone from error
        elif error is not None and not isinstance(error, OSError):
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
                self._request_sent = True
                break
        try:
            await self._client.left()
        except OSError as error:
            raise ClientGone from error
        raise ClientGone

    async def _next_from_client(self) -> Said:
        try:
            return await self._client.next_event()
        except OSError as error:
            raise ClientGone from error
        except h11.RemoteProtocolError as error:
            if self._client.reader.at_eof():
                raise ClientGone from error
            raise

    def _request_for_service(self) -> h11.Request:
        came = list(self._request.headers.raw_items())
        own: list[rules.Header] = [(b"Connection", b"close")]
        removed = (*self._spec.request_headers_removed, "expect")
        if rules.find(came, b"transfer-encoding"):
            own.append((b"Transfer-Encoding", b"chunked"))
            removed = (*removed, "content-length")  # the other one rules (RFC 9112, section 6.3)
        added = self._spec.request_headers_added
        headers = rules.rewrite(came, removed=removed, added=added, values=self._values)
        if rules.find(headers, b"host") is None:
            own.append((b"Host", f"{HOST}".encode()))
        return h11.Request(method=self._request.method, target=self._request.target, headers=[*headers, *own])

    async def _down(self, service: Peer) -> None:
        """Let the response through the gate."""
        try:
            head = await self._response_head(service)
        except (h11.ProtocolError, OSError) as error:
            sentence = f"The service behind this front gave no HTTP answer: {error}."
            await self._release(self._own(502, sentence))
            return
        bodyless = self._request.method == b"HEAD" or head.status in {204, 304}
        self._gate = Gate(self._spec, head, values=self._values, bodyless=bodyless)
        await self._release(self._gate.begin())
        while True:
            try:
                event = await service.next_event()
            except (h11.RemoteProtocolError, OSError):
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
            if self._request.method == b"HEAD":
                release = replace(release, body=b"")
            try:
                await answer(self._client, release)
            except OSError as error:
                if self._spec.client_leaves == "passed":
                    raise ClientGone from error
                self._client_gone = True

    def _own(self, status: int, sentence: str) -> list[Release]:
        return plain(self._spec, status, sentence, self._values)


def bad_request(error: h11.RemoteProtocolError) -> str:
    """The answer to a client whose bytes are no HTTP."""
    return f"This is not an HTTP/1.1 request: {error}."


def values(client: Peer | None = None, request: h11.Request | None = None) -> Mapping[str, str]:
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
