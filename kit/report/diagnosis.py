"""The doctor's findings, for a terminal: verdict, cause, what frees it, the evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kit.proof.causes import NamedCause
from kit.proof.diagnosis import AppExamined, Diagnosis
from kit.proof.experiments import Row
from kit.proof.fingerprints import NO_EVIDENCE
from kit.proof.lane import Mark
from kit.proof.quick_check import State
from kit.proof.verdict import Verdict
from kit.report.advice import frees
from kit.report.cells import clean, hang
from kit.report.style import CAME, Style, Tone
from kit.report.terminal import WIDTH, contract, remedy, section
from kit.report.view import lane_view
from kit.targets import Target

_TONES: dict[State, Tone] = {
    State.STREAMS: "ok",
    State.HELD: "wrong",
    State.REFUSED: "wrong",
    State.UNDECIDED: "unsure",
}
_SURE = {"certain": "proven", "likely": "likely", "possible": "possible"}


def diagnosis_text(diagnosis: Diagnosis, style: Style | None = None) -> str:
    """The verdict, who holds the stream, what frees it, and what that rests on."""
    style = style or Style()
    width = min(style.width or WIDTH, WIDTH)
    lane = lane_view(diagnosis.lane)
    mark, tone = CAME[came(diagnosis)]
    first, *rest = hang("  ", headline(diagnosis), width)
    lines = [f"{style.paint(mark, tone)} {style.paint(first[2:], 'bold')}"]
    lines += [style.paint(line, "bold") for line in rest]
    lines += hang("  ", clean(diagnosis.url), width)
    lines += hang("  ", f"by {lane.method}", width)
    if lane.remark is not None:
        lines += hang("  ", lane.remark, width)
    step = lane.looks.next_step
    if step is not None and lane.word is Verdict.INCONCLUSIVE and not lane.fate:
        lines += hang("  → ", step, width)
    for place, named in enumerate(diagnosis.causes):
        lines += ["", *_cause(named, diagnosis.causes[:place], diagnosis.causes[place + 1 :], width)]
    if not diagnosis.causes and lane.word is Verdict.INCREMENTAL and not lane.fate:
        lines += [
            "",
            *hang(
                "  ",
                "No hop holds it on the way to here. If your own client shows it in one lump all the same, "
                "examine the client: kit doctor --client -- COMMAND",
                width,
            ),
        ]
    lines += contract(lane.clauses, width, style)
    lines += section("the experiments", width, style)
    for number, (row, times) in enumerate(_grouped(diagnosis.rows), 1):
        lines += _row(number, row, times, style, width)
    if lane.doubts:
        lines += section("what to doubt", width, style)
        for doubt in lane.doubts:
            lines += hang("   ?  ", f"{doubt}: {doubt.remedy}", width)
    if diagnosis.hops:
        lines += section(f"what its headers hint at. {NO_EVIDENCE}", width, style)
        for place, hop in enumerate(diagnosis.hops):
            # The heading says it for all of them, as the sentence does where it stands alone.
            lines += hang("   ·  ", clean(hop.says).removesuffix(NO_EVIDENCE).rstrip(), width)
            shown = {one.streams for one in diagnosis.hops[:place]}
            if hop.streams is not None and hop.streams not in shown:
                lines += hang("      ", clean(hop.streams), width)
    if diagnosis.limits:
        lines += section("what else to know", width, style)
        for limit in diagnosis.limits:
            lines += hang("   -  ", clean(limit), width)
    return style.finish("\n".join(line.rstrip() for line in lines))


def came(diagnosis: Diagnosis) -> Mark:
    """How the answer came."""
    return Mark.HELD if _comes_held(diagnosis) else diagnosis.lane.mark


def headline(diagnosis: Diagnosis) -> str:
    """The verdict in a few words, whether that was expected, and each clause that missed its limits."""
    lane = lane_view(diagnosis.lane)
    said = ", ".join(filter(None, (_verdict(diagnosis), lane.kept)))
    return "; ".join((said, *map(clean, lane.against)))


def _verdict(diagnosis: Diagnosis) -> str:
    """The verdict; where there is none, what the answer looks like."""
    lane = lane_view(diagnosis.lane)
    if _comes_held(diagnosis):
        fate = f"; it {lane.fate}" if lane.fate else ""
        return f"the way here streams, {lane.looks.all_the_same}{fate}"
    return lane.verdict


def _comes_held(diagnosis: Diagnosis) -> bool:
    """Whether the answer is held beside a way that streams: by what does more than end a stream."""
    saw = diagnosis.rows[0].observation.state if diagnosis.rows else State.UNDECIDED
    way_streams = diagnosis.verdict is Verdict.INCREMENTAL or (
        diagnosis.verdict is Verdict.INCONCLUSIVE and saw is State.STREAMS
    )
    return way_streams and any(named.holds for named in diagnosis.causes)


def _cause(
    named: NamedCause, before: Sequence[NamedCause], after: Sequence[NamedCause], width: int
) -> list[str]:
    """One of the causes. What several have in common is said once: why beside the first, the rest last."""
    lines = hang("  ", f"{_SURE[named.certainty]}: {named.cause.says}", width)
    if named.because not in {one.because for one in before}:
        lines += hang("    ", clean(named.because), width)
    if named.where:
        lines += hang("    ", clean(named.where), width)
    if named.apart and named.apart not in {one.apart for one in after}:
        lines += hang("    ", f"What would tell {clean(named.apart)}.", width)
    lines += remedy(named.remedy, width)
    return lines + hang("    ", f"More of it: kit explain {named.cause}", width)


def _grouped(rows: Sequence[Row]) -> list[tuple[Row, int]]:
    """Each row once, with how often the same was done and the same was seen."""
    times = Counter((row.experiment, row.observation.state) for row in rows)
    first = {(row.experiment, row.observation.state): row for row in reversed(rows)}
    return [(first[key], count) for key, count in times.items()]


def _row(number: int, row: Row, times: int, style: Style, width: int) -> list[str]:
    seen = row.observation
    lead = f"  {number:2}  "
    lines = hang(lead, clean(row.experiment.says + (", twice" if times > 1 else "")), width)
    word = style.paint(str(seen.state), _TONES[seen.state])
    lines_seen = hang(" " * (len(lead) + 2), f"{seen.state}: {clean(seen.said)}", width)
    lines_seen[0] = lines_seen[0].replace(str(seen.state), word, 1)
    return [*lines, *lines_seen]


@dataclass(frozen=True, slots=True)
class AppLine:
    """What becomes of an app's answer in one place, in short.

    Attributes:
        target, title: where; None is the app itself.
        diagnosis: what was found there.
        advice: what frees it there; None where nothing holds it, or nothing is known.
    """

    target: str | None
    title: str
    diagnosis: Diagnosis
    advice: str | None


def app_lines(found: AppExamined, targets: Mapping[str, Target]) -> list[AppLine]:
    """The app itself, then each target."""
    lines = [AppLine(None, "The app itself", found.itself, None)]
    for name, one in found.targets.items():
        advice = frees(one.lane, targets[name]) if one.causes else None
        lines.append(AppLine(name, targets[name].title, one, advice))
    return lines


def app_text(found: AppExamined, targets: Mapping[str, Target], style: Style | None = None) -> str:
    """What would become of an app's answer on each platform."""
    style = style or Style()
    width = min(style.width or WIDTH, WIDTH)
    lines = app_lines(found, targets)
    first = max(len(line.title) for line in lines)
    parts: list[str] = []
    for line in lines:
        mark, tone = CAME[came(line.diagnosis)]
        head, *rest = hang(f"{mark} {line.title:{first}}  ", headline(line.diagnosis), width)
        parts += [style.paint(mark, tone) + head[1:], *rest]
        if line.advice is not None:
            parts += hang(f"  {'':{first}}  → ", line.advice, width)
    parts += section(
        "The fronts are emulated from documentation; nothing ran on Google's cloud.", width, style
    )
    for line in lines:
        parts += ["", style.paint(line.title, "bold"), diagnosis_text(line.diagnosis, style)]
    return style.finish("\n".join(parts))
