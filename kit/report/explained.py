"""A page for each cause, doubt and error code, under fixed headings: what `kit explain` prints."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from kit.errors import Code
from kit.proof import causes
from kit.proof.causes import Cause
from kit.proof.client_causes import ClientCause, Unclear
from kit.proof.doubts import Doubt
from kit.report.cells import hang

Kind = Literal["cause", "client", "doubt", "error"]

HEADINGS: Final = {
    "seen": "What is seen",
    "who": "Who does it",
    "why": "Why",
    "frees": "What frees it",
    "sure": "How sure",
    "check": "How to check by hand",
    "source": "Source",
}
KINDS: Final[Mapping[Kind, str]] = {
    "cause": "Causes: who holds, cuts or spoils a stream",
    "client": "Clients: what the program that reads a stream does to it",
    "doubt": "Doubts: why a figure is not to be trusted",
    "error": "Errors: why a command could not do its work",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One code explained. Each text is lines to read, and indented by four spaces lines to paste."""

    kind: Kind
    code: str
    seen: str
    who: str
    why: str
    frees: str
    sure: str
    check: str
    source: str

    @property
    def first(self) -> str:
        """What it is, in a line."""
        text = self.who if self.kind == "cause" else self.seen
        first, full_stop, _ = text.split("\n")[0].partition(". ")
        return first + full_stop.strip()


@cache
def pages() -> tuple[Page, ...]:
    """Every page, by kind."""
    found = [
        *(_of_cause(cause) for cause in Cause),
        *(_of_client(cause) for cause in (*ClientCause, *Unclear)),
        *(_of_doubt(doubt) for doubt in Doubt),
        *(_page("error", code, {}) for code in Code),
    ]
    return tuple(found)


def page_text(page: Page, width: int) -> str:
    """One page for a terminal."""
    lines = [f"{page.code} ({page.kind})"]
    for name, heading in HEADINGS.items():
        lines += ["", heading]
        for line in getattr(page, name).split("\n"):
            lines += [f"  {line}"] if line.startswith("    ") else hang("  ", line, width)
    return "\n".join(lines)


def list_text(width: int) -> str:
    """Every code with what it is."""
    lines: list[str] = []
    for kind, heading in KINDS.items():
        ours = [page for page in pages() if page.kind == kind]
        lead = max(len(page.code) for page in ours) + 4
        lines += ["", heading] if lines else [heading]
        for page in ours:
            lines += hang(f"  {page.code}".ljust(lead), page.first, width)
    return "\n".join(lines)


def markdown(kind: Kind) -> Iterator[str]:
    """All pages of a kind for docs/causes.md."""
    for page in pages():
        if page.kind == kind:
            yield f"### `{page.code}`"
            for name, heading in HEADINGS.items():
                yield f"**{heading}.** " + _in_markdown(getattr(page, name))
                yield ""


def _in_markdown(text: str) -> str:
    """The lines to paste in fences."""
    lines: list[str] = []
    pasting = False
    for line in (*text.split("\n"), ""):
        if line.startswith("    ") is not pasting:
            pasting = not pasting
            lines.append("```")
        lines.append(line[4:] if pasting else line)
    return "\n".join(lines[:-1])


def _of_cause(cause: Cause) -> Page:
    derived = {"seen": cause.says, "who": cause.says, "frees": cause.remedy, "sure": _sure(cause)}
    return _page("cause", cause, derived)


def _sure(cause: Cause) -> str:
    """What the decision table makes of it."""
    freed = [rule for rule in causes.RULES if rule.cause is cause]
    if freed:
        by = "; or ".join(" and ".join(sorted(causes.freed_by(one) for one in rule.frees)) for rule in freed)
        return (
            f"Proven where a stream of the proof's is held, and passes once this is changed: {by}. Likely "
            "where only the answer was watched while it was changed."
        )
    if cause in causes.SHAPES.values():
        return (
            "Proven where a stream of the proof's is held so and nothing that was tried frees it. Likely "
            "where one of the experiments decided nothing."
        )
    return "The report says of each cause whether it is proven, likely or possible, and why."


def _of_client(cause: ClientCause | Unclear) -> Page:
    said, frees = cause.says.format(n="…", media="one media type"), cause.remedy
    if not said:  # then the remedy says both
        said, _, frees = " ".join(frees.split("\n")).partition(". ")
        said = f"{said.rstrip('.')}."
    return _page("client", cause, {"seen": said, "frees": frees or "See what is seen."})


def _of_doubt(doubt: Doubt) -> Page:
    what, _, frees = doubt.remedy.partition("; ")
    seen, _, so = what.partition(", so ")
    why = so or "It may have changed the figures, or what was concluded from them"
    derived = {"seen": seen, "why": why, "frees": frees}
    return _page("doubt", doubt, {name: _sentence(text) for name, text in derived.items()})


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _page(kind: Kind, code: str, derived: Mapping[str, str]) -> Page:
    """The page: its own table's texts before those derived from the lists, and the kind's before none."""
    table = _table()
    own = {**table["usual"][kind], **derived, **table.get(kind, {}).get(code, {})}
    return Page(kind, str(code), **{name: str(own.get(name, "")).strip("\n") for name in HEADINGS})


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("explained.toml").read_text("utf-8"))
