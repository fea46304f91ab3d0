from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.cloud.lock import locked
from kit.cloud.record import Record
from kit.errors import Code, KitError
from kit.platforms.platform import Host
from kit.platforms.service import Place, Service
from tests.fixtures.deployments import PROJECT, deployed, service_of, version
from tests.kit.cli.conftest import Invoke
from tests.kit.flows.hosts import MemoryHost

Cloud = Callable[..., None]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """`cloud(streamproof=service, …)` is all that there is in the cloud; nothing until it is called."""
    there: dict[str, Service | KitError] = {}

    def host_of(place: Place) -> Host:
        host = MemoryHost(place, always=place.target == "flex")
        found = there.get(place.service)
        if isinstance(found, KitError):
            host.fail["look"] = found
        else:
            host.service = found
        return host

    monkeypatch.setattr("kit.cli.records.hosts", lambda: host_of)

    def put(**services: Service | KitError) -> None:
        there.update({name.replace("_", "-"): service for name, service in services.items()})

    return put


@pytest.fixture
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.cli.records.hosts", lambda: pytest.fail("the cloud was asked"))


def remember(folder: Path, *targets: str, **changes: object) -> None:
    for target in targets:
        Record.load(folder).put(deployed(target, **changes))


@pytest.mark.usefixtures("nobody_is_asked")
def test_where_nothing_is_deployed_that_is_the_answer_and_no_error(invoke: Invoke, tmp_path: Path) -> None:
    ended = invoke("status")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("Nothing is on record as deployed from this folder.")
    assert invoke("status", "--json").data == {"targets": []}
    assert not list(tmp_path.iterdir())


def test_what_is_deployed_is_told_in_the_targets_order(invoke: Invoke, cloud: Cloud, tmp_path: Path) -> None:
    remember(tmp_path, "run", "flex")
    cloud(streamproof=service_of("run"), sp_flex=service_of("flex"))
    ended = invoke("status")
    assert ended.status == 0
    assert ended.out.index("flex  App Engine Flexible") < ended.out.index("run  Cloud Run")
    assert "costs money all the time, asked or not: sp-now runs" in ended.out
    assert "kit destroy flex" in ended.out


def test_for_programs_it_is_all_there(invoke: Invoke, cloud: Cloud, tmp_path: Path) -> None:
    remember(tmp_path, "flex", expires_at="2001-01-01T00:00:00Z")
    cloud(sp_flex=service_of("flex", version(), version("theirs", 0.0, target=None)))
    (flex,) = invoke("status", "flex", "--json").data["targets"]
    assert (flex["target"], flex["costs"], flex["overdue"], flex["state"]) == (
        "flex",
        "always",
        True,
        "serving",
    )
    assert [(one["name"], one["role"]) for one in flex["versions"]] == [
        ("sp-now", "serving"),
        ("theirs", "not-ours"),
    ]
    assert flex["stops_the_costs"] == ["kit destroy flex"]


def test_one_that_cannot_be_asked_exits_1_after_the_others_were_told(
    invoke: Invoke, cloud: Cloud, tmp_path: Path
) -> None:
    remember(tmp_path, "run", "flex")
    cloud(streamproof=KitError(Code.CLOUD_UNAVAILABLE, "503.", "Later."), sp_flex=service_of("flex"))
    ended = invoke("status", "--json")
    assert ended.status == 1
    assert [one["error"] and one["error"]["code"] for one in ended.data["targets"]] == [
        None,
        "cloud-unavailable",
    ]


@pytest.mark.usefixtures("nobody_is_asked")
def test_offline_only_the_record_is_told(invoke: Invoke, tmp_path: Path) -> None:
    remember(tmp_path, "run")
    ended = invoke("status", "--offline")
    assert (ended.status, ended.err) == (0, "")
    assert "on record: serving, sp-now" in ended.out


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (["flex"], "nothing-deployed", 1),
        (["felx"], "unknown-target", 2),
        (["--offline", "--refresh"], "bad-usage", 2),
    ],
)
def test_what_cannot_be_told_is_one_sentence(
    invoke: Invoke, cloud: Cloud, arguments: list[str], code: str, status: int
) -> None:
    ended = invoke("status", *arguments, "--json")
    assert (ended.status, ended.error["code"]) == (status, code)


def test_a_lost_record_comes_back_from_the_cloud(invoke: Invoke, cloud: Cloud, tmp_path: Path) -> None:
    cloud(streamproof=service_of("run"))
    ended = invoke("status", "--refresh", "--project", PROJECT, "--region", "europe-west1", "--json")
    assert [one["target"] for one in ended.data["targets"]] == ["run"]
    assert [one.target for one in Record.load(tmp_path)] == ["run"]
    assert "run  Cloud Run" in invoke("status").out


def test_a_record_that_cannot_be_read_says_what_rebuilds_it_and_that_does(
    invoke: Invoke, cloud: Cloud, tmp_path: Path
) -> None:
    remember(tmp_path, "run")
    (tmp_path / ".kit" / "deployments.json").write_text("{")
    ended = invoke("status")
    assert (ended.status, "kit status --refresh" in ended.err) == (1, True)
    cloud(streamproof=service_of("run"))
    ended = invoke("status", "--refresh", "run", "--project", PROJECT, "--region", "europe-west1", "--json")
    assert ended.status == 0
    assert "deployments.corrupt-1.json" in json.loads(ended.out)["warnings"][0]
    assert (tmp_path / ".kit" / "deployments.corrupt-1.json").read_text() == "{"
    assert [one.target for one in Record.load(tmp_path)] == ["run"]


def test_while_another_run_deploys_the_record_is_not_rebuilt_under_it(
    invoke: Invoke, cloud: Cloud, tmp_path: Path
) -> None:
    with locked(tmp_path, "kit deploy run"):
        ended = invoke("status", "--refresh", "--project", PROJECT, "--json")
    assert (ended.status, ended.error["code"]) == (1, "record-locked")


def test_without_a_project_there_is_nowhere_to_look(invoke: Invoke, cloud: Cloud) -> None:
    ended = invoke("status", "--refresh", "--json")
    assert (ended.status, ended.error["code"]) == (1, "no-project")
