"""From a project without an App Engine app to a deployment of everything, and back to nothing of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.kubernetes import may_listen_on_port_80
from tests.fixtures.tools import Tool
from tests.system.cloud import Cloud, whose


@pytest.fixture
def cloud(tool: Tool, tmp_path: Path) -> Iterator[Cloud]:
    for name in ("gcloud", "kubectl", "gke-gcloud-auth-plugin"):
        tool(name)
    may_listen_on_port_80()
    with Cloud(tmp_path, app=False) as cloud:
        yield cloud


@pytest.mark.thorough
def test_all_comes_and_goes(cloud: Cloud) -> None:
    _refused_without_a_region_for_the_app(cloud)
    _standard_becomes_default_then_flex(cloud)
    _reminds_of_what_should_be_gone(cloud)
    _a_lost_record_is_rebuilt(cloud)
    _destroy_asks(cloud)
    _destroy_removes_what_the_kit_made(cloud)
    _destroy_may_be_repeated(cloud)


def _refused_without_a_region_for_the_app(cloud: Cloud) -> None:
    told = cloud.deploy("--all")
    assert (told.status, told.error["code"]) == (1, "not-ready-to-deploy"), told
    assert "no App Engine app" in told.error["message"]
    assert "--create-app REGION" in told.error["hint"]
    assert cloud.changes == []
    assert not (cloud.work / ".kit" / "deployments.json").exists()


def _standard_becomes_default_then_flex(cloud: Cloud) -> None:
    told = cloud.deploy("--all", "--create-app", "europe-west", "--create-cluster", "--for", "2h")
    assert told.status == 0, told
    assert cloud.plane.app_engine.app is not None
    assert cloud.plane.app_engine.app["locationId"] == "europe-west"
    assert {name: one["result"] for name, one in told.outcomes.items()} == {
        "standard": "promoted",
        "flex": "promoted",
        "run": "promoted",
        "gke": "promoted",
    }
    assert cloud.plane.container.names() == ["streamproof"]
    services = cloud.plane.app_engine.services
    assert sorted(services) == ["default", "sp-flex"]
    standard, flex = told.outcomes["standard"]["version"], told.outcomes["flex"]["version"]
    assert services["default"].split == {standard: 1.0}
    assert services["sp-flex"].split == {flex: 1.0}
    made = [
        call.request.path.split("/")[5]
        for call in cloud.plane.calls
        if call.name == "appengine.apps.services.versions.create"
    ]
    assert made == ["default", "sp-flex"]
    assert told.warnings == ["in 2h it is to be removed: kit destroy standard flex run gke"]
    assert {one["service"] for one in cloud.record.values()} == {"default", "sp-flex", "streamproof"}
    assert told.data["comparison"]["as_expected"]
    assert len(told.data["comparison"]["lanes"]) == 8


def _reminds_of_what_should_be_gone(cloud: Cloud) -> None:
    assert "to be removed" not in cloud.kit("targets").err
    file = cloud.work / ".kit" / "deployments.json"
    record = json.loads(file.read_text())
    for one in record["deployments"].values():
        assert one["expires_at"] > one["deployed_at"]
        one["expires_at"] = "2026-01-02T03:04:05+00:00"
    file.write_text(json.dumps(record))
    told = cloud.kit("targets")
    assert told.status == 0
    assert told.err.startswith("warning: flex, gke, run and standard were to be removed at ")
    assert told.err.rstrip().endswith("kit destroy flex gke run standard")
    assert len(told.err.splitlines()) == 1


def _a_lost_record_is_rebuilt(cloud: Cloud) -> None:
    before = cloud.record
    (cloud.work / ".kit" / "deployments.json").unlink()
    assert cloud.kit("status", "--json").data["targets"] == []
    told = cloud.kit("status", "--refresh", "--json", env={"KIT_SET": "gke.cluster=streamproof"})
    assert told.status == 0, told
    kept = ("service", "url", "version", "version_url", "digest", "state", "public", "region", "project")
    assert {name: {key: one[key] for key in kept} for name, one in cloud.record.items()} == {
        name: {key: one[key] for key in kept} for name, one in before.items()
    }


def _destroy_asks(cloud: Cloud) -> None:
    changes = cloud.changes
    told = cloud.kit("destroy", "--all")
    assert (told.status, told.out) == (1, ""), told
    assert "remove: the service sp-flex" in told.err
    assert "remove: the service streamproof" in told.err
    assert "App Engine's service `default` cannot be deleted" in told.err
    assert "--yes" in told.err
    assert cloud.changes == changes
    assert set(cloud.record) == {"standard", "flex", "run", "gke"}


def _destroy_removes_what_the_kit_made(cloud: Cloud) -> None:
    urls = {name: one["url"] for name, one in cloud.record.items()}
    told = cloud.kit("destroy", "--all", "--yes")
    assert told.status == 0, told
    services = cloud.plane.app_engine.services
    assert list(services) == ["default"]
    assert cloud.plane.cloud_run.services == {}
    assert cloud.plane.container.names() == []
    assert not any(cloud.plane.compute.resources.values())
    assert "stays" in told.out
    assert "default" in told.out
    assert [(name, one["expires_at"]) for name, one in cloud.record.items()] == [("standard", None)]
    assert isinstance(whose(urls["standard"]), dict), "Standard's default stays, and costs nothing unasked"
    left = [
        name
        for bucket in cloud.plane.storage.buckets.values()
        for name in bucket.objects
        if name.endswith((".tar.gz", ".tgz", ".zip"))
    ]
    assert left == []
    assert not any(cloud.plane.artifacts.images.values())


def _destroy_may_be_repeated(cloud: Cloud) -> None:
    changes = cloud.changes
    again = cloud.kit("destroy", "--all", "--yes", "--json")
    assert again.status == 0, again
    assert [(one["target"], one["removed"], len(one["stays"])) for one in again.data["targets"]] == [
        ("standard", [], 1)
    ]
    assert cloud.changes == changes
    (standard,) = cloud.kit("status", "--json").data["targets"]
    assert (standard["service"], standard["public"], standard["costs"]) == ("default", True, "requests")
