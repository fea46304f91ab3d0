"""One lane's verdict for a person: the verdict first, then what it rests on."""

from __future__ import annotations

from kit.proof.doubts import Doubt
from kit.proof.lane import Lane, state
from kit.report.cells import clean, hang
from kit.report.lanes import MARKS
from kit.report.style import Style
from kit.report.words import (
    HEADER,
    METHODS,
    advice,
    attempts_words,
    duration,
    expected_words,
    hold_words,
    place,
    remark,
    verdict_words,
)
from kit.targets import Target

# Longer lines are hard to read, however wide the terminal.
_WIDTH = 100


def probe_text(lane: Lane, style: Style | None = None, target: Target | None = None) -> str:
    """The verdict on one URL, its evidence, its figures, and each doubt with its remedy."""
    style = style or Style()
    width = min(style.width or _WIDTH, _WIDTH)
    mark, tone = MARKS[state(lane)]
    first, *rest = hang(f"{mark} ", f"{verdict_words(lane)}{_promise(lane, target)}", width)
    lines = [f"{style.paint(mark, tone)} {style.paint(first[2:], 'bold')}", *rest]
    lines += hang("  ", clean(place(lane.url)), width)
    if lane.error is not None:
        lines += ["", *hang("  ", clean(lane.error.message), width)]
    said = advice(lane, target)
    if said is not None:
        lines += hang("  → ", clean(said), width)
    again = attempts_words(lane)
    if again is not None:
        lines += hang("  ", clean(again), width)
    if lane.error is None:
        lines += ["", *(line for fact in _facts(lane) for line in hang("  ", fact, width))]
    small = remark(lane)
    if small is not None:
        lines += hang("  ", small, width)
    if lane.evidence:
        lines += ["", style.paint("  what was done and seen", "dim")]
        for number, step in enumerate(lane.evidence, 1):
            lines += hang(f"  {number:2}  ", clean(step), width)
    if lane.doubts:
        lines += ["", style.paint("  what to doubt", "dim")]
        for doubt in lane.doubts:
            lines += hang("   ?  ", f"{doubt}: {doubt.remedy}", width)
    return style.finish("\n".join(line.rstrip() for line in lines))


def _promise(lane: Lane, target: Target | None) -> str:
    if lane.as_expected is None:
        return ""
    return ", as expected" if lane.as_expected else f", expected: {expected_words(lane, target)}"


def _facts(lane: Lane) -> list[str]:
    timeline = lane.timeline
    events = len(timeline.arrivals)
    ended = "" if timeline.complete else ", without a proper end"
    counted = "1 event" if events == 1 else f"{events:,} events"
    facts = [
        f"first byte {duration(timeline.ttfb_ms)}, first event {duration(timeline.first_event_ms)}, "
        f"{counted} in {duration(timeline.duration_ms)}{ended}"
    ]
    if lane.hold_ms is not None:
        floor = lane.hold_floor_ms
        seen = floor is None or lane.hold_ms <= floor
        limit = "" if seen else f" (below {duration(floor)} nothing could have been seen)"
        facts.append(f"hold {hold_words(lane)}{limit}")
    facts.append(f"by {METHODS[lane.method]}")
    if Doubt.NO_PROOF not in lane.doubts:  # else it was asked for nothing but its answer
        asked = "was asked to send" if lane.header == "on" else "was asked not to send"
        if lane.as_is:
            asked = "sends" if lane.header == "on" else "does not send, as far as can be seen,"
        facts.append(f"the service {asked} {HEADER}")
    return facts
