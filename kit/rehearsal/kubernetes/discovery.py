"""The API's description of itself, so that clients find its kinds. Pure.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api. Of the schemas kubectl gets a
stub, which says that a kind can be applied; what is wrong with an object, the server says.
"""

from __future__ import annotations

from typing import Any

from kit.rehearsal.kubernetes.kinds import DEPLOYMENT, KINDS, POD, SERVICE, Kind
from kit.rehearsal.wire import Response

_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
_ALL = (POD, SERVICE, DEPLOYMENT)  # what `kubectl get all` means
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def answer(path: str, accept: str, minor: int) -> Response | None:
    """What is answered at a path; None where nothing of all this is."""
    roots = sorted({kind.root for kind in KINDS})
    if path == "/version":
        return Response(_version(minor))
    if path in ("/api", "/apis"):
        if "v=v2;" in accept:
            return Response(_groups(path), 200, {"content-type": _AGGREGATED})
        return Response(_plain_groups(path))
    if path in roots:
        return Response(_resources(path))
    if path == "/openapi/v3":
        paths = {root[1:]: {"serverRelativeURL": f"/openapi/v3{root}?hash=1"} for root in roots}
        return Response({"paths": paths})
    if (root := path.removeprefix("/openapi/v3")) in roots:
        return Response(_schema(root))
    return None


def _version(minor: int) -> dict[str, str]:
    return {
        "major": "1",
        "minor": str(minor),
        "gitVersion": f"v1.{minor}.1-gke.1000000",
        "gitCommit": "0" * 40,
        "gitTreeState": "clean",
        "buildDate": "2026-01-02T03:04:05Z",
        "goVersion": "go1.24",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def _groups(path: str) -> dict[str, Any]:
    items = []
    for root in sorted({kind.root for kind in KINDS if kind.root.startswith(f"{path}/")}):
        kinds = [kind for kind in KINDS if kind.root == root]
        resources = [
            {
                "resource": kind.plural,
                "responseKind": _gvk(kind),
                "scope": "Namespaced" if kind.namespaced else "Cluster",
                "singularResource": kind.name.lower(),
                "verbs": _VERBS,
                "categories": ["all"] if kind in _ALL else [],
                **({"shortNames": list(kind.short)} if kind.short else {}),
                **({"subresources": [_LOG]} if kind is POD else {}),
            }
            for kind in kinds
        ]
        version = {"version": kinds[0].version, "resources": resources, "freshness": "Current"}
        meta = {"name": kinds[0].group} if kinds[0].group else {}
        items.append({"metadata": meta, "versions": [version]})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


_LOG = {
    "subresource": "log",
    "responseKind": {"group": "", "version": "v1", "kind": "Pod"},
    "verbs": ["get"],
}


def _plain_groups(path: str) -> dict[str, Any]:
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    groups = []
    for group, version in sorted({(kind.group, kind.version) for kind in KINDS if kind.group}):
        one = {"groupVersion": f"{group}/{version}", "version": version}
        groups.append({"name": group, "versions": [one], "preferredVersion": one})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def _resources(root: str) -> dict[str, Any]:
    kinds = [kind for kind in KINDS if kind.root == root]
    resources: list[dict[str, Any]] = [
        {
            "name": kind.plural,
            "singularName": kind.name.lower(),
            "namespaced": kind.namespaced,
            "kind": kind.name,
            "verbs": _VERBS,
            **({"shortNames": list(kind.short)} if kind.short else {}),
        }
        for kind in kinds
    ]
    if POD in kinds:
        log = {"name": "pods/log", "singularName": "", "namespaced": True, "kind": "Pod", "verbs": ["get"]}
        resources.append(log)
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": kinds[0].api_version,
        "resources": resources,
    }


def _schema(root: str) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string"}}
        for name in ("dryRun", "fieldManager", "fieldValidation")
    ]
    paths, schemas = {}, {}
    for kind in KINDS:
        if kind.root == root:
            place = f"{root}/namespaces/{{namespace}}" if kind.namespaced else root
            operation = {"parameters": parameters, "x-kubernetes-group-version-kind": _gvk(kind)}
            paths[f"{place}/{kind.plural}/{{name}}"] = {
                "patch": {**operation, "x-kubernetes-action": "patch"},
                "put": {**operation, "x-kubernetes-action": "put"},
            }
            schemas[kind.name] = {"type": "object", "x-kubernetes-group-version-kind": [_gvk(kind)]}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _gvk(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "kind": kind.name}
