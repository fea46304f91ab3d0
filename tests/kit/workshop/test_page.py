"""The page in a real browser, on the lab: what it shows and finds, and that `kit compare` finds the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from kit.report.html import html
from kit.report.view import view
from tests.fixtures.browser import GIVE_UP_MS
from tests.fixtures.command import VALIDATOR
from tests.fixtures.origin import Origin
from tests.kit.report.measured import TARGETS, TROUBLED
from tests.kit.workshop.conftest import Open, Workshop

PROMPT = "Why?"


def lanes(page: Page) -> dict[str, dict[str, str]]:
    """Each lane as it is seen."""
    shown: dict[str, dict[str, str]] = {}
    for lane in page.locator("#lanes .lane").all():
        shown[lane.get_attribute("data-target") or ""] = {
            name: lane.locator(f".{name}").inner_text()
            for name in ("clock", "last", "text", "word", "promise", "why")
        } | {"tone": lane.get_attribute("data-tone") or ""}
    return shown


def go(page: Page, prompt: str = PROMPT) -> None:
    """Ask, by the keyboard alone, and wait until every lane has its verdict."""
    page.locator("#prompt").fill(prompt)
    page.keyboard.press("Enter")
    over(page)


def over(page: Page) -> None:
    """Wait until the run is over; a proof on a busy machine takes its time."""
    expect(page.locator("#go")).to_be_enabled(timeout=4 * GIVE_UP_MS)


# What a room would miss: of a lane that is not whole on the screen, of its words, of what it says.
MISSED = """() => {
    const missed = [...document.querySelectorAll('.lane')].flatMap((lane) => {
        const [place, title] = [lane.getBoundingClientRect(), lane.querySelector('.title').textContent];
        const text = lane.querySelector('.text');
        const line = parseFloat(getComputedStyle(text).lineHeight);
        const lines = Math.round((10 * text.clientHeight) / line) / 10;
        const inside = (part) => {
            const { left, top, right, bottom } = part.getBoundingClientRect();
            const across = left >= place.left && right <= place.right;
            return across && top >= place.top && bottom <= place.bottom;
        };
        const says = [...lane.querySelectorAll('.title, .clock, .word, .promise, .why')];
        return [
            ...(place.top < 0 || place.bottom > innerHeight ? [`${title} ends at ${place.bottom}`] : []),
            ...(lines < 4 ? [`${title} has ${lines} lines`] : []),
            ...says.filter((it) => !inside(it)).map(({ className }) => `${title}: ${className}`),
        ];
    });
    const { scrollWidth } = document.documentElement;
    return [...missed, ...(scrollWidth > innerWidth ? [`${scrollWidth} wide`] : [])];
}"""
# How many lines the controls take that are seen.
CONTROLS = """() => {
    const seen = [...document.querySelectorAll('h1, #path, #prompt, #bar button, #form > label, fieldset')]
        .filter((it) => it.checkVisibility() && it.className !== 'hidden')
        .map((it) => it.getBoundingClientRect())
        .map(({ top, bottom }) => (top + bottom) / 2)
        .sort((a, b) => a - b);
    return seen.filter((at, n) => n === 0 || at - seen[n - 1] > 9).length;
}"""


def saved(page: Page) -> dict[str, Any]:
    """What the page would keep of its runs."""
    with page.expect_download() as download:
        page.locator("#save").click()
    document: dict[str, Any] = json.loads(download.value.path().read_bytes())
    return document


def found(lane: dict[str, Any]) -> tuple[Any, ...]:
    """What must be the same from kit and page; doubts may differ, since they depend on the moment."""
    fields = ("target", "header", "expected", "verdict", "shape", "block_bytes", "as_expected", "method")
    return (*(lane[name] for name in fields), len(lane["timeline"]))


def compared(urls: dict[str, str]) -> dict[str, Any]:
    """What `kit compare` finds there, in both arms."""
    named = [f"{name}={url}" for name, url in urls.items()]
    ended = subprocess.run(
        [sys.executable, "-m", "kit", "compare", *named, "--prompt", PROMPT, "--json"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    data: dict[str, Any] = json.loads(ended.stdout)["data"]
    return data


def by_lane(data: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What was found of each lane, in an order that does not matter."""
    return sorted(map(found, data["lanes"]), key=str)


@pytest.mark.alone
@pytest.mark.long
def test_both_positions_of_the_header_are_shown_saved_and_shown_again(
    lab: str, open_page: Open, tmp_path: Path
) -> None:
    page = open_page(f"{lab}/#tokens=60")
    expect(page.locator("#path")).to_have_attribute("data-tone", "flows")
    go(page)
    on = lanes(page)
    assert {name: (lane["word"], lane["tone"]) for name, lane in on.items()} == {
        "standard": ("■ Buffered whole", "held"),
        "flex": ("● Streamed", "flows"),
        "run": ("● Streamed", "flows"),
        "gke": ("● Streamed", "flows"),
    }
    assert on["standard"]["text"] == on["run"]["text"] != ""
    # The last row sees it: the first word of what is held comes last.
    clocks = {name: float(lane["clock"].removesuffix(" s")) for name, lane in on.items()}
    assert clocks["standard"] > max(clocks["flex"], clocks["run"], clocks["gke"])
    assert "polling" in on["standard"]["why"]

    # What is over is read from its beginning, with the times of its first event and its last.
    assert page.locator(".text").evaluate_all("texts => texts.map(text => text.scrollTop)") == [0] * 4
    last = {name: lane["last"] for name, lane in on.items()}
    assert float(last["run"].removesuffix(" s")) > 1.5 > clocks["run"]
    assert last["standard"] == on["standard"]["clock"]

    page.keyboard.press("Escape")
    page.keyboard.press("h")
    expect(page.get_by_role("switch", name="Send X-Accel-Buffering: no", exact=True)).not_to_be_checked()
    expect(page.locator("#scene")).to_have_text("The header is not sent")
    assert {lane["word"] for lane in lanes(page).values()} == {""}
    assert page.evaluate("location.hash") == "#header=off&tokens=60&prompt=Why%3F"
    go(page)
    off = lanes(page)
    assert {name: lane["word"] for name, lane in off.items()} == {
        "standard": "■ Buffered whole",
        "flex": "■ Buffered in blocks of 64 KiB",
        "run": "● Streamed",
        "gke": "● Streamed",
    }
    assert off["flex"]["why"].endswith("Send the response header X-Accel-Buffering: no.")
    assert {lane["promise"] for lane in off.values()} == {"as documented"}

    # The quick clauses are asked on demand. No source says what a front does when its client leaves, so that
    # the service is left with no front before it.
    page.locator("[data-target=run] .evidence").click()
    page.locator("[data-target=run] .contract").click()
    cancelled = r"cancelled: unknown \(the service itself: stops .*; no source says what its front does\)"
    said = [re.compile(cancelled), re.compile("^many at once: 10 at once pass$")]
    expect(page.locator("[data-target=run] .clauses li")).to_have_text(said)
    expect(page.locator("[data-target=run] .contract")).to_be_hidden()
    page.locator("[data-target=run] .evidence").click()
    document = saved(page)
    asked = {lane["target"]: [one["clause"] for one in lane["clauses"]] for lane in document["data"]["lanes"]}
    assert asked == {"standard": [], "flex": [], "run": ["cancelled", "many"], "gke": []}

    # The last row sees all lanes at once and one line of controls, on small projectors too.
    page.keyboard.press("Escape")
    sizes = ((1280, 800), (1024, 768), (1920, 1080))
    for large, language, (width, height) in (
        *product((True,), ("zh-CN", "en"), sizes),
        (False, "en", (1280, 800)),
    ):
        page.set_viewport_size({"width": width, "height": height})
        if page.evaluate("document.documentElement.classList.contains('large')") is not large:
            page.keyboard.press("l")
        if page.locator("html").get_attribute("lang") != language:
            page.locator("#language").evaluate("button => button.click()")
        assert page.evaluate(MISSED) == [], (width, height, language)
        assert not large or page.evaluate(CONTROLS) == 1, (width, height, language)
        if large:  # an open evidence pushes no lane out
            page.locator("[data-target=standard] .evidence").click()
            below = "document.querySelector('.lane:last-child').getBoundingClientRect().bottom - innerHeight"
            assert page.evaluate(below) <= 0, (width, height, language)
            page.locator("[data-target=standard] .evidence").click()

    # When each event was sent and received stands on the same axis of time, in place of the words.
    page.keyboard.press("c")
    assert page.locator(".stairs path.sent:visible").count() == 4
    events = len(document["data"]["lanes"][0]["timeline"])
    expect(page.locator("[data-target=standard] .stairs .all")).to_have_text(f"{events} events")
    assert not page.locator(".text").first.is_visible()
    page.keyboard.press("c")

    # Saved, it is what kit compare prints of the same lab: one engine.
    VALIDATOR.validate(document)
    mine = document["data"]
    theirs = compared({lane["target"]: lane["url"] for lane in mine["lanes"]})
    assert by_lane(mine) == by_lane(theirs)
    assert mine["as_expected"] is theirs["as_expected"] is True
    assert mine["environment"] == "lab"

    # Shown again, it is what was seen.
    file = tmp_path / "run.json"
    file.write_text(json.dumps(document))
    page.locator("#file").set_input_files(file)
    expect(page.locator("#mark")).to_contain_text("Recorded on ")
    expect(page.locator("#mark")).to_contain_text("emulated from documentation")
    expect(page.locator("#save-why")).to_have_text("This is a recording already.")
    for state in ("Waiting…", "Receiving…"):
        expect(page.locator("[data-target=run] .word")).to_have_text(state)
    over(page)
    assert lanes(page) == off
    # A presenter's clicker goes to the next scene, and begins it.
    page.keyboard.press("PageDown")
    expect(page.locator("#scene")).to_have_text("The header is sent")
    over(page)
    assert lanes(page) == on

    # By polling even Standard comes alive: it arrives in more than one piece.
    page.locator("#live").click()
    expect(page.locator("#mark")).to_be_hidden()
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    expect(page.locator("#scene")).to_have_text("The page polls")
    page.keyboard.press("g")
    over(page)
    polled = lanes(page)
    for lane in polled.values():
        found = re.fullmatch("Polled: it came in ([0-9]+) pieces", str(lane["word"]))
        assert found is not None
        assert int(found[1]) > 5
    assert polled["standard"]["text"] == on["standard"]["text"]
    ticks = page.locator("[data-target=standard] .strip path").evaluate_all(
        "paths => paths.map(path => path.getAttribute('d')).join('').split('M').length - 1"
    )
    assert ticks > 1


def test_the_recording_that_comes_with_the_kit_plays_in_either_language(lab: str, open_page: Open) -> None:
    page = open_page(f"{lab}/#lang=zh&large=1", viewport={"width": 375, "height": 740})
    expect(page.locator("html.large[lang=zh-CN]")).to_be_attached()
    expect(page).to_have_title("streamproof 工作坊")
    expect(page.locator("#stage")).to_have_text("按“开始”：同一个问题，四个平台。")
    # Names for who cannot see it, before a run too; a keyboard scrolls the words.
    unnamed = page.locator(":is([role=img], article, .text, section):not([aria-label])")
    assert unnamed.count() == page.locator(".text:not([tabindex='0'])").count() == 0
    page.locator("#shipped").click()
    expect(page.locator("#mark")).to_contain_text("录制于")
    over(page)
    assert [lane["word"] for lane in lanes(page).values()] == ["■ 整体缓冲", *["● 流式"] * 3]
    assert not [lane["why"] for lane in lanes(page).values() if "。 " in lane["why"]]
    assert all(lane["clock"].endswith(" 秒") for lane in lanes(page).values())
    assert page.locator("#axis").inner_text().split()[-1] == "秒"
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    page.locator("#more").click()
    page.locator("#language").click()
    assert [lane["word"] for lane in lanes(page).values()] == ["■ Buffered whole", *["● Streamed"] * 3]
    # A room sees the recording whole, too, with the line that says what it is.
    page.locator("#more").click()
    page.set_viewport_size({"width": 1280, "height": 800})
    assert page.evaluate(MISSED) == []
    # Another file gets a sentence.
    page.locator("#file").set_input_files(
        {"name": "x.json", "mimeType": "", "buffer": b'{"schema_version": 1}'}
    )
    expect(page.locator("#notice")).to_contain_text("That file is no recording")


def test_the_models_speed_is_chosen_by_keyboard_or_link_and_asked_of_every_lane(
    lab: str, open_page: Open
) -> None:
    page = open_page(f"{lab}/#lanes=flex,run&tokens=30&speed=1000")
    slider = page.locator("#speed")
    expect(page.locator("#speed-state")).to_have_text("1000 tokens/s")
    page.keyboard.press("s")
    page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "300 tokens/s")
    # The other keys work from there, too.
    page.keyboard.press("l")
    assert page.evaluate("location.hash") == "#lanes=flex,run&tokens=30&speed=300&large=1"
    asked = []
    page.on("request", lambda request: asked.append(request))
    page.keyboard.press("g")
    over(page)
    paces = {request.url: request.post_data_json for request in asked if "/search" in request.url}
    assert [body["tokens_per_s"] for body in paces.values()] == [300, 300]
    assert {lane["word"] for lane in lanes(page).values()} == {"● Streamed"}
    # One stop asks for nothing: the service's own pace, which stands among the others.
    page.keyboard.press("s")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#speed-state")).to_have_text("30 tokens/s (default)")
    assert "speed" not in page.evaluate("location.hash")
    page.locator("#language").click()
    expect(page.locator("#speed-state")).to_have_text("每秒 30 个词元（默认）")
    # Who speaks to the machine can switch off the keys that are a letter; the others stay.
    page.locator("#keys").uncheck()
    page.keyboard.press("l")
    assert page.evaluate("location.hash") == "#lanes=flex,run&tokens=30&lang=zh&large=1&keys=0"
    page.locator("#keys").blur()
    page.keyboard.press("PageDown")
    expect(page.locator("#go")).to_be_disabled()


def test_a_room_sees_a_client_leave_and_a_front_cut_a_stream_at_its_deadline(
    workshop: Workshop, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT_SET", "gke.timeout_s=3")
    page = open_page(workshop("run", "gke"))
    page.locator("#leave").click()
    over(page)
    left = lanes(page)
    assert {lane["word"] for lane in left.values()} == {"Left after 2 s"}
    assert "the service itself: stops " in left["run"]["why"]
    page.locator("#cut").click()
    over(page)
    cut = lanes(page)
    assert re.fullmatch(r"Open for 6\.\d s", cut["run"]["word"])
    assert re.fullmatch(r"✗ Cut after 3\.\d s", cut["gke"]["word"])
    assert cut["gke"]["why"].startswith("Emulated: its front end ends every response after 3 s")
    assert 2 <= cut["gke"]["text"].count("•") < cut["run"]["text"].count("•")
    expect(page.locator("#save-why")).to_have_text("Nothing to save: this scene gives no verdict.")
    assert page.evaluate("location.hash") == "#how=cut"


def test_a_foreign_service_is_asked_as_it_is_and_its_own_words_are_shown(
    origin: Origin, workshop: Workshop, open_page: Open
) -> None:
    chat = f"{origin('tests.fixtures.generators:app')}/v1/chat/completions"
    page = open_page(workshop(f"chat={chat}", "-d", '{"max_tokens": 40}'))
    # No control that would do nothing, and no claim on a header that the kit does not know.
    for control in ("#prompt", "#header-row", "#poll-row", "#speed-row", "#next"):
        expect(page.locator(control)).to_be_hidden()
    expect(page.locator("#scene")).to_have_text("Asked as it is")
    expect(page.locator("#stage")).to_have_text("Press Go: one request, one service.")
    page.keyboard.press("g")
    over(page)
    shown = lanes(page)["chat"]
    assert shown["text"] == " ".join(f"word{place}" for place in range(1, 41))
    # Its 40 words take 0.4 s; the clock is not that of the last, nor of the mark behind it.
    first, last = (float(shown[name].removesuffix(" s")) for name in ("clock", "last"))
    assert first + 0.3 < last
    document = saved(page)
    VALIDATOR.validate(document)
    (lane,) = document["data"]["lanes"]
    assert (lane["header"], document["data"]["prompt"]) == ("off", "")
    assert [one.get("text") for one in lane["timeline"]][-2:] == ["word40 ", None]


def test_the_secret_opens_the_page_leaves_its_address_and_goes_with_all_that_it_asks(
    origin: Origin, workshop: Workshop, open_page: Open, browser: Browser
) -> None:
    lane = origin()  # lets no page ask: what is asked of it goes through the page's server
    address = workshop(f"closed={lane}", "--allow-host", "room.example")
    page = open_page(f"{address}#tokens=30")
    url = address.partition("?")[0]
    assert page.url == f"{url}#tokens=30"
    expect(page.locator("#path")).to_have_attribute("data-tone", "flows")
    go(page)
    assert lanes(page)["closed"]["word"] == "● Streamed"
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    page.keyboard.press("g")
    over(page)
    assert lanes(page)["closed"]["word"].startswith("Polled: ")
    # Another browser, which was not given the secret.
    context = browser.new_context()
    other = context.new_page()
    assert (response := other.goto(url)) is not None
    assert response.status == 401
    assert "Open the whole address" in other.inner_text("body")
    context.close()


def test_the_report_asks_nobody_and_prints_on_a4_in_the_dark_too(browser: Browser, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text(html(view(TROUBLED, TARGETS)), encoding="utf-8")
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(report.as_uri())
    paper = page.pdf(prefer_css_page_size=True, print_background=True)
    page.emulate_media(media="print", color_scheme="dark")
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    breaks = page.evaluate(
        "[...document.querySelectorAll('.lane')].map(lane => getComputedStyle(lane).breakInside)"
    )
    context.close()
    assert asked == [report.as_uri()]
    assert complaints == []
    sheets = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", paper)
    assert len(sheets) > 1
    assert {(round(float(width)), round(float(height))) for width, height in sheets} == {(595, 842)}
    assert back == "rgb(255, 255, 255)"
    assert breaks == ["avoid"] * len(TROUBLED.lanes)
