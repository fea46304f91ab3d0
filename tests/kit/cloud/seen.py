"""What the real gcloud 528 printed of a project that is ready, for the preflight's rules."""

from __future__ import annotations

from typing import Any

from kit.platforms.findings import Candidate, PreflightOptions, Seen
from kit.platforms.service import Place

PROJECT = "demo-project"
APIS = ("appengine", "appengineflex", "artifactregistry", "cloudbuild", "run", "storage")

STANDARD = Candidate(Place("standard", "app_engine", PROJECT, None, "default"), edition="standard")
FLEX = Candidate(Place("flex", "app_engine", PROJECT, None, "sp-flex"), edition="flexible", min_instances=1)
RUN = Candidate(Place("run", "cloud_run", PROJECT, "europe-west1", "streamproof"))
TARGETS = (STANDARD, FLEX, RUN)


def options(**changes: Any) -> PreflightOptions:
    return PreflightOptions(**{"project": PROJECT, "project_source": "--project", **changes})


def seen(**changes: Any) -> Seen:
    """A project in which all is well; keywords are what differs."""
    well: dict[str, Any] = {
        "version": {"Google Cloud SDK": "528.0.0", "core": "2025.06.20"},
        "accounts": [{"account": "somebody@example.com", "status": "ACTIVE"}],
        "project": {
            "createTime": "2026-01-02T03:04:05.678Z",
            "lifecycleState": "ACTIVE",
            "name": PROJECT,
            "projectId": PROJECT,
            "projectNumber": "123456789012",
        },
        "billing": {
            "billingAccountName": "billingAccounts/012345-6789AB-CDEF01",
            "billingEnabled": True,
            "name": f"projects/{PROJECT}/billingInfo",
            "projectId": PROJECT,
        },
        "apis": apis(*APIS),
        "app": {
            "id": PROJECT,
            "locationId": "europe-west",
            "serviceAccount": f"{PROJECT}@appspot.gserviceaccount.com",
            "servingStatus": "SERVING",
        },
        "app_versions": [{"id": "sp-1", "service": "default"}],
        "policy": {
            "bindings": [{"members": ["user:somebody@example.com"], "role": "roles/owner"}],
            "etag": "BwXhqDVYvEE=",
            "version": 1,
        },
        "looks": {"standard": None, "flex": None, "run": None},
    }
    facts = {**well, **changes}
    own = {name: facts.pop(name) for name in ("app", "app_versions")}
    return Seen(**facts, own=own)


def apis(*names: str) -> list[dict[str, Any]]:
    return [{"config": {"name": f"{name}.googleapis.com"}} for name in names]
