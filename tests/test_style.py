"""The words that STYLE.md bans are in no code, message or document."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
KINDS = {".py", ".md", ".js", ".j2", ".html", ".toml", ".yaml", ".yml", ".css"}
BANNED = re.compile(
    r"\b(nobody|somebody|whoever|heeds?|heeded)\b(?!@)|\blets? go\b|what (it )?is told", re.IGNORECASE
)
TOLD = re.compile(r"\btold *(=[^=]|: |,|\.\w|\(|\[)")
# The river of the embedded text, the page that says what is banned, and this file.
PROSE = {"service/generate/text.py", "STYLE.md", "tests/test_style.py"}


def files() -> list[str]:
    found = [
        p
        for top in ("kit", "service", "deploy", "docs", "examples", "bench", "tests")
        for p in (CHECKOUT / top).rglob("*")
    ]
    found += CHECKOUT.iterdir()
    names = {str(p.relative_to(CHECKOUT)) for p in found if p.suffix in KINDS or p.name == "Makefile"}
    return sorted(names - PROSE)


def banned(text: str, *, code: bool) -> list[str]:
    lines = enumerate(text.splitlines(), 1)
    return [
        f"{n}: {line.strip()}" for n, line in lines if BANNED.search(line) or (code and TOLD.search(line))
    ]


def test_no_banned_word() -> None:
    found = {}
    for name in files():
        text = (CHECKOUT / name).read_text(encoding="utf-8")
        if words := banned(text, code=name.endswith(".py")):
            found[name] = words
    assert not found


def test_a_modules_docstring_names_its_idea() -> None:
    modules = [name for name in files() if name.endswith(".py") and not name.startswith("tests/")]
    assert [name for name in modules if (CHECKOUT / name).read_text("utf-8").startswith('"""What ')] == []


@pytest.mark.parametrize(
    "bad",
    ["Nobody answers", "it heeds the header", "a hop lets go of it", "told = 1", "told.status", "f(told, 1)"],
)
def test_the_check_finds_what_is_banned(bad: str) -> None:
    assert banned(bad, code=True)
