"""How Deployments' rollouts go on, and what is said of those that do not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from kit.rehearsal.kubernetes.cluster import Cluster
from kit.rehearsal.kubernetes.kinds import DEPLOYMENT, POD
from kit.rehearsal.kubernetes.store import Key
from kit.rehearsal.plane import Plane
from kit.rehearsal.uploads import Kind, Unhosted, Upload
from kit.rehearsal.wire import ApiError
from tests.kit.rehearsal.kubernetes import manifests as made
from tests.kit.rehearsal.kubernetes.conftest import Do, until

LABELS = {"version": "web-1"}
WEB = Key(DEPLOYMENT, "space", "web-1")


class Remembers(Unhosted):
    """Runs nothing, remembers what it was asked, and may wait or fail."""

    def __init__(self) -> None:
        super().__init__("demo-project")
        self.uploads: list[Upload] = []
        self.stopped: list[tuple[str, str]] = []
        self.go = threading.Event()
        self.go.set()
        self.error: ApiError | None = None

    def serve(self, upload: Upload) -> str:
        self.uploads.append(upload)
        self.go.wait()
        if self.error is not None:
            raise self.error
        return super().serve(upload)

    def stop(self, kind: Kind, service: str, version: str) -> None:
        self.stopped.append((service, version))

    def written(self) -> list[tuple[Kind, str, str, str]]:
        return [
            ("gke", "space", "web-1", "one"),
            ("gke", "space", "other", "x"),
            ("gke", "space", "web-1", "two"),
        ]


@pytest.fixture
def runs(google: Plane, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remembers]:
    runs = Remembers()
    google.hosting = runs
    monkeypatch.setattr(google.builds, "pulled", lambda image: {"x": b""} if "sha256" in image else None)
    yield runs
    runs.go.set()


def status(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.store.get(WEB).get("status", {})
    return found


def condition(cluster: Cluster, kind: str) -> tuple[str, str]:
    found = next(each for each in status(cluster)["conditions"] if each["type"] == kind)
    return found["status"], found["reason"]


def waiting(cluster: Cluster) -> str | None:
    pods = cluster.store.all(POD, "space")
    state = pods[0]["status"].get("containerStatuses", [{"state": {}}])[0]["state"] if pods else {}
    reason: str | None = state.get("waiting", {}).get("reason")
    return reason


def restarts(cluster: Cluster) -> int:
    count: int = cluster.store.all(POD)[0]["status"]["containerStatuses"][0]["restartCount"]
    return count


def test_a_rollout_is_progressing_until_its_pods_are_ready(
    runs: Remembers, cluster: Cluster, apply: Do
) -> None:
    runs.go.clear()
    apply(made.deployment(replicas=2))
    until(cluster, lambda: status(cluster).get("unavailableReplicas") == 2)
    assert condition(cluster, "Progressing") == ("True", "ReplicaSetUpdated")
    assert condition(cluster, "Available") == ("False", "MinimumReplicasUnavailable")
    runs.go.set()
    until(cluster, lambda: status(cluster).get("availableReplicas") == 2)
    assert status(cluster)["observedGeneration"] == 1
    assert condition(cluster, "Progressing") == ("True", "NewReplicaSetAvailable")
    (upload,) = runs.uploads
    assert (upload.kind, upload.service, upload.version) == ("gke", "space", "web-1")
    assert upload.environment == {"PORT": "8080", "OWN": "$(PORT) 8080 $"}


def test_without_replicas_nothing_runs_and_with_them_it_runs_again(
    runs: Remembers, cluster: Cluster, apply: Do
) -> None:
    apply(made.deployment())
    until(cluster, lambda: status(cluster).get("availableReplicas") == 1)
    apply(made.deployment(replicas=0))
    until(cluster, lambda: "replicas" not in status(cluster) and not cluster.store.all(POD))
    assert runs.stopped == [("space", "web-1")]
    apply(made.deployment(replicas=1))
    until(cluster, lambda: status(cluster).get("availableReplicas") == 1)
    assert len(runs.uploads) == 2


def test_a_pod_that_goes_gets_no_requests_while_its_hook_sleeps_and_only_then_sigterm(
    runs: Remembers, cluster: Cluster, apply: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.pods.pre_stop_s = None
    stopped: list[tuple[float, object]] = []
    monkeypatch.setattr(
        runs, "stop", lambda *at: stopped.append((time.monotonic(), cluster.pods.ready("space", LABELS)))
    )
    deployment = made.deployment()
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["lifecycle"] = {"preStop": {"sleep": {"seconds": 1}}}
    apply(deployment)
    until(cluster, lambda: cluster.pods.ready("space", LABELS))
    began = time.monotonic()
    apply({**deployment, "spec": {**deployment["spec"], "replicas": 0}})
    until(cluster, lambda: stopped)
    ((at, ready),) = stopped
    assert (at - began >= 1, ready) == (True, None)


def test_what_is_deleted_ends_with_its_pods(runs: Remembers, cluster: Cluster, apply: Do) -> None:
    apply(made.deployment())
    until(cluster, lambda: status(cluster).get("availableReplicas") == 1)
    cluster.store.delete(WEB)
    until(cluster, lambda: not cluster.store.all(POD))
    assert runs.stopped == [("space", "web-1")]


def test_an_image_that_is_not_there_is_named_by_its_pod(runs: Remembers, cluster: Cluster, apply: Do) -> None:
    apply(made.deployment(image="registry/web:none"))
    until(cluster, lambda: waiting(cluster) == "ImagePullBackOff")
    assert runs.uploads == []


def test_a_secret_that_is_not_there_is_named_by_its_pod(runs: Remembers, cluster: Cluster, apply: Do) -> None:
    deployment = made.deployment()
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "openai", "key": "KEY"}}}]
    apply(deployment)
    until(cluster, lambda: waiting(cluster) == "CreateContainerConfigError")


def test_nodes_pull_no_image_without_the_role_for_it(
    google: Plane, runs: Remembers, cluster: Cluster, apply: Do
) -> None:
    google.project.policy.clear()
    apply(made.deployment())
    until(cluster, lambda: waiting(cluster) == "ImagePullBackOff")


def test_a_container_that_ends_is_started_over_and_over(runs: Remembers, cluster: Cluster, apply: Do) -> None:
    runs.error = ApiError("FAILED_PRECONDITION", "It ended.\nBecause.")
    apply(made.deployment())
    until(cluster, lambda: waiting(cluster) == "CrashLoopBackOff")
    (pod,) = cluster.store.all(POD)
    until(cluster, lambda: restarts(cluster) == 5)
    log = cluster.pods.log(Key(POD, "space", pod["metadata"]["name"]))
    assert [line for _, line in log] == ["It ended.", "Because."]


def test_a_rollout_that_never_ends_misses_its_deadline(runs: Remembers, cluster: Cluster, apply: Do) -> None:
    cluster.pods.stuck = True
    cluster.pods.progress_s = 0.01
    apply(made.deployment())
    until(cluster, lambda: status(cluster) and condition(cluster, "Progressing")[0] == "False")
    assert condition(cluster, "Progressing") == ("False", "ProgressDeadlineExceeded")
    assert waiting(cluster) is None


def test_the_first_of_several_pods_has_all_that_was_written(
    runs: Remembers, cluster: Cluster, apply: Do
) -> None:
    apply(made.deployment(replicas=2))
    until(cluster, lambda: status(cluster).get("availableReplicas") == 2)
    pods = [Key(POD, "space", each["metadata"]["name"]) for each in cluster.store.all(POD)]
    lines = [[line for _, line in cluster.pods.log(pod)] for pod in pods]
    assert lines == [["one", "two"], []]
