"""The JSON of `--json`, field by field: the one definition of it. `make docs` generates schema.json from it.

Plain dictionaries, so that writing one needs no import of this module and no validation: a measurement that
was made is printed whatever a server put into it. Reading one validates it.

All times are milliseconds from the moment the request was sent, to a tenth; null is what does not apply or
could not be measured.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NotRequired, TypeAlias, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, WithJsonSchema, with_config
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from typing_extensions import TypedDict

from kit.errors import Code as ErrorCode
from kit.proof.causes import Cause, Certainty
from kit.proof.contract import Clause, Sure, Term
from kit.proof.doubts import Doubt
from kit.proof.exchange import HeaderKnown
from kit.proof.lane import Arm, AskedAs, Client, Delivery, Environment
from kit.proof.looks import Looks
from kit.proof.quick_check import State
from kit.proof.verdict import Method, Shape, Verdict

Ms: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(ge=0)]
# A closed list in the schema; read back, a later kit's code is as good as any.
Code: TypeAlias = Annotated[str, WithJsonSchema({"enum": [str(code) for code in ErrorCode]})]
Bound: TypeAlias = Annotated[str, Field(pattern="^(hold|block)<=")]
# 0: all is well; 1: it failed; 2: misused; 3: not as expected; 4: inconclusive; 130: interrupted.
ExitCode: TypeAlias = Literal[0, 1, 2, 3, 4, 130]
Moment: TypeAlias = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]

_described = with_config(ConfigDict(use_attribute_docstrings=True))


@_described
class Error(TypedDict):
    """Why it could not be done, and the remedy."""

    code: Code
    message: str
    """one sentence"""
    hint: str
    """what to do about it"""


@_described
class Arrival(TypedDict):
    """One complete event."""

    seq: Count
    sent_ms: Annotated[float, Field(allow_inf_nan=False)] | None
    """The server's time, mapped to the client's clock; null with the doubt clocks-not-aligned."""
    arrived_ms: Ms
    bytes: Count
    """Its octets, framing included, before content coding."""
    text: NotRequired[str]
    """What it said; only in a recording of the workshop's page."""


@_described
class Attempt(TypedDict):
    """What came of one measurement."""

    verdict: Verdict
    error: Code | None
    """The code of the error for which it could not be measured; null where it was."""
    doubts: list[Doubt]


@_described
class Clumps(TypedDict):
    """How an answer arrived: what came together is a clump, one event by itself too.

    Milliseconds and octets, where there are several at the median.
    """

    count: Annotated[int, Field(ge=1)]
    octets: Count
    events: Annotated[int, Field(ge=1)]
    """In a clump; reads where the answer has no events."""
    silence_ms: Ms | None
    """Between two of them; null where there is one."""
    largest_octets: Count
    longest_silence_ms: Ms | None
    wait_ms: Ms
    """Before the first."""
    spread_ms: Ms
    """From the first arrival to the last."""


@_described
class Request(TypedDict):
    """The request for an answer. No header is shown that may hold a secret."""

    method: str
    url: str
    """Without credentials and without its query."""
    accept: str
    accept_encoding: str | None
    """The content codings that it accepts; null where it does not say."""
    content_type: str | None
    """Its body's media type."""
    body_bytes: Count
    prompted: bool
    """Whether it asks the kit's own service the prompt."""


@_described
class Response(TypedDict):
    """The head of the answer; null is a header that it does not bear."""

    status: Annotated[int, Field(ge=100, le=999)]
    http_version: str | None
    """HTTP/1.1 or HTTP/2; null where it is not known."""
    content_type: str | None
    content_length: Count | None
    content_encoding: str | None
    x_accel_buffering: str | None
    server: str | None
    via: str | None
    redirected_to: str | None
    """Where it came from, where that is another URL than was asked; without credentials and query."""


@_described
class Figure(TypedDict):
    """What is known of a figure of a clause: it lies between the two, both included.

    Milliseconds; of `many` a number of streams.
    """

    term: Term
    least: Ms
    most: Ms | None
    """Null where no end of it was seen."""


@_described
class ClauseFinding(TypedDict):
    """What was found of one clause of the path's contract."""

    clause: Clause
    says: str
    """in a few words; where it is unknown, why"""
    sure: Sure
    figures: list[Figure]
    expected: str | None
    """The limits that it is held to, as --expect has them; null for none."""
    as_expected: bool | None
    """Whether it is proved to keep all of them; null for none."""
    doubts: list[Doubt]
    evidence: list[str]
    """What was done and seen, one sentence a step, in order."""
    advice: str | None
    """What to do; lines that begin with four spaces are to be pasted."""


@_described
class Lane(TypedDict):
    """One target in one arm.

    All times are milliseconds from the moment the request was sent; null is what does not apply or could not
    be measured.
    """

    target: str
    url: str
    header: Arm
    """Whether the service was asked to send X-Accel-Buffering: no; of no consequence by polling."""
    delivery: Delivery
    """How the answer was asked for: as one stream, or in pieces (--polling), each a whole response."""
    expected: Verdict | Bound | None
    """What was promised of its delivery: a verdict, or else a bound that the arrivals are held to; null where
    neither was."""
    verdict: Verdict
    shape: Shape | None
    """How the stream is held."""
    block_bytes: Count | None
    """N of blocks, prefix and tail, in octets before content coding."""
    hold_ms: Ms | None
    """How much later than it should have an event arrived; a timer's T."""
    hold_floor_ms: Ms | None
    """A hold below this could not have been seen."""
    as_expected: bool | None
    method: Method
    """How the verdict was reached, from strongest to weakest."""
    ttfb_ms: Ms | None
    """The first byte of the response."""
    first_event_ms: Ms | None
    """The first complete event."""
    duration_ms: Ms | None
    """The end of the response, or of the kit's patience."""
    doubts: list[Doubt]
    """Reasons not to trust a figure."""
    error: Error | None
    timeline: list[Arrival]
    """The answer's events in order of arrival."""
    evidence: list[str]
    """What was done and seen, one sentence a step, in order."""
    attempts: NotRequired[Annotated[list[Attempt], Field(min_length=1)]]
    """Every measurement of the lane, in order; the last is this one. Only what was undecided was
    measured again. A recording of an older kit has none."""
    looks: NotRequired[Looks | None]
    """What the answer looks like by its arrivals, which is no verdict; null where they do not say, or in a
    recording."""
    clumps: NotRequired[Clumps | None]
    """How the answer arrived; null where nothing did, or in a recording. Octets are those before content
    coding."""
    asked_as: NotRequired[AskedAs | None]
    """As what it was asked: as a browser, which accepts compression, and by proof as a client that accepts
    none (both); as a browser alone; with the Accept-Encoding that was given. Null where a page asked or by
    polling, or in a recording."""
    only_for: NotRequired[Client | None]
    """Whose alone the verdict is, where the other's stream passes: a browser's, or a client's that accepts no
    compression. Null where the two do not differ, or in a recording."""
    expectation: NotRequired[str | None]
    """All that was expected, as --expect has it: the verdict, bounds, and limits of the contract's clauses;
    null for nothing."""
    clauses: NotRequired[list[ClauseFinding]]
    """What was found of the contract's clauses that were asked; that of delivery is the verdict."""
    request: NotRequired[Request | None]
    """The request for the answer; of polling the first. Null where a page asked, or in a recording."""
    response: NotRequired[Response | None]
    """The head of the answer; null where none came, where a page asked, or in a recording."""
    header_known: NotRequired[HeaderKnown | None]
    """How it is known whether the answer bears X-Accel-Buffering: no: asked (the service speaks the proof's
    protocol and was asked to send it, or not to), seen, or unknown: header is then what was assumed. Null by
    polling, where a page asked, or in a recording."""
    round_trip_ms: NotRequired[Ms | None]
    """Of the quickest side request to the proof; null where there was none."""
    remedy: NotRequired[str | None]
    """What to do; null where there is nothing to do, or where only the doubts say it."""


def _of_an_older_kit(lane: Any) -> Any:
    """Before there was polling every lane was a stream, and none said so."""
    return {"delivery": "stream", **lane} if isinstance(lane, dict) else lane


@_described
class Comparison(TypedDict):
    """Lanes measured side by side."""

    as_expected: bool
    """Whether every lane is conclusive and, where something was promised, as promised."""
    environment: Environment
    """lab: emulated from documentation; cloud: services that the kit deployed; url: whatever was named."""
    measured_at: Moment
    """UTC."""
    kit_version: str
    prompt: str
    lanes: list[Annotated[Lane, BeforeValidator(_of_an_older_kit)]]


@_described
class Probed(Lane):
    """One lane by itself: what `kit probe` measures."""

    environment: Environment
    measured_at: Moment
    """UTC."""
    kit_version: str


@_described
class NamedCause(TypedDict):
    """Who holds the stream, and what frees it."""

    cause: Cause
    certainty: Certainty
    """certain: only this explains what was proven; likely: the usual reason for what was seen; possible: one
    of several that the evidence does not separate."""
    says: str
    """who it is"""
    remedy: str
    """What frees it; lines that begin with four spaces are to be pasted."""
    because: str
    """What says so."""
    where: str | None
    """Whether it is the service or a hop before it; null where the service was not asked directly."""
    apart: str | None
    """What more there is to find out, and the experiment that would tell; null where none is known."""


@_described
class Conditions(TypedDict):
    """How a stream was asked for, and what its response was to bear."""

    method: str
    media: str
    """The response's Content-Type."""
    header: Arm
    """Whether the response bears X-Accel-Buffering: no."""
    incremental: Arm
    """Whether it bears Incremental: ?1."""
    coding: str
    """The request's Accept-Encoding; empty where it bears none, as curl's does."""
    http2: bool
    """Whether HTTP/2 is offered (over TLS)."""
    length: bool
    """Whether the response says its length, instead of being sent in chunks."""
    direct: bool
    """Whether the service is asked directly, not through the hop."""
    cache: str
    """The response's Cache-Control; empty for none."""
    vary: str
    """The response's Vary; empty for none."""
    accept: str
    """The request's Accept."""
    fresh: bool
    """Whether the query is one that no cache has seen."""


@_described
class Experiment(TypedDict):
    """One look at the stream, with one thing changed or as it is asked for."""

    experiment: str
    """what was done"""
    conditions: Conditions
    """the same, field by field"""
    saw: State
    said: str
    """what was seen, for a person"""
    shape: Shape | None
    """How the stream is held."""
    block_bytes: Count | None
    """N of blocks, prefix and tail, in octets before content coding."""
    proven: bool
    """false for what only arrival times suggest"""


@_described
class Hop(TypedDict):
    """Whom one of the response's headers hints at."""

    name: str
    header: str
    """In lower case; host for the address's own name."""
    value: str
    """The header's, clipped; empty where it is not shown."""
    says: str
    streams: str | None
    """What is known of that kind of hop, how sure it is and where it is from; null for nothing."""


@_described
class Diagnosis(TypedDict):
    """One URL examined: whether its answer streams, who holds it, and what frees it."""

    url: str
    """Without credentials and without its query."""
    verdict: Verdict
    first_verdict_ms: Ms | None
    """From the opening of the first stream to the first word on whether it streams; null where only the
    answer could be watched, or nothing passed."""
    requests: Annotated[int, Field(ge=1)]
    """How often the URL itself was asked for an answer; a proof costs it none."""
    causes: list[NamedCause]
    """Who holds the stream, or ends it, the surest first; none where nothing does or nothing is known."""
    evidence: list[Experiment]
    """The experiments, in order."""
    hops: list[Hop]
    """Whom the response's headers hint at. A hint is no evidence."""
    limits: list[str]
    """What could not be seen from here and what would show it, and what else there is to know, a sentence
    each."""
    lane: Lane
    """The answer as it came, with the verdict on it."""
    looks: Looks | None
    """What the answer looks like by its arrivals, as the lane says."""
    as_expected: bool | None
    """Whether what was expected is so, as the lane says; null where nothing was."""


@_described
class AppLine(TypedDict):
    """What becomes of an app's answer in one place, in short."""

    target: str | None
    """Null is the app itself."""
    title: str
    verdict: Verdict
    says: str
    """the verdict for a person"""
    remedy: str | None
    """What frees it there; null where nothing holds it, or nothing is known."""


@_described
class AppDiagnosis(TypedDict):
    """An app of the user's own examined before it is deployed."""

    environment: Literal["lab"]
    """Each front is emulated from documentation."""
    itself: Diagnosis
    """The app with no front before it."""
    targets: dict[str, Diagnosis]
    """Behind each target's front, by the target's name."""
    summary: list[AppLine]
    """A line for each, as the text has it: the app itself first."""
    as_expected: bool | None
    """Whether what was expected is so behind every front; null where nothing was."""


@_described
class Times(TypedDict):
    """Times of many streams or events. A quantile is at most a fiftieth too large."""

    count: Count
    never: Count
    """How many of these never came."""
    p50_ms: Ms | None
    """null of none, and where it never came"""
    p95_ms: Ms | None
    p99_ms: Ms | None
    most_ms: Ms | None


@_described
class Objective(TypedDict):
    """An objective of --slo, and what was seen of it."""

    objective: str
    """as it is written"""
    met: bool | None
    """null where that cannot be said"""
    at_least: Annotated[float, Field(ge=0)] | None
    """Milliseconds, streams or hundredths of them, without what the generator itself may have added."""
    at_most: Annotated[float, Field(ge=0)] | None
    """The same with it; null for what never came, and for nothing."""
    why: str | None
    """why it cannot be said"""


@_described
class LoadProof(TypedDict):
    """One lock-step check beside the load."""

    at_s: Annotated[float, Field(ge=0)]
    open: Count
    """streams that were open"""
    saw: State
    said: str


@_described
class HoldsFrom(TypedDict):
    """From how many open streams on events are held, or proofs are refused."""

    streams: Count
    saw: State
    passed_with: Count | None
    """The most streams beside which a check passed before."""
    times: Count
    of: Count


@_described
class Load(TypedDict):
    """Many streams at once, and what became of them."""

    url: str
    """Without credentials and without its query."""
    streams: Count
    ramp_s: Annotated[float, Field(ge=0)]
    for_s: Annotated[float, Field(ge=0)]
    every_s: Annotated[float, Field(ge=0)] | None
    processes: Count
    interrupted: bool
    as_expected: bool | None
    """Whether all objectives are met; null without any, and where that cannot be said."""
    planned: Count
    """Requests that the schedule has."""
    started: Count
    most_open: Count
    ended: Count
    """Streams that came to their end."""
    cut: Count
    """Streams that began and broke off."""
    refused: Count
    """Streams that never began: no connection, another status than 200, silence."""
    left: Count
    """Streams that were open when the load was over."""
    events: Count
    octets: Count
    first_event: Times
    """Of each stream, from its request."""
    worst_gap: Times
    """The longest silence of each stream."""
    lateness: Times
    """Of each event that bears the time of its sending, against the quickest one of its stream."""
    own_lateness: Times
    """How late the generator's own timers were."""
    starts_late: Times
    """How late streams were asked for, against the schedule."""
    reasons: dict[str, Count]
    """Why streams were cut or refused, and how often."""
    objectives: list[Objective]
    proofs: list[LoadProof]
    holds_from: HoldsFrom | None
    """null where each check that was decided passed"""
    doubts: list[str]


Data = TypeVar("Data")


@_described
class Document(TypedDict, Generic[Data]):
    """What a command prints that did its work."""

    schema_version: Literal[1]
    data: Data
    warnings: list[str]
    """Sentences for a person; none of them changes a verdict."""
    exit_code: NotRequired[ExitCode]
    """The command's exit status; a file that was written has none."""


@_described
class Failed(TypedDict):
    """What any command prints that could not do its work."""

    schema_version: Literal[1]
    error: Error
    exit_code: NotRequired[ExitCode]
    lane: NotRequired[Probed]
    """What was asked, where the error is that it could not be measured."""


# compare, demo and build/report.json; probe; doctor URL; doctor --app; load.
Printed: TypeAlias = (
    Document[Comparison]
    | Document[Probed]
    | Document[Diagnosis]
    | Document[AppDiagnosis]
    | Document[Load]
    | Failed
)


class _Schema(GenerateJsonSchema):
    """Nothing is printed that is not named above."""

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        """One of the dictionaries above."""
        return {**super().typed_dict_schema(schema), "additionalProperties": False}

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: it would only repeat the name."""
        return False


def schema() -> dict[str, Any]:
    """The JSON Schema of what is printed."""
    found = TypeAdapter[Printed](Printed).json_schema(schema_generator=_Schema)
    definitions = found["$defs"]
    for definition in definitions.values():
        del definition["title"]
    # What could not be measured has no verdict and no duration.
    for name in ("Lane", "Probed"):
        definitions[name] |= {
            "if": {"properties": {"error": {"type": "object"}}},
            "then": {"properties": {"verdict": {"const": "inconclusive"}, "duration_ms": {"type": "null"}}},
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:streamproof:schema:1",
        "title": "What `kit compare`, `kit demo`, `kit probe`, `kit doctor` and `kit load` print with "
        "--json, and every command on an error",
        **found,
    }


def schema_text() -> str:
    """The same as schema.json has it: a field a line."""
    return _lines(schema(), 4) + "\n"


def _lines(value: object, levels: int, indent: str = "") -> str:
    if levels == 0 or not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    inner = indent + "  "
    fields = (f"{inner}{json.dumps(key)}: {_lines(one, levels - 1, inner)}" for key, one in value.items())
    return "{\n" + ",\n".join(fields) + f"\n{indent}}}"


if __name__ == "__main__":
    Path(__file__).with_name("schema.json").write_text(schema_text(), encoding="utf-8")
