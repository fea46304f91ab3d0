"""What the page says, it says in both languages."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given

from kit.language import in_chinese
from kit.proof.doubts import Doubt
from kit.proof.lane import Comparison
from kit.proof.verdict import Shape, Verdict
from kit.report.style import CAME
from kit.report.view import lane_view
from kit.workshop.lane_text import lane_text, why
from tests.fixtures.lanes import lane_of
from tests.kit.report.measured import COMPARISONS

HAN = re.compile(r"[\u4e00-\u9fff]")
# As the page's lane.js draws them.
_MARKS = {"flows": "●", "held": "■", "unsure": "?", "failed": "✗"}


def test_every_reason_of_a_verdict_has_a_chinese_one() -> None:
    for verdict in Verdict:
        for shape in (*Shape, None):
            assert HAN.search(in_chinese(why(lane_view(lane_of(verdict=verdict, shape=shape)))))


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
