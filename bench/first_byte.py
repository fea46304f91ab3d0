"""From starting the process to the first streamed byte, beside a bare FastAPI app under the same server."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator, Mapping

from bench.figure import Figure, ratio
from bench.server import serve

ROUNDS = 8
# The model's own thinking time is no part of the start.
AT_ONCE = {"STREAMPROOF_FIRST_TOKEN_MS": "0"}


def measure() -> Iterator[Figure]:
    """Both in turn, the first round thrown away: it fills the disk's cache."""
    ours, peers = [], []
    for turn in range(ROUNDS + 1):
        our = _first_byte_ms("service.main:app", factory=False, env=AT_ONCE)
        peer = _first_byte_ms("bench.peers:bare_fastapi", factory=True, env={})
        if turn:
            ours.append(our)
            peers.append(peer)
    what = "process start to first streamed byte, against a bare FastAPI app"
    yield ratio(what, ours, peers, goal=1.2, unit="ms")


def _first_byte_ms(app: str, *, factory: bool, env: Mapping[str, str]) -> float:
    began = time.perf_counter()
    with serve(app, factory=factory, env=env) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", "/search?ai_prompt=hello")
        response = connection.getresponse()
        response.read(1)
        took_ms = (time.perf_counter() - began) * 1000
        assert response.status == 200, response.status
        connection.close()
    return took_ms
