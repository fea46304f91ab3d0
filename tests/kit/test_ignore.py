"""Ignore files leave out what git leaves out, which is asked; and what Docker's documentation says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.ignore import read_rules
from tests.fixtures.tools import Tool

NAMES = st.sampled_from(["a", "b", "ab", "a.b", ".a", "a b", "#a", "!b", "[a]", "a\\"])
PIECES = st.sampled_from(
    [
        *("a", "b", "ab", ".b", "*", "?", "**", "***", "#", "!", "[", "]", "\\", " "),
        *("[ab]", "[!a]", "[^b]", "[a-c]", "[c-a]", "[]a]", "[!]b]", "[a\\]]", "[a-]", "[/]", "[[:alpha:]]"),
        *("\\a", "\\*", "\\ ", "\\#", "\\!"),
    ]
)
SEGMENTS = st.lists(PIECES, min_size=1, max_size=3).map("".join)
LINES = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join),
    st.sampled_from(["", "", "/", "  ", "\\ "]),
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@pytest.fixture(scope="module")
def repository(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run([tool("git"), "init", "-q", folder], check=True)
    return folder


def left_out(lines: list[str], paths: list[str]) -> set[str]:
    rules = read_rules(lines, "git")
    return {path for path in paths if rules.leaves_out(path)}


def left_out_by_git(repository: Path, lines: list[str], paths: list[str]) -> set[str]:
    (repository / ".git/info/exclude").write_text("\n".join(lines) + "\n")
    ran = subprocess.run(
        ["git", "-c", "core.ignorecase=false", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=repository,
        input="\0".join(paths).encode(),
        capture_output=True,
        check=False,
    )
    assert ran.returncode in (0, 1), ran.stderr
    return {name for name in ran.stdout.decode().split("\0") if name}


@given(lines=st.lists(LINES, min_size=1, max_size=4), paths=st.lists(PATHS, min_size=1, max_size=8))
def test_what_git_leaves_out_is_left_out_and_nothing_else(
    repository: Path, lines: list[str], paths: list[str]
) -> None:
    assert left_out(lines, paths) == left_out_by_git(repository, lines, paths)


@pytest.mark.parametrize(
    ("lines", "out", "kept"),
    [
        (["docs/", "!docs/a.md"], ["docs/a.md", "x/docs/y"], ["docs", "a.md"]),
        (["/*", "!/mine/"], ["a", "b/c"], ["mine/a", "mine/b/c"]),
        (["*.log", "!keep.log"], ["a.log", "x/a.log"], ["keep.log", "x/keep.log"]),
        (["**/tests/**"], ["tests/a", "x/tests/y/z"], ["tests"]),
        (["a/**/b"], ["a/b", "a/x/y/b", "a/b/c"], ["b"]),
        (["# a", "", "\\#b"], ["#b"], ["# a", "a"]),
        (["a\r"], ["a"], []),
        (["?.md", "[水]"], ["水.md", "水"], ["水水.md"]),
    ],
)  # fmt: skip
def test_the_rules_that_people_write(lines: list[str], out: list[str], kept: list[str]) -> None:
    assert left_out(lines, out + kept) == set(out)


@pytest.mark.parametrize(
    ("lines", "out", "kept"),
    [
        (["docs"], ["docs", "docs/a"], ["x/docs", "docs.md"]),
        (["*/temp*"], ["a/temporary", "a/temp/b"], ["temp", "a/b/temp"]),
        (["**/*.pyc"], ["a.pyc", "x/y/a.pyc"], ["a.py"]),
        (["*", "!mine"], ["a", "b/c"], ["mine", "mine/a"]),
        (["docs", "!docs/a.md"], ["docs/b.md"], ["docs/a.md"]),
        (["/docs/", "./src"], ["docs/a", "src/a"], ["x/src"]),
        (["# a", "! mine"], [], ["# a", "a"]),
        (["temp?"], ["temp1"], ["temp", "temp/1"]),
        (["a**"], ["a", "ab", "ab/c"], ["ba"]),
        (["[a-c].md"], ["a.md"], ["d.md"]),
        (["*.md", "!README*.md", "README-secret.md"], ["a.md", "README-secret.md"], ["README-a.md"]),
    ],
)  # fmt: skip
def test_dockers_rules_begin_at_the_top_and_can_bring_back_a_file_of_an_ignored_folder(
    lines: list[str], out: list[str], kept: list[str]
) -> None:
    rules = read_rules(lines, "docker")
    assert {path for path in out + kept if rules.leaves_out(path)} == set(out)


@given(lines=st.lists(st.text(), max_size=4), path=PATHS)
def test_no_line_is_too_strange(lines: list[str], path: str) -> None:
    for syntax in ("git", "docker"):
        rules = read_rules(lines, "git" if syntax == "git" else "docker")
        assert rules.leaves_out(path) in (True, False)
