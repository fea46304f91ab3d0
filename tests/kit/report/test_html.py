from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.proof.lane import Comparison, Lane, LaneError
from kit.proof.timeline import Timeline
from kit.report.html import html
from kit.report.words import THE_THREE
from kit.targets import Claim, Target

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


def test_the_same_comparison_gives_the_same_page(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    assert html(comparison, targets) == html(comparison, targets)


def test_the_headline_is_the_conclusion(comparison: Comparison, targets: Mapping[str, Target]) -> None:
    page = html(comparison, targets)
    assert "<h1>6 of 6 lanes as their platform&#39;s documentation promises.</h1>" in page
    assert THE_THREE.replace("`", "") in _words(page)


def test_a_lane_by_polling_is_named_so_and_shows_its_pieces(
    comparison: Comparison, polled: Lane, targets: Mapping[str, Target]
) -> None:
    page = html(replace(comparison, lanes=(*comparison.lanes[:2], polled)), targets)
    text = _words(page)
    assert "App Engine Standard by polling" in text
    assert "as expected arrived as written" in text
    assert "arrived as written" in text
    assert "came in 58 pieces" in text
    assert "App Engine Standard, by polling: sent and arrived" in text


def test_lanes_that_are_not_as_promised_are_named_at_the_top(
    troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    text = _words(html(troubled, targets))
    top = text[: text.index("The same answer on every lane")]
    assert "App Engine Flexible, header sent: buffered whole, promised: streamed" in top
    assert "Cloud Run, header not sent: inconclusive, promised: streamed" in top
    assert "Cloud Run, header sent: could not be measured, promised: streamed" in top
    assert "Documented: Standard buffers" in top


def test_each_lane_shows_verdict_promise_evidence_figures_doubts_and_advice(
    troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    text = _words(html(troubled, targets))
    for lane in troubled.lanes:
        for step in lane.evidence:
            assert step in text
        for doubt in lane.doubts:
            assert f"{doubt} {doubt.remedy}" in text
    assert "promised: buffered in blocks of 64 KiB" in text
    assert targets["standard"].advice is not None
    assert targets["standard"].advice in text
    assert "The service of run ended with status 1 before it answered." in text
    assert "is smaller than one block" in text


def test_every_claim_stands_with_its_quote_its_source_and_how_sure_it_is(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    text = _words(html(comparison, targets))
    for target in targets.values():
        for claim in target.claims:
            assert claim.text in text
            assert claim.source.removeprefix("https://") in text
            assert (claim.quote or "") in text
    assert "an old page, or somebody else's claim documented, not observed" in text
    assert "no source found" in text


def test_each_lane_says_what_its_promise_rests_on_and_polling_that_nobody_speaks_of_it(
    comparison: Comparison, polled: Lane, targets: Mapping[str, Target]
) -> None:
    lane = _words(html(replace(comparison, lanes=(comparison.lanes[-1],)), targets))
    assert (
        "What the promise rests on Responses stream without any configuration. "
        "docs.cloud.google.com/run/docs/triggering/https-request "
        "(a current page or source of the platform's owner)"
    ) in lane
    alone = _words(html(replace(comparison, lanes=(polled,)), targets))
    assert "What the promise rests on" not in alone
    assert "no platform's documentation speaks of them" in alone


def test_the_page_says_when_and_with_what_and_each_sheet_what_it_is_worth(
    comparison: Comparison, deployed: Comparison, targets: Mapping[str, Target]
) -> None:
    page = html(comparison, targets)
    assert "<dd>2026-11-22 20:58:03 UTC</dd>" in page
    assert "<dd>kit 0.1.0, Python 3." in page
    assert "@bottom-left { content: \"streamproof. The lab's front ends are emulated" in page
    assert '@bottom-left { content: "streamproof. Measured on deployed' in html(deployed, targets)


def test_what_is_emulated_is_called_so_and_a_deployment_is_not(
    comparison: Comparison, deployed: Comparison, targets: Mapping[str, Target]
) -> None:
    assert "emulated from documentation, not observed on Google's cloud" in _words(html(comparison, targets))
    cloud = _words(html(deployed, targets))
    assert "emulated" not in cloud
    assert "front ends follow" not in cloud


def test_a_rehearsal_is_never_passed_off_as_googles_cloud(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    rehearsed = _words(html(replace(comparison, environment="cloud"), targets))
    assert "rehearsal A rehearsal: measured on this machine" in rehearsed
    assert "nothing about Google's cloud itself" in rehearsed
    assert "the platforms' own front ends" not in rehearsed


def test_the_page_needs_no_script_and_asks_nobody_for_anything(
    troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    page = html(troubled, targets)
    parsed = Page(page)
    tags = {tag for tag, *_ in parsed.skeleton}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    assert not {name for _, *names in parsed.skeleton for name in names} & {"src", "srcset", "background"}
    assert not re.search(r"url\(|@import", page)
    assert "default-src 'none'" in page
    assert all(link.startswith(("#", "https://")) for link in parsed.links)


def test_what_is_referred_to_is_there_and_every_id_is_unlike_the_others(
    troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    parsed = Page(html(troubled, targets))
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


def _filled(comparison: Comparison, targets: Mapping[str, Target], with_: Callable[[], str]) -> str:
    """The page with every string that somebody else may choose replaced."""
    lanes = []
    for lane in comparison.lanes:
        error = LaneError("internal", with_(), with_()) if lane.error else None
        lanes.append(
            replace(
                lane, target=with_(), url=with_(), evidence=tuple(with_() for _ in lane.evidence), error=error
            )
        )
    renamed = {}
    for lane, target in zip(lanes, [*targets.values()] * 2, strict=True):
        claims = (Claim(text=with_(), quote=with_() + ".", source=with_(), certainty="C", about="streaming"),)
        renamed[lane.target] = replace(
            target, name=lane.target, title=with_(), advice=f"{with_()}.", claims=claims
        )
    strange = replace(
        comparison, measured_at=with_(), kit_version=with_(), prompt=with_(), lanes=tuple(lanes)
    )
    return html(strange, renamed)


# Markup that is the page's own, and depends on what a text says: code between backticks, a source's link.
_CHOSEN = {("code",), ("a", "href", "rel")}


@settings(max_examples=50)
@given(data=st.data())
def test_nothing_that_somebody_else_may_choose_becomes_markup(
    data: st.DataObject, troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    numbers = iter(range(1_000_000))
    hostile = Page(_filled(troubled, targets, lambda: f"{next(numbers)}{data.draw(HOSTILE)}"))
    harmless = Page(_filled(troubled, targets, lambda: f"text {next(numbers)}"))
    assert [tag for tag in hostile.skeleton if tag not in _CHOSEN] == [
        tag for tag in harmless.skeleton if tag not in _CHOSEN
    ]
    assert all(link.startswith(("#lane-", "https://")) for link in hostile.links)


@settings(max_examples=50)
@given(data=st.data())
def test_any_comparison_has_a_well_formed_page(
    data: st.DataObject, comparisons: st.SearchStrategy[Comparison], targets: Mapping[str, Target]
) -> None:
    page = html(data.draw(comparisons), targets)
    page.encode()
    Page(page)


@pytest.mark.parametrize("events", [61, 5_000])
def test_the_page_stays_small(
    comparison: Comparison,
    targets: Mapping[str, Target],
    timeline: Callable[..., Timeline],
    events: int,
) -> None:
    lanes = tuple(
        replace(lane, timeline=timeline(how, events))
        for lane, how in zip(comparison.lanes, ["whole", "blocks", "incremental"] * 2, strict=True)
    )
    assert len(html(replace(comparison, lanes=lanes), targets)) < 200_000
