"""The doctor's findings, for a terminal: verdict, cause, what frees it, the evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kit.language import join, t, text
from kit.proof.causes import NamedCause
from kit.proof.diagnosis import AppExamined, Diagnosis
from kit.proof.experiments import Row
from kit.proof.fingerprints import NO_EVIDENCE
from kit.proof.lane import Mark
from kit.proof.quick_check import State
from kit.proof.verdict import Verdict
from kit.report.advice import frees
from kit.report.cells import cells, hang, one_line, pad
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
_SURE = {"certain": text("proven"), "likely": text("likely"), "possible": text("possible")}
_STATES = {
    State.STREAMS: text("streams"),
    State.HELD: text("held"),
    State.REFUSED: text("refused"),
    State.UNDECIDED: text("undecided"),
}
_APP = text("The app itself")


_NO_HOP = text(
    "No hop holds it on the way to here. If your own client shows it in one lump all the same, examine the "
    "client: kit doctor --client -- COMMAND"
)


def diagnosis_text(diagnosis: Diagnosis, style: Style | None = None) -> str:
    """The verdict, who holds the stream, what frees it, and what that rests on."""
    style = style or Style()
    width = min(style.width or WIDTH, WIDTH)
    lane = lane_view(diagnosis.lane)
    mark, tone = CAME[came(diagnosis)]
    first, *rest = hang("  ", headline(diagnosis), width)
    lines = [f"{style.paint(mark, tone)} {style.paint(first[2:], 'bold')}"]
    lines += [style.paint(line, "bold") for line in rest]
    lines += hang("  ", diagnosis.url, width)
    lines += hang("  ", text("Method: {method}", method=lane.method), width)
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
                _NO_HOP,
                width,
            ),
        ]
    lines += contract(lane.clauses, width, style)
    lines += section(text("the experiments"), width, style)
    for number, (row, times) in enumerate(_grouped(diagnosis.rows), 1):
        lines += _row(number, row, times, style, width)
    if lane.doubts:
        lines += section(text("what to doubt"), width, style)
        for doubt in lane.doubts:
            lines += hang("   ?  ", f"{doubt}: {t(doubt.remedy)}", width)
    if diagnosis.hops:
        lines += section(
            text("what its headers hint at. {no_evidence}", no_evidence=NO_EVIDENCE), width, style
        )
        for place, hop in enumerate(diagnosis.hops):
            # The heading says it for all of them, as the sentence does where it stands alone.
            lines += hang("   ·  ", one_line(hop.says).removesuffix(t(NO_EVIDENCE)).rstrip(), width)
            shown = {one.streams for one in diagnosis.hops[:place]}
            if hop.streams is not None and hop.streams not in shown:
                lines += hang("      ", hop.streams, width)
    if diagnosis.limits:
        lines += section(text("what else to know"), width, style)
        for limit in diagnosis.limits:
            lines += hang("   -  ", limit, width)
    return style.finish("\n".join(line.rstrip() for line in lines))


def came(diagnosis: Diagnosis) -> Mark:
    """How the answer came."""
    return Mark.HELD if _comes_held(diagnosis) else diagnosis.lane.mark


def headline(diagnosis: Diagnosis) -> str:
    """The verdict in a few words, whether that was expected, and each clause that missed its limits."""
    lane = lane_view(diagnosis.lane)
    said = _verdict(diagnosis)
    if lane.kept:
        said = text("{verdict}, {kept}", verdict=said, kept=lane.kept)
    return join("; ", (said, *lane.against))


def _verdict(diagnosis: Diagnosis) -> str:
    """The verdict; where there is none, what the answer looks like."""
    lane = lane_view(diagnosis.lane)
    if _comes_held(diagnosis):
        streams = text("the way here streams, {all_the_same}", all_the_same=lane.looks.all_the_same)
        return text("{streams}; it {fate}", streams=streams, fate=lane.fate) if lane.fate else streams
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
    lines = hang("  ", text("{sure}: {cause}", sure=_SURE[named.certainty], cause=named.cause.says), width)
    if named.because not in {one.because for one in before}:
        lines += hang("    ", named.because, width)
    if named.where:
        lines += hang("    ", named.where, width)
    if named.apart and named.apart not in {one.apart for one in after}:
        lines += hang("    ", text("What would tell {apart}.", apart=named.apart), width)
    lines += remedy(named.remedy, width)
    return lines + hang("    ", text("More of it: kit explain {cause}", cause=named.cause), width)


def _grouped(rows: Sequence[Row]) -> list[tuple[Row, int]]:
    """Each row once, with how often the same was done and the same was seen."""
    times = Counter((row.experiment, row.observation.state) for row in rows)
    first = {(row.experiment, row.observation.state): row for row in reversed(rows)}
    return [(first[key], count) for key, count in times.items()]


def _row(number: int, row: Row, times: int, style: Style, width: int) -> list[str]:
    seen = row.observation
    lead = f"  {number:2}  "
    lines = hang(lead, row.experiment.says + (text(", twice") if times > 1 else ""), width)
    state = t(_STATES[seen.state])
    what = one_line(text("{state}: {said}", state=_STATES[seen.state], said=seen.said))
    lines_seen = hang(" " * (len(lead) + 2), what, width)
    lines_seen[0] = lines_seen[0].replace(state, style.paint(state, _TONES[seen.state]), 1)
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
    first = max(cells(t(line.title)) for line in lines)
    parts: list[str] = []
    for line in lines:
        mark, tone = CAME[came(line.diagnosis)]
        lead = f"{mark} {pad(t(line.title), first)}  "
        head, *rest = hang(lead, headline(line.diagnosis), width)
        parts += [style.paint(mark, tone) + head[1:], *rest]
        if line.advice is not None:
            parts += hang(f"  {'':{first}}  → ", line.advice, width)
    parts += section(
        text("The fronts are emulated from documentation; nothing ran on Google's cloud."), width, style
    )
    for line in lines:
        parts += ["", style.paint(t(line.title), "bold"), diagnosis_text(line.diagnosis, style)]
    return style.finish("\n".join(parts))
