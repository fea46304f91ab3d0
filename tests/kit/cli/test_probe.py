from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kit.proof.known_limits import every
from tests.fixtures.chinese import english_left
from tests.fixtures.command import VALIDATOR
from tests.fixtures.origin import Origin
from tests.fixtures.proxies import Nginx
from tests.fixtures.wire import events, wire
from tests.kit.cli.conftest import Invoke

QUICK = "/search?ai_prompt=Why&max_output_tokens=40"


def test_a_streaming_url_is_said_to_stream_with_its_evidence(invoke: Invoke, origin: Origin) -> None:
    ended = invoke("probe", f"{origin()}{QUICK}")
    assert ended.status == 0
    assert "streamed" in ended.out
    assert "each sent only after the one before had arrived" in ended.out


def test_json_is_one_lane_that_fits_the_schema(invoke: Invoke, origin: Origin) -> None:
    ended = invoke("probe", f"{origin()}{QUICK}", "--expect", "incremental", "--json")
    assert ended.status == 0
    document = json.loads(ended.out)
    VALIDATOR.validate(document)
    data = document["data"]
    assert (data["verdict"], data["as_expected"], document["exit_code"]) == ("incremental", True, 0)
    asked, came = data["request"], data["response"]
    assert (asked["method"], asked["prompted"]) == ("GET", False)
    assert asked["accept_encoding"] == "gzip, deflate, br, zstd"
    assert (came["status"], came["http_version"], came["content_length"]) == (200, "HTTP/1.1", None)
    assert came["content_type"].startswith("text/event-stream")
    assert (data["header_known"], data["remedy"], data["environment"]) == ("seen", None, "url")
    assert 0 < data["round_trip_ms"] < data["duration_ms"]
    assert data["kit_version"]
    assert data["measured_at"].endswith("Z")


def test_another_verdict_than_expected_exits_3(invoke: Invoke, origin: Origin) -> None:
    assert invoke("probe", f"{origin()}{QUICK}", "--expect", "whole-message").status == 3


def test_a_baseline_covers_what_is_known_and_fails_on_what_is_new(
    invoke: Invoke, origin: Origin, tmp_path: Path
) -> None:
    probe = ("probe", f"{origin()}{QUICK}", "--name", "chat", "--expect", "whole-message")
    written = invoke(*probe, "--write-baseline", "known.toml", "--junit", "a.xml")
    assert written.status == 0, written
    assert "known: chat, delivered: streamed, as in known.toml" in written.out
    assert "<failure" not in (tmp_path / "a.xml").read_text()
    (tmp_path / "known.toml").write_text("")
    new = invoke(*probe, "--baseline", "known.toml", "--json")
    assert (new.status, json.loads(new.out)["warnings"][-1]) == (
        3,
        "new: chat, delivered: streamed; known.toml does not know it",
    )
    VALIDATOR.validate(json.loads(new.out))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--baseline", "a.toml"), "cannot be read as TOML"),
        (("--write-baseline", "a.toml"), "A baseline is of what is expected, and nothing is."),
        (("--baseline", "a", "--write-baseline", "a"), "Give one of them."),
    ],
)
def test_a_baseline_that_covers_nothing_is_refused_before_anything_is_asked(
    invoke: Invoke, words: tuple[str, ...], says: str
) -> None:
    ended = invoke("probe", "http://127.0.0.1:9", *words)
    assert ended.status in (1, 2)
    assert says in ended.err


def test_an_answer_that_says_nothing_is_inconclusive_and_exits_4(invoke: Invoke, origin: Origin) -> None:
    ended = invoke("probe", f"{origin()}/health")
    assert ended.status == 4
    assert "inconclusive" in ended.out


def test_both_arms_are_a_comparison(invoke: Invoke, origin: Origin) -> None:
    ended = invoke("probe", f"{origin()}{QUICK}", "--arm", "both", "--json")
    lanes = ended.data["lanes"]
    assert [(lane["header"], lane["header_known"]) for lane in lanes] == [("on", "asked"), ("off", "asked")]
    VALIDATOR.validate(json.loads(ended.out))


def test_data_and_headers_are_sent_as_given(
    invoke: Invoke, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "abc")
    ended = invoke(
        "probe",
        f"{origin()}/search",
        "--data",
        '{"ai_prompt": "Why", "max_output_tokens": 40}',
        "--header",
        "Content-Type: application/json",
        "-H",
        "Accept: application/x-ndjson",
        "--token-env",
        "MY_TOKEN",
        "--json",
    )
    assert ended.status == 0
    assert "abc" not in ended.out + ended.err


def test_a_proof_opens_to_its_token_from_the_environment_and_no_output_contains_it(
    invoke: Invoke, origin: Origin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = f"{origin(lab=0, proof_token='a-token-of-the-team')}{QUICK}"
    shut = invoke("probe", url, "--json")
    assert "proof-token" in shut.data["doubts"]
    monkeypatch.setenv("STREAMPROOF_PROOF_TOKEN", "a-token-of-the-team")
    files = [f"--{name}={tmp_path / name}" for name in ("html", "markdown", "junit")]
    ended = invoke("probe", url, "--json", *files)
    assert (ended.data["verdict"], ended.data["method"]) == ("incremental", "lock-step")
    written = "".join((tmp_path / name).read_text() for name in ("html", "markdown", "junit"))
    assert "of-the-team" not in ended.out + ended.err + written


def test_headers_in_the_environment_stand_one_a_line(
    invoke: Invoke, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT_HEADER", "Content-Type: application/json\nAccept: application/x-ndjson")
    ended = invoke("probe", f"{origin()}/search", "--data", '{"ai_prompt": "Why", "max_output_tokens": 40}')
    assert ended.status == 0, ended.err


def test_a_url_that_answers_with_an_error_is_an_error(invoke: Invoke, origin: Origin, tmp_path: Path) -> None:
    ended = invoke("probe", f"{origin()}/nowhere?key=secret", "--json")
    assert (ended.status, ended.error["code"]) == (1, "http-status")
    assert "secret" not in ended.out + ended.err
    document = json.loads(ended.out)
    VALIDATOR.validate(document)
    asked, came = document["lane"]["request"], document["lane"]["response"]
    assert (asked["url"].rpartition("/")[2], came["status"], document["exit_code"]) == ("nowhere", 404, 1)


def test_reports_are_written_where_they_are_wanted_and_the_status_stays(
    invoke: Invoke, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT_MARKDOWN", "report.md")
    url = f"{origin()}{QUICK}"
    files = ("--junit", "new/report.xml", "--html", "report.html")
    ended = invoke("probe", url, "--expect", "whole-message", *files)
    assert ended.status == 3, ended.err
    # Two probes in one workflow are told apart by what they asked.
    name = url.removeprefix("http://").partition("?")[0]
    assert 'failures="1"' in (tmp_path / "new/report.xml").read_text()
    assert f'name="{name}"' in (tmp_path / "new/report.xml").read_text()
    row = f"| ● | {name} | streamed | **not as expected (buffered whole)** |"
    assert row in (tmp_path / "report.md").read_text()
    assert name in (tmp_path / "report.html").read_text()


def test_a_name_that_is_given_stands_wherever_a_report_names_it(invoke: Invoke, tmp_path: Path) -> None:
    with wire(events((0.0, b"data: 1\n\n"))) as way:
        ended = invoke("probe", way.url, "--name", "chat", "--json", "--junit", "report.xml")
    assert ended.data["target"] == "chat"
    assert 'name="chat"' in (tmp_path / "report.xml").read_text()


def test_what_could_not_be_measured_is_in_the_report_too(invoke: Invoke, tmp_path: Path) -> None:
    ended = invoke("probe", "http://127.0.0.1:1", "--junit", "report.xml")
    assert (ended.status, ended.out) == (1, "")
    assert "No server answers at http://127.0.0.1:1" in ended.err
    assert '<error type="unreachable"' in (tmp_path / "report.xml").read_text()


def test_a_report_that_cannot_be_written_is_one_sentence_before_anything_is_asked(invoke: Invoke) -> None:
    ended = invoke("probe", "http://127.0.0.1:1", "--junit", "/dev/null/report.xml", "--json")
    assert (ended.status, ended.error["code"]) == (1, "cannot-write")
    assert "The report cannot be written to /dev/null/report.xml: " in ended.error["message"]
    assert "No server answers" not in ended.out + ended.err
    same = invoke("probe", "http://127.0.0.1:1", "--junit", "report", "--html", "./report")
    assert (same.status, same.out) == (2, "")
    assert "Two reports cannot both be" in same.err


def test_what_is_undecided_is_measured_again_and_every_attempt_is_told(
    invoke: Invoke, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.flows.retrying.FIRST_PAUSE_S", 0.0)
    ended = invoke("probe", f"{origin()}/health", "--retries", "1")
    assert ended.status == 4
    assert "Measured 2 times, since what came before decided nothing: 1. inconclusive (" in ended.out
    monkeypatch.setenv("KIT_RETRIES", "1")
    ended = invoke("probe", f"{origin()}/health", "--json", "--junit", "report.xml")
    VALIDATOR.validate(json.loads(ended.out))
    assert [attempt["verdict"] for attempt in ended.data["attempts"]] == ["inconclusive"] * 2
    assert ended.data["attempts"][0]["doubts"] == ended.data["doubts"] != []
    assert 'name="attempt_1" value="inconclusive (' in Path("report.xml").read_text()


def test_an_answer_that_was_cut_is_said_to_be_in_the_first_line_and_what_is_undecided_names_the_doctor(
    invoke: Invoke,
) -> None:
    tokens = [(0.1, b"data: a\n\n")] * 8
    with wire(events(*tokens, ends="cut")) as server:
        plain = invoke("probe", server.url)
        as_json = invoke("probe", server.url, "--json")
    assert plain.status == 4
    assert plain.out.startswith("✗ inconclusive, but the answer was cut\n")
    assert "`kit doctor URL`" in plain.out
    assert (as_json.data["looks"], as_json.data["clumps"]["count"]) == ("streamed", 8)
    assert "stream-cut" in as_json.data["doubts"]


def test_in_chinese_no_english_is_left_but_in_json(invoke: Invoke, origin: Origin) -> None:
    url = f"{origin()}{QUICK}"
    said = invoke("probe", url, "--expect", "whole-message", "--lang", "zh")
    assert (said.status, english_left(said.out + said.err)) == (3, [])
    assert said.out.startswith("● 流式，与预期不符（整体缓冲）\n")
    assert "每个都在前一个到达之后才发送" in said.out
    refused = invoke("probe", "http://127.0.0.1:1/", "--lang", "zh")
    assert (english_left(refused.err), refused.err[:3]) == ([], "错误：")
    as_json = invoke("probe", url, "--json", "--lang", "zh")
    assert any("each sent only after" in one for one in as_json.data["evidence"])


def test_a_cut_when_a_known_deadline_comes_says_after_how_long_and_whose_it_may_be(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tuple(replace(one, seconds=1.0) for one in every() if one.kind == "google-balancer")
    monkeypatch.setattr("kit.proof.known_limits.every", lambda: known)
    with wire(events(*[(0.1, b"data: a\n\n")] * 8, ends="cut")) as server:
        ended = invoke("probe", server.url)
    assert ended.status == 4
    assert ended.out.startswith("✗ inconclusive, but the answer was cut after ")
    assert "→ This number by default has a Google Cloud load balancer" in ended.out
    assert "cut-at-deadline: " in ended.out


def test_without_a_proof_a_bound_on_what_was_collected_is_what_a_ci_can_expect(invoke: Invoke) -> None:
    tokens = [(0.1, b"data: a\n\n")] * 8
    with wire(events(*tokens)) as server:
        within = invoke("probe", server.url, "--expect", "hold<=5s,block<=1KiB")
        beyond = invoke("probe", server.url, "--expect", "hold<=50ms", "--json", "--junit", "report.xml")
    assert within.status == 0
    assert within.out.startswith("● nothing over ")
    assert " was collected, as expected\n" in within.out
    assert beyond.status == 3
    VALIDATOR.validate(json.loads(beyond.out))
    assert (beyond.data["expected"], beyond.data["as_expected"]) == ("hold<=50ms", False)
    assert "not as expected (hold&lt;=50ms)" in Path("report.xml").read_text()
    with wire(events(*[(0.0, b"data: a\n\n")] * 8)) as server:
        assert invoke("probe", server.url, "--expect", "hold<=50ms").status == 4


def test_a_verdict_is_never_asked_for_twice(invoke: Invoke, origin: Origin) -> None:
    ended = invoke("probe", f"{origin()}{QUICK}", "--expect", "whole-message", "--retries", "5", "--json")
    assert ended.status == 3
    assert [attempt["verdict"] for attempt in ended.data["attempts"]] == ["incremental"]


def test_what_failed_each_time_is_an_error_that_tells_every_attempt(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.flows.retrying.FIRST_PAUSE_S", 0.0)
    ended = invoke("probe", "http://127.0.0.1:1", "--retries", "2", "--json")
    assert (ended.status, ended.error["code"]) == (1, "unreachable")
    assert ended.error["message"].count("could not be measured (unreachable)") == 3


def test_limits_of_the_contract_decide_the_status_each_by_what_is_proved(
    invoke: Invoke, origin: Origin
) -> None:
    url = f"{origin()}{QUICK}"
    kept = invoke("probe", url, "--expect", "streamed, cancel<3s, many>=3", "--json", "--junit", "report.xml")
    assert (kept.status, kept.data["as_expected"]) == (0, True)
    VALIDATOR.validate(json.loads(kept.out))
    assert {one["clause"]: one["as_expected"] for one in kept.data["clauses"]} == {
        "cancelled": True,
        "many": True,
    }
    assert 'tests="3" failures="0" errors="0" skipped="0"' in Path("report.xml").read_text()
    missed = invoke("probe", url, "--expect", "streamed, many<2")
    assert missed.status == 3
    assert missed.out.startswith("● streamed, as expected; many at once: ")
    open_ended = invoke("probe", url, "--expect", "streamed, alive<1h", "--for", "1s", "--json")
    assert (open_ended.status, open_ended.data["as_expected"]) == (4, False)


def test_without_a_proof_a_clause_is_unknown_and_no_error(invoke: Invoke) -> None:
    with wire(events((0.0, b"data: one\n\n"), (0.1, b"data: two\n\n"))) as server:
        asked = invoke("probe", server.url, "--contract", "--json", "--junit", "report.xml")
        expected = invoke("probe", server.url, "--expect", "inconclusive, cancel<1s")
    assert asked.status == 4  # as without --contract: the answer says nothing
    assert {one["sure"] for one in asked.data["clauses"]} == {"unknown"}
    assert 'errors="0" skipped="3"' in Path("report.xml").read_text()
    assert expected.status == 4
    assert "its origin shows no proof" in expected.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--for", "long"), "'long' is no span of time."),
        (("--for", "0s"), "'0s' is no span of time."),
        (("--for", "1h30m"), "Streams are watched for 1 h at most"),
        (("--contract", "--for", "2h"), "Streams are watched for 1 h at most"),
        (("--expect", "many>=100000"), "10,000 opened at most"),
    ],
)
def test_what_cannot_be_watched_is_refused_before_anything_is_asked(
    invoke: Invoke, words: tuple[str, ...], message: str
) -> None:
    ended = invoke("probe", "http://127.0.0.1:1", *words)
    assert ended.status == 2
    assert message in ended.err


@pytest.mark.alone
@pytest.mark.parametrize(
    ("location", "expect", "status", "missed"),
    [
        ("", "streamed, cancel<3s, many>=30, idle>3s", 0, []),
        ("proxy_ignore_client_abort on;", "streamed, cancel<200ms, many>=30", 3, ["cancelled"]),
    ],
)
def test_behind_a_real_nginx_each_clause_is_kept_until_a_line_breaks_it(
    invoke: Invoke, origin: Origin, nginx: Nginx, location: str, expect: str, status: int, missed: list[str]
) -> None:
    ended = invoke("probe", f"{nginx(origin(), location=location)}{QUICK}", "--expect", expect, "--json")
    found = {one["clause"]: one["as_expected"] for one in ended.data["clauses"]}
    assert ended.status == status, ended.data["clauses"]
    assert [clause for clause, kept in found.items() if not kept] == missed, ended.data["clauses"]
    assert {one["sure"] for one in ended.data["clauses"]} == {"proved"}, ended.data["clauses"]
