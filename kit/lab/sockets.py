"""Ports on 127.0.0.1: given, free, kept free for a service, or asked whether they answer."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress

HOST = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """A listening socket; 0 for a free port. Raises OSError."""
    return socket.create_server((HOST, port), backlog=256)


def hold_port() -> tuple[socket.socket, int]:
    """A free port, and a socket that keeps others from getting it until a service listens there.

    On Linux a bound socket that does not listen keeps the port from every process except those that ask for
    it by number and with SO_REUSEADDR, as servers do. Elsewhere that would keep the service out too, so
    there the port is free at once.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((HOST, 0))
    port: int = held.getsockname()[1]
    if sys.platform != "linux":
        held.close()
    return held, port


async def answers(port: int, asked: str) -> bool:
    """Whether a request such as "GET /ready" gets an answer there that is no server's error."""
    with suppress(OSError):
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            writer.write(f"{asked} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            status = (await reader.readline()).split()[1:2]
            return status != [] and not status[0].startswith(b"5")
        finally:
            writer.close()
    return False
