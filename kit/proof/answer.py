"""The answer's own evidence: its timeline, and a verdict from its send stamps or from its arrivals alone.

Weaker than the proof, so it says less: how much each method may say, and how often it is wrong, stands in
docs/detection.md.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from math import isfinite
from statistics import quantiles
from typing import TypeAlias

from kit.language import text
from kit.proof.actions import Progress
from kit.proof.clock import Clock
from kit.proof.doubts import BROKEN, Doubt
from kit.proof.ending import DOUBTS, ending
from kit.proof.events import Event
from kit.proof.looks import LUMP_SHARE, Looks, Piece, Watched, kind_of, watch
from kit.proof.received import Received
from kit.proof.timeline import Arrival, End, Timeline
from kit.proof.verdict import HELD, Finding, Method, Shape, Verdict

STRETCH = 0.5  # below it the arrivals are squeezed: fewer than 1 in 1,000 wrong if the span is long enough
SHORTEST_MS = 1_000.0
JITTERS = 16
BURST_MS = 50.0
STORED = 0.8  # of what its stamps span: what came whole sooner was not written since it was asked for
LATE_MS = 500.0
SLEPT_MS = 250.0  # of this process: about what makes a clump

# What makes a finding of an answer: of its timeline, and of each event's own stamp.
Judge: TypeAlias = Callable[[Timeline, Sequence[float | None]], Finding]


def timeline(
    received: Received, *, asked_ms: float, now_ms: float, offset_ms: float | None
) -> tuple[Timeline, tuple[float | None, ...]]:
    """The answer's timeline, and each event's own stamp (`t_ms`, None where it bears none).

    Args:
        received: the response, on the client's clock.
        asked_ms: when its request was sent, on the same clock.
        now_ms: our timeout, for a response that has not ended.
        offset_ms: the origin's clock minus ours; None where it is not known.
    """
    started = _number(received.headers.get("streamproof-started-ms"))
    arrivals, stamps = [], []
    for place, (at, event) in enumerate(received.arrivals):
        fields = _fields(event)
        stamp = _number(fields.get("t_ms"))
        sent = None
        if stamp is not None and started is not None and offset_ms is not None:
            sent = started + stamp - offset_ms - asked_ms
        seq = fields.get("seq")
        arrivals.append(
            Arrival(
                seq if isinstance(seq, int) and not isinstance(seq, bool) else place,
                sent,
                at - asked_ms,
                event.octets,
            )
        )
        stamps.append(stamp)
    arrivals = _not_before_sent(arrivals)
    end = ending(received, asked_ms=asked_ms)
    ended = received.ended_ms if received.ended_ms is not None else now_ms
    line = Timeline(
        tuple(arrivals),
        None if received.head_ms is None else received.head_ms - asked_ms,
        ended - asked_ms,
        end in (End.WHOLE, End.UNMARKED),
        end,
        _watched(received, asked_ms, arrivals, stamps),
    )
    return line, tuple(stamps)


def as_released(
    line: Timeline, progress: Progress | None, clock: Clock | None, *, asked_ms: float
) -> Timeline:
    """The timeline with what its origin noted: when each event was released that bears no time of its own.

    Args:
        line: the answer's.
        progress: what the origin said of its pieces when it was over; None for nothing.
        clock: the origin's; None where it is not known.
        asked_ms: when its request was sent, on the client's clock.
    """
    if progress is None or clock is None or progress.coding or not 0 < progress.pieces == len(progress.times):
        return line
    ends = list(accumulate(arrival.bytes for arrival in line.arrivals))
    if ends[-1:] != [progress.octets]:  # it holds something else as well, comments say
        return line
    began_ms = progress.gone_ms - progress.times[-1][2] - clock.offset_ms - asked_ms
    pieces = [octets for octets, _, _ in progress.times]
    sent = [began_ms + progress.times[bisect_left(pieces, end)][2] for end in ends]
    arrivals = [
        replace(arrival, sent_ms=at_ms) if arrival.sent_ms is None else arrival
        for arrival, at_ms in zip(line.arrivals, sent, strict=True)
    ]
    return replace(line, arrivals=tuple(_not_before_sent(arrivals)))


def came_late(line: Timeline, clock: Clock | None, *, slept_ms: float) -> str:
    """How its events came later than they were released, by so much that it is held; empty if it is not.

    Args:
        line: its timeline, with when each event was released.
        clock: the origin's; None where it is not known.
        slept_ms: by how much a read may be late because the process that read it did not run.
    """
    released = [arrival.sent_ms for arrival in line.arrivals]
    jitter_ms = 0.0 if clock is None else clock.jitter_ms
    found = judge(line, released, jitter_ms=jitter_ms, slept_ms=slept_ms)
    late_ms = [arrival.arrived_ms - (arrival.sent_ms or 0.0) for arrival in line.arrivals]
    if found.verdict not in HELD:
        return ""
    return text(
        "where several pieces were released one after another they came up to {late_ms:.0f} ms later",
        late_ms=max(late_ms),
    )


def judged(
    received: Received, *, asked_ms: float, now_ms: float, clock: Clock | None, by: Judge
) -> tuple[Timeline, Finding]:
    """The answer's timeline, and what it says by itself.

    Args:
        received: the response, on the client's clock.
        asked_ms: when its request was sent, on the same clock.
        now_ms: our timeout, for a response that has not ended.
        clock: the origin's; None where it is not known.
        by: what makes a finding of it.
    """
    offset_ms = None if clock is None else clock.offset_ms
    line, stamps = timeline(received, asked_ms=asked_ms, now_ms=now_ms, offset_ms=offset_ms)
    found = by(line, stamps)
    if clock is None and any(stamp is not None for stamp in stamps):
        found = replace(found, doubts=(*found.doubts, Doubt.CLOCKS_NOT_ALIGNED))
    return line, found


def of_stream(received: Received, clock: Clock | None, *, speaks_proof: bool) -> Judge:
    """How an answer is judged that was streamed, or refused.

    Args:
        received: its response.
        clock: the origin's; None where it is not known.
        speaks_proof: whether its origin speaks the proof's protocol.
    """

    def judge_it(line: Timeline, stamps: Sequence[float | None]) -> Finding:
        if is_refusal(received, speaks_proof=speaks_proof):
            return refusal(received)
        jitter_ms = 0.0 if clock is None else clock.jitter_ms
        found = judge(line, stamps, jitter_ms=jitter_ms, slept_ms=received.late_ms)
        if received.status != 200 and not line.arrivals:  # no answer, and nothing of it to doubt
            return replace(found, doubts=())
        if (said := _stored(received, line)) and Doubt.REPLAYED not in found.doubts:
            found = replace(found, doubts=(Doubt.REPLAYED, *found.doubts), evidence=(*found.evidence, said))
        if (
            received.late_ms >= SLEPT_MS
            or found.verdict is not Verdict.INCREMENTAL
            or watched(line).looks is not Looks.CLUMPED
        ):
            return found
        # Its stamps say that it was not sent so, and its clumps are too short for them to say more.
        return replace(
            found,
            verdict=Verdict.INCONCLUSIVE,
            doubts=(Doubt.ANSWER_IN_CLUMPS, *found.doubts),
            evidence=(*found.evidence, watched(line).says),
        )

    return judge_it


def _stored(received: Received, line: Timeline) -> str:
    """Why it is a copy that a cache had: one says so, and it came at once; else empty."""
    by = received.stored_by
    return (
        text("it came at once, as a copy that was stored ({by})", by=by)
        if by and watched(line).at_once
        else ""
    )


def is_refusal(received: Received, *, speaks_proof: bool) -> bool:
    """Whether a hop would not forward it incrementally; a bare 501 says so where the origin knows better."""
    return received.refused or (received.status == 501 and speaks_proof)


def judge(
    line: Timeline,
    stamps: Sequence[float | None],
    *,
    jitter_ms: float,
    jitters: float = JITTERS,
    slept_ms: float = 0.0,
) -> Finding:
    """The verdict of one answer.

    Args:
        line: when its events arrived.
        stamps: each event's own, None where it bears none.
        jitter_ms: how much a round trip varied (0 if not measured).
        jitters: how many of them the answer must outlast.
        slept_ms: by how much a read may be late because the process that read it did not run.
    """
    cut = _doubts(line)
    stamped = [
        (stamp, arrival.arrived_ms)
        for stamp, arrival in zip(stamps, line.arrivals, strict=True)
        if stamp is not None
    ]
    if len(stamped) < 3:
        return _by_arrivals(line, cut)
    sent_span = stamped[-1][0] - stamped[0][0]
    came_span = stamped[-1][1] - stamped[0][1]
    if sent_span < max(SHORTEST_MS, jitters * jitter_ms):
        bunched = stamped[0][0] > SHORTEST_MS and sent_span < 0.2 * stamped[0][0]
        doubts = (Doubt.APP_BUNCHED if bunched else Doubt.TOO_SHORT, *cut)
        seen = text("the service's own stamps span only {sent_span:.0f} ms", sent_span=sent_span)
        if sent_span >= SHORTEST_MS:
            seen = text("{seen}, and round trips vary by {jitter_ms:.0f} ms", seen=seen, jitter_ms=jitter_ms)
            if came_span <= LUMP_SHARE * sent_span and watched(line).held:
                doubts = (Doubt.ANSWER_IN_CLUMPS, *doubts)
        return Finding(Verdict.INCONCLUSIVE, Method.STAMPS, doubts=doubts, evidence=(seen,))
    stretch = came_span / sent_span
    latest = quantiles(_lateness(stamped), n=10)[-1]
    seen = text(
        "{stamped} stamped events, sent over {sent_span:.0f} ms, arrived over "
        "{came_span:.0f} ms (stretch {stretch:.2f})",
        stamped=len(stamped),
        sent_span=sent_span,
        came_span=came_span,
        stretch=stretch,
    )
    late = max(LATE_MS, jitters * jitter_ms)
    if stretch >= STRETCH and latest < late:
        return Finding(Verdict.INCREMENTAL, Method.STAMPS, doubts=cut, evidence=(seen,))
    if stamped[-1][1] < STORED * sent_span:
        seen = text(
            "{seen}, whole {stamped:.0f} ms after it was asked for: it was written before that",
            seen=seen,
            stamped=stamped[-1][1],
        )
        return Finding(Verdict.INCONCLUSIVE, Method.STAMPS, doubts=(Doubt.REPLAYED, *cut), evidence=(seen,))
    # What came while this process slept was read together and late, by as much as that at most.
    if (came_span + slept_ms) / sent_span >= STRETCH and latest - slept_ms < late:
        slept = text(
            "this process did not run for up to {slept_ms:.0f} ms of it, which may be all of that",
            slept_ms=slept_ms,
        )
        return Finding(
            Verdict.INCONCLUSIVE, Method.STAMPS, doubts=(Doubt.BUSY_MACHINE, *cut), evidence=(seen, slept)
        )
    unknown = (Doubt.BUFFER_SIZE_UNKNOWN, *cut)
    if came_span <= max(4 * BURST_MS, LUMP_SHARE * sent_span):
        return Finding(
            Verdict.WHOLE_MESSAGE, Method.STAMPS, shape=Shape.WHOLE, doubts=unknown, evidence=(seen,)
        )
    return Finding(Verdict.BYTE_LIMITED, Method.STAMPS, doubts=unknown, evidence=(seen,))


def refusal(received: Received) -> Finding:
    """The finding of an answer that a hop would not forward incrementally."""
    seen = text(
        "the answer was refused with {status}: a hop will not forward it incrementally",
        status=received.status,
    )
    return Finding(Verdict.REFUSED, Method.PASSIVE, evidence=(seen,))


def combine(proof: Finding | None, answer: Finding, line: Timeline, *, event_bytes: int) -> Finding:
    """One finding from the proof's and the answer's.

    Args:
        proof: None where none could be had.
        answer: what the answer's own stamps or arrivals say.
        line: its timeline.
        event_bytes: events up to this size are judged; a tail above it is a doubt, not a verdict.
    """
    if answer.method is Method.LOCK_STEP:
        return answer if proof is None else _beside(answer, proof, line, event_bytes)
    if proof is None or answer.verdict is Verdict.REFUSED:
        return answer
    evidence = (*proof.evidence, *(text("the answer: {seen}", seen=seen) for seen in answer.evidence))
    verdict, shape, size, doubts = proof.verdict, proof.shape, proof.block_bytes, proof.doubts
    if shape is Shape.TAIL and size is not None and size >= event_bytes:
        verdict, shape, size = Verdict.INCREMENTAL, None, None
        doubts = (*doubts, Doubt.LARGE_EVENTS_HELD)
    carried = {
        *BROKEN,
        Doubt.ANSWER_IN_CLUMPS,
        Doubt.END_UNMARKED,
        Doubt.STILL_RUNNING,
        Doubt.TOO_SHORT,
        Doubt.APP_BUNCHED,
        Doubt.CLOCKS_NOT_ALIGNED,
        Doubt.BUSY_MACHINE,
    }
    doubts = (*doubts, *(doubt for doubt in answer.doubts if doubt in carried))
    if answer.method is Method.PASSIVE:
        doubts = (*doubts, Doubt.ANSWER_NOT_CHECKED)
        looked = watched(line)
        unclear = looked.looks is not Looks.STREAMED and not (looked.looks is None and looked.flows)
        if verdict is Verdict.INCREMENTAL and unclear:
            verdict, shape, size = Verdict.INCONCLUSIVE, None, None
            doubts = (*doubts, Doubt.ANSWER_IN_CLUMPS) if looked.held else doubts
    elif verdict is Verdict.INCREMENTAL and (
        Doubt.ANSWER_IN_CLUMPS in answer.doubts or _unseen(answer, line)
    ):
        verdict, shape, size = Verdict.INCONCLUSIVE, None, None
    if _contradict(verdict, answer) or _passes_the_hold(proof, answer, line):
        verdict, shape, size = Verdict.INCONCLUSIVE, None, None
        doubts = (*doubts, Doubt.ANSWER_DISAGREES_WITH_PROOF)
    return Finding(verdict, proof.method, shape, size, proof.hold_ms, proof.hold_floor_ms, doubts, evidence)


def _beside(answer: Finding, proof: Finding, line: Timeline, event_bytes: int) -> Finding:
    """The answer's own, by lock-step: the proof's streams only say more of how it is held."""
    evidence = (
        *answer.evidence,
        *(text("the proof's own stream: {seen}", seen=seen) for seen in proof.evidence),
    )
    answer = replace(answer, evidence=evidence)
    if answer.verdict is Verdict.INCREMENTAL:
        size = proof.block_bytes if proof.shape is Shape.TAIL else None
        if size is not None and size >= event_bytes:
            return replace(answer, doubts=(*answer.doubts, Doubt.LARGE_EVENTS_HELD))
        larger = size is not None and largest_event(line) <= size
        return replace(proof, evidence=evidence) if larger else answer
    if proof.verdict in HELD:
        known = (Doubt.BUFFER_SIZE_UNKNOWN, Doubt.NOT_REPEATED, Doubt.APP_BUNCHED)
        if answer.verdict is Verdict.INCONCLUSIVE:
            evidence = (
                *evidence,
                text("what passes the way is held inside the service: a middleware holds it"),
            )
        doubts = (*proof.doubts, *(doubt for doubt in answer.doubts if doubt not in known))
        return replace(proof, doubts=doubts, evidence=evidence)
    once = proof.verdict is Verdict.INCREMENTAL and Doubt.NOT_REPEATED in answer.doubts
    return replace(answer, verdict=Verdict.INCONCLUSIVE, shape=None) if once else answer


def in_lock_step(answer: Finding, steps: Finding | None, seen: Sequence[str], sent: str) -> Finding:
    """The finding of an answer that was to be released piece by piece.

    Args:
        answer: what it says by its stamps or arrivals.
        steps: what its pieces say; None for nothing.
        seen: what else was seen of them.
        sent: how the app sent it all at once; empty where it did not.
    """
    bunched = (Doubt.APP_BUNCHED,) if sent else ()
    evidence = (*seen, *answer.evidence, *((sent,) if sent else ()))
    if steps is None:
        return replace(answer, doubts=tuple(dict.fromkeys((*bunched, *answer.doubts))), evidence=evidence)
    carried = {*BROKEN, Doubt.END_UNMARKED, Doubt.STILL_RUNNING, Doubt.CLOCKS_NOT_ALIGNED}
    doubts = (*bunched, *steps.doubts, *(doubt for doubt in answer.doubts if doubt in carried))
    verdict = Verdict.INCONCLUSIVE if sent and steps.verdict is Verdict.INCREMENTAL else steps.verdict
    return replace(steps, verdict=verdict, doubts=doubts, evidence=(*steps.evidence, *evidence))


def _unseen(answer: Finding, line: Timeline) -> bool:
    """Whether the process that read it slept so long that its lump says nothing."""
    slept = answer.verdict is Verdict.INCONCLUSIVE and Doubt.BUSY_MACHINE in answer.doubts
    return slept and watched(line).looks is not Looks.STREAMED


def _contradict(verdict: Verdict, answer: Finding) -> bool:
    if answer.method is not Method.STAMPS:
        return False
    held = answer.verdict in (Verdict.WHOLE_MESSAGE, Verdict.BYTE_LIMITED)
    streamed = answer.verdict is Verdict.INCREMENTAL
    return (verdict is Verdict.INCREMENTAL and held) or (verdict is Verdict.WHOLE_MESSAGE and streamed)


def _passes_the_hold(proof: Finding, answer: Finding, line: Timeline) -> bool:
    """Whether an answer without stamps was seen to come bit by bit through what would have held all of it."""
    looked = watched(line)
    streams = answer.method is Method.PASSIVE and looked.looks is Looks.STREAMED and looked.not_whole
    filled = proof.shape in (Shape.BLOCKS, Shape.PREFIX) and (proof.block_bytes or 0) > looked.octets
    return streams and (proof.verdict is Verdict.WHOLE_MESSAGE or filled)


def _by_arrivals(line: Timeline, cut: tuple[Doubt, ...]) -> Finding:
    """Arrivals alone: a suspicion at most (130 of 240 fast servers looked fully buffered)."""
    looked = watched(line)
    formless = (Doubt.NO_EVENTS,) if not looked.events and looked.octets else ()
    doubts = (*formless, Doubt.ARRIVALS_ALONE, *cut)
    return Finding(Verdict.INCONCLUSIVE, Method.PASSIVE, doubts=doubts, evidence=(looked.says,))


def _doubts(line: Timeline) -> tuple[Doubt, ...]:
    """What there is to doubt about its end."""
    if line.end is None:
        return () if line.complete else (Doubt.STREAM_CUT,)
    return DOUBTS[line.end]


def watched(line: Timeline) -> Watched:
    """What an answer looks like, by its events alone where its reads are not known. A hint, no verdict."""
    if line.watched is not None:
        return line.watched
    return watch([Piece(arrival.arrived_ms, arrival.bytes) for arrival in line.arrivals], (), "events")


def _watched(
    received: Received, asked_ms: float, arrivals: Sequence[Arrival], stamps: Sequence[float | None]
) -> Watched:
    events = [
        Piece(arrival.arrived_ms, arrival.bytes, stamp)
        for arrival, stamp in zip(arrivals, stamps, strict=True)
    ]
    reads = [Piece(at - asked_ms, octets) for at, octets in received.reads]
    kind = kind_of(received.headers.get("content-type", ""))
    if kind == "document" and _in_lines(received):
        kind = "text"
    return watch(events, reads, kind)


def _in_lines(received: Received) -> bool:
    """Whether what calls itself one JSON document is several, a line each, whose reads are no events."""
    begun = "".join(event.data for _, event in received.arrivals[:16] if event.type == "chunk")
    first = [line for line in begun.splitlines() if line][:2]
    try:
        return len(first) == 2 and all(isinstance(json.loads(line), dict) for line in first)
    except (ValueError, RecursionError):
        return False


def _not_before_sent(arrivals: list[Arrival]) -> list[Arrival]:
    """Nothing arrives before it was sent: where the pings' mapping says so, it is off by at least that."""
    early = min((a.arrived_ms - a.sent_ms for a in arrivals if a.sent_ms is not None), default=0.0)
    if early >= 0:
        return arrivals
    return [a if a.sent_ms is None else replace(a, sent_ms=a.sent_ms + early) for a in arrivals]


def _lateness(stamped: Sequence[tuple[float, float]]) -> list[float]:
    """How much later than the promptest event each arrived; clocks need no common zero for that."""
    promptest = min(arrived - stamp for stamp, arrived in stamped)
    return [arrived - stamp - promptest for stamp, arrived in stamped]


def _fields(event: Event) -> dict[str, object]:
    """The event's JSON object, an NDJSON line's `data` inside it taken for it; empty if it is none."""
    try:
        payload = json.loads(event.data)
    except (ValueError, RecursionError):
        return {}
    if isinstance(payload, dict) and isinstance(payload.get("data"), dict):
        payload = payload["data"]
    return payload if isinstance(payload, dict) else {}


def _number(value: object) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def largest_event(line: Timeline) -> int:
    """The largest event of the answer in octets; 0 if there was none."""
    return max((arrival.bytes for arrival in line.arrivals), default=0)


def first_hold_ms(line: Timeline) -> float | None:
    """How long after it was sent the first event arrived; None where the send time is not known."""
    first = line.arrivals[0] if line.arrivals else None
    return None if first is None or first.sent_ms is None else max(0.0, first.arrived_ms - first.sent_ms)
