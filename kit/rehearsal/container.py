"""GKE: clusters, and the Kubernetes API of each.

https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kit.rehearsal.kubernetes.cluster import Cluster
from kit.rehearsal.kubernetes.kinds import DEPLOYMENT
from kit.rehearsal.kubernetes.store import Key
from kit.rehearsal.project import Project
from kit.rehearsal.router import Router
from kit.rehearsal.storage import now
from kit.rehearsal.wire import ApiError, Request
from kit.rehearsal.work import Work

HOST = "container.googleapis.com"
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")


@dataclass
class _Held:
    """A cluster as it was asked for; `running`: None until it runs."""

    resource: dict[str, Any]
    running: Cluster | None = None


class Container:
    """All clusters.

    Args:
        project: whose they are.
        make: what makes a cluster that runs.
        closing: set when no call waits any more.

    Attributes:
        seconds: how long making and deleting one takes. At Google: 5 to 10 minutes.
    """

    def __init__(self, project: Project, make: Callable[[], Cluster], closing: threading.Event) -> None:
        self.seconds = 0.0
        self._project = project
        self._make = make
        self._closing = closing
        self._clusters: dict[tuple[str, str], _Held] = {}
        self._operations: dict[str, tuple[Work, dict[str, Any]]] = {}

    def register(self, router: Router) -> None:
        """Answer for all of them."""
        place = "/v1/projects/{project}/locations/{location}"
        router.on("GET", HOST, place + "/clusters", self._list)
        router.on("POST", HOST, place + "/clusters", self._create)
        router.on("GET", HOST, place + "/clusters/{name}", self._get)
        router.on("DELETE", HOST, place + "/clusters/{name}", self._delete)
        router.on("GET", HOST, place + "/operations/{operation}", self._operation)

    def add(self, name: str, location: str = "europe-west1") -> Cluster:
        """A cluster that is there already, another's."""
        held = self._clusters[location, name] = _Held({"name": name, "autopilot": {"enabled": True}})
        held.running = self._make()
        return held.running

    def cluster(self, name: str, location: str = "europe-west1") -> Cluster:
        """A cluster that runs. Raises ApiError NOT_FOUND."""
        running = self._find(location, name).running
        assert running is not None
        return running

    def names(self) -> list[str]:
        """The names of all clusters."""
        return [name for _, name in self._clusters]

    def pods_of(self, namespace: str, deployment: str) -> tuple[str, dict[str, str]]:
        """The name of the cluster that has a Deployment, and its pods' labels; empty where none has."""
        for (_, name), held in self._clusters.items():
            if held.running is not None:
                key = Key(DEPLOYMENT, namespace, deployment)
                if (found := held.running.store.find(key)) is not None:
                    return name, found["spec"]["template"]["metadata"]["labels"]
        return "", {}

    def close(self) -> None:
        """End all clusters."""
        for held in self._clusters.values():
            if held.running is not None:
                held.running.close()
        self._clusters.clear()

    def _find(self, location: str, name: str) -> _Held:
        if (location, name) not in self._clusters:
            raise ApiError(
                "NOT_FOUND", f"Not found: projects/{self._project.id}/locations/{location}/clusters/{name}."
            )
        return self._clusters[location, name]

    def _list(self, request: Request, project: str, location: str) -> dict[str, Any]:
        return {
            "clusters": [
                self._shown(*at, held) for at, held in self._clusters.items() if location in ("-", at[0])
            ]
        }

    def _get(self, request: Request, project: str, location: str, name: str) -> dict[str, Any]:
        return self._shown(location, name, self._find(location, name))

    def _create(self, request: Request, project: str, location: str) -> dict[str, Any]:
        wanted = request.json["cluster"]
        name = wanted["name"]
        if (location, name) in self._clusters:
            raise ApiError(
                "ALREADY_EXISTS", f"Already exists: projects/{project}/locations/{location}/clusters/{name}."
            )
        if not _NAME.fullmatch(name):
            raise ApiError("INVALID_ARGUMENT", f'Invalid value for field "cluster.name": "{name}".')
        held = self._clusters[location, name] = _Held(wanted)

        def finish(prepared: Any) -> None:
            held.running = self._make()

        return self._begin("CREATE_CLUSTER", location, name, finish)

    def _delete(self, request: Request, project: str, location: str, name: str) -> dict[str, Any]:
        held = self._find(location, name)

        def finish(prepared: Any) -> None:
            if held.running is not None:
                held.running.close()
            del self._clusters[location, name]

        return self._begin("DELETE_CLUSTER", location, name, finish)

    def _begin(self, kind: str, location: str, name: str, finish: Callable[[Any], None]) -> dict[str, Any]:
        id = f"operation-{secrets.token_hex(8)}"
        link = f"https://{HOST}/v1/projects/{self._project.number}/locations/{location}"
        shown = {
            "name": id,
            "operationType": kind,
            "zone": location,
            "location": location,
            "startTime": now(),
            "selfLink": f"{link}/operations/{id}",
            "targetLink": f"{link}/clusters/{name}",
        }
        self._operations[id] = Work(self.seconds, self._closing, finish), shown
        return self._told(id)

    def _operation(self, request: Request, project: str, location: str, operation: str) -> dict[str, Any]:
        if operation not in self._operations:
            raise ApiError(
                "NOT_FOUND", f"Not found: projects/{project}/locations/{location}/operations/{operation}."
            )
        return self._told(operation)

    def _told(self, id: str) -> dict[str, Any]:
        work, shown = self._operations[id]
        error = {"error": work.error.rpc} if work.done and work.error is not None else {}
        return {**shown, "status": "DONE" if work.done else "RUNNING", **error}

    def _shown(self, location: str, name: str, held: _Held) -> dict[str, Any]:
        """gcloud's `describe` crashes without the two versions."""
        running = held.running
        shown = {
            **{key: value for key, value in held.resource.items() if key in ("autopilot", "resourceLabels")},
            "name": name,
            "location": location,
            "zone": location,
            "locations": [f"{location}-b"],
            "status": "PROVISIONING" if running is None else "RUNNING",
            "createTime": "2026-01-02T03:04:05+00:00",
            "currentMasterVersion": "1.33.1-gke.1000000",
            "currentNodeVersion": "1.33.1-gke.1000000",
            "controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enabled": True}},
        }
        if running is not None:
            shown |= {
                "endpoint": running.server.address,
                "masterAuth": {"clusterCaCertificate": running.server.ca},
            }
        return shown
