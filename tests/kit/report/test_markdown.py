from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from kit.report.markdown import markdown
from kit.report.view import ComparisonView
from tests.fixtures.chinese import english_left
from tests.kit.report.documents import SAID, SEEN, VIEWS
from tests.kit.report.measured import filled

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _flat(text: str) -> list[Token]:
    return [
        one
        for token in PARSER.parse(text)
        for one in (token, *(token.children or ()))
        if one.type != "inline"
    ]


HOSTILE = st.text(
    st.sampled_from(list("|<>\"'&`*_~[]()!#-+=1.$@:/\\ \n\t\0\u2028\ud800ab流")), max_size=30
) | st.sampled_from(
    [
        "\n\n</details>\n\n# mine",
        "<!-- ",
        "| a | b |\n|---|",
        "[a](javascript:alert(1))",
        "![a](https://example.org/a.png)",
        "<img src=https://example.org>",
        "<https://example.org>",
        "``` \n",
        "1. - > # ",
        "&lt;b&gt;",
        "`</code>`",
    ]
)


def _skeleton(text: str) -> list[tuple[str, ...]]:
    """What is markup in it; code is one thing with text, which a dash stands for where there is none."""
    return [
        (token.type, token.content if token.type.startswith("html") else "")
        for token in _flat(text)
        if token.type not in ("text", "code_inline", "text_special")
    ]


@settings(max_examples=60)
@given(data=st.data())
def test_nothing_that_another_may_choose_becomes_markup_or_a_mention(data: st.DataObject) -> None:
    # A lane with doubts, one that failed, one by polling and one that was measured three times.
    few = replace(SEEN, lanes=SEEN.lanes[2:])
    numbers = iter(range(1_000_000))
    text = markdown(filled(few, lambda: f"t{next(numbers)}{data.draw(HOSTILE)}".replace("`", "")))
    text.encode()
    assert _skeleton(text) == _skeleton(markdown(filled(few, lambda: f"t{next(numbers)}")))
    seen = [token.content for token in _flat(text) if token.type == "text"]
    assert not [part for part in seen if "://" in part or "@a" in part or "#1" in part]


@given(st.text(max_size=20) | HOSTILE)
def test_code_stays_code_whatever_stands_in_it(prompt: str) -> None:
    text = markdown(replace(SEEN, lanes=(), asked=f"a{prompt}"))
    assert _skeleton(text) == _skeleton(markdown(replace(SEEN, lanes=(), asked="a")))


@settings(max_examples=30)
@given(VIEWS)
def test_any_comparison_has_a_row_for_each_lane_and_another_where_its_clauses_were_asked(
    seen: ComparisonView,
) -> None:
    rows = [token for token in _flat(markdown(seen)) if token.type == "tr_open"]
    asked = sum(bool(lane.clauses) for lane in seen.lanes)
    assert len(rows) == 1 + len(seen.lanes) + (1 + asked if seen.clauses else 0)


def test_in_chinese_no_english_is_left(chinese: None) -> None:
    said = re.sub(r"<[^>]+>|&#\d+;", " ", markdown(SAID))
    assert english_left(said, "flex", "run", "standard", "polling", "unreachable") == []
