"""A front on a port of 127.0.0.1: connections, and one request after another on each. HTTP/1.1."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AbstractContextManager

import h11

from kit.lab.exchange import Exchange, bad_request, values
from kit.lab.fronts import plain
from kit.lab.idle import RUNS
from kit.lab.peer import READ_BYTES, ClientGone, Peer, answer, linger
from kit.targets import FrontSpec

_REQUEST_HEAD_BYTES = 32_768
_PAUSE_S = 0.1


class Front:
    """Serves one target's front on a port of 127.0.0.1.

    Args:
        spec: how the platform's front end behaves.
        service_port: where the service listens, on 127.0.0.1.
        is_open: put around each request to the service (`kit.lab.idle.open_requests`).
    """

    def __init__(
        self, spec: FrontSpec, service_port: int, is_open: AbstractContextManager[None] = RUNS
    ) -> None:
        self._spec = spec
        self._service_port = service_port
        self._is_open = is_open
        self._listener: socket.socket | None = None
        self._connections: dict[asyncio.Task[None], socket.socket] = {}

    def start(self, listener: socket.socket) -> None:
        """Serve on a listening socket, which is the front's to close from here on. Needs a running loop."""
        listener.setblocking(False)
        self._listener = listener
        self._listen()

    async def close(self) -> None:
        """Stop listening and drop every connection, on both sides."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for task in self._connections:
            task.cancel()
        for task, connection in list(self._connections.items()):
            await asyncio.wait({task})
            connection.close()  # also where it was cancelled before it began

    async def exchange(self, client: Peer, request: h11.Request) -> None:
        """Take one request to its end; what stands before several services, or guards one, overrides it."""
        await Exchange(self._spec, client, request).run(self._service_port, self._is_open)

    def _listen(self) -> None:
        # Neither `asyncio.start_server` (3.13.0) nor `sock_accept` (3.11) bears a connection that comes just
        # as the listening ends: one leaks it, the other complains, both with a traceback.
        if self._listener is not None:
            asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # it was gone before it was taken
        except OSError:  # no descriptor left: let some be freed
            loop = asyncio.get_running_loop()
            loop.remove_reader(listener)
            loop.call_later(_PAUSE_S, self._listen)
            return
        connection.setblocking(False)
        task = asyncio.create_task(self._serve(connection))
        self._connections[task] = connection
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        del self._connections[task]
        if not task.cancelled() and (error := task.exception()):  # now, not when it is collected
            context = {"message": "A bug in the front", "exception": error, "task": task}
            asyncio.get_running_loop().call_exception_handler(context)

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=READ_BYTES)
        machine = h11.Connection(h11.SERVER, max_incomplete_event_size=_REQUEST_HEAD_BYTES)
        client = Peer(machine, reader, writer)
        try:
            await self._converse(client)
            writer.close()
        except (OSError, ClientGone):
            client.abort()
        except BaseException:
            client.abort()
            raise

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
            await self.exchange(client, request)
            machine = client.machine
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
