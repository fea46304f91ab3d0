from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.fixtures.origin import Origin
from tests.kit.cli.conftest import Invoke

QUICK = "/search?ai_prompt=Why&max_output_tokens=40"


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """GitHub's own environment; the folder that its files lie in."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for variable in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        (tmp_path / variable).write_text("before\n")
        monkeypatch.setenv(variable, str(tmp_path / variable))
    return tmp_path


def commands(ended: str) -> list[str]:
    return [line for line in ended.splitlines() if line.startswith("::")]


def test_on_github_a_broken_expectation_is_annotated_summed_up_and_put_out(
    invoke: Invoke, origin: Origin, github: Path
) -> None:
    ended = invoke("probe", f"{origin()}{QUICK}", "--expect", "whole-message", "--json")
    assert ended.status == 3
    (line,) = commands(ended.err)
    title = r"streamproof%3A [\d.]+%3A\d+/search%3A streamed%2C not as expected \(buffered whole\)"
    assert re.match(f"::error title={title}::", line)
    assert json.loads(ended.out)["data"]["verdict"] == "incremental", "stdout is data and nothing else"
    summary = (github / "GITHUB_STEP_SUMMARY").read_text(encoding="utf-8")
    said = r"### [\d.:]+/search streams the answer.\n\n\*\*0 of 1 as expected\*\*\n"
    assert re.match(f"before\n{said}", summary)
    assert (github / "GITHUB_OUTPUT").read_text() == "before\nverdict=incremental\n"


def test_what_could_not_be_measured_is_annotated_before_the_error_is_told(
    invoke: Invoke, github: Path
) -> None:
    ended = invoke("probe", "http://127.0.0.1:1", "--json")
    assert (ended.status, ended.error["code"]) == (1, "unreachable")
    (line,) = commands(ended.err)
    assert "::error title=streamproof%3A 127.0.0.1%3A1%3A could not be measured::No server answers" in line
    assert (github / "GITHUB_OUTPUT").read_text() == "before\nverdict=inconclusive\n"


def test_compare_annotates_too(invoke: Invoke, origin: Origin, github: Path) -> None:
    ended = invoke("compare", f"standard={origin()}", "--arm", "on")
    assert ended.status == 3
    (line,) = commands(ended.err)
    assert line.startswith("::error title=streamproof%3A standard on%3A streamed%2C not as documented")
    assert "| ● | standard on |" in (github / "GITHUB_STEP_SUMMARY").read_text(encoding="utf-8")


def test_elsewhere_or_unwanted_nothing_of_it_is_written(
    invoke: Invoke, origin: Origin, github: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("probe", f"{origin()}{QUICK}", "--expect", "whole-message")
    assert not commands(invoke(*asked, "--no-github").err)
    monkeypatch.setenv("GITHUB_ACTIONS", "false")
    assert not commands(invoke(*asked).err)
    assert (
        (github / "GITHUB_OUTPUT").read_text() == (github / "GITHUB_STEP_SUMMARY").read_text() == "before\n"
    )
    assert commands(invoke(*asked, "--github").err)
    monkeypatch.setenv("KIT_GITHUB", "1")
    assert commands(invoke(*asked).err)


def test_a_summary_that_cannot_be_written_is_a_warning_and_changes_no_status(
    invoke: Invoke, origin: Origin, github: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "/dev/null/summary")
    ended = invoke("probe", f"{origin()}{QUICK}", "--expect", "incremental", "--json")
    assert ended.status == 0
    (warning, *_) = json.loads(ended.out)["warnings"]
    assert warning.startswith("/dev/null/summary (GITHUB_STEP_SUMMARY) cannot be written: ")
    ended = invoke("probe", "http://127.0.0.1:1")
    assert ended.status == 1
    assert "warning: /dev/null/summary (GITHUB_STEP_SUMMARY) cannot be written: " in ended.err
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    assert "warning" not in invoke("probe", "http://127.0.0.1:1").err
