"""Through a deploy: what became of the streams that were open on a version while its traffic moved. Pure.

A stream of the proof's is fed until it is asked to end; an answer of the kit's own `/search` ends by itself,
and says how (`done`, or an `error` that says when to ask again). A stream that is over before the traffic
begins to move is none that is judged: another one is opened in its place.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kit.proof.actions import Await, End, Feed, Machine, Open
from kit.proof.contract import Clause, ClauseFinding
from kit.proof.doubts import Doubt
from kit.proof.received import Received
from kit.proof.steps import SMALL

BEAT_MS = 1_000.0  # between two events of a stream of the proof's
LOOK_MS = 100.0
SIDE_MS = 3_000.0
TRIES = 6  # for a side request to reach the instance that has the stream
ENDS_MS = 10_000.0  # for the end of a stream that was asked to end; this process's own sleep is not counted
LIFE_S = 900  # longer than traffic takes to move and a version to stop
OLDER_S = 120.0  # after which an older origin ends each stream
# Told to stop, it goes on for so long, as an answer would that was under way.
STOP_S = 5


class Fate(StrEnum):
    """What became of a stream, the worst first; the values are said of "3 of 5"."""

    CUT = "cut without a word"
    TOLD = "told to reconnect, in vain"
    ENDED = "ended early, in good order,"
    OPEN = "still open"
    ANEW = "told to reconnect, and answered anew"
    RESUMED = "told to reconnect, and went on without a gap"
    FINISHED = "finished"


_ADVICE = {
    Fate.CUT: "Have the app end its streams itself when it gets SIGTERM, within the platform's grace, and "
    "say when an answer is whole, as by an event `done`: a client asks again where that did not come.",
}


@dataclass(frozen=True, slots=True)
class KeptStream:
    """One stream that was open when its traffic began to move.

    Attributes:
        fate: what became of it.
        over_ms: when it was over, or no longer watched.
        how: what was seen at its end, in a few words; empty for nothing more.
    """

    fate: Fate
    over_ms: float
    how: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """When what was done to the version that served, in milliseconds; None for what was not done."""

    began_ms: float
    moved_ms: float | None = None
    stopping_ms: float | None = None
    stopped_ms: float | None = None


@dataclass(slots=True)
class Slot:
    """What one stream shares with who keeps it.

    Attributes:
        opened: whether it was open.
        leave: whether it is to be asked to end.
        again: where its client asks again; empty for the same address.
    """

    opened: bool = False
    leave: bool = False
    again: str = ""


def fed(slot: Slot) -> Machine[KeptStream]:
    """One stream of the proof's: fed from its opening until the slot is to be left, then asked to end.

    Where its origin is told to stop before that, the stream has `STOP_S` to go. It need not arrive: behind a
    front that holds the whole message nothing does until its end.
    """
    observed = yield Open(SMALL, seconds=LIFE_S, stop=STOP_S)
    stream, opened_ms = observed.stream, observed.now_ms
    assert stream is not None  # noqa: S101 - it was opened just now
    emitted, next_ms, limit_s = 0, 0.0, OLDER_S
    while stream.ended_ms is None and not slot.leave:
        if observed.now_ms >= next_ms:
            observed = yield Feed(SMALL, SIDE_MS)
            if observed.reply is not None and observed.reply.known:
                slot.opened, emitted = True, observed.reply.emitted
                limit_s = observed.reply.seconds or OLDER_S
            next_ms = observed.now_ms + (BEAT_MS if slot.opened else 0)
        observed = yield Await(LOOK_MS)
    asked, tries, waited_ms = False, 0, 0.0
    while stream.ended_ms is None and not asked and tries < TRIES:  # of several instances one has it
        observed = yield End(SIDE_MS)
        if observed.reply is not None and observed.reply.known:
            asked, emitted = True, observed.reply.emitted
        tries += 1 if observed.reply is not None else TRIES // 2
    while stream.ended_ms is None and asked and waited_ms < ENDS_MS:
        before_ms = observed.now_ms
        observed = yield Await(LOOK_MS)
        waited_ms += observed.now_ms - before_ms - observed.late_ms
    if stream.ended_ms is not None:
        limited = stream.ended_ms - opened_ms > (limit_s - 1) * 1000
        fate, how = _ended(stream, emitted, asked=asked, limited=limited)
        return KeptStream(fate, stream.ended_ms, how)
    if asked:
        return KeptStream(Fate.CUT, observed.now_ms, "its origin ended it, and no end came")
    return KeptStream(Fate.OPEN, observed.now_ms, "no side request reached it any more")


def _ended(stream: Received, emitted: int, *, asked: bool, limited: bool) -> tuple[Fate, str]:
    """What became of a stream of the proof's that is over."""
    if stream.status != 200 or not stream.clean:
        return Fate.CUT, _cut(stream)
    lost, doubled = _gaps([_seq(event.data) for _, event in stream.arrivals], emitted)
    if not (lost or doubled or asked):
        if limited:
            return Fate.FINISHED, "at the proof's own limit"
        if _object(stream.arrivals[-1][1].data if stream.arrivals else "").get("part") == "last":
            return Fate.FINISHED, f"the last {STOP_S} s of it after its version had been told to stop"
        return Fate.ENDED, "an origin whose copy of the proof is older does so as soon as it is told to stop"
    return (
        (Fate.CUT, f"{lost} of its events lost, {doubled} doubled")
        if lost or doubled
        else (Fate.FINISHED, "")
    )


def answered(first: Received, then: Received | None = None, *, resumed: bool = False) -> tuple[Fate, str]:
    """What became of an answer of the kit's own `/search`.

    Args:
        first: it; an event stream.
        then: the answer to a client that came back for it; None where none did, or got one.
        resumed: whether that goes on with the first one.
    """
    last = first.arrivals[-1][1] if first.arrivals else None
    if last is not None and last.type == "done":
        lost, doubled = _gaps(_numbers(first))
        return (
            (Fate.CUT, f"{lost} of its events lost, {doubled} doubled")
            if lost or doubled
            else (Fate.FINISHED, "")
        )
    if last is not None and last.type == "error":
        return _reconnected(first, then, resumed=resumed)
    return (Fate.OPEN, "") if first.ended_ms is None else (Fate.CUT, _cut(first))


def retry_after_s(answer: Received) -> float | None:
    """After how many seconds an answer tells its client to ask again; None where it does not."""
    last = answer.arrivals[-1][1] if answer.arrivals else None
    after = _object(last.data).get("retry_after_s") if last is not None and last.type == "error" else None
    return float(after) if isinstance(after, (int, float)) else None


def last_id(answer: Received) -> str:
    """The id of the last event that a client has had; empty for none."""
    return answer.arrivals[-1][1].id if answer.arrivals else ""


def _reconnected(first: Received, then: Received | None, *, resumed: bool) -> tuple[Fate, str]:
    kind = str(_object(first.arrivals[-1][1].data).get("type", "")).rpartition(":")[2] or "error"
    if then is None or then.status != 200 or not then.arrivals:
        status = "" if then is None or then.status is None else f", then status {then.status}"
        return Fate.TOLD, f"{kind}{status}"
    if not resumed:
        return Fate.ANEW, kind
    lost, doubled = _gaps([*_numbers(first), *_numbers(then)])
    if lost or doubled or then.arrivals[-1][1].type != "done":
        return Fate.TOLD, f"{kind}; {lost} events lost, {doubled} doubled"
    return Fate.RESUMED, kind


def _cut(stream: Received) -> str:
    if stream.status is None:
        return "no response came"
    if stream.status != 200:
        return f"answered with status {stream.status}"
    return "closed in good order, before it was whole" if stream.clean else "its connection broke off"


def _gaps(numbers: Sequence[int], least: int = 0) -> tuple[int, int]:
    """How many are missing of 0, 1, 2 … (up to the greatest, and `least` of them), and how many doubled."""
    there = set(numbers)
    wanted = range(max(least, max(there, default=-1) + 1))
    return len(set(wanted) - there), len(numbers) - len(there)


def _numbers(answer: Received) -> list[int]:
    """The numbers of an answer's events, by their ids; an `error` ends the response, not the answer."""
    ids = [event.id.rpartition(".")[2] for _, event in answer.arrivals if event.type != "error"]
    return [int(number) for number in ids if number.isascii() and number.isdigit()]


def _seq(data: str) -> int:
    seq = _object(data).get("seq")
    return seq if isinstance(seq, int) else -1


def _object(data: str) -> Mapping[str, object]:
    try:
        payload = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}


def unwatched(why: str) -> ClauseFinding:
    """The clause where no stream could be kept open."""
    return ClauseFinding(Clause.DEPLOY, why, "unknown")


def through(
    streams: Sequence[KeptStream],
    move: Move,
    opened: str,
    *,
    accidents: int = 0,
    unopened: Sequence[str] = (),
) -> ClauseFinding:
    """The clause, by what became of the streams that were open when the traffic began to move.

    Args:
        streams: one at least.
        move: when what was done.
        opened: which streams they were, as a sentence of the evidence.
        accidents: how many were cut before anything moved.
        unopened: of each that could not be opened, why.
    """
    groups = {fate: [one for one in streams if one.fate is fate] for fate in Fate}
    there = [(fate, group) for fate, group in groups.items() if group]
    worst, many = there[0][0], len(streams)
    says = ", ".join(
        f"{len(group)}{f' of {many}' if at == 0 else ''} {_said(fate, group, move, alone=len(there) == 1)}"
        for at, (fate, group) in enumerate(there)
    )
    doubts = []
    if worst is Fate.CUT and accidents:
        doubts.append(Doubt.STREAM_CUT)
    if any(len(group) == 1 for _, group in there):
        doubts.append(Doubt.NOT_REPEATED)
    evidence = [opened]
    if unopened:
        evidence.append(f"{len(unopened)} more could not be opened: {'; '.join(sorted(set(unopened)))}.")
    evidence.append(_moved(move))
    evidence += [_group(fate, group, move) for fate, group in there]
    if accidents:
        evidence.append(f"{accidents} had been cut before the traffic moved, and were opened again.")
    return ClauseFinding(
        Clause.DEPLOY,
        says,
        "likely" if doubts else "proved",
        doubts=tuple(doubts),
        evidence=tuple(evidence),
        advice=_ADVICE.get(worst, ""),
    )


def _said(fate: Fate, group: Sequence[KeptStream], move: Move, *, alone: bool) -> str:
    if fate is Fate.FINISHED:
        return f"streams {fate}" if alone else str(fate)
    return f"{fate} after {_span(group, move)}" if fate in (Fate.CUT, Fate.ENDED, Fate.OPEN) else str(fate)


def _group(fate: Fate, group: Sequence[KeptStream], move: Move) -> str:
    hows = Counter(one.how for one in group if one.how)
    how = "; ".join(f"{many} × {text}" if len(hows) > 1 else text for text, many in hows.items())
    kind = str(fate).rstrip(",")
    return f"{len(group)} {kind}, {_span(group, move)} after the move began{f': {how}' if how else ''}."


def _moved(move: Move) -> str:
    parts = ["The traffic began to move at 0 s"]
    for text, at_ms in (
        ("had moved at", move.moved_ms),
        ("the version before was told to stop at", move.stopping_ms),
        ("and had been at", move.stopped_ms),
    ):
        if at_ms is not None:
            parts.append(f"{text} {_s(at_ms - move.began_ms)} s")
    return f"{', '.join(parts)}."


def _span(group: Sequence[KeptStream], move: Move) -> str:
    """When they were over, in seconds after the move began."""
    times = [one.over_ms - move.began_ms for one in group]
    least, most = _s(min(times)), _s(max(times))
    return f"{least} s" if least == most else f"{least} to {most} s"


def _s(ms: float) -> str:
    return f"{max(0.0, ms) / 1000:.1f}" if ms < 10_000 else f"{ms / 1000:.0f}"
