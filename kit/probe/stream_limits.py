"""How long a silent and a talking stream live, on real connections (`kit.proof.stream_limits` judges it)."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from kit.errors import UsageError
from kit.probe.client import Client
from kit.probe.proof_runner import Driver, ProofRequest
from kit.proof.stream_limits import BEAT_S, LIMIT_S, MOST_S, Limits, StreamLifetime, judge, lives

_TIMEOUT_S = 30.0  # of our own, beyond the time watched: what ends a stream must not be us


async def watch(
    request: ProofRequest, *, limit_s: float = LIMIT_S, beat_s: float = BEAT_S, http2: bool = False
) -> Limits:
    """Watch both streams at once, each on connections of its own, for `limit_s` at most.

    Args:
        request: how the proof's stream is asked for.
        limit_s: seconds.
        beat_s: seconds between two events of the one that talks.
        http2: offer HTTP/2.

    Raises:
        KitError: BAD_USAGE for a time that cannot be watched; a stream could not be opened.
    """
    if not 0 < limit_s <= MOST_S or not 0 < beat_s <= limit_s:
        raise UsageError(
            f"A stream cannot be watched for {limit_s:g} s.",
            f"Give a time up to {MOST_S:.0f} s: the proof's origin itself ends each stream after 120 s.",
        )
    watched = [asyncio.create_task(_watch(request, limit_s, beat, http2=http2)) for beat in (None, beat_s)]
    try:
        silent, talking = await asyncio.gather(*watched)
    finally:
        for task in watched:
            task.cancel()
        await asyncio.gather(*watched, return_exceptions=True)
    return judge(silent, talking)


async def _watch(
    request: ProofRequest, limit_s: float, beat_s: float | None, *, http2: bool
) -> tuple[StreamLifetime, ...]:
    # Of one connection for both streams a hop would see the talk only, and not that one of them is silent.
    async with AsyncExitStack() as stack:
        streams, side = [
            await stack.enter_async_context(Client(http2=http2, timeout_s=limit_s + _TIMEOUT_S))
            for _ in range(2)
        ]
        return await Driver(streams, side, request).run(lives(limit_s=limit_s, beat_s=beat_s))
