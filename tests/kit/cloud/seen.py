"""What the real gcloud 528 printed of a project that is ready, for the preflight's rules."""

from __future__ import annotations

from typing import Any

from kit.platforms.findings import Lane, Seen, Wishes
from kit.platforms.platform import Place

PROJECT = "demo-project"
APIS = ("appengine", "appengineflex", "artifactregistry", "cloudbuild", "run", "storage")

STANDARD = Lane(Place("standard", "app_engine", PROJECT, None, "default"))
FLEX = Lane(Place("flex", "app_engine", PROJECT, None, "sp-flex"), flexible=True, min_instances=1)
RUN = Lane(Place("run", "cloud_run", PROJECT, "europe-west1", "streamproof"))
LANES = (STANDARD, FLEX, RUN)


def wishes(**changes: Any) -> Wishes:
    return Wishes(**{"project": PROJECT, "project_source": "--project", **changes})


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
    return Seen(**{**well, **changes})


def apis(*names: str) -> list[dict[str, Any]]:
    return [{"config": {"name": f"{name}.googleapis.com"}} for name in names]
