"""One lane's verdict for clients that accept compression, as browsers do, and for those that do not. Pure.

What a compressor holds, only those see who accept what it makes: "but it works with curl" proves nothing.
"""

from __future__ import annotations

from dataclasses import replace

from kit.language import text
from kit.proof.diagnosis import verdict_of
from kit.proof.doubts import Doubt
from kit.proof.lane import Lane
from kit.proof.quick_check import Observation, State
from kit.proof.verdict import Verdict

PLAIN = text("to a client that accepts no compression")


def beside(lane: Lane, plain: Observation) -> Lane:
    """The lane with what a client saw that accepts no compression; of both the worse is its verdict.

    Args:
        lane: as a browser saw it, its verdict conclusive.
        plain: the other's, its shape as well where only that one is held.
    """
    lane = replace(lane, evidence=(*lane.evidence, text("{plain}: {said}", plain=PLAIN, said=plain.said)))
    verdict = verdict_of(plain)
    if plain.state is State.UNDECIDED or (not plain.streams and verdict is Verdict.INCONCLUSIVE):
        return replace(lane, doubts=tuple(dict.fromkeys((*lane.doubts, Doubt.PLAIN_CLIENT_UNDECIDED))))
    lane = replace(lane, asked_as="both")
    streams = lane.verdict is Verdict.INCREMENTAL
    if plain.streams == streams:
        return lane
    if plain.streams:
        return replace(lane, only_for="browser")
    return replace(
        lane,
        only_for="plain",
        verdict=verdict,
        shape=plain.shape,
        block_bytes=plain.block_bytes,
        hold_ms=plain.hold_ms,
        hold_floor_ms=None,
        doubts=tuple(dict.fromkeys((*lane.doubts, *plain.doubts))),
    )
