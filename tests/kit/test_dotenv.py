from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.dotenv import parse_dotenv


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("  export A = b c ", "b c"),
        ("A=", ""),
        ("A=b=c", "b=c"),
        ("A=b # said", "b"),
        ("A=b#c", "b#c"),
        ("A='b # \\n c' # said", "b # \\n c"),
        ('A="b \\"c\\" \\\\ \\n" # said', 'b "c" \\ \n'),
        ("A='' ", ""),
        ("A=it's", "it's"),
        ("A=first\n# A=second\n\nA=third", "third"),
        ("A=b\r\n", "b"),
    ],
)
def test_a_line_is_read_as_shells_and_docker_read_it(line: str, value: str) -> None:
    assert parse_dotenv(line) == {"A": value}


@pytest.mark.parametrize("text", ["A", "= b", "A b=c", "A='open", 'A="open', 'A="b" c'])
def test_another_line_is_named_by_its_number_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"^line 2 is not of the form NAME=VALUE$"):
        parse_dotenv(f"FIRST=1\n{text}")


@given(
    st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]*", fullmatch=True), st.text(st.characters(codec="ascii")))
)
def test_what_is_quoted_comes_back(variables: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
            value = value.replace(char, escape)
        return f'"{value}"'

    lines = [f"{name}={quoted(value)}" for name, value in variables.items()]
    if not any(set("\x0b\x0c\x1c\x1d\x1e") & set(value) for value in variables.values()):
        assert parse_dotenv("\n".join(lines)) == variables


@given(st.text())
def test_whatever_a_file_holds_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert all(parse_dotenv(text))
