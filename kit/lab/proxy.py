"""A front on a port of 127.0.0.1: connections, and one request after another on each. HTTP/1.1."""

from __future__ import annotations

import asyncio
import socket

import h11

from kit.lab import headers as rules
from kit.lab.exchange import Exchange, bad_request, values
from kit.lab.fronts import plain
from kit.lab.peer import READ_BYTES, ClientGone, Peer, answer, cut, linger
from kit.targets import FrontSpec

_REQUEST_HEAD_BYTES = 32_768


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
        self._server = await asyncio.start_server(self._accept, sock=listener, limit=READ_BYTES)

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
        except (OSError, ClientGone):
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
            await Exchange(self._spec, client, request).run(self._service_port)
            machine = client.machine
            if machine.our_state is h11.SEND_BODY:
                await cut(client)
            if machine.our_state is not h11.DONE or machine.their_state is not h11.DONE:
                await linger(client)
                return
            machine.start_next_cycle()

    async def _refuse(self, client: Peer, error: h11.RemoteProtocolError) -> None:
        """The client's bytes are no HTTP."""
        if client.machine.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            for release in plain(self._spec, error.error_status_hint, bad_request(error), values()):
                await answer(client, release)
            await linger(client)
