from __future__ import annotations

import io

import pytest

from kit.report.style import Style, size
from tests.fixtures.terminal import Terminal


def test_a_terminal_gets_colour() -> None:
    assert Style.of(Terminal(), {"TERM": "xterm-256color"}).colour


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_gets_no_colour_where_it_is_unwanted(environment: dict[str, str]) -> None:
    style = Style.of(Terminal(), environment)
    assert not style.colour
    assert style.paint("ok", "ok") == "ok"
    assert style.width == 80


def test_off_a_terminal_there_is_neither_colour_nor_width() -> None:
    assert Style.of(io.StringIO(), {"TERM": "xterm"}) == Style(None, False, "utf-8")


def test_an_empty_no_color_counts_as_not_set() -> None:
    assert Style.of(Terminal(), {"NO_COLOR": "", "TERM": "xterm"}).colour


def test_the_ticks_have_plain_substitutes_of_the_same_width() -> None:
    fancy = "▏█· ●■✓✗ – … → ⠋"
    plain = Style(encoding="ascii").finish(fancy)
    assert plain == "|#. o#+x - ~ > |"
    assert Style(encoding="utf-8").finish(fancy) == fancy


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "gb18030"])
def test_whatever_is_finished_can_be_printed(encoding: str) -> None:
    Style(encoding=encoding).finish("流式 ✓ é").encode(encoding)


def test_what_takes_no_cell_takes_none_where_it_cannot_be_printed() -> None:
    assert Style(encoding="ascii").finish("e\u0301a\xad!") == "ea!"


def test_a_stream_that_does_not_say_its_size_is_80_by_24() -> None:
    assert tuple(size(io.StringIO())) == (80, 24)
