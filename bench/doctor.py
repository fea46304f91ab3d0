"""How long the doctor takes: to the first word on a stream that passes, and to the cause of one that is held.

The peer is the way itself: the first word is counted in round trips of the same way, measured in the same
run. The way is a relay on this machine that delays what passes it.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from bench.figure import Figure
from bench.relay import relay
from kit.config import load_config
from kit.flows.doctor import DoctorSpec, doctor
from kit.lab.lab import Lab
from kit.lab.lanes import prepare
from kit.probe.client import Ask, Client, now_ms
from kit.proof.diagnosis import Diagnosis
from kit.proof.lane import Arm
from kit.targets import load_targets

ROUND_TRIPS_MS = (41, 151)
TIMES = 5
# What holds: the target's front, the arm, the cause that is to be named.
HELD: tuple[tuple[str, Arm, str], ...] = (
    ("standard", "on", "whole-message"),
    ("flex", "off", "nginx-buffers"),
)


def measure() -> Iterator[Figure]:
    """The streams first."""
    yield from asyncio.run(_measure())


async def _measure() -> list[Figure]:
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        config = load_config({}, os.environ, Path(folder))
        async with Lab(prepare(load_targets(), [], config, Path(folder) / "build")) as lab:
            for rtt_ms in ROUND_TRIPS_MS:
                figures.append(await _streaming(lab.urls["run"], rtt_ms))
                figures += [await _held(lab.urls[name], arm, cause, rtt_ms) for name, arm, cause in HELD]
    return figures


async def _streaming(url: str, rtt_ms: int) -> Figure:
    trips, first = [], []
    async with relay(_port(url), rtt_ms / 1000) as port:
        at = f"http://127.0.0.1:{port}"
        for _ in range(TIMES):
            trips.append(await _round_trip(at))
            found = await _examined(at, "on")
            assert found.first_verdict_ms is not None
            assert not found.causes
            first.append(found.first_verdict_ms)
    detail = f"{median(first):.0f} ms after the stream was opened, a round trip of {median(trips):.0f} ms"
    what = f"round trips until it is said that a stream passes, {rtt_ms} ms each"
    return Figure(what, median(first) / median(trips), "×", 3.0, detail)


async def _held(url: str, arm: Arm, cause: str, rtt_ms: int) -> Figure:
    took = []
    async with relay(_port(url), rtt_ms / 1000) as port:
        for _ in range(2):
            begun = now_ms()
            found = await _examined(f"http://127.0.0.1:{port}", arm)
            took.append((now_ms() - begun) / 1000)
            assert [str(one.cause) for one in found.causes] == [cause], found.causes
    return Figure(f"until the cause is named, {cause}, {rtt_ms} ms a round trip", max(took), "s", 20.0)


async def _examined(url: str, arm: Arm) -> Diagnosis:
    return await doctor(DoctorSpec("doctor", Ask("GET", url), header=arm, prompt="Why?"))


async def _round_trip(url: str) -> float:
    """The quickest of some requests on one connection, in milliseconds."""
    took = []
    async with Client() as client:
        for _ in range(4):
            begun = now_ms()
            await client.fetch(Ask("GET", f"{url}/health"), within_ms=10_000)
            took.append(now_ms() - begun)
    return min(took)


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
