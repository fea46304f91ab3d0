from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.report.cells import cells, clean, fit, hang, pad, wrap


@pytest.mark.parametrize(
    ("text", "width"),
    [("streamed", 8), ("流式", 4), ("cafe\u0301", 4), ("", 0), ("한글", 4), ("ｆｕｌｌ", 8), ("▏█·✓✗–…", 7)],
)
def test_a_character_takes_the_cells_it_takes_on_a_terminal(text: str, width: int) -> None:
    assert cells(text) == width


def test_nothing_from_outside_can_move_the_cursor_or_turn_the_line() -> None:
    assert clean("a\x1b[2Jb\rc\nd\u202ee\x9bf\ud800") == "a�[2Jb c d�e�f�"
    assert clean("Café 流式 ✓") == "Café 流式 ✓"


@given(st.text())
def test_what_was_cleaned_is_one_line_that_every_stream_can_encode(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert len(cleaned.splitlines()) <= 1
    assert clean(cleaned) == cleaned


@given(st.text(), st.integers(0, 40))
def test_fitted_text_fits_and_says_that_it_was_cut(text: str, width: int) -> None:
    text = clean(text)
    fitted = fit(text, width)
    assert cells(fitted) <= width
    assert fitted == text or width == 0 or "…" in fitted


def test_padding_counts_cells() -> None:
    assert pad("流式", 6) == "流式  "
    assert pad("流式", 6, right=True) == "  流式"


@given(st.text(), st.integers(2, 40))
def test_wrapped_text_fits_and_loses_nothing_but_spaces(text: str, width: int) -> None:
    text = clean(text)
    lines = wrap(text, width)
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_lines_break_between_words_and_between_wide_characters() -> None:
    assert wrap("held until it ends", 10) == ["held until", "it ends"]
    assert wrap("缓冲到结束", 4) == ["缓冲", "到结", "束"]
    assert wrap("缓冲，到（结束）。", 6) == ["缓冲，", "到（结", "束）。"]
    assert wrap("unbreakable", 4) == ["unbr", "eaka", "ble"]


def test_hanging_lines_stand_under_the_beginning_of_the_text() -> None:
    assert hang("[1] ", "held until it ends", 14) == ["[1] held until", "    it ends"]
