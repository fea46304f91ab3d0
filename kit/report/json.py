"""The comparison as JSON, field by field as `schema.json` beside this file says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kit.proof.lane import Comparison, Lane
from kit.proof.looks import Watched
from kit.report.words import place

SCHEMA_VERSION = 1


def document(data: dict[str, Any], warnings: Sequence[str] = ()) -> dict[str, Any]:
    """A whole document, as `--json` prints it."""
    return {"schema_version": SCHEMA_VERSION, "data": data, "warnings": list(warnings)}


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """Several lanes side by side: the data of `kit compare` and `kit demo`."""
    return {
        "as_expected": comparison.as_expected,
        "environment": comparison.environment,
        "measured_at": comparison.measured_at,
        "kit_version": comparison.kit_version,
        "prompt": comparison.prompt,
        "lanes": [lane_data(lane) for lane in comparison.lanes],
    }


def lane_data(lane: Lane) -> dict[str, Any]:
    """One lane: the data of `kit probe`. Times are milliseconds from the request, to a tenth."""
    timeline = lane.timeline
    error = lane.error
    expected = lane.at_most or lane.expected
    return {
        "target": lane.target,
        "url": place(lane.url),
        "header": lane.header,
        "delivery": lane.delivery,
        "expected": None if expected is None else str(expected),
        "verdict": str(lane.verdict),
        "shape": None if lane.shape is None else str(lane.shape),
        "block_bytes": lane.block_bytes,
        "hold_ms": _tenth(lane.hold_ms),
        "hold_floor_ms": _tenth(lane.hold_floor_ms),
        "as_expected": lane.as_expected,
        "method": str(lane.method),
        "ttfb_ms": _tenth(timeline.ttfb_ms),
        "first_event_ms": _tenth(timeline.first_event_ms),
        # A lane that could not be measured has no duration, only the time that was spent on it.
        "duration_ms": None if error is not None else _tenth(timeline.duration_ms),
        "doubts": [str(doubt) for doubt in lane.doubts],
        "error": None
        if error is None
        else {"code": error.code, "message": error.message, "hint": error.hint},
        "timeline": [
            {
                "seq": arrival.seq,
                "sent_ms": _tenth(arrival.sent_ms),
                "arrived_ms": _tenth(arrival.arrived_ms),
                "bytes": arrival.bytes,
            }
            for arrival in timeline.arrivals
        ],
        "evidence": list(lane.evidence),
        "attempts": [
            {
                "verdict": str(attempt.verdict),
                "error": attempt.error,
                "doubts": [str(doubt) for doubt in attempt.doubts],
            }
            for attempt in lane.attempts
        ],
        **_looks(timeline.watched),
        "asked_as": lane.asked_as,
        "only_for": lane.only_for,
    }


def _looks(looked: Watched | None) -> dict[str, Any]:
    clumps = None
    if looked is not None and looked.wait_ms is not None:
        clumps = {
            "count": looked.clumps,
            "octets": looked.clump_octets,
            "events": looked.clump_events,
            "silence_ms": _tenth(looked.silence_ms),
            "largest_octets": looked.largest_octets,
            "longest_silence_ms": _tenth(looked.longest_ms),
            "wait_ms": _tenth(looked.wait_ms),
            "spread_ms": _tenth(looked.spread_ms),
        }
    return {"looks": None if looked is None or looked.looks is None else str(looked.looks), "clumps": clumps}


def _tenth(ms: float | None) -> float | None:
    """What a clock on a busy machine can answer for; never -0.0."""
    return None if ms is None else round(ms, 1) + 0.0
