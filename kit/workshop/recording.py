"""A recording read back: the JSON of `kit compare`, saved from the page or printed by the command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import inf
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kit.errors import Code, KitError
from kit.proof.contract import ClauseFinding, Figure
from kit.proof.doubts import Doubt
from kit.proof.exchange import Request, Response
from kit.proof.expectation import Expectation
from kit.proof.lane import Attempt, Comparison, Lane, LaneError
from kit.proof.looks import Watched, watch
from kit.proof.timeline import Arrival, Timeline
from kit.report import wire
from kit.report.json import SCHEMA_VERSION
from kit.report.view import moment, where

MOST_BYTES = 4_000_000
MOST_LANES = 64
MOST_EVENTS = 100_000
LONGEST_MS = 86_400_000

_DATA = TypeAdapter(wire.Comparison)


def read(content: bytes) -> tuple[Comparison, dict[str, Any]]:
    """A recording: the comparison, and its data as it stands in the file.

    A later kit may write more than this one knows; what it knows must be right.

    Raises:
        KitError: BAD_USAGE; it is no such file.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise _no_recording("it is no JSON") from None
    if not isinstance(document, dict) or document.get("schema_version") != SCHEMA_VERSION:
        raise _no_recording(f"its schema_version is not {SCHEMA_VERSION}")
    try:
        data = _DATA.validate_python(document.get("data"))
    except ValidationError as bad:
        fault = bad.errors(include_url=False, include_context=False, include_input=False)[0]
        raise _no_recording(f"{'.'.join(map(str, ('data', *fault['loc'])))}: {fault['msg']}") from None
    if not 1 <= len(data["lanes"]) <= MOST_LANES:
        raise _no_recording(f"it has {len(data['lanes'])} lanes, and not 1 to {MOST_LANES}")
    for lane in data["lanes"]:
        if len(line := lane["timeline"]) > MOST_EVENTS or any(one["arrived_ms"] > LONGEST_MS for one in line):
            raise _no_recording(f"{lane['target']} has over {MOST_EVENTS} events, or took over a day")
    lanes = tuple(map(_lane, data["lanes"]))
    comparison = Comparison(
        data["environment"], data["measured_at"], data["kit_version"], data["prompt"], lanes
    )
    return comparison, document["data"]


def mark(comparison: Comparison) -> dict[str, str]:
    """What must stand beside a replay: when it was recorded, and against what."""
    return {
        "when": moment(comparison),
        "environment": comparison.environment,
        "words": where(comparison),
    }


def _lane(data: wire.Lane) -> Lane:
    """As it was measured."""
    error, wanted = data["error"], data.get("expectation", data["expected"])
    try:
        expected = Expectation() if wanted is None else Expectation.parse(wanted)
    except KitError as wrong:
        raise _no_recording(wrong.message) from None
    arrivals = tuple(
        Arrival(one["seq"], one["sent_ms"], one["arrived_ms"], one["bytes"]) for one in data["timeline"]
    )
    complete = {Doubt.STREAM_CUT, Doubt.END_UNKNOWN, Doubt.STILL_RUNNING}.isdisjoint(data["doubts"])
    attempts = data.get("attempts", [])
    return Lane(
        target=data["target"],
        url=data["url"],
        header=data["header"],
        expected=expected.verdict,
        verdict=data["verdict"],
        shape=data["shape"],
        block_bytes=data["block_bytes"],
        hold_ms=data["hold_ms"],
        hold_floor_ms=data["hold_floor_ms"],
        method=data["method"],
        doubts=tuple(data["doubts"]),
        evidence=tuple(data["evidence"]),
        timeline=Timeline(
            arrivals,
            data["ttfb_ms"],
            data["duration_ms"] or 0.0,
            complete,
            watched=_watched(data, arrivals),
        ),
        error=None if error is None else LaneError(error["code"], error["message"], error["hint"]),
        delivery=data["delivery"],
        earlier=tuple(Attempt(one["verdict"], one["error"], tuple(one["doubts"])) for one in attempts[:-1]),
        at_most=expected.bound,
        asked_as=data.get("asked_as"),
        only_for=data.get("only_for"),
        limits=expected.limits,
        clauses=tuple(map(_clause, data.get("clauses", []))),
        request=None if (asked := data.get("request")) is None else Request(**asked),
        response=None if (head := data.get("response")) is None else Response(**head),
        header_known=data.get("header_known"),
        round_trip_ms=data.get("round_trip_ms"),
    )


def _clause(data: wire.ClauseFinding) -> ClauseFinding:
    figures = (
        Figure(one["term"], one["least"], inf if one["most"] is None else one["most"])
        for one in data["figures"]
    )
    return ClauseFinding(
        data["clause"],
        data["says"],
        data["sure"],
        tuple(figures),
        tuple(data["doubts"]),
        tuple(data["evidence"]),
        data["advice"] or "",
    )


def _watched(data: wire.Lane, arrivals: Sequence[Arrival]) -> Watched | None:
    looks, came = data.get("looks"), data.get("clumps")
    if came is None:
        return None if looks is None else watch((), (), "events")
    return Watched(
        looks=looks,
        kind="events",
        events=len(arrivals),
        octets=sum(arrival.bytes for arrival in arrivals),
        clumps=came["count"],
        clump_octets=came["octets"],
        clump_events=came["events"],
        largest_octets=came["largest_octets"],
        silence_ms=came["silence_ms"],
        longest_ms=came["longest_silence_ms"],
        wait_ms=came["wait_ms"],
        spread_ms=came["spread_ms"],
    )


def _no_recording(why: str) -> KitError:
    return KitError(
        Code.BAD_USAGE,
        f"That file is no recording ({why}).",
        "Choose one that this page saved, or what `kit compare --json` or `kit demo --json` printed.",
    )
