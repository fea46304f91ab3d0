"""Whatever a value holds, it is read back exactly, and nothing else is."""

from __future__ import annotations

import json
import shlex

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kit import quoting
from kit.errors import Code, KitError

# Every character that a process can be given.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]))
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True)

HOSTILE = [
    "",
    " leading and trailing ",
    "yes",
    "null",
    "1e3",
    "2026-11-22",
    '"',
    "'",
    "\\",
    "\\'",
    '\\"',
    "a\\",
    "$HOME ${PATH} $(id) `id`",
    "# no comment",
    "- no list",
    "{a: b}",
    "[a]",
    "*alias &anchor !tag %percent @at",
    'x" \n  INJECTED: "y',
    "x' \nRUN id\n",
    "x'\\\nRUN id",
    "--- \n...",
    "{{ python }} {% raw %}",
    "\t\r\n\x0b\x0c\x1b[31m\x7f\x85\u2028\u2029",
    "\ufeffbom",
    "你好，世界 🌊",
    "\U0010ffff",
]


@given(TEXTS)
def test_yaml_gives_back_any_text(value: str) -> None:
    assert yaml.safe_load(f"a: {quoting.yaml(value)}\nb: 1\n") == {"a": value, "b": 1}


@pytest.mark.parametrize("value", HOSTILE)
def test_yaml_gives_back_hostile_texts(value: str) -> None:
    assert yaml.safe_load(f"a: {quoting.yaml(value)}\nb: 1\n") == {"a": value, "b": 1}


@given(TEXTS)
def test_yaml_is_written_in_printable_ascii_on_one_line(value: str) -> None:
    assert all(" " <= char <= "~" for char in quoting.yaml(value))


@given(TEXTS)
def test_in_yaml_a_text_stays_a_text(value: str) -> None:
    assert type(yaml.safe_load(quoting.yaml(value))) is str


def dockerfile_env(instruction: str) -> dict[str, str]:
    """Reads an ENV instruction as Docker does (docs.docker.com/reference/dockerfile): first a line that ends
    in a backslash goes on in the next, then words are split and unquoted as by a shell."""
    logical = instruction.replace("\\\n", "")
    assert "\n" not in logical
    assert logical.startswith("ENV ")
    pairs = (word.partition("=") for word in shlex.split(logical[4:], posix=True))
    return {name: value for name, _, value in pairs}


@given(st.dictionaries(NAMES, LINES, min_size=1))
def test_a_dockerfile_gives_back_any_line(variables: dict[str, str]) -> None:
    assert dockerfile_env(f"ENV {quoting.docker_env(variables)}") == variables


@pytest.mark.parametrize("value", [value for value in HOSTILE if value.isprintable()])
def test_a_dockerfile_gives_back_hostile_lines(value: str) -> None:
    variables = {"A": value, "B": "1"}
    assert dockerfile_env(f"ENV {quoting.docker_env(variables)}") == variables


@given(LINES, st.characters(categories=["Cc", "Zl", "Zp"]), LINES)
def test_a_dockerfile_is_never_given_a_control_character(before: str, control: str, after: str) -> None:
    with pytest.raises(KitError) as caught:
        quoting.docker_env({"SECRET": f"{before}{control}{after}"})
    assert caught.value.code is Code.BAD_CONFIG
    assert "SECRET" in caught.value.message


def test_a_command_is_a_json_list() -> None:
    assert json.loads(quoting.json_list(("a", 'b"c', "$d"))) == ["a", 'b"c', "$d"]


@pytest.mark.parametrize("value", ["", "3.13 AS x", "3.13\n", "3.13\nRUN id", "${X}", "三"])
def test_a_word_is_nothing_but_a_word(value: str) -> None:
    with pytest.raises(KitError):
        quoting.word(value)


def test_a_version_is_a_word() -> None:
    assert quoting.word("3.13-rc.1") == "3.13-rc.1"
