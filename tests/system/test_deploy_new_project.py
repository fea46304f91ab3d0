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
    ran = cloud.deploy("--all")
    assert (ran.status, ran.error["code"]) == (1, "not-ready-to-deploy"), ran
    assert "no App Engine app" in ran.error["message"]
    assert "--create-app REGION" in ran.error["hint"]
    assert cloud.changes == []
    assert not (cloud.work / ".kit" / "deployments.json").exists()


def _standard_becomes_default_then_flex(cloud: Cloud) -> None:
    ran = cloud.deploy("--all", "--create-app", "europe-west", "--create-cluster", "--for", "2h")
    assert ran.status == 0, ran
    assert cloud.plane.app_engine.app is not None
    assert cloud.plane.app_engine.app["locationId"] == "europe-west"
    assert {name: one["result"] for name, one in ran.outcomes.items()} == {
        "standard": "promoted",
        "flex": "promoted",
        "run": "promoted",
        "gke": "promoted",
    }
    assert cloud.plane.container.names() == ["streamproof"]
    services = cloud.plane.app_engine.services
    assert sorted(services) == ["default", "sp-flex"]
    standard, flex = ran.outcomes["standard"]["version"], ran.outcomes["flex"]["version"]
    assert services["default"].split == {standard: 1.0}
    assert services["sp-flex"].split == {flex: 1.0}
    made = [
        call.request.path.split("/")[5]
        for call in cloud.plane.calls
        if call.name == "appengine.apps.services.versions.create"
    ]
    assert made == ["default", "sp-flex"]
    assert ran.warnings == ["in 2h it is to be removed: kit destroy standard flex run gke"]
    assert {one["service"] for one in cloud.record.values()} == {"default", "sp-flex", "streamproof"}
    assert ran.data["comparison"]["as_expected"]
    assert len(ran.data["comparison"]["lanes"]) == 8


def _reminds_of_what_should_be_gone(cloud: Cloud) -> None:
    assert "to be removed" not in cloud.kit("targets").err
    file = cloud.work / ".kit" / "deployments.json"
    record = json.loads(file.read_text())
    for one in record["deployments"].values():
        assert one["expires_at"] > one["deployed_at"]
        one["expires_at"] = "2026-01-02T03:04:05+00:00"
    file.write_text(json.dumps(record))
    ran = cloud.kit("targets")
    assert ran.status == 0
    assert ran.err.startswith("warning: flex, gke, run and standard were to be removed at ")
    assert ran.err.rstrip().endswith("kit destroy flex gke run standard")
    assert len(ran.err.splitlines()) == 1


def _a_lost_record_is_rebuilt(cloud: Cloud) -> None:
    before = cloud.record
    (cloud.work / ".kit" / "deployments.json").unlink()
    assert cloud.kit("status", "--json").data["targets"] == []
    ran = cloud.kit("status", "--refresh", "--json")
    assert ran.status == 0, ran
    kept = ("service", "url", "version", "version_url", "digest", "state", "public", "region", "project")
    assert {name: {key: one[key] for key in kept} for name, one in cloud.record.items()} == {
        name: {key: one[key] for key in kept} for name, one in before.items()
    }


def _destroy_asks(cloud: Cloud) -> None:
    changes = cloud.changes
    ran = cloud.kit("destroy", "--all")
    assert (ran.status, ran.out) == (1, ""), ran
    assert "remove: the service sp-flex" in ran.err
    assert "remove: the service streamproof" in ran.err
    assert "App Engine's service `default` cannot be deleted" in ran.err
    assert "--yes" in ran.err
    assert cloud.changes == changes
    assert set(cloud.record) == {"standard", "flex", "run", "gke"}


def _destroy_removes_what_the_kit_made(cloud: Cloud) -> None:
    urls = {name: one["url"] for name, one in cloud.record.items()}
    ran = cloud.kit("destroy", "--all", "--yes")
    assert ran.status == 0, ran
    services = cloud.plane.app_engine.services
    assert list(services) == ["default"]
    assert cloud.plane.cloud_run.services == {}
    assert cloud.plane.container.names() == []
    assert not any(cloud.plane.compute.resources.values())
    assert "stays" in ran.out
    assert "default" in ran.out
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
