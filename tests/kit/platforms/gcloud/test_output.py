"""What a person sees of gcloud's own words: lines, without what a terminal or a thief would make use of."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.platforms.gcloud.output import Lines, clean, progress


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[31;1mERROR\x1b[0m: no", "ERROR: no"),
        ("\x1b]8;;https://x\x07link\x1b]8;;\x07", "link"),
        ("tab\there", "tab here"),
        ("a\x08\x07b\x00c", "abc"),
        ("right\u202eto left", "rightto left"),
        ("trailing   ", "trailing"),
        ("Übergröße 5 MiB", "Übergröße 5 MiB"),
    ],
)
def test_nothing_that_a_terminal_obeys_is_left(said: str, shown: str) -> None:
    assert clean(said) == shown


@pytest.mark.parametrize(
    "secret",
    [
        "ya29.a0AfH6SNotReal-token_x",
        "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2lnbmF0dXJl",
        "Authorization: Bearer abcdef0123456789",
        "CLOUDSDK_AUTH_ACCESS_TOKEN=hunter2",
        '"refresh_token": "1//0gNotReal"',
        "\x1b[1mya29.a0Af\x1b[0mH6SNotReal",
    ],
)
def test_what_looks_like_a_token_is_hidden(secret: str) -> None:
    shown = clean(secret)
    assert "[hidden]" in shown
    for part in ("ya29.", "eyJ", "abcdef", "hunter2", "1//", "H6S"):
        assert part not in shown


@given(st.text())
def test_a_clean_line_is_one_line_and_stays_as_it_is(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in once)


@given(st.lists(st.sampled_from(["a", "é", "\r", "\n", "\r\n", "…", "  b"])).map("".join), st.data())
def test_however_the_bytes_come_the_lines_are_the_same(text: str, data: st.DataObject) -> None:
    whole, parts, raw = Lines(), Lines(), text.encode()
    expected = whole.feed(raw, final=True)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=5)))
    got: list[str] = []
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        got += parts.feed(raw[start:end])
    got += parts.feed(b"", final=True)
    assert got == expected


def test_a_line_without_end_is_cut_before_it_fills_the_memory() -> None:
    lines = Lines()
    ended = [line for _ in range(100) for line in lines.feed(b"x" * 1000)]
    assert ended
    assert max(map(len, [*ended, lines.open])) <= 4_000


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("Updating service [default]............", "Updating service [default]..."),
        ("...........done.", ""),
        (".Uploading zipfile", "Uploading zipfile"),
        ("╠═ Uploading 27 files to Google Cloud Storage ═╣", "Uploading 27 files to Google Cloud Storage"),
        ("╔══════╗", ""),
        ("Building Container...failed", "Building Container...failed"),
    ],
)
def test_gcloud_s_progress_is_told_without_its_ornaments(line: str, shown: str) -> None:
    assert progress(line) == shown
