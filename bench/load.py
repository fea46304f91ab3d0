"""1,000 streams of 20 events a second for a minute on one worker: lateness, memory, and one request too many.

Late is an event by what had passed, when it arrived, since the request was sent, less the time to the first
token and its number times the interval: against the schedule, not against a stamp, which a late server makes
late. The embedded generator strays from that schedule by itself, as a model does, by ±35 % of an interval:
17.5 ms here. That is left in: it can only make a figure worse, and the peers', too. They send what the same
generator writes, in events of the same size, under the same uvicorn. Requests come evenly over ten seconds.

An event that never came counts as late by as long as it was waited for: falling behind gains nothing. An
answer begun late stays late, since its generator starts then: ten of a thousand are the 99th percentile.

BENCH_LOAD_S sets how many seconds a stream lasts (60 unless given; below 20, requests come over half of it).
Each detail says what went to others: a server that needs most of a core is late wherever three share two.
"""

from __future__ import annotations

import http.client
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
# Also where a short run is asked for: the generator holds an answer's text from its beginning.
LONG_ANSWER = 1200
BEGUN_WITHIN_S = 180.0

# One more than this is refused: the service's own default.
FULL = 250
REFUSALS = 200
REFUSED_EACH_S = 0.02
# What a person takes for "at once".
REFUSAL_GOAL_MS = 100

OURS = "service.main:app"
PEERS = {"sse-starlette": "bench.peers:sse_starlette", "FastAPI's own SSE class": "bench.peers:fastapi_sse"}


@dataclass(frozen=True, slots=True)
class _Run:
    """`cpu_us` is the server's for each event that came; the rest are cores, on average."""

    seen: Seen
    cpu_us: float
    server: float
    others: float

    def __str__(self) -> str:
        seen = self.seen
        # Where more than a hundredth is missing, the 99th percentile is among what never came.
        more = "or more; " if seen.missing * 100 > seen.due else ""
        return (
            f"{more}median {seen.p50_ms:.0f} ms, latest {seen.most_ms:.0f} ms, "
            f"the clock's own {seen.own_lag_ms:.0f} ms; "
            f"{self.server:.2f} cores to the server, {self.others:.2f} to others"
        )


def measure() -> Iterator[Figure]:
    """Ours and the peers one after the other, each alone."""
    need_proc()
    seconds = _seconds()
    # So many connections are more open files than many a shell allows, at either end.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield from _lateness(seconds)
    yield from _memory()
    yield _refused()


def _lateness(seconds: int) -> Iterator[Figure]:
    load = Load(STREAMS, seconds * PER_S, 1 / PER_S, FIRST_S, min(RAMP_S, seconds / 2))
    ours = _run(OURS, load)
    peers = {name: _run(app, load) for name, app in PEERS.items()}

    asked = f"{STREAMS:,} streams of {PER_S} events a second for {seconds} s"
    yield Figure(f"p99 of lateness, {asked}", ours.seen.p99_ms, "ms", LATENESS_GOAL_MS, str(ours))
    for name, peer in peers.items():
        share = ours.seen.p99_ms / peer.seen.p99_ms
        detail = f"{ours.seen.p99_ms:.0f} ms against {peer.seen.p99_ms:.0f} ms, {peer}"
        yield Figure(f"the same, against {name}", share, "×", 1, detail)
    missing = {name: run.seen.missing / run.seen.due * 100 for name, run in {"ours": ours, **peers}.items()}
    detail = ", ".join(f"{name} {part:.1f} %" for name, part in missing.items())
    yield Figure("events that never came", missing["ours"], "%", 0, detail)

    for name, peer in peers.items():
        detail = f"{ours.cpu_us:.1f} µs against {peer.cpu_us:.1f} µs"
        yield Figure(f"CPU per event of these, against {name}", ours.cpu_us / peer.cpu_us, "×", 1, detail)


def _memory() -> Iterator[Figure]:
    ours = _memory_kib(OURS)
    what = f"memory for each of {STREAMS:,} open streams of {LONG_ANSWER:,} events"
    yield Figure(what, ours, "KiB", MEMORY_GOAL_KIB)
    for name, app in PEERS.items():
        peer = _memory_kib(app)
        detail = f"{ours:.1f} KiB against {peer:.1f} KiB"
        yield Figure(f"the same, against {name}", ours / peer, "×", 1, detail)


def _seconds() -> int:
    given = os.environ.get("BENCH_LOAD_S", "60")
    if not given.isdecimal() or not 1 <= int(given) <= MOST_S:
        sys.exit(f"BENCH_LOAD_S is {given!r}, but it must be a whole number of seconds from 1 to {MOST_S}.")
    return int(given)


def _run(app: str, load: Load) -> _Run:
    with _serving(app, load) as server:
        before_s, began_s = cpu_s(server.pid), time.monotonic()
        with Client(server.port, load) as client:
            others = Others(server.pid, client.pid, os.getpid())
            seen = client.seen()
            spent_s, took_s = cpu_s(server.pid) - before_s, time.monotonic() - began_s
            cpu_us = spent_s / max(1, seen.due - seen.missing) * 1e6
            return _Run(seen, cpu_us, spent_s / took_s, others.cores())


def _memory_kib(app: str) -> float:
    """What the server's resident set grows by for each stream; at a pace that all peers can keep."""
    load = Load(STREAMS, LONG_ANSWER, interval_s=10, first_s=FIRST_S, ramp_s=RAMP_S)
    with _serving(app, load) as server:
        before_kib = resident_kib(server.pid)
        with Client(server.port, load) as client:
            client.wait_begun(BEGUN_WITHIN_S)
            return (resident_kib(server.pid) - before_kib) / load.streams


@contextmanager
def _serving(app: str, load: Load) -> Iterator[Server]:
    """The server, when it has given one short answer: that loads what the first request loads."""
    settings = {
        "STREAMPROOF_TOKENS_PER_S": str(1 / load.interval_s),
        "STREAMPROOF_FIRST_TOKEN_MS": str(load.first_s * 1000),
        "STREAMPROOF_MAX_STREAMS": str(load.streams),
        # No client is left when the server gets its signal.
        "STREAMPROOF_SHUTDOWN_GRACE_S": "0",
    }
    with serve(app, factory=app != OURS, env=settings) as server:
        status, _ = _ask(server)
        assert status == 200, status
        yield server


def _ask(server: Server) -> tuple[int, Message]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("POST", "/search?ai_prompt=hello&max_output_tokens=1&seed=0")
        response = connection.getresponse()
        response.read()
        return response.status, response.headers
    finally:
        connection.close()


def _refused() -> Figure:
    """How long a request waits for its 503 while as many answers are streamed as may be."""
    took_ms: list[float] = []
    # Many times longer than it takes to ask; the client is ended before.
    load = Load(FULL, MOST_S * PER_S, 1 / PER_S, FIRST_S, ramp_s=2)
    with _serving(OURS, load) as server, Client(server.port, load) as client:
        client.wait_begun(BEGUN_WITHIN_S)
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
