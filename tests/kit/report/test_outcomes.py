from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code, KitError
from kit.outcome import Gate, Outcome, Result
from kit.proof.contract import Clause, ClauseFinding
from kit.proof.doubts import Doubt
from kit.proof.lane import LaneError
from kit.proof.rollout import unwatched
from kit.proof.verdict import Verdict
from kit.report.outcomes import COSTS, outcome_data, outcomes_text
from kit.report.style import Style
from tests.kit.flows.test_gate import lane

HELD = ("1,048,576 bytes were held in all, and nothing came out",)

PROMOTED = Outcome(
    "standard",
    Result.PROMOTED,
    "Buffered whole, as documented. Promoted: https://standard.example.org",
    url="https://standard.example.org",
    version="sp-new",
    lanes=(lane("standard", Verdict.WHOLE_MESSAGE), lane("standard", Verdict.WHOLE_MESSAGE, "off")),
    gate=Gate.PASSED,
    costs="requests",
    next="kit open standard",
)
HELD_BACK = Outcome(
    "flex",
    Result.NOT_PROMOTED,
    "Buffered whole, where streamed is promised. Not promoted; sp-now keeps serving.",
    url="https://flex.example.org",
    version="sp-new",
    version_url="https://sp-new.example.org",
    lanes=(
        replace(lane("flex", Verdict.WHOLE_MESSAGE), evidence=HELD),
        replace(lane("flex", Verdict.BYTE_LIMITED, "off"), evidence=("the other arm's",)),
    ),
    gate=Gate.WORSE,
    costs="always",
    next="kit deploy flex",
)
BROKEN = Outcome(
    "run",
    Result.FAILED,
    "The build of the image failed.\n  | Step 3 of 8\n  | no such package",
    next="kit deploy run",
    error=KitError(Code.BUILD_FAILED, "The build of the image failed.", "Its log: URL\nAll of it: FILE"),
)


def text_of(*outcomes: Outcome, destroy: str | None = None, style: Style | None = None) -> list[str]:
    return outcomes_text(outcomes, style or Style(), destroy).splitlines()


def test_what_passed_says_what_it_costs_and_what_is_next() -> None:
    assert text_of(PROMOTED) == [
        "✓ standard  Buffered whole, as documented. Promoted: https://standard.example.org",
        "            Without the header: buffered whole.",
        "            It costs money only while it is asked.",
        "            Next: kit open standard",
    ]


def test_what_was_held_back_shows_the_evidence_of_the_arm_that_decided() -> None:
    assert text_of(HELD_BACK) == [
        "✗ flex  Buffered whole, where streamed is promised. Not promoted; sp-now keeps serving.",
        "        Without the header: buffered in blocks of 64 KiB.",
        "        · 1,048,576 bytes were held in all, and nothing came out",
        "        Its service: https://flex.example.org",
        "        It costs money all the time, asked or not: it never scales to zero.",
        "        Next: kit deploy flex (what did not change is only measured again)",
        "        Promote it all the same: kit promote flex",
    ]


def test_an_inconclusive_one_says_why_and_what_would_decide_it() -> None:
    unsure = replace(
        HELD_BACK,
        gate=Gate.INCONCLUSIVE,
        lanes=(lane("flex", Verdict.INCONCLUSIVE, doubts=(Doubt.NO_PROOF,)),),
    )
    text = " ".join(" ".join(text_of(unsure)).split())
    assert text.startswith("? flex ")
    assert f"· {Doubt.NO_PROOF}: {Doubt.NO_PROOF.remedy}" in text


def test_a_failure_keeps_the_end_of_its_log_and_each_line_of_the_remedy() -> None:
    assert text_of(BROKEN) == [
        "✗ run  The build of the image failed.",
        "       | Step 3 of 8",
        "       | no such package",
        "       Its log: URL",
        "       All of it: FILE",
        "       Next: kit deploy run",
    ]


def test_an_arm_that_could_not_be_measured_is_not_said_to_be_anything() -> None:
    error = LaneError("timed-out", "No answer.", "Try again.")
    off = lane("standard", Verdict.INCONCLUSIVE, "off", error=error)
    unmeasured = replace(PROMOTED, lanes=(PROMOTED.lanes[0], off))
    assert not any("Without the header" in line for line in text_of(unmeasured))


def test_the_last_line_removes_all_of_it() -> None:
    assert text_of(PROMOTED, BROKEN, destroy="kit destroy standard")[-2:] == [
        "",
        "  To remove all of it: kit destroy standard",
    ]
    assert not any("remove" in line for line in text_of(BROKEN))


def test_names_stand_in_one_column() -> None:
    lines = text_of(PROMOTED, BROKEN)
    assert lines[0].index("Buffered") == lines[4].index("The build") == 12


HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\n✓ run  Promoted\u202e"


@pytest.mark.parametrize("field", ["target", "what", "url", "next"])
def test_what_came_from_outside_cannot_draw_on_the_terminal(field: str) -> None:
    hostile: dict[str, Any] = {field: HOSTILE}
    text = outcomes_text([replace(HELD_BACK, **hostile)], Style(), None)
    assert not set(text) & {"\x1b", "\x07", "\r", "\u202e"}
    assert not any(line.startswith("✓ run") for line in text.splitlines())


@pytest.mark.parametrize("outcome", [PROMOTED, HELD_BACK, BROKEN])
def test_for_programs_it_is_all_there(outcome: Outcome) -> None:
    data = json.loads(json.dumps(outcome_data(outcome)))
    assert list(data) == [
        *("target", "result", "what", "url", "version", "version_url", "gate", "rollout"),
        *("costs", "next", "lanes", "error"),
    ]
    assert (data["target"], data["result"]) == (outcome.target, str(outcome.result))
    assert [one["header"] for one in data["lanes"]] == [one.header for one in outcome.lanes]
    assert (data["error"] is None) == (outcome.error is None)


_TEXTS = st.text(max_size=60)


@given(
    outcomes=st.lists(
        st.builds(
            Outcome,
            target=_TEXTS,
            result=st.sampled_from(Result),
            what=_TEXTS,
            url=st.none() | _TEXTS,
            gate=st.none() | st.sampled_from(Gate),
            costs=st.none() | st.sampled_from(sorted(COSTS)),
            next=st.none() | _TEXTS,
            error=st.none() | st.builds(KitError, st.sampled_from(Code), _TEXTS, _TEXTS),
        ),
        max_size=3,
    ),
    width=st.integers(60, 120),
    encoding=st.sampled_from(["utf-8", "ascii"]),
)
def test_whatever_happened_can_be_printed(outcomes: Sequence[Outcome], width: int, encoding: str) -> None:
    text = outcomes_text(outcomes, Style(width, encoding=encoding), "kit destroy run")
    text.encode(encoding)
    assert "\x1b" not in text


ROLLOUT = ClauseFinding(
    Clause.DEPLOY,
    "3 of 5 cut without a word after 10 s, 2 finished",
    "likely",
    doubts=(Doubt.STREAM_CUT,),
    evidence=("5 streams were open.", "The traffic began to move at 0 s."),
    advice="Have the app end its streams itself.",
)


def test_a_deploy_that_cut_streams_says_so_with_its_evidence_and_what_to_do() -> None:
    text = "\n".join(text_of(replace(PROMOTED, rollout=ROLLOUT)))
    said = " ".join(text.split())
    assert "Through a deploy: 3 of 5 cut without a word after 10 s, 2 finished (likely)." in said
    for line in (*ROLLOUT.evidence, str(Doubt.STREAM_CUT), ROLLOUT.advice):
        assert line in said
    unknown = unwatched("its proof is not open (proof-expired)")
    assert "Through a deploy: unknown (its proof is not open (proof-expired))." in " ".join(
        " ".join(text_of(replace(PROMOTED, rollout=unknown))).split()
    )
    assert "Through a deploy" not in "\n".join(text_of(PROMOTED))


def test_the_clause_is_in_the_json_and_changes_no_state() -> None:
    data = json.loads(json.dumps(outcome_data(replace(PROMOTED, rollout=ROLLOUT))))
    assert data["rollout"] == {
        "clause": "deploy",
        "says": ROLLOUT.says,
        "sure": "likely",
        "figures": [],
        "expected": None,
        "as_expected": None,
        "doubts": ["stream-cut"],
        "evidence": list(ROLLOUT.evidence),
        "advice": ROLLOUT.advice,
    }
    assert outcome_data(PROMOTED)["rollout"] is None
    assert replace(PROMOTED, rollout=ROLLOUT).state is PROMOTED.state
