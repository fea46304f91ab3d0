"""Gateways, routes and policies: what GKE's controllers make of them, as captures of this class show it.

https://cloud.google.com/kubernetes-engine/docs/how-to/deploying-gateways; a route with `timeouts` is refused
whole: https://github.com/kserve/kserve/issues/5311.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kit.rehearsal.compute import Compute
from kit.rehearsal.kubernetes.clock import Clock
from kit.rehearsal.kubernetes.conditions import Condition, holds, shown
from kit.rehearsal.kubernetes.kinds import BACKEND_POLICY, GATEWAY, HEALTH_POLICY, ROUTE, SERVICE
from kit.rehearsal.kubernetes.pods import Pods
from kit.rehearsal.kubernetes.store import Key, Object, Store, key_of
from kit.rehearsal.uploads import Hosting, Rule, Way

FINALIZER = "gateway.finalizer.networking.gke.io"
CLASS = "gke-l7-global-external-managed"
_CONTROLLER = "networking.gke.io/gateway"
# https://github.com/GoogleCloudPlatform/gke-gateway-api, gcpbackendpolicy_types.go: "If the field is omitted,
# a default value (30s) will be used."
_TIMEOUT_S = 30


class Gateways:
    """All gateways of a cluster, with their routes and policies.

    Attributes:
        programmed_s: how long a Gateway takes to get its address. Captured: 112 s; here it is short.
        route_s: how long a change of a route takes to count.
        check_s: how long after one another health checks are made of what is not healthy.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        pods: Pods,
        compute: Compute,
        hosting: Callable[[], Hosting],
        host: str,
    ) -> None:
        self.programmed_s = 0.1
        self.route_s = 0.05
        self.check_s = 0.2
        self._store = store
        self._clock = clock
        self._pods = pods
        self._compute = compute
        self._hosting = hosting
        self._host = host
        self._bound: dict[Key, str | None] = {}
        self._why: dict[Key, str] = {}
        self._counts: dict[str, Object] = {}
        self._order: dict[str, int] = {}
        self._passed: set[tuple[str, str]] = set()
        self._rules: dict[Key, tuple[Rule, ...]] = {}

    def reconcile(self) -> None:
        """Bring what serves nearer to what is wanted, and say how it does."""
        for kind in (BACKEND_POLICY, HEALTH_POLICY):
            self._policies(kind)
        routes = self._store.all(ROUTE)
        self._counts = {
            uid: spec
            for uid, spec in self._counts.items()
            if uid in {each["metadata"]["uid"] for each in routes}
        }
        for route in routes:
            self._route(route)
        for gateway in self._store.all(GATEWAY):
            self._gateway(gateway)

    def close(self) -> None:
        """Let no Gateway answer any more; what belongs to it at Google stays."""
        for host in self._bound.values():
            if host is not None:
                self._hosting().close_gateway(host)
        self._bound.clear()

    # ---- Policies

    def _policies(self, kind: Any) -> None:
        """The oldest policy of a Service is attached, and only that one (configure-gateway-resources)."""
        policies = self._store.all(kind)
        for each in policies:
            self._order.setdefault(each["metadata"]["uid"], len(self._order))
        taken: set[tuple[str, str]] = set()
        for policy in sorted(policies, key=lambda each: self._order[each["metadata"]["uid"]]):
            key, target = key_of(policy), policy["spec"]["targetRef"]["name"]
            if self._store.find(Key(SERVICE, key.namespace, target)) is None:
                attached = Condition("Attached", False, "TargetNotFound", f'Service "{target}" not found')
            elif (key.namespace, target) in taken:
                attached = Condition(
                    "Attached", False, "Conflicted", f"Service {target} has an older {kind.name}"
                )
            else:
                attached = Condition("Attached", True, "Attached")
                taken.add((key.namespace, target))
            before = policy.get("status", {}).get("conditions", [])
            self._store.set_status(key, {"conditions": shown([attached], before)})

    def _timeout_s(self, namespace: str, service: str) -> int:
        for policy in self._store.all(BACKEND_POLICY, namespace):
            spec = policy["spec"]
            if spec["targetRef"]["name"] == service and holds(policy, "Attached"):
                return int(spec.get("default", {}).get("timeoutSec", _TIMEOUT_S))
        return _TIMEOUT_S

    def _healthy(self, namespace: str, service: str, version: str, pod: str) -> bool:
        """Whether the load balancer's health check has passed; without a policy it asks / and wants 200."""
        checks = [
            policy["spec"].get("default", {}).get("config", {})
            for policy in self._store.all(HEALTH_POLICY, namespace)
            if policy["spec"]["targetRef"]["name"] == service and holds(policy, "Attached")
        ]
        config = checks[0] if checks else {}
        if config.get("type") == "TCP":
            return True
        path = config.get("httpHealthCheck", {}).get("requestPath", "/")
        if (pod, path) not in self._passed:
            if not self._hosting().healthy(namespace, version, path):
                self._clock.again(self.check_s)
                return False
            self._passed.add((pod, path))
        return True

    # ---- Routes

    def _route(self, route: Object) -> None:
        meta, spec = route["metadata"], route["spec"]
        accepted = Condition("Accepted", True, "Accepted")
        if any("timeouts" in rule for rule in spec.get("rules", [])):
            accepted = Condition(
                "Accepted",
                False,
                "UnsupportedValue",
                "HTTPRoute timeouts are not supported by this GatewayClass",
            )
        missing = sorted(
            ref["name"]
            for rule in spec.get("rules", [])
            for ref in rule.get("backendRefs", [])
            if self._store.find(Key(SERVICE, meta["namespace"], ref["name"])) is None
        )
        resolved = (
            Condition("ResolvedRefs", False, "BackendNotFound", f"Service not found: {', '.join(missing)}")
            if missing
            else Condition("ResolvedRefs", True, "ResolvedRefs")
        )
        parents = [
            ref
            for ref in spec.get("parentRefs", [])
            if self._store.find(Key(GATEWAY, meta["namespace"], ref["name"])) is not None
        ]
        if not accepted.status:
            self._counts.pop(meta["uid"], None)
        elif parents and self._clock.after((meta["uid"], meta["generation"], "route"), self.route_s):
            self._counts[meta["uid"]] = route
        done = accepted.status and self._counts.get(meta["uid"], {}).get("spec") == spec
        reconciled = Condition("Reconciled", bool(done), "ReconciliationSucceeded" if done else "Pending")
        before = {
            each["parentRef"]["name"]: each["conditions"]
            for each in route.get("status", {}).get("parents", [])
        }
        shown_parents = [
            {
                "controllerName": _CONTROLLER,
                "parentRef": ref,
                "conditions": shown(
                    (accepted, resolved, reconciled), before.get(ref["name"], []), meta["generation"]
                ),
            }
            for ref in parents
        ]
        self._store.set_status(key_of(route), {"parents": shown_parents})

    def _rules_of(self, key: Key) -> tuple[Rule, ...]:
        """All rules that count at a Gateway, the longest prefix first."""
        rules: list[Rule] = []
        for route in self._counts.values():
            names = {ref["name"] for ref in route["spec"].get("parentRefs", [])}
            if key.name in names and route["metadata"]["namespace"] == key.namespace:
                rules += [made for rule in route["spec"]["rules"] for made in self._rule(key.namespace, rule)]
        return tuple(sorted(rules, key=lambda rule: -len(rule.prefix)))

    def _rule(self, namespace: str, rule: Object) -> Iterator[Rule]:
        ways = []
        for ref in rule.get("backendRefs", []):
            service = self._store.find(Key(SERVICE, namespace, ref["name"]))
            ready = self._pods.ready(namespace, service["spec"].get("selector", {})) if service else None
            healthy = ready is not None and self._healthy(namespace, ref["name"], *ready)
            version = ready[0] if ready is not None and healthy else None
            timeout_s = self._timeout_s(namespace, ref["name"])
            ways.append(Way(namespace, version, ref.get("weight", 1), timeout_s))
        rewritten = [each["urlRewrite"]["path"] for each in rule.get("filters", []) if "urlRewrite" in each]
        replacement = rewritten[0].get("replacePrefixMatch") if rewritten else None
        for match in rule.get("matches") or [{}]:
            yield Rule(match.get("path", {}).get("value", "/"), replacement, tuple(ways))

    # ---- Gateways

    def _gateway(self, gateway: Object) -> None:
        key, meta, spec = key_of(gateway), gateway["metadata"], gateway["spec"]
        if "deletionTimestamp" in meta:
            if (host := self._bound.pop(key, None)) is not None:
                self._hosting().close_gateway(host)
            self._compute.remove(_group(meta))
            self._rules.pop(key, None)
            self._store.finalize(key)
            return
        if spec["gatewayClassName"] != CLASS:
            return  # no controller of this cluster's has it
        plain = any(each["protocol"] == "HTTP" for each in spec["listeners"])
        accepted = (
            Condition("Accepted", True, "Accepted")
            if plain
            else Condition(
                "Accepted", False, "ListenersNotValid", "The loopback Google serves plain HTTP only."
            )
        )
        began = plain and self._clock.after((meta["uid"], "programmed"), self.programmed_s)
        if began and key not in self._bound:
            self._bind(key, spec["listeners"])
        host = self._bound.get(key)
        if host is not None:
            rules = self._rules_of(key)
            if self._rules.get(key) != rules:
                self._hosting().route_gateway(host, rules)
                self._rules[key] = rules
        annotations = meta.get("annotations", {})
        status: dict[str, Any] = {"addresses": [{"type": "IPAddress", "value": host}] if host else []}
        programmed = Condition(
            "Programmed",
            None if not began else host is not None,
            "Pending" if not began else "Programmed" if host else "AddressNotUsable",
            "Waiting for controller" if not began else self._why.get(key, ""),
        )
        conditions = [
            Condition("Scheduled", True, "Scheduled"),
            accepted,
            programmed,
        ]
        if host:
            conditions += [
                Condition("Ready", True, "Ready"),
                Condition("networking.gke.io/GatewayHealthy", True, "GatewayHealthy"),
            ]
            annotations = {**annotations, **self._at_google(key, meta, spec)}
        attached = sum(
            any(ref["name"] == key.name for ref in route["spec"].get("parentRefs", []))
            for route in self._store.all(ROUTE, key.namespace)
        )
        before = gateway.get("status", {})
        listeners = {each["name"]: each["conditions"] for each in before.get("listeners", [])}
        status["conditions"] = shown(conditions, before.get("conditions", []), meta["generation"])
        status["listeners"] = [
            {
                "name": each["name"],
                "attachedRoutes": attached,
                "supportedKinds": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}],
                "conditions": shown([programmed], listeners.get(each["name"], []), meta["generation"]),
            }
            for each in spec["listeners"]
        ]
        self._store.set_status(
            key, status, finalizers=[FINALIZER], **({"annotations": annotations} if annotations else {})
        )

    def _bind(self, key: Key, listeners: list[Object]) -> None:
        self._bound[key] = None
        port = next(each["port"] for each in listeners if each["protocol"] == "HTTP")
        try:
            self._bound[key] = self._hosting().open_gateway(self._host, port)
        except OSError as error:
            self._why[key] = f"{self._host}:{port} cannot be used: {error.strerror}."

    def _at_google(self, key: Key, meta: Mapping[str, Any], spec: Object) -> dict[str, str]:
        """What belongs to a Gateway at Google, made or renewed; the annotations that name it."""
        host = self._bound[key]
        assert host is not None
        services = {
            ref["name"]
            for route in self._counts.values()
            if route["metadata"]["namespace"] == key.namespace
            for rule in route["spec"]["rules"]
            for ref in rule.get("backendRefs", [])
        }
        timeouts = {
            service: self._timeout_s(key.namespace, service)
            for service in sorted(services)
            if self._store.find(Key(SERVICE, key.namespace, service)) is not None
        }
        names = self._compute.keep(_group(meta), key.namespace, key.name, host, timeouts)
        return {f"networking.gke.io/{kind}": ", ".join(each) for kind, each in names.items()}


def _group(meta: Mapping[str, Any]) -> str:
    """What all that belongs to a Gateway has in its name."""
    return hashlib.sha256(str(meta["uid"]).encode()).hexdigest()[:4]
