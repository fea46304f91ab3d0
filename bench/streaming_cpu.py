"""The server's CPU time for one streamed event, beside a bare ASGI app that sends the same bytes.

200 streams of an event each 50 ms, which is a busy instance; the same server under both. The peer replays an
answer of the service, event by event at the times it had there, so that what differs is the streaming and not
the pace. Counted is the time while all streams flow, from the kernel's account of the process (Linux only).
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.figure import Figure, ratio
from bench.server import Server, serve

ROUNDS = 7
STREAMS = 200
INTERVAL_S = 0.05
WINDOW_S = 2.0  # an answer is 3.2 s long
REQUEST = b"POST /search?ai_prompt=%s HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n"
PROMPT = b"Why+do+streams+arrive+late"


def measure() -> Iterator[Figure]:
    """Both in turn; a round starts each server anew."""
    if not Path("/proc/self/stat").exists():
        return
    ours, peers = [], []
    settings = {"STREAMPROOF_TOKENS_PER_S": str(1 / INTERVAL_S), "STREAMPROOF_FIRST_TOKEN_MS": "50"}
    replay = {"BENCH_REPLAY": _record(settings)}
    for _ in range(ROUNDS):
        with serve("service.main:app", env=settings) as server:
            ours.append(asyncio.run(_cpu_us_per_event(server)))
        with serve("bench.peers:bare_asgi", factory=True, env=replay) as server:
            peers.append(asyncio.run(_cpu_us_per_event(server)))
    what = "CPU per streamed event, 200 streams, against a bare ASGI app"
    yield ratio(what, ours, peers, goal=1.5, unit="µs")


def _record(settings: Mapping[str, str]) -> str:
    """One answer of the service as `bench.peers.bare_asgi` replays it."""
    replay: list[tuple[float, str]] = []
    with serve("service.main:app", env=settings) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", f"/search?ai_prompt={PROMPT.decode()}")
        for event in connection.getresponse().read().split(b"\n\n"):
            stamp = re.search(rb'"t_ms": ?([0-9.]+)', event)
            # The last event bears no stamp: it follows at once.
            due_s = float(stamp[1]) / 1000 if stamp else replay[-1][0]
            if event:
                replay.append((due_s, base64.b64encode(event + b"\n\n").decode()))
    return json.dumps(replay)


class _Stream(asyncio.Protocol):
    """Counts events and forgets them; a client that does more would compete for the cores."""

    total = 0

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(REQUEST % PROMPT)

    def data_received(self, data: bytes) -> None:
        events = data.count(b"\n\n")
        if events:
            _Stream.total += events
            self.began.set()
        # The last chunk of a chunked answer.
        self.ended |= data.endswith(b"0\r\n\r\n")

    def connection_lost(self, reason: Exception | None) -> None:
        self.ended = True


async def _cpu_us_per_event(server: Server) -> float:
    """CPU time for an event, in microseconds, once every stream has begun.

    Raises AssertionError when a stream ends within the window: fewer streams are another figure.
    """
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(_Stream, "127.0.0.1", server.port) for _ in range(STREAMS)]
    streams = [stream for _, stream in opened]
    for stream in streams:
        await stream.began.wait()
    events, cpu_s = _Stream.total, _cpu_s(server.pid)
    await asyncio.sleep(WINDOW_S)
    events, cpu_s = _Stream.total - events, _cpu_s(server.pid) - cpu_s
    assert not any(stream.ended for stream in streams), "the answer is shorter than the window"
    for transport, _ in opened:
        transport.close()
    return cpu_s / events * 1e6


def _cpu_s(pid: int) -> float:
    """User and system time of a process so far, in seconds (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
