"""An answer's looks, by its arrivals alone: streamed, in clumps, in one lump, or no stream at all.

A look is no verdict. "Streamed" and "clumped" are said only of what neither chance nor a busy machine makes;
between them nothing is said. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import median_low
from typing import Literal

from kit.language import text

# What the answer says it is: a stream of events, bare text, a web page, a JSON document.
Kind = Literal["events", "text", "page", "document"]

SPREAD_MS = 500.0  # an answer that came within less does not tell how it came
LUMP_MS = 50.0  # what came within so little came at once, as far as a reader can see
LUMP_SHARE = 0.1
WAIT_MS = 1_000.0  # a lump before which less passed may be the work of a fast server
# A hop may delay an event by up to 80 ms by chance (a radio link does) and so bring several together, but
# then never with more than 2 · 80 + 30 ms of silence before them.
SILENCE_MS = 200.0
TOGETHER_MS = 30.0  # between two reads of one release
CLUMPS = 3  # two clumps after a silence may be two stalls of a busy machine
CLUMPED_SHARE = 0.8
STALLED_SHARE = 0.2  # of its time, or its pieces: a hold that comes and goes shows more
MANY = 10
# After a first event (many services send one before the model has begun), fewer than these may be a short
# answer of a model that thought first.
REST_EVENTS = 10
SMALLEST_BUFFER = 1_024  # octets: no hop is known that collects fewer
# Octets a second. A link that is slower than this is not in use; what comes slower was not waiting for one.
SLOWEST_LINK = 32 * 1024


class Looks(StrEnum):
    """What an answer looks like: a closed list."""

    STREAMED = "streamed"
    CLUMPED = "clumped"
    ONE_LUMP = "one-lump"
    NOT_A_STREAM = "not-a-stream"


@dataclass(frozen=True, slots=True)
class Piece:
    """What arrived at once: an event, or a read where the answer has no events. Milliseconds.

    `stamp_ms` is the event's own, on any clock; None where it bears none.
    """

    at_ms: float
    octets: int
    stamp_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """How an answer arrived. Milliseconds and octets, content coding undone.

    Attributes:
        looks: the word; None where the arrivals do not say.
        kind: what the answer says it is.
        events: how many it formed.
        octets: of its body, complete events or not.
        clumps: how many there were; one event by itself is one too.
        clump_octets: of a clump, at the median.
        clump_events: of a clump, at the median; reads where there are no events.
        largest_octets: of the most that was read together, complete events or not.
        silence_ms: between two clumps, at the median; None where there is only one.
        longest_ms: the longest silence between two clumps.
        stalled: which part of it, of its time or its pieces, chance does not explain: silences, and what came
            together after them.
        wait_ms: before the first; None where nothing came.
        spread_ms: from the first to the last arrival.
    """

    looks: Looks | None
    kind: Kind
    events: int
    octets: int
    clumps: int
    clump_octets: int
    clump_events: int
    largest_octets: int
    silence_ms: float | None
    longest_ms: float | None
    wait_ms: float | None
    spread_ms: float
    stalled: float = 0.0

    @property
    def held(self) -> bool:
        """Whether something, on the way or in the service, seems to have collected it."""
        lump = self.looks is Looks.ONE_LUMP and (self.wait_ms or 0.0) + self.spread_ms >= WAIT_MS
        return lump or self.looks is Looks.CLUMPED

    @property
    def at_once(self) -> bool:
        """Whether all of it came at once, and soon: of a fast server, or a copy that was stored."""
        lump = self.octets > 0 and self.looks in (Looks.ONE_LUMP, Looks.NOT_A_STREAM)
        return lump and (self.wait_ms or 0.0) + self.spread_ms < WAIT_MS

    @property
    def flows(self) -> bool:
        """Whether it came in many parts, but for a stall or two of a busy machine."""
        return self.not_whole and self.clumps >= MANY and self.stalled <= STALLED_SHARE

    @property
    def says(self) -> str:
        """What was seen, in one sentence without a full stop."""
        if self.wait_ms is None:
            return text("no event arrived")
        what = _counted(self.events, "event" if self.kind == "events" else "piece")
        if not self.events:
            what = text("bytes that form no events")
        size = in_octets(self.octets)
        match self.looks:
            case Looks.STREAMED:
                return text(
                    "{what} ({size}) arrived over {spread_ms:.0f} ms: looks streamed",
                    what=what,
                    size=size,
                    spread_ms=self.spread_ms,
                )
            case Looks.CLUMPED:
                each = "event" if self.kind == "events" else "read"
                return text(
                    "{what} ({size}) arrived in {clumps:,} clumps of about {clump} "
                    "({events}), {silence_ms:.0f} ms apart: looks held in blocks, on the way or by "
                    "the service",
                    what=what,
                    size=size,
                    clumps=self.clumps,
                    clump=in_octets(self.clump_octets),
                    events=_counted(self.clump_events, each),
                    silence_ms=self.silence_ms or 0,
                )
            case Looks.ONE_LUMP if self.spread_ms >= WAIT_MS:
                return text(
                    "after a first one and {silence_ms:.0f} ms of nothing, the rest of {what} ({size}) at "
                    "once: looks held",
                    silence_ms=self.silence_ms or 0,
                    what=what,
                    size=size,
                )
            case Looks.ONE_LUMP if self.held:
                return text(
                    "after {wait_ms:.0f} ms of nothing, {what} ({size}) within {spread_ms:.0f} ms: looks "
                    "held",
                    wait_ms=self.wait_ms,
                    what=what,
                    size=size,
                    spread_ms=self.spread_ms,
                )
            case Looks.ONE_LUMP:
                return text(
                    "{what} ({size}) arrived at once after {wait_ms:.0f} ms: a fast server, or held",
                    what=what,
                    size=size,
                    wait_ms=self.wait_ms,
                )
            case Looks.NOT_A_STREAM:
                return text(
                    "{seen}: {what} ({size}) after {wait_ms:.0f} ms",
                    seen=_AS_IT_IS[self.kind],
                    what=what,
                    size=size,
                    wait_ms=self.wait_ms,
                )
        return text(
            "{what} ({size}) arrived over {spread_ms:.0f} ms: whether they are held cannot be seen",
            what=what,
            size=size,
            spread_ms=self.spread_ms,
        )

    @property
    def fact(self) -> str | None:
        """What follows without a proof, a sentence; None where nothing does.

        A delay of each event by the same time is not excluded, and nor is a hold before the first.
        """
        found = self.collected
        return (
            None
            if found is None
            else text("The answer is not buffered whole: since its beginning {found}.", found=found)
        )

    @property
    def collected(self) -> str | None:
        """How much of it was collected at most, in a few words; None where nothing follows."""
        if not self.not_whole or self.longest_ms is None:
            return None
        most = text(
            "{longest_ms:.0f} ms or {octets}",
            longest_ms=self.longest_ms,
            octets=in_octets(self.largest_octets),
        )
        return text("nothing over {most} was collected", most=most)

    @property
    def next_step(self) -> str | None:
        """What to do with what is no stream, a sentence or two; None for a stream."""
        if self.looks is not Looks.NOT_A_STREAM:
            return None
        return _EMPTY if self.wait_ms is None else NEXT_STEPS[self.kind]

    @property
    def all_the_same(self) -> str:
        """What is said of it beside a way that streams."""
        came = text("comes in one lump") if self.looks is Looks.ONE_LUMP else text("is held")
        came = text("came in {clumps:,} clumps", clumps=self.clumps) if self.looks is Looks.CLUMPED else came
        return text("and the answer {came} all the same", came=came)

    @property
    def but(self) -> str:
        """What is said of it behind "inconclusive"; empty for nothing."""
        match self.looks:
            case Looks.STREAMED:
                return text(", but it looks streamed")
            case Looks.CLUMPED:
                return text(", but it looks held: it came in {clumps:,} clumps", clumps=self.clumps)
            case Looks.ONE_LUMP if self.spread_ms >= WAIT_MS:
                return text(", but it looks held: after a first event it came in one lump")
            case Looks.ONE_LUMP if self.held:
                return text(", but it looks held: it came in one lump")
            case Looks.NOT_A_STREAM:
                seen = text("no event arrived") if self.wait_ms is None else _AS_IT_IS[self.kind]
                return text(": {seen}", seen=seen)
        return ""

    @property
    def not_whole(self) -> bool:
        """Whether it cannot have been collected whole: no link is so slow as to spread a lump like this."""
        slow = self.octets * 1_000 < SLOWEST_LINK * self.spread_ms
        return self.spread_ms >= SPREAD_MS and self.clumps > 1 and slow


_AS_IT_IS: dict[Kind, str] = {
    "events": text("one event is no stream"),
    "text": text("one piece is no stream"),
    "page": text("a web page is no stream"),
    "document": text("a JSON document is no stream"),
}


_EMPTY = text(
    "Nothing came but comments, if even these: look at the service's log, and at what the request must say."
)
NEXT_STEPS: dict[Kind, str] = {
    "events": (
        text(
            "One event does not tell how several come: ask for a longer answer, of two seconds "
            "or more, or for the address that sends one event after another."
        )
    ),
    "text": (
        text(
            "One piece does not tell how several come: ask for a longer answer, of two seconds "
            "or more, or give the address whose answer should stream."
        )
    ),
    "page": (
        text(
            "Give the address that the page calls. In the browser: developer tools, Network, the "
            "request, Copy as cURL; then kit doctor --from-curl FILE."
        )
    ),
    "document": (
        text(
            'Ask for a stream: many services want it said in the request ("stream": true in the '
            "body, Accept: text/event-stream), or have another address for it."
        )
    ),
}


@dataclass(frozen=True, slots=True)
class _Clump:
    first_ms: float
    last_ms: float
    octets: int
    events: int
    writes: int  # by the events' stamps; the events where they bear none


def in_octets(octets: int) -> str:
    """A size for people: "1,200 bytes", "16 KiB"."""
    return (
        text("{size:.0f} KiB", size=octets / 1024)
        if octets >= 10_000
        else text("{size:,} bytes", size=octets)
    )


def _counted(count: int, what: str) -> str:
    match what:
        case "event":
            return text("1 event") if count == 1 else text("{count:,} events", count=count)
        case "read":
            return text("1 read") if count == 1 else text("{count:,} reads", count=count)
    return text("1 piece") if count == 1 else text("{count:,} pieces", count=count)


def kind_of(content_type: str) -> Kind:
    """What an answer says it is, by its media type."""
    match content_type.partition(";")[0].strip().lower():
        case "text/event-stream" | "application/x-ndjson" | "application/jsonl" | "application/jsonlines":
            return "events"
        case "text/html" | "application/xhtml+xml":
            return "page"
        case media if media == "application/json" or media.endswith("+json"):
            return "document"
    return "text"


def watch(events: Sequence[Piece], reads: Sequence[Piece], kind: Kind) -> Watched:
    """How an answer arrived.

    Args:
        events: its complete events, or reads where its type has no events.
        reads: all that came of its body; empty where only the events are known.
        kind: what it says it is.
    """
    pieces = events or reads
    clumps = _clumps(pieces)
    silences = [after.first_ms - before.last_ms for before, after in pairwise(clumps)]
    octets = sum(piece.octets for piece in reads or events)
    # What a buffer released at once is what was read at once, whole events or not.
    at_once = [clump.octets for clump in (_clumps(reads) if reads else clumps)]
    looks = _looks(pieces, clumps, silences, kind, in_events=kind == "events" and bool(events))
    return Watched(
        looks,
        kind,
        len(events),
        octets,
        len(clumps),
        median_low(clump.octets for clump in clumps) if clumps else 0,
        median_low(clump.events for clump in clumps) if clumps else 0,
        max(at_once, default=0),
        median_low(silences) if silences else None,
        max(silences, default=None),
        pieces[0].at_ms if pieces else None,
        pieces[-1].at_ms - pieces[0].at_ms if pieces else 0.0,
        _stalled(pieces, clumps, silences),
    )


def _stalled(pieces: Sequence[Piece], clumps: Sequence[_Clump], silences: Sequence[float]) -> float:
    apart = zip(silences, clumps[1:], strict=True)
    after = [(silence, clump) for silence, clump in apart if silence >= SILENCE_MS]
    if not after:
        return 0.0
    if len(after) >= CLUMPS:
        return 1.0
    in_time = sum(silence for silence, _ in after) / (pieces[-1].at_ms - pieces[0].at_ms)
    return max(in_time, sum(clump.events for _, clump in after) / len(pieces))


def _looks(
    pieces: Sequence[Piece],
    clumps: Sequence[_Clump],
    silences: Sequence[float],
    kind: Kind,
    *,
    in_events: bool,
) -> Looks | None:
    if not pieces:
        return Looks.NOT_A_STREAM
    first, last = pieces[0].at_ms, pieces[-1].at_ms
    spread = last - first
    if spread <= LUMP_MS or (spread < SPREAD_MS and spread <= LUMP_SHARE * last):
        single = len(pieces) == 1 and (in_events or last < WAIT_MS)
        no_stream = kind == "document" or (kind == "page" and last < WAIT_MS) or single
        return Looks.NOT_A_STREAM if no_stream else Looks.ONE_LUMP
    if in_events and _in_one_lump_but_for_its_beginning(clumps, silences):
        return Looks.ONE_LUMP
    if spread < SPREAD_MS or len(clumps) < CLUMPS:
        return None

    def collected(clump: _Clump) -> bool:
        if in_events:
            return clump.writes > 1
        # A read is what came at once, and not what was written: only a buffer's own size tells.
        return clump.octets >= SMALLEST_BUFFER and clump.octets % SMALLEST_BUFFER == 0

    after_silence = sum(
        collected(clump) and silence >= SILENCE_MS
        for clump, silence in zip(clumps[1:], silences, strict=True)
    )
    gathered = sum(clump.events for clump in clumps if collected(clump))
    if after_silence >= CLUMPS and gathered >= CLUMPED_SHARE * len(pieces):
        return Looks.CLUMPED
    flowing = median_low(silences) < SILENCE_MS
    # A buffer may end within an event, which then comes with the next.
    within = max(piece.octets for piece in pieces) if in_events else 0
    singly = sum(
        clump.events
        for clump in clumps
        if (in_events and clump.writes == 1)
        or (clump.octets + within < SMALLEST_BUFFER and (flowing or not collected(clump)))
    )
    return Looks.STREAMED if 2 * singly >= len(pieces) else None


def _in_one_lump_but_for_its_beginning(clumps: Sequence[_Clump], silences: Sequence[float]) -> bool:
    if len(clumps) != 2:
        return False
    first, rest = clumps
    lump = rest.writes >= REST_EVENTS and rest.last_ms - rest.first_ms <= LUMP_MS
    return first.events <= 2 and lump and silences[0] >= WAIT_MS


def _clumps(pieces: Sequence[Piece]) -> list[_Clump]:
    """What came together: nearer to each other than the answer's own pace, and than two releases are."""
    if not pieces:
        return []
    pace = (pieces[-1].at_ms - pieces[0].at_ms) / max(1, len(pieces) - 1)
    together = min(TOGETHER_MS, pace / 4)
    groups = [[pieces[0]]]
    for before, piece in pairwise(pieces):
        if piece.at_ms - before.at_ms <= together:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return [
        _Clump(
            group[0].at_ms,
            group[-1].at_ms,
            sum(one.octets for one in group),
            len(group),
            _writes(group, together),
        )
        for group in groups
    ]


def _writes(group: Sequence[Piece], together: float) -> int:
    """In how many writes they were sent: what is written at once may come at once."""
    stamps = sorted(piece.stamp_ms for piece in group if piece.stamp_ms is not None)
    if len(stamps) < len(group):
        return len(group)
    return 1 + sum(after - before > together for before, after in pairwise(stamps))
