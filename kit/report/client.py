"""The examination of a client, for a person and for a program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kit.errors import Exit
from kit.language import join, t, text
from kit.proof.client_causes import ClientCause
from kit.proof.client_examination import TYPES, Conclusion, Row
from kit.report.cells import clean, hang
from kit.report.style import Style, Tone
from kit.report.terminal import WIDTH, headed, section

_MARKS: dict[bool | None, tuple[str, Tone]] = {
    False: ("✓", "ok"),
    True: ("✗", "wrong"),
    None: ("?", "unsure"),
}
_FREED = {True: text("each event at once"), False: text("held"), None: text("not known")}
_PASSED = {True: text("passed"), False: text("failed"), None: text("not known")}


@dataclass(frozen=True, slots=True)
class ClientReport:
    """What was found of a client.

    Attributes:
        command: its first word, without its folder. The others may bear secrets.
        appended: whether the URL was put at its end, for want of a `{url}`.
        conclusion: the cause, its remedy, and the runs that it rests on.
        status: the first run's exit status, 128 + N after signal N; None if it had to be stopped.
        errors: the last lines of its standard error then, where it failed and nothing can be said.
    """

    command: str
    appended: bool
    conclusion: Conclusion
    status: int | None
    errors: tuple[str, ...] = ()

    @property
    def exit(self) -> Exit:
        """The exit status of a command that reports it: any verdict is a success."""
        unclear = self.conclusion.cause is ClientCause.INCONCLUSIVE
        return Exit.INCONCLUSIVE if unclear else Exit.OK


def client_text(report: ClientReport, style: Style | None = None) -> str:
    """What the client does, what frees it, and the runs that say so."""
    style = style or Style()
    width = min(style.width or WIDTH, WIDTH)
    found = report.conclusion
    lines = headed(_MARKS[found.cause.fault], t(found.sentence), width, style)
    if found.unclear is not None:
        lines += hang("  ", found.unclear.remedy, width)
    if report.errors:
        lines += [
            "",
            *hang(
                "  ", text("The end of its standard error (status {status}):", status=report.status), width
            ),
        ]
        lines += [line for said in report.errors for line in hang("  | ", said, width)]
    # Not broken in two: they are there to be pasted.
    lines += [f"  → {t(line)}" for line in found.cause.lines]
    for warned in found.warnings:
        lines += ["", *hang(f"  {style.paint('!', 'unsure')} ", warned.sentence, width)]
        lines += [f"  → {t(line)}" for line in warned.cause.lines]
    lines += section(text("what was done and seen"), width, style)
    usual: tuple[str, ...] = ()
    for number, row in enumerate(found.rows, 1):
        words = _FREED if row.setup.stress is None else _PASSED
        changed = [word for word in row.setup.words if word not in (*usual, row.experiment)]
        usual = usual or row.setup.words
        how = text(" ({changed})", changed=join(", ", changed)) if changed else ""
        said = text("{name}{how}: {found}.", name=row.experiment, how=how, found=words[row.freed])
        lines += hang(f"  {number:2}  ", said, width)
        lines += hang("      ", text("{seen}.", seen=row.seen), width)
    if found.untried:
        lines += ["", *hang("  ", text("Not tried: {what}.", what=join("; ", found.untried)), width)]
    if report.appended:
        lines += ["", *hang("  ", text("The command had no {url}, so its URL was put at its end."), width)]
    return style.finish("\n".join(line.rstrip() for line in lines))


def client_data(report: ClientReport) -> dict[str, Any]:
    """The same, for `--json`."""
    found = report.conclusion
    return {
        "command": clean(report.command),
        "url_appended": report.appended,
        "cause": str(found.cause),
        "client_holds": found.cause.holds,
        "client_at_fault": found.cause.fault,
        "sentence": found.sentence,
        "remedy": list(found.cause.lines),
        "block_bytes": None if found.block is None else list(found.block),
        "unclear": None if found.unclear is None else str(found.unclear),
        "hint": None if found.unclear is None else found.unclear.remedy,
        "warnings": [
            {"cause": str(warned.cause), "sentence": warned.sentence, "remedy": list(warned.cause.lines)}
            for warned in found.warnings
        ],
        "not_tried": list(found.untried),
        "evidence": [_row(row) for row in found.rows],
        "status": report.status,
        "stderr": [clean(line) for line in report.errors],
    }


def _row(row: Row) -> dict[str, Any]:
    setup = row.setup
    return {
        "experiment": row.experiment,
        "stdout": "terminal" if setup.terminal else "pipe",
        "media_type": TYPES[setup.media],
        "framing": setup.framing,
        "pythonunbuffered": setup.unbuffered,
        "curl_no_buffer": setup.no_buffer,
        "seen": row.seen,
        "freed": row.freed,
    }
