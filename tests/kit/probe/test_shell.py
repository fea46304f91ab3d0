"""A copied command's words, held against bash itself."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from contextlib import suppress

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from kit.errors import Code, Exit, KitError
from kit.probe.shell import words

BASH = shutil.which("bash")
# What can stand in a command's word: no NUL.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))

# One piece of a word, in each way of quoting; none that bash would expand or obey.
PIECES = st.one_of(
    st.from_regex(r"[A-Za-z0-9_./:=,+@%^-]+", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="'")).map("'{}'".format),
    st.lists(
        st.one_of(
            st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='\\"$`!'),
            st.sampled_from([r"\"", r"\\", r"\$", r"\`", "\\\n", r"\q", r"\'", "$ ", "$%"]),
        )
    ).map(lambda parts: f'"{"".join(parts)}"'),
    st.lists(
        st.one_of(
            st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\'"),
            st.sampled_from([r"\a\b\e\E\f\n\r\t\v", r"\\", r"\'", r"\"", r"\?", r"\q", r"\cA"]),
            st.integers(1, 0xFF).map("\\x{:x}".format),
            st.integers(1, 0o377).map("\\{:03o}".format),
            st.integers(1, 0xD7FF).map("\\u{:04x}".format),
            st.integers(0x10000, 0x10FFFF).map("\\U{:08x}".format),
        )
    ).map(lambda parts: f"$'{''.join(parts)}'"),
    st.characters(exclude_categories=["Cs", "Cc"]).map("\\{}".format),
    st.just("\\\n"),
)
COMMANDS = st.lists(st.lists(PIECES, min_size=1).map("".join)).map(" ".join)


@given(st.lists(TEXTS))
def test_what_is_quoted_for_a_shell_is_read_back(given: list[str]) -> None:
    assert words(shlex.join(given)) == given


@pytest.mark.skipif(BASH is None, reason="there is no bash to hold it against")
@settings(max_examples=60)
@given(COMMANDS)
@example('a^"b"')
@example('^ "b"')
def test_it_reads_what_bash_reads(command: str) -> None:
    assert BASH is not None
    assume(not re.search(r'(?:^|[ \n])\^"', command))  # a copy for cmd, which is refused
    printed = subprocess.run(
        [BASH, "--norc", "--noprofile", "-c", f"printf '%s\\0' x {command}"],
        capture_output=True,
        check=True,
        timeout=30,
        env={"LC_ALL": "C.UTF-8", "PATH": ""},
    ).stdout
    assert words(f"x {command}") == printed.decode("utf-8", "surrogateescape").split("\0")[:-1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("\n\n  a b\n\n", ["a", "b"]),
        ("a \\\n  b \\  \r\n  c", ["a", "b", "c"]),
        ("# first\na b # last\n# more", ["a", "b"]),
        ("a#b '#'", ["a#b", "#"]),
        ("a '' \"\"", ["a", "", ""]),
        ("a | jq .b", ["a"]),
        ("a 2>/dev/null -b >out.txt c &> x", ["a", "-b", "c"]),
        ("a b2 >'x y' 2>&1 | tee z; d", ["a", "b2"]),
        ("a b ;\n", ["a", "b"]),
        ("a b &", ["a", "b"]),
        (r"a $'\ud83d\ude00\u0021\xc3\xa9'", ["a", "\N{GRINNING FACE}!é"]),
        (r"a $'\xff'", ["a", "\udcff"]),
        ('a "^" ^b', ["a", "^", "^b"]),
        ("a '\" ^\n'", ["a", '" ^\n']),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "a 'b",
        'a "b',
        "a $'b",
        "a $'b\\",
        'a "$TOKEN"',
        "a $(secret)",
        "a ${secret}",
        "a `secret`",
        'a "`secret`"',
        "a https://x/?a=1&secret=2",
        "a < secret",
        "a <<secret",
        "a (secret)",
        "a\nb secret",
        "a ; b secret",
        "a && b secret",
        "a || b secret",
        "a $'\\0secret'",
        "a $'\\U00110000'",
        "a \ud800",
        "a ^\n b\nc secret",
        'a ^"secret',
        "a ^\r\n  -b secret",
    ],
)
def test_what_only_a_shell_could_read_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(KitError) as caught:
        words(text)
    assert (caught.value.code, caught.value.exit) == (Code.BAD_USAGE, Exit.USAGE)
    assert "secret" not in caught.value.message + caught.value.hint


@given(st.one_of(st.text(), st.text("ac'\"\\$^|&;<>()#\r\n \tux0")))
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(KitError):
        words(text)
