from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from kit.proof.lane import Comparison, Lane, LaneError
from kit.report.markdown import markdown
from kit.report.words import THE_THREE
from kit.targets import Claim, Target

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _flat(text: str) -> list[Token]:
    return [
        one
        for token in PARSER.parse(text)
        for one in (token, *(token.children or ()))
        if one.type != "inline"
    ]


def _words(text: str) -> str:
    """What a reader sees, on one line."""
    return " ".join(" ".join(token.content for token in _flat(text) if token.content).split())


def test_the_same_comparison_gives_the_same_text(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    assert markdown(comparison, targets) == markdown(comparison, targets)


def test_the_conclusion_comes_first_then_a_row_for_each_lane(
    comparison: Comparison, polled: Lane, targets: Mapping[str, Target]
) -> None:
    text = markdown(comparison, targets)
    assert text.startswith("### ✓ 6 of 6 lanes as their platform's documentation promises\n\n| ")
    assert "| ✓ | standard on | buffered whole | buffered whole | " in text
    assert THE_THREE in text
    with_polling = markdown(replace(comparison, lanes=(*comparison.lanes, polled)), targets)
    assert "| ✓ | standard polling | arrived as written | arrived as written |" in with_polling
    assert [token.type for token in _flat(with_polling)].count("tr_open") == 1 + 7


def test_what_is_wrong_stands_out_with_what_to_do_about_it_once(
    troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    text = markdown(troubled, targets)
    assert text.startswith("### ✗ 3 of 6 ")
    assert "| ✗ | flex on | **buffered whole** | streamed |" in text
    assert "| ? | run off | **inconclusive** | streamed |" in text
    assert text.count("Nothing frees a stream here") == 1
    assert "- standard off, standard on: Nothing frees a stream here" in text
    assert "- flex on: `cold-start` " in text
    assert "The service of run ended with status 1 before it answered." in text


def test_the_evidence_is_folded_and_stands_with_its_sources(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    text = markdown(comparison, targets)
    assert text.index("<details>") < text.index("200 bytes") < text.index("</details>")
    told = _words(text)
    for lane in comparison.lanes:
        for step in lane.evidence:
            assert step in told
    assert "- Responses stream without any configuration. <https://docs.cloud.google.com/run/docs/" in text
    assert "an old page, or somebody else's claim; documented, not observed" in told


def test_where_it_was_measured_when_and_with_what(
    comparison: Comparison, deployed: Comparison, targets: Mapping[str, Target]
) -> None:
    lab = markdown(comparison, targets)
    assert "**lab**: The lab's front ends are emulated from documentation" in lab
    assert "Measured 2026-11-22 20:58:03 UTC with kit 0.1.0, Python 3." in lab
    assert "emulated" not in markdown(deployed, targets)
    assert "**rehearsal**: " in markdown(replace(comparison, environment="cloud"), targets)


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


def _filled(data: st.DataObject | None, comparison: Comparison, targets: Mapping[str, Target]) -> str:
    """The text with every string that somebody else may choose replaced: by harmless ones without data."""

    def other() -> str:
        return "a" if data is None else data.draw(HOSTILE)

    lanes = []
    for number, lane in enumerate(comparison.lanes):
        error = (
            LaneError("internal", f"m{other()}", f"h{number}{other()}".replace("`", ""))
            if lane.error
            else None
        )
        evidence = tuple(other() for _ in lane.evidence)
        lanes.append(replace(lane, target=f"t{number}{other()}", url=other(), evidence=evidence, error=error))
    renamed = {
        lane.target: replace(
            target,
            advice=f"a{number}{other()}".replace("`", ""),
            claims=(Claim(text=other(), source=f" {other()}", certainty="C", about="streaming"),),
        )
        for number, (lane, target) in enumerate(zip(lanes, targets.values(), strict=False))
    }
    return markdown(
        replace(comparison, measured_at=other(), kit_version=other(), prompt=other(), lanes=tuple(lanes)),
        renamed,
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
def test_nothing_that_somebody_else_may_choose_becomes_markup_or_calls_anybody(
    data: st.DataObject, troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    # An inconclusive lane with doubts and one that failed.
    few = replace(troubled, lanes=troubled.lanes[4:])
    text = _filled(data, few, targets)
    text.encode()
    assert _skeleton(text) == _skeleton(_filled(None, few, targets))
    seen = [token.content for token in _flat(text) if token.type == "text"]
    assert not [part for part in seen if "://" in part or "@a" in part or "#1" in part]


@settings(max_examples=30)
@given(data=st.data())
def test_any_comparison_has_a_row_for_each_lane(
    data: st.DataObject, comparisons: st.SearchStrategy[Comparison], targets: Mapping[str, Target]
) -> None:
    comparison = data.draw(comparisons)
    rows = [token for token in _flat(markdown(comparison, targets)) if token.type == "tr_open"]
    assert len(rows) == 1 + len(comparison.lanes)
