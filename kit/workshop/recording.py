"""A recording read back: the JSON of `kit compare`, saved from the page or printed by the command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kit.errors import Code, KitError
from kit.proof.doubts import Doubt
from kit.proof.lane import Arm, Attempt, Comparison, Delivery, Environment, Lane, LaneError
from kit.proof.looks import Looks, Watched, watch
from kit.proof.timeline import Arrival, Timeline
from kit.proof.verdict import Method, Shape, Verdict
from kit.report.view import moment, where

MOST_BYTES = 4_000_000


class _Read(BaseModel):
    # A later kit may write more than this one knows; what it knows must be right.
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Arrival(_Read):
    seq: int = Field(ge=0)
    sent_ms: float | None
    arrived_ms: float = Field(ge=0, le=86_400_000)
    bytes: int = Field(ge=0)
    text: str = ""


class _Error(_Read):
    code: str
    message: str
    hint: str


class _Attempt(_Read):
    verdict: Verdict
    error: str | None
    doubts: list[Doubt]

    def attempt(self) -> Attempt:
        """As it was."""
        return Attempt(self.verdict, self.error, tuple(self.doubts))


class _Clumps(_Read):
    count: int
    octets: int
    events: int
    silence_ms: float | None
    largest_octets: int
    longest_silence_ms: float | None
    wait_ms: float
    spread_ms: float


class _Lane(_Read):
    target: str
    url: str
    header: Arm
    delivery: Delivery = "stream"
    expected: Verdict | None
    verdict: Verdict
    shape: Shape | None
    block_bytes: int | None
    hold_ms: float | None
    hold_floor_ms: float | None
    method: Method
    ttfb_ms: float | None
    duration_ms: float | None
    doubts: list[Doubt]
    error: _Error | None
    timeline: list[_Arrival] = Field(max_length=100_000)
    evidence: list[str]
    attempts: list[_Attempt] = []  # an older kit wrote none
    looks: Looks | None = None
    clumps: _Clumps | None = None

    def _watched(self, arrivals: Sequence[Arrival]) -> Watched | None:
        if self.clumps is None:
            return None if self.looks is None else watch((), (), "events")
        octets, came = sum(arrival.bytes for arrival in arrivals), self.clumps
        return Watched(
            self.looks,
            "events",
            len(arrivals),
            octets,
            came.count,
            came.octets,
            came.events,
            came.largest_octets,
            came.silence_ms,
            came.longest_silence_ms,
            came.wait_ms,
            came.spread_ms,
        )

    def lane(self) -> Lane:
        """As it was measured."""
        arrivals = tuple(Arrival(one.seq, one.sent_ms, one.arrived_ms, one.bytes) for one in self.timeline)
        complete = {Doubt.STREAM_CUT, Doubt.END_UNKNOWN, Doubt.STILL_RUNNING}.isdisjoint(self.doubts)
        return Lane(
            target=self.target,
            url=self.url,
            header=self.header,
            delivery=self.delivery,
            expected=self.expected,
            verdict=self.verdict,
            shape=self.shape,
            block_bytes=self.block_bytes,
            hold_ms=self.hold_ms,
            hold_floor_ms=self.hold_floor_ms,
            method=self.method,
            doubts=tuple(self.doubts),
            evidence=tuple(self.evidence),
            timeline=Timeline(
                arrivals, self.ttfb_ms, self.duration_ms or 0.0, complete, watched=self._watched(arrivals)
            ),
            error=None
            if self.error is None
            else LaneError(self.error.code, self.error.message, self.error.hint),
            earlier=tuple(one.attempt() for one in self.attempts[:-1]),
        )


class _Data(_Read):
    environment: Environment
    measured_at: str
    kit_version: str
    prompt: str
    lanes: list[_Lane] = Field(min_length=1, max_length=64)


class _Document(_Read):
    schema_version: Literal[1]
    data: _Data


def read(content: bytes) -> tuple[Comparison, dict[str, Any]]:
    """A recording: the comparison, and its data as it stands in the file.

    Raises:
        KitError: BAD_USAGE; it is no such file.
    """
    try:
        document = json.loads(content)
        told = _Document.model_validate(document).data
    except ValidationError as bad:
        fault = bad.errors(include_url=False, include_context=False, include_input=False)[0]
        raise _no_recording(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None
    except (ValueError, RecursionError):
        raise _no_recording("it is no JSON") from None
    lanes = tuple(lane.lane() for lane in told.lanes)
    comparison = Comparison(told.environment, told.measured_at, told.kit_version, told.prompt, lanes)
    return comparison, document["data"]


def mark(comparison: Comparison) -> dict[str, str]:
    """What must stand beside a replay: when it was recorded, and against what."""
    return {
        "when": moment(comparison),
        "environment": comparison.environment,
        "words": where(comparison),
    }


def _no_recording(why: str) -> KitError:
    return KitError(
        Code.BAD_USAGE,
        f"That file is no recording ({why}).",
        "Choose one that this page saved, or what `kit compare --json` or `kit demo --json` printed.",
    )
