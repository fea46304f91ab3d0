"""The page in a real browser where something is wrong: each lane says what happened, the others go on."""

from __future__ import annotations

import secrets
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.fixtures.origin import Origin
from tests.fixtures.proxies import Nginx
from tests.kit.workshop.conftest import Open, Workshop
from tests.kit.workshop.test_page import go, lanes, over, saved


@pytest.mark.alone
@pytest.mark.long
def test_a_lane_that_is_down_cut_or_closed_to_browsers_says_so_and_the_others_go_on(
    origin: Origin, workshop: Workshop, open_page: Open
) -> None:
    open_one = origin(cors_origins="*")
    url = workshop(
        "gone=http://127.0.0.1:1",
        f"cut={origin('tests.fixtures.apps:cutter', cors_origins='*')}",
        f"closed={origin()}",
        f"open={open_one}",
    )
    page = open_page(f"{url}/#tokens=60")
    go(page)
    shown = lanes(page)
    assert shown["gone"]["word"] == "✗ Could not be measured"
    assert "127.0.0.1:1" in shown["gone"]["why"]
    assert "came to no proper end" in shown["cut"]["why"]
    assert len(shown["cut"]["text"]) < len(shown["open"]["text"])
    assert shown["closed"]["word"] == shown["open"]["word"] == "● Streamed"
    # The one that lets no page ask goes through the page's server, and says so.
    relayed = page.locator(".lane:has(.relayed:visible)")
    assert [lane.get_attribute("data-target") for lane in relayed.all()] == ["closed"]
    doubts = {lane["target"]: lane["doubts"] for lane in saved(page)["data"]["lanes"]}
    assert doubts["closed"] == ["relayed"]

    # A link cannot name what is not a lane here.
    page.goto(f"{url}/#lanes=open,http://evil.example/&tokens=60")
    page.reload()
    expect(page.locator("#notice")).to_contain_text("http://evil.example/")
    assert list(lanes(page)) == ["open"]

    # Two tabs at once.
    other = open_page(f"{url}/#lanes=open&tokens=60")
    for tab in (page, other):
        tab.keyboard.press("Escape")
        tab.keyboard.press("g")
    # One is hidden meanwhile; headless chromium hides none, so its word for it is given in its place.
    other.evaluate(
        """() => {
            Object.defineProperty(document, 'hidden', { value: true });
            document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    for tab in (page, other):
        over(tab)
        assert lanes(tab)["open"]["word"] == "● Streamed"
    expect(page.locator("#notice")).to_be_hidden()
    expect(other.locator("#notice")).to_contain_text("hidden")
    doubts = saved(other)["data"]["lanes"][0]["doubts"]
    # The two share the browser's six connections, and may have to wait for one.
    assert {"tab-hidden"} <= set(doubts) <= {"tab-hidden", "browser-connections"}

    # Five streams of another tab's leave the lane one connection: its side requests must wait.
    ids = [secrets.token_hex(16) for _ in range(5)]
    page.evaluate(
        """async ([base, ids]) => {
            window.held = await Promise.all(ids.map(id => fetch(`${base}/proof/stream?id=${id}`)));
        }""",
        [open_one, ids],
    )
    back: list[str] = []
    page.on("response", lambda response: back.append(response.url))
    page.on("request", lambda request: back.append("feed") if "/proof/feed?" in request.url else None)
    with page.expect_request("**/proof/feed?**"):
        page.keyboard.press("g")
    # Round trips to the page's own server overtake it; on a busy machine some overtook what was asked before.
    here = f"{url}/here/proof/ping"
    while back[back.index("feed") :].count(here) < 3:
        page.wait_for_event("response")
    # One that is begun after them comes back once the page itself knows of them.
    page.evaluate("fetch('here/proof/ping').then(it => it.text())")
    for id in ids:
        urllib.request.urlopen(f"{open_one}/proof/end?id={id}", data=b"").close()
    over(page)
    assert "browser-connections" in saved(page)["data"]["lanes"][0]["doubts"]
    assert "wait for a free connection" in lanes(page)["open"]["why"]

    # One that is answered late was sent in time, however many round trips come back before it.
    late = f"{open_one}/proof/stream?id={secrets.token_hex(16)}&mode=pause"
    del back[:]
    waited = page.evaluate(
        """async ([base, late]) => {
            const { ask, waited } = await import('/page/side.js');
            const seen = new Promise((resolve) =>
                new PerformanceObserver((list) => list.getEntriesByName(late).length && resolve())
                    .observe({ type: 'resource' }));
            await ask('GET', late, 60_000, new AbortController().signal);
            await seen;
            return waited(base);
        }""",
        [f"{open_one}/proof/", late],
    )
    assert (back.count(here), waited) == (3, False)


@pytest.mark.alone
@pytest.mark.long
def test_a_proxy_that_holds_the_page_itself_is_found_first_and_no_relayed_lane_is_judged(
    origin: Origin, workshop: Workshop, open_page: Open, nginx: Nginx
) -> None:
    url = workshop(f"closed={origin()}", f"open={origin(cors_origins='*')}")
    front = nginx(url, location="proxy_ignore_headers X-Accel-Buffering;")
    page = open_page(f"{front}/#tokens=60")
    expect(page.locator("#path")).to_have_attribute("data-tone", "held")
    expect(page.locator("#path")).to_contain_text("Open the page at its own address")
    go(page)
    shown = lanes(page)
    assert shown["closed"]["word"] == "? Inconclusive"
    assert "between the browser and the page's own server" in shown["closed"]["why"]
    assert shown["open"]["word"] == "● Streamed"


def test_a_model_whose_speed_nobody_can_choose_says_so_in_its_own_words(
    origin: Origin, workshop: Workshop, open_page: Open
) -> None:
    model = origin(
        generator="vertex",
        model="some-model",
        location="global",
        vertex_project="my-project-42",
        vertex_endpoint="http://127.0.0.1:1",
        get_search="false",
        cors_origins="*",
    )
    page = open_page(f"{workshop(f'model={model}')}/#speed=20")
    reason = "a model on Vertex AI writes at its own pace"
    go(page)
    assert lanes(page)["model"]["word"] == "✗ Could not be measured"
    assert reason in lanes(page)["model"]["why"]
    page.keyboard.press("p")
    page.keyboard.press("g")
    over(page)
    assert lanes(page)["model"]["word"] == "✗ Could not be polled"
    assert reason in lanes(page)["model"]["why"]
