"""Each line that a person reads from a data file has its Chinese, with the same commands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kit.cli.help import VERBS

CHECKOUT = Path(__file__).parents[2]
CHINESE = CHECKOUT / "kit/chinese"

# The keys of a table that a person reads. A claim's quote is Google's own words and stays as it is.
READ = {
    "causes": ("kit/proof/causes.toml", None),
    "doubts": ("kit/proof/doubts.toml", {"remedy"}),
    "client": ("kit/proof/client_causes.toml", {"says", "remedy"}),
    "explained": ("kit/report/explained.toml", None),
    "limits": ("kit/proof/fingerprints.toml", {"name", "streams"}),
    "limits of time": ("kit/proof/known_limits.toml", {"who", "frees"}),
    "targets": ("deploy/*/target.toml", {"in_short", "advice", "form", "meaning", "says", "text", "short"}),
}
# What must be the same in both languages: options, headers, names of settings and functions, code, addresses.
SAME = re.compile(
    r"`[^`]+`|--[a-z][a-z-]*|\{[a-z]+\}|\b[A-Z][A-Za-z]*-[A-Za-z-]+: [a-z0-9?]+|\w+_\w+"
    r"|\w+\.\w+(?:\.\w+)*|\w+\(\)|\b\w*[a-z][A-Z]\w*|[\w-]+/[\w-]+|\d[\d,.]*\d|\b[A-Z]{3,}\b"
    rf"|\bkit (?:{'|'.join(VERBS)})\b"
)
NO_HEADER = {"Flask-Compress: set"}


def strings(table: object, keys: set[str] | None) -> Iterator[str]:
    match table:
        case dict():
            for key, value in table.items():
                if isinstance(value, str) and (keys is None or key in keys):
                    yield value
                elif isinstance(value, dict | list):
                    yield from strings(value, keys)
        case list():
            for value in table:
                yield from strings(value, keys)


def lines(text: str) -> Iterator[str]:
    """Its prose: a line that is indented is there to be pasted, and @name stands for another text."""
    for line in text.strip("\n").split("\n"):
        if line and not line.startswith(("    ", "@")):
            yield line


def english() -> Iterator[str]:
    for pattern, keys in READ.values():
        for path in sorted(CHECKOUT.glob(pattern)):
            for text in strings(tomllib.loads(path.read_text("utf-8")), keys):
                yield from lines(text)


def chinese() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name in dict.fromkeys(key.split()[0] for key in READ):
        table: dict[str, Any] = tomllib.loads((CHINESE / f"{name}.toml").read_text("utf-8"))
        found |= table["sentences"]
    return found


def test_each_line_of_the_data_has_its_chinese_and_none_is_left_over() -> None:
    wanted = set(english())
    assert wanted - set(chinese()) == set()
    assert set(chinese()) - wanted == set()


def unlike(english: str, chinese: str) -> set[str]:
    """What is to be the same, and stands in the English alone."""
    return {same for same in SAME.findall(english) if same not in chinese} - NO_HEADER


def test_the_chinese_has_the_commands_the_headers_and_the_figures_of_the_english() -> None:
    found = {one: missing for one, other in chinese().items() if (missing := unlike(one, other))}
    assert not found


@pytest.mark.parametrize(
    "chinese", ["用 `kit explane`。", "发送 X-Accel-Buffering: yes", "加上 --no", "等 65 秒", "{m} 个"]
)
def test_the_check_finds_what_differs(chinese: str) -> None:
    english = "Send X-Accel-Buffering: no after 64 s with `kit explain` and --now: {n}."
    assert unlike(english, f"{chinese} X-Accel-Buffering: no 64 `kit explain` --now {{n}}") == set()
    assert unlike(english, chinese)
