"""One service of Cloud Run as its API knows it: what was asked for, its revisions, what has come of it.

Pure: nothing runs here. https://cloud.google.com/run/docs/reference/rest/v1/namespaces.services
"""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from kit.rehearsal.storage import now
from kit.rehearsal.wire import ApiError

API = "serving.knative.dev/v1"
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LATEST = {"latestRevision": True, "percent": 100}


@dataclass
class Revision:
    """One revision. `ready`: None until that is known; `why` it is not."""

    name: str
    template: Mapping[str, Any]
    labels: Mapping[str, str]
    generation: int
    image_digest: str
    created: str = field(default_factory=now)
    ready: bool | None = None
    why: str = ""
    changed: str = field(default_factory=now)
    uid: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its container that are texts."""
        return {each["name"]: each.get("value", "") for each in self._variables if "valueFrom" not in each}

    @property
    def secrets(self) -> dict[str, dict[str, str]]:
        """Those that are secrets: by variable the secret's `name` and `key`, its version."""
        return {
            each["name"]: each["valueFrom"]["secretKeyRef"] for each in self._variables if "valueFrom" in each
        }

    @property
    def _variables(self) -> list[dict[str, Any]]:
        variables: list[dict[str, Any]] = self.container.get("env", [])
        return variables

    @property
    def container(self) -> Mapping[str, Any]:
        """Its only container."""
        container: Mapping[str, Any] = self.template["spec"]["containers"][0]
        return container


class Service:
    """One service.

    Attributes:
        name: its name. region: where it is.
        url: its URL. tag_urls: those of its tags.
        policy: its IAM policy.
        revisions: by name, oldest first.
        traffic: what really goes where, as the API shows it.
    """

    def __init__(self, name: str, region: str, namespace: str) -> None:
        self.name = name
        self.region = region
        self.url = ""
        self.tag_urls: dict[str, str] = {}
        self.policy: dict[str, Any] = {"etag": "ACAB"}
        self.revisions: dict[str, Revision] = {}
        self.traffic: list[dict[str, Any]] = []
        self._namespace = namespace
        self._uid = secrets.token_hex(16)
        self._created = now()
        self._labels: dict[str, str] = {}
        self._annotations: dict[str, str] = {}
        self._spec: dict[str, Any] = {}
        self._generation = 0
        self._version = ""
        self._settled = True
        self._latest_created: str | None = None
        self._latest_ready: str | None = None

    def apply(self, body: Mapping[str, Any], operation: str) -> Revision | None:
        """Take what a client asks for; the revision that it makes necessary, not ready yet, if it does.

        Raises ApiError, having changed nothing, for what Cloud Run refuses.
        """
        metadata, spec = body["metadata"], deepcopy(body["spec"])
        given = metadata.get("resourceVersion")
        if given and given != self._version:
            raise ApiError(
                "ABORTED",
                f"Conflict for resource '{self.name}': version '{given}' was specified but current version "
                f"is '{self._version}'.",
            )
        spec.setdefault("traffic", [dict(_LATEST)])
        revision = None
        if spec["template"] != self._spec.get("template"):
            revision = self._stamp(spec["template"])
        self._check_traffic(spec["traffic"], revision)

        self._generation += 1
        self._version = f"AAY{secrets.token_urlsafe(6)}"
        self._spec = spec
        self._settled = False
        self._labels = {**metadata.get("labels", {}), "cloud.googleapis.com/location": self.region}
        self._annotations = {
            **metadata.get("annotations", {}),
            "serving.knative.dev/creator": "somebody@example.com",
            "serving.knative.dev/lastModifier": "somebody@example.com",
            "run.googleapis.com/ingress": metadata.get("annotations", {}).get(
                "run.googleapis.com/ingress", "all"
            ),
            "run.googleapis.com/ingress-status": "all",
            "run.googleapis.com/operation-id": operation,
        }
        if revision is not None:
            self.revisions[revision.name] = revision
            self._latest_created = revision.name
        return revision

    def settle(self, revision: Revision | None, why: str = "") -> None:
        """A revision became ready, or did not, and why; the traffic follows. None: nothing but traffic."""
        self._settled = True
        if revision is not None:
            revision.ready, revision.why, revision.changed = not why, why, now()
            if not why:
                self._latest_ready = revision.name
        if revision is None or not why:
            self.traffic = [
                self._resolved(target) for target in self._spec["traffic"] if self._serves(target)
            ]

    @property
    def shares(self) -> dict[str, float]:
        """Revision to its share of the traffic, from 0 to 1."""
        shares: dict[str, float] = {}
        for target in self.traffic:
            if percent := target.get("percent"):
                shares[target["revisionName"]] = shares.get(target["revisionName"], 0) + percent / 100
        return shares

    @property
    def tags(self) -> dict[str, str]:
        """Tag to revision."""
        return {target["tag"]: target["revisionName"] for target in self.traffic if "tag" in target}

    @property
    def public(self) -> bool:
        """Whether it is public."""
        return self._annotations.get("run.googleapis.com/invoker-iam-disabled") == "true" or any(
            binding["role"] == "roles/run.invoker" and "allUsers" in binding["members"]
            for binding in self.policy.get("bindings", ())
        )

    def delete_revision(self, name: str) -> None:
        """Raises ApiError for one that cannot go.

        "able to receive traffic", "the only revision", "the latest revision":
        https://docs.cloud.google.com/run/docs/managing/revisions
        """
        used = {target["revisionName"] for target in self.traffic}
        if name in used:
            why = "it is able to receive traffic: it has a share of the traffic, or a tag"
        elif name == self._latest_created:
            why = "it is the latest revision of its service"
        else:
            del self.revisions[name]
            return
        raise ApiError("FAILED_PRECONDITION", f"Revision '{name}' cannot be deleted: {why}.")

    def resource(self) -> dict[str, Any]:
        """As the API shows it."""
        latest = self.revisions.get(self._latest_created or "")
        assert latest is not None, "a service without a revision was never applied"
        known = latest.ready if self._settled else None
        ready = _condition("Ready", known, latest.why, latest.changed)
        return {
            "apiVersion": API,
            "kind": "Service",
            "metadata": {
                "name": self.name,
                "namespace": self._namespace,
                "selfLink": f"/apis/{API}/namespaces/{self._namespace}/services/{self.name}",
                "uid": self._uid,
                "resourceVersion": self._version,
                "generation": self._generation,
                "creationTimestamp": self._created,
                "labels": self._labels,
                "annotations": {**self._annotations, "run.googleapis.com/urls": json.dumps([self.url])},
            },
            "spec": self._spec,
            "status": {
                "observedGeneration": self._generation,
                "conditions": [
                    ready,
                    {**ready, "type": "ConfigurationsReady"},
                    {**ready, "type": "RoutesReady"},
                ],
                "url": self.url,
                "address": {"url": self.url},
                "traffic": [
                    target
                    | ({"url": self.tag_urls[tag]} if (tag := target.get("tag")) in self.tag_urls else {})
                    for target in self.traffic
                ],
                **({"latestCreatedRevisionName": self._latest_created} if self._latest_created else {}),
                **({"latestReadyRevisionName": self._latest_ready} if self._latest_ready else {}),
            },
        }

    def revision_resource(self, name: str) -> dict[str, Any]:
        """A revision as the API shows it."""
        revision = self.revisions[name]
        metadata = revision.template.get("metadata", {})
        serving = name in self.shares
        conditions = [
            _condition(kind, revision.ready, revision.why, revision.changed)
            for kind in ("Ready", "ContainerHealthy", "ResourcesAvailable")
        ]
        active = {**_condition("Active", serving, "", revision.changed), "severity": "Info"}
        return {
            "apiVersion": API,
            "kind": "Revision",
            "metadata": {
                "name": name,
                "namespace": self._namespace,
                "selfLink": f"/apis/{API}/namespaces/{self._namespace}/revisions/{name}",
                "uid": revision.uid,
                "resourceVersion": f"AAY{revision.uid[:8]}",
                "generation": 1,
                "creationTimestamp": revision.created,
                "labels": dict(revision.labels),
                "annotations": {
                    **metadata.get("annotations", {}),
                    "serving.knative.dev/creator": "somebody@example.com",
                },
            },
            "spec": revision.template["spec"],
            "status": {
                "observedGeneration": 1,
                "conditions": [*conditions, active],
                "imageDigest": revision.image_digest,
                "logUrl": "https://console.cloud.google.com/logs/viewer?project=demo-project",
            },
        }

    def _stamp(self, template: Mapping[str, Any]) -> Revision:
        metadata = template.get("metadata", {})
        generation = self._generation + 1
        suffix = "".join(secrets.choice(string.ascii_lowercase) for _ in range(3))
        name = metadata.get("name") or f"{self.name}-{generation:05d}-{suffix}"
        if name in self.revisions:
            raise ApiError(
                "ALREADY_EXISTS", f"Revision named '{name}' with different configuration already exists."
            )
        if not name.startswith(f"{self.name}-") or not _NAME.fullmatch(name) or len(name) > 63:
            raise ApiError(
                "INVALID_ARGUMENT",
                f"metadata.name: Revision name '{name}' must be prefixed by the name of the enclosing "
                "Service with a trailing -, and have at most 63 characters, a-z, 0-9 and -.",
            )
        labels = {
            **metadata.get("labels", {}),
            "serving.knative.dev/service": self.name,
            "serving.knative.dev/serviceUid": self._uid,
            "serving.knative.dev/configuration": self.name,
            "serving.knative.dev/configurationGeneration": str(generation),
            "serving.knative.dev/route": self.name,
            "cloud.googleapis.com/location": self.region,
        }
        image = template["spec"]["containers"][0]["image"]
        return Revision(name, template, labels, generation, image)

    def _check_traffic(self, traffic: list[dict[str, Any]], new: Revision | None) -> None:
        known = {*self.revisions, *([new.name] if new else [])}
        tags = [target["tag"] for target in traffic if target.get("tag")]
        wrong = None
        if sum(target.get("percent", 0) for target in traffic) != 100:
            wrong = "traffic: the percentages must add up to 100."
        elif len(set(tags)) < len(tags):
            wrong = "traffic: a tag can be given to one revision only."
        for target in traffic:
            if not target.get("latestRevision") and target.get("revisionName") not in known:
                wrong = f"traffic: Revision '{target.get('revisionName')}' not found."
        for tag in tags:
            # https://cloud.google.com/run/docs/rollouts-rollbacks-traffic-migration: tag and service together
            if not _NAME.fullmatch(tag) or len(tag) + len(self.name) > 46:
                wrong = f"traffic.tag: '{tag}' is no tag, or is too long together with the service's name."
        if wrong:
            raise ApiError("INVALID_ARGUMENT", wrong)

    def _serves(self, target: Mapping[str, Any]) -> bool:
        return not target.get("latestRevision") or self._latest_ready is not None

    def _resolved(self, target: Mapping[str, Any]) -> dict[str, Any]:
        name = self._latest_ready if target.get("latestRevision") else target["revisionName"]
        return {**target, "revisionName": name}


def _condition(kind: str, ready: bool | None, why: str, changed: str) -> dict[str, Any]:
    status = {True: "True", False: "False", None: "Unknown"}[ready]
    reason = {"reason": "HealthCheckContainerError", "message": why} if why else {}
    return {"type": kind, "status": status, "lastTransitionTime": changed, **reason}
