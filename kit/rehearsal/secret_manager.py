"""Secret Manager: secrets, their versions, and who may read them.

https://cloud.google.com/secret-manager/docs/reference/rest
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any

from kit.rehearsal.project import Project
from kit.rehearsal.router import Router
from kit.rehearsal.storage import now
from kit.rehearsal.wire import ApiError, Request

HOST = "secretmanager.googleapis.com"
_READS = ("roles/secretmanager.secretAccessor", "roles/secretmanager.admin", "roles/owner")


@dataclass
class Secret:
    """One secret; its versions count from 1."""

    versions: list[bytes] = field(default_factory=list)
    policy: dict[str, Any] = field(default_factory=lambda: {"etag": "ACAB"})
    created: str = field(default_factory=now)


class SecretManager:
    """All secrets of the project, by name."""

    def __init__(self, project: Project) -> None:
        self.secrets: dict[str, Secret] = {}
        self._project = project

    def register(self, router: Router) -> None:
        """Answer for them."""
        every = "/v1/projects/{project}/secrets"
        one = every + "/{name}"
        router.on("GET", HOST, every, self._list)
        router.on("POST", HOST, every, self._create)
        router.on("POST", HOST, one + ":addVersion", self._add)
        router.on("GET", HOST, one + ":getIamPolicy", lambda request, project, name: self._of(name).policy)
        router.on("POST", HOST, one + ":setIamPolicy", self._set_policy)
        router.on("GET", HOST, one, lambda request, project, name: self._resource(name))

    def value(self, name: str, version: str, account: str) -> str:
        """What a service account reads. Raises ApiError PERMISSION_DENIED; also for what is not there."""
        secret = self.secrets.get(name)
        bindings = secret.policy.get("bindings", ()) if secret is not None else ()
        members = [one for each in bindings if each["role"] in _READS for one in each["members"]]
        members += [one for role in _READS for one in self._project.policy.get(role, ())]
        number = len(secret.versions) if secret is not None and version == "latest" else version
        known = {str(n): value for n, value in enumerate(secret.versions if secret else (), 1)}
        if f"serviceAccount:{account}" not in members or str(number) not in known:
            raise ApiError(
                "PERMISSION_DENIED",
                f"Permission denied on secret: projects/{self._project.number}/secrets/{name}/versions/"
                f"{version} for Revision service account {account}. The service account used must be "
                "granted the 'Secret Manager Secret Accessor' role (roles/secretmanager.secretAccessor) at "
                "the secret, project or higher level.",
            )
        return known[str(number)].decode()

    def _of(self, name: str) -> Secret:
        if name not in self.secrets:
            raise ApiError("NOT_FOUND", f"Secret [projects/{self._project.number}/secrets/{name}] not found.")
        return self.secrets[name]

    def _resource(self, name: str) -> dict[str, Any]:
        path = f"projects/{self._project.number}/secrets/{name}"
        return {"name": path, "createTime": self._of(name).created, "replication": {"automatic": {}}}

    def _list(self, request: Request, project: str) -> dict[str, Any]:
        found = [self._resource(name) for name in sorted(self.secrets)]
        return {"secrets": found, "totalSize": len(found)}

    def _create(self, request: Request, project: str) -> dict[str, Any]:
        name = request.query["secretId"]
        if name in self.secrets:
            raise ApiError("ALREADY_EXISTS", f"Secret [{name}] already exists.")
        self.secrets[name] = Secret()
        return self._resource(name)

    def _add(self, request: Request, project: str, name: str) -> dict[str, Any]:
        secret = self._of(name)
        secret.versions.append(base64.urlsafe_b64decode(request.json["payload"]["data"]))
        path = f"projects/{self._project.number}/secrets/{name}/versions/{len(secret.versions)}"
        return {"name": path, "createTime": now(), "state": "ENABLED"}

    def _set_policy(self, request: Request, project: str, name: str) -> dict[str, Any]:
        secret = self._of(name)
        secret.policy = {**request.json["policy"], "etag": secrets.token_hex(4)}
        return secret.policy
