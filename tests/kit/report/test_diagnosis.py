from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.language import text
from kit.proof.causes import Cause, NamedCause
from kit.proof.diagnosis import AppExamined, Diagnosis
from kit.proof.doubts import Doubt
from kit.proof.fingerprints import NO_EVIDENCE
from kit.proof.verdict import Verdict
from kit.report.cells import cells, clean
from kit.report.diagnosis import app_text, diagnosis_text, headline
from kit.report.style import Style
from tests.fixtures.chinese import english_left
from tests.kit.report.diagnosed import APP, BESIDE, HELD, STREAMS, WATCHED, any_app, any_diagnosis
from tests.kit.report.measured import TARGETS

WIDTHS = [40, 100]
HOSTILE = st.text(max_size=40) | st.sampled_from(
    [
        "\x1b[2J\x1b]0;owned\x07 gone",
        "a\r\x1b[31mstreamed\n● streamed",
        "\u202estreamed\u2066",
        "x" * 600,
        "流式" * 200,
        "half \ud800 a character \x9b31m",
    ]
)


def of(text: str) -> str:
    """On one line, however it was wrapped."""
    return " ".join(text.split())


def pasted(diagnosis: Diagnosis) -> set[str]:
    """The lines of its remedies that are to be pasted."""
    lines = "\n".join(named.remedy for named in diagnosis.causes).splitlines()
    return {line.strip() for line in lines if line.startswith("    ")}


def test_a_stream_that_passes_is_said_to_with_what_that_rests_on() -> None:
    text = diagnosis_text(STREAMS)
    assert text.startswith("● streamed\n  https://example.com/chat\n")
    assert "No hop holds it on the way to here." in of(text)
    assert "5 events, each sent only after the one before had come: passed" in of(text)
    assert "→" not in text


def test_a_stream_that_is_held_is_told_with_who_where_and_what_frees_it() -> None:
    text = diagnosis_text(HELD)
    assert text.startswith("■ buffered in blocks of 64 KiB\n")
    assert "proven: An nginx" in of(text)
    assert "it is a hop between there and here" in of(text)
    assert "\n  → Send this header with the answer:\n        X-Accel-Buffering: no\n" in text
    assert re.search(r"^   1  as asked: .*\n        held: the first event", text, re.MULTILINE)


def test_what_was_only_watched_is_a_suspicion_of_both_and_how_to_tell_is_said_once() -> None:
    text = of(diagnosis_text(WATCHED))
    assert text.startswith("? inconclusive, but it looks held: it came in one lump ")
    assert "possible: Something buffers the whole response" in text
    assert "possible: The service itself" in text
    assert "proven" not in text.replace("never prove ", "")
    assert text.count("What would tell which of the two") == 1
    assert text.count(f"the body. {WATCHED.causes[0].because}") == 1
    assert "? no-proof:" in text
    assert "- A POST may cost or change something" in text


def test_an_answer_that_is_held_beside_a_way_that_streams_is_not_called_streamed() -> None:
    for verdict in (Verdict.INCREMENTAL, Verdict.INCONCLUSIVE):
        beside = replace(BESIDE, lane=replace(BESIDE.lane, verdict=verdict))
        assert headline(beside) == "the way here streams, and the answer comes in one lump all the same"
        assert diagnosis_text(beside).startswith("■")


def test_a_time_limit_is_a_cause_and_holds_nothing() -> None:
    limit = NamedCause(Cause.IDLE_LIMIT, "certain", "cut after 60 s of silence", holds=False)
    cut = replace(STREAMS, causes=(limit,))
    text = of(diagnosis_text(cut))
    assert text.startswith("● streamed ")
    assert "cut after 60 s of silence" in text
    assert "No hop holds it" not in text


def test_that_a_hint_is_no_evidence_is_said_once_and_what_is_known_of_a_hop_too() -> None:
    text = of(diagnosis_text(HELD))
    assert text.count(NO_EVIDENCE) == 1
    assert text.count("hints at Varnish") == 2
    assert text.count("do_stream=false") == 1


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("cause", Cause)
def test_lines_to_paste_stand_alone_and_whole(cause: Cause, width: int) -> None:
    found = replace(HELD, causes=(NamedCause(cause, "certain", "freed by it"),))
    lines = diagnosis_text(found, Style(width=width)).splitlines()
    for line in cause.remedy.splitlines():
        if line.startswith("    "):
            assert f"    {line}" in lines
    assert all(cells(line) <= width or line.strip() in pasted(found) for line in lines)


def test_colour_paints_the_words_and_changes_none() -> None:
    for found in (STREAMS, HELD, WATCHED, BESIDE):
        painted = diagnosis_text(found, Style(width=60, colour=True))
        assert "\x1b[1m" in painted
        assert re.sub(r"\x1b\[\d+m", "", painted) == diagnosis_text(found, Style(width=60))


def harmless(text: str, to_paste: set[str], width: int) -> None:
    for line in text.split("\n"):
        assert clean(line) == line
        assert cells(line) <= width or line.strip() in to_paste
    text.encode()


@given(any_diagnosis(HOSTILE), st.sampled_from(WIDTHS))
def test_whatever_comes_from_outside_neither_moves_the_cursor_nor_runs_over(
    diagnosis: Diagnosis, width: int
) -> None:
    harmless(diagnosis_text(diagnosis, Style(width=width)), pasted(diagnosis), width)


@given(any_app(HOSTILE), st.sampled_from(WIDTHS))
def test_nor_does_it_of_an_app(found: AppExamined, width: int) -> None:
    to_paste = set().union(*map(pasted, found.diagnoses))
    harmless(app_text(found, TARGETS, Style(width=width)), to_paste, width)


def test_an_apps_text_begins_with_what_would_happen_where() -> None:
    first, second, advice, _, flex, run, _, emulated, *_ = app_text(APP, TARGETS).split("\n")
    assert first == "● The app itself       streamed"
    assert second == "■ App Engine Standard  buffered in blocks of 64 KiB"
    assert advice.strip().startswith("→ Nothing frees a stream here")
    assert (flex, run) == ("● App Engine Flexible  streamed", "● Cloud Run            streamed")
    assert emulated == "  The fronts are emulated from documentation; nothing ran on Google's cloud."


def test_the_advice_on_a_deadline_stands_beside_a_cut_at_it_alone() -> None:
    advised = {**TARGETS, "run": replace(TARGETS["run"], advice="Raise it.")}
    other = NamedCause(Cause.BLOCKED, "likely", "a small request took 2 s", holds=False)
    for doubts in ((), (Doubt.STREAM_CUT, Doubt.CUT_AT_DEADLINE)):
        lane = replace(STREAMS.lane, doubts=doubts)
        found = AppExamined(STREAMS, {"run": replace(STREAMS, lane=lane, causes=(other,))})
        assert ("→ Raise it." in app_text(found, advised)) is bool(doubts)


def test_a_terminal_that_knows_ascii_only_is_spoken_to_in_it() -> None:
    for found in (STREAMS, HELD, WATCHED):
        diagnosis_text(found, Style(encoding="ascii")).encode("ascii")


def test_in_chinese_no_english_is_left_of_any_cause_and_doubt(chinese: None) -> None:
    code = "await close cork fetch gthread httpx lighttpd location node pipe requests runserver sync worker"
    named = tuple(
        NamedCause(cause, "likely", text("freed by {freed}", freed=text("another query"))) for cause in Cause
    )
    lane = replace(STREAMS.lane, doubts=tuple(Doubt), evidence=())
    said = diagnosis_text(replace(STREAMS, lane=lane, causes=named, rows=()), Style(100))
    assert english_left(said, *code.split(), "yield", *Doubt) == []
