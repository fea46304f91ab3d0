from __future__ import annotations

import json
from dataclasses import replace
from math import inf
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.load.plan import Schedule
from kit.load.result import LoadResult, Proof
from kit.load.slo import judge, parse
from kit.load.tally import Tally
from kit.proof.quick_check import State
from kit.report.json import document
from kit.report.load import load_data, load_junit, load_markdown, load_text, progress
from kit.report.style import Style
from tests.fixtures.command import VALIDATOR

SCHEDULE = Schedule(1_000, 10.0, 60.0)


def tally(*, started: int = 1_000, cut: int = 0, refused: int = 0) -> Tally:
    made = Tally()
    made.started, made.cut, made.refused = started, cut, refused
    made.left = started - cut - refused
    made.events, made.octets, made.stamped = 12_345, 678_901, 12_345
    for _ in range(started - refused):
        made.first.add(300.0)
        made.gap.add(1_500.0)
        made.late.add(20.0)
    for _ in range(refused):
        made.first.add(inf)
        made.because("status 503")
    for _ in range(cut):
        made.because("broke off\x1b[31m before its end")
    made.own.add(2.0)
    return made


def result(seen: Tally, slo: str = "", *proofs: tuple[int, State]) -> LoadResult:
    return LoadResult(
        "http://127.0.0.1:8000/search",
        SCHEDULE,
        2,
        seen,
        1_000,
        tuple(judge(one, seen) for one in parse(slo)) if slo else (),
        tuple(Proof(float(at), open_, state, "what it saw") for at, (open_, state) in enumerate(proofs)),
        "" if proofs else "the server does not speak the proof's protocol",
    )


def text(given: LoadResult) -> str:
    return load_text(given, Style())


def test_a_person_reads_what_became_of_the_streams_and_whether_objectives_were_met() -> None:
    lines = text(result(tally(cut=3), "first=800,gap=1s,cut=0,refused=1%")).splitlines()
    assert lines[:2] == [
        "http://127.0.0.1:8000/search",
        "  1,000 streams over 10 s, for 60 s; Locust in 2 processes",
    ]
    said = "\n".join(lines)
    assert "1,000 started · 1,000 open at once at most · 3 cut · 0 refused · 997 open until the end" in said
    assert "3 broke off�[31m before its end" in said
    assert "✓ first event p99 within 800 ms: 300 ms" in said
    assert "✗ worst gap p99 within 1.0 s: 1.5 s" in said
    assert "✗ cut at most 0: 3" in said
    assert "✓ refused at most 1 %: 0 %" in said


def test_what_the_generator_may_have_made_itself_is_doubtful_with_both_figures() -> None:
    seen = tally()
    seen.own.add(200.0)
    said = text(result(seen, "first=250"))
    assert "? first event p99 within 250 ms: 94 ms to 300 ms (the generator itself was late)" in said


def test_a_first_event_that_never_came_is_said_so() -> None:
    assert "p99 never" in text(result(tally(refused=20)))


@pytest.mark.parametrize(
    ("proofs", "says"),
    [
        ((), "– (the server does not speak the proof's protocol)"),
        (((40, State.STREAMS), (90, State.STREAMS)), "passed in each of 2 checks, with up to 90 streams"),
        (
            ((38, State.STREAMS), (40, State.HELD), (50, State.HELD)),
            "holds events from 40 open streams on, in 2 of 2 checks; before, they passed with up to 38",
        ),
        (((40, State.REFUSED),), "refuses proofs from 40 open streams on, in 1 of 1 checks"),
        (((40, State.UNDECIDED),), "undecided each time: what it saw"),
    ],
)
def test_it_says_from_how_many_streams_on_the_path_holds(
    proofs: tuple[tuple[int, State], ...], says: str
) -> None:
    assert says in text(result(tally(), "", *proofs))


@pytest.mark.parametrize(
    "given",
    [
        result(tally(), "first=800,cut=0", (40, State.STREAMS), (50, State.HELD)),
        result(tally(refused=999)),
        replace(result(Tally(), "late=1"), interrupted=True),
    ],
)
def test_json_fits_the_schema(given: LoadResult) -> None:
    VALIDATOR.validate(json.loads(json.dumps(document(load_data(given)), allow_nan=False)))


@given(st.text(max_size=60))
def test_junit_has_a_test_for_each_objective_whatever_a_server_says(reason: str) -> None:
    seen = tally(cut=1)
    seen.because(reason)
    root = ElementTree.fromstring(load_junit(result(seen, "first=800,cut=0,late=1")))
    states = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert states == {
        "streams": ["system-out"],
        "--slo first=800": ["system-out"],
        "--slo cut=0": ["failure"],
        "--slo late=1": ["failure"],
    }
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "2", "0")
    nothing = ElementTree.fromstring(load_junit(result(Tally())))
    assert (nothing.get("failures"), nothing.get("errors")) == ("0", "1")


def test_markdown_shows_the_same_as_the_terminal() -> None:
    given = result(tally(), "first=800")
    assert load_markdown(given) == f"### kit load\n\n```\n{text(given)}\n```\n"


def test_while_it_runs_one_line_says_how_far_it_is() -> None:
    before, now = Tally(), tally(refused=2)
    now.left = 0
    before.events = 12_000
    assert progress(SCHEDULE, before, now) == (
        "998 of 1,000 open · 690 events/s · first event 304 ms · late 20 ms · 2 refused"
    )
