"""How much later than directly an event arrives through a pass-through front.

An origin sends events that bear the time. Two streams of it, one direct and one through the front, are read
at once; origin, front and reader are a process each, as in `kit demo`. The clock is the machine's one
monotonic clock, so nothing needs to be aligned.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.figure import Figure
from kit.lab.front import start_front
from kit.lab.sockets import HOST, listen
from kit.targets import FrontSpec

EVENTS = 400
INTERVAL_S = 0.01

PASS_THROUGH = FrontSpec(
    hold="none",
    block_bytes=None,
    accel_frees=False,
    response_cap_bytes=33_554_432,
    cap_spares_chunked=True,
    deadline_s=300,
    request_headers_removed=(),
    request_headers_added={"X-Forwarded-For": "{forwarded_for}"},
    response_headers_removed=("server",),
    response_headers_added={"Server": "Google Frontend"},
    client_leaves="unknown",
    idle="unknown",
    shutdown_grace_s=10,
)


def measure() -> Iterator[Figure]:
    """Both streams at once, from the same origin."""
    origin = subprocess.Popen([sys.executable, "-m", "bench.front"], stdout=subprocess.PIPE, text=True)
    try:
        assert origin.stdout is not None
        direct, through = asyncio.run(_both(int(origin.stdout.readline())))
    finally:
        origin.kill()
        origin.wait()
    detail = f"{through:.2f} ms through it, {direct:.2f} ms direct, {EVENTS} events each"
    what = "what a pass-through front adds to the median event"
    yield Figure(what, through - direct, "ms", 2.0, detail)


async def _both(port: int) -> tuple[float, float]:
    """The median event's time directly and through a front, in milliseconds."""
    listener = listen(0)
    front_port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        front = start_front("run", PASS_THROUGH, listener, port, Path(folder) / "front")
        try:
            await front.wait_until_ready(front_port)
            direct, through = await asyncio.gather(_read(port), _read(front_port))
        finally:
            await front.stop()
    return median(direct), median(through)


async def _read(port: int) -> list[float]:
    """How long each event took, in milliseconds."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    took_ms: list[float] = []
    while len(took_ms) < EVENTS:
        line = await reader.readline()
        if line.startswith(b"data: "):
            took_ms.append((time.monotonic_ns() - int(line[6:])) / 1e6)
    writer.close()
    return took_ms


async def _origin() -> None:
    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(EVENTS):
            await asyncio.sleep(INTERVAL_S)
            event = f"data: {time.monotonic_ns()}\n\n".encode()
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(stream, HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_origin())
