"""Advice on a lane, and remarks that keep its verdict from being misread: sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kit.language import join, text
from kit.proof.doubts import Doubt
from kit.proof.known_limits import hint, known_limits
from kit.proof.lane import Lane, Mark
from kit.proof.verdict import Shape, Verdict
from kit.report.words import EXAMINE, HEADER
from kit.targets import Target


def advised(lanes: Sequence[Lane], targets: Mapping[str, Target]) -> list[str | None]:
    """What to do about each of the lanes, side by side; `targets` by name."""
    bearing = {one.target: one for one in lanes if one.header == "on" and one.delivery == "stream"}
    return [advice(lane, targets.get(lane.target), bearing.get(lane.target)) for lane in lanes]


def advice(lane: Lane, target: Target | None, bearing: Lane | None = None) -> str | None:
    """What to do; None where nothing is wrong or something else says it all.

    Args:
        lane: it.
        target: the one that it measures, if it is one of the kit's.
        bearing: the lane of the same service that bears the header, where there is one.
    """
    if lane.error is not None:
        return lane.error.hint
    if Doubt.CUT_AT_DEADLINE in lane.doubts:
        known = known_limits(lane.timeline.duration_ms / 1000, "whole")
        return frees(lane, target) or hint(known) or None
    looked = lane.timeline.watched
    if lane.verdict is Verdict.INCONCLUSIVE:
        if Doubt.OWN_PATH_HELD in lane.doubts:
            return None
        if looked is not None and looked.next_step is not None:
            return looked.next_step
        unexplained = target is None and lane.delivery == "stream" and not lane.delivered_as_expected
        return EXAMINE if unexplained else None
    if lane.verdict is Verdict.INCREMENTAL:
        if lane.delivered_as_expected is False and lane.at_most is None and not lane.broken:
            return text(
                "It streams, against expectation: check that the URL is the one you mean, then the claim."
            )
        return None
    if lane.only_for == "browser":
        return text(
            "Something compresses the answer for each client that accepts it, as browsers do, "
            "and collects it to do so; uncompressed it streams. Switch compression off for this "
            "path (in nginx `gzip off;`). Whether a header frees it was not tried: `kit doctor "
            "URL`."
        )
    if lane.only_for == "plain":
        return text(
            "It streams to browsers, and something collects it for a client that accepts no "
            "compression, as curl. What undoes compression on the way (in nginx `gunzip on;`) is "
            "likely, and was not tried."
        )
    if lane.delivery == "polling":
        return text(
            "No hop has a reason to hold a piece, which is a whole response: ask the service "
            "directly, then hop by hop, to find who does."
        )
    if lane.expected is Verdict.INCREMENTAL:
        return text(
            "It should stream here: probe the service directly, then hop by hop, to find who "
            "holds it (or strips `{header}`).",
            header=HEADER,
        )
    tried = lane.header == "off" and bearing is not None and bearing.error is None
    if tried and bearing is not None and bearing.mark is Mark.HELD:
        # That the header does not free it is said there; but what nothing frees is said here too.
        return frees(lane, target) if bearing.verdict is bearing.expected else None
    if (freed := frees(lane, target)) is not None:
        return freed
    if Doubt.NO_PROOF in lane.doubts:
        return text(
            "Whether `{header}` frees it, or leaving compression out, was not tried: `kit doctor URL`.",
            header=HEADER,
        )
    if tried and bearing is not None and bearing.mark is Mark.STREAMED:
        return text("Send `{header}`: with it the answer streams.", header=HEADER)
    if lane.header == "off":
        return text("Send `{header}` and measure again (--accel-header on).", header=HEADER)
    return text(
        "`{header}` does not free it: probe the service directly, then hop by hop, to find who holds it.",
        header=HEADER,
    )


def frees(lane: Lane, target: Target | None) -> str | None:
    """The target's own advice, if it is about this lane: of a front that holds nothing, about a cut."""
    cut = Doubt.CUT_AT_DEADLINE in lane.doubts
    return target.advice if target is not None and cut is (target.front.hold == "none") else None


def remark(lane: Lane) -> str | None:
    """What else to know; None for nothing."""
    return join(" ", filter(None, (_beside_the_picture(lane), _clients(lane)))) or None


def _clients(lane: Lane) -> str | None:
    """For whom it was not judged; None where for both, or where it is held without compression."""
    if lane.error is not None or lane.verdict not in (Verdict.INCREMENTAL, Verdict.INCONCLUSIVE):
        return None
    if lane.asked_as == "given":
        return text("Judged with the Accept-Encoding that was given, and for no other client.")
    if lane.asked_as == "browser":
        return text("Judged as a browser asks, not as a client that accepts no compression (curl).")
    return None


def _beside_the_picture(lane: Lane) -> str | None:
    """What keeps a picture of the answer alone from being taken for another verdict."""
    answer = sum(arrival.bytes for arrival in lane.timeline.arrivals)
    if lane.shape in (Shape.BLOCKS, Shape.PREFIX) and lane.block_bytes and 0 < answer < lane.block_bytes:
        return text(
            "The whole answer ({answer:,} bytes) is smaller than one block, so it came at its "
            "end; the proof fed more to find the block's size.",
            answer=answer,
        )
    looked = lane.timeline.watched
    return looked.fact if looked is not None and lane.verdict is Verdict.INCONCLUSIVE else None
