"""Compute Engine: what a Gateway has there, which costs until it is deleted.

https://cloud.google.com/compute/docs/reference/rest/v1; not held against the SDK (`sdk.api_of`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from kit.rehearsal.router import Router
from kit.rehearsal.wire import ApiError, Request

HOST = "compute.googleapis.com"
_ROOT = "https://www.googleapis.com/compute/v1"
_GLOBAL = ("forwardingRules", "targetHttpProxies", "urlMaps", "backendServices")
# In a Gateway's annotations: networking.gke.io/NAME.
_ANNOTATIONS = {
    "forwardingRules": "forwarding-rules",
    "targetHttpProxies": "target-http-proxies",
    "urlMaps": "url-maps",
    "backendServices": "backend-services",
}


class Compute:
    """All load balancers of one project.

    Attributes:
        resources: by kind ("forwardingRules", "networkEndpointGroups" …) and name.
        stays: whether what belongs to a Gateway stays when that is deleted.
    """

    def __init__(self, project: str) -> None:
        self.resources: dict[str, dict[str, dict[str, Any]]] = {
            kind: {} for kind in (*_GLOBAL, "networkEndpointGroups")
        }
        self.stays = False
        self._project = project

    def register(self, router: Router) -> None:
        """Answer lists of all, and for one."""
        place = "/compute/v1/projects/{project}"
        router.on("GET", HOST, place + "/global/{kind}", self._list, raw=True)
        router.on("GET", HOST, place + "/global/{kind}/{name}", self._get, raw=True)
        router.on("GET", HOST, place + "/aggregated/{kind}", self._aggregated, raw=True)

    def keep(
        self, group: str, namespace: str, gateway: str, address: str, timeouts: Mapping[str, int]
    ) -> dict[str, list[str]]:
        """Make or renew what belongs to a Gateway, and to nothing else.

        Args:
            group: what all its names have in them.
            namespace: the Gateway's.
            gateway: its name.
            address: its IP address.
            timeouts: in seconds, of each Service that a route of its leads to.

        Returns:
            Names of what there is, by the kind as in the Gateway's annotations.
        """
        own = f"gkegw1-{group}-{namespace}-{gateway}"
        wanted: dict[str, dict[str, dict[str, Any]]] = {
            "forwardingRules": {
                _named(own): {
                    "IPAddress": address,
                    "portRange": "80-80",
                    "loadBalancingScheme": "EXTERNAL_MANAGED",
                }
            },
            "targetHttpProxies": {_named(own): {}},
            "urlMaps": {_named(own): {}},
            "backendServices": {
                _named(f"gkegw1-{group}-{namespace}-{service}-80"): {
                    "timeoutSec": timeout_s,
                    "protocol": "HTTP",
                }
                for service, timeout_s in timeouts.items()
            },
            "networkEndpointGroups": {
                _named(f"k8s1-{group}-{namespace}-{service}-80"): {"networkEndpointType": "GCE_VM_IP_PORT"}
                for service in timeouts
            },
        }
        self.remove(group, always=True)
        for kind, named in wanted.items():
            for name, fields in named.items():
                self.resources[kind][name] = {**self._resource(kind, name), **fields}
        return {annotation: sorted(wanted[kind]) for kind, annotation in _ANNOTATIONS.items()}

    def remove(self, group: str, *, always: bool = False) -> None:
        """Delete what belongs to a Gateway."""
        if self.stays and not always:
            return
        for named in self.resources.values():
            for name in [name for name in named if name.split("-")[1] == group]:
                del named[name]

    def _resource(self, kind: str, name: str) -> dict[str, Any]:
        place = "zones/europe-west1-b" if kind == "networkEndpointGroups" else "global"
        base = f"{_ROOT}/projects/{self._project}"
        zone = {"zone": f"{base}/{place}"} if place != "global" else {}
        link = f"{base}/{place}/{kind}/{name}"
        return {"kind": f"compute#{kind[:-1]}", "name": name, "selfLink": link, **zone}

    def _kind(self, kind: str) -> dict[str, dict[str, Any]]:
        if kind not in self.resources:
            raise ApiError("UNIMPLEMENTED", f"The loopback Compute Engine has no {kind}.", http=400)
        return self.resources[kind]

    def _list(self, request: Request, project: str, kind: str) -> dict[str, Any]:
        return {"kind": f"compute#{kind[:-1]}List", "items": list(self._kind(kind).values())}

    def _get(self, request: Request, project: str, kind: str, name: str) -> dict[str, Any]:
        named = self._kind(kind)
        if name not in named:
            raise ApiError(
                "NOT_FOUND", f"The resource 'projects/{project}/global/{kind}/{name}' was not found"
            )
        return named[name]

    def _aggregated(self, request: Request, project: str, kind: str) -> dict[str, Any]:
        places: dict[str, list[dict[str, Any]]] = {"global": []}
        for resource in self._kind(kind).values():
            place = f"zones/{resource['zone'].rpartition('/')[2]}" if "zone" in resource else "global"
            places.setdefault(place, []).append(resource)
        items = {place: {kind: found} for place, found in places.items()}
        return {"kind": f"compute#{kind[:-1]}AggregatedList", "items": items}


def _named(text: str) -> str:
    """As GKE names it: a digest at its end, and at most 63 characters."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{text[:50].rstrip('-')}-{digest}"
