"""One end of an HTTP/1.1 connection: h11's state machine on a stream, and the ways to end it."""

from __future__ import annotations

import asyncio
import http.client
import socket
import struct
from contextlib import suppress
from typing import NoReturn

import h11

from kit.lab.fronts import Release

READ_BYTES = 65_536
_LINGER_S = 1.0

Said = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]


class ClientGone(Exception):
    """The client has left in the middle of an exchange."""


class Peer:
    """One end of a connection: h11's state machine on a stream.

    Attributes:
        received_bytes: how many `next_event` has read.
    """

    def __init__(
        self, machine: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.machine = machine
        self.reader = reader
        self.writer = writer
        self.received_bytes = 0
        # asyncio leaves Nagle on for connections of a socket made elsewhere: a body that follows its head in
        # a write of its own then waits 40 ms for the client's delayed acknowledgement.
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def next_event(self) -> Said:
        """The next thing the peer said; reads only when it is needed, which is what pushes back."""
        while True:
            event = self.machine.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self.machine.they_are_waiting_for_100_continue:
                await self.send(h11.InformationalResponse(status_code=100, headers=[], reason="Continue"))
            data = await self.reader.read(READ_BYTES)
            self.received_bytes += len(data)
            self.machine.receive_data(data)

    async def send(self, *events: h11.Event) -> None:
        """Say that, in one write; waits while the peer's buffers are full."""
        data = b"".join(self.machine.send(event) or b"" for event in events)
        if data:
            self.writer.write(data)
            await self.writer.drain()

    async def left(self) -> None:
        """Return once the peer has closed. What it sends meanwhile is kept for later, up to a bound."""
        kept_bytes = 0
        while data := await self.reader.read(READ_BYTES):
            self.machine.receive_data(data)
            kept_bytes += len(data)
            if kept_bytes > READ_BYTES:
                await asyncio.Event().wait()  # read no further: the peer is pushed back

    def abort(self) -> None:
        """Drop the connection at once, unsent bytes included."""
        self.writer.transport.abort()


async def answer(client: Peer, release: Release) -> None:
    """Write one release to the client. Raises `ClientGone` after a cut."""
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
        await _cut(client)


async def _cut(client: Peer) -> NoReturn:
    """End the connection so that the client sees a cut: its framing shows it, or else a reset does."""
    client.writer.transport.set_write_buffer_limits(0)
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            await client.writer.drain()
    if client.machine.their_http_version != b"1.1":
        sock = client.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ClientGone


async def linger(client: Peer) -> None:
    """Close without losing the answer: a socket closed with unread bytes is reset, and the answer with it."""
    if not client.writer.can_write_eof():
        return
    client.writer.write_eof()
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            while await client.reader.read(READ_BYTES):
                pass
