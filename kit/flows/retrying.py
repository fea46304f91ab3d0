"""Measures again what is undecided, a few times at most; a verdict once found is never asked for again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from kit.events import Stage, Watch, silent
from kit.flows.compare import compare
from kit.language import text
from kit.probe.spec import LaneSpec
from kit.proof.lane import Comparison, Environment, undecided

# What is undecided is often a service that starts, or a machine that is busy: at once it would be no better.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 8.0


class Compare(Protocol):
    """`kit.flows.compare.compare`."""

    async def __call__(
        self, specs: Sequence[LaneSpec], environment: Environment, watch: Watch = silent
    ) -> Comparison:
        """Measure the lanes side by side."""
        ...


async def compare_again(
    specs: Sequence[LaneSpec],
    environment: Environment,
    watch: Watch = silent,
    *,
    retries: int,
    measure: Compare = compare,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Comparison:
    """Measure the lanes side by side, and those that are undecided again, each time with their last outcome.

    Args:
        specs: one a lane.
        environment: where they were measured, for the report.
        watch: is given each event, as it happens.
        retries: how often to measure again at most.
        measure: for tests.
        sleep: for tests.
    """
    pause_s = FIRST_PAUSE_S
    found = await measure(specs, environment, watch)
    for number in range(1, retries + 1):
        again = [place for place, lane in enumerate(found.lanes) if undecided(lane)]
        if not again:
            break
        watch(
            Stage(
                text(
                    "Undecided, so it is measured again ({number} of {retries} times at most).",
                    number=number,
                    retries=retries,
                )
            )
        )
        await sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        later = await measure([specs[place] for place in again], environment, watch)
        lanes = list(found.lanes)
        for place, lane in zip(again, later.lanes, strict=True):
            lanes[place] = replace(lane, earlier=lanes[place].attempts)
        found = replace(found, lanes=tuple(lanes))
    return found
