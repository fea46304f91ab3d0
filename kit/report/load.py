"""A load's result: as text, as JSON, and in one line while it runs."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from kit.load.histogram import Histogram
from kit.load.plan import Schedule
from kit.load.result import LoadResult, holding, shown_ms
from kit.load.slo import Judged
from kit.load.tally import Tally
from kit.proof.lane import LaneState
from kit.proof.quick_check import State
from kit.report.cells import clean, one_line
from kit.report.style import MARKS, Style
from kit.report.words import NONE, duration

if TYPE_CHECKING:
    from kit.report import wire

_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_WHAT = {
    "first": "first event",
    "gap": "worst gap",
    "late": "lateness",
    "cut": "cut",
    "refused": "refused",
}


def progress(schedule: Schedule, before: Tally, now: Tally) -> str:
    """One line of a load that runs; `before` is what was known half a second ago."""
    parts = [f"{now.open:,} of {schedule.streams:,} open", f"{(now.events - before.events) * 2:,} events/s"]
    if now.first.count:
        parts.append(f"first event {_ms(now.first.quantile(0.99))}")
    if now.late.count:
        parts.append(f"late {_ms(now.late.quantile(0.99))}")
    parts += [f"{count:,} {word}" for count, word in ((now.cut, "cut"), (now.refused, "refused")) if count]
    return " · ".join(parts)


def load_text(result: LoadResult, style: Style) -> str:
    """The whole for a person."""
    schedule, tally = result.schedule, result.tally
    again = "" if schedule.every_s is None else f", anew each {schedule.every_s:g} s"
    workers = "1 process" if result.workers == 1 else f"{result.workers} processes"
    lines = [
        style.paint(one_line(result.url), "bold"),
        f"  {schedule.streams:,} streams over {schedule.ramp_s:g} s, for {schedule.for_s:g} s{again}; "
        f"Locust in {workers}",
        "",
    ]
    if result.interrupted:
        lines[1] += "; interrupted, so this is what came until then"
    rows = [("streams", _streams(result))]
    rows += [
        (what, _times(times) + more)
        for what, times, more in (
            ("first event", tally.first, ""),
            ("worst gap", tally.gap, ""),
            ("lateness", tally.late, " (by their stamps, than the quickest of its stream)"),
            ("own lateness", tally.own, " (the generator's)"),
        )
        if times.count or what != "lateness"
    ]
    rows.append(("events", f"{tally.events:,}, {tally.octets:,} octets"))
    rows.append(("proof", _proof(result)))
    lines += [f"  {style.paint(f'{name:<13}', 'dim')} {said}" for name, said in rows]
    for reason, count in tally.reasons.most_common(5):
        lines.append(f"  {count:>13,} {one_line(reason)}")
    lines += [""] * bool(result.judged)
    lines += [_objective(one, style) for one in result.judged]
    lines += [f"  {style.paint('?', 'unsure')} {doubt}" for doubt in result.doubts]
    return style.finish("\n".join(lines))


def load_markdown(result: LoadResult) -> str:
    """The same for a pull request."""
    return f"### kit load\n\n```\n{load_text(result, Style())}\n```\n"


def load_junit(result: LoadResult) -> str:
    """JUnit's XML: a test an objective, and one for the load itself, which fails where it is doubtful."""
    from xml.etree import ElementTree as ET

    said = load_text(result, Style()).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
    wrong = LaneState.FAILED if not result.tally.events else LaneState.INCONCLUSIVE
    cases = [("streams", wrong if result.doubts or not result.tally.events else LaneState.OK, said)]
    cases += [
        (f"--slo {one.objective}", _state(one), _objective(one, Style()).strip()) for one in result.judged
    ]
    states = [state for _, state, _ in cases]
    errors = states.count(LaneState.FAILED)
    counts = {
        "tests": str(len(cases)),
        "failures": str(len(states) - states.count(LaneState.OK) - errors),
        "errors": str(errors),
    }
    root = ET.Element("testsuites", {"name": "streamproof", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": "streamproof.load", **counts})
    for name, state, text in cases:
        seconds = f"{result.schedule.for_s:.3f}"
        case = ET.SubElement(
            suite, "testcase", {"classname": "streamproof.load", "name": name, "time": seconds}
        )
        if state is not LaneState.OK:
            tag = "error" if state is LaneState.FAILED else "failure"
            message = text if name != "streams" else " ".join(result.doubts) or "No stream brought an event."
            ET.SubElement(case, tag, {"type": str(state), "message": message}).text = text
        else:
            ET.SubElement(case, "system-out").text = text
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def load_data(result: LoadResult) -> wire.Load:
    """The data of `kit load`."""
    schedule, tally = result.schedule, result.tally
    held = holding(result.proofs)
    return {
        "url": result.url,
        "streams": schedule.streams,
        "ramp_s": schedule.ramp_s,
        "for_s": schedule.for_s,
        "every_s": schedule.every_s,
        "processes": result.workers,
        "interrupted": result.interrupted,
        "as_expected": _as_expected(result),
        "planned": schedule.planned,
        "started": tally.started,
        "most_open": result.most_open,
        "ended": tally.ended,
        "cut": tally.cut,
        "refused": tally.refused,
        "left": tally.left,
        "events": tally.events,
        "octets": tally.octets,
        "first_event": _figures(tally.first),
        "worst_gap": _figures(tally.gap),
        "lateness": _figures(tally.late),
        "own_lateness": _figures(tally.own),
        "starts_late": _figures(tally.start_late),
        "reasons": {clean(reason): count for reason, count in tally.reasons.most_common()},
        "objectives": [
            {
                "objective": str(one.objective),
                "met": one.met,
                "at_least": _figure(one.low),
                "at_most": _figure(one.high),
                "why": one.why or None,
            }
            for one in result.judged
        ],
        "proofs": [
            {"at_s": round(one.at_s, 1), "open": one.open, "saw": one.state, "said": one.said}
            for one in result.proofs
        ],
        "holds_from": None
        if held is None
        else {
            "streams": held.begins,
            "saw": held.state,
            "passed_with": held.passed,
            "times": held.times,
            "of": held.of,
        },
        "doubts": list(result.doubts),
    }


def _as_expected(result: LoadResult) -> bool | None:
    if not result.judged:
        return None
    met = [one.met for one in result.judged]
    return False if False in met else None if None in met else True


def _streams(result: LoadResult) -> str:
    tally = result.tally
    parts = [f"{tally.started:,} started", f"{result.most_open:,} open at once at most"]
    parts += [
        f"{count:,} {word}"
        for count, word in (
            (tally.ended, "ended by themselves"),
            (tally.cut, "cut"),
            (tally.refused, "refused"),
            (tally.left, "open until the end"),
        )
        if count or word in ("cut", "refused")
    ]
    return " · ".join(parts)


def _times(times: Histogram) -> str:
    if not times.count:
        return NONE
    parts = [f"{name} {_ms(times.quantile(share))}" for name, share in _SHARES.items()]
    return " · ".join([*parts, f"worst {_ms(times.most_ms)}"])


def _figures(times: Histogram) -> wire.Times:
    return {
        "count": times.count,
        "never": times.never,
        "p50_ms": shown_ms(times.quantile(0.5)),
        "p95_ms": shown_ms(times.quantile(0.95)),
        "p99_ms": shown_ms(times.quantile(0.99)),
        "most_ms": shown_ms(times.most_ms) if times.count else None,
    }


def _figure(value: float | None) -> float | None:
    return None if value is None or value == inf else round(value, 3)


def _ms(ms: float | None) -> str:
    return "never" if ms == inf else duration(ms)


def _proof(result: LoadResult) -> str:
    proofs, held = result.proofs, holding(result.proofs)
    if not proofs:
        return f"{NONE} ({result.why_no_proof or 'there was no time for one'})"
    decided = sum(proof.state is not State.UNDECIDED for proof in proofs)
    if not decided:
        return f"undecided each time: {one_line(proofs[-1].said)}"
    if held is None:
        most = max(proof.open for proof in proofs if proof.state is State.STREAMS)
        return f"single events passed in each of {decided} checks, with up to {most:,} streams open"
    word = "refuses proofs" if held.state is State.REFUSED else "holds events"
    before = "" if held.passed is None else f"; before, they passed with up to {held.passed:,}"
    return (
        f"the path {word} from {held.begins:,} open streams on, in {held.times} of {held.of} checks{before}"
    )


def _state(one: Judged) -> LaneState:
    return {True: LaneState.OK, False: LaneState.NOT_AS_EXPECTED, None: LaneState.INCONCLUSIVE}[one.met]


def _objective(one: Judged, style: Style) -> str:
    mark, tone = MARKS[_state(one)]
    objective = one.objective
    what = " ".join(filter(None, (_WHAT[objective.name], objective.of)))
    if objective.unit == "ms":
        most, low, high = f"within {duration(objective.most)}", _ms(one.low), _ms(one.high)
    else:
        unit = f" {objective.unit}".rstrip()
        most = f"at most {objective.most:g}{unit}"
        low, high = (NONE if value is None else f"{value:.3g}{unit}" for value in (one.low, one.high))
    seen = one.why if one.low is None else high if one.met or low == high else f"{low} to {high}"
    if one.met is None and one.low is not None:
        seen += f" ({one.why})"
    return f"  {style.paint(mark, tone)} {what} {most}: {seen}"
