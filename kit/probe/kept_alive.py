"""The clause "kept alive", on real connections: how long silent and talking streams live
(`kit.proof.stream_limits` judges it)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from kit.errors import UsageError
from kit.language import text
from kit.probe.proof_runner import ProofRequest, driven, together
from kit.proof.actions import Machine
from kit.proof.contract import ClauseFinding
from kit.proof.doubts import Doubt
from kit.proof.stream_life import StreamLifetime, apart_s, side_by_side
from kit.proof.stream_limits import MOST_S, Limits, agree, finding, judge

_TIMEOUT_S = 30.0  # of our own, beyond the time watched: what ends a stream must not be us


async def kept_alive(
    request: ProofRequest, *, for_s: float, http2: bool = False, say: Callable[[str], None] = lambda _: None
) -> ClauseFinding:
    """The clause, from `stream_limits`."""
    return finding(await stream_limits(request, for_s=for_s, http2=http2, say=say))


async def stream_limits(
    request: ProofRequest, *, for_s: float, http2: bool = False, say: Callable[[str], None] = lambda _: None
) -> Limits:
    """Watch four streams side by side, each on connections of its own: of one connection for all a hop would
    see the talk only, and not that others are silent.

    Args:
        request: how the proof's stream is asked for.
        for_s: seconds for which they are watched at most.
        http2: offer HTTP/2.
        say: called with what is done.

    Raises:
        KitError: BAD_USAGE for a time that cannot be watched; a stream could not be opened.
    """
    if not 0 < for_s <= MOST_S:
        raise UsageError(
            text("A stream cannot be watched for {for_s:g} s.", for_s=for_s),
            text("Give a time up to {most_s:,.0f} s.", most_s=MOST_S),
        )
    say(text("watching streams that are silent, beat and talk, for {for_s:g} s at most", for_s=for_s))
    found = await _watched(request, for_s=for_s, http2=http2)
    busy = Doubt.BUSY_MACHINE in found.doubts
    if busy or found.unlike:
        say(
            text("this process did not run while a stream ended: watching once more")
            if busy
            else text("two streams of a kind did not end alike: watching once more")
        )
        before, found = found, await _watched(request, for_s=for_s, http2=http2)
        if busy and agree(before, found):
            found = replace(found, doubts=tuple(one for one in found.doubts if one != Doubt.BUSY_MACHINE))
    return found


async def _watched(request: ProofRequest, *, for_s: float, http2: bool) -> Limits:
    lives = await together(
        _watch(request, machine, begin_s, http2=http2)
        for begin_s, machine in side_by_side(for_s, comments=request.at.framing == "sse")
    )
    return judge(lives[:2], lives[2:], apart_s(for_s))


async def _watch(
    request: ProofRequest, machine: Machine[StreamLifetime], begin_s: float, *, http2: bool
) -> StreamLifetime:
    await asyncio.sleep(begin_s)
    return await driven(request, machine, http2=http2, timeout_s=MOST_S + _TIMEOUT_S)
