"""The HTTPRoute of one target: which version answers where, and with which share. Pure.

Each version has a rule of its own, `/VERSION` rewritten to `/`; the last rule divides all other requests by
weights. What the load balancer has no rule for it answers with 404.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kit.platforms.gke.commands import marks
from kit.platforms.service import TARGET_LABEL, Place

PORT: Final = 80
# A route has at most 16 rules, and a rule 16 backends (gateway.networking.k8s.io_httproutes.yaml).
_MOST_RULES: Final = 16


def kept(newest_first: Sequence[str], shares: Mapping[str, float]) -> tuple[str, ...]:
    """The versions that a route has room for: those that serve, then the newest; in the order given."""
    serving = [name for name in newest_first if shares.get(name)]
    others = [name for name in newest_first if not shares.get(name)]
    chosen = [*serving, *others][: _MOST_RULES - 1]
    return tuple(name for name in newest_first if name in chosen)


def route(place: Place, namespace: str, listener: str, shares: Mapping[str, int]) -> dict[str, Any]:
    """The route, as it is applied.

    Args:
        place: whose.
        namespace: where it is.
        listener: the name of the Gateway's listener.
        shares: by version its weight; at most 15. Where none has any, nothing serves yet: then there is no
            last rule, since one without a weight forwards nothing.
    """
    rules = [_own_rule(place, version) for version in shares]
    if any(shares.values()):
        backends = [{**_backend(place, version), "weight": weight} for version, weight in shares.items()]
        rules.append({"matches": [_prefix("/")], "backendRefs": backends})
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {
            "name": place.service,
            "namespace": namespace,
            "labels": {
                "app.kubernetes.io/name": place.service,
                "app.kubernetes.io/managed-by": "streamproof",
                TARGET_LABEL: place.target,
                **marks(place),
            },
        },
        "spec": {
            "parentRefs": [{"name": place.service, "sectionName": listener}],
            "rules": rules,
        },
    }


def shares_of(place: Place, found: Mapping[str, Any] | None) -> dict[str, float]:
    """By version its share of the traffic, from 0 to 1. Another's backend goes by its own name.

    Args:
        place: whose.
        found: the route, as the cluster has it; None for none.
    """
    backends: list[Mapping[str, Any]] = []
    for rule in _rules(found):
        matches: Sequence[Mapping[str, Any]] = rule.get("matches") or ({},)
        if any(match.get("path", {}).get("value", "/") == "/" for match in matches):
            backends = rule.get("backendRefs") or []
    weights: dict[str, int] = {}
    for backend in backends:
        name = backend["name"].removeprefix(f"{place.service}-")
        weights[name] = weights.get(name, 0) + int(backend.get("weight", 1))
    total = sum(weights.values())
    return {name: weight / total if total else 0.0 for name, weight in weights.items()}


def opened(found: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The versions that have a rule of their own in a route."""
    values = (
        match.get("path", {}).get("value", "/")
        for rule in _rules(found)
        for match in rule.get("matches") or ()
    )
    return tuple(value.strip("/") for value in values if value != "/")


def _rules(found: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    return () if found is None else found.get("spec", {}).get("rules") or ()


def _own_rule(place: Place, version: str) -> dict[str, Any]:
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    return {
        "matches": [_prefix(f"/{version}")],
        "filters": [{"type": "URLRewrite", "urlRewrite": rewrite}],
        "backendRefs": [_backend(place, version)],
    }


def _prefix(path: str) -> dict[str, Any]:
    return {"path": {"type": "PathPrefix", "value": path}}


def _backend(place: Place, version: str) -> dict[str, Any]:
    return {"name": f"{place.service}-{version}", "port": PORT}
