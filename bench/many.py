"""The server's memory for one open stream of the proof's, beside a bare ASGI app that has sent one event.

2,000 streams of an event each, which then wait; the same server under both (Linux only).
"""

from __future__ import annotations

import base64
import json
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

from bench.figure import Figure, ratio
from bench.process import need_proc, resident_kib
from bench.server import serve

ROUNDS = 3
WARM, STREAMS = 50, 2_000
EVENT = base64.b64encode(b"data: " + b"x" * 192 + b"\n\n").decode()
REPLAY = {"BENCH_REPLAY": json.dumps([[0.0, EVENT], [600.0, EVENT]])}


def measure() -> Iterator[Figure]:
    """Both in turn, each on a server that was just started."""
    need_proc()
    ours, peers = [], []
    for _ in range(ROUNDS):
        ours.append(_kib_a_stream("service.proof:create_proof", {"STREAMPROOF_LAB": "1"}))
        peers.append(_kib_a_stream("bench.peers:bare_asgi", REPLAY))
    what = "memory for an open stream of the proof's, against a bare ASGI app"
    yield ratio(what, ours, peers, goal=2.0, unit="KiB")


def _kib_a_stream(app: str, env: Mapping[str, str]) -> float:
    with serve(app, factory=True, env=env) as server, ExitStack() as open_:
        for _ in range(WARM):
            open_.enter_context(_opened(server.port))
        before_kib = resident_kib(server.pid)
        for _ in range(STREAMS):
            open_.enter_context(_opened(server.port))
        return (resident_kib(server.pid) - before_kib) / STREAMS


def _opened(port: int) -> socket.socket:
    """A stream whose first event has come."""
    connection = socket.create_connection(("127.0.0.1", port))
    target = f"/stream?id={secrets.token_hex(16)}"
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
    read = b""
    while b"\n\n" not in read.partition(b"\r\n\r\n")[2]:
        read += connection.recv(65536)
    return connection
