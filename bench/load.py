"""1,000 streams of 20 events a second for a minute on one worker: lateness, memory, and one request too many.

Late is an event by what had passed, when it arrived, since the request was sent, less the time to the first
token and its number times the interval: against the schedule, not against a stamp, which a late server makes
late. The embedded generator strays from that schedule by itself, as a model does, by ±35 % of an interval:
17.5 ms here. That is left in: it can only make a figure worse, and the peers', too. They send what the same
generator writes, in events of the same size, under the same uvicorn. Requests come evenly over ten seconds.

An event that never came counts as late by as long as it was waited for: nobody gains by not keeping up.

BENCH_LOAD_S sets how many seconds a stream lasts (60 unless given). Each detail says what went to others: a
server that needs most of a core in time is late wherever three share two, whoever wrote it.
"""

from __future__ import annotations

import http.client
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

from bench.clock import Client, Load, Seen, quantile
from bench.figure import Figure
from bench.process import Others, cpu_s, need_proc, resident_kib
from bench.server import Server, serve

STREAMS = 1000
PER_S = 20
FIRST_S = 0.2
RAMP_S = 10.0
MOST_S = 200  # the embedded text has 4,096 tokens at most
LATENESS_GOAL_MS = 250
MEMORY_GOAL_KIB = 60

# One more than this is refused: the service's own default.
FULL = 250
REFUSALS = 200
REFUSED_EACH_S = 0.02
# What a person takes for "at once".
REFUSAL_GOAL_MS = 100

OURS = "service.main:app"
PEERS = {"sse-starlette": "bench.peers:sse_starlette", "FastAPI's own SSE class": "bench.peers:fastapi_sse"}
SETTINGS = {
    "STREAMPROOF_TOKENS_PER_S": str(PER_S),
    "STREAMPROOF_FIRST_TOKEN_MS": str(FIRST_S * 1000),
    # Nobody is there any more when the server is told to stop.
    "STREAMPROOF_SHUTDOWN_GRACE_S": "0",
}


@dataclass(frozen=True, slots=True)
class _Run:
    """`cpu_us` is for each event that came, `memory_kib` for each stream; the rest are cores, on average."""

    seen: Seen
    cpu_us: float
    memory_kib: float
    server: float
    others: float

    def __str__(self) -> str:
        seen = self.seen
        return (
            f"median {seen.p50_ms:.0f} ms, latest {seen.most_ms:.0f} ms, clock {seen.own_lag_ms:.0f} ms; "
            f"{self.server:.2f} cores to the server, {self.others:.2f} to others"
        )


def measure() -> Iterator[Figure]:
    """Ours and the peers one after the other, each alone."""
    need_proc()
    seconds = _seconds()
    ramp_s = min(RAMP_S, seconds / 2)
    load = Load(STREAMS, seconds * PER_S, 1 / PER_S, FIRST_S, ramp_s)
    ours = _run(OURS, load, factory=False)
    peers = {name: _run(app, load, factory=True) for name, app in PEERS.items()}

    asked = f"{STREAMS:,} streams of {PER_S} events a second for {seconds} s"
    yield Figure(f"p99 of lateness, {asked}", ours.seen.p99_ms, "ms", LATENESS_GOAL_MS, str(ours))
    for name, peer in peers.items():
        share = ours.seen.p99_ms / peer.seen.p99_ms
        detail = f"{ours.seen.p99_ms:.0f} ms against {_at_least(peer.seen)}; {peer}"
        yield Figure(f"the same, against {name}", share, "×", 1, detail)
    missing = {name: run.seen.missing / run.seen.due * 100 for name, run in {"ours": ours, **peers}.items()}
    detail = ", ".join(f"{name} {part:.1f} %" for name, part in missing.items())
    yield Figure("events that never came", missing["ours"], "%", 0, detail)

    for name, peer in peers.items():
        detail = f"{ours.cpu_us:.1f} µs against {peer.cpu_us:.1f} µs"
        yield Figure(f"CPU per event of these, against {name}", ours.cpu_us / peer.cpu_us, "×", 1, detail)

    what = f"memory for each of {STREAMS:,} open streams"
    yield Figure(what, ours.memory_kib, "KiB", MEMORY_GOAL_KIB)
    for name, peer in peers.items():
        detail = f"{ours.memory_kib:.1f} KiB against {peer.memory_kib:.1f} KiB"
        yield Figure(f"the same, against {name}", ours.memory_kib / peer.memory_kib, "×", 1, detail)

    yield _refused()


def _seconds() -> int:
    given = os.environ.get("BENCH_LOAD_S", "60")
    if not given.isdecimal() or not 1 <= int(given) <= MOST_S:
        sys.exit(f"BENCH_LOAD_S is {given!r}, but it must be a whole number of seconds from 1 to {MOST_S}.")
    return int(given)


def _run(app: str, load: Load, *, factory: bool) -> _Run:
    settings = {**SETTINGS, "STREAMPROOF_MAX_STREAMS": str(load.streams)}
    with serve(app, factory=factory, env=settings) as server:
        _warm_up(server)
        before_kib, before_s, began_s = resident_kib(server.pid), cpu_s(server.pid), time.monotonic()
        with Client(server.port, load) as client:
            others = Others(server.pid, client.pid, os.getpid())
            client.wait_begun()
            memory_kib = (resident_kib(server.pid) - before_kib) / load.streams
            seen = client.seen()
            spent_s, took_s = cpu_s(server.pid) - before_s, time.monotonic() - began_s
            cpu_us = spent_s / max(1, seen.due - seen.missing) * 1e6
            return _Run(seen, cpu_us, memory_kib, spent_s / took_s, others.cores())


def _at_least(seen: Seen) -> str:
    # More than a hundredth is missing: then the 99th percentile is among what never came.
    return f"{seen.p99_ms:.0f} ms" + " or more" * (seen.missing * 100 > seen.due)


def _warm_up(server: Server) -> None:
    """One short answer, which also loads what the first request loads."""
    status, _ = _ask(server)
    assert status == 200, status


def _ask(server: Server) -> tuple[int, Message]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("POST", "/search?ai_prompt=hello&max_output_tokens=2&seed=0")
        response = connection.getresponse()
        response.read()
        return response.status, response.headers
    finally:
        connection.close()


def _refused() -> Figure:
    """How long a request waits for its 503 while as many answers are streamed as may be."""
    took_ms: list[float] = []
    with serve(OURS, env={**SETTINGS, "STREAMPROOF_MAX_STREAMS": str(FULL)}) as server:
        _warm_up(server)
        # Many times longer than it takes to ask; the client is ended before.
        with Client(server.port, Load(FULL, MOST_S * PER_S, 1 / PER_S, FIRST_S, ramp_s=2)) as client:
            client.wait_begun()
            for _ in range(REFUSALS):
                time.sleep(REFUSED_EACH_S)
                began = time.perf_counter()
                status, headers = _ask(server)
                took_ms.append((time.perf_counter() - began) * 1000)
                if status != 503:
                    raise RuntimeError("this machine is too busy: answers ended before all had been asked")
                assert "Retry-After" in headers
    took_ms.sort()
    what = f"p99 of a 503 with Retry-After while {FULL} answers stream"
    detail = f"median {quantile(took_ms, 0.5):.1f} ms of {REFUSALS}, connection included"
    return Figure(what, quantile(took_ms, 0.99), "ms", REFUSAL_GOAL_MS, detail)
