"""The answers of kubectl and gcloud about a target on GKE, read. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from kit.errors import Code, KitError
from kit.language import join, text
from kit.platforms.gke import route
from kit.platforms.gke.commands import NAMESPACE_LABEL, VERSION_LABEL, within
from kit.platforms.service import (
    APP_LABEL,
    BUNDLE_LABEL,
    TARGET_LABEL,
    TOKEN_SHA256,
    Place,
    Removal,
    Service,
    Version,
    newest_first,
)

# What a stopped version had, for when it is started again.
REPLICAS: Final = "streamproof-replicas"
_NAME: Final = "app.kubernetes.io/name"

Object = Mapping[str, Any]

# Why a container waits, where it waits for ever (Kubernetes, pkg/kubelet/images and pkg/kubelet/kuberuntime).
# `ErrImagePull` is only the first attempt, `ImagePullBackOff` says that there were more.
_CRASHES: Final = "CrashLoopBackOff"
_HOPELESS: Final = {
    "ImagePullBackOff": text("its image cannot be pulled"),
    "InvalidImageName": text("its image cannot be pulled"),
    "ErrImageNeverPull": text("its image cannot be pulled"),
    "CreateContainerConfigError": text("its container cannot be made"),
    "CreateContainerError": text("its container cannot be made"),
    "RunContainerError": text("its container cannot be started"),
    _CRASHES: text("its container ends again and again"),
}
# A container may end once or twice before what it needs is there.
_CRASHED: Final = 3
# Namespaces of GKE's own.
_SYSTEM: Final = ("kube-", "gke-", "gmp-")
_PULL: Final = text(
    "The nodes pull as the cluster's service account, which needs roles/artifactregistry.reader: "
    "https://cloud.google.com/kubernetes-engine/docs/how-to/service-accounts"
)


@dataclass(frozen=True, slots=True)
class There:
    """What is in the namespace.

    Attributes:
        gateway, route: those of the target's name; None for none.
        deployments, policies, pods: by version, the target's own.
        others: all else that is there, as "deployment/x": not this service's, or another app's.
    """

    gateway: Object | None = None
    route: Object | None = None
    deployments: Mapping[str, Object] = field(default_factory=dict)
    policies: Mapping[str, Object] = field(default_factory=dict)
    pods: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a version has come.

    Attributes:
        error: why it will never be ready; None where it may be.
        missing: what it still takes, in words; empty where it can be asked.
        unsaid: what the load balancer's controller has not said yet, "whether …"; empty for nothing.
    """

    error: KitError | None = None
    missing: str = ""
    unsaid: str = ""


def there(place: Place, answer: Any) -> There:
    """What `get` printed of gateways, routes, deployments, services, policies and pods."""
    gateway = found = None
    deployments: dict[str, Object] = {}
    policies: dict[str, Object] = {}
    pods: dict[str, list[Object]] = {}
    others: list[str] = []
    for item in answer.get("items") or ():
        kind, name, own = item["kind"], item["metadata"]["name"], labels(item)
        ours, version = own.get(TARGET_LABEL) == place.target, own.get(VERSION_LABEL)
        if kind == "Gateway" and name == place.service:
            gateway = item
        elif kind == "HTTPRoute" and name == place.service:
            found = item
        elif ours and version is not None and name == f"{place.service}-{version}":
            if kind == "Deployment":
                deployments[version] = item
            elif kind == "GCPBackendPolicy":
                policies[version] = item
        if ours and version is not None and kind == "Pod" and "deletionTimestamp" not in item["metadata"]:
            pods.setdefault(version, []).append(item)
        if not is_ours(item) or own.get(_NAME) != place.service or _is_anothers(own, place):
            others.append(f"{kind.lower()}/{name}")
    return There(gateway, found, deployments, policies, pods, tuple(others))


def made(place: Place, clusters: Any) -> Place | None:
    """The place in the cluster that the kit made for a target, of all clusters; None where there is none."""
    for one in clusters or ():
        own = one.get("resourceLabels") or {}
        if own.get(TARGET_LABEL) == place.target and not _is_anothers(own, place):
            inside = within(one["name"], own.get(NAMESPACE_LABEL, place.service))
            return replace(place, region=one["location"], within=inside)
    return None


def is_ours(item: Object) -> bool:
    """Whether the kit made an object."""
    return labels(item).get("app.kubernetes.io/managed-by") == "streamproof"


def of_the_target(item: Object, place: Place) -> bool:
    """Whether the kit made an object for this target of this app."""
    own = labels(item)
    return own.get(TARGET_LABEL) == place.target and not _is_anothers(own, place)


def _is_anothers(own: Mapping[str, str], place: Place) -> bool:
    return own.get(APP_LABEL) not in (None, place.app)


def labels(item: Object) -> Mapping[str, str]:
    """An object's labels."""
    found: Mapping[str, str] = item["metadata"].get("labels") or {}
    return found


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
        Version(
            f"{item['kind']} {place.service}",
            *(None, None, 0.0),
            running=False,
            target=labels(item).get(TARGET_LABEL),
            digest=None,
            app=labels(item).get(APP_LABEL),
        )
        for item in (seen.gateway, seen.route)
        if item is not None and not of_the_target(item, place)
    ]
    return Service(place, url, True, newest_first(versions), always=seen.gateway is not None)


def address(gateway: Object | None) -> str | None:
    """Where a Gateway answers, by its listener's host or its own address; no path. None for nowhere."""
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


def listener(gateway: Object | None, settings: Mapping[str, Any] = MappingProxyType({})) -> str:
    """The name of a Gateway's listener; where there is none yet, of the one that settings ask for."""
    if gateway is None:
        return "https" if settings.get("certmap") else "http"
    return str(_listener(gateway).get("name", "http"))


def condition(item: Object | None, kind: str) -> tuple[bool | None, str]:
    """Whether a condition of an object holds, and why not in its own words; None where that is not known yet.

    A route's conditions stand under each Gateway that it is of. One that is about an earlier state of the
    object says nothing of this one.
    """
    if item is None:
        return None, ""
    now = item["metadata"].get("generation")
    states, why = set(), ""
    for one in _conditions(item):
        if one.get("type") == kind and one.get("observedGeneration", now) == now:
            states.add(one.get("status"))
            if one.get("status") == "False":
                why = f"{one.get('reason', '')}: {one.get('message', '')}".strip(": ")
    return (False if "False" in states else True if "True" in states else None), why


def is_ready(deployment: Object) -> bool:
    """Whether all the pods that a deployment wants are ready."""
    wanted, status = replicas(deployment), deployment.get("status") or {}
    seen = status.get("observedGeneration") == deployment["metadata"].get("generation")
    return bool(
        seen and wanted and wanted == status.get("updatedReplicas") == status.get("availableReplicas")
    )


def given_up_at(deployment: Object) -> str:
    """When the cluster gave a version up; empty where it has not."""
    for one in _conditions(deployment):
        if one.get("reason") == "ProgressDeadlineExceeded" and one.get("status") == "False":
            return str(one.get("lastTransitionTime", "some time"))
    return ""


def standing(place: Place, there: There, version: str, *, forgiven: str = "") -> Standing:
    """How far a version has come, by what its pods, the Gateway, the route and its policy say.

    That the cluster gave it up at the time `forgiven` says nothing of the pods that were made since.
    """
    deployment, pods = there.deployments.get(version), there.pods.get(version, ())
    if (error := _hopeless(version, deployment, pods, forgiven)) is not None:
        return Standing(error)
    policy = text("the policy of {version}", version=version)
    takes = {
        text("the Gateway {name}", name=place.service): condition(there.gateway, "Accepted"),
        text("the route {name}", name=place.service): condition(there.route, "Accepted"),
        policy: condition(there.policies.get(version), "Attached"),
    }
    for what, (state, why) in takes.items():
        if state is False:
            refuses = (
                text("The load balancer does not attach {what}: {why}.")
                if what is policy
                else text("The load balancer does not take {what}: {why}.")
            )
            hint = text(
                "Correct what it names; `kubectl describe` shows more. Nothing of the traffic was moved."
            )
            return Standing(KitError(Code.GCLOUD_FAILED, refuses.format(what=what, why=_clause(why)), hint))
    missing = []
    if deployment is None or not is_ready(deployment):
        missing.append(_pods_wait(pods) or text("its pods are not ready"))
    if condition(there.gateway, "Programmed")[0] is not True or address(there.gateway) is None:
        missing.append(text("the load balancer is not there yet"))
    unsaid = [what for what, (state, _) in takes.items() if state is None]
    return Standing(
        missing=join("; ", missing),
        unsaid=text("whether the load balancer takes {what}", what=join(" and ", unsaid)) if unsaid else "",
    )


def _hopeless(
    version: str, deployment: Object | None, pods: Sequence[Object], forgiven: str
) -> KitError | None:
    """Why a version's pods will never be ready; None where they may be yet."""
    for one in _conditions(deployment) if deployment is not None else ():
        if one.get("type") == "ReplicaFailure" and one.get("status") == "True":
            said = text(
                "The cluster makes no pod for {version}: {why}.",
                version=version,
                why=_clause(one.get("message") or text("it does not say why")),
            )
            return KitError(Code.SERVICE_NOT_READY, said, text("Correct what it names; deploy again."))
    given_up = given_up_at(deployment) if deployment is not None else ""
    if given_up and given_up != forgiven:
        why = _pods_wait(pods) or text("its pods are not ready in time")
        said = text(
            "{version} is not ready, and the cluster has given it up: {why}.",
            version=version,
            why=_clause(why),
        )
        return KitError(Code.SERVICE_NOT_READY, said, text("`kit logs` shows what it printed."))
    for status in _containers(pods):
        waits = (status.get("state") or {}).get("waiting") or {}
        reason = str(waits.get("reason", ""))
        if reason not in _HOPELESS or (reason == _CRASHES and status.get("restartCount", 0) < _CRASHED):
            continue
        more = f" ({_clause(waits['message'])})" if waits.get("message") else ""
        pulls = "pulled" in _HOPELESS[reason]
        said = text(
            "{version} does not start: {means}, {reason}{more}.",
            version=version,
            means=_HOPELESS[reason],
            reason=reason,
            more=more,
        )
        hint = _PULL if pulls else text("`kit logs` shows what it printed.")
        return KitError(Code.SERVICE_NOT_READY, said, hint)
    return None


def _pods_wait(pods: Sequence[Object]) -> str:
    """What pods wait for, in the cluster's own words; empty where it does not say."""
    for status in _containers(pods):
        waits = (status.get("state") or {}).get("waiting") or {}
        if waits.get("reason"):
            return text("its pods wait: {waits}", waits=waits["reason"])
    for one in (condition for pod in pods for condition in _conditions(pod)):
        if one.get("status") == "False" and one.get("message"):
            return text(
                "its pods wait: {reason}, {message}",
                reason=one.get("reason", ""),
                message=_clause(one["message"]),
            )
    return ""


def scaled(deployment: Object, wanted: int) -> dict[str, Any]:
    """A deployment as it is applied with other replicas; it keeps in mind how many it had."""
    meta, had = deployment["metadata"], replicas(deployment) or stopped_at(deployment)
    return {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": meta["labels"],
            "annotations": {REPLICAS: str(had)},
        },
        "spec": {**deployment["spec"], "replicas": wanted},
    }


def replicas(deployment: Object) -> int:
    """How many pods a deployment wants."""
    return int(deployment["spec"].get("replicas", 1))


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
            text("The image was built, and `gcloud builds submit` does not name its digest."),
            text("Run it again; `gcloud builds list --limit=1` shows what came of the build."),
        ) from None


def workloads(answer: Any, namespace: str) -> tuple[str, ...]:
    """Of all deployments of a cluster those that are neither in this namespace nor the cluster's own."""
    names = (item["metadata"] for item in answer.get("items") or ())
    return tuple(
        f"{one['namespace']}/{one['name']}"
        for one in names
        if one["namespace"] != namespace and not one["namespace"].startswith(_SYSTEM)
    )


def left_over(place: Place, namespace: str, rules: Any, groups: Any) -> tuple[Removal, ...]:
    """Of a project's forwarding rules and endpoint groups those that were this Gateway's.

    GKE names them "gkegw1-HASH-NAMESPACE-NAME-…" and "k8s1-…", and describes them by namespace and name.
    """
    kinds = (
        (rules, "forwarding rule", "forwarding-rules delete {name} --global"),
        (groups, "network endpoint group", "network-endpoint-groups delete {name} --zone={zone}"),
    )
    found = []
    for answer, kind, line in kinds:
        for one in answer or ():
            name, said = str(one.get("name", "")), str(one.get("description", ""))
            # A long name is cut, its description is whole.
            ours = f"-{namespace}-{place.service}-" in f"{name}-" or f"{namespace}/{place.service}" in said
            if name.startswith(("gkegw", "k8s1-")) and ours:
                zone = str(one.get("zone", "")).rpartition("/")[2]
                words = f"gcloud compute {line.format(name=name, zone=zone)} --project={place.project}"
                found.append(
                    Removal(
                        text(
                            "the {kind} {name}, which outlived its Gateway: `{words}`",
                            kind=kind,
                            name=name,
                            words=words,
                        ),
                        None,
                    )
                )
    return tuple(found)


def _version(name: str, item: Object, share: float, url: str | None) -> Version:
    own, many = labels(item), replicas(item)
    return Version(
        name=name,
        url=f"{url}/{name}/" if url is not None else None,
        created_at=item["metadata"].get("creationTimestamp"),
        traffic=share,
        running=many > 0,
        target=own.get(TARGET_LABEL),
        digest=own.get(BUNDLE_LABEL),
        min_instances=many,
        token_sha256=_variables(item).get(TOKEN_SHA256),
        ready=url is not None and is_ready(item),
        app=own.get(APP_LABEL),
    )


def _variables(deployment: Object) -> dict[str, str]:
    containers: Iterable[Object] = deployment["spec"]["template"]["spec"].get("containers") or ()
    return {
        one["name"]: one["value"] for each in containers for one in each.get("env") or () if "value" in one
    }


def _containers(pods: Sequence[Object]) -> Iterator[Object]:
    for pod in pods:
        yield from (pod.get("status") or {}).get("containerStatuses") or ()


def _conditions(item: Object) -> Iterator[Object]:
    status = item.get("status") or {}
    yield from status.get("conditions") or ()
    for parent in status.get("parents") or ():
        yield from parent.get("conditions") or ()


def _listener(gateway: Object) -> Object:
    return next(iter(gateway.get("spec", {}).get("listeners") or ()), {})


def _clause(said: str) -> str:
    """What the cluster said, on one line, shortened, without its full stop."""
    folded = " ".join(said.split()).rstrip(".")
    if folded == said:
        return said
    return f"{folded[:300]}…" if len(folded) > 300 else folded
