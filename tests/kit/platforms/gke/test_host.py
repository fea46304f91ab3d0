"""A target on GKE, by the lines that are run on a cluster in memory."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from kit.errors import Code, KitError
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.gke.host import GkeHost
from kit.platforms.service import Service, Version
from tests.kit.platforms.gke.cluster import DIGEST, PLACE, Cluster, manifests
from tests.kit.platforms.releases import release


class Session:
    """One place, the cluster that it is in, and what was said."""

    def __init__(self, folder: Path) -> None:
        self.cluster = Cluster()
        self.slept: list[float] = []
        self.lines: list[str] = []
        self.folder = folder
        self.host = self.again()

    def again(self) -> GkeHost:
        """The host, as another command has it."""

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        self.host = GkeHost(PLACE, cast("Gcloud", self.cluster), sleep)
        return self.host

    def deploy(self, version: str) -> tuple[Service, Version]:
        manifests(self.folder, version)
        made = release(PLACE, version=version, folder=self.folder)
        return asyncio.run(self.host.deploy(made, self.lines.append))

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(work)

    def look(self) -> list[tuple[str, float, bool, bool]]:
        found = asyncio.run(self.host.look())
        assert found is not None
        return [(one.name, one.traffic, one.running, one.ready) for one in found.versions]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path / "build")


def test_a_first_version_has_a_url_and_serves_only_once_it_was_promoted(session: Session) -> None:
    assert session.do(session.host.look()) is None
    service, version = session.deploy("sp-1")
    assert service.url == "http://192.0.2.7"
    assert version.url == "http://192.0.2.7/sp-1/"
    assert (version.traffic, version.ready, service.serving) == (0.0, True, None)
    assert session.cluster.weights() == {}
    session.do(session.host.promote("sp-1", session.lines.append))
    assert session.cluster.weights() == {"streamproof-sp-1": 1}
    found = session.do(session.host.look())
    assert found.serving.name == "sp-1"
    assert found.costs == "always"


def test_what_is_run_is_the_image_by_the_digest_that_was_built(session: Session) -> None:
    session.deploy("sp-1")
    (container,) = session.cluster.objects["Deployment", "streamproof-sp-1"]["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["image"] == f"europe-west1-docker.pkg.dev/demo-project/streamproof/streamproof@{DIGEST}"


def test_a_second_version_gets_no_traffic_until_it_is_promoted_and_the_first_can_come_back(
    session: Session,
) -> None:
    session.deploy("sp-1")
    session.do(session.host.promote("sp-1", session.lines.append))
    before = session.cluster.objects["Deployment", "streamproof-sp-1"]
    session.deploy("sp-2")
    assert session.cluster.weights() == {"streamproof-sp-2": 0, "streamproof-sp-1": 1}
    assert session.cluster.objects["Deployment", "streamproof-sp-1"] == before, "what serves is never changed"
    session.do(session.host.promote("sp-2", session.lines.append))
    session.do(session.host.stop("sp-1", session.lines.append))
    assert session.look() == [("sp-2", 1.0, True, True), ("sp-1", 0.0, False, False)]
    session.again()
    session.do(session.host.start("sp-1", session.lines.append))
    assert session.look() == [("sp-2", 1.0, True, True), ("sp-1", 0.0, True, True)]
    session.do(session.host.promote("sp-1", session.lines.append))
    assert session.cluster.weights() == {"streamproof-sp-2": 0, "streamproof-sp-1": 1}


def test_a_stopped_version_is_stopped_and_started_with_the_replicas_that_it_had(session: Session) -> None:
    session.deploy("sp-1")
    session.cluster.objects["Deployment", "streamproof-sp-1"]["spec"]["replicas"] = 3
    session.again()
    session.do(session.host.stop("sp-1", session.lines.append))
    session.do(session.host.stop("sp-1", session.lines.append))
    session.again()
    session.do(session.host.start("sp-1", session.lines.append))
    assert session.cluster.objects["Deployment", "streamproof-sp-1"]["spec"]["replicas"] == 3


def test_pods_that_can_pull_no_image_are_explained_at_the_first_look(session: Session) -> None:
    session.cluster.waits = "ImagePullBackOff"
    with pytest.raises(
        KitError, match=r"its image cannot be pulled, ImagePullBackOff \(it says why\)"
    ) as error:
        session.deploy("sp-1")
    assert error.value.code is Code.SERVICE_NOT_READY
    assert "artifactregistry.reader" in error.value.hint
    assert session.slept == []


def test_pods_that_are_never_ready_are_given_up_in_the_cluster_s_own_words(session: Session) -> None:
    session.cluster.waits = "ContainerCreating"
    with pytest.raises(KitError, match="its pods wait: ContainerCreating") as error:
        session.deploy("sp-1")
    assert error.value.code is Code.SERVICE_NOT_READY
    assert 600 <= sum(session.slept) < 610


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("Gateway", "does not take the Gateway streamproof: Invalid, about the Gateway"),
        ("HTTPRoute", "does not take the route streamproof: Invalid, about the HTTPRoute"),
        ("GCPBackendPolicy", "does not attach the policy of sp-1: Invalid, about the GCPBackendPolicy"),
    ],
)
def test_what_the_load_balancer_refuses_is_an_error_in_its_own_words(
    session: Session, kind: str, what: str
) -> None:
    session.cluster.said[kind] = ("False", "Invalid")
    with pytest.raises(KitError) as error:
        session.deploy("sp-1")
    assert what in error.value.message.replace("Invalid:", "Invalid,")
    assert error.value.code is Code.GCLOUD_FAILED


def test_a_silent_controller_is_waited_for_and_then_only_mentioned(session: Session) -> None:
    session.cluster.said["GCPBackendPolicy"] = None
    session.deploy("sp-1")
    assert 120 <= sum(session.slept) < 130
    assert session.lines[-1] == "it is not known yet whether the load balancer takes the policy of sp-1"


def test_a_version_that_was_given_up_is_so_again_only_anew(session: Session) -> None:
    session.cluster.given_up = "2026-11-30T12:00:00Z"
    session.cluster.slow = 3
    with pytest.raises(KitError, match="the cluster has given it up"):
        session.deploy("sp-1")
    session.again()
    session.do(session.host.start("sp-1", session.lines.append))
    assert session.look() == [("sp-1", 0.0, True, True)]
    assert "delete pods --selector=streamproof-version=sp-1 --wait --ignore-not-found" in " ".join(
        session.cluster.changes
    )


def test_a_slow_load_balancer_is_waited_for(session: Session) -> None:
    session.cluster.slow = 6
    _, version = session.deploy("sp-1")
    assert version.ready
    assert "its pods are not ready; the load balancer is not there yet" in session.lines


def test_a_namespace_that_is_another_s_stays_as_it_is(session: Session) -> None:
    theirs = {"kind": "Namespace", "metadata": {"name": "web", "labels": {"team": "a"}, "generation": 1}}
    session.cluster.objects["Namespace", "web"] = theirs
    session.deploy("sp-1")
    assert session.cluster.objects["Namespace", "web"] == theirs
    assert session.cluster.names("Gateway") == ["streamproof"]
    steps = session.do(session.host.removals())
    assert not any("namespace" in step.what for step in steps)
    for step in steps:
        session.do(session.cluster.run(step.command, log="destroy"))
    assert list(session.cluster.objects) == [("Namespace", "web")]


def test_it_is_removed_front_first_and_the_cluster_stays_unless_the_kit_made_it(session: Session) -> None:
    session.deploy("sp-1")
    steps = session.do(session.host.removals())
    assert [step.what for step in steps] == [
        "the route streamproof",
        "the Gateway streamproof with its load balancer",
        "the namespace web, 1 version",
    ]
    session.cluster.labels = {"streamproof-target": "gke"}
    *_, last = session.do(session.host.removals())
    assert last.what == "the cluster c1, which the kit made"
    theirs = {"metadata": {"namespace": "shop", "name": "till"}}
    system = {"metadata": {"namespace": "kube-system", "name": "dns"}}
    session.cluster.elsewhere = [theirs, system]
    *_, last = session.do(session.host.removals())
    assert (last.what, last.command) == ("the cluster c1: shop/till runs in it", None)


def test_another_apps_versions_namespace_cluster_and_images_stay(session: Session) -> None:
    """In the same namespace under the same name, and under a name of its own; once they had no mark."""
    session.deploy("sp-1")
    session.cluster.labels = {"streamproof-target": "gke", "streamproof-app": "shop-1a2b3c4d"}
    session.deploy("sp-2")
    for (kind, name), item in session.cluster.objects.items():
        if name.endswith("-sp-2"):
            item["metadata"]["labels"]["streamproof-app"] = "shop-1a2b3c4d"
        if (kind, name) == ("Gateway", "streamproof"):
            item["metadata"]["labels"]["streamproof-app"] = "shop-1a2b3c4d"
    found = session.do(session.host.look())
    assert [one.name for one in found.versions if one.is_anothers(PLACE)] == [
        "sp-2",
        "Gateway streamproof",
    ]
    steps = session.do(session.host.removals())
    assert [step.what for step in steps if step.command is not None] == [
        "the route streamproof",
        "the rules of sp-1",
        "the version sp-1",
    ]


def test_without_a_record_the_cluster_that_the_kit_made_is_found_by_its_labels(session: Session) -> None:
    session.deploy("sp-1")
    nowhere = GkeHost(replace(PLACE, within=None, region="us-central1"), cast("Gcloud", session.cluster))
    assert session.do(nowhere.look()) is None, "another's cluster is not looked into"
    session.cluster.labels = {"streamproof-target": "gke", "streamproof-namespace": "web"}
    found = session.do(nowhere.look())
    assert found.place == PLACE
    assert [one.name for one in found.versions] == ["sp-1"]


def test_versions_are_removed_with_their_rules(session: Session) -> None:
    for version in ("sp-1", "sp-2"):
        session.deploy(version)
    session.do(session.host.promote("sp-2", session.lines.append))
    for step in session.do(session.host.removals(versions=("sp-1",))):
        session.do(session.cluster.run(step.command, log="destroy"))
    assert session.cluster.weights() == {"streamproof-sp-2": 1}
    for kind in ("Deployment", "Service", "GCPBackendPolicy", "HealthCheckPolicy"):
        assert session.cluster.names(kind) == ["streamproof-sp-2"]


def test_a_cluster_that_is_gone_has_nothing_of_it(session: Session) -> None:
    session.cluster.exists = False
    assert session.do(session.host.look()) is None
    assert session.do(session.host.removals()) == ()


def test_what_outlived_its_gateway_is_named_with_the_line_that_removes_it(session: Session) -> None:
    session.cluster.rules = [
        {"name": "gkegw1-x1y2-web-streamproof-80-a1"},
        {"name": "gkegw1-x1y2-other-streamproof-80-a1"},
        {"name": "theirs"},
    ]
    (left,) = session.do(session.host.remains())
    assert left.command is None
    line = "gcloud compute forwarding-rules delete gkegw1-x1y2-web-streamproof-80-a1 --global"
    assert line in left.what


def test_a_version_that_was_left_half_made_is_not_ready_until_it_is_started(session: Session) -> None:
    session.deploy("sp-1")
    session.do(session.host.promote("sp-1", session.lines.append))
    manifests(session.folder, "sp-2")
    made = release(PLACE, version="sp-2", folder=session.folder)
    asyncio.run(_interrupted(session, made))
    session.again()
    assert ("sp-2", 0.0, True, False) in session.look()
    session.do(session.host.start("sp-2", session.lines.append))
    assert ("sp-2", 0.0, True, True) in session.look()
    assert session.cluster.weights() == {"streamproof-sp-2": 0, "streamproof-sp-1": 1}


async def _interrupted(session: Session, made: Any) -> None:
    """A deployment that ends right after the version was applied, before the route was."""
    host, cluster = session.host, session.cluster
    run = cluster.run

    async def until(command: Any, **rest: Any) -> str:
        if command.input.startswith("the route"):
            raise asyncio.CancelledError
        return await run(command, **rest)

    cluster.run = until  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await host.deploy(made, session.lines.append)
    cluster.run = run  # type: ignore[method-assign]


def test_every_line_of_the_plan_can_be_pasted_and_changes_no_kubeconfig_of_the_users(
    session: Session, tmp_path: Path
) -> None:
    session.deploy("sp-1")
    made = release(PLACE, version="sp-2", folder=Path("build/releases/gke"))
    lines = [one.line for one in session.host.plan(made)]
    assert " gcloud container clusters get-credentials c1 --location=europe-west1" in lines[0]
    assert any(line.endswith("c1 <build/releases/gke/version.yaml") for line in lines)
    (route,) = (line for line in lines if line.startswith("printf %s '{"))
    assert '"value":"/sp-2"' in route
    (tmp_path / "build/releases/gke").mkdir(parents=True)
    for name in ("front.yaml", "version.yaml"):
        (tmp_path / "build/releases/gke" / name).touch()
    for program in ("gcloud", "kubectl"):
        (tmp_path / program).write_text('#!/bin/sh\necho "$1 $2 ${KUBECONFIG:-none}"\n')
        (tmp_path / program).chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    pasted = subprocess.run(
        "\n".join(lines), shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    used = [line.rpartition(" ") for line in pasted.stdout.splitlines()]
    assert [words for words, _, file in used if file == "none"] == ["builds submit"]
    assert {file for _, _, file in used} == {"none", f"{tmp_path}/streamproof-kubeconfig"}
