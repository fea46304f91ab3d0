"""Cloud Logging: what running services wrote.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list; of the filter language only types and
labels of resources are understood. A line in JSON becomes an entry as
https://docs.cloud.google.com/logging/docs/structured-logging says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from kit.rehearsal.router import Router
from kit.rehearsal.storage import now
from kit.rehearsal.uploads import Hosting, Kind
from kit.rehearsal.wire import Request

_LABEL = re.compile(r'resource\.labels\.(\w+)\s*=\s*"?([\w.-]+)"?')
_OWN_LABEL = re.compile(r'(?<![.\w])labels\."([^"]+)"\s*=\s*"?([\w.-]+)"?')
_TYPE = re.compile(r'resource\.type\s*=\s*"?(\w+)"?')

_MOVED = {
    "severity": "severity",
    "time": "timestamp",
    "logging.googleapis.com/trace": "trace",
    "logging.googleapis.com/spanId": "spanId",
}


class Logs:
    """The logs of one project.

    Args:
        project: its id.
        hosting: what runs there.
        cluster: the name of the cluster that runs a namespace's Deployment, and the labels of its pods.
    """

    def __init__(
        self,
        project: str,
        hosting: Callable[[], Hosting],
        cluster: Callable[[str, str], tuple[str, Mapping[str, str]]],
    ) -> None:
        self._project = project
        self._hosting = hosting
        self._cluster = cluster

    def register(self, router: Router) -> None:
        """Answer entries:list."""
        router.on("POST", "logging.googleapis.com", "/v2/entries:list", self._list)

    def _list(self, request: Request) -> dict[str, Any]:
        asked = request.json.get("filter", "")
        types, labels = _TYPE.findall(asked), dict(_LABEL.findall(asked))
        own_labels = dict(_OWN_LABEL.findall(asked))
        labels.pop("location", None)  # a hosted service does not know where it is
        found: list[dict[str, Any]] = []
        for kind, service, version, line in self._hosting().written():
            resource, own = self._resource(kind, service, version)
            matches = labels.items() <= resource["labels"].items() and own_labels.items() <= own.items()
            if resource["type"] in types and matches:
                at = now()
                log = "run.googleapis.com%2Fstderr" if kind == "run" else "stderr"
                found.append(
                    {
                        "logName": f"projects/{self._project}/logs/{log}",
                        "insertId": f"{service}-{version}-{len(found):06d}",
                        "resource": resource,
                        **({"labels": own} if own else {}),
                        "timestamp": at,
                        "receiveTimestamp": at,
                        "severity": "DEFAULT",
                        **_payload(line),
                    }
                )
        if "desc" in request.json.get("orderBy", ""):
            found.reverse()
        return {"entries": found[: request.json.get("pageSize", 1000)]}

    def _resource(self, kind: Kind, service: str, version: str) -> tuple[dict[str, Any], dict[str, str]]:
        """What wrote, and the labels of what it wrote; of those of pods `k8s-pod/` is before the name."""
        if kind == "gke":
            cluster, pods = self._cluster(service, version)
            labels = {"cluster_name": cluster, "namespace_name": service, "container_name": "app"}
            own = {f"k8s-pod/{name}": value for name, value in pods.items()}
            return {"type": "k8s_container", "labels": labels}, own
        if kind == "run":
            labels = {"service_name": service, "revision_name": version}
            return {"type": "cloud_run_revision", "labels": labels}, {}
        return {"type": "gae_app", "labels": {"module_id": service, "version_id": version}}, {}


def _payload(line: str) -> dict[str, Any]:
    """What a line says, in the fields of an entry in which Cloud Logging puts it."""
    try:
        parsed = json.loads(line)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        return {"textPayload": line}
    moved = {entry: parsed.pop(field) for field, entry in _MOVED.items() if field in parsed}
    return {**moved, "jsonPayload": parsed}
