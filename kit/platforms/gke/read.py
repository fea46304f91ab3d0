"""What kubectl and gcloud answer about a target on GKE, read. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kit.errors import Code, KitError
from kit.platforms.gke import route
from kit.platforms.service import (
    BUNDLE_LABEL,
    TARGET_LABEL,
    TOKEN_SHA256,
    Place,
    Service,
    Version,
    newest_first,
)

VERSION_LABEL: Final = "streamproof-version"
# What a stopped version had, for when it is started again.
REPLICAS: Final = "streamproof-replicas"

Object = Mapping[str, Any]

# Why a container waits, where it waits for ever (kubelet's pkg/kubelet/images and kuberuntime). `ErrImagePull`
# is only the first attempt, `ImagePullBackOff` says that there were more.
_HOPELESS: Final = {
    "ImagePullBackOff": "its image cannot be pulled",
    "InvalidImageName": "its image cannot be pulled",
    "ErrImageNeverPull": "its image cannot be pulled",
    "CreateContainerConfigError": "its container cannot be made",
    "CreateContainerError": "its container cannot be made",
    "RunContainerError": "its container cannot be started",
    "CrashLoopBackOff": "its container ends again and again",
}
_PULL: Final = (
    "The nodes pull as the cluster's service account, which needs roles/artifactregistry.reader: "
    "https://cloud.google.com/kubernetes-engine/docs/how-to/service-accounts"
)


@dataclass(frozen=True, slots=True)
class There:
    """What is in the namespace.

    Attributes:
        gateway, route: those of the target's name; None for none.
        deployments, policies: by version, the target's own.
        others: all else that is there, as "deployment/x": not the kit's.
    """

    gateway: Object | None = None
    route: Object | None = None
    deployments: Mapping[str, Object] = field(default_factory=dict)
    policies: Mapping[str, Object] = field(default_factory=dict)
    others: tuple[str, ...] = ()


def there(place: Place, answer: Any) -> There:
    """What `get` printed of gateways, routes, deployments, services and policies."""
    gateway = found = None
    deployments, policies, others = {}, {}, []
    for item in answer.get("items") or ():
        kind, name, labels = item["kind"], item["metadata"]["name"], _labels(item)
        ours, version = labels.get(TARGET_LABEL) == place.target, labels.get(VERSION_LABEL)
        if kind == "Gateway" and name == place.service:
            gateway = item
        elif kind == "HTTPRoute" and name == place.service:
            found = item
        elif ours and version is not None and name == f"{place.service}-{version}":
            if kind == "Deployment":
                deployments[version] = item
            elif kind == "GCPBackendPolicy":
                policies[version] = item
        if labels.get("app.kubernetes.io/managed-by") != "streamproof":
            others.append(f"{kind.lower()}/{name}")
    return There(gateway, found, deployments, policies, tuple(others))


def service(place: Place, seen: There) -> Service | None:
    """What is there; None where nothing of the target's name is."""
    if seen.gateway is None and seen.route is None and not seen.deployments:
        return None
    url = address(seen.gateway)
    shares, own = route.shares_of(place, seen.route), route.opened(seen.route)
    versions = [
        _version(name, item, shares.get(name, 0.0), url if name in own else None)
        for name, item in seen.deployments.items()
    ]
    versions += [
        Version(name, None, None, share, running=True, target=None, digest=None)
        for name, share in shares.items()
        if share and name not in seen.deployments
    ]
    versions += [
        Version(f"{item['kind']} {place.service}", None, None, 0.0, running=False, target=None, digest=None)
        for item in (seen.gateway, seen.route)
        if item is not None and _labels(item).get(TARGET_LABEL) != place.target
    ]
    return Service(place, url, True, newest_first(versions), always=seen.gateway is not None)


def address(gateway: Object | None) -> str | None:
    """Where a Gateway answers: its listener's host or its own address, without a path; None where it has none."""
    if gateway is None:
        return None
    listener = _listener(gateway)
    secure, port = listener.get("protocol") == "HTTPS", int(listener.get("port", 80))
    addresses = gateway.get("status", {}).get("addresses") or ()
    host = next((str(each["value"]) for each in addresses if each.get("value")), None)
    if host is None:
        return None
    host = listener.get("hostname") or (f"[{host}]" if ":" in host else host)
    usual = port == (443 if secure else 80)
    return f"{'https' if secure else 'http'}://{host}{'' if usual else f':{port}'}"


def listener(gateway: Object | None) -> str:
    """The name of a Gateway's listener."""
    return str(_listener(gateway).get("name", "http")) if gateway is not None else "http"


def condition(item: Object | None, kind: str) -> tuple[bool | None, str]:
    """Whether a condition of an object holds, and its own words for it; None where that is not known (yet).

    A route's conditions stand under each Gateway that it is of; one that is about an earlier state of the object says
    nothing of this one.
    """
    if item is None:
        return None, ""
    now = item["metadata"].get("generation")
    status = item.get("status") or {}
    parents = (parent.get("conditions") or () for parent in status.get("parents") or ())
    found: list[Object] = [*(status.get("conditions") or ()), *(one for parent in parents for one in parent)]
    states, words = set(), ""
    for one in found:
        if one.get("type") == kind and one.get("observedGeneration", now) == now:
            states.add(one.get("status"))
            if one.get("status") == "False":
                words = f"{one.get('reason', '')}: {one.get('message', '')}".strip(": ")
    if "False" in states:
        return False, words
    return (True if "True" in states else None), words


def is_ready(deployment: Object) -> bool:
    """Whether all of its pods are ready."""
    wanted, status = _replicas(deployment), deployment.get("status") or {}
    seen = status.get("observedGeneration") == deployment["metadata"].get("generation")
    return bool(
        seen and wanted and wanted == status.get("updatedReplicas") == status.get("availableReplicas")
    )


def trouble(answer: Any, name: str) -> KitError | None:
    """Why a version's pods will never be ready; None where they may be yet.

    Args:
        answer: what `get` printed of its deployment and pods.
        name: the version's.
    """
    for item in answer.get("items") or ():
        if item["kind"] == "Deployment":
            failed, words = _condition_true(item, "ReplicaFailure")
            if failed:
                text = f"The cluster makes no pod for {name}: {words}"
                return KitError(
                    Code.SERVICE_NOT_READY, _sentence(text), "Mend what it names; then deploy again."
                )
        for status in _containers(item):
            waiting = (status.get("state") or {}).get("waiting") or {}
            reason = str(waiting.get("reason", ""))
            if reason in _HOPELESS:
                said = f" ({waiting['message']})" if waiting.get("message") else ""
                text = f"{name} does not start: {_HOPELESS[reason]}, {reason}{said}"
                hint = _PULL if "pulled" in _HOPELESS[reason] else "`kit logs` shows what it printed."
                return KitError(Code.SERVICE_NOT_READY, _sentence(text), hint)
    return None


def waiting(answer: Any) -> str:
    """What a version's pods wait for, in the cluster's own words; empty where it does not say."""
    for item in answer.get("items") or ():
        for one in (item.get("status") or {}).get("conditions") or ():
            if item["kind"] == "Pod" and one.get("status") == "False" and one.get("message"):
                return f"{one.get('reason', 'waiting')}: {one['message']}"
        for status in _containers(item):
            reason = ((status.get("state") or {}).get("waiting") or {}).get("reason")
            if reason:
                return str(reason)
    return ""


def scaled(deployment: Object, replicas: int) -> dict[str, Any]:
    """A deployment as it is applied with other replicas; it keeps in mind how many it had."""
    meta, had = deployment["metadata"], _replicas(deployment) or stopped_at(deployment)
    return {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": meta["labels"],
            "annotations": {REPLICAS: str(had)},
        },
        "spec": {**deployment["spec"], "replicas": replicas},
    }


def stopped_at(deployment: Object) -> int:
    """With how many replicas a stopped deployment ran."""
    return int((deployment["metadata"].get("annotations") or {}).get(REPLICAS, 1))


def digest(stdout: str) -> str:
    """The image's digest, of what `builds submit` printed.

    Raises:
        KitError: GCLOUD_FAILED; it names none.
    """
    try:
        return str(json.loads(stdout)["results"]["images"][0]["digest"])
    except (ValueError, LookupError, TypeError):
        raise KitError(
            Code.GCLOUD_FAILED,
            "The image was built, and `gcloud builds submit` does not name its digest.",
            "Run it again; `gcloud builds list --limit=1` shows what came of the build.",
        ) from None


def left_over(place: Place, namespace: str, rules: Any, groups: Any) -> tuple[str, ...]:
    """Of a project's forwarding rules and endpoint groups those that were this Gateway's, in words.

    GKE names and describes them by namespace and Gateway ("gkegw1-HASH-NAMESPACE-NAME-…", "k8s1-…").
    """
    return (
        *(f"the forwarding rule {name}" for name in _named(place, namespace, rules)),
        *(f"the network endpoint group {name}" for name in _named(place, namespace, groups)),
    )


def _named(place: Place, namespace: str, answer: Any) -> Iterator[str]:
    for one in answer or ():
        name, said = str(one.get("name", "")), str(one.get("description", ""))
        # Long names are cut, the description is whole.
        ours = f"-{namespace}-{place.service}-" in f"{name}-" or f"{namespace}/{place.service}" in said
        if name.startswith(("gkegw", "k8s1-")) and ours:
            yield name


def _version(name: str, item: Object, share: float, url: str | None) -> Version:
    labels, replicas = _labels(item), _replicas(item)
    return Version(
        name=name,
        url=f"{url}/{name}/" if url is not None else None,
        created_at=item["metadata"].get("creationTimestamp"),
        traffic=share,
        running=replicas > 0,
        target=labels.get(TARGET_LABEL),
        digest=labels.get(BUNDLE_LABEL),
        min_instances=replicas,
        token_sha256=_variables(item).get(TOKEN_SHA256),
        ready=url is not None and is_ready(item),
    )


def _variables(deployment: Object) -> dict[str, str]:
    containers: Iterable[Object] = deployment["spec"]["template"]["spec"].get("containers") or ()
    return {
        one["name"]: one["value"] for each in containers for one in each.get("env") or () if "value" in one
    }


def _replicas(deployment: Object) -> int:
    return int(deployment["spec"].get("replicas", 1))


def _containers(item: Object) -> Sequence[Object]:
    return ((item.get("status") or {}).get("containerStatuses") or ()) if item["kind"] == "Pod" else ()


def _condition_true(item: Object, kind: str) -> tuple[bool, str]:
    for one in (item.get("status") or {}).get("conditions") or ():
        if one.get("type") == kind and one.get("status") == "True":
            return True, str(one.get("message", ""))
    return False, ""


def _listener(gateway: Object) -> Object:
    return next(iter(gateway.get("spec", {}).get("listeners") or ()), {})


def _labels(item: Object) -> Mapping[str, str]:
    return item["metadata"].get("labels") or {}


def _sentence(text: str) -> str:
    text = " ".join(text.split()).rstrip(".")
    return f"{text[:300]}…" if len(text) > 300 else f"{text}."
