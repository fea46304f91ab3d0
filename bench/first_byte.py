"""From starting the process to the first streamed byte, beside another app under the same server.

The embedded text beside a bare FastAPI app; Vertex AI beside the article's way of importing it. There both
ask one server of this machine that speaks the real protocol and answers at once.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from bench.figure import Figure, ratio
from bench.server import serve

OURS = "service.main:app"
ROUNDS = 8
ROUNDS_OF_VERTEX = 5
# The model's own thinking time is no part of the start.
AT_ONCE = {"STREAMPROOF_FIRST_TOKEN_MS": "0"}


def measure() -> Iterator[Figure]:
    """Both in turn, the first round thrown away: it fills the disk's cache."""
    ours, peers = _in_turn(ROUNDS, "bench.peers:bare_fastapi", AT_ONCE)
    what = "process start to first streamed byte, against a bare FastAPI app"
    yield ratio(what, ours, peers, goal=1.2, unit="ms")

    from tests.fixtures.vertex import (
        in_thread,
    )  # it imports Google's client, seconds that others need not wait

    with in_thread(_hello) as upstream:
        asking = {
            "STREAMPROOF_GENERATOR": "vertex",
            "STREAMPROOF_MODEL": "some-model",
            "STREAMPROOF_LOCATION": "europe-west1",
            "STREAMPROOF_VERTEX_PROJECT": "my-project",
            "STREAMPROOF_VERTEX_ENDPOINT": upstream.url,
        }
        ours, peers = _in_turn(ROUNDS_OF_VERTEX, "bench.peers:articles_vertex", asking)
    what = "the same with Vertex AI, against the article's way of importing it"
    yield ratio(what, ours, peers, goal=0.5, unit="ms")


def _in_turn(rounds: int, peer: str, env: Mapping[str, str]) -> tuple[list[float], list[float]]:
    ours, peers = [], []
    for turn in range(rounds + 1):
        our_ms = _first_byte_ms(OURS, factory=False, env=env)
        peer_ms = _first_byte_ms(peer, factory=True, env=env)
        if turn:
            ours.append(our_ms)
            peers.append(peer_ms)
    return ours, peers


async def _hello(call: Any) -> AsyncIterator[Any]:
    from tests.fixtures.vertex import chunk

    yield chunk("hello", "STOP")


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
