"""The pause probe: a proof for an origin that cannot be stepped.

The origin sends a first event, then 1.1 MiB, is silent for a second, and sends the rest. A hop that
streams shows the silence in its place; one that holds the message shows nothing before the end.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

from kit.language import text
from kit.proof.doubts import Doubt
from kit.proof.events import Event
from kit.proof.verdict import Finding, Method, Shape, Verdict

# The origin's silence is 1 s; half of it tells a gap from a hiccup (0 errors in 840 runs, docs/detection.md).
GAP_MS = 500.0


def part(event: Event) -> str | None:
    """Which part of a paused stream an event belongs to: first, bulk or rest; None if it does not say."""
    try:
        payload = json.loads(event.data)
    except ValueError:
        return None
    name = payload.get("part") if isinstance(payload, dict) else None
    return name if isinstance(name, str) else None


def judge(arrivals: Sequence[tuple[float, Event]], *, clean: bool) -> Finding:
    """The verdict from a paused stream's arrivals (milliseconds, event), whole or as far as it came."""
    times = {
        name: [at for at, event in arrivals if part(event) == name] for name in ("first", "bulk", "rest")
    }
    if not clean or not all(times.values()):
        return _finding(
            Verdict.INCONCLUSIVE,
            text("the paused stream did not come to its end"),
            doubts=(Doubt.STREAM_CUT,),
        )
    start, rest = times["first"][0], times["rest"][0]
    before = [at for at in times["bulk"] if rest - at >= GAP_MS]
    if len(before) == len(times["bulk"]):
        gap = rest - times["bulk"][-1]
        return _finding(
            Verdict.INCREMENTAL,
            text("1.1 MiB arrived, then {gap:.0f} ms of the origin's silence, then the rest", gap=gap),
        )
    everything = sorted(at for at, _ in arrivals)
    widest = max(later - sooner for sooner, later in pairwise(everything))
    if widest >= GAP_MS:
        return _finding(
            Verdict.BYTE_LIMITED,
            text(
                "{before} of {times} events arrived before the silence, the others after it",
                before=len(before),
                times=len(times["bulk"]),
            ),
            doubts=(Doubt.BUFFER_SIZE_UNKNOWN,),
        )
    if rest - start < GAP_MS:
        return _finding(
            Verdict.WHOLE_MESSAGE,
            text("nothing arrived before the origin's silence was over"),
            shape=Shape.WHOLE,
        )
    return _finding(
        Verdict.INCONCLUSIVE,
        text("the bulk was still arriving when the rest was sent, so no silence could be seen"),
        doubts=(Doubt.SLOW_LINK,),
    )


def _finding(
    verdict: Verdict, seen: str, *, shape: Shape | None = None, doubts: tuple[Doubt, ...] = ()
) -> Finding:
    return Finding(
        verdict, Method.PAUSE, shape=shape, doubts=doubts, evidence=(text("pause: {seen}", seen=seen),)
    )
