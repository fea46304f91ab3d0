"""The objects that set up GKE's load balancer, as their owners describe them: the fields that the kit writes.

Written after `openAPIV3Schema` of version v1 in
https://github.com/kubernetes-sigs/gateway-api 4564255ac2c3 (2026-08-21), config/crd/standard/
gateway.networking.k8s.io_{gateways,httproutes}.yaml, and
https://github.com/GoogleCloudPlatform/gke-gateway-api fc40d606a533 (2026-04-29), config/crd/
networking.gke.io_{gcpbackendpolicies,healthcheckpolicies}.yaml. Where those allow more, this is stricter.
"""

from __future__ import annotations

from typing import Any, Final

from jsonschema import Draft202012Validator

Schema = dict[str, Any]

_SUBDOMAIN: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"


def _object(*required: str, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _list(items: Schema, most: int, least: int = 0) -> Schema:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def _text(most: int, least: int = 1, pattern: str = "") -> Schema:
    return {"type": "string", "minLength": least, "maxLength": most} | (
        {"pattern": rf"^(?:{pattern})\Z"} if pattern else {}
    )


def _one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def _whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


_PORT: Final = _whole(1, 65_535)
_KIND: Final = _text(63, pattern="[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?")

_LISTENER: Final = _object(
    "name",
    "port",
    "protocol",
    name=_text(253, pattern=_SUBDOMAIN),
    port=_PORT,
    protocol=_one_of("HTTP", "HTTPS"),
    hostname=_text(253, pattern=rf"(\*\.)?{_SUBDOMAIN}"),
    tls=_object(
        mode=_one_of("Terminate", "Passthrough"),
        options={"type": "object", "additionalProperties": _text(4096, 0), "maxProperties": 16},
    ),
    allowedRoutes=_object(
        namespaces=_object(**{"from": _one_of("All", "Selector", "Same")}),
        kinds=_list(_object("kind", kind=_KIND), 8),
    ),
)

# GKE refuses a route with `timeouts` whole (https://github.com/kserve/kserve/issues/5311), though Gateway API
# knows them: so a rule has none here.
_RULE: Final = _object(
    matches=_list(
        _object(path=_object(type=_one_of("Exact", "PathPrefix", "RegularExpression"), value=_text(1024, 0))),
        64,
    ),
    filters=_list(
        _object(
            "type",
            type=_one_of("URLRewrite"),
            urlRewrite=_object(
                path=_object("type", type=_one_of("ReplacePrefixMatch"), replacePrefixMatch=_text(1024, 0))
            ),
        ),
        16,
    ),
    backendRefs=_list(_object("name", name=_text(253), port=_PORT, weight=_whole(0, 1_000_000)), 16),
)

_TARGET: Final = _object(
    "group", "kind", "name", group=_text(253, 0, rf"|{_SUBDOMAIN}"), kind=_KIND, name=_text(253)
)

_CHECK: Final = {
    **_object(
        "type",
        type=_one_of("TCP", "HTTP"),
        tcpHealthCheck=_object(portSpecification=_one_of("USE_NAMED_PORT", "USE_SERVING_PORT")),
        httpHealthCheck=_object(
            requestPath=_text(2048, 0, r"\/[A-Za-z0-9\/\-._~%!?$&'()*+,;=:]*"),
            portSpecification=_one_of("USE_NAMED_PORT", "USE_SERVING_PORT"),
        ),
    ),
    "minProperties": 2,
    "maxProperties": 2,
}

SPECS: Final[dict[tuple[str, str], Schema]] = {
    ("gateway.networking.k8s.io/v1", "Gateway"): _object(
        "gatewayClassName", "listeners", gatewayClassName=_text(253), listeners=_list(_LISTENER, 64, 1)
    ),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): _object(
        parentRefs=_list(_object("name", name=_text(253), sectionName=_text(253, pattern=_SUBDOMAIN)), 32),
        rules=_list(_RULE, 16, 1),
    ),
    ("networking.gke.io/v1", "GCPBackendPolicy"): _object(
        "targetRef",
        targetRef=_TARGET,
        default=_object(
            timeoutSec=_whole(1, 2_147_483_647),
            connectionDraining=_object(drainingTimeoutSec=_whole(0, 3600)),
        ),
    ),
    ("networking.gke.io/v1", "HealthCheckPolicy"): _object(
        "targetRef",
        targetRef=_TARGET,
        default=_object(checkIntervalSec=_whole(1, 300), timeoutSec=_whole(1, 300), config=_CHECK),
    ),
}


def complaints(manifest: dict[str, Any]) -> list[str]:
    """What is wrong with an object of one of these kinds: nothing, or a sentence for each fault."""
    kind = (manifest["apiVersion"], manifest["kind"])
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    metadata = _object("name", name=_text(253), namespace=_text(63), labels=texts, annotations=texts)
    whole = _object(
        "metadata", "spec", apiVersion=_text(253), kind=_KIND, metadata=metadata, spec=SPECS[kind]
    )
    return [error.message for error in Draft202012Validator(whole).iter_errors(manifest)]
