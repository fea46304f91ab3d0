"""How long a stream may live: silent ones and ones that talk, held side by side until they are cut.

All end after the same time: a limit on the whole. Only the silent ones: a limit on silence. None: no limit
below the time that was watched. Of each kind a second one begins later: a limit cuts both after the same
time, an accident at the same moment. The second that talks does so in comments, as heartbeats are sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf
from typing import TypeAlias

from kit.language import join, text
from kit.proof.causes import Cause, Certainty, NamedCause
from kit.proof.contract import Clause, ClauseFinding, Figure, Term
from kit.proof.doubts import Doubt
from kit.proof.fingerprints import Hop
from kit.proof.known_limits import WITHIN_S, every, hint, known_limits, with_lines
from kit.proof.steps import BUSY_MS
from kit.proof.stream_life import OLDER_S, StreamLifetime

MOST_S = 3_840.0  # watched: a minute less than the origin lets a stream live

_LIMITED = (429, 503)
# What a hop answers when its timeout on the service is over (RFC 9110; 524 is Cloudflare's).
_TIMED_OUT = (408, 504, 524)


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
        held: whether heartbeats were held, or taken out, so that the limit on silence cut their stream too.
        older: whether the origin ends its streams after 120 s, so that they were not watched for longer.
        doubts: why it may not be so.
        evidence: what was seen, one sentence each; why it is of this kind comes last.
        advice: what to do, and whose default it may be.
        figures: what is known of the clause's terms.
        unlike: whether two of a kind did not end alike, as by a limit they would: another watch may tell.
    """

    kind: Kind
    idle_s: float | None
    total_s: float | None
    held: bool
    older: bool
    doubts: tuple[Doubt, ...]
    evidence: tuple[str, ...]
    advice: tuple[str, ...]
    figures: tuple[Figure, ...] = ()
    unlike: bool = False


def judge(
    silent: Sequence[StreamLifetime], talking: Sequence[StreamLifetime], apart_s: float = inf
) -> Limits:
    """What limits the lives that were seen show.

    Args:
        silent: the streams that said nothing after their first event: one, and one that began later.
        talking: the streams that went on: one, and one that began later and spoke as heartbeats do.
        apart_s: how much later, in seconds.
    """
    silent, talking = (
        (one, *(life for life in more if not _refused(life))) for one, *more in (silent, talking)
    )
    alike = [talking[0], *(life for life in talking[1:] if life.talked and not life.held)]
    kind, why, doubts, idle, total = _judged(silent, alike, apart_s / 2)
    beats = talking[1] if len(talking) > 1 else None
    held = False
    if idle is not None and beats is not None and beats.held and beats.cut:
        held = near(beats.last_silence_s, idle, beats.late_s)
    if held:
        why += text("; heartbeats do not, since they are held on the way")
    if any(life.cut and life.late_s * 1000 > BUSY_MS for life in (*silent, *talking)):
        doubts = (*doubts, Doubt.BUSY_MACHINE)
    older = any(life.older for life in (*silent, *talking))
    evidence = (
        *_in_words(_SILENT, silent),
        *_in_words(_TALKING, talking),
        *_beats_in_words(beats),
        *([text("{older}: watched for {s} only", older=_OLDER, s=_s(OLDER_S))] if older else []),
        why,
    )
    figures = () if kind is Kind.UNCLEAR else _figures(silent, talking, idle, total)
    advice = _advice(kind, idle, total, silent[0].lived_s, held=held)
    if older:
        advice = (*advice, text("Copy service/proof.py anew to watch streams for longer."))
    unlike = kind is Kind.UNCLEAR and _unlike(silent, alike, apart_s / 2)
    return Limits(kind, idle, total, held, older, doubts, evidence, advice, figures, unlike)


def agree(one: Limits, other: Limits) -> bool:
    """Whether two watches saw the same limits, within bounds that allow for how late this process was."""
    bounds = zip(one.figures, other.figures, strict=False)  # the last may be of one alone
    return one.kind is other.kind is not Kind.UNCLEAR and all(
        mine.least <= its.most and its.least <= mine.most
        for mine, its in bounds
        if mine.term is not Term.HEARTBEAT
    )


def named_with(
    found: Limits, named: Sequence[NamedCause] = (), hops: Collection[Hop] = ()
) -> tuple[NamedCause, ...]:
    """The causes, with those of the limits: what holds heartbeats and the limit that then ends them are one.

    Args:
        found: what was seen of the limits.
        named: the causes that are known: one of them may be what holds.
        hops: who the response's headers hint at.
    """
    because = found.evidence[-1]
    sure: Certainty = "likely" if found.doubts else "certain"
    silent = known_limits(found.idle_s, "silence", hops)
    whole = known_limits(found.total_s, "whole", hops)
    holder = next((one for one in named if one.holds), None) if found.held else None
    if holder is not None:
        lines = join("\n", (holder.remedy, with_lines(Cause.IDLE_LIMIT.remedy, silent)))
        both = replace(holder, because=join("; ", (holder.because, because)), to_try=lines)
        named = [both if one is holder else one for one in named]
    elif found.idle_s is not None:
        cause = Cause.HEARTBEATS_HELD if found.held else Cause.IDLE_LIMIT
        lines = with_lines(cause.remedy, silent)
        named = [*named, NamedCause(cause, sure, because, to_try=lines, holds=False)]
    if found.total_s is not None:
        lines = with_lines(Cause.TIME_LIMIT.remedy, whole)
        named = [*named, NamedCause(Cause.TIME_LIMIT, sure, because, to_try=lines, holds=False)]
    return tuple(named)


def _figures(
    silent: Sequence[StreamLifetime],
    talking: Sequence[StreamLifetime],
    idle_s: float | None,
    total_s: float | None,
) -> tuple[Figure, ...]:
    everyone = (*silent, *talking)
    lived = max((life.lived_s for life in everyone if life.passes or life.cut), default=0.0)
    survived = max(_survived_s(life) for life in everyone)
    idle = (survived, inf) if idle_s is None else _around((life, life.last_silence_s) for life in silent)
    alive = (lived, inf) if total_s is None else _around((life, life.lived_s) for life in talking)
    figures = [(Term.IDLE, idle), (Term.ALIVE, alive)]
    beats = talking[-1]
    if beats.comments and beats.beat_ms is not None:
        figures.append((Term.HEARTBEAT, (beats.beat_ms[0] / 1000, beats.beat_ms[1] / 1000)))
    return tuple(Figure(term, least * 1000, most * 1000) for term, (least, most) in figures)


def _survived_s(life: StreamLifetime) -> float:
    """The longest silence that it survived, where no silence ended it."""
    last_s = life.last_silence_s - (WITHIN_S + life.late_s if life.cut else 0.0)
    return max(life.longest_silence_s, last_s if life.cut or life.passes else 0.0)


def _around(seen: Iterable[tuple[StreamLifetime, float]]) -> tuple[float, float]:
    """Many hops look at their clocks once a second only: what was cut is known to within that."""
    ends = [(end_s, life.late_s) for life, end_s in seen if life.cut]
    least_s = min(end_s - late_s for end_s, late_s in ends) - WITHIN_S
    return max(least_s, 0.0), max(end_s + late_s for end_s, late_s in ends) + WITHIN_S


def finding(found: Limits) -> ClauseFinding:
    """The same as a clause of the contract."""
    return ClauseFinding(
        Clause.KEPT_ALIVE,
        _says(found),
        "unknown" if found.kind is Kind.UNCLEAR else "likely" if found.doubts else "proved",
        found.figures,
        found.doubts,
        found.evidence,
        join("\n", (one.remedy for one in named_with(found))) or join("\n", found.advice),
    )


def _says(found: Limits) -> str:
    if found.kind is Kind.UNCLEAR or (found.kind is Kind.NO_LIMIT and found.doubts):
        return found.evidence[-1]
    least = {figure.term: figure.least / 1000 for figure in found.figures}
    held = any(figure.term is Term.HEARTBEAT and figure.most == inf for figure in found.figures)
    ends = [
        *([text("cut after {s} of silence", s=_s(found.idle_s))] if found.idle_s is not None else []),
        *([text("cut after {s}", s=_s(found.total_s))] if found.total_s is not None else []),
    ]
    watched_s = min(least[Term.IDLE], least[Term.ALIVE])
    lives = join(" and ", ends) or text("lives for at least {s} s", s=int(watched_s + 0.01))
    if held:
        lives += text(", and heartbeats are held")
    return (
        lives + text(", and was watched for no longer: {older}", older=_OLDER)
        if found.older and not ends
        else lives
    )


# The kind, why, the doubts, and the limits on silence and on the whole in seconds.
_Judged: TypeAlias = tuple[Kind, str, tuple[Doubt, ...], float | None, float | None]


def _judged(silent: Sequence[StreamLifetime], talking: Sequence[StreamLifetime], most_s: float) -> _Judged:
    """`most_s`: two times that differ by more are not the same."""
    quiet, loud = silent[0], talking[0]
    for life in (quiet, loud):
        if _refused(life):
            doubt = Doubt.PROOF_LIMITED if life.status in _LIMITED else Doubt.NO_PROOF
            return _unclear(text("a stream was answered with {status}", status=life.status), doubt)
    if not (quiet.cut or loud.cut) and False in (quiet.passes, loud.passes):
        which = text("the stream that talked") if quiet.passes else text("the stream that was silent")
        why = text(
            "{which} was never closed, and nothing that was sent came through it any more", which=which
        )
        return _unclear(why, Doubt.STREAM_CUT)
    if _unlike(silent, talking, most_s):
        return _unclear(text("a second stream did not end after the same time, as by a limit it would"))
    if not quiet.cut and not loud.cut:
        # A silent stream that lives is enough: a limit on the whole would have ended it too.
        why = text("no limit below {s} s was seen", s=int(quiet.lived_s))
        if quiet.passes:
            return Kind.NO_LIMIT, why, (), None, None
        why += text(", and whether what was not cut still passes an event could not be seen")
        return Kind.NO_LIMIT, why, (Doubt.SIDE_REQUEST_HUNG,), None, None
    if not quiet.cut:
        return _unclear(text("only the stream that talked was cut, as by no limit of time"))
    if not loud.talked:
        return _unclear(
            text("the stream that was to talk could not be fed to its end"), Doubt.SIDE_REQUEST_HUNG
        )
    idle, total = quiet.last_silence_s, loud.lived_s
    # Two streams that are cut at the same moment may have met the same accident: a restart, say.
    once = () if any(life.cut for life in silent[1:]) else (Doubt.NOT_REPEATED,)
    if _same(quiet, loud, most_s):
        if not loud.cut:
            return _unclear(text("the two were not watched long enough to tell what ended the silent one"))
        if loud.held and loud.last_silence_s > 0.8 * idle:
            return _unclear(
                text(
                    "what was sent was held on the way, so that all was silent, and was cut after {s}: "
                    "once that streams, whether a limit on silence or on the whole ended it can be seen",
                    s=_s(total),
                )
            )
        if loud.longest_silence_s > idle / 2 or loud.last_silence_s > 0.8 * idle:
            return _unclear(text("what talked arrived so seldom that it was silent on the way as well"))
        why = text("all ended after {s}, whatever was said: by a hop or by the server itself", s=_s(total))
        return Kind.TIME_LIMIT, why, once, None, total
    if loud.cut and total < quiet.lived_s:
        return _unclear(
            text("the stream that talked ended sooner than the silent one, as by no limit of time")
        )
    if not loud.cut:
        why = text(
            "a silence of {s} ends a stream, by a hop or by the server itself, and talk keeps it", s=_s(idle)
        )
        return Kind.IDLE_LIMIT, why, once, idle, None
    if loud.last_silence_s > 0.8 * idle:
        return _unclear(text("the stream that talked had fallen silent too when it ended"))
    why = text(
        "a silence of {s} ends a stream, and talk does not keep it beyond {total}",
        s=_s(idle),
        total=_s(total),
    )
    twice = bool(once) or not any(life.cut for life in talking[1:])
    return Kind.BOTH, why, (Doubt.NOT_REPEATED,) if twice else (), idle, total


def _unclear(why: str, doubt: Doubt = Doubt.NOT_REPEATED) -> _Judged:
    return Kind.UNCLEAR, why, (doubt,), None, None


def _refused(life: StreamLifetime) -> bool:
    """Whether what was answered is no stream, and no hop's timeout either."""
    return life.status not in (None, 200) and not (life.cut and life.status in _TIMED_OUT)


def _unlike(silent: Sequence[StreamLifetime], talking: Sequence[StreamLifetime], most_s: float) -> bool:
    return any(
        not _may_be_alike(first, life, most_s) for first, *later in (silent, talking) for life in later
    )


def _may_be_alike(first: StreamLifetime, later: StreamLifetime, most_s: float) -> bool:
    """Whether the same limit may have had part in both; the later one was watched for a shorter time."""
    if first.cut and later.cut:
        return _same(first, later, most_s)
    return not later.cut and (not first.cut or later.lived_s < first.lived_s or _same(first, later, most_s))


def _same(one: StreamLifetime, other: StreamLifetime, most_s: float) -> bool:
    """Whether two streams may have met the same limit."""
    return near(one.lived_s, other.lived_s, one.late_s + other.late_s, most_s)


def near(one_s: float, other_s: float, late_s: float = 0.0, most_s: float = inf) -> bool:
    """Whether two times may be the same: many hops look at their clocks once a second only."""
    return abs(one_s - other_s) <= min(max(1.0, 0.1 * max(one_s, other_s)), most_s) + late_s


def _s(seconds: float) -> str:
    return text("{s:.0f} s", s=seconds)


_SILENT = (text("a stream that was silent"), text("a stream that began later and was silent"))
_TALKING = (text("a stream that talked"), text("a stream that began later and talked"))


def _in_words(names: tuple[str, str], lived: Sequence[StreamLifetime]) -> Iterator[str]:
    for place, life in enumerate(lived):
        if not life.cut:
            said = text("{which} lived for {lived}, which was as long as it was watched")
        elif life.status in _TIMED_OUT:
            said = text(
                "{which} was answered with {status} after {lived_s:.1f} s, the last {last_s:.1f} s of it "
                "without a word"
            )
        elif life.cleanly:
            said = text(
                "{which} was ended as if it were whole after {lived_s:.1f} s, the last {last_s:.1f} s of it "
                "without a word"
            )
        else:
            said = text(
                "{which} was broken off after {lived_s:.1f} s, the last {last_s:.1f} s of it without a word"
            )
        yield said.format(
            which=names[bool(place)],
            status=life.status,
            lived=_s(life.lived_s),
            lived_s=life.lived_s,
            last_s=life.last_silence_s,
        )


def _beats_in_words(beats: StreamLifetime | None) -> Iterator[str]:
    """How what the second stream that talked said came: comments as heartbeats, or small events."""
    if beats is None or beats.beat_ms is None:
        return
    what = text("comments") if beats.comments else text("small events")
    least_ms, most_ms = beats.beat_ms
    if beats.dropped:
        yield text("{what} are taken out on the way: events that were sent after them came", what=what)
    elif beats.held:
        yield text(
            "{what} are held on the way: one that was sent had not come {least_ms:.1f} s later",
            what=what,
            least_ms=least_ms / 1000,
        )
    elif least_ms:
        yield text(
            "{what} come late: they are held on the way for {least_ms:.0f} ms", what=what, least_ms=least_ms
        )
    elif most_ms == inf:
        yield text("the last of the {what} had not come", what=what)
    else:
        yield text(
            "{what} are passed on as they are sent; the slowest was there {most_ms:.0f} ms after its order",
            what=what,
            most_ms=most_ms,
        )


_OLDER = text("the origin's copy of the proof is older, and ends streams after 120 s")
_OF = {"silence": text("{who}: {limit} of silence"), "whole": text("{who}: {limit} in all")}
_NAMED = 3
_FREE = text(
    "What holds the heartbeats is to be freed first: see what holds the stream. Events "
    "in their place, which clients ignore by their name, help where comments alone are "
    "held."
)


def _advice(
    kind: Kind, idle: float | None, total: float | None, watched_s: float, *, held: bool
) -> tuple[str, ...]:
    said = [_FREE] if held else []
    if idle is not None:
        said.append(
            text(
                "Send a heartbeat at least every {half} s while there is nothing to say: in an SSE "
                'stream a comment, the line ":" and an empty one, which no client shows. Or raise '
                "the limit.",
                half=_half(idle),
            )
        )
    if total is not None:
        said.append(
            text(
                "No heartbeat helps against it. Raise the limit, or end the answer before it and let "
                "the client come back for the rest (Last-Event-ID)."
            )
        )
    hints = (hint(known_limits(idle, "silence")), hint(known_limits(total, "whole")))
    said += filter(None, hints)
    if kind is Kind.NO_LIMIT:
        said += filter(None, [_longer(watched_s)])
    return tuple(said)


def _longer(watched_s: float) -> str:
    """Whose limits by default begin where watching ended; empty for none."""
    longer = sorted((one for one in every() if one.seconds > watched_s), key=lambda one: one.seconds)
    whose = join("; ", (_OF[one.on].format(who=one.who, limit=_s(one.seconds)) for one in longer[:_NAMED]))
    return whose and (
        text(
            "Nothing longer was looked for (--for 10m does). The next limits that are common: "
            "{whose}. They are documented or reported, not observed here.",
            whose=whose,
        )
    )


def _half(seconds: float) -> str:
    return f"{seconds / 2:.0f}" if seconds >= 4 else f"{seconds / 2:.1f}"
