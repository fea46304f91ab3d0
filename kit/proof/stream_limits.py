"""How long a stream may live: one that is silent and one that talks, held side by side until one is cut.

Both end at the same time: a limit on the whole. Only the silent one: a limit on silence. Neither: no limit
below the time that was watched. Two machines of the same kind as the proof's (`kit.proof.actions`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from math import inf
from typing import TypeAlias

from kit.proof.actions import Await, End, Feed, Machine, Observed, Open, Ping
from kit.proof.contract import Clause, ClauseFinding, Figure, Term
from kit.proof.doubts import Doubt
from kit.proof.known_limits import WITHIN_S, hint, known_limits
from kit.proof.received import Received
from kit.proof.steps import OVERTAKEN, SIDE_TIMEOUT_MS, SMALL

LIMIT_S = 110.0  # watched; the origin itself ends a stream after 120 s
MOST_S = 115.0
# Well below every known limit on silence, and no multiple of the 5 s after which many servers close the
# connection that side requests come on.
BEAT_S = 4.0
PASSES_MS = 3_000.0  # for an event to come through a stream that was watched

# What a hop answers when its timeout on the service is over (RFC 9110; 524 is Cloudflare's).
_TIMED_OUT = (408, 504, 524)


@dataclass(frozen=True, slots=True)
class StreamLifetime:
    """One stream, from its opening to its end, or to our timeout. Seconds.

    Attributes:
        lived_s: how long it lived.
        cut: whether it ended without having been asked to.
        cleanly: whether what ended it closed the message as if it were whole.
        status: of the response; None if it had none.
        last_silence_s: how long nothing had arrived when it ended.
        longest_silence_s: the longest time in which nothing arrived, before that last one.
        talked: whether all that was to be said in it was passed on to the origin; true for a silent one.
        passes: whether one more event came through it when it had been watched; None where that is not known.
        late_s: for how long this process did not run meanwhile: its times may be wrong by so much.
    """

    lived_s: float
    cut: bool
    cleanly: bool
    status: int | None
    last_silence_s: float
    longest_silence_s: float
    talked: bool = True
    passes: bool | None = None
    late_s: float = 0.0


class Kind(StrEnum):
    """What ended the streams."""

    NO_LIMIT = "no-limit"
    IDLE_LIMIT = "idle-limit"
    TIME_LIMIT = "time-limit"
    BOTH = "both-limits"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a stream may live here. Seconds.

    Attributes:
        kind: which limits were seen.
        idle_s: after so long a silence a stream is cut; None where no such limit was seen.
        total_s: after so long every stream is cut; None where no such limit was seen.
        doubts: why it may not be so.
        evidence: what was seen, one sentence each.
        advice: what to do, and whose default it may be.
        figures: the longest silence that a stream survives, and how long one that talks lives.
    """

    kind: Kind
    idle_s: float | None
    total_s: float | None
    doubts: tuple[Doubt, ...]
    evidence: tuple[str, ...]
    advice: tuple[str, ...]
    figures: tuple[Figure, ...] = ()


def lives(*, limit_s: float = LIMIT_S, beat_s: float | None = None) -> Machine[tuple[StreamLifetime, ...]]:
    """Watch a stream until it is cut, and once more if there is time: a cut that comes twice is no accident.

    Args:
        limit_s: how long to watch in all.
        beat_s: how often an event is sent; None for a stream that is silent after its first.
    """
    first = yield from _life(limit_s, beat_s)
    if not first.cut or not first.talked or _refused(first) or 2 * first.lived_s + 1 > 0.9 * limit_s:
        return (first,)
    return (first, (yield from _life(limit_s - first.lived_s, beat_s)))


def _life(limit_s: float, beat_s: float | None) -> Machine[StreamLifetime]:
    observed = yield Open(SMALL)
    stream, opened = observed.stream, observed.now_ms
    assert stream is not None  # noqa: S101 - it was opened just now
    until, talked, late_ms = opened + limit_s * 1000, True, 0.0
    while stream.ended_ms is None and observed.now_ms < until and talked:
        wait = until - observed.now_ms
        observed = yield Await(wait if beat_s is None else min(wait, beat_s * 1000))
        late_ms += observed.late_ms
        if beat_s is not None and stream.ended_ms is None and observed.now_ms < until:
            observed, talked = yield from _beat(observed)
    ended = observed.now_ms if stream.ended_ms is None else stream.ended_ms
    life = _told(stream, opened, ended, cut=stream.ended_ms is not None, talked=talked)
    passes = None
    if not life.cut:
        passes = yield from _passes(stream)
        yield End(SIDE_TIMEOUT_MS)
    return replace(life, passes=passes, late_s=late_ms / 1000)


def _passes(stream: Received) -> Machine[bool | None]:
    """Whether what was not closed still passes an event; None where none came before or it cannot be fed."""
    before = stream.events
    fed = (yield Feed(SMALL, SIDE_TIMEOUT_MS)).reply
    if not before or fed is None or not fed.known:
        return None
    waited_ms, trips = 0.0, 0
    while stream.events == before and (waited_ms < PASSES_MS or trips < OVERTAKEN):
        waited = yield Await(PASSES_MS / OVERTAKEN, events=before + 1)
        pinged = yield Ping(SIDE_TIMEOUT_MS)
        if pinged.reply is None:
            return None
        waited_ms, trips = waited_ms + PASSES_MS / OVERTAKEN - waited.late_ms, trips + 1
    return stream.events > before


def _beat(observed: Observed) -> Machine[tuple[Observed, bool]]:
    """Have one event sent: whether that could be done, or need not since the stream has ended."""
    for _ in range(2):  # the connection may have been closed for its own idleness just as we asked
        observed = yield Feed(SMALL, SIDE_TIMEOUT_MS)
        if observed.reply is not None:
            break
    if observed.reply is not None and observed.reply.known:
        return observed, True
    # The origin knows before we do that the stream is over; or it does not know it yet, and is starting.
    observed = yield Await(1_000.0)
    stream = observed.stream
    return observed, stream is not None and (stream.ended_ms is not None or stream.status is None)


def _told(stream: Received, opened: float, ended: float, *, cut: bool, talked: bool) -> StreamLifetime:
    times = [opened, *(at for at, _ in stream.arrivals), ended]
    silences = [later - sooner for sooner, later in pairwise(times)]
    return StreamLifetime(
        lived_s=(ended - opened) / 1000,
        cut=cut,
        cleanly=cut and stream.clean,
        status=stream.status,
        last_silence_s=silences[-1] / 1000,
        longest_silence_s=max(silences[:-1], default=0.0) / 1000,
        talked=talked,
    )


def judge(silent: Sequence[StreamLifetime], talking: Sequence[StreamLifetime]) -> Limits:
    """What limits the lives that were seen show.

    Args:
        silent: the streams that said nothing after their first event, one or two.
        talking: the streams that went on.
    """
    kind, why, doubts, idle, total = _judged(silent, talking)
    evidence = (*_in_words("was silent", silent), *_in_words("talked", talking), why)
    figures = () if kind is Kind.UNCLEAR else _figures(silent, talking, idle, total)
    return Limits(kind, idle, total, doubts, evidence, _advice(kind, idle, total), figures)


def _figures(
    silent: Sequence[StreamLifetime],
    talking: Sequence[StreamLifetime],
    idle_s: float | None,
    total_s: float | None,
) -> tuple[Figure, ...]:
    """Many hops look at their clocks once a second only, so what ended is known to within a second."""
    survived_s = max(life.last_silence_s - (WITHIN_S if life.cut else 0.0) for life in silent)
    lived_s = max(life.lived_s for life in (*silent, *talking))
    idle = (survived_s, inf) if idle_s is None else _around(life.last_silence_s for life in silent)
    alive = (lived_s, inf) if total_s is None else _around(life.lived_s for life in talking)
    return tuple(
        Figure(term, max(least, 0.0) * 1000, most * 1000)
        for term, (least, most) in ((Term.IDLE, idle), (Term.ALIVE, alive))
    )


def _around(seen_s: Iterable[float]) -> tuple[float, float]:
    ends = list(seen_s)
    return min(ends) - WITHIN_S, max(ends) + WITHIN_S


def finding(found: Limits) -> ClauseFinding:
    """The same as a clause of the contract."""
    return ClauseFinding(
        Clause.KEPT_ALIVE,
        found.evidence[-1],
        "unknown" if found.kind is Kind.UNCLEAR else "likely" if found.doubts else "proved",
        found.figures,
        found.doubts,
        found.evidence,
        "\n".join(found.advice),
    )


# The kind, why, the doubts, and the limits on silence and on the whole in seconds.
_Judged: TypeAlias = tuple[Kind, str, tuple[Doubt, ...], float | None, float | None]


def _judged(silent: Sequence[StreamLifetime], talking: Sequence[StreamLifetime]) -> _Judged:
    quiet, loud = silent[0], talking[0]
    for life in (quiet, loud):
        if _refused(life):
            return _unclear(f"a stream was answered with {life.status}", Doubt.NO_PROOF)
    if not (quiet.cut or loud.cut) and False in (quiet.passes, loud.passes):
        which = "was silent" if quiet.passes is False else "talked"
        why = f"the stream that {which} was never closed, and nothing that was sent came through it any more"
        return _unclear(why, Doubt.STREAM_CUT)
    if not quiet.cut and not loud.cut:
        # A silent stream that lives is enough: a limit on the whole would have ended it too.
        return Kind.NO_LIMIT, f"no limit below {int(quiet.lived_s)} s was seen", (), None, None
    for both in (silent, talking):
        if len(both) > 1 and not (both[1].cut and _same(*both)):
            return _unclear("a second stream did not end after the same time, as by a limit it would")
    if not quiet.cut:
        return _unclear("only the stream that talked was cut, as by no limit of time")
    if not loud.talked:
        return _unclear("the stream that was to talk could not be fed to its end", Doubt.SIDE_REQUEST_HUNG)
    idle, total = quiet.last_silence_s, loud.lived_s
    # Two streams that are cut at the same moment may have met the same accident: a restart, say.
    once = () if len(silent) > 1 else (Doubt.NOT_REPEATED,)
    if _same(quiet, loud):
        if not loud.cut:
            return _unclear("the two were not watched long enough to tell what ended the silent one")
        if loud.longest_silence_s > idle / 2 or loud.last_silence_s > 0.8 * idle:
            return _unclear("what talked arrived so seldom that it was silent on the way as well")
        why = f"both ended after {total:.0f} s, whatever was said: by a hop or by the server itself"
        return Kind.TIME_LIMIT, why, once, None, total
    if total < quiet.lived_s:
        return _unclear("the stream that talked ended sooner than the silent one, as by no limit of time")
    if not loud.cut:
        why = f"a silence of {idle:.0f} s ends a stream, by a hop or by the server itself, and talk keeps it"
        return Kind.IDLE_LIMIT, why, once, idle, None
    if loud.last_silence_s > 0.8 * idle:
        return _unclear("the stream that talked had fallen silent too when it ended")
    why = f"a silence of {idle:.0f} s ends a stream, and talk does not keep it beyond {total:.0f} s"
    return Kind.BOTH, why, once if len(talking) > 1 else (Doubt.NOT_REPEATED,), idle, total


def _unclear(why: str, doubt: Doubt = Doubt.NOT_REPEATED) -> _Judged:
    return Kind.UNCLEAR, why, (doubt,), None, None


def _refused(life: StreamLifetime) -> bool:
    """Whether what was answered is no stream, and no hop's timeout either."""
    return life.status not in (None, 200) and not (life.cut and life.status in _TIMED_OUT)


def _same(one: StreamLifetime, other: StreamLifetime) -> bool:
    """Whether two streams may have met the same limit."""
    return near(one.lived_s, other.lived_s, one.late_s + other.late_s)


def near(one_s: float, other_s: float, late_s: float = 0.0) -> bool:
    """Whether two times may be the same: many hops look at their clocks once a second only."""
    return abs(one_s - other_s) <= max(1.0, 0.1 * max(one_s, other_s)) + late_s


def _in_words(what: str, lived: Sequence[StreamLifetime]) -> Iterator[str]:
    for place, life in enumerate(lived):
        which = "a second stream" if place else "a stream"
        if not life.cut:
            yield f"{which} that {what} lived for {life.lived_s:.0f} s, which was as long as it was watched"
            continue
        how = (
            f"answered with {life.status}"
            if life.status in _TIMED_OUT
            else "ended as if it were whole"
            if life.cleanly
            else "broken off"
        )
        last = f"the last {life.last_silence_s:.1f} s of it without a word"
        yield f"{which} that {what} was {how} after {life.lived_s:.1f} s, {last}"


_LONGER = (
    "Nothing longer was looked for, and longer limits are common: Cloud Run ends a response after its own "
    "(--timeout, 300 s unless set), ESPv2 and Envoy end a silence of 300 s. Those are documented or "
    "reported, not observed."
)


def _advice(kind: Kind, idle: float | None, total: float | None) -> tuple[str, ...]:
    said = []
    if idle is not None:
        said.append(
            f"Send a heartbeat at least every {_half(idle)} s while there is nothing to say: in an SSE "
            'stream a comment, the line ":" and an empty one, which no client shows. Or raise the limit.'
        )
    if total is not None:
        said.append(
            "No heartbeat helps against it. Raise the limit, or end the answer before it and let the client "
            "come back for the rest (Last-Event-ID)."
        )
    hints = (hint(known_limits(idle, "silence")), hint(known_limits(total, "whole")))
    said += filter(None, hints)
    if kind is Kind.NO_LIMIT:
        said.append(_LONGER)
    return tuple(said)


def _half(seconds: float) -> str:
    return f"{seconds / 2:.0f}" if seconds >= 4 else f"{seconds / 2:.1f}"
