from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fixtures.deployments import deployed, on_record, service_of, version
from tests.kit.cli.conftest import Invoke, hosted
from tests.kit.flows.hosts import MemoryHost

NOW = version("sp-now")
BEFORE = version("sp-before", 0.0, created_at="2027-01-14T07:00:00Z")


@pytest.fixture
def host(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> MemoryHost:
    """A Flex service on record, with the version that served before, stopped."""
    return hosted(monkeypatch, deployed("flex"), NOW, replace(BEFORE, running=False))


def test_it_names_the_version_that_it_returns_to_and_starts_it_first(
    invoke: Invoke, host: MemoryHost, tmp_path: Path
) -> None:
    ended = invoke("rollback", "flex", "--yes")
    assert ended.status == 0
    assert ended.out.startswith("flex: sp-before serves now at https://")
    assert "`kit promote flex` goes back" in ended.out
    assert host.said == ["start sp-before", "promote sp-before", "stop sp-now"]
    known = on_record(tmp_path, "flex")
    assert (known.version, known.previous, known.verdict_on) == ("sp-before", "sp-now", None)


def test_it_wants_a_yes_to_that_very_version(
    invoke: Invoke, host: MemoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("kit.cli.records.confirmed", lambda question, *, yes: asked.append(question))
    assert invoke("rollback", "flex").status == 0
    assert asked == ["Roll flex back: all traffic from sp-now to sp-before?"]


def test_another_apps_traffic_stays(invoke: Invoke, host: MemoryHost) -> None:
    host.service = service_of("flex", version("theirs", app="shop-1a2b3c4d"), BEFORE)
    ended = invoke("rollback", "flex", "--yes", "--json")
    assert (ended.status, ended.error["code"], host.said) == (1, "not-ready-to-deploy", [])
    assert "shop-1a2b3c4d" in ended.error["message"]
    assert "--replace-foreign" in ended.error["hint"]


def test_without_an_earlier_version_there_is_nothing_to_go_back_to(invoke: Invoke, host: MemoryHost) -> None:
    host.service = service_of("flex", NOW)
    ended = invoke("rollback", "flex", "--yes", "--json")
    assert (ended.status, ended.error["code"], host.said) == (1, "nothing-deployed", [])
    assert ended.error["message"] == "flex has no earlier version to go back to."
