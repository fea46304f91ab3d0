"""The comparison as JUnit's XML, for a CI that shows tests: a test case a lane and a clause of it.

A lane that could not be measured is an error; one that is not as expected, or inconclusive, is a failure of
that type, and so is a clause that is held to a limit. A clause that is held to none cannot fail; unknown, it
is skipped. What is inconclusive is not: the kit then ends with status 4, and a CI must not show it in green.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kit.proof.lane import LaneState
from kit.report.cells import clean
from kit.report.clause import ClauseView
from kit.report.view import ComparisonView, LaneView

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def junit(view: ComparisonView) -> str:
    """The whole comparison. Times are seconds, as JUnit's are."""
    from xml.etree import ElementTree as ET

    clauses = [(lane, clause) for lane in view.lanes for clause in lane.clauses if clause.says is not None]
    states = Counter((*(lane.delivered for lane in view.lanes), *(clause.state for _, clause in clauses)))
    counts = {
        "tests": str(len(view.lanes) + len(clauses)),
        "failures": str(states[LaneState.NOT_AS_EXPECTED] + states[LaneState.INCONCLUSIVE]),
        "errors": str(states[LaneState.FAILED]),
        "skipped": str(sum(clause.skipped for _, clause in clauses)),
    }
    name = f"streamproof.{view.environment}"
    root = ET.Element("testsuites", {"name": "streamproof", **counts})
    # JUnit's own schema has the moment without its zone.
    stamp = _text(view.measured_at).removesuffix("Z")
    suite = ET.SubElement(root, "testsuite", {"name": name, "timestamp": stamp, **counts})
    _properties(
        suite,
        {
            "environment": view.where,
            "measured": view.moment,
            "versions": view.versions,
            "prompt" if view.prompted else "asked": view.asked,
        },
    )
    for lane in view.lanes:
        _case(suite, name, lane)
    for lane, clause in clauses:
        _clause(suite, name, lane, clause)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(suite: Element, classname: str, lane: LaneView) -> None:
    from xml.etree.ElementTree import SubElement

    seconds = f"{lane.timeline.duration_ms / 1000:.3f}"
    case = SubElement(suite, "testcase", {"classname": classname, "name": _text(lane.name), "time": seconds})
    attempts = {f"attempt_{at}": attempt for at, attempt in enumerate(lane.attempts, 1)}
    _properties(case, {"url": lane.address, **lane.codes, "doubts": " ".join(lane.doubts), **attempts})
    if lane.delivered is not LaneState.OK:
        tag, kind, message = "failure", str(lane.delivered), lane.delivery
        if lane.error is not None:
            tag, kind, message = "error", lane.error.code, lane.error.message
        trouble = SubElement(case, tag, {"type": _text(kind), "message": _text(message)})
        trouble.text = _lines(message, lane.advice, *(f"{doubt}: {doubt.remedy}" for doubt in lane.doubts))
    if seen := _lines(*lane.evidence, lane.remark):
        SubElement(case, "system-out").text = seen


def _clause(suite: Element, classname: str, lane: LaneView, clause: ClauseView) -> None:
    from xml.etree.ElementTree import SubElement

    name = _text(f"{lane.name}, {clause.name}")
    case = SubElement(suite, "testcase", {"classname": classname, "name": name, "time": "0"})
    _properties(
        case,
        {
            "url": lane.address,
            "expected": clause.expected or "",
            "documented": clause.documented or "",
            "doubts": " ".join(clause.doubts),
        },
    )
    if clause.skipped:
        SubElement(case, "skipped", {"message": _text(clause.headline)})
    elif clause.state not in (None, LaneState.OK):
        trouble = SubElement(
            case,
            "failure",
            {"type": str(clause.state), "message": _text(f"{clause.name}: {clause.headline}")},
        )
        doubts = (f"{doubt}: {doubt.remedy}" for doubt in clause.doubts)
        trouble.text = _lines(clause.headline, *clause.advice.splitlines(), *doubts)
    if seen := _lines(clause.headline, *clause.evidence):
        SubElement(case, "system-out").text = seen


def _properties(parent: Element, properties: Mapping[str, str]) -> None:
    from xml.etree.ElementTree import SubElement

    parent = SubElement(parent, "properties")
    for name, value in properties.items():
        if value:
            SubElement(parent, "property", {"name": name, "value": _text(value)})


def _lines(*lines: str | None) -> str:
    return "\n".join(_text(line) for line in lines if line)


def _text(text: str) -> str:
    """On one line, and without the two characters that XML forbids and `clean` lets through."""
    return clean(text).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
