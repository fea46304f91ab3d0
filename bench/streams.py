"""`kit load` with 5,000 streams of two events a second for a minute, beside Locust's own readers.

One server writes to all, in a process of its own: raw asyncio on uvloop, and each event bears the time at
which it is written. An event is late by what its stamp says, against the quickest event of its stream, as
`kit load` counts it. The peers are Locust's two HTTP users with their own `iter_lines`, headless, in one
process as well, which stamp each line that they get and count it in the same way; Locust spawns their users
over the same ramp. The generator's share of a core is that of all processes of a tool, its start included.

Locust's `FastHttpUser.iter_lines` passes nothing on before 1,024 octets are there: some twenty events here.

BENCH_STREAMS and BENCH_STREAMS_S say how many streams and for how many seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from bench.figure import Figure
from bench.process import cpu_s, need_proc
from kit.load.histogram import Histogram

INTERVAL_S = 0.5
LATENESS_GOAL_MS = 100
HERE = "127.0.0.1"
RAMP_SHARE = 6  # a sixth of the whole


@dataclass(frozen=True, slots=True)
class _Run:
    """One tool's: of lateness and of the first event, milliseconds; then the cores that it took.

    0 where that is not known: Locust does not wait for its workers' end.
    """

    events: int
    late: Histogram
    first: Histogram
    cores: float
    server: float
    own_ms: float = 0.0
    own_most_ms: float = 0.0

    def __str__(self) -> str:
        late = self.late
        cores = f"{self.cores:.2f} cores, " if self.cores else ""
        return (
            f"lateness p50 {_ms(late, 0.5)}, p99 {_ms(late, 0.99)}, first event p99 {_ms(self.first, 0.99)}, "
            f"{self.events:,} events; {cores}the server's {self.server:.2f} cores, "
            f"load average {os.getloadavg()[0]:.1f}"
        )


def measure() -> Iterator[Figure]:
    """Ours by one process and by two, then the peers, each alone."""
    need_proc()
    streams, seconds = _setting("BENCH_STREAMS", 5_000), _setting("BENCH_STREAMS_S", 60)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ours = _ours(streams, seconds, 1)
    two = _ours(streams, seconds, 2)
    by_line = _peer("HttpUser", streams, seconds)
    by_kib = _peer("FastHttpUser", streams, seconds)
    asked = f"{streams:,} streams of {1 / INTERVAL_S:g} events a second for {seconds} s"
    detail = f"worst {ours.own_most_ms:,.1f} ms; by two processes p99 {two.own_ms:,.1f} ms"
    yield Figure(f"p99 of its own timers' lateness, {asked}", ours.own_ms, "ms", LATENESS_GOAL_MS, detail)
    yield Figure("p99 of its events' lateness", _q(ours.late, 0.99), "ms", LATENESS_GOAL_MS, str(ours))
    share = _q(ours.late, 0.99) / max(0.1, _q(by_line.late, 0.99))
    yield Figure("the same, against Locust's HttpUser.iter_lines", share, "×", 1, str(by_line))
    theirs = _q(by_kib.first, 0.5) or seconds * 1000  # it would have come later, if at all
    share = _q(ours.first, 0.5) / theirs
    yield Figure("median first event, against FastHttpUser.iter_lines", share, "×", 1, str(by_kib))
    share = ours.cores / ours.events * by_line.events / by_line.cores
    yield Figure("CPU per event, start included, against HttpUser.iter_lines", share, "×", 1)
    yield Figure("events by two processes, of those by one", two.events / ours.events, "×", 1.05, str(two))
    share = max(0.1, _q(two.late, 0.5)) / max(0.1, _q(ours.late, 0.5))
    yield Figure("median of lateness by two processes, of that by one", share, "×", 2)


def _setting(name: str, usual: int) -> int:
    given = os.environ.get(name, str(usual))
    if not given.isdecimal() or int(given) < 6:
        sys.exit(f"{name} is {given!r}, but it must be a whole number, 6 or more.")
    return int(given)


def _q(times: Histogram, share: float) -> float:
    return times.quantile(share) or 0.0


def _ms(times: Histogram, share: float) -> str:
    return f"{_q(times, share):,.1f} ms"


def _ours(streams: int, seconds: int, workers: int) -> _Run:
    argv = [sys.executable, "-m", "kit", "load", "{url}", "--streams", str(streams), "--for", f"{seconds}s"]
    argv += ["--ramp", f"{seconds / RAMP_SHARE:g}s", "--workers", str(workers), "--json"]
    out, cores, server = _timed(argv)
    data = json.loads(out)["data"]
    own = data["own_lateness"]
    return _Run(
        data["events"],
        _as_said(data["lateness"]),
        _as_said(data["first_event"]),
        cores if workers == 1 else 0.0,
        server,
        own["p99_ms"],
        own["most_ms"],
    )


def _as_said(figures: Any) -> Histogram:
    """A histogram with the quantiles that were printed."""
    made = Histogram()
    for times, share in ((50, "p50_ms"), (45, "p95_ms"), (4, "p99_ms"), (1, "most_ms")):
        made.add(figures[share], times)
    return made


def _peer(user: str, streams: int, seconds: int) -> _Run:
    rate = streams * RAMP_SHARE / seconds
    argv = [sys.executable, "-m", "locust", "-f", "bench/locust_readers.py", user, "--headless"]
    argv += ["--only-summary", "--loglevel", "ERROR", "--host", "{url}"]
    argv += ["--users", str(streams), "--spawn-rate", f"{rate:g}", "--run-time", f"{seconds}s"]
    out, cores, server = _timed(argv)
    data = json.loads(out.splitlines()[-1])
    return _Run(data["events"], Histogram.of(data["late"]), Histogram.of(data["first"]), cores, server)


def _timed(argv: list[str]) -> tuple[str, float, float]:
    """What it printed, and how many cores it and the server took."""
    with _server() as (url, pid):
        before, server_before = _children_s(), cpu_s(pid)
        began = time.monotonic()
        ran = subprocess.run(
            [word.format(url=url) for word in argv],
            capture_output=True,
            text=True,
        )
        took = time.monotonic() - began
        server = (cpu_s(pid) - server_before) / took
    # 4: the kit's own figures are doubtful on a machine so busy, which is for the reader to see.
    if ran.returncode not in (0, 4):
        raise RuntimeError(f"{argv[2]} ended with status {ran.returncode}: {ran.stderr[-1000:]}")
    return ran.stdout, (_children_s() - before) / took, server


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _server() -> Iterator[tuple[str, int]]:
    """Its address and its process number. Its own time is no child's until it was waited for."""
    process = subprocess.Popen([sys.executable, "-m", "bench.streams"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://{HERE}:{int(process.stdout.readline())}", process.pid
    finally:
        process.kill()
        process.communicate()


class _Stream(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self._asked_s = 0.0
        self._seq = 0

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET /proof"):
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        elif not self._asked_s:
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            self._asked_s = time.monotonic()
            self._write()

    def _write(self) -> None:
        if self._transport.is_closing():
            return
        # The machine's one monotonic clock.
        event = b'data: {"seq":%d,"t_ms":%.3f}\n\n' % (self._seq, time.monotonic() * 1000)
        self._transport.write(b"%x\r\n%s\r\n" % (len(event), event))
        self._seq += 1
        due_s = self._asked_s + self._seq * INTERVAL_S - time.monotonic()
        asyncio.get_running_loop().call_later(max(0.0, due_s), self._write)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Stream, HERE, 0, backlog=8192)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(_serve())
