"""The page's switch for held answers: off it shows the hold, on it asks in pieces and says so."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect

from kit.targets import load_targets
from tests.fixtures.browser import Visit
from tests.service.conftest import Answering, Behind
from tests.service.gate import Gate
from tests.service.ways import Way, saying

STANDARD = load_targets()["standard"].front
SECONDS = r"\d+\.\d\d"


def ask(page: Page) -> dict[str, Any]:
    """Asks, and returns what was sent."""
    with page.expect_request(lambda request: request.method == "POST") as sent:
        page.locator("#ask").click()
    return dict(sent.value.post_data_json or {})


def test_with_the_switch_on_a_held_answer_grows(answering: Answering, behind: Behind, visit: Visit) -> None:
    gate = Gate()
    page = visit(behind(Way(STANDARD, answering(saying("one ", gate, "two")))))
    expect(page.locator("#polls-state")).to_have_text("wait")
    page.locator("#polls").click()
    expect(page.locator("#polls-state")).to_have_text("ask in pieces")
    assert re.fullmatch("[0-9a-f]{32}", ask(page)["answer"])
    expect(page.locator("#answer")).to_have_text("one ")
    said = "The stream is held: 1 event had been written and had not come. "
    expect(page.locator("#outcome")).to_have_text(f"{said}Asking in pieces…")
    gate.open()
    expect(page.locator("#outcome")).to_have_text(
        re.compile(f"{re.escape(said)}From {SECONDS} s on it was asked for in pieces\\.")
    )
    expect(page.locator("#answer")).to_have_text("one two")
    expect(page.locator("#hint")).to_be_visible()
    page.locator("#language").click()
    expect(page.locator("#outcome")).to_have_text(
        re.compile(f"流被扣住了：1 个事件已经写出，却没有到达。从 {SECONDS} 秒起改为分段索取。")
    )


def test_with_the_switch_off_a_held_answer_waits(answering: Answering, behind: Behind, visit: Visit) -> None:
    page = visit(behind(Way(STANDARD, answering(saying("one ", "two")))))
    assert "answer" not in ask(page)
    expect(page.locator("#answer")).to_have_text("one two")
    expect(page.locator("#outcome")).not_to_contain_text("in pieces")


def test_with_the_switch_on_what_goes_wrong_is_named_as_ever(answering: Answering, visit: Visit) -> None:
    page = visit(answering(saying("one ")))
    page.locator("#polls").click()
    page.route("**/search*", lambda route: route.abort("connectionrefused"))
    ask(page)
    expect(page.locator("#outcome")).to_have_text("The service cannot be reached.")
    page.unroute("**/search*")
    page.locator("#most").fill("0")
    page.locator("#most").evaluate("it => it.removeAttribute('min')")
    ask(page)
    expect(page.locator("#outcome")).to_contain_text("A parameter cannot be used. max_output_tokens")
