"""The answer's own fate, as causes: it was cut, forms no events, is a stored copy, is in bursts.

None of them holds a stream. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from statistics import median

from kit.language import join, text
from kit.proof.answer import watched
from kit.proof.causes import Cause, Certainty, NamedCause, part
from kit.proof.conditions import framing
from kit.proof.doubts import Doubt
from kit.proof.fingerprints import Hop
from kit.proof.known_limits import HELD_ON_S, WITHIN_S, known_limits, with_lines
from kit.proof.looks import LUMP_MS, WAIT_MS, Looks, Watched
from kit.proof.stream_limits import near
from kit.proof.timeline import End, Timeline

SILENT_MS = 2_000.0  # before a cut, and three times the answer's own pace: a limit on silence may have cut it
BURST_EVENTS = 3
APART_MS = 500.0
_ACCIDENT = text("an accident: ask again, which a deadline ends after the same time")
_SERVICE = text("the service's own limit: ask it directly as well (--direct URL)")
STARVED_MS = 1_000.0  # for a small request beside an answer, and ten times what it takes without one


def fates(
    line: Timeline,
    doubts: Collection[Doubt],
    because: str,
    head: Mapping[str, str],
    hops: Collection[Hop] = (),
    *,
    again: Timeline | None = None,
    where: str = "",
) -> tuple[NamedCause, ...]:
    """What became of an answer.

    Args:
        line: when it arrived.
        doubts: what there is to doubt of it.
        because: what was seen of it, in a sentence.
        head: its response's headers, names in lower case.
        hops: who they hint at.
        again: the same request's next answer; None where it was not asked again.
        where: what was asked for that one; empty for the same address.
    """
    named = []
    if Doubt.REPLAYED in doubts:
        apart = text("it for sure: ask with another query, which no cache has seen")
        named.append(NamedCause(Cause.REPLAYED, "likely", because, apart, holds=False))
    if (said := because if Doubt.UNDECODABLE in doubts else _false_length(line, head)) is not None:
        named.append(NamedCause(Cause.FALSE_HEADER, "likely", said, holds=False))
    elif Doubt.STREAM_CUT in doubts or Doubt.END_UNKNOWN in doubts:
        named.append(_cut(line, hops, again, where, surely=Doubt.STREAM_CUT in doubts))
    if Doubt.NO_EVENTS in doubts:
        said = text(
            "{octets:,} bytes came, and no event with data in them ended", octets=watched(line).octets
        )
        media = framing(head.get("content-type", ""))
        form = "" if media == "text" else part(f"{media}-form")
        named.append(NamedCause(Cause.NO_EVENTS, "likely", said, to_try=form, holds=False))
    if (said := _bursts(line)) and Doubt.REPLAYED not in doubts:
        named.append(NamedCause(Cause.BURSTS, "likely", said, holds=False))
    return tuple(named)


def starved(
    pulses: Sequence[tuple[float, float]], *, usual_ms: float, ended_ms: float, slept_ms: float = 0.0
) -> str:
    """What small requests beside an answer say of the service: that it did nothing else; empty for no such.

    Args:
        pulses: when each was sent and was back.
        usual_ms: how long one takes without an answer beside it.
        ended_ms: when the answer ended.
        slept_ms: for how long in all this process did not run meanwhile.
    """
    beside = [(sent, back) for sent, back in pulses if sent < ended_ms]
    longest = max((back - sent for sent, back in beside), default=0.0)
    if longest - slept_ms < max(STARVED_MS, 10 * usual_ms):
        return ""
    waited = sum(min(back, ended_ms) - sent for sent, back in beside)
    if 2 * waited < ended_ms - beside[0][0]:
        return ""
    return text(
        "a small request beside the answer took {longest:.0f} ms, and {usual_ms:.0f} ms without it",
        longest=longest,
        usual_ms=usual_ms,
    )


def by_the_clock(looked: Watched, pings_ms: Sequence[float]) -> str:
    """Why a stream beside an answer in clumps cannot show that its way lets it pass; empty if it can.

    Args:
        looked: how the answer came.
        pings_ms: how long small requests to the same service took.
    """
    silence, usual = looked.silence_ms, median(pings_ms) if pings_ms else 0.0
    if looked.looks is not Looks.CLUMPED or silence is None or 2 * usual < silence:
        return ""
    return text(
        "its clumps came {silence_ms:.0f} ms apart, and a small request takes {usual_ms:.0f} ms: what sends "
        "all that it has by the clock would do both",
        silence_ms=silence,
        usual_ms=usual,
    )


def at_deadline(line: Timeline, own_s: float | None = None) -> bool:
    """Whether an answer that flowed was cut as a deadline came: its platform's own, or one that is known."""
    ended_s = line.duration_ms / 1000
    own = own_s is not None and -WITHIN_S <= ended_s - own_s <= WITHIN_S + HELD_ON_S
    return line.end is End.CUT and _flowed(line) and (own or bool(known_limits(ended_s, "whole")))


def _cut(
    line: Timeline, hops: Collection[Hop], again: Timeline | None, where: str, *, surely: bool
) -> NamedCause:
    """As far as its times tell by what."""
    after_s, last_s = line.duration_ms / 1000, _last_ms(line) / 1000
    events = text("{count:,} events", count=len(line.arrivals))
    said = (
        text("it was cut after {after_s:.1f} s and {events}, the last {last_s:.1f} s in silence")
        if surely
        else text(
            "it ended without a mark of its end after {after_s:.1f} s and {events}, the last {last_s:.1f} s "
            "in silence"
        )
    ).format(after_s=after_s, events=events, last_s=last_s)
    apart = text("whether it is a limit: ask again, and see whether it ends after the same time")
    side, same, refuted = "", False, False
    if again is not None:
        apart, again_s = "", again.duration_ms / 1000
        asked = text("; {where}, it", where=where or text("asked again"))
        if _silent(line) and near(last_s, _last_ms(again) / 1000) and not again.complete:
            said += text(
                "{asked} ended after {last_ms:.1f} s in silence as well",
                asked=asked,
                last_ms=_last_ms(again) / 1000,
            )
            to_try = with_lines(Cause.IDLE_LIMIT.remedy, known_limits(last_s, "silence", hops))
            return NamedCause(Cause.IDLE_LIMIT, "likely", said, to_try=to_try, holds=False)
        longer = again_s > after_s and not near(after_s, again_s)
        if longer or (surely and again.complete):
            said += text("{asked} went on for {again_s:.1f} s", asked=asked, again_s=again_s)
            said += text(", to its end") if again.complete else ""
            side = text("it is a hop between there and here") if where else ""
            refuted = not where
        elif near(after_s, again_s):
            said += text("{asked} ended after {again_s:.1f} s as well", asked=asked, again_s=again_s)
            said += text(", as by a limit on time, or an error at the same place") if surely else ""
            side = text("it is the service itself, or a hop there") if where and surely else ""
            same = True
        else:
            said += text(
                "{asked} ended after {again_s:.1f} s, as by no limit on the whole",
                asked=asked,
                again_s=again_s,
            )
            refuted = True
    if same and where:  # what the headers hint at had no part in that
        hops = ()
    known = known_limits(after_s, "whole", hops)
    if known and _flowed(line) and not refuted:
        hinted = known[0].hinted(hops)
        said += text(
            "; it flowed to its end, as by no limit on silence; {seconds:.0f} s in all is a default of {who}",
            seconds=known[0].seconds,
            who=known[0].who,
        )
        said += text(", at which the headers hint") if hinted else ""
        sure: Certainty = "likely" if surely and (same or side or hinted) else "possible"
        others = (_ACCIDENT if again is None else "", "" if where else _SERVICE)
        apart = (
            text("a deadline from {others}", others=join("; from ", filter(None, others)))
            if any(others)
            else ""
        )
        to_try = with_lines(Cause.TIME_LIMIT.remedy, known)
        return NamedCause(Cause.TIME_LIMIT, sure, said, apart, side, to_try, holds=False)
    silent = known_limits(last_s if _silent(line) else None, "silence", hops)
    to_try = with_lines(Cause.ANSWER_CUT.remedy, (*silent, *known))
    sure = "certain" if surely else "possible"
    return NamedCause(Cause.ANSWER_CUT, sure, said, apart, side, to_try, holds=False)


def _silent(line: Timeline) -> bool:
    """Whether it had fallen silent before its end, by its own pace."""
    arrived = [arrival.arrived_ms for arrival in line.arrivals]
    pace_ms = median(later - sooner for sooner, later in pairwise(arrived)) if len(arrived) > 1 else 0.0
    return _last_ms(line) >= max(SILENT_MS, 3 * pace_ms)


def _flowed(line: Timeline) -> bool:
    return len(line.arrivals) > 1 and not _silent(line)


def _last_ms(line: Timeline) -> float:
    """The silence before its end."""
    return line.duration_ms - (line.arrivals[-1].arrived_ms if line.arrivals else 0.0)


def late_head(line: Timeline) -> str | None:
    """What there is to know of an answer whose head came only with its first event; None for another."""
    first, looked = line.first_event_ms, watched(line)
    if line.ttfb_ms is None or first is None or line.ttfb_ms < WAIT_MS or looked.looks is Looks.ONE_LUMP:
        return None
    if first - line.ttfb_ms > LUMP_MS:
        return None
    return text(
        "For {ttfb_ms:.1f} s nothing came, not even the head: that came with the first "
        "event. A limit on silence counts from the request on: send the head and a comment "
        "(a line with : and an empty one) at once.",
        ttfb_ms=line.ttfb_ms / 1000,
    )


def _false_length(line: Timeline, head: Mapping[str, str]) -> str | None:
    """What shows that its Content-Length is not true; None where it is, or there is none."""
    how = {
        End.CUT: text("its connection ended before that"),
        End.LEFT: text("it stayed open and silent"),
        End.UNKNOWN: text("there it ended within an event"),
    }
    length = head.get("content-length")
    if length is None or line.end not in how:
        return None
    return text("it says Content-Length: {length}, and {how}", length=length, how=how[line.end])


def _bursts(line: Timeline) -> str:
    """What the service's own stamps say of bursts that passed as they were sent; empty for none."""
    looked = watched(line)
    silence = looked.silence_ms or 0.0
    several = looked.clumps > BURST_EVENTS and looked.clump_events >= BURST_EVENTS
    if looked.looks is not Looks.STREAMED or not several or silence < APART_MS:
        return ""
    return text(
        "{clumps:,} times about {clump_events} events came at once, {silence:.0f} ms apart",
        clumps=looked.clumps,
        clump_events=looked.clump_events,
        silence=silence,
    )
