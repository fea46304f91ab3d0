from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fixtures.deployments import deployed, on_record, version
from tests.kit.cli.conftest import Invoke, hosted
from tests.kit.flows.hosts import MemoryHost

NEW = version("sp-new", 0.0, created_at="2027-01-16T07:00:00Z")
NOW = version("sp-now")


@pytest.fixture
def host(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> MemoryHost:
    """A Flex service on record, with one version that serves and a newer one that waits."""
    known = deployed("flex", version="sp-new", state="held-back", verdict_on="whole-message")
    return hosted(monkeypatch, known, replace(NEW, running=False), NOW)


@pytest.mark.parametrize("verb", ["promote", "rollback"])
@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        ([], 2, "bad-usage"),
        (["felx"], 2, "unknown-target"),
        (["run"], 1, "nothing-deployed"),
        (["flex", "run"], 2, "bad-usage"),
        (["flex", "--version", "sp-now; reboot"], 2, "nothing-deployed"),
    ],
)
def test_what_cannot_be_moved_is_one_sentence(
    invoke: Invoke, host: MemoryHost, verb: str, arguments: list[str], status: int, code: str
) -> None:
    ended = invoke(verb, *arguments, "--yes", "--json")
    assert (ended.status, ended.error["code"]) == (status, code)
    assert host.said == []


def test_it_says_what_moves_where_and_what_the_gate_said_and_wants_a_yes(
    invoke: Invoke, host: MemoryHost
) -> None:
    ended = invoke("promote", "flex")
    assert (ended.status, ended.out, host.said) == (1, "", [])
    assert "With the header, sp-new was measured as whole-message." in ended.err
    assert "Confirmation is needed" in ended.err


def test_with_a_yes_the_newest_that_waits_takes_the_traffic(
    invoke: Invoke, host: MemoryHost, tmp_path: Path
) -> None:
    ended = invoke("promote", "flex", "--yes")
    assert ended.status == 0
    assert ended.out.startswith("flex: sp-new serves now at https://")
    assert "`kit rollback flex` goes back" in ended.out
    assert host.said == ["start sp-new", "promote sp-new", "stop sp-now"]
    known = on_record(tmp_path, "flex")
    assert (known.version, known.state, known.previous) == ("sp-new", "serving", "sp-now")


def test_for_programs_it_says_which_was_and_which_is(invoke: Invoke, host: MemoryHost) -> None:
    ended = invoke("promote", "flex", "--yes", "--json")
    assert (ended.status, {**ended.data, "url": None}) == (
        0,
        {"target": "flex", "version": "sp-new", "was": "sp-now", "url": None, "rollout": None},
    )
    assert ended.data["url"].startswith("https://")


def test_what_serves_already_is_left_alone(invoke: Invoke, host: MemoryHost) -> None:
    ended = invoke("promote", "flex", "--version", "sp-now")
    assert (ended.status, host.said) == (0, [])
    assert ended.out == "sp-now has all the traffic of sp-flex already.\n"


def test_a_service_that_is_gone_is_said_to_be(invoke: Invoke, host: MemoryHost) -> None:
    host.service = None
    ended = invoke("promote", "flex", "--yes", "--json")
    assert (ended.status, ended.error["code"]) == (1, "not-found-in-cloud")
    assert "kit status --refresh flex" in ended.error["hint"]
