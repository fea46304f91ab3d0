"""The exercises print on one side of A4 in each language."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser

from docs.sheet import NAMES, ROOT, sheet


@pytest.mark.parametrize("name", NAMES)
def test_the_exercises_are_one_page_with_every_command_and_no_link_to_the_answers(
    name: str, browser: Browser
) -> None:
    text = (ROOT / "docs" / f"{name}.md").read_text("utf-8")
    page = browser.new_page()
    page.set_content(sheet(text, "en"))
    commands = re.findall(r"```sh.*?\n(.*?)```", text, re.S)
    assert page.locator("pre").all_text_contents() == commands
    assert page.locator("h2").count() == 7
    assert page.locator("a[href*=answers]").count() == 0
    pages = re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))
    page.close()
    assert len(pages) == 1
