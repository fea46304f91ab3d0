from __future__ import annotations

from pathlib import Path

import pytest

from kit.cloud.record import Record
from tests.fixtures.deployments import deployed
from tests.kit.cli.conftest import Invoke
from tests.kit.flows.hosts import FakeGcloud


def entry(at: str, **payload: object) -> dict[str, object]:
    labels = {"labels": {"version_id": "sp-now"}}
    return {"timestamp": f"2027-01-15T{at}Z", "severity": "INFO", "resource": labels, **payload}


@pytest.fixture
def gcloud(monkeypatch: pytest.MonkeyPatch) -> FakeGcloud:
    gcloud = FakeGcloud(
        [
            entry("07:00:02.5", jsonPayload={"message": "\x1b[31mtwo\x07"}),
            entry("07:00:01", textPayload="one"),
        ]
    )
    monkeypatch.setattr("kit.cli.records.gcloud", lambda: gcloud)
    return gcloud


def test_a_log_is_shown_without_what_moves_the_cursor(
    invoke: Invoke, gcloud: FakeGcloud, tmp_path: Path
) -> None:
    Record.load(tmp_path).put(deployed("flex"))
    ended = invoke("logs", "flex", "--limit", "2")
    assert ended.status == 0
    assert ended.out == (
        "2027-01-15 07:00:01 INFO     sp-now  one\n2027-01-15 07:00:02 INFO     sp-now  two\n"
    )
    assert gcloud.commands[0].words[:2] == ("logging", "read")
    assert "--limit=2" in gcloud.commands[0].words
    assert gcloud.commands[0].line in ended.err


def test_for_programs_a_log_is_a_list_of_lines(invoke: Invoke, gcloud: FakeGcloud, tmp_path: Path) -> None:
    Record.load(tmp_path).put(deployed("run"))
    ended = invoke("logs", "run", "--version", "sp-now", "--json")
    assert [line[-3:] for line in ended.data["lines"]] == ["one", "two"]
    assert 'resource.labels.revision_name="streamproof-sp-now"' in gcloud.commands[0].words[2]


def test_an_empty_log_is_said_to_be_empty(invoke: Invoke, gcloud: FakeGcloud, tmp_path: Path) -> None:
    Record.load(tmp_path).put(deployed("run"))
    gcloud.answers = [[]]
    ended = invoke("logs", "run")
    assert (ended.status, ended.out) == (0, "")
    assert "No entries." in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (["run"], "nothing-deployed", 1),
        (["ruun"], "unknown-target", 2),
        (["flex", "--version", "a b"], "bad-usage", 2),
        (["flex", "--limit", "0"], "bad-usage", 2),
        ([], "bad-usage", 2),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    invoke: Invoke, gcloud: FakeGcloud, tmp_path: Path, arguments: list[str], code: str, status: int
) -> None:
    Record.load(tmp_path).put(deployed("flex"))
    ended = invoke("logs", *arguments, "--json")
    assert (ended.status, ended.error["code"]) == (status, code)
    assert not gcloud.commands
