"""A page for each cause, doubt and error code, under fixed headings: what `kit explain` prints.

A page is made in a language as a whole, since what is taken out of a sentence of the lists is half of it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from kit.errors import Code
from kit.language import Language, in_chinese, join, spoken, t, text
from kit.proof import causes
from kit.proof.causes import Cause
from kit.proof.client_causes import ClientCause, Unclear
from kit.proof.doubts import Doubt
from kit.report.cells import hang

Kind = Literal["cause", "client", "doubt", "error"]

HEADINGS: Final = {
    "seen": text("What is seen"),
    "who": text("Who does it"),
    "why": text("Why"),
    "frees": text("What frees it"),
    "sure": text("How sure"),
    "check": text("How to check by hand"),
    "source": text("Source"),
}
KINDS: Final[Mapping[Kind, str]] = {
    "cause": text("Causes: who holds, cuts or spoils a stream"),
    "client": text("Clients: what the program that reads a stream does to it"),
    "doubt": text("Doubts: why a figure is not to be trusted"),
    "error": text("Errors: why a command could not do its work"),
}
_NAMES: Final[Mapping[Kind, str]] = {
    "cause": text("cause"),
    "client": text("client"),
    "doubt": text("doubt"),
    "error": text("error"),
}

# The sentence in a page's language.
Say = Callable[[str], str]


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
        said = self.who if self.kind == "cause" else self.seen
        return _first(said.split("\n")[0])[0]


@cache
def pages(language: Language = "en") -> tuple[Page, ...]:
    """Every page, by kind."""
    say: Say = in_chinese if language == "zh" else str
    found = [
        *(_of_cause(cause, say) for cause in Cause),
        *(_of_client(cause, say) for cause in (*ClientCause, *Unclear)),
        *(_of_doubt(doubt, say) for doubt in Doubt),
        *(_page("error", code, {}, say) for code in Code),
    ]
    return tuple(found)


def page_text(page: Page, width: int) -> str:
    """One page for a terminal."""
    lines = [t(text("{code} ({kind})", code=page.code, kind=_NAMES[page.kind]))]
    for name, heading in HEADINGS.items():
        lines += ["", t(heading)]
        for line in getattr(page, name).split("\n"):
            lines += [f"  {line}"] if line.startswith("    ") else hang("  ", line, width)
    return "\n".join(lines)


def list_text(width: int) -> str:
    """Every code with what it is."""
    lines: list[str] = []
    for kind, heading in KINDS.items():
        ours = [page for page in pages(spoken()) if page.kind == kind]
        lead = max(len(page.code) for page in ours) + 4
        lines += ["", t(heading)] if lines else [t(heading)]
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


def _of_cause(cause: Cause, say: Say) -> Page:
    derived = {"seen": cause.says, "who": cause.says, "frees": cause.remedy, "sure": _sure(cause)}
    return _page("cause", cause, {name: say(one) for name, one in derived.items()}, say)


def _sure(cause: Cause) -> str:
    """What the decision table makes of it."""
    freed = [rule for rule in causes.RULES if rule.cause is cause]
    if freed:
        changes = [join(" and ", sorted(map(causes.freed_by, rule.frees))) for rule in freed]
        return text(
            "Proven where a stream of the proof's is held, and passes once this is changed: {by}. Likely "
            "where only the answer was watched while it was changed.",
            by=join("; or ", changes),
        )
    if cause in causes.SHAPES.values():
        return text(
            "Proven where a stream of the proof's is held so and nothing that was tried frees it. Likely "
            "where one of the experiments decided nothing."
        )
    return text("The report says of each cause whether it is proven, likely or possible, and why.")


def _of_client(cause: ClientCause | Unclear, say: Say) -> Page:
    said = say(text(cause.says, n="…", media=text("one media type")))
    frees = say(cause.remedy)
    if not said:  # then the remedy says both
        said, frees = _first(" ".join(frees.split("\n")))
    return _page("client", cause, {"seen": said, "frees": frees or say(text("See what is seen."))}, say)


def _of_doubt(doubt: Doubt, say: Say) -> Page:
    what, frees = _at("; |；", say(doubt.remedy))
    seen, so = _at(", so |，所以", what)
    why = so or say(text("It may have changed the figures, or what was concluded from them."))
    derived = {"seen": seen, "why": why, "frees": frees}
    return _page("doubt", doubt, {name: _sentence(one) for name, one in derived.items()}, say)


def _first(said: str) -> tuple[str, str]:
    return _at(r"(?<=\.) |(?<=。)", said)


def _at(mark: str, said: str) -> tuple[str, str]:
    before, *after = re.split(mark, said, maxsplit=1)
    return before, "".join(after)


def _sentence(said: str) -> str:
    stop = "。" if said[-1:] > "\u2000" else "."
    return f"{said[:1].upper()}{said[1:].rstrip('.。')}{stop}"


def _page(kind: Kind, code: str, derived: Mapping[str, str], say: Say) -> Page:
    """The page: its own table's texts before those derived from the lists, and the kind's before none."""
    table = _table()
    usual, own = table["usual"][kind], table.get(kind, {}).get(code, {})
    written = {
        name: say(str(one).strip("\n"))
        for name, one in {**usual, **own}.items()
        if name not in derived or name in own
    }
    found = {**derived, **written}
    return Page(kind, str(code), **{name: found.get(name, "").strip("\n") for name in HEADINGS})


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("explained.toml").read_text("utf-8"))
