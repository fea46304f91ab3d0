"""A baseline as a file, and what was found against it in sentences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from kit.errors import Code
from kit.language import text
from kit.proof.baseline import BLOCK, WHAT, Against, Miss
from kit.proof.contract import Term
from kit.proof.verdict import Shape, Verdict, in_words
from kit.report.cells import clean
from kit.schema import STRICT, Convert, bad, parse, read_toml

_HEAD: Final = """\
# What is known to be missed, by --write-baseline. What is new or worse fails (exit 3); what is undecided is
# never covered (exit 4). An entry whose lane keeps what is expected again can go: docs/ci.md.
"""


def _what(value: str) -> str:
    if value not in WHAT:
        raise ValueError(f"one of {', '.join(WHAT)}")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    __pydantic_config__ = STRICT

    lane: str
    missed: Annotated[str, Convert(_what)]
    verdict: Verdict | None = None
    octets: int | None = None
    figure: float | None = None


@dataclass(frozen=True, slots=True)
class _File:
    __pydantic_config__ = STRICT

    known: tuple[_Entry, ...] = field(default_factory=tuple)


def read(file: Path) -> tuple[Miss, ...]:
    """What is known. Raises KitError BAD_CONFIG where the file is not what `toml` writes."""
    entries = parse(_File, read_toml(file, Code.BAD_CONFIG), file, Code.BAD_CONFIG).known
    found: dict[tuple[str, str], Miss] = {}
    for number, one in enumerate(entries):
        if (one.lane, one.missed) in found:
            raise bad(file, f"known.{number}", one.lane, "each lane and what it misses once", Code.BAD_CONFIG)
        miss = Miss(one.lane, one.missed, one.verdict, one.octets, one.figure)
        found[one.lane, one.missed] = miss
    return tuple(found.values())


def toml(known: Sequence[Miss]) -> str:
    """The file's text; the same baseline gives the same text."""
    blocks = [_HEAD]
    for one in sorted(known, key=lambda one: (one.lane, one.what)):
        values = {
            "lane": _quoted(one.lane),
            "missed": _quoted(one.what),
            "verdict": None if one.verdict is None else _quoted(one.verdict),
            "octets": None if one.octets is None else str(one.octets),
            "figure": None if one.figure is None else repr(float(one.figure)),
        }
        lines = [f"{name} = {value}" for name, value in values.items() if value is not None]
        blocks.append("\n".join(["[[known]]", *lines, ""]))
    return "\n".join(blocks)


def _quoted(text: str) -> str:
    """A basic string (https://toml.io/en/v1.0.0#string), whose escapes JSON's are, but for one character."""
    plain = text.encode("utf-8", "replace").decode()
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")


def sentences(found: Against, file: Path) -> list[str]:
    """One for each thing that the baseline speaks of, or should."""
    better = (
        (
            text(
                "better: {lane}, {what}: known as {before}, and now as expected: its entry can go",
                **_values(before),
                before=_value(before),
            )
            if now is None
            else text(
                "better: {lane}, {what}: known as {before}, and now {value}",
                **_values(now),
                before=_value(before),
            )
        )
        for before, now in found.better
    )
    return [
        *(text("new: {lane}, {what}: {value}; {file} does not know it", **_values(one), file=file)
          for one in found.new),
        *(text("worse: {lane}, {what}: {value}, known as {before} in {file}", **_values(one),
               before=_value(before), file=file)
          for one, before in found.worse),
        *(text("known: {lane}, {what}: {value}, as in {file}", **_values(one), file=file)
          for one in found.known),
        *better,
    ]  # fmt: skip


def _values(one: Miss) -> dict[str, object]:
    return {"lane": clean(one.lane), "what": one.what, "value": _value(one)}


def _value(one: Miss) -> str:
    if one.verdict is not None:
        shape = Shape.BLOCKS if one.verdict is Verdict.BYTE_LIMITED else None
        return in_words(one.verdict, shape, one.octets, None)
    if one.figure is None:
        return text("missed")
    if one.what == Term.MANY:
        return f"{one.figure:.0f}"
    return f"{one.figure:.0f} {'B' if one.what == BLOCK else 'ms'}"
