"""GKE deployments that fail or are ended in their middle: the record is true, and the next run goes on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.rehearsal.kubernetes.cluster import Cluster
from kit.rehearsal.kubernetes.kinds import DEPLOYMENT
from kit.rehearsal.kubernetes.status import unauthorized
from tests.fixtures.kubernetes import may_listen_on_port_80
from tests.fixtures.tools import Tool
from tests.system.cloud import Cloud, another, whose
from tests.system.test_deploy_interrupted import interrupted

pytestmark = pytest.mark.long

NAMESPACE = "streamproof"


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the kit's own temporary files are."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def cloud(tool: Tool, tmp_path: Path, scratch: Path) -> Iterator[Cloud]:
    for name in ("gcloud", "kubectl", "gke-gcloud-auth-plugin"):
        tool(name)
    may_listen_on_port_80()
    with Cloud(tmp_path) as cloud:
        yield cloud


def made(cluster: Cluster) -> list[str]:
    """The names of the versions that are there."""
    return [key.name for key in cluster.store.keys(NAMESPACE) if key.kind is DEPLOYMENT]


def test_a_run_that_is_killed_or_loses_its_token_leaves_what_the_next_goes_on_with(
    cloud: Cloud, tmp_path: Path, scratch: Path
) -> None:
    cluster = cloud.plane.container.add("theirs")
    config = tmp_path / "signed-in" / "home" / ".kube" / "config"

    def meddle() -> None:
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text("apiVersion: v1\nkind: Config\ncurrent-context: elsewhere\n")

    interrupted(
        cloud, signal.SIGKILL, "deploy", "gke", "--gke", "theirs", "--yes", at="kubernetes.apply.httproutes"
    )
    assert cloud.record["gke"]["state"] == "unfinished"
    assert cloud.record["gke"]["within"] == f"theirs/{NAMESPACE}"
    (name,) = made(cluster)
    assert not list(scratch.rglob("own")), "no kubeconfig and no token outlives a kit that was killed"

    # The token has expired, and another program has changed the user's context.
    cloud.plane.faults.add("kubernetes.apply.httproutes", meddle)
    cloud.plane.faults.add("kubernetes.apply.httproutes", unauthorized())
    deployed = cloud.deploy("gke")
    assert deployed.status == 0, deployed
    outcome = deployed.outcomes["gke"]
    assert name == f"streamproof-{outcome['version']}", "nothing was built again"
    assert made(cluster) == [name]
    assert "elsewhere" in config.read_text()


@pytest.mark.thorough
def test_pods_that_never_get_ready_are_explained_and_what_served_goes_on_serving(
    cloud: Cloud, scratch: Path
) -> None:
    cluster = cloud.plane.container.add("theirs")
    first = cloud.deploy("gke", "--gke", "theirs").outcomes["gke"]
    pulled = cluster.pods._image
    cluster.pods._image = lambda image: None
    cloud.settings(another(1))
    failed = cloud.deploy("gke")
    assert failed.status == 1
    outcome = failed.outcomes["gke"]
    assert "ImagePullBackOff" in outcome["what"]
    assert "artifactregistry.reader" in outcome["error"]["hint"]
    assert cloud.record["gke"]["state"] == "failed"
    who = whose(first["url"])
    assert isinstance(who, dict)
    assert who["version"] == first["version"]

    cluster.pods._image = pulled
    second = cloud.deploy("gke")
    assert second.status == 0, second
    who = whose(first["url"])
    assert isinstance(who, dict)
    assert who["version"] == second.outcomes["gke"]["version"] != first["version"]

    cluster.pods.stuck, cluster.pods.progress_s = True, 1.0
    cloud.settings(another(2))
    stuck = cloud.deploy("gke").outcomes["gke"]
    assert "is not ready, and the cluster has given it up" in stuck["what"]
    assert stuck["error"]["code"] == "service-not-ready"

    interrupted(cloud, signal.SIGINT, "destroy", "gke", "--yes", at="kubernetes.delete.gateways")
    assert "gke" in cloud.record
    removed = cloud.kit("destroy", "gke", "--yes")
    assert removed.status == 0, removed
    assert cluster.store.keys(NAMESPACE) == []
    assert cloud.record == {}
    assert not list(scratch.rglob("own"))
