"""A cluster in memory, as far as the kit's lines see one: what is applied is there, and soon ready."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from kit.errors import Code, KitError
from kit.platforms.command import Command, Line
from kit.platforms.service import Place

PLACE = Place("gke", "gke", "demo-project", "europe-west1", "streamproof", "c1/web")
DIGEST = "sha256:" + "ab" * 32
ABSENT = KitError(Code.NOT_FOUND_IN_CLOUD, "It is not there.", "")
_KINDS = {
    "gateways": "Gateway",
    "httproutes": "HTTPRoute",
    "deployments": "Deployment",
    "services": "Service",
    "gcpbackendpolicies": "GCPBackendPolicy",
    "pods": "Pod",
}
_ONE = {"gateway": "Gateway", "httproute": "HTTPRoute", "deployment": "Deployment", "service": "Service"}
_ONE |= {"gcpbackendpolicy": "GCPBackendPolicy", "healthcheckpolicy": "HealthCheckPolicy"}


class Cluster:
    """Runs the lines of gcloud and kubectl.

    Attributes:
        lines: every line that was run, in order.
        objects: what is there, by kind and name.
        exists: whether there is a cluster.
        labels: the cluster's.
        slow: after how many looks pods are ready and the load balancer is there.
        said: what the load balancer's controller says of each kind: a status and a reason; None for nothing.
        waits: why the pods' containers wait; empty where they run.
        given_up: when the deployments missed their deadline; empty where they did not.
    """

    def __init__(self) -> None:
        self.lines: list[Command] = []
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.exists = True
        self.labels: dict[str, str] = {}
        self.slow = 1
        self.said: dict[str, tuple[str, str] | None] = {
            "Gateway": ("True", "Accepted"),
            "HTTPRoute": ("True", "Accepted"),
            "GCPBackendPolicy": ("True", "Attached"),
        }
        self.waits = ""
        self.given_up = ""
        self.elsewhere: list[dict[str, Any]] = []
        self.rules: list[dict[str, str]] = []
        self.repository = False
        self.before: dict[str, Callable[[], None]] = {}
        self._looks = 0
        self._made = 0

    @property
    def changes(self) -> list[str]:
        """The lines that change something, without where."""
        return [one.brief.partition(" --namespace")[0] for one in self.lines if one.changes]

    def names(self, kind: str) -> list[str]:
        """Of what is there."""
        return sorted(name for each, name in self.objects if each == kind)

    def weights(self) -> dict[str, int]:
        """Of the route's last rule."""
        rules = self.objects["HTTPRoute", "streamproof"]["spec"]["rules"]
        backends = [rule["backendRefs"] for rule in rules if rule["matches"][0]["path"]["value"] == "/"]
        return {one["name"]: one["weight"] for one in backends[0]} if backends else {}

    async def run(self, command: Command, *, log: str, line: Line = lambda _: None) -> str:
        self.lines.append(command)
        verb = " ".join(command.words[:3])
        for begin, act in list(self.before.items()):
            if verb.startswith(begin):
                del self.before[begin]
                act()
        if command.folder is not None and verb.endswith("get-credentials"):
            if not self.exists:
                raise ABSENT
            command.folder.contents["config"] = b"a kubeconfig"
        elif command.program == "kubectl":
            assert command.folder is not None
            assert command.folder.contents, "it has a kubeconfig of the kit's own"
            assert "--context=gke_demo-project_europe-west1_c1" in command.words
            return self._kubectl(command)
        elif verb.startswith("builds submit"):
            return json.dumps({"id": "1", "results": {"images": [{"name": "x", "digest": DIGEST}]}})
        elif verb == "artifacts repositories create":
            self.repository = True
        elif verb == "artifacts repositories describe":
            if not self.repository:
                raise ABSENT
            return "{}"
        elif verb == "container clusters list":
            one = {"name": "c1", "location": "europe-west1", "resourceLabels": self.labels}
            return json.dumps([one] if self.exists else [])
        elif verb == "container clusters describe":
            return json.dumps({"name": "c1", "resourceLabels": self.labels})
        elif verb == "compute forwarding-rules list":
            return json.dumps(self.rules)
        elif verb == "container clusters delete":
            self.exists = False
        return "[]"

    async def read(self, command: Command, *, log: str) -> Any:
        return json.loads(await self.run(command, log=log))

    def _kubectl(self, command: Command) -> str:
        verb, *words = command.words
        if verb == "apply":
            text = command.stdin.read_text() if isinstance(command.stdin, Path) else str(command.stdin)
            for item in yaml.safe_load_all(text):
                self._apply(item)
            return ""
        if verb == "delete":
            self._delete([word for word in words if not word.startswith("-")])
            return ""
        assert verb == "get"
        if words[0] == "namespace":
            if ("Namespace", words[1]) not in self.objects:
                raise ABSENT
            return json.dumps(self.objects["Namespace", words[1]])
        if "--all-namespaces" in words:
            return json.dumps({"items": [*self._of("Deployment"), *self.elsewhere]})
        self._looks += 1
        return json.dumps(
            {"items": [item for kind in words[0].split(",") for item in self._of(_KINDS[kind])]}
        )

    def _of(self, kind: str) -> list[dict[str, Any]]:
        if kind == "Pod":
            return [pod for item in self._of("Deployment") for pod in self._pods(item)]
        return [self._with_status(item) for (each, _), item in self.objects.items() if each == kind]

    def _apply(self, item: dict[str, Any]) -> None:
        key = item["kind"], item["metadata"]["name"]
        before = self.objects.get(key)
        meta = {
            **item["metadata"],
            "generation": 1 if before is None else before["metadata"]["generation"] + 1,
        }
        if before is None:
            self._made += 1
        made = f"2026-11-30T12:00:{self._made:02}Z"
        meta["creationTimestamp"] = made if before is None else before["metadata"]["creationTimestamp"]
        self.objects[key] = {**item, "metadata": meta}
        self._looks = 0

    def _delete(self, words: list[str]) -> None:
        if words[0] in ("namespace", "pods"):
            if words[0] == "namespace":
                self.objects.clear()
            return
        pairs = [tuple(word.split("/")) for word in words] if "/" in words[0] else [tuple(words)]
        for kind, name in pairs:
            self.objects.pop((_ONE[kind], name), None)

    def _with_status(self, item: dict[str, Any]) -> dict[str, Any]:
        item, kind = deepcopy(item), item["kind"]
        ready, generation = self._looks >= self.slow, item["metadata"]["generation"]
        status: dict[str, Any] = {}
        if kind == "Deployment":
            many = item["spec"].get("replicas", 1)
            status = {"observedGeneration": generation, "updatedReplicas": many}
            status["availableReplicas"] = many if ready and not self.waits else 0
            if self.given_up:
                missed = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
                status["conditions"] = [{**missed, "lastTransitionTime": self.given_up}]
        said = self.said.get(kind)
        if said is not None:
            kind_of = "Attached" if kind == "GCPBackendPolicy" else "Accepted"
            one = {"type": kind_of, "status": said[0], "reason": said[1], "message": f"about the {kind}"}
            one["observedGeneration"] = generation
            if kind == "HTTPRoute":
                status["parents"] = [{"conditions": [one]}]
            else:
                status["conditions"] = [one]
        if kind == "Gateway" and ready:
            status.setdefault("conditions", []).append({"type": "Programmed", "status": "True"})
            status["addresses"] = [{"type": "IPAddress", "value": "192.0.2.7"}]
        return {**item, "status": status}

    def _pods(self, deployment: dict[str, Any]) -> list[dict[str, Any]]:
        template, many = deployment["spec"]["template"], deployment["spec"].get("replicas", 1)
        waiting = {"waiting": {"reason": self.waits, "message": "it says why"}} if self.waits else {}
        status = {"containerStatuses": [{"name": "app", "state": waiting, "restartCount": 9}]}
        meta = {"name": f"{deployment['metadata']['name']}-x", "labels": template["metadata"]["labels"]}
        return [{"kind": "Pod", "metadata": meta, "status": status}] * many


def manifests(folder: Path, version: str, bundle: str = "d1") -> None:
    """The three files of a release, reduced to what the kit reads of them."""
    own = {
        "app.kubernetes.io/managed-by": "streamproof",
        "app.kubernetes.io/name": "streamproof",
        "streamproof-target": "gke",
    }
    front = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web", "labels": dict(own)}},
        {
            "kind": "Gateway",
            "metadata": {"name": "streamproof", "namespace": "web", "labels": own},
            "spec": {"listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]},
        },
    ]
    name = f"streamproof-{version}"
    labels = {**own, "streamproof-version": version, "streamproof-bundle": bundle}
    meta = {"name": name, "namespace": "web", "labels": labels}
    image = f"europe-west1-docker.pkg.dev/demo-project/streamproof/streamproof:{version}"
    container = {"name": "app", "image": image, "env": [{"name": "PORT", "value": "8080"}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {"replicas": 1, "template": template},
    }
    version_files = [
        deployment,
        {"kind": "Service", "metadata": meta},
        {"kind": "GCPBackendPolicy", "metadata": meta},
        {"kind": "HealthCheckPolicy", "metadata": meta},
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for file, items in (("front.yaml", front), ("version.yaml", version_files)):
        text = "\n---\n".join(yaml.safe_dump(item) for item in items)
        (folder / file).write_text(text)
