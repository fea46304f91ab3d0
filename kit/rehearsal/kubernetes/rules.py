"""Values that are filled in, and sentences that refuse an object. Pure.

https://kubernetes.io/docs/reference/kubernetes-api/ and the rules in the Gateway API's own schemas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kit.rehearsal.kubernetes.kinds import BACKEND_POLICY, DEPLOYMENT, GATEWAY, HEALTH_POLICY, ROUTE, Kind

_MOST_RULES = 16  # of a route, and backends of a rule (gateway.networking.k8s.io_httproutes.yaml)


def fill_in(kind: Kind, value: dict[str, Any]) -> None:
    """Give an object what the API gives it where it says nothing."""
    if kind is DEPLOYMENT and isinstance(spec := value.get("spec"), dict):
        for name, default in (
            ("replicas", 1),
            ("progressDeadlineSeconds", 600),
            ("revisionHistoryLimit", 10),
        ):
            spec.setdefault(name, default)


def refusals(kind: Kind, value: Mapping[str, Any], before: Mapping[str, Any] | None) -> Iterator[str]:
    """Why an object whose fields all fit may not be, given what it was before."""
    spec = value.get("spec", {})
    if kind is DEPLOYMENT:
        wanted = spec["selector"].get("matchLabels", {})
        if not wanted or not wanted.items() <= spec["template"].get("metadata", {}).get("labels", {}).items():
            yield "spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`"
        if before is not None and before["spec"]["selector"] != spec["selector"]:
            yield "spec.selector: Invalid value: field is immutable"
    elif kind is GATEWAY:
        for index, listener in enumerate(spec["listeners"]):
            tls = listener.get("tls", {})
            if listener["protocol"] == "HTTPS" and not (tls.get("certificateRefs") or tls.get("options")):
                yield (
                    f"spec.listeners[{index}].tls: Invalid value: certificateRefs or options must be "
                    "specified when mode is Terminate"
                )
    elif kind is ROUTE:
        yield from _route(spec)
    elif kind in (BACKEND_POLICY, HEALTH_POLICY):
        target = spec["targetRef"]
        if (target["group"], target["kind"]) != ("", "Service"):
            yield "spec.targetRef: Invalid value: only a Service can be a target here"


def _route(spec: Mapping[str, Any]) -> Iterator[str]:
    rules = spec.get("rules", [])
    if len(rules) > _MOST_RULES:
        yield f"spec.rules: Too many: {len(rules)}: must have at most {_MOST_RULES} items"
    for index, rule in enumerate(rules):
        at, backends = f"spec.rules[{index}]", rule.get("backendRefs", [])
        if len(backends) > _MOST_RULES:
            yield f"{at}.backendRefs: Too many: {len(backends)}: must have at most {_MOST_RULES} items"
        if any("port" not in backend for backend in backends):
            yield f"{at}.backendRefs: Invalid value: Must have port for Service reference"
        paths = [each.get("path", {}) for each in rule.get("matches", [])]
        rewrites = [each.get("urlRewrite", {}).get("path", {}) for each in rule.get("filters", [])]
        if any(each.get("type") == "ReplacePrefixMatch" for each in rewrites) and (
            len(paths) != 1 or paths[0].get("type", "PathPrefix") != "PathPrefix"
        ):
            yield (
                f"{at}: Invalid value: When using URLRewrite filter with path.replacePrefixMatch, exactly "
                "one PathPrefix match must be specified"
            )
