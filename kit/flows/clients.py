"""A lane that was measured as a browser asks, measured as a client that accepts no compression as well.

By proof alone: that costs the service nothing. The answer is not asked for twice, since it may cost money.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from kit.probe.lane import LaneProbe, judged_bytes
from kit.probe.looking import ProofLooks, origin_of
from kit.proof.clients import PLAIN, beside
from kit.proof.experiments import Look
from kit.proof.glance import Seen, State
from kit.proof.lane import Lane
from kit.proof.verdict import Method, Verdict


async def for_both(probe: LaneProbe, lane: Lane, stepped: Callable[[str], None]) -> Lane:
    """The lane with what the other client sees, where a proof can tell.

    What is held uncompressed is held for every client alike, so that is not looked at again.

    Args:
        probe: measured as a browser asks.
        lane: what came out.
        stepped: called with each new line of evidence.
    """
    lane = replace(lane, asked_as="browser")
    base, streams = probe.found.base, lane.verdict is Verdict.INCREMENTAL
    compressed = "content-encoding" in probe.received.headers
    decided = lane.error is None and lane.verdict is not Verdict.INCONCLUSIVE
    if base is None or not probe.round_trips or not decided or not (streams or compressed):
        return lane
    looks = ProofLooks(
        origin_of(probe.spec, probe.found),
        probe.round_trips,
        secure=urlsplit(base).scheme == "https",
        event_bytes=judged_bytes(probe.spec, probe.line),
        timeout_s=probe.spec.timeout_s,
    )
    at = replace(probe.conditions, header=lane.header, coding="")
    stepped(f"the same {PLAIN}")
    # Where side requests do not reach the stream, only a whole proof can do without them.
    seen = await looks.look(Look(at, PLAIN, whole=lane.method is Method.PAUSE))
    if streams and seen.state is State.HELD:
        seen = await looks.look(Look(at, PLAIN, whole=True))
    # Whether it is compressed is where the two may differ.
    differs = [name for name in probe.unlike(looks.heads.get(at, {})) if name != "Content-Encoding"]
    if differs:
        seen = Seen(State.UNDECIDED, f"the proof's stream differs from the answer in {', '.join(differs)}")
    return beside(lane, seen)
