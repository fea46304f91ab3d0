"""What becomes of Gateways, routes and policies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from kit.rehearsal.kubernetes.cluster import Cluster
from kit.rehearsal.kubernetes.gateways import FINALIZER
from kit.rehearsal.kubernetes.kinds import BACKEND_POLICY, GATEWAY, NAMESPACE, ROUTE
from kit.rehearsal.kubernetes.store import Key
from kit.rehearsal.plane import Plane
from kit.rehearsal.uploads import Rule, Unhosted, Way
from tests.kit.rehearsal.kubernetes import manifests as made
from tests.kit.rehearsal.kubernetes.conftest import Do, until

FRONT, ROUTED = Key(GATEWAY, "space", "front"), Key(ROUTE, "space", "front")


class Routes(Unhosted):
    """Runs nothing, and remembers the rules of Gateways."""

    def __init__(self) -> None:
        super().__init__("demo-project")
        self.rules: tuple[Rule, ...] | None = None
        self.busy = False
        self.answers = {"/", "/ready"}

    def open_gateway(self, host: str, port: int) -> str:
        if self.busy:
            raise OSError(98, "Address already in use")
        self.rules = ()
        return host

    def route_gateway(self, host: str, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)

    def healthy(self, service: str, version: str, path: str) -> bool:
        return path in self.answers

    def close_gateway(self, host: str) -> None:
        self.rules = None


@pytest.fixture
def routes(google: Plane, monkeypatch: pytest.MonkeyPatch) -> Routes:
    routes = Routes()
    google.hosting = routes
    monkeypatch.setattr(google.builds, "pulled", lambda image: {})
    return routes


def version(name: str, timeout_s: int = 300) -> tuple[dict[str, Any], ...]:
    return made.deployment(name), made.service(name), made.policy(name, timeout_s)


def conditions(value: dict[str, Any]) -> dict[str, tuple[str, str]]:
    status = value.get("status", {})
    parents = status.get("parents", [])
    found = parents[0]["conditions"] if parents else status.get("conditions", [])
    return {each["type"]: (each["status"], each["reason"]) for each in found}


def test_a_gateway_gets_an_address_in_time_and_what_it_has_at_google(
    google: Plane, routes: Routes, cluster: Cluster, apply: Do
) -> None:
    cluster.gateways.programmed_s = 0.2
    apply(made.gateway())
    until(cluster, lambda: "Programmed" in conditions(cluster.store.get(FRONT)))
    assert conditions(cluster.store.get(FRONT))["Programmed"] == ("Unknown", "Pending")
    until(cluster, lambda: conditions(cluster.store.get(FRONT))["Programmed"][0] == "True")
    gateway = cluster.store.get(FRONT)
    assert gateway["status"]["addresses"] == [{"type": "IPAddress", "value": google.gateway_host}]
    assert gateway["metadata"]["finalizers"] == [FINALIZER]
    rule = gateway["metadata"]["annotations"]["networking.gke.io/forwarding-rules"]
    assert rule.startswith("gkegw1-")
    assert google.compute.resources["forwardingRules"][rule]["IPAddress"] == google.gateway_host


def test_an_address_that_cannot_be_used_is_said(routes: Routes, cluster: Cluster, apply: Do) -> None:
    routes.busy = True
    apply(made.gateway())
    until(cluster, lambda: conditions(cluster.store.get(FRONT)).get("Programmed", ("",))[0] == "False")
    assert "cannot be used: Address already in use" in str(cluster.store.get(FRONT)["status"])


def test_a_listener_of_https_is_refused_here(routes: Routes, cluster: Cluster, apply: Do) -> None:
    apply(made.gateway("HTTPS", 443))
    until(cluster, lambda: conditions(cluster.store.get(FRONT)))
    assert conditions(cluster.store.get(FRONT))["Accepted"] == ("False", "ListenersNotValid")
    assert routes.rules is None


def test_rules_lead_to_versions_by_prefix_and_weight_with_the_timeout_of_their_policy(
    google: Plane, routes: Routes, cluster: Cluster, apply: Do
) -> None:
    apply(made.gateway(), *version("web-1"), *version("web-2", 45))
    apply(made.route(made.served(web_1=1, web_2=0), made.opened("web-2")))
    ways = Way("space", "web-1", 1, 300), Way("space", "web-2", 0, 45)
    wanted = (Rule("/web-2", "/", (ways[1]._replace(weight=1),)), Rule("/", None, ways))
    until(cluster, lambda: routes.rules == wanted)
    until(cluster, lambda: conditions(cluster.store.get(ROUTED))["Reconciled"][0] == "True")
    assert conditions(cluster.store.get(ROUTED))["Accepted"] == ("True", "Accepted")
    timeouts = {each["timeoutSec"] for each in google.compute.resources["backendServices"].values()}
    assert timeouts == {300, 45}
    assert len(google.compute.resources["networkEndpointGroups"]) == 2
    cluster.store.delete(Key(BACKEND_POLICY, "space", "web-2"))
    until(cluster, lambda: routes.rules is not None and routes.rules[0].ways[0].timeout_s == 30)


def test_a_version_whose_health_check_fails_gets_no_request(
    routes: Routes, cluster: Cluster, apply: Do
) -> None:
    routes.answers = {"/ready"}
    apply(made.gateway(), *version("web-1"), made.route(made.served(web_1=1)))
    until(cluster, lambda: routes.rules)
    assert routes.rules == (Rule("/", None, (Way("space", None, 1, 300),)),)
    apply(made.health())
    until(cluster, lambda: routes.rules == (Rule("/", None, (Way("space", "web-1", 1, 300),)),))


def test_a_route_with_timeouts_is_refused_whole(routes: Routes, cluster: Cluster, apply: Do) -> None:
    apply(made.gateway(), *version("web-1"), made.route(made.served(web_1=1)))
    until(cluster, lambda: routes.rules)
    apply(made.route(made.served(web_1=1), made.opened(timeouts={"request": "0s"})))
    until(cluster, lambda: routes.rules == ())
    assert conditions(cluster.store.get(ROUTED))["Accepted"] == ("False", "UnsupportedValue")


def test_a_route_to_a_service_that_is_not_there_leads_nowhere(
    routes: Routes, cluster: Cluster, apply: Do
) -> None:
    apply(made.gateway(), made.route(made.served(none=1)))
    until(cluster, lambda: routes.rules)
    assert routes.rules == (Rule("/", None, (Way("space", None, 1, 30),)),)
    assert conditions(cluster.store.get(ROUTED))["ResolvedRefs"] == ("False", "BackendNotFound")


def test_the_oldest_policy_of_a_service_is_attached_and_no_other(cluster: Cluster, apply: Do) -> None:
    apply(made.service(), made.policy("b-first", 100, "web-1"))
    attached: Callable[[str], tuple[str, str] | None] = lambda name: conditions(  # noqa: E731
        cluster.store.get(Key(BACKEND_POLICY, "space", name))
    ).get("Attached")
    until(cluster, lambda: attached("b-first"))
    apply(made.policy("a-second", 200, "web-1"), made.policy("alone", 5, "nowhere"))
    until(cluster, lambda: attached("a-second") and attached("alone"))
    assert attached("b-first") == ("True", "Attached")
    assert attached("a-second") == ("False", "Conflicted")
    assert attached("alone") == ("False", "TargetNotFound")


def test_a_namespace_goes_with_all_that_is_in_it_and_at_google(
    google: Plane, routes: Routes, cluster: Cluster, apply: Do
) -> None:
    apply(made.gateway(), *version("web-1"), made.route(made.served(web_1=1)))
    until(cluster, lambda: routes.rules)
    cluster.store.delete(Key(NAMESPACE, "", "space"))
    until(cluster, lambda: cluster.store.find(Key(NAMESPACE, "", "space")) is None)
    assert routes.rules is None
    assert not any(google.compute.resources.values())


def test_a_load_balancer_outlives_a_cluster_that_is_deleted_first(
    google: Plane, routes: Routes, cluster: Cluster, apply: Do
) -> None:
    apply(made.gateway())
    until(cluster, lambda: routes.rules is not None)
    until(cluster, lambda: google.compute.resources["forwardingRules"])
    google.container.close()
    assert routes.rules is None
    assert google.compute.resources["forwardingRules"]
