"""Ports on 127.0.0.1: given, free, or kept free for somebody else."""

from __future__ import annotations

import socket
import sys

HOST = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """A listening socket; 0 for a free port. Raises OSError."""
    return socket.create_server((HOST, port), backlog=256)


def hold_port() -> tuple[socket.socket, int]:
    """A free port, and a socket that keeps others from getting it until a service listens there.

    On Linux a bound socket that does not listen keeps the port out of everybody's hands except those that ask
    for it by number and with SO_REUSEADDR, as servers do. Elsewhere that would keep the service out too, so
    there the port is let go at once.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((HOST, 0))
    port: int = held.getsockname()[1]
    if sys.platform != "linux":
        held.close()
    return held, port
