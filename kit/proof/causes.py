"""Who holds a stream, from what frees it: the decision table, and one function that reads it.

The texts stand in causes.toml. The rows come from some 86 configurations of real proxies
(docs/detection.md); what holds the kit to them is a matrix of real ones (tests/system/test_doctor_matrix.py).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from kit.language import join, text
from kit.proof.conditions import Change
from kit.proof.doubts import Doubt
from kit.proof.experiments import BlockingFactor, Row, Traced
from kit.proof.quick_check import Observation, State
from kit.proof.texts import Explained, table
from kit.proof.verdict import Shape

# certain: only this explains what was proven · likely: the usual reason for what was seen · possible: one of
# several that the evidence does not separate.
Certainty = Literal["certain", "likely", "possible"]


class Cause(Explained):
    """Who held the stream: a closed list."""

    NGINX_BUFFERS = "nginx-buffers"
    NGINX_GZIP = "nginx-gzip"
    COMPRESSOR = "compressor"
    COMPRESSION = "compression"
    BUFFERED = "buffered"
    BLOCKS = "blocks"
    WHOLE_MESSAGE = "whole-message"
    PREFIX_BUFFER = "prefix-buffer"
    FIRST_EVENT = "first-event"
    TIMER = "timer"
    REFUSES = "refuses"
    MEDIA_TYPE = "media-type"
    ACCEPT = "accept"
    METHOD = "method"
    HTTP_VERSION = "http-version"
    INCREMENTAL_HEADER = "incremental-header"
    CHUNK_FRAMING = "chunk-framing"
    APP = "app"
    ANSWER_PATH = "answer-path"
    IDLE_LIMIT = "idle-limit"
    TIME_LIMIT = "time-limit"
    HEARTBEATS_HELD = "heartbeats-held"
    BURSTS = "bursts"
    BLOCKED = "blocked"
    ANSWER_CUT = "answer-cut"
    NO_EVENTS = "no-events"
    FALSE_HEADER = "false-header"
    REPLAYED = "replayed"
    CANCEL_IGNORED = "cancel-ignored"
    CANCEL_LOST = "cancel-lost"
    CANCEL_COLLECTED = "cancel-collected"
    CANCEL_EARLY = "cancel-early"
    CANCEL_BY_WRITES = "cancel-by-writes"
    CANCEL_APP = "cancel-app"
    STREAM_LIMIT = "stream-limit"
    QUEUE = "queue"
    UNKNOWN = "unknown"

    @property
    def remedy(self) -> str:
        """What frees it: text to read and lines to paste."""
        if self is Cause.BUFFERED:
            return to_try((Change.EVENT_STREAM,))
        lines = super().remedy.split("\n")
        return "\n".join(part(line[1:]) if line.startswith("@") else line for line in lines)


@dataclass(frozen=True, slots=True)
class NamedCause:
    """A cause, and how sure it is.

    Attributes:
        cause: which.
        certainty: how sure.
        because: the experiment that says so, or what it is read from.
        apart: the experiment that would say more; empty where none is known.
        where: whether it is the service or a hop before it, where the service was asked directly as well.
        to_try: what frees it or may free it, where that hangs on what was tried; empty for the cause's own.
        holds: whether it holds the answer, and does not only end it, spoil it, or come beside.
    """

    cause: Cause
    certainty: Certainty
    because: str
    apart: str = ""
    where: str = ""
    to_try: str = ""
    holds: bool = True

    @property
    def remedy(self) -> str:
        """What frees it, or what to try: text to read and lines to paste."""
        return self.to_try or self.cause.remedy


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: if each of `frees` frees the stream, it is this.

    `tried` must have been tried, or it is only likely. `to_try` is the part of causes.toml that was tried.
    """

    cause: Cause
    frees: frozenset[Change]
    shapes: frozenset[Shape] = frozenset()
    tried: frozenset[Change] = frozenset()
    to_try: str = ""


def _set(*changes: Change) -> frozenset[Change]:
    return frozenset(changes)


# The first row that fits. A factor is one thing that holds the stream: several are looked up one by one.
RULES = (
    Rule(Cause.NGINX_GZIP, frees=_set(Change.IDENTITY, Change.HEADER)),
    Rule(Cause.NGINX_BUFFERS, frees=_set(Change.HEADER)),
    Rule(
        Cause.COMPRESSOR,
        frees=_set(Change.IDENTITY, Change.NO_TRANSFORM),
        tried=_set(Change.HEADER),
        to_try="no-transform",
    ),
    Rule(Cause.COMPRESSOR, frees=_set(Change.IDENTITY), tried=_set(Change.HEADER)),
    Rule(Cause.MEDIA_TYPE, frees=_set(Change.EVENT_STREAM)),
    Rule(Cause.ACCEPT, frees=_set(Change.ACCEPT)),
    Rule(Cause.METHOD, frees=_set(Change.METHOD)),
    Rule(Cause.TIMER, frees=_set(Change.HTTP_VERSION), shapes=frozenset({Shape.TIMER})),
    Rule(Cause.HTTP_VERSION, frees=_set(Change.HTTP_VERSION)),
    Rule(Cause.INCREMENTAL_HEADER, frees=_set(Change.INCREMENTAL)),
    Rule(Cause.REPLAYED, frees=_set(Change.FRESH)),
)

# What a middleware of the service can do as well as a hop, and the experiment that tells the two apart.
APART = text("whether it is a hop or the service itself: ask the service past the hop too, with --direct URL")
_ANYWHERE = frozenset({Cause.COMPRESSOR, Cause.WHOLE_MESSAGE, Cause.BLOCKS, Cause.PREFIX_BUFFER, Cause.TIMER})

# What nothing frees, by how it is held.
SHAPES: dict[Shape | None, Cause] = {
    Shape.WHOLE: Cause.WHOLE_MESSAGE,
    Shape.BLOCKS: Cause.BLOCKS,
    Shape.TAIL: Cause.BLOCKS,
    Shape.PREFIX: Cause.PREFIX_BUFFER,
    Shape.FIRST_EVENT: Cause.FIRST_EVENT,
    Shape.TIMER: Cause.TIMER,
}


def causes(traced: Traced, *, may_bear_header: bool = False) -> tuple[NamedCause, ...]:
    """What holds the stream, the first first; none where it streams.

    Args:
        traced: what the experiments found.
        may_bear_header: whether the answer may bear `X-Accel-Buffering: no` though the stream does not: then
            what that header frees need not hold the answer, and comes last.
    """
    if traced.base.state is State.REFUSED:
        return (
            NamedCause(
                Cause.REFUSES, "certain", text("a hop answered that it will not forward it incrementally")
            ),
        )
    spared = {one for one in traced.factors if may_bear_header and Change.HEADER in one.frees}
    named = [
        _of_factor(one, traced, spared=one in spared)
        for one in sorted(traced.factors, key=spared.__contains__)
    ]
    if traced.rest is not None:
        named.append(_of_shape(traced.rest, all_seen=_all_seen(traced)))
    return tuple(_placed(one, traced.direct) for one in named)


def _placed(named: NamedCause, direct: Observation | None) -> NamedCause:
    """On which side of the address that was called direct it is."""
    if direct is None:
        return replace(named, apart=APART) if named.cause in _ANYWHERE and not named.apart else named
    if direct.streams:
        return replace(
            named, where=text("asked directly, a stream passes: it is a hop between there and here")
        )
    if direct.state is State.UNDECIDED:
        return replace(
            named, where=text("asked directly, nothing could be decided: {said}", said=direct.said)
        )
    return replace(
        named, where=text("asked directly, it is held as well: it is the service itself, or a hop there")
    )


def _of_factor(factor: BlockingFactor, traced: Traced, *, spared: bool) -> NamedCause:
    tried = factor.frees | factor.fails
    freed = join(" and ", sorted(_BY[one] for one in factor.frees)) or (
        text("all that was changed at once; which of it is needed could not be seen")
    )
    for place, rule in enumerate(RULES):
        if rule.frees <= factor.frees and (not rule.shapes or factor.shape in rule.shapes):
            sooner = [one.frees - factor.frees for one in RULES[:place]]
            if open_ := {change for more in sooner if more and more <= factor.unseen for change in more}:
                unsaid = join(" and ", sorted(_BY[one] for one in open_))
                because = text(
                    "freed by {freed}; whether {unsaid} frees it too could not be seen",
                    freed=freed,
                    unsaid=unsaid,
                )
                return NamedCause(rule.cause, "possible", because)
            line = part(rule.to_try) if rule.to_try else ""
            proven = _all_seen(traced) and rule.tried <= tried and not spared
            if rule.cause is Cause.COMPRESSOR and not (rule.tried <= tried or _bore_the_header(traced)):
                return NamedCause(
                    Cause.COMPRESSION, "likely", text("freed by {freed}", freed=freed), to_try=line
                )
            sure: Certainty = "certain" if proven else "likely"
            holds = rule.cause is not Cause.REPLAYED
            return NamedCause(
                rule.cause, sure, text("freed by {freed}", freed=freed), to_try=line, holds=holds
            )
    return NamedCause(Cause.UNKNOWN, "possible", text("freed by {freed}", freed=freed))


def _bore_the_header(traced: Traced) -> bool:
    """Whether it was held with the header on it, or was never asked for without."""
    borne = [row for row in traced.rows if row.experiment.conditions.header == "on"]
    held = any(row.observation.state is State.HELD for row in borne)
    return bool(borne) and (held or len(borne) == len(traced.rows))


def to_try(failed: Collection[Change]) -> str:
    """What may free an answer that could only be watched, the cheapest and most usual first.

    Args:
        failed: what was tried, or is so already, and does not free it.
    """
    tried = {Change.HEADER: "header", Change.IDENTITY: "identity", Change.EVENT_STREAM: "event-stream"}
    left_out = {tried[one] for one in failed if one in tried}
    wanted = ("each", "header", "nginx", "identity", "event-stream", "if-none")
    return "\n".join(part(name, "to-try") for name in wanted if name not in left_out)


def part(name: str, of: str = "parts") -> str:
    """A text that several remedies share."""
    return str(table("causes")[of][name]).strip("\n")


def _all_seen(traced: Traced) -> bool:
    """Whether every experiment decided something, and proved it, be it once this machine was less busy."""
    return all(
        row.observation.proven and (row.observation.state is not State.UNDECIDED or _seen_again(row, traced))
        for row in traced.rows
    )


def _seen_again(row: Row, traced: Traced) -> bool:
    """Whether it streamed another time, or was held each time that a busy machine's was asked again."""
    one = row.experiment
    alike = [
        each.observation
        for each in traced.rows
        if (each.experiment.conditions, each.experiment.whole) == (one.conditions, one.whole)
    ]
    undecided = [seen for seen in alike if seen.state is State.UNDECIDED]
    again = all(seen.busy for seen in undecided) and len(alike) >= 2 * len(undecided)
    return again or any(seen.streams for seen in alike)


def _of_shape(rest: Observation, *, all_seen: bool) -> NamedCause:
    if rest.state is State.REFUSED:
        return NamedCause(
            Cause.REFUSES, "certain", text("a hop answered that it will not forward it incrementally")
        )
    cause = SHAPES.get(rest.shape, Cause.UNKNOWN)
    if cause is Cause.UNKNOWN:
        return NamedCause(
            cause, "possible", text("nothing that was tried frees it, and how it is held is not known")
        )
    busy = frozenset({Doubt.BUSY_MACHINE})  # its figures are doubtful, and not what kind of hold it is
    sure: Certainty = "certain" if rest.proven and all_seen and busy.issuperset(rest.doubts) else "likely"
    return NamedCause(
        cause, sure, text("nothing that was tried frees it; how it is held: {said}", said=rest.said)
    )


def freed_by(change: Change) -> str:
    """What a change is called where it frees a stream."""
    return _BY[change]


_BY = {
    Change.IDENTITY: text("leaving compression out"),
    Change.HEADER: "X-Accel-Buffering: no",
    Change.NO_TRANSFORM: "Cache-Control: no-transform",
    Change.EVENT_STREAM: "text/event-stream",
    Change.ACCEPT: "Accept: text/event-stream",
    Change.METHOD: text("the other method"),
    Change.HTTP_VERSION: text("the other HTTP version"),
    Change.INCREMENTAL: text("the Incremental header's change"),
    Change.FRESH: text("another query"),
}
