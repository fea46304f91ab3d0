"""The kinds of objects that the API has: where they live, and which fields they may have.

The fields are a part of those of the owners' own schemas, of which a test checks those of Kubernetes:

- Kubernetes 1.33: https://kubernetes.io/docs/reference/kubernetes-api/
- Gateway API: https://github.com/kubernetes-sigs/gateway-api, config/crd/standard, 4564255ac2c3 (2026-08-21)
- GKE: https://github.com/GoogleCloudPlatform/gke-gateway-api, config/crd, fc40d606a533 (2026-04-29)

A field that is not here is refused, which is loud at worst. HTTPRoute has `timeouts` because the standard
schema has it: GKE refuses such a route.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# What a value must be: a type (or several), one of some words, a number in a range, a text of a pattern, a
# list of one shape, a map of any keys {str: shape}, or an object by its fields; "name!" must be there.
Shape = Any

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi)?")
_DURATION = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}")
_PORT = range(1, 65536)
_SECONDS = range(2**31)
_LABELS = {str: _LABEL}
_FREE: Shape = {str: object}


def _meta(name: re.Pattern[str]) -> Shape:
    return {
        "name!": name,
        "namespace": _LABEL_NAME,
        "labels": _LABELS,
        "annotations": {str: str},
        **dict.fromkeys(("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp"), str),
        "generation": int,
        "finalizers": [str],
        "managedFields": [_FREE],
        "ownerReferences": [_FREE],
    }


_PROBE = {
    "tcpSocket": {"port!": (int, str)},
    "httpGet": {"path": str, "port!": (int, str), "scheme": frozenset({"HTTP", "HTTPS"})},
    **dict.fromkeys(
        ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold"),
        _SECONDS,
    ),
}
_HOOK = {"sleep": {"seconds!": _SECONDS}, "exec": {"command": [str]}}
_CAPABILITIES = {"drop": [str], "add": [str]}
_SECCOMP = {"type!": frozenset({"RuntimeDefault", "Unconfined", "Localhost"}), "localhostProfile": str}
_SECURITY = {
    "runAsNonRoot": bool,
    **dict.fromkeys(("runAsUser", "runAsGroup"), _SECONDS),
    "seccompProfile": _SECCOMP,
}
_CONTAINER = {
    "name!": _LABEL_NAME,
    "image!": str,
    "imagePullPolicy": frozenset({"Always", "IfNotPresent", "Never"}),
    "command": [str],
    "args": [str],
    "ports": [{"name": str, "containerPort!": _PORT, "protocol": frozenset({"TCP", "UDP", "SCTP"})}],
    "env": [{"name!": str, "value": str, "valueFrom": {"secretKeyRef": {"name": str, "key!": str}}}],
    "resources": {
        "requests": {str: _QUANTITY},
        "limits": {str: _QUANTITY},
    },
    "lifecycle": {"preStop": _HOOK, "postStart": _HOOK},
    **dict.fromkeys(("readinessProbe", "livenessProbe", "startupProbe"), _PROBE),
    "securityContext": {
        **_SECURITY,
        "allowPrivilegeEscalation": bool,
        "readOnlyRootFilesystem": bool,
        "privileged": bool,
        "capabilities": _CAPABILITIES,
    },
    "volumeMounts": [{"name!": str, "mountPath!": str, "readOnly": bool}],
}
_POD = {
    "containers!": [_CONTAINER],
    "serviceAccountName": str,
    "automountServiceAccountToken": bool,
    "enableServiceLinks": bool,
    "terminationGracePeriodSeconds": _SECONDS,
    "securityContext": {**_SECURITY, "fsGroup": _SECONDS},
    "nodeSelector": {str: str},
    "volumes": [{"name!": str, "emptyDir": {"medium": str, "sizeLimit": _QUANTITY}}],
}
_DEPLOYMENT = {
    "replicas": _SECONDS,
    "revisionHistoryLimit": _SECONDS,
    "progressDeadlineSeconds": _SECONDS,
    "minReadySeconds": _SECONDS,
    "paused": bool,
    "selector!": {"matchLabels": _LABELS},
    "strategy": {
        "type": frozenset({"RollingUpdate", "Recreate"}),
        "rollingUpdate": {"maxSurge": (int, str), "maxUnavailable": (int, str)},
    },
    "template!": {"metadata": {"labels": _LABELS, "annotations": {str: str}}, "spec!": _POD},
}
_SERVICE = {
    "type": frozenset({"ClusterIP", "NodePort", "LoadBalancer"}),
    "clusterIP": str,
    "selector": _LABELS,
    "ports": [
        {
            "name": str,
            "port!": _PORT,
            "targetPort": (int, str),
            "protocol": frozenset({"TCP", "UDP"}),
            "appProtocol": str,
        }
    ],
}
_GATEWAY = {
    "gatewayClassName!": str,
    "addresses": [{"type": str, "value!": str}],
    "listeners!": [
        {
            "name!": str,
            "hostname": str,
            "port!": _PORT,
            "protocol!": str,
            "tls": {
                "mode": frozenset({"Terminate", "Passthrough"}),
                "certificateRefs": [{"group": str, "kind": str, "name!": str, "namespace": str}],
                "options": {str: str},
            },
            "allowedRoutes": {
                "kinds": [{"group": str, "kind!": str}],
                "namespaces": {"from": frozenset({"All", "Same", "Selector"})},
            },
        }
    ],
}
_PARENT = {
    "group": str,
    "kind": str,
    "namespace": _LABEL_NAME,
    "name!": str,
    "sectionName": str,
    "port": _PORT,
}
_MATCH_TYPE = frozenset({"Exact", "RegularExpression"})
_HEADERS = [{"name!": str, "value!": str}]
_MODIFIER = {"add": _HEADERS, "set": _HEADERS, "remove": [str]}
_FILTER = {
    "type!": frozenset({"RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite"}),
    "urlRewrite": {
        "hostname": str,
        "path": {
            "type!": frozenset({"ReplaceFullPath", "ReplacePrefixMatch"}),
            "replaceFullPath": str,
            "replacePrefixMatch": str,
        },
    },
    "requestHeaderModifier": _MODIFIER,
    "responseHeaderModifier": _MODIFIER,
}
_ROUTE = {
    "parentRefs": [_PARENT],
    "hostnames": [str],
    "rules": [
        {
            "name": str,
            "matches": [
                {
                    "path": {"type": _MATCH_TYPE | {"PathPrefix"}, "value": re.compile(r"/.{0,1023}")},
                    "headers": [{"type": _MATCH_TYPE, "name!": str, "value!": str}],
                    "method": str,
                }
            ],
            "filters": [_FILTER],
            "backendRefs": [
                {
                    "group": str,
                    "kind": str,
                    "name!": str,
                    "namespace": _LABEL_NAME,
                    "port": _PORT,
                    "weight": range(1_000_001),
                }
            ],
            "timeouts": {"request": _DURATION, "backendRequest": _DURATION},
        }
    ],
}
_TARGET = {"group!": str, "kind!": str, "name!": str, "namespace": str}
_BACKEND_POLICY = {
    "targetRef!": _TARGET,
    "default": {
        "timeoutSec": range(1, 2**31),
        "connectionDraining": {"drainingTimeoutSec": range(3601)},
        "logging": {"enabled": bool, "sampleRate": range(1_000_001)},
        "securityPolicy": str,
        "maxRatePerEndpoint": _SECONDS,
        "sessionAffinity": {"type": str, "cookieTtlSec": _SECONDS},
    },
}
_CHECK = {
    "port": _PORT,
    "portName": str,
    "portSpecification": frozenset({"USE_FIXED_PORT", "USE_NAMED_PORT", "USE_SERVING_PORT"}),
    "response": str,
    "proxyHeader": frozenset({"NONE", "PROXY_V1"}),
}
_WEB_CHECK = {**_CHECK, "host": str, "requestPath": re.compile(r"/[\w/\-.~%!?$&'()*+,;=:]*", re.ASCII)}
_HEALTH_POLICY = {
    "targetRef!": _TARGET,
    "default": {
        **dict.fromkeys(("checkIntervalSec", "timeoutSec"), range(1, 301)),
        **dict.fromkeys(("healthyThreshold", "unhealthyThreshold"), range(1, 11)),
        "logConfig": {"enabled": bool},
        "config": {
            "type!": frozenset({"TCP", "HTTP", "HTTPS", "HTTP2", "GRPC"}),
            "tcpHealthCheck": _CHECK,
            **dict.fromkeys(("httpHealthCheck", "httpsHealthCheck", "http2HealthCheck"), _WEB_CHECK),
        },
    },
}


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind. `group` is "" for the core; `spec` is the shape of its `spec`, which a namespace lacks."""

    group: str
    version: str
    name: str
    plural: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    spec: Shape = None
    names: re.Pattern[str] = field(default=_NAME)

    @property
    def api_version(self) -> str:
        """As in an object's apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """As in a message about an object: "deployments.apps"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified(self) -> str:
        """As in a message about an invalid object: "Deployment.apps"."""
        return f"{self.name}.{self.group}" if self.group else self.name

    @property
    def root(self) -> str:
        """The path under which its API lies."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"

    def problems(self, value: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """Fields that it does not have, and values that do not fit, in words; of an object as it was sent."""
        shape: dict[str, Shape] = {
            "apiVersion": str,
            "kind": str,
            "metadata!": _meta(self.names),
            "status": _FREE,
        }
        shape |= {"spec": {"finalizers": [str]}} if self.spec is None else {"spec!": self.spec}
        unknown: list[str] = []
        invalid: list[str] = []
        for is_unknown, sentence in _check(shape, value, ""):
            (unknown if is_unknown else invalid).append(sentence)
        return unknown, invalid


def _check(shape: Shape, value: object, at: str) -> Iterator[tuple[bool, str]]:
    """What does not fit: whether it is an unknown field, and its path or a sentence."""
    wrong = (False, f"{at}: Invalid value: {value!r}")
    if isinstance(shape, dict) and str in shape:
        for key, inner in value.items() if isinstance(value, dict) else ():
            yield from _check(shape[str], inner, f"{at}[{key}]")
        if not isinstance(value, dict):
            yield wrong
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            yield wrong
            return
        fields = {name.rstrip("!"): inner for name, inner in shape.items()}
        for key, inner in value.items():
            where = f"{at}.{key}" if at else str(key)
            if key not in fields:
                yield True, where
            else:
                yield from _check(fields[key], inner, where)
        for name in shape:
            if name.endswith("!") and name[:-1] not in value:
                yield False, f"{at}.{name[:-1]}: Required value".lstrip(".")
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield wrong
            return
        for index, inner in enumerate(value):
            yield from _check(shape[0], inner, f"{at}[{index}]")
    elif not _fits(shape, value):
        yield wrong


def _fits(shape: Shape, value: object) -> bool:
    if isinstance(shape, range):
        return isinstance(value, int) and not isinstance(value, bool) and value in shape
    if isinstance(shape, frozenset):
        return isinstance(value, str) and value in shape
    if isinstance(shape, re.Pattern):
        return isinstance(value, str) and shape.fullmatch(value) is not None
    return isinstance(value, shape) and not (isinstance(value, bool) and shape not in (bool, object))


_GATEWAY_GROUP, _GKE_GROUP = "gateway.networking.k8s.io", "networking.gke.io"
NAMESPACE = Kind("", "v1", "Namespace", "namespaces", ("ns",), False, names=_LABEL_NAME)
POD = Kind("", "v1", "Pod", "pods", ("po",), spec=_POD)
SERVICE = Kind("", "v1", "Service", "services", ("svc",), spec=_SERVICE, names=_SERVICE_NAME)
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments", ("deploy",), spec=_DEPLOYMENT)
GATEWAY = Kind(_GATEWAY_GROUP, "v1", "Gateway", "gateways", ("gtw",), spec=_GATEWAY)
ROUTE = Kind(_GATEWAY_GROUP, "v1", "HTTPRoute", "httproutes", spec=_ROUTE)
BACKEND_POLICY = Kind(_GKE_GROUP, "v1", "GCPBackendPolicy", "gcpbackendpolicies", spec=_BACKEND_POLICY)
HEALTH_POLICY = Kind(_GKE_GROUP, "v1", "HealthCheckPolicy", "healthcheckpolicies", spec=_HEALTH_POLICY)
KINDS = (NAMESPACE, POD, SERVICE, DEPLOYMENT, GATEWAY, ROUTE, BACKEND_POLICY, HEALTH_POLICY)
