"""Which target am I running on, as which version, in which instance: what the platform's environment says.

App Engine: GAE_ENV ("standard"), GAE_SERVICE, GAE_VERSION, GAE_INSTANCE, GOOGLE_CLOUD_PROJECT (Google's
runtime pages). Cloud Run: K_SERVICE, K_REVISION (Google's container contract). GKE: nothing that another
Kubernetes would not set; the bundle's own STREAMPROOF_TARGET says it. These two name no project, so
`kit deploy` sets GOOGLE_CLOUD_PROJECT there. The version is what the proof says it is.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from service.proof import version_by_environment

# Cloud Run and GKE name no instance, and worker processes share one: there the process answers a proof.
_PROCESS = secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Hosting:
    """Where this process runs. `instance` differs between instances, `version` between deployments; `project`
    is None where the environment names none."""

    target: str
    version: str
    instance: str
    project: str | None = None


def detect(environ: Mapping[str, str], target: str | None = None) -> Hosting:
    """Reads the platform's variables; `target`, if given, overrides what they say of the target."""
    if environ.get("GAE_ENV") == "standard":
        found = "standard"
    elif "GAE_SERVICE" in environ or "GAE_INSTANCE" in environ:
        found = "flex"
    elif "K_SERVICE" in environ:
        found = "run"
    else:
        found = "local"
    return Hosting(
        target=target or found,
        version=version_by_environment(environ) or "unversioned",
        instance=environ.get("GAE_INSTANCE") or _PROCESS,
        project=environ.get("GOOGLE_CLOUD_PROJECT") or None,
    )
