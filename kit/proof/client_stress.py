"""Further runs of a client that holds nothing, a fault each: pure, as `kit.proof.client_trial`.

A client that printed five events in lock-step gets what a production stream brings sooner or later: events
that come in pieces, a large one, a silence, an end. No threshold judges: an event is lost when a later one
was printed, a client has given up when it ended or asked again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from kit.language import join, text
from kit.proof.actions import End, Feed, Machine, Open, Pair
from kit.proof.client_causes import ClientCause, Fault
from kit.proof.client_marks import Place
from kit.proof.client_trial import (
    TIMEOUT_MS,
    TOKENS,
    Outcome,
    Trial,
    never_asked,
    wait,
)
from kit.proof.received import Received

# Octets. The usual limits of a line lie between: 64 KiB (asyncio, Go's bufio.Scanner), 128 KiB (aiohttp).
LARGE = (60_000, 120_000, 250_000, 700_000)
# Seconds. The usual read timeouts lie below: 5 (httpx), 10 (OkHttp), 30, 60 (Ruby, URLSession). The sums lie
# above the usual limits of a whole answer, 10 and 100 (.NET).
SILENCES = (6.0, 5.0)
LONG_SILENCES = (6.0, 11.0, 31.0, 61.0)
SLOW_MS = 10_000.0  # for a client that is slow and does print it
AGAIN_MS = 4_000.0  # EventSource asks again after 3 s, or when the stream says
BEAT_MS = 200.0  # well below the shortest read timeout


class Stress(StrEnum):
    """What is tried."""

    SPLIT = "split"
    LARGE = "large"
    SILENT = "silent"
    TALKING = "talking"
    ENDED = "ended"
    CLOSED = "closed"  # ended after an event that says so


def stress(kind: Stress, places: Sequence[Place], seconds: Sequence[float]) -> Machine[Trial]:
    """One run.

    Args:
        kind: what is tried.
        places: of `SPLIT`, at least one.
        seconds: the silences of `SILENT`, one after the other; how long to talk for `TALKING`.
    """
    opened = yield Open(TOKENS[0])
    stream = opened.stream
    assert stream is not None  # noqa: S101 (an Open was answered)
    if stream.status is None:
        return never_asked(stream)
    if not (yield from _seen(stream, 0)):
        ended = stream.ended_ms is not None
        return Trial(Outcome.UNRECOGNISED, text("the first event was not printed"), ended=ended)
    match kind:
        case Stress.SPLIT:
            found = yield from _split(stream, places)
        case Stress.LARGE:
            found = yield from _large(stream)
        case Stress.SILENT:
            found = yield from _silent(stream, seconds)
        case Stress.TALKING:
            found = yield from _talking(stream, seconds[0])
        case _:
            found = yield from _ended(stream)
    if stream.ended_ms is None:
        yield End(0)
    return found


def _split(stream: Received, places: Sequence[Place]) -> Machine[Trial]:
    sent: dict[Place, int] = {}
    stopped = None
    for place in places:
        sent[place] = 1 + 2 * len(sent)
        yield Pair(place)
        if not (yield from _seen(stream, sent[place] + 1)) and stream.ended_ms is not None:
            stopped = place
            break
    yield from _seen(stream, 2 * len(sent), SLOW_MS)  # on a busy machine it may still come
    printed = {int(event.id): event.data for _, event in stream.arrivals}
    complete = {place: seq for place, seq in sent.items() if {seq, seq + 1} <= printed.keys()}
    lost = [place for place in sent if place not in complete and place is not stopped]
    wrong: dict[ClientCause, list[Place]] = {}
    for place in lost:
        # One that loses an event at any cut loses it within a character too, and one that loses CRLF wherever
        # that is cut.
        same = {Place.CHARACTER: Place.LINE, Place.CR: Place.CRLF}.get(place, place)
        wrong.setdefault(_CAUSES[same if same in lost else place], []).append(place)
    found = [Fault(cause, text("loses {those}", those=_those(those))) for cause, those in wrong.items()]
    if _garbled(printed, complete):
        found.append(Fault(ClientCause.GARBLES, text("garbles {those}", those=_those([Place.CHARACTER]))))
    said = join("; ", (each.how for each in found))
    if stopped is not None:
        left = [place for place in places if place not in sent]
        gave_up = text("gives up at {those}", those=_those([stopped]))
        untried = text("not tried then: {those}", those=_those(left)) if left else ""
        seen = join("; ", [one for one in (said, gave_up, untried) if one])
        if len(places) == 1:  # as few events as it is known to read
            found.append(Fault(_CAUSES[stopped], gave_up))
        return Trial(Outcome.BROKE, seen, ended=True, wrong=tuple(found), place=stopped)
    if found:
        return Trial(Outcome.BROKE, said, wrong=tuple(found))
    return Trial(Outcome.FLOWS, text("printed whole: {those}", those=_those(places)))


def _garbled(printed: Mapping[int, str], complete: Mapping[Place, int]) -> bool:
    """Whether a cut changed a character: the event after it bears the same ones."""
    differ = {place for place, seq in complete.items() if printed[seq] != printed[seq + 1]}
    if Place.CHARACTER not in differ:
        return False
    # One that prints each read on a line of its own, with the time maybe, differs wherever an event is cut.
    cut, whole = (printed[complete[Place.CHARACTER] + after] for after in (0, 1))
    return Place.LINE not in differ or ("\ufffd" in cut and "\ufffd" not in whole)


def _those(places: Sequence[Place]) -> str:
    first, *more = (place.value for place in places)
    return join(", ", [text("an event {what}", what=first), *(text("one {what}", what=one) for one in more)])


_CAUSES = {
    Place.WHOLE: ClientCause.NOT_UTF8,
    Place.TOGETHER: ClientCause.LOSES_EVENTS,
    Place.LINE: ClientCause.LOSES_EVENTS,
    Place.NAME: ClientCause.LOSES_EVENTS,
    Place.BLANK: ClientCause.LOSES_EVENTS,
    Place.CHARACTER: ClientCause.GARBLES,
    Place.CRLF: ClientCause.LF_ONLY,
    Place.CR: ClientCause.LOSES_EVENTS,
}


def _large(stream: Received) -> Machine[Trial]:
    passed, sent = 0, 1
    for octets in LARGE:
        yield Feed(octets, 0)
        large, sent = sent, sent + 1
        if not (yield from _seen(stream, large)) and stream.ended_ms is None:
            yield Feed(TOKENS[0], 0)  # printed without the large one: that is lost
            sent += 1
            yield from _seen(stream, large + 1, SLOW_MS)
        if _printed(stream, large):
            passed = octets
            continue
        cause, how = ClientCause.LONG_LINE, text("loses an event of {n:,} bytes", n=octets)
        if stream.ended_ms is not None:
            how = text("gives up at an event of {n:,} bytes", n=octets)
        elif not _printed(stream, large + 1):
            cause = ClientCause.SLOW_LINE
            how = text("takes more than 10 s for one of {n:,} bytes", n=octets)
        how += text(" (one of {n:,} passes)", n=passed) if passed else ""
        return Trial(Outcome.BROKE, how, ended=stream.ended_ms is not None, wrong=(Fault(cause, how),))
    return Trial(Outcome.FLOWS, text("events of up to {n:,} bytes were printed", n=passed))


def _silent(stream: Received, silences: Sequence[float]) -> Machine[Trial]:
    for seq, seconds in enumerate(silences, 1):
        begun_ms = stream.arrivals[-1][0]
        yield from wait(stream, seconds * 1000)
        if stream.ended_ms is None:
            yield Feed(TOKENS[0], 0)
            if (yield from _seen(stream, seq, SLOW_MS)):
                continue
        how = text("prints nothing any more after {time} of silence", time=_seconds(seconds * 1000))
        if stream.ended_ms is not None:
            how = text("gives up after {time} of silence", time=_seconds(stream.ended_ms - begun_ms))
        lived_ms = _lived_ms(stream)
        seen = how + (text(", {time} after it had asked", time=_seconds(lived_ms)) if lived_ms else "")
        wrong = (Fault(ClientCause.SILENCE, how),)
        return Trial(Outcome.BROKE, seen, ended=lived_ms is not None, wrong=wrong, lived_ms=lived_ms)
    each = join(", ", (f"{seconds:g}" for seconds in silences))
    return Trial(Outcome.FLOWS, text("after a silence of {each} s the next event was printed", each=each))


def _talking(stream: Received, seconds: float) -> Machine[Trial]:
    for seq in range(1, int(seconds * 1000 / BEAT_MS) + 1):
        yield from wait(stream, BEAT_MS)
        if stream.ended_ms is None:
            yield Feed(TOKENS[0], 0)
            if (yield from _seen(stream, seq, SLOW_MS)):
                continue
        lived_ms = _lived_ms(stream)
        how = text("prints nothing any more")
        if lived_ms is not None:
            how = text("gives up after about {time}", time=_seconds(lived_ms))
        wrong = (Fault(ClientCause.WHOLE_TIME, how + text(", with no silence before")),)
        return Trial(Outcome.BROKE, how, ended=lived_ms is not None, wrong=wrong, lived_ms=lived_ms)
    whole = text("{time} of events without a silence: each was printed", time=_seconds(seconds * 1000))
    return Trial(Outcome.FLOWS, whole)


def _ended(stream: Received) -> Machine[Trial]:
    yield Feed(TOKENS[1], 0)
    yield from _seen(stream, 1)
    yield End(0)
    yield from wait(stream, AGAIN_MS)
    return Trial(Outcome.FLOWS, text("the stream ended"))


def _printed(stream: Received, seq: int) -> bool:
    return any(event.id == str(seq) for _, event in stream.arrivals)


def _seen(stream: Received, seq: int, within_ms: float = TIMEOUT_MS) -> Machine[bool]:
    """Wait for an event's own mark; whether it came."""
    while not _printed(stream, seq):
        events = stream.events
        within_ms -= yield from wait(stream, within_ms, events=events + 1)
        if stream.events == events:
            break
    return _printed(stream, seq)


def _lived_ms(stream: Received) -> float | None:
    """From the request to where the client gave up; None where it did not."""
    if stream.ended_ms is None or stream.head_ms is None:
        return None
    return stream.ended_ms - stream.head_ms


def _seconds(ms: float) -> str:
    return text("{s} s", s=f"{ms / 1000:.1f}".removesuffix(".0"))
