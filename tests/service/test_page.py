"""The page in a real browser: the text grows as it arrives, and what the page says of it is so."""

from __future__ import annotations

import hashlib
import json
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.fixtures.browser import GIVE_UP_MS, Visit
from tests.fixtures.origin import Origin

# It takes two minutes to write: whatever is seen of it, its stream is still open.
LONG = "Tell me about rivers in 4000 words."


def until(page: Page, condition: str, given: object = None) -> None:
    """Wait for a JavaScript expression; playwright's own way needs the `eval` that the policy forbids."""
    page.evaluate(
        f"""given => new Promise((resolve, reject) => {{
            const $ = id => document.getElementById(id);
            const look = () => ({condition}) ? resolve() : setTimeout(look, 10);
            setTimeout(() => reject(new Error("never came true: " + {json.dumps(condition)})), {GIVE_UP_MS});
            look();
        }})""",
        given,
    )


def state(page: Page) -> str | None:
    return page.locator("#result").get_attribute("data-state")


def ends(page: Page, how: str) -> None:
    expect(page.locator("#ask")).to_be_enabled()
    expect(page.locator("#result")).to_have_attribute("data-state", how)


def ask(page: Page, prompt: str) -> None:
    page.locator("#prompt").fill(prompt)
    page.locator("#prompt").press("Enter")


def answer_of(url: str, prompt: str) -> str:
    """What the service answers to a client that is no browser."""
    request = urllib.request.Request(
        f"{url}/search",
        json.dumps({"ai_prompt": prompt}).encode(),
        {"Content-Type": "application/json", "Accept": "text/plain"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return str(response.read().decode())


def instead(page: Page, body: str, status: int = 200, media: str = "text/event-stream") -> None:
    """From now on /search answers this."""

    def fulfil(route: Route) -> None:
        route.fulfill(status=status, headers={"Content-Type": media}, body=body)

    page.route("**/search*", fulfil)


def tokens(*times_ms: int, text: str = "word ") -> str:
    return "".join(
        f"event: token\ndata: {json.dumps({'seq': n, 'text': text, 't_ms': t})}\n\n"
        for n, t in enumerate(times_ms)
    )


@pytest.fixture
def at_once(origin: Origin) -> str:
    """A service that writes its answers at once."""
    return origin(tokens_per_s=2000, first_token_ms=0)


@pytest.fixture
def page(at_once: str, visit: Visit) -> Page:
    """Its page."""
    return visit(at_once)


# ---- An answer


def test_the_text_grows_while_the_stream_is_open(origin: Origin, visit: Visit) -> None:
    page = visit(origin())
    ask(page, LONG)
    length = 0
    for _ in range(5):
        until(page, "$('answer').textContent.length > given", length)
        length = len(page.locator("#answer").inner_text())
        assert state(page) == "receiving"
        assert page.locator("#answer").get_attribute("aria-busy") == "true"
    assert page.locator("#clock-label").inner_text() == "first word after"
    assert page.locator("#strip path.got").count() >= 1
    # The first word has come, so its clock stands; what is drawn goes on.
    clock = page.locator("#clock").inner_text()
    until(page, "$('answer').textContent.length > given", length)
    assert page.locator("#clock").inner_text() == clock


def test_a_whole_answer_is_shown_as_the_service_wrote_it(at_once: str, page: Page) -> None:
    ask(page, "Where does a river end?")
    ends(page, "done")
    assert page.locator("#answer").evaluate("it => it.textContent") == answer_of(
        at_once, "Where does a river end?"
    )
    assert page.locator("#answer").get_attribute("aria-busy") == "false"
    assert page.locator("#total").inner_text().endswith(" s")


def test_another_question_begins_anew(at_once: str, page: Page) -> None:
    for prompt in ("Where does a river end?", "河在哪里结束？"):
        ask(page, prompt)
        ends(page, "done")
        assert page.locator("#answer").evaluate("it => it.textContent") == answer_of(at_once, prompt)


@pytest.mark.parametrize("how", ["Escape", "click"])
def test_stop_ends_the_stream_at_the_server(origin: Origin, visit: Visit, tmp_path: Path, how: str) -> None:
    log = tmp_path / "log"
    page = visit(origin(log=log))
    ask(page, LONG)
    expect(page.locator("#answer")).not_to_be_empty()
    if how == "click":
        page.locator("#stop").click()
    else:
        page.keyboard.press("Escape")
    ends(page, "stopped")
    expect(page.locator("#outcome")).to_have_text("Stopped.")
    assert page.locator("#stop").is_disabled()
    give_up = time.monotonic() + GIVE_UP_MS / 1000
    while "POST /search" not in log.read_text() and time.monotonic() < give_up:
        time.sleep(0.01)
    assert "end=client-left" in log.read_text()


def test_the_switch_decides_whether_the_header_is_sent(page: Page) -> None:
    prompt = "a secret that no log should keep"
    for header, state in (("no", "is sent"), (None, "is not sent"), ("no", "is sent")):
        expect(page.locator("#accel-state")).to_have_text(state)
        with page.expect_response("**/search*") as asked:
            ask(page, prompt)
        ends(page, "done")
        assert asked.value.headers.get("x-accel-buffering") == header
        assert "secret" not in asked.value.url
        off = {} if header else {"accel": "off"}
        assert asked.value.request.post_data_json == {"ai_prompt": prompt, "max_output_tokens": 1024, **off}
        page.locator("#accel").click()


def test_the_answer_is_no_longer_than_was_asked_for(page: Page) -> None:
    page.locator("#most").fill("7")
    ask(page, LONG)
    ends(page, "done")
    assert page.locator("#events").inner_text() == "8"  # 7 tokens, and `done`


# ---- How it came


def test_a_response_that_is_held_is_said_to_come_in_one_lump(origin: Origin, visit: Visit) -> None:
    url = origin("tests.fixtures.apps:body_reader", tokens_per_s=100)
    page = visit(url)
    page.locator("#most").fill("61")
    ask(page, "Where does a river end?")
    ends(page, "done")
    seconds = page.locator("#clock").inner_text()
    expect(page.locator("#outcome")).to_have_text(
        f"62 events in one lump after {seconds}: a proxy on the way holds the response."
    )
    expect(page.locator("#hint")).to_have_text(f"A hint, not a proof. The proof: kit probe {url}")
    assert page.locator("#strip path.got").count() == 1


def test_an_answer_that_flows_is_not_said_to_be_held(origin: Origin, visit: Visit) -> None:
    page = visit(origin(tokens_per_s=50))
    ask(page, "Where does a river end?")
    ends(page, "done")
    # On a machine that is busy with something else it may have come in blocks, even here.
    assert page.locator("#result").get_attribute("data-how") in ("bits", "blocks")
    expect(page.locator("#hint")).to_contain_text("not a proof")


# ---- What goes wrong


def test_a_problem_is_shown_in_the_services_words(origin: Origin, visit: Visit) -> None:
    page = visit(origin(max_prompt_chars=20))
    ask(page, "x" * 21)
    ends(page, "failed")
    expect(page.locator("#outcome")).to_have_text(
        "A parameter cannot be used. ai_prompt has 21 characters, and 20 is the limit."
    )
    ask(page, "x" * 20)
    expect(page.locator("#answer")).not_to_be_empty()


def test_an_error_in_mid_stream_is_shown_and_what_came_stays(origin: Origin, visit: Visit) -> None:
    page = visit(origin(deadline_s=2))
    ask(page, LONG)
    ends(page, "failed")
    expect(page.locator("#outcome")).to_contain_text("The answer took too long.")
    expect(page.locator("#answer")).not_to_be_empty()


@pytest.mark.parametrize(
    ("body", "status", "media", "state", "shown"),
    [
        (tokens(0, 1), 200, "text/event-stream", "cut", "The answer was cut"),
        ("", 200, "text/event-stream", "cut", "The answer was cut"),
        ("<h1>no", 502, "text/html", "failed", "an HTTP 502 Bad Gateway that the service did not write"),
        ("<h1>log in", 200, "text/html", "failed", "not an event stream but text/html"),
    ],
)
def test_an_answer_that_is_not_whole_is_named(
    origin: Origin, visit: Visit, body: str, status: int, media: str, state: str, shown: str
) -> None:
    page = visit(origin())
    instead(page, body, status, media)
    ask(page, "hello")
    ends(page, state)
    expect(page.locator("#outcome")).to_contain_text(shown)
    assert page.locator("#hint").is_hidden()


def test_an_unreachable_service_is_named(origin: Origin, visit: Visit) -> None:
    page = visit(origin())
    page.route("**/search*", lambda route: route.abort("connectionrefused"))
    ask(page, "hello")
    ends(page, "failed")
    expect(page.locator("#outcome")).to_have_text("The service cannot be reached.")


def test_no_question_is_not_asked(origin: Origin, visit: Visit) -> None:
    page = visit(origin())
    ask(page, "  ")
    expect(page.locator("#outcome")).to_have_text("Type a question first.")
    ask(page, "hello")
    expect(page.locator("#answer")).not_to_be_empty()


# ---- A service that wants a token

TOKEN = "q5zUJ3C0wT5m-8xkVb_A1rGq0Yd7nEhLsoP2iKfM9Zc"


@pytest.fixture
def guarded(origin: Origin) -> str:
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    return origin(tokens_per_s=2000, first_token_ms=0, token_sha256=digest)


def test_a_token_is_asked_for_where_wanted_and_kept_by_the_tab(guarded: str, visit: Visit) -> None:
    page = visit(guarded)
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request))
    expect(page.locator("#token")).to_be_hidden()
    ask(page, "Where does a river end?")
    expect(page.locator("#outcome")).to_have_text(
        "This service wants a token. Type the one that its deployment printed, and ask again."
    )
    expect(page.locator("#token")).to_be_focused()
    expect(page.locator("#clock")).to_be_hidden()  # nothing was measured
    page.keyboard.type("not it")
    page.keyboard.press("Enter")
    expect(page.locator("#outcome")).to_contain_text("not this service's token")
    expect(page.locator("#token")).to_be_focused()
    page.keyboard.type(TOKEN)  # what was wrong is selected, and gives way
    page.keyboard.press("Enter")
    ends(page, "done")
    page.reload()
    ask(page, "Where does a river end?")
    ends(page, "done")
    assert [request.headers.get("authorization") for request in sent if "/search" in request.url] == [
        None,
        "Bearer not%20it",
        f"Bearer {TOKEN}",
        f"Bearer {TOKEN}",
    ]
    assert not [request.url for request in sent if TOKEN in request.url]
    assert page.evaluate("[document.cookie, localStorage.length, location.href]") == ["", 0, f"{guarded}/"]


def test_the_token_is_asked_for_in_chinese_too(guarded: str, visit: Visit) -> None:
    page = visit(guarded, locale="zh-CN")
    ask(page, "河在哪里结束？")
    expect(page.locator("#outcome")).to_contain_text("这个服务需要令牌")
    expect(page.locator("#token-row")).to_contain_text("令牌")


def test_a_service_without_a_token_never_asks_for_one(page: Page) -> None:
    ask(page, "Where does a river end?")
    ends(page, "done")
    expect(page.locator("#token")).to_be_hidden()


# ---- Text stays text


HOSTILE = """<script>document.title="x"</script><img src=x onerror='document.title="x"'>"&amp;"""


def test_a_hostile_prompt_stays_text(page: Page) -> None:
    ask(page, HOSTILE)
    ends(page, "done")
    assert HOSTILE[:31] in page.locator("#answer").inner_text()
    assert page.locator("#answer *").count() == 0
    assert page.title() == "streamproof"


def test_hostile_answers_and_problems_stay_text(origin: Origin, visit: Visit) -> None:
    page = visit(origin())
    problem = json.dumps({"title": HOSTILE, "detail": HOSTILE})
    instead(page, f"{tokens(1, 2, text=HOSTILE)}event: error\ndata: {problem}\n\n")
    ask(page, "hello")
    ends(page, "failed")
    assert page.locator("#answer").inner_text() == HOSTILE * 2
    assert page.locator("#outcome").inner_text() == f"{HOSTILE} {HOSTILE}"
    assert page.locator("#answer *, #outcome *").count() == 0
    assert page.title() == "streamproof"


# ---- For everybody


def test_chinese_is_spoken_to_a_chinese_browser_and_on_demand(origin: Origin, visit: Visit) -> None:
    url = origin("tests.fixtures.apps:body_reader", tokens_per_s=100)
    assert visit(url, locale="zh-CN").locator("h1").inner_text() == "提一个问题，看回答怎样到达"
    page = visit(url)
    page.locator("#most").fill("61")
    ask(page, "Where does a river end?")
    ends(page, "done")
    assert page.locator("html").get_attribute("lang") == "en"
    page.locator("#language").click()
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert page.locator("#ask").inner_text().startswith("提问")
    # What is there already is said in Chinese too, apart from what the user and the service wrote.
    expect(page.locator("#outcome")).to_contain_text("62 个事件在")
    assert page.locator("#prompt").input_value() == "Where does a river end?"
    page.reload()
    assert page.locator("#language").inner_text() == "English"
    page.locator("#language").click()
    assert page.locator("h1").inner_text() == "Ask, and watch the answer arrive"


def test_the_page_says_where_it_runs(origin: Origin, visit: Visit) -> None:
    page = visit(origin(target="flex"))
    expect(page.locator("#where")).to_have_text("target flex · generator embedded")


def test_the_keyboard_is_enough(origin: Origin, visit: Visit) -> None:
    page = visit(origin())
    assert page.evaluate("document.activeElement.id") == "prompt"
    page.keyboard.press("End")
    page.keyboard.press("Shift+Enter")
    assert page.locator("#result").is_hidden()
    assert "\n" in page.locator("#prompt").input_value()
    page.locator("#prompt").fill(LONG)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # on the button, which then is of no use: the focus goes on to the other
    expect(page.locator("#answer")).not_to_be_empty()
    assert page.evaluate("document.activeElement.id") == "stop"
    page.keyboard.press("Enter")
    ends(page, "stopped")
    assert page.evaluate("document.activeElement.id") == "ask"


def test_an_enter_that_ends_the_input_of_characters_does_not_ask(origin: Origin, visit: Visit) -> None:
    page = visit(origin())
    page.locator("#prompt").dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    assert page.locator("#result").is_hidden()
    page.locator("#prompt").dispatch_event("keydown", {"key": "Enter"})
    assert page.locator("#result").is_visible()


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_it_fits_a_phone(origin: Origin, visit: Visit, locale: str) -> None:
    phone = {"viewport": {"width": 320, "height": 640}, "is_mobile": True, "has_touch": True}
    page = visit(origin(tokens_per_s=2000, first_token_ms=0), locale=locale, **phone)
    ask(page, "W" * 200)
    ends(page, "done")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_nothing_moves_by_itself_for_who_wants_less_motion(origin: Origin, visit: Visit) -> None:
    url = origin()
    animated = {}
    for motion in ("reduce", "no-preference"):
        page = visit(url, reduced_motion=motion)
        ask(page, LONG)
        expect(page.locator("#answer")).not_to_be_empty()
        animated[motion] = page.evaluate("document.getAnimations().length")
    assert animated == {"reduce": 0, "no-preference": 1}


def test_dark_is_dark(origin: Origin, visit: Visit) -> None:
    url = origin()
    seen = [
        visit(url, color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    assert seen == ["rgb(250, 249, 246)", "rgb(17, 21, 27)"]
