"""Objects as the tests apply them, each whole and right."""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]

GATEWAY_GROUP, GKE_GROUP = "gateway.networking.k8s.io/v1", "networking.gke.io/v1"


def namespace(name: str = "space") -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _made(api: str, kind: str, name: str, spec: Manifest) -> Manifest:
    meta = {"name": name, "namespace": "space", "labels": {"of": "tests", "version": name}}
    return {"apiVersion": api, "kind": kind, "metadata": meta, "spec": spec}


def deployment(name: str = "web-1", image: str = "registry/web@sha256:1", **spec: Any) -> Manifest:
    container = {
        "name": "app",
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": "PORT", "value": "8080"}, {"name": "OWN", "value": "$$(PORT) $(PORT) $$"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
    }
    template = {"metadata": {"labels": {"version": name}}, "spec": {"containers": [container]}}
    fields = {"selector": {"matchLabels": {"version": name}}, "template": template, **spec}
    return _made("apps/v1", "Deployment", name, fields)


def service(name: str = "web-1") -> Manifest:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return _made("v1", "Service", name, {"selector": {"version": name}, "ports": ports})


def policy(name: str = "web-1", timeout_s: int = 300, service: str | None = None) -> Manifest:
    target = {"group": "", "kind": "Service", "name": service or name}
    default = {"timeoutSec": timeout_s}
    return _made(GKE_GROUP, "GCPBackendPolicy", name, {"targetRef": target, "default": default})


def health(name: str = "web-1") -> Manifest:
    check = {"type": "HTTP", "httpHealthCheck": {"requestPath": "/ready"}}
    target = {"group": "", "kind": "Service", "name": name}
    return _made(GKE_GROUP, "HealthCheckPolicy", name, {"targetRef": target, "default": {"config": check}})


def gateway(protocol: str = "HTTP", port: int = 80) -> Manifest:
    listener: Manifest = {"name": "http", "protocol": protocol, "port": port}
    if protocol == "HTTPS":
        listener["tls"] = {"options": {"networking.gke.io/pre-shared-certs": ""}}
    spec = {"gatewayClassName": "gke-l7-global-external-managed", "listeners": [listener]}
    return _made(GATEWAY_GROUP, "Gateway", "front", spec)


def opened(name: str = "web-1", **rule: Any) -> Manifest:
    """A rule that leads to one version under its own prefix."""
    path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": f"/{name}"}}],
        "filters": [{"type": "URLRewrite", "urlRewrite": {"path": path}}],
        "backendRefs": [{"name": name, "port": 80}],
        **rule,
    }


def served(**weights: int) -> Manifest:
    """A rule that shares all paths among versions."""
    backends = [
        {"name": name.replace("_", "-"), "port": 80, "weight": each} for name, each in weights.items()
    ]
    return {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": backends}


def route(*rules: Manifest) -> Manifest:
    return _made(
        GATEWAY_GROUP, "HTTPRoute", "front", {"parentRefs": [{"name": "front"}], "rules": list(rules)}
    )
