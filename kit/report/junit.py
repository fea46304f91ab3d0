"""The comparison as JUnit's XML, for a CI that shows tests: one test case a lane.

A lane that could not be measured is an error; one that is not as expected, or inconclusive, is a failure of
that type. Inconclusive is not "skipped": the kit then ends with status 4, and a CI must not show it in green.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kit.proof.lane import Comparison, Lane, LaneState, state
from kit.report.cells import clean
from kit.report.watch import LaneKey
from kit.report.words import (
    advice,
    attempt_words,
    environment_name,
    environment_words,
    expected_word,
    expected_words,
    handed_out,
    lane_name,
    moment,
    remark,
    verdict_words,
    versions,
)
from kit.targets import Target

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def junit(comparison: Comparison, targets: Mapping[str, Target]) -> str:
    """The whole comparison. Times are seconds, as JUnit's are."""
    from xml.etree import ElementTree as ET

    states = Counter(state(lane) for lane in comparison.lanes)
    counts = {
        "tests": str(len(comparison.lanes)),
        "failures": str(states[LaneState.NOT_AS_EXPECTED] + states[LaneState.INCONCLUSIVE]),
        "errors": str(states[LaneState.FAILED]),
        "skipped": "0",
    }
    name = f"streamproof.{environment_name(comparison)}"
    root = ET.Element("testsuites", {"name": "streamproof", **counts})
    # JUnit's own schema has the moment without its zone.
    stamp = _text(comparison.measured_at).removesuffix("Z")
    suite = ET.SubElement(root, "testsuite", {"name": name, "timestamp": stamp, **counts})
    _properties(
        suite,
        {
            "environment": environment_words(comparison),
            "measured": moment(comparison),
            "versions": versions(comparison),
            "prompt": comparison.prompt,
        },
    )
    for lane in comparison.lanes:
        _case(suite, name, lane, targets.get(lane.target))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(suite: Element, classname: str, lane: Lane, target: Target | None) -> None:
    from xml.etree.ElementTree import SubElement

    seconds = f"{lane.timeline.duration_ms / 1000:.3f}"
    name = _text(lane_name(LaneKey.of(lane)))
    case = SubElement(suite, "testcase", {"classname": classname, "name": name, "time": seconds})
    hold = "" if lane.hold_ms is None else f"{lane.hold_ms:.1f}"
    _properties(
        case,
        {
            "url": handed_out(lane.url),
            "verdict": str(lane.verdict),
            "expected": expected_word(lane) or "",
            "shape": "" if lane.shape is None else str(lane.shape),
            "hold_ms": hold,
            "method": str(lane.method) if lane.error is None else "",
            "doubts": " ".join(lane.doubts),
        }
        | {f"attempt_{at}": attempt_words(one) for at, one in enumerate(lane.attempts, 1) if lane.earlier},
    )
    came_out = state(lane)
    if came_out is not LaneState.OK:
        found = verdict_words(lane)
        if lane.error is not None:
            kind, tag, message = lane.error.code, "error", lane.error.message
        else:
            kind, tag, message = str(came_out), "failure", found
            if lane.as_expected is not None:
                message += f", expected: {expected_words(lane, target)}"
        trouble = SubElement(case, tag, {"type": _text(kind), "message": _text(message)})
        todo = [advice(lane, target), *(f"{doubt}: {doubt.remedy}" for doubt in lane.doubts)]
        trouble.text = "\n".join(_text(line) for line in (message, *todo) if line)
    seen = [*lane.evidence, *filter(None, [remark(lane)])]
    if seen:
        SubElement(case, "system-out").text = "\n".join(map(_text, seen))


def _properties(parent: Element, properties: Mapping[str, str]) -> None:
    """Those that have a value."""
    from xml.etree.ElementTree import SubElement

    told = SubElement(parent, "properties")
    for name, value in properties.items():
        if value:
            SubElement(told, "property", {"name": name, "value": _text(value)})


def _text(text: str) -> str:
    """On one line, and without the two characters that XML forbids and `clean` lets through."""
    return clean(text).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
