from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import language
from kit.errors import Exit
from kit.language import text as sentence
from kit.proof.client_causes import ClientCause, Fault, Unclear
from kit.proof.client_examination import Conclusion, Row, Setup
from kit.proof.client_stress import Stress
from kit.report.cells import cells
from kit.report.client import ClientReport, client_data, client_text
from kit.report.style import Style
from tests.fixtures.chinese import english_left

ROWS = (
    Row(sentence("as it is"), Setup(), "event 1 was not printed within 2 s of being sent", False),
    Row("curl -N", Setup(no_buffer=True), "5 events were printed", True),
)
CURL = ClientReport(
    "curl", False, Conclusion(ClientCause.CURL_NO_BUFFER, ClientCause.CURL_NO_BUFFER.says, ROWS), 0
)
FAILED = ClientReport(
    "python",
    True,
    Conclusion(ClientCause.INCONCLUSIVE, ClientCause.INCONCLUSIVE.says, ROWS[:1], unclear=Unclear.FAILED),
    1,
    ("Traceback (most recent call last):", "KeyError: '\x1b[31mmodel'"),
)


def test_the_cause_comes_first_then_its_remedy_then_the_evidence() -> None:
    text = client_text(CURL)
    assert text.startswith("✗ curl buffers its output")
    assert text.index("→ curl -N …") < text.index("what was done and seen") < text.index("2  curl -N")
    assert "as it is (standard output a pipe, text/event-stream, chunked): held." in text
    assert "2  curl -N: each event at once." in text


def test_a_client_without_a_fault_gets_a_tick_and_what_may_hold_elsewhere() -> None:
    warning = Fault(ClientCause.UNCHUNKED_READER, "waits")
    free = ClientCause.NO_FAULT
    text = client_text(replace(CURL, conclusion=Conclusion(free, free.says, ROWS[1:], warnings=(warning,))))
    assert text.startswith("✓ No fault was found in the client")
    assert "! Only where the body is not chunked" in text
    assert "→ requests: response.iter_lines(chunk_size=1)" in text


def test_another_fault_is_no_green_tick_and_what_was_not_tried_is_said() -> None:
    cause = ClientCause.SILENCE
    setup = Setup(stress=Stress.SILENT, seconds=(6.0,))
    row = Row("silence", setup, "gives up after 5 s of silence", False)
    found = Conclusion(cause, cause.says.format(n="gives up"), (*ROWS[1:], row), untried=("TLS", "HTTP/2"))
    report = replace(CURL, conclusion=found)
    text = client_text(report)
    assert text.startswith("✗ The client gives up: it has a read timeout.")
    assert "2  silence (6 s): failed.\n      gives up after 5 s of silence." in text
    assert "Not tried: TLS; HTTP/2." in text
    data = client_data(report)
    assert (data["client_holds"], data["client_at_fault"]) == (False, True)
    assert data["not_tried"] == ["TLS", "HTTP/2"]


def test_in_chinese_no_english_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "_chosen", "zh")
    rows = tuple(replace(row, seen=sentence("the stream ended")) for row in ROWS)
    for cause in ClientCause:
        fault = Fault(cause, sentence("prints nothing any more"))
        found = Conclusion(cause, fault.sentence, rows, untried=(sentence("a silence"),))
        said = client_text(replace(CURL, conclusion=found, appended=True))
        ours = "\n".join(line for line in said.splitlines() if "→" not in line)
        assert english_left(ours.replace("{url}", "")) == [], cause


def test_a_failure_is_shown_with_its_last_words_and_what_was_appended() -> None:
    text = client_text(FAILED)
    assert text.startswith("? Nothing can be said of this client.")
    assert "The end of its standard error (status 1):" in text
    assert "| KeyError: '�[31mmodel'" in text
    assert "had no {url}" in text


@pytest.mark.parametrize("report", [CURL, FAILED])
def test_a_remedy_is_never_broken_and_no_other_line_is_too_long(report: ClientReport) -> None:
    for line in client_text(report, Style(width=60)).splitlines():
        assert cells(line) <= 60 or line.lstrip().startswith("→")


@given(
    st.builds(
        ClientReport,
        st.text(),
        st.booleans(),
        st.builds(
            Conclusion,
            st.sampled_from(ClientCause),
            st.just("It does."),
            st.just(ROWS),
            st.none() | st.tuples(st.integers(), st.integers()),
            st.none() | st.sampled_from(Unclear),
        ),
        st.none() | st.integers(0, 255),
        st.lists(st.text(), max_size=3).map(tuple),
    )
)
def test_anything_that_a_client_prints_can_be_shown(report: ClientReport) -> None:
    text = client_text(report, Style(width=80, colour=False))
    assert "\x1b" not in text
    text.encode()
    data = json.loads(json.dumps(client_data(report)))
    assert data["cause"] == str(report.conclusion.cause)


def test_the_data_say_the_same() -> None:
    data = client_data(CURL)
    assert data["cause"] == "curl-no-buffer"
    assert data["client_holds"] is True
    assert data["remedy"] == ["curl -N …"]
    assert [row["freed"] for row in data["evidence"]] == [False, True]
    assert data["evidence"][1]["curl_no_buffer"] is True
    assert client_data(FAILED)["hint"] == Unclear.FAILED.remedy


def test_nothing_but_an_unclear_verdict_is_inconclusive() -> None:
    assert CURL.exit is Exit.OK
    assert FAILED.exit is Exit.INCONCLUSIVE
