from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.report.html import html
from kit.report.style import CAME
from kit.report.view import ComparisonView, view
from kit.report.words import KINDS
from tests.fixtures.chinese import english_left
from tests.kit.report.documents import SAID, SEEN, VIEWS
from tests.kit.report.measured import AS_PROMISED, DEPLOYED, TARGETS, filled, timeline

VOID = {"meta"}


class Page(HTMLParser):
    """The page's elements with the names of their attributes, its text, its ids, and where its links lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.skeleton: list[tuple[str, ...]] = []
        self.text = ""
        self.ids: list[str] = []
        self.links: list[str] = []
        self.referred: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.skeleton.append((tag, *(name for name, _ in attrs)))
        values = dict(attrs)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.links += [values["href"] or ""] if "href" in values else []
        self.referred += (values.get("aria-labelledby") or "").split()
        if tag not in VOID and tag not in ("path", "rect"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.skeleton.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data


def _words(page: str) -> str:
    return " ".join(Page(page).text.split())


def test_the_headline_is_what_each_service_does_and_what_is_not_as_documented_stands_at_the_top() -> None:
    page = html(SEEN)
    sentences = "".join(f"<span>{sentence}</span> " for sentence in SEEN.answer)
    assert f"<h1>{sentences}</h1>" in page
    text = _words(page)
    top = text[: text.index("At a glance waiting")]
    assert (
        "2 of 6 as expected: App Engine Flexible, header sent: buffered whole, not as documented (streamed)"
        in top
    )
    assert "Cloud Run, header not sent: inconclusive, documented: streamed" in top
    assert "Cloud Run, header sent: could not be measured, documented: streamed" in top
    assert f"Documented: {(SEEN.in_short or '?').replace('`', '')}" in top
    assert f"lab {SEEN.where}" in top


def test_each_lane_shows_all_that_the_view_says_of_it() -> None:
    text = _words(html(SEEN))
    for lane, shown in zip(SEEN.lanes, _parts(text)[1:], strict=True):
        assert shown.startswith(f"{lane.title} {KINDS[lane.kind]} {lane.address} ")
        assert f"{CAME[lane.mark][0]} {lane.verdict} {lane.kept}" in shown
        for said in (lane.again, lane.advice, lane.error and lane.error.message):
            assert (said or "").replace("`", "") in shown
        assert (lane.remark is None or lane.error is not None) or lane.remark in shown
        assert all(step in shown for step in lane.evidence)
        assert all(f"{doubt} {doubt.remedy}" in shown for doubt in lane.doubts)
        figures = f"first byte{lane.first_byte} first event{lane.first_event} events"
        assert (figures in shown) == (lane.error is None)
        assert all(claim.text in shown for claim in lane.grounds)
    assert "■ buffered in blocks of 64 KiB as documented" in text
    assert "■ buffered whole not as documented (streamed)" in text
    assert "✗ could not be measured documented: streamed" in text
    assert "? inconclusive documented: streamed" in text
    assert "● arrived as written as expected" in text
    assert "App Engine Standard, by polling: sent and arrived" in text
    assert "When the server sent each event is not known." in text


def _parts(text: str) -> list[str]:
    """What is said of each lane."""
    lanes = text[text.rindex("Lane by lane") : text.index("What the platforms document")]
    return re.split(r"(?=\b(?:App Engine|Cloud Run)[ \w]*? (?:header|by polling)[ \w]*? http)", lanes)


def test_without_a_promise_it_is_measured_and_a_hold_stands_beside_what_could_have_been_seen() -> None:
    lane = replace(AS_PROMISED.lanes[-1], expected=None, hold_ms=208.0)
    text = _words(html(view(replace(AS_PROMISED, lanes=(lane,)), {})))
    assert "●streamed first event 301 ms" in text
    assert "hold208 ms shortest hold that would show15 ms measured bylock-step" in text


def test_every_claim_stands_with_its_quote_its_source_and_how_sure_it_is() -> None:
    text = _words(html(SEEN))
    for target in SEEN.targets:
        for claim in target.claims:
            assert claim.text in text
            assert claim.source.removeprefix("https://") in text
            assert (claim.quote or "") in text
    assert "an old page, or a third party's claim documented, not observed" in text
    assert "no source found" in text


def test_each_lane_says_what_its_promise_rests_on_and_polling_that_no_documentation_speaks_of_it() -> None:
    text = _words(html(SEEN))
    assert (
        "What is documented, and where Responses stream without any configuration. "
        "docs.cloud.google.com/run/docs/triggering/https-request "
        "(a current page or source of the platform's owner)"
    ) in text
    alone = _words(html(replace(SEEN, lanes=SEEN.lanes[4:5])))
    assert "What is documented, and where" not in alone
    assert "no platform documents it" in alone


def test_each_sheet_says_what_it_is_worth_and_no_rehearsal_passes_for_googles_cloud() -> None:
    lab, cloud, rehearsed = (
        html(view(one, TARGETS)) for one in (AS_PROMISED, DEPLOYED, replace(AS_PROMISED, environment="cloud"))
    )
    assert "@bottom-left { content: \"streamproof. The lab's front ends are emulated" in lab
    assert '@bottom-left { content: "streamproof. Measured on deployed' in cloud
    assert "<dd>2026-11-22 20:58:03 UTC</dd>" in lab
    assert "The lab's front ends follow the platforms' documentation." in _words(lab)
    assert "A rehearsal's front ends follow the platforms' documentation." in _words(rehearsed)
    assert "emulated" not in _words(cloud)
    assert "front ends follow" not in _words(cloud)


def test_the_page_needs_no_script_and_makes_no_request() -> None:
    page = html(SEEN)
    parsed = Page(page)
    tags = {tag for tag, *_ in parsed.skeleton}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    assert not {name for _, *names in parsed.skeleton for name in names} & {"src", "srcset", "background"}
    assert not re.search(r"url\(|@import", page)
    assert "default-src 'none'" in page
    assert all(link.startswith(("#", "https://")) for link in parsed.links)


def test_what_is_referred_to_is_there_and_every_id_is_unlike_the_others() -> None:
    parsed = Page(html(SEEN))
    assert len(set(parsed.ids)) == len(parsed.ids)
    inside = [link[1:] for link in parsed.links if link.startswith("#")]
    assert inside
    assert set(parsed.referred) | set(inside) <= set(parsed.ids)


HOSTILE = st.text(
    st.sampled_from(list("<>\"'&/=`{}%#;-!\\ \n\r\t\0\x1b\u2028\ud800abionclkscrpt流")), max_size=40
) | st.sampled_from(
    [
        "</style><script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        "</title></svg><svg onload=alert(1)>",
        "{{ 7 * 7 }}{% include 'x' %}",
        "javascript:alert(1)",
        "<!--",
        "]]>",
        "`</code><b>`",
    ]
)


# Markup that is the page's own, and depends on what a text says: code between backticks, a source's link.
_CHOSEN = {("code",), ("a", "href", "rel")}


@settings(max_examples=50)
@given(data=st.data())
def test_nothing_that_another_may_choose_becomes_markup(data: st.DataObject) -> None:
    numbers = iter(range(1_000_000))
    hostile = Page(html(filled(SEEN, lambda: f"{next(numbers)}{data.draw(HOSTILE)}")))
    harmless = Page(html(filled(SEEN, lambda: f"text {next(numbers)}")))
    assert [tag for tag in hostile.skeleton if tag not in _CHOSEN] == [
        tag for tag in harmless.skeleton if tag not in _CHOSEN
    ]
    own = {link for link in harmless.links if link.startswith("#")}
    assert all(link in own or link.startswith("https://") for link in hostile.links)


@settings(max_examples=50)
@given(VIEWS)
def test_any_comparison_has_a_well_formed_page(seen: ComparisonView) -> None:
    page = html(seen)
    page.encode()
    Page(page)


@pytest.mark.parametrize("events", [61, 5_000])
def test_the_page_stays_small(events: int) -> None:
    lanes = tuple(
        replace(lane, timeline=timeline(how, events))
        for lane, how in zip(AS_PROMISED.lanes, ["whole", "blocks", "incremental"] * 2, strict=True)
    )
    assert len(html(view(replace(AS_PROMISED, lanes=lanes), TARGETS))) < 200_000


def test_in_chinese_the_page_says_so_and_no_english_is_left(chinese: None) -> None:
    page = html(SAID)
    assert '<html lang="zh-CN">' in page
    shown = re.sub(r"<style>.*</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    assert english_left(shown, "streamproof", "unreachable") == []
