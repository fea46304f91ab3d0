"""What the two READMEs show exists, and they show the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kit.cli.app import VERBS
from kit.errors import Exit

CHECKOUT = Path(__file__).parents[1]
ENGLISH, CHINESE = "README.md", "README.zh-CN.md"
# How each says that something does not exist yet, and where it names the exit codes.
EXIT_CODES = {ENGLISH: r"Exit codes: (.+?)\.", CHINESE: r"退出码：(.+?)。"}

FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
both = pytest.mark.parametrize("name", [ENGLISH, CHINESE])


def text(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def prose(name: str) -> str:
    """All but the fenced blocks, where a # is no heading and a | no table."""
    return FENCED.sub("", text(name))


def blocks(name: str) -> list[str]:
    """The fenced blocks without their comments, which are in the reader's language."""
    return [re.sub(r"(^|[ \t]+)#.*$", "", block, flags=re.MULTILINE) for block in FENCED.findall(text(name))]


def spans(source: str) -> list[str]:
    """The inline code."""
    return re.findall(r"`([^`\n]+)`", source)


def verbs(codes: list[str]) -> set[str]:
    """What stands after `kit` in any of them."""
    return {verb for code in codes for verb in re.findall(r"\bkit ([a-z]+)", code)}


def headings(name: str) -> list[str]:
    """The levels, in order."""
    return re.findall(r"^#+(?= )", prose(name), re.MULTILINE)


def table_rows(name: str) -> list[int]:
    """How many cells each row has, in order."""
    rows = re.findall(r"^\|(.*)\|$", prose(name), re.MULTILINE)
    return [len(re.split(r"(?<!\\)\|", row)) for row in rows]


def links(name: str) -> list[str]:
    """The targets of all links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(name))


@both
@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_one_command_runs_the_demo_and_one_the_tests(name: str, command: str) -> None:
    assert f"{command}\n" in blocks(name)


def test_both_languages_show_the_same_blocks() -> None:
    assert blocks(CHINESE) == blocks(ENGLISH)


def test_both_languages_name_the_same_commands_and_options() -> None:
    assert set(spans(prose(CHINESE))) == set(spans(prose(ENGLISH)))


def test_both_languages_have_the_same_sections() -> None:
    assert headings(ENGLISH)
    assert headings(CHINESE) == headings(ENGLISH)


def test_both_languages_have_the_same_table_rows() -> None:
    assert table_rows(ENGLISH)
    assert table_rows(CHINESE) == table_rows(ENGLISH)


def test_each_language_leads_to_the_other() -> None:
    assert CHINESE in links(ENGLISH)
    assert ENGLISH in links(CHINESE)


@both
def test_no_link_leads_to_a_file_that_is_missing(name: str) -> None:
    relative = [link.partition("#")[0] for link in links(name) if "://" not in link]
    assert relative
    assert [link for link in relative if not (CHECKOUT / link).is_file()] == []


@both
def test_every_verb_that_is_shown_exists(name: str) -> None:
    shown = verbs([*blocks(name), *spans(prose(name))])
    assert shown
    assert shown - set(VERBS) == set()


@both
def test_every_exit_code_is_named(name: str) -> None:
    told = re.search(EXIT_CODES[name], prose(name))
    assert told, "nothing says what the exit codes mean"
    named = re.findall(r"(?:^| · )(\d+) [^ ·]", told[1])
    assert sorted(map(int, named)) == sorted(Exit)
