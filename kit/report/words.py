"""What every report says of a lane, in the same words: its name, its verdict, its figures, what to do."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from kit.loopback import is_loopback
from kit.proof.doubts import Doubt
from kit.proof.lane import Attempt, Client, Comparison, Lane, LaneState, state
from kit.proof.verdict import Method, Shape, Verdict, in_words
from kit.report.watch import LaneKey
from kit.targets import Certainty, Claim, Target

HEADER = "X-Accel-Buffering: no"

# True in this exact form only; `kit.targets` holds the sources.
THE_THREE = (
    "Standard buffers whatever you do; Flex is documented to buffer in 64 KiB blocks until the response "
    f"carries `{HEADER}`; Cloud Run streams."
)

REHEARSAL = (
    "A rehearsal: measured on this machine, through front ends emulated from documentation; nothing of it "
    "was observed on Google's cloud."
)

EXAMINE = "To see what holds it, if anything does, and what frees it: `kit doctor URL`."

NONE = "–"

# What a verdict says of an answer that was asked for in pieces, where nothing is streamed or buffered.
_IN_PIECES = {
    Verdict.INCREMENTAL: "arrived as written",
    Verdict.TIME_LIMITED: "pieces held",
    Verdict.WHOLE_MESSAGE: "all at the end",
}

METHODS = {
    Method.LOCK_STEP: "lock-step: each event was sent only after the one before had arrived",
    Method.PAUSE: "pause: the server fell silent in mid-stream, and what had arrived by then was looked at",
    Method.STAMPS: "stamps: the send times in the events were held against their arrival",
    Method.LENGTHS: (
        "two lengths: an answer was asked for twice, once longer, to see whether its beginning waits for "
        "its end, which never proves who holds it"
    ),
    Method.PASSIVE: "passive: only arrivals could be watched, which never proves that a stream is held",
}

CERTAINTIES: dict[Certainty, str] = {
    "A": "a current page or source of the platform's owner",
    "B": "a page of the platform's owner, known by excerpt",
    "C": "an old page, or somebody else's claim",
    "M": "measured on loopback",
    "I": "inferred",
    "-": "no source found",
}


_CLIENTS: dict[Client, str] = {
    "browser": "browsers: compression",
    "plain": "clients that accept no compression",
}

# With or without its scheme, of characters that neither Markdown nor HTML obeys within a link.
_ADDRESS = re.compile(
    r"(?:https://)?([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+/[A-Za-z0-9/._~%?=#&+,;:@-]*)", re.ASCII
)


def duration(ms: float | None) -> str:
    """A time for people: "2.3 ms", "310 ms", "4.3 s"; a dash when it was not measured."""
    if ms is None:
        return NONE
    if abs(ms) >= 999.5:
        return f"{ms / 1000:.1f} s"
    return f"{ms:.0f} ms" if abs(ms) >= 9.95 else f"{ms:.1f} ms"


def lane_name(key: LaneKey) -> str:
    """A lane's name in a line of text: "standard on", "standard polling"."""
    return key.target if key.kind == "as-is" else f"{key.target} {key.kind}"


def grounds(lane: Lane, target: Target | None) -> tuple[Claim, ...]:
    """What the lane's promise rests on; nothing by polling, of which no documentation speaks."""
    if target is None or lane.delivery == "polling" or lane.expected is not target.expect[lane.header]:
        return ()
    topics = ("streaming", "header") if lane.header == "on" else ("streaming",)
    return tuple(claim for claim in target.claims if claim.about in topics)


def how_sure(claim: Claim) -> str:
    """How sure a claim is, with what must be said beside one that nobody should take for a certainty."""
    words = CERTAINTIES[claim.certainty]
    return words if claim.caveat in (None, words) else f"{words}; {claim.caveat}"


def linked(source: str) -> tuple[str | None, str]:
    """The address that a source begins with, as a link, and what follows it; (None, all) without one."""
    first, space, rest = source.partition(" ")
    found = _ADDRESS.fullmatch(first)
    return (f"https://{found[1]}", space + rest) if found else (None, source)


def versions(comparison: Comparison) -> str:
    """What measured: the kit, and the Python of this process, which is the one that measured."""
    python = ".".join(map(str, sys.version_info[:3]))
    return f"kit {comparison.kit_version}, Python {python}"


def moment(comparison: Comparison) -> str:
    """When it was measured, for people."""
    return comparison.measured_at.replace("T", " ").replace("Z", " UTC")


def place(url: str) -> str:
    """The URL without a user's name and password in it: a report is passed around."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]).geturl()


def handed_out(url: str) -> str:
    """The same without its query, which may hold a key or somebody's question."""
    before, mark, _ = place(url).partition("?")
    return f"{before}?…" if mark else before


def verdict_words(lane: Lane) -> str:
    """What was found, as a person would say it."""
    if lane.error is not None:
        return "could not be measured"
    if lane.delivery == "polling" and lane.verdict in _IN_PIECES:
        return _IN_PIECES[lane.verdict]
    words = in_words(lane.verdict, lane.shape, lane.block_bytes, lane.hold_ms)
    if lane.only_for is not None:
        whom = _CLIENTS[lane.only_for]
        words = f"{words} for {whom}" if lane.verdict is Verdict.REFUSED else f"held for {whom} ({words})"
    looked = lane.timeline.watched
    if lane.fate:
        held = lane.verdict is Verdict.INCONCLUSIVE and looked is not None and looked.held
        seen = f"{looked.but};" if held and looked is not None else ", but"
        return f"{words}{seen} the answer {lane.fate}"
    # What something between the browser and the page's server held looks like nothing of the lane's own.
    if lane.verdict is not Verdict.INCONCLUSIVE or looked is None or Doubt.OWN_PATH_HELD in lane.doubts:
        return words
    if Doubt.APP_BUNCHED in lane.doubts and lane.method is Method.LOCK_STEP:
        return f"{words}: the way here streams, and the app itself sent the answer in a bunch"
    if Doubt.ANSWER_IN_CLUMPS in lane.doubts and lane.method in (Method.LOCK_STEP, Method.PAUSE):
        return f"{words}: the way here streams, {looked.all_the_same}"
    if lane.at_most is not None and looked.collected is not None:
        return looked.collected
    return f"{words}{looked.but}"


def attempt_words(attempt: Attempt) -> str:
    """One measurement's outcome in a few words, with what made it undecided."""
    if attempt.error is not None:
        return f"could not be measured ({attempt.error})"
    found = in_words(attempt.verdict, None, None, None)
    undecided = attempt.verdict is Verdict.INCONCLUSIVE and attempt.doubts
    return f"{found} ({', '.join(attempt.doubts)})" if undecided else found


def attempts_words(lane: Lane) -> str | None:
    """How often the lane was measured and what came of it each time, a sentence; None for only once."""
    if not lane.earlier:
        return None
    told = "; ".join(f"{at}. {attempt_words(attempt)}" for at, attempt in enumerate(lane.attempts, 1))
    return f"Measured {len(lane.attempts)} times, since what came before decided nothing: {told}."


def expected_word(lane: Lane) -> str | None:
    """What was expected, as a program would say it: a verdict, or a bound."""
    expected = lane.at_most or lane.expected
    return None if expected is None else str(expected)


def expected_words(lane: Lane, target: Target | None) -> str:
    """What was promised, with the block's size where the target's documentation names one."""
    if lane.at_most is not None:
        return str(lane.at_most)
    if lane.expected is None:
        return NONE
    if lane.delivery == "polling" and lane.expected in _IN_PIECES:
        return _IN_PIECES[lane.expected]
    if lane.expected is Verdict.BYTE_LIMITED and target is not None and target.front.hold == "blocks":
        return in_words(lane.expected, Shape.BLOCKS, target.front.block_bytes, None)
    return in_words(lane.expected, None, None, None)


def hold_words(lane: Lane) -> str:
    """How much later than it should have an event arrived; never below what could have been seen."""
    if lane.error is not None:
        return NONE
    if lane.hold_ms is None:
        return "to the end" if lane.verdict is Verdict.WHOLE_MESSAGE else NONE
    if lane.hold_floor_ms is not None and lane.hold_ms <= lane.hold_floor_ms:
        return f"< {duration(lane.hold_floor_ms)}"
    return duration(lane.hold_ms)


def advice(lane: Lane, target: Target | None) -> str | None:
    """What to do about the lane, a sentence; None where nothing is wrong or the doubts say it all."""
    if lane.error is not None:
        return lane.error.hint
    looked = lane.timeline.watched
    if lane.verdict is Verdict.INCONCLUSIVE:
        if Doubt.OWN_PATH_HELD in lane.doubts:
            return None
        if looked is not None and looked.next_step is not None:
            return looked.next_step
        return EXAMINE if target is None and lane.delivery == "stream" else None
    if lane.verdict is Verdict.INCREMENTAL:
        if lane.as_expected is False and lane.at_most is None and not lane.broken:
            return "It streams, against expectation: check that the URL is the one you mean, then the claim."
        return None
    if lane.only_for == "browser":
        return (
            "Something compresses the answer for each client that accepts it, as browsers do, and collects "
            "it to do so; uncompressed it streams. Switch compression off for this path (in nginx `gzip "
            "off;`). Whether a header frees it was not tried: `kit doctor URL`."
        )
    if lane.only_for == "plain":
        return (
            "It streams to browsers, and something collects it for a client that accepts no compression, as "
            "curl. What undoes compression on the way (in nginx `gunzip on;`) is likely, and was not tried."
        )
    if lane.delivery == "polling":
        return (
            "No hop has a reason to hold a piece, which is a whole response: ask the service directly, then "
            "hop by hop, to find who does."
        )
    if lane.expected is Verdict.INCREMENTAL:
        return (
            "It should stream here: probe the service directly, then hop by hop, to find who holds it "
            f"(or strips `{HEADER}`)."
        )
    if target is not None and target.advice is not None:
        return target.advice
    if Doubt.NO_PROOF in lane.doubts:
        return f"Whether `{HEADER}` frees it, or leaving compression out, was not tried: `kit doctor URL`."
    if lane.header == "off":
        return f"Send `{HEADER}` and measure again (--accel-header on)."
    return f"`{HEADER}` does not free it: probe the service directly, then hop by hop, to find who holds it."


def conclusion(comparison: Comparison, targets: Mapping[str, Target]) -> str:
    """The whole comparison in one sentence without a full stop, naming each lane that is not as promised."""
    against = [
        _against(lane, targets.get(lane.target))
        for lane in comparison.lanes
        if state(lane) is not LaneState.OK
    ]
    return tally(comparison, targets) + (f"; not so: {', '.join(against)}" if against else "")


def tally(comparison: Comparison, targets: Mapping[str, Target]) -> str:
    """How many lanes are as promised; where nothing was promised, what was found."""
    judged = [lane for lane in comparison.lanes if lane.as_expected is not None]
    if not judged:
        found = Counter(verdict_words(lane) for lane in comparison.lanes)
        said = ", ".join(f"{count} {words}" for words, count in found.items())
        return f"{_count(len(comparison.lanes))} measured: {said or 'none'}"
    kept = sum(state(lane) is LaneState.OK for lane in judged)
    # That pieces pass is what the kit promises of itself: no platform's documentation speaks of them.
    by_documentation = all(lane.target in targets and lane.delivery == "stream" for lane in judged)
    whose = "its platform's" if len(judged) == 1 else "their platform's"
    what = f"as {whose} documentation promises" if by_documentation else "as expected"
    return f"{kept} of {_count(len(judged))} {what}"


def remark(lane: Lane) -> str | None:
    """What else a reader must know to take the verdict for no more than it is, a sentence or two."""
    return " ".join(filter(None, (_beside_the_picture(lane), _clients(lane)))) or None


def _clients(lane: Lane) -> str | None:
    """For whom it was not judged; None where for both, or where it is held without compression."""
    if lane.error is not None or lane.verdict not in (Verdict.INCREMENTAL, Verdict.INCONCLUSIVE):
        return None
    if lane.asked_as == "given":
        return "Judged with the Accept-Encoding that was given, and for no other client."
    if lane.asked_as == "browser":
        return "Judged as a browser asks, not as a client that accepts no compression (curl)."
    return None


def _beside_the_picture(lane: Lane) -> str | None:
    """What a picture of the answer alone would let somebody take for another verdict."""
    answer = sum(arrival.bytes for arrival in lane.timeline.arrivals)
    if lane.shape in (Shape.BLOCKS, Shape.PREFIX) and lane.block_bytes and 0 < answer < lane.block_bytes:
        return (
            f"The whole answer ({answer:,} bytes) is smaller than one block, so it came at its end; "
            "the proof fed more to find the block's size."
        )
    looked = lane.timeline.watched
    return looked.fact if looked is not None and lane.verdict is Verdict.INCONCLUSIVE else None


def three_targets(comparison: Comparison) -> bool:
    """Whether the sentence about the three targets belongs beside this comparison."""
    return {"standard", "flex", "run"} <= {lane.target for lane in comparison.lanes}


def environment_name(comparison: Comparison) -> str:
    """Where it was measured, in a word."""
    return "rehearsal" if _is_rehearsal(comparison) else comparison.environment


def environment_words(comparison: Comparison) -> str:
    """Where it was measured, and what that is worth."""
    if _is_rehearsal(comparison):
        return REHEARSAL
    match comparison.environment:
        case "lab":
            return "The lab's front ends are emulated from documentation, not observed on Google's cloud."
        case "cloud":
            return "Measured on deployed services, through the platforms' own front ends."
        case "url":
            return "Measured at the URLs given, through whatever lies between."


def rehearsed(lanes: Iterable[Lane]) -> bool:
    """Whether what passes for the cloud is on this machine, where no platform of Google's can be."""
    return any(_here(lane.url) for lane in lanes)


def _is_rehearsal(comparison: Comparison) -> bool:
    return comparison.environment == "cloud" and rehearsed(comparison.lanes)


def _here(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def _count(lanes: int) -> str:
    return f"{lanes} lane" if lanes == 1 else f"{lanes} lanes"


def _against(lane: Lane, target: Target | None) -> str:
    found = f"{lane_name(LaneKey.of(lane))} ({verdict_words(lane)}"
    return f"{found})" if lane.as_expected is None else f"{found}, promised {expected_words(lane, target)})"
