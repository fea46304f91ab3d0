"""How long a silent and a talking stream live, on real connections (`kit.proof.stream_limits` judges it)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from kit.errors import KitError, UsageError
from kit.probe.client import Client
from kit.probe.proof_runner import Driver, ProofRequest
from kit.proof.contract import Clause, ClauseFinding
from kit.proof.stream_limits import BEAT_S, LIMIT_S, MOST_S, Limits, StreamLifetime, finding, judge, lives

_TIMEOUT_S = 30.0  # of our own, beyond the time watched: what ends a stream must not be us


async def kept_alive(
    request: ProofRequest, *, for_s: float, http2: bool = False, say: Callable[[str], None] = lambda _: None
) -> ClauseFinding:
    """The clause "kept alive": how long a silent and a talking stream live.

    Args:
        request: how the proof's stream is asked for.
        for_s: seconds for which they are watched at most.
        http2: offer HTTP/2.
        say: called with what is done.

    Raises:
        KitError: BAD_USAGE for a time that cannot be watched.
    """
    say(f"watching a silent stream and one that talks, for {for_s:g} s at most")
    try:
        return finding(await watch(request, limit_s=for_s, beat_s=min(BEAT_S, for_s / 12), http2=http2))
    except UsageError:
        raise
    except KitError as error:
        return ClauseFinding(Clause.KEPT_ALIVE, error.message, "unknown")


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
