"""The page's modules, in a real browser but without a stream: its parser, its hint and its words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page

from kit.proof.sse import SSEDecoder

# ---- The parser

# What the parser makes of the octets, read in pieces that end at each of `cuts`.
PARSE = """async ([octets, cuts]) => {
    const { SseParser } = await import('/page/sse.js');
    return cuts.map(ends => {
        const [parser, decoder] = [new SseParser(), new TextDecoder()];
        return [...ends, octets.length].flatMap((end, i) => parser.feed(
            decoder.decode(new Uint8Array(octets.slice(i ? ends[i - 1] : 0, end)), { stream: true })));
    });
}"""


def parsed(page: Page, body: bytes, cuts: list[list[int]]) -> list[list[tuple[str, str, str]]]:
    by_cuts = page.evaluate(PARSE, [list(body), cuts])
    return [[(event["type"], event["data"], event["id"]) for event in events] for events in by_cuts]


def expected(body: bytes) -> list[tuple[str, str, str]]:
    """What the kit's own parser, another implementation, makes of it."""
    return [(event.type, event.data, event.id) for event in SSEDecoder().feed(body)]


BODIES = {
    "the service's own": (
        'id: a.0\nevent: token\ndata: {"seq":0,"text":"水 “a”","t_ms":3}\n\n'
        ":\n\nid: a.1\nevent: done\ndata: {}\n\n"
    ),
    "every line end": (
        "data: a\r\rdata: b\r\n\r\ndata: c\n\ndata: d\r\n\ndata: e\r\n\rdata: f\n\r\ndata: g\r\r\n"
    ),
    "every field": (
        "\ufeffevent\ndata\n\nevent: x\ndata:  a\ndata:b:c\n\nevent: lost\n\n"
        ": no\nfoo: 1\nretry: 5\ndata:\n\n"
        "id: 1\ndata: a\n\ndata: b\n\nid: \0\ndata: c\n\nid: 2\n\ndata: d\n\nid\ndata: e\n\n"
    ),
    "an event without its end": "data: a\n\ndata: b\n",
}


@pytest.mark.parametrize("name", BODIES)
def test_the_parser_makes_the_same_of_a_body_wherever_it_is_split(modules: Page, name: str) -> None:
    body = BODIES[name].encode()
    cuts = [[cut] for cut in range(len(body) + 1)] + [list(range(len(body)))]
    assert expected(body)
    assert parsed(modules, body, cuts) == [expected(body)] * len(cuts)


@given(
    body=st.lists(
        st.sampled_from(
            ["data", "event", "id", ":", " ", "\r", "\n", "\r\n", "a", "水", "😀", "\0", "\u2028"]
        )
    ),
    cuts=st.lists(st.integers(0, 60), max_size=5),
)
def test_the_parser_agrees_with_the_kits(modules: Page, body: list[str], cuts: list[int]) -> None:
    octets = "".join(body).encode()
    ends = sorted(min(cut, len(octets)) for cut in cuts)
    assert parsed(modules, octets, [ends]) == [expected(octets)]


def test_an_event_is_out_as_soon_as_its_blank_line_has_ended(modules: Page) -> None:
    early = """async () => {
        const { SseParser } = await import('/page/sse.js');
        const bodies = ["data: a\\n\\n", "data: a\\r\\r", "data: a\\r\\n\\r"];
        return bodies.map(body => new SseParser().feed(body).length);
    }"""
    assert modules.evaluate(early) == [1, 1, 1]


# ---- How it came


@pytest.mark.parametrize(
    ("at", "how"),
    [
        ([100 * n + 40 for n in range(50)], "bits"),
        ([100 * n + 40 + 90 * (n % 3) for n in range(50)], "bits"),
        # The last few are late: a network's hiccup.
        ([100 * n + (900 if n > 47 else 40) for n in range(50)], "bits"),
        ([4940] * 50, "lump"),
        ([4940 + n for n in range(50)], "lump"),
        ([1000 * (n // 10) + 1040 for n in range(50)], "blocks"),
        ([max(2500, 100 * n) for n in range(50)], "blocks"),
        ([140] * 2, "unclear"),
    ],
)
def test_how_it_came_is_judged_by_when_it_was_written(modules: Page, at: list[float], how: str) -> None:
    # The server's clock shows something else, by an hour: it does not matter.
    given = [{"at": 7_000_000 + t, "written": 100 * n} for n, t in enumerate(at)]
    judge = "async words => (await import('/page/hint.js')).howItCame(words)"
    assert modules.evaluate(judge, given)["how"] == how


def test_what_was_written_at_once_tells_nothing(modules: Page) -> None:
    judge = "async words => (await import('/page/hint.js')).howItCame(words)"
    given = [{"at": 5000, "written": n} for n in range(60)]
    assert modules.evaluate(judge, given)["how"] == "unclear"


# ---- Both languages


def test_both_languages_say_the_same_things(modules: Page) -> None:
    shape = """async () => {
        const { WORDS } = await import('/page/words.js');
        return Object.values(WORDS).map(one => Object.entries(one).map(([k, v]) => `${k} ${typeof v}`));
    }"""
    english, chinese = modules.evaluate(shape)
    assert english == chinese
    named = modules.evaluate("[...document.querySelectorAll('[data-word]')].map(it => it.dataset.word)")
    assert {f"{name} string" for name in named} <= set(english)
