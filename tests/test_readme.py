"""The commands that the READMEs and docs/commands.md show exist, with their options; no link is dead."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import typer.main

from kit.cli.app import app
from kit.cli.help import VERBS

CHECKOUT = Path(__file__).parents[1]
ENGLISH, CHINESE = "README.md", "README.zh-CN.md"

FENCED = re.compile(r"^```[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [ENGLISH, CHINESE, *(f"docs/{page.name}" for page in sorted((CHECKOUT / "docs").glob("*.md")))]
MOST_WORDS = 1200
both = pytest.mark.parametrize("name", [ENGLISH, CHINESE])


def text(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def prose(name: str) -> str:
    """All but the fenced blocks, where a # is no heading."""
    return FENCED.sub("", text(name))


def code(name: str) -> list[str]:
    """All code by what belongs together: a block's line, a table's row, or a span by itself."""
    snippets = re.sub(r"(^|[ \t]+)#.*$", "", "".join(FENCED.findall(text(name))), flags=re.M).splitlines()
    for line in prose(name).splitlines():
        spans = re.findall(r"`([^`\n]+)`", line)
        snippets += [" ; ".join(spans)] if line.startswith("|") else spans
    return snippets


@cache
def options(verb: str) -> set[str]:
    command = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
    return {
        "--help",
        "--install-completion",
        *(name for option in command.params for name in (*option.opts, *option.secondary_opts)),
    }


def links(name: str) -> list[str]:
    """The targets of all links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(name))


def anchors(path: Path) -> set[str]:
    """A document's headings as GitHub links to them."""
    titles = re.findall(r"^#+ (.+)$", FENCED.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@both
@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_one_command_runs_the_demo_and_one_the_tests(name: str, command: str) -> None:
    assert f"{command}\n" in FENCED.findall(text(name))


@pytest.mark.parametrize("name", [ENGLISH, CHINESE, "docs/commands.md"])
def test_every_command_of_the_kit_exists_with_the_options_that_it_is_shown_with(name: str) -> None:
    shown: set[str] = set()
    for line in code(name):
        verbs = set(re.findall(r"\b(?:kit |make (?=demo))([a-z]+)", line))
        assert verbs <= set(VERBS), line
        # An option that no command stands beside is some command's.
        known = set().union(*map(options, verbs or VERBS))
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", line)) <= known, line
        shown |= verbs
    assert shown == set(VERBS)


@both
def test_every_target_of_make_exists(name: str) -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    shown = {target for line in code(name) for target in re.findall(r"\bmake ([a-z-]+)", line)}
    assert shown
    assert shown - targets == set()


@both
def test_a_readme_is_short_and_leads_to_the_other_language(name: str) -> None:
    assert len(text(name).split()) <= MOST_WORDS
    assert (CHINESE if name == ENGLISH else ENGLISH) in links(name)


def test_both_readmes_show_the_same_commands_and_lead_to_the_same_pages() -> None:
    def shown(name: str) -> tuple[list[str], list[str], list[int]]:
        lines = [line for block in FENCED.findall(text(name)) for line in block.splitlines()]
        blocks = [line for line in lines if line.startswith(("make ", "kit "))]
        spans = sorted(set(re.findall(r"`((?:make|kit|--)[ \w][^`\n]*)`", prose(name))))
        rows = [len(re.findall(mark, prose(name), re.MULTILINE)) for mark in ("^#", r"^\|", "^- ")]
        return blocks, spans, rows

    assert shown(CHINESE) == shown(ENGLISH)
    assert {link.replace(".zh-CN", "") for link in links(CHINESE)} == set(links(ENGLISH)) - {CHINESE} | {
        ENGLISH
    }


@pytest.mark.parametrize("name", PAGES)
def test_no_link_leads_nowhere(name: str) -> None:
    for path, _, anchor in (link.partition("#") for link in links(name) if "://" not in link):
        led_to = (CHECKOUT / name).parent / path if path else CHECKOUT / name
        assert led_to.exists(), path
        assert not anchor or anchor in anchors(led_to), (path, anchor)
