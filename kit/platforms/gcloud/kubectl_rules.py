"""kubectl's failures and what they mean, by its own words and the cluster's. Data, as `fault_rules`.

kubectl ends with status 1 whatever went wrong, so its words are all that there is: those of kubectl 1.33 and
1.37 (k8s.io/apimachinery/pkg/api/errors, k8s.io/kubectl/pkg/cmd/util/helpers.go), and of the API server.
"""

from __future__ import annotations

from typing import Final

from kit.errors import Code
from kit.platforms.gcloud.fault_rules import Rule

PLUGIN: Final = "gke-gcloud-auth-plugin"
INSTALL_PLUGIN: Final = (
    f"Install it: `gcloud components install {PLUGIN}`, or the package google-cloud-cli-{PLUGIN}."
)

RULES: Final = (
    Rule(
        rf"executable {PLUGIN} not found",
        Code.NOT_READY_TO_DEPLOY,
        INSTALL_PLUGIN,
        message=f"{PLUGIN}, by which kubectl signs in, is not on the PATH.",
    ),
    Rule(
        r"getting credentials:",
        Code.NOT_SIGNED_IN,
        "Sign in: `gcloud auth login`; then `gcloud auth print-access-token` must print a token.",
        message=f"{PLUGIN} could get no token for `{{verb}}`.",
    ),
    # Its cached token may have expired: an attempt that is repeated begins without it.
    Rule(
        r"must be logged in to the server|\bUnauthorized\b",
        Code.NOT_SIGNED_IN,
        "Sign in again: `gcloud auth login`.",
        again="transient",
        message="The cluster does not accept gcloud's credentials.",
    ),
    Rule(
        r"because it is being terminated|object is being deleted",
        Code.CLOUD_BUSY,
        "Try again when it has gone.",
        again="busy",
    ),
    Rule(
        r"Apply failed with \d+ conflict",
        Code.GCLOUD_FAILED,
        "Another program changed what the kit made, and owns it now: undo that, or remove it.",
    ),
    Rule(
        r"strict decoding error|ValidationError|unknown field",
        Code.GCLOUD_FAILED,
        "The cluster may be older than what the kit writes: `gcloud container clusters upgrade`.",
    ),
    Rule(
        r"no matches for kind|have a resource type|could not find the requested resource",
        Code.NOT_READY_TO_DEPLOY,
        "Switch the Gateway API on: `gcloud container clusters update CLUSTER --gateway-api=standard`.",
    ),
    Rule(
        r"exceeded quota|quota.{0,60}exceed|exceed.{0,60}quota",
        Code.QUOTA_EXCEEDED,
        "Ask for more, or make room: https://console.cloud.google.com/iam-admin/quotas",
    ),
    Rule(
        r"\(Forbidden\)|forbidden:",
        Code.PERMISSION_DENIED,
        "Ask an owner of the project for roles/container.developer.",
    ),
    Rule(
        r"x509:|tls: failed to verify",
        Code.TLS_FAILED,
        "Look what answers in the place of the cluster: a proxy on the way may open TLS.",
        message="`{verb}` does not trust the certificate that answered for the cluster.",
    ),
    Rule(
        r"connection reset|unexpected EOF|: EOF|broken pipe|TLS handshake timeout|connection lost|"
        r"ServiceUnavailable|InternalError|TooManyRequests|ServerTimeout|currently unable|etcdserver",
        Code.CLOUD_UNAVAILABLE,
        "Try again in a while.",
        again="transient",
        message="The cluster did not answer `{verb}` to the end.",
    ),
    Rule(
        r"connection refused|was refused|no such host|no route to host|i/o timeout|dial tcp|"
        r"deadline exceeded",
        Code.UNREACHABLE,
        "Look whether this machine may reach the cluster's control plane: "
        "`gcloud container clusters describe CLUSTER` names its endpoint and its authorized networks.",
        message="`{verb}` could not reach the cluster.",
    ),
    Rule(
        r"progress deadline|timed out waiting",
        Code.SERVICE_NOT_READY,
        "`kit logs` shows what it printed.",
    ),
)
