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
import re
from collections.abc import Iterator, Mapping

from bench.figure import Figure, ratio
from bench.process import cpu_s, need_proc
from bench.server import Server, serve

ROUNDS = 7
STREAMS = 200
INTERVAL_S = 0.05
OPENED_WITHIN_S = 0.6  # of the 3.2 s that an answer takes
REQUEST = b"POST /search?ai_prompt=%s HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n"
PROMPT = b"Why+do+streams+arrive+late"


def measure() -> Iterator[Figure]:
    """All in turn; a round starts each server anew, and one that says nothing is repeated."""
    need_proc()
    rounds: list[tuple[float, float, float]] = []
    settings = {"STREAMPROOF_TOKENS_PER_S": str(1 / INTERVAL_S), "STREAMPROOF_FIRST_TOKEN_MS": "50"}
    replay = {"BENCH_REPLAY": _record(settings)}
    for turn in range(2 * ROUNDS):
        with serve("service.main:app", env=settings) as server:
            our = asyncio.run(_cpu_us_per_event(server))
        spent: dict[str, float | None] = {}
        for app in ("bare_asgi", "wrapped_asgi")[:: 1 if turn % 2 else -1]:
            with serve(f"bench.peers:{app}", factory=True, env=replay) as server:
                spent[app] = asyncio.run(_cpu_us_per_event(server))
        if our and (peer := spent["bare_asgi"]) and (wrapped := spent["wrapped_asgi"]):
            rounds.append((our, peer, wrapped))
        if len(rounds) == ROUNDS:
            break
    if not rounds:
        raise RuntimeError("this machine is too busy: the streams hardly overlapped")
    what = "CPU per streamed event, 200 streams, against a bare ASGI app"
    ours, peers, wrapped_ones = zip(*rounds, strict=True)
    yield ratio(what, ours, peers, goal=1.3, unit="µs")
    what = "CPU per streamed event, an app in the proof's wrapper against the bare app"
    yield ratio(what, wrapped_ones, peers, goal=1.02, unit="µs")


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


class _Tally:
    """What the client has seen: how many streams have begun, how many events came, whether a stream ended."""

    def __init__(self) -> None:
        self.events = 0
        self.begun = 0
        self.one_begun = asyncio.Event()
        self.all_begun = asyncio.Event()
        self.one_ended = asyncio.Event()


class _Stream(asyncio.Protocol):
    """Counts events and forgets them; a client that does more would compete for the cores."""

    def __init__(self, tally: _Tally) -> None:
        self.tally = tally
        self.begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(REQUEST % PROMPT)

    def data_received(self, data: bytes) -> None:
        tally = self.tally
        tally.events += data.count(b"\n\n")
        if not self.begun:
            self.begun = True
            tally.begun += 1
            tally.one_begun.set()
            if tally.begun == STREAMS:
                tally.all_begun.set()
        # The last chunk, which may come by itself; an event's chunk ends with line ends only.
        if data.endswith(b"0\r\n\r\n"):
            tally.one_ended.set()

    def connection_lost(self, reason: Exception | None) -> None:
        self.tally.one_ended.set()


async def _cpu_us_per_event(server: Server) -> float | None:
    """CPU time for an event, in microseconds, from the last stream's beginning to the first one's end.

    None when hardly an event came between the two: the machine was too busy.
    """
    loop = asyncio.get_running_loop()
    tally = _Tally()

    async def opened() -> asyncio.Transport:
        return (await loop.create_connection(lambda: _Stream(tally), "127.0.0.1", server.port))[0]

    # One alone: it waits until the server is up, and has it load what the first request loads.
    transports = [await opened()]
    await asyncio.wait_for(tally.one_begun.wait(), 30)
    # The others evenly apart. All at once, an app that is quick to begin has its streams in step, and wakes
    # once for many events: then the wakes are compared, and not what is done for an event.
    began_s = loop.time()
    for n in range(1, STREAMS):
        await asyncio.sleep(began_s + n * OPENED_WITHIN_S / STREAMS - loop.time())
        transports.append(await opened())
    await asyncio.wait_for(tally.all_begun.wait(), 30)
    events, spent_s = tally.events, cpu_s(server.pid)
    await asyncio.wait_for(tally.one_ended.wait(), 30)
    events, spent_s = tally.events - events, cpu_s(server.pid) - spent_s
    for transport in transports:
        transport.close()
    return spent_s / events * 1e6 if events > STREAMS else None
