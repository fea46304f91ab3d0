"""A load's result: as text, as JSON, and in one line while it runs."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from kit.language import join, t, text
from kit.load.histogram import Histogram
from kit.load.plan import Schedule
from kit.load.result import LoadResult, holding, shown_ms
from kit.load.slo import Judged
from kit.load.tally import Tally
from kit.proof.lane import LaneState
from kit.proof.quick_check import State
from kit.report.cells import clean, one_line, pad
from kit.report.style import MARKS, Style
from kit.report.words import NONE, duration

if TYPE_CHECKING:
    from kit.report import wire

_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_WHAT = {
    "first": text("first event"),
    "gap": text("worst gap"),
    "late": text("lateness"),
    "cut": text("cut"),
    "refused": text("refused"),
}


def progress(schedule: Schedule, before: Tally, now: Tally) -> str:
    """One line of a load that runs; `before` is what was known half a second ago."""
    parts = [
        text("{open:,} of {streams:,} open", open=now.open, streams=schedule.streams),
        text("{count:,} events/s", count=(now.events - before.events) * 2),
    ]
    if now.first.count:
        parts.append(text("first event {ms}", ms=_ms(now.first.quantile(0.99))))
    if now.late.count:
        parts.append(text("late {ms}", ms=_ms(now.late.quantile(0.99))))
    parts += [text("{count:,} cut", count=now.cut)] if now.cut else []
    parts += [text("{count:,} refused", count=now.refused)] if now.refused else []
    return join(" · ", parts)


def load_text(result: LoadResult, style: Style) -> str:
    """The whole for a person."""
    schedule, tally = result.schedule, result.tally
    head = text(
        "{streams:,} streams over {ramp_s:g} s, for {for_s:g} s",
        streams=schedule.streams,
        ramp_s=schedule.ramp_s,
        for_s=schedule.for_s,
    )
    if schedule.every_s is not None:
        head += text(", anew each {every_s:g} s", every_s=schedule.every_s)
    one, several = text("; Locust in one process"), text("; Locust in {count} processes")
    head += one if result.workers == 1 else several.format(count=result.workers)
    if result.interrupted:
        head += text("; interrupted, so this is what came until then")
    lines = [style.paint(one_line(result.url), "bold"), f"  {t(head)}", ""]
    by_stamps = text(" (by their stamps, than the quickest of its stream)")
    rows = [(text("streams"), _streams(result))]
    rows += [
        (what, _times(times) + more)
        for what, times, more in (
            (_WHAT["first"], tally.first, ""),
            (_WHAT["gap"], tally.gap, ""),
            (_WHAT["late"], tally.late, by_stamps),
            (text("own lateness"), tally.own, text(" (the generator's)")),
        )
        if times.count or what != _WHAT["late"]
    ]
    came = text("{events:,}, {octets:,} octets", events=tally.events, octets=tally.octets)
    rows += [(text("events"), came), (text("proof"), _proof(result))]
    lines += [f"  {style.paint(pad(t(name), 13), 'dim')} {one_line(said)}" for name, said in rows]
    for reason, count in tally.reasons.most_common(5):
        lines.append(f"  {count:>13,} {one_line(reason)}")
    lines += [""] * bool(result.judged)
    lines += [_objective(one, style) for one in result.judged]
    lines += [f"  {style.paint('?', 'unsure')} {t(doubt)}" for doubt in result.doubts]
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
    for name, state, words in cases:
        seconds = f"{result.schedule.for_s:.3f}"
        case = ET.SubElement(
            suite, "testcase", {"classname": "streamproof.load", "name": name, "time": seconds}
        )
        if state is not LaneState.OK:
            tag = "error" if state is LaneState.FAILED else "failure"
            message = words if name != "streams" else " ".join(result.doubts) or "No stream brought an event."
            ET.SubElement(case, tag, {"type": str(state), "message": message}).text = words
        else:
            ET.SubElement(case, "system-out").text = words
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
    parts = [
        text("{count:,} started", count=tally.started),
        text("{count:,} open at once at most", count=result.most_open),
    ]
    parts += [
        words.format(count=count)
        for count, words, always in (
            (tally.ended, text("{count:,} ended by themselves"), False),
            (tally.cut, text("{count:,} cut"), True),
            (tally.refused, text("{count:,} refused"), True),
            (tally.left, text("{count:,} open until the end"), False),
        )
        if count or always
    ]
    return join(" · ", parts)


def _times(times: Histogram) -> str:
    if not times.count:
        return NONE
    parts = [join(" ", (name, _ms(times.quantile(share)))) for name, share in _SHARES.items()]
    return join(" · ", [*parts, text("worst {ms}", ms=_ms(times.most_ms))])


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
    return text("never") if ms == inf else duration(ms)


def _proof(result: LoadResult) -> str:
    proofs, held = result.proofs, holding(result.proofs)
    if not proofs:
        return f"{NONE} (" + (result.why_no_proof or text("there was no time for one")) + ")"
    decided = sum(proof.state is not State.UNDECIDED for proof in proofs)
    if not decided:
        return text("undecided each time: {said}", said=proofs[-1].said)
    if held is None:
        return text(
            "single events passed in each of {decided} checks, with up to {most:,} streams open",
            decided=decided,
            most=max(proof.open for proof in proofs if proof.state is State.STREAMS),
        )
    refuses = text("the path refuses proofs from {begins:,} open streams on, in {times} of {of} checks")
    holds = text("the path holds events from {begins:,} open streams on, in {times} of {of} checks")
    said = (refuses if held.state is State.REFUSED else holds).format(
        begins=held.begins, times=held.times, of=held.of
    )
    if held.passed is not None:
        said += text("; before, they passed with up to {passed:,}", passed=held.passed)
    return said


def _state(one: Judged) -> LaneState:
    return {True: LaneState.OK, False: LaneState.NOT_AS_EXPECTED, None: LaneState.INCONCLUSIVE}[one.met]


def _objective(one: Judged, style: Style) -> str:
    mark, tone = MARKS[_state(one)]
    objective = one.objective
    what = join(" ", filter(None, (_WHAT[objective.name], objective.of)))
    if objective.unit == "ms":
        most = text("within {ms}", ms=duration(objective.most))
        low, high = _ms(one.low), _ms(one.high)
    else:
        unit = f" {objective.unit}".rstrip()
        most = text("at most {most}", most=f"{objective.most:g}{unit}")
        low, high = (NONE if value is None else f"{value:.3g}{unit}" for value in (one.low, one.high))
    seen = one.why
    if one.low is not None:
        seen = high if one.met or low == high else text("{low} to {high}", low=low, high=high)
        seen += text(" ({why})", why=one.why) if one.met is None else ""
    said = text("{what} {most}: {seen}", what=what, most=most, seen=seen)
    return f"  {style.paint(mark, tone)} {one_line(said)}"
