"""How late a token is by polling behind the front that holds every stream, and by streaming, in the same run.

The lab runs Standard's bundle behind Standard's front. Again and again one client streams an answer and one
asks for another in pieces, at once. A token is late by its arrival minus the time at which the service wrote
it; from what it is by polling a round trip is taken off, the median of pings beside the pieces.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from statistics import median, quantiles

from bench.figure import Figure
from kit.config import load_config
from kit.lab.lab import Lab
from kit.lab.lanes import prepare
from kit.probe.client import Ask
from kit.probe.lane import LaneProbe
from kit.probe.measured import Measured
from kit.probe.polling import PollingProbe
from kit.probe.spec import LaneSpec
from kit.targets import load_targets

ROUNDS = 5
TOKENS = 60
GOAL_MS = 50.0  # beyond a round trip


def measure() -> Iterator[Figure]:
    """Both at once, from one service."""
    streamed, polled, trips = asyncio.run(_measured())
    beyond = [late - trip for late, trip in zip(polled, trips, strict=True)]
    detail = (
        f"{len(beyond)} tokens, round trips of {median(trips):.1f} ms, the worst {max(beyond):.1f} ms beyond"
    )
    what = "a token by polling behind Standard, beyond a round trip"
    yield Figure(what, median(beyond), "ms", GOAL_MS, detail)
    yield Figure("the same, 99th percentile", quantiles(beyond, n=100)[-1], "ms", GOAL_MS)
    late, held = median(polled), median(streamed)
    detail = f"{late:.1f} ms against {held:,.0f} ms, {max(streamed):,.0f} ms for a first token"
    yield Figure("how late it is, of what it is by streaming there", 100 * late / held, "%", 2, detail)


async def _measured() -> tuple[list[float], list[float], list[float]]:
    """In milliseconds: how late each token was by streaming, by polling, and the latter's round trip."""
    streamed: list[float] = []
    polled: list[float] = []
    trips: list[float] = []
    async for streaming, polling in _rounds():
        if polling.clock is None:
            raise RuntimeError(f"it could not be asked by polling: {(await polling.prove()).error}")
        streamed += _late(streaming)
        polled += (late := _late(polling))
        trips += [polling.clock.rtt_ms] * len(late)
    return streamed, polled, trips


async def _rounds() -> AsyncIterator[tuple[Measured, Measured]]:
    with tempfile.TemporaryDirectory() as folder:
        config = load_config({}, {}, Path(folder))
        async with Lab(prepare(load_targets(), ["standard"], config, Path(folder))) as lab:
            ask = Ask("GET", lab.urls["standard"])
            spec = LaneSpec("standard", ask, prompt="Why?", max_output_tokens=TOKENS)
            for _ in range(ROUNDS):
                async with LaneProbe(spec) as streaming, PollingProbe(spec) as polling:
                    await streaming.find()
                    await polling.find()
                    await asyncio.gather(streaming.answer(), polling.answer())
                    yield streaming, polling


def _late(probe: Measured) -> list[float]:
    arrivals = probe.line.arrivals
    return [arrival.arrived_ms - arrival.sent_ms for arrival in arrivals if arrival.sent_ms is not None]
