"""What a Dockerfile's image starts: read as Docker reads it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code, KitError
from kit.lab.dockerfile import read_image
from kit.quoting import docker_env

COMMAND = ("gunicorn", "-c", "gunicorn.conf.py", "service.main:app")
CMD = f"CMD {json.dumps(COMMAND)}\n"
HERE = Path("Dockerfile")

# What a Dockerfile can carry: no control characters.
VALUES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30)
NAMES = st.from_regex(r"X[A-Z_0-9]{0,8}", fullmatch=True)


def env_of(lines: str) -> dict[str, str]:
    return dict(read_image(f"FROM python:3.13-slim\n{lines}\n{CMD}", HERE).env)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_whatever_the_kit_writes_into_a_dockerfile_is_read_back_as_it_was(values: dict[str, str]) -> None:
    line = f"ENV {docker_env(values)}" if values else ""
    assert env_of(line) == values


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ENV A=1", {"A": "1"}),
        ("env A=1", {"A": "1"}),
        ("ENV A=1 B=2", {"A": "1", "B": "2"}),
        ("ENV A=1 \\\n    B=2", {"A": "1", "B": "2"}),
        ("ENV A=1 \\\n# a comment between\n    B=2", {"A": "1", "B": "2"}),
        ("ENV A b c", {"A": "b c"}),
        ('ENV A="b c"', {"A": "b c"}),
        ("ENV A='b c'", {"A": "b c"}),
        ("ENV A=b\\ c", {"A": "b c"}),
        ("ENV A=", {"A": ""}),
        ('ENV A="" B=x', {"A": "", "B": "x"}),
        ("ENV A=b=c", {"A": "b=c"}),
        ("ENV A=1\nENV B=$A-${A}", {"A": "1", "B": "1-1"}),
        ("ENV A=1\nENV B=\"$A\" C='$A' D=\\$A", {"A": "1", "B": "1", "C": "$A", "D": "$A"}),
        ("ENV A=$NOBODY", {"A": ""}),
        ("ENV A=1\nENV A=2 B=$A", {"A": "2", "B": "1"}),  # the value before the line counts
        ('ENV A="a\\"b\\\\c\\d"', {"A": 'a"b\\c\\d'}),
        ("ENV A='a'\"'\"'b'", {"A": "a'b"}),
    ],
)
def test_env_lines_are_read_as_docker_reads_them(line: str, expected: dict[str, str]) -> None:
    assert env_of(line) == expected


@pytest.mark.parametrize("name", ["PATH", "PYTHONPATH", "VIRTUAL_ENV", "HOME"])
def test_what_is_said_about_the_images_own_python_is_left_out(name: str) -> None:
    assert env_of(f"ENV {name}=/venv/bin A=1") == {"A": "1"}


def test_only_the_last_stage_counts_and_what_it_inherits() -> None:
    text = f"""
        FROM python AS build
        ENV LOST=1
        FROM python AS base
        ENV KEPT=1
        {CMD}
        FROM --platform=linux/amd64 base
        ENV OWN=1
    """
    start = read_image(text, HERE)
    assert start.env == {"KEPT": "1", "OWN": "1"}
    assert start.argv == COMMAND


def test_a_stage_inherits_the_entrypoint_of_its_base_and_of_no_other_stage() -> None:
    text = 'FROM a AS base\nENTRYPOINT ["e"]\nCMD ["x"]\nFROM {}\nCMD ["y"]\n'
    assert read_image(text.format("base"), HERE).argv == ("e", "y")
    assert read_image(text.format("python"), HERE).argv == ("y",)


def test_an_entrypoint_takes_away_an_inherited_command_and_not_the_stages_own() -> None:
    assert read_image('FROM a AS b\nCMD ["x"]\nFROM b\nENTRYPOINT ["e"]\n', HERE).argv == ("e",)
    assert read_image('FROM a\nCMD ["x"]\nENTRYPOINT ["e"]\n', HERE).argv == ("e", "x")


def test_entrypoint_comes_before_cmd() -> None:
    start = read_image('FROM a\nENTRYPOINT ["gunicorn"]\nCMD ["-c", "x"]\nCMD ["-c", "y"]\n', HERE)
    assert start.argv == ("gunicorn", "-c", "y")


@pytest.mark.parametrize("line", ["CMD gunicorn main:app", 'CMD "gunicorn"', "CMD []", "CMD [1]", 'CMD ["a"'])
def test_a_command_that_is_no_json_list_is_refused(line: str) -> None:
    with pytest.raises(KitError, match="not a JSON list") as caught:
        read_image(f"FROM python\n{line}\n", HERE)
    assert caught.value.code is Code.BAD_TARGET


@given(st.text(alphabet=st.sampled_from("FROM ENV CMDAS=\"'$\\{}[]#\n\t a"), max_size=80))
def test_any_text_is_read_or_refused_in_a_sentence(text: str) -> None:
    with suppress(KitError):  # anything else fails the test
        read_image(text, HERE)
