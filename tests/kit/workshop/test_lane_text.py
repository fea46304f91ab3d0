"""What the page says, it says in both languages."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given

from kit.proof.doubts import Doubt
from kit.proof.lane import Comparison
from kit.proof.verdict import Shape, Verdict
from kit.report.style import CAME
from kit.report.view import lane_view
from kit.report.words import HEADER
from kit.targets import load_targets
from kit.workshop.chinese import chinese
from kit.workshop.lane_text import lane_text, why
from tests.fixtures.lanes import lane_of
from tests.kit.report.measured import COMPARISONS

HAN = re.compile(r"[\u4e00-\u9fff]")
# As the page's lane.js draws them.
_MARKS = {"flows": "●", "held": "■", "unsure": "?", "failed": "✗"}

SENTENCES = (
    "The whole answer is smaller than one block.",
    "as documented",
    "not as documented",
    f"Send `{HEADER}` and measure again (--accel-header on).",
    *(doubt.remedy for doubt in Doubt),
)


def test_every_reason_of_a_verdict_has_a_chinese_one() -> None:
    for verdict in Verdict:
        for shape in (*Shape, None):
            assert HAN.search(chinese(why(lane_view(lane_of(verdict=verdict, shape=shape)))))


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_sentence_has_a_chinese_one(sentence: str) -> None:
    assert HAN.search(chinese(sentence)), sentence


@pytest.mark.parametrize("target", [t for t in load_targets().values() if t.advice], ids=lambda t: t.name)
def test_so_has_every_targets_advice(target: object) -> None:
    advice = getattr(target, "advice", "")
    assert HAN.search(chinese(advice)), advice


@given(COMPARISONS)
def test_any_lane_has_words(comparison: Comparison) -> None:
    for lane in comparison.lanes:
        for doubts in (lane.doubts, tuple(Doubt)):
            seen = lane_view(replace(lane, doubts=doubts))
            words = lane_text(seen)
            assert words["en"]["verdict"]
            assert HAN.search(words["zh"]["verdict"])
            assert len(words["zh"]["doubts"]) == len(words["en"]["doubts"])
            mark = _MARKS[words["tone"]]
            assert mark == CAME[seen.mark][0], seen.mark
