from __future__ import annotations

import pytest

from kit import language
from kit.errors import Code
from kit.proof.causes import Cause
from kit.proof.client_causes import ClientCause, Unclear
from kit.proof.doubts import Doubt
from kit.report import explained
from kit.report.cells import cells
from kit.report.explained import HEADINGS, Page, list_text, page_text, pages

ALL = {(page.kind, page.code): page for page in pages()}


def test_every_cause_doubt_and_error_has_a_page() -> None:
    assert set(ALL) == {
        *(("cause", str(one)) for one in Cause),
        *(("client", str(one)) for one in (*ClientCause, *Unclear)),
        *(("doubt", str(one)) for one in Doubt),
        *(("error", str(one)) for one in Code),
    }
    assert len(pages()) == len(ALL)


@pytest.mark.parametrize("page", pages(), ids=lambda page: f"{page.kind} {page.code}")
def test_a_page_says_something_under_each_heading_and_fits_a_terminal(page: Page) -> None:
    for name in HEADINGS:
        assert getattr(page, name), name
        assert "{n}" not in getattr(page, name)
    printed = page_text(page, 80).split("\n")
    assert all(cells(line) <= 80 for line in printed if not line.startswith("      "))
    assert [line for line in printed if line in HEADINGS.values()] == list(HEADINGS.values())


def test_every_page_is_there_in_chinese_with_the_same_lines_to_paste() -> None:
    def pasted(page: Page) -> list[str]:
        said = [line for name in HEADINGS for line in getattr(page, name).split("\n")]
        return [line for line in said if line.startswith("    ")]

    pages.cache_clear()
    language.untranslated.clear()
    for english, chinese in zip(pages("en"), pages("zh"), strict=True):
        assert (chinese.kind, chinese.code) == (english.kind, english.code)
        assert pasted(chinese) == pasted(english)
    # Both are taken apart at the same places.
    without_why = [
        {page.code for page in pages(one) if page.why.startswith(said)}
        for one, said in (("en", "It may have changed the figures"), ("zh", "它可能改变了数字"))
    ]
    assert without_why[0] == without_why[1]
    assert language.untranslated == set()


def test_no_page_is_of_a_code_that_is_gone() -> None:
    written = {
        (kind, code) for kind, table in explained._table().items() if kind != "usual" for code in table
    }
    assert written <= set(ALL)


def test_a_cause_that_an_experiment_shows_says_which() -> None:
    assert "X-Accel-Buffering: no" in ALL["cause", "nginx-buffers"].sure
    assert "nothing that was tried frees it" in ALL["cause", "blocks"].sure


def test_the_list_names_every_code_once_under_its_kind() -> None:
    lines = list_text(100).split("\n")
    assert all(cells(line) <= 100 for line in lines)
    codes = [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("   ")]
    assert codes == [page.code for page in pages()]
