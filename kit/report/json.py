"""The JSON of `--json`, made of what was measured. `kit.report.wire` says what each field is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isinf
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from kit.proof.contract import ClauseFinding
from kit.proof.diagnosis import AppExamined, Diagnosis
from kit.proof.exchange import Request, Response
from kit.proof.lane import Comparison, Lane, LaneState, clause_state
from kit.proof.looks import Watched
from kit.report.advice import advice, advised
from kit.report.diagnosis import app_lines, headline
from kit.report.words import place
from kit.targets import Target

if TYPE_CHECKING:
    from kit.report import wire

SCHEMA_VERSION = 1


def document(data: Any, warnings: Sequence[str] = ()) -> dict[str, Any]:
    """A whole document."""
    return {"schema_version": SCHEMA_VERSION, "data": data, "warnings": list(warnings)}


def comparison_data(
    comparison: Comparison, targets: Mapping[str, Target] = MappingProxyType({})
) -> wire.Comparison:
    """Several lanes side by side: the data of `kit compare` and `kit demo`; `targets` by name."""
    return {
        "as_expected": comparison.as_expected,
        "environment": comparison.environment,
        "measured_at": comparison.measured_at,
        "kit_version": comparison.kit_version,
        "prompt": comparison.prompt,
        "lanes": [
            {**lane_data(lane), "remedy": todo}
            for lane, todo in zip(comparison.lanes, advised(comparison.lanes, targets), strict=True)
        ],
    }


def lane_data(lane: Lane) -> wire.Lane:
    """One lane by itself."""
    line, error = lane.timeline, lane.error
    return {
        "target": lane.target,
        "url": place(lane.url),
        "header": lane.header,
        "delivery": lane.delivery,
        "expected": lane.expected or (None if lane.at_most is None else str(lane.at_most)),
        "verdict": lane.verdict,
        "shape": lane.shape,
        "block_bytes": lane.block_bytes,
        "hold_ms": _tenth(lane.hold_ms),
        "hold_floor_ms": _tenth(lane.hold_floor_ms),
        "as_expected": lane.as_expected,
        "method": lane.method,
        "ttfb_ms": _tenth(line.ttfb_ms),
        "first_event_ms": _tenth(line.first_event_ms),
        # A lane that could not be measured has no duration, only the time that was spent on it.
        "duration_ms": None if error is not None else _tenth(line.duration_ms),
        "doubts": list(lane.doubts),
        "error": None
        if error is None
        else {"code": error.code, "message": error.message, "hint": error.hint},
        "timeline": [
            {
                "seq": arrival.seq,
                "sent_ms": _tenth(arrival.sent_ms),
                "arrived_ms": _rounded(arrival.arrived_ms),
                "bytes": arrival.bytes,
            }
            for arrival in line.arrivals
        ],
        "evidence": list(lane.evidence),
        "attempts": [
            {"verdict": attempt.verdict, "error": attempt.error, "doubts": list(attempt.doubts)}
            for attempt in lane.attempts
        ],
        "looks": None if line.watched is None else line.watched.looks,
        "clumps": _clumps(line.watched),
        "asked_as": lane.asked_as,
        "only_for": lane.only_for,
        "expectation": str(lane.expectation) or None,
        "clauses": [clause_data(finding, lane) for finding in lane.clauses],
        "request": _fields(lane.request),
        "response": _fields(lane.response),
        "header_known": lane.header_known,
        "round_trip_ms": _tenth(lane.round_trip_ms),
        "remedy": advice(lane, None),
    }


def probed_data(comparison: Comparison) -> wire.Probed:
    """The first lane by itself: the data of `kit probe`."""
    return {
        **lane_data(comparison.lanes[0]),
        "environment": comparison.environment,
        "measured_at": comparison.measured_at,
        "kit_version": comparison.kit_version,
    }


def clause_data(finding: ClauseFinding, lane: Lane | None = None) -> wire.ClauseFinding:
    """One clause, of a lane or by itself."""
    limits = lane.limits_of(finding.clause) if lane is not None else ()
    state = clause_state(lane, finding.clause) if lane is not None else None
    return {
        "clause": finding.clause,
        "says": finding.says,
        "sure": finding.sure,
        "figures": [
            {
                "term": one.term,
                "least": _rounded(one.least),
                "most": None if isinf(one.most) else _rounded(one.most),
            }
            for one in finding.figures
        ],
        "expected": ", ".join(map(str, limits)) or None,
        "as_expected": None if state is None else state is LaneState.OK,
        "doubts": list(finding.doubts),
        "evidence": list(finding.evidence),
        "advice": finding.advice or None,
    }


def _clumps(watched: Watched | None) -> wire.Clumps | None:
    if watched is None or watched.wait_ms is None:
        return None
    return {
        "count": watched.clumps,
        "octets": watched.clump_octets,
        "events": watched.clump_events,
        "silence_ms": _tenth(watched.silence_ms),
        "largest_octets": watched.largest_octets,
        "longest_silence_ms": _tenth(watched.longest_ms),
        "wait_ms": _rounded(watched.wait_ms),
        "spread_ms": _rounded(watched.spread_ms),
    }


def app_data(found: AppExamined, targets: Mapping[str, Target]) -> wire.AppDiagnosis:
    """An app examined in the lab: the data of `kit doctor --app`; `targets` by name."""
    expected = [one.lane.as_expected for one in found.diagnoses if one.lane.as_expected is not None]
    return {
        "environment": "lab",
        "itself": diagnosis_data(found.itself),
        "targets": {name: diagnosis_data(one) for name, one in found.targets.items()},
        "summary": [
            {
                "target": line.target,
                "title": line.title,
                "verdict": line.diagnosis.verdict,
                "says": headline(line.diagnosis),
                "remedy": line.advice,
            }
            for line in app_lines(found, targets)
        ],
        "as_expected": all(expected) if expected else None,
    }


def diagnosis_data(diagnosis: Diagnosis) -> wire.Diagnosis:
    """One URL examined: the data of `kit doctor`."""
    return {
        "url": diagnosis.url,
        "verdict": diagnosis.verdict,
        "first_verdict_ms": _tenth(diagnosis.first_verdict_ms),
        "requests": diagnosis.requests,
        "causes": [
            {
                "cause": named.cause,
                "certainty": named.certainty,
                "says": named.cause.says,
                "remedy": named.remedy,
                "because": named.because,
                "where": named.where or None,
                "apart": named.apart or None,
            }
            for named in diagnosis.causes
        ],
        "evidence": [
            {
                "experiment": row.experiment.says,
                "conditions": cast("wire.Conditions", asdict(row.experiment.conditions)),
                "saw": row.observation.state,
                "said": row.observation.said,
                "shape": row.observation.shape,
                "block_bytes": row.observation.block_bytes,
                "proven": row.observation.proven,
            }
            for row in diagnosis.rows
        ],
        "hops": [cast("wire.Hop", asdict(hop)) for hop in diagnosis.hops],
        "limits": list(diagnosis.limits),
        "lane": {**lane_data(diagnosis.lane), "url": diagnosis.url},
        "looks": None if diagnosis.lane.timeline.watched is None else diagnosis.lane.timeline.watched.looks,
        "as_expected": diagnosis.lane.as_expected,
    }


def _fields(of: Request | Response | None) -> Any:
    return None if of is None else asdict(of)


def _tenth(ms: float | None) -> float | None:
    return None if ms is None else _rounded(ms)


def _rounded(ms: float) -> float:
    """What a clock on a busy machine can answer for; never -0.0."""
    return round(ms, 1) + 0.0
