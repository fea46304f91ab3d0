"""The project itself: its APIs, its billing, who may do what, its service accounts, its tokens."""

from __future__ import annotations

import base64
import json
import secrets
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs

from kit.rehearsal.faults import api_off, billing_off
from kit.rehearsal.router import Router
from kit.rehearsal.storage import now
from kit.rehearsal.wire import ApiError, Request, Response

APIS = (
    "appengine.googleapis.com",
    "appengineflex.googleapis.com",
    "artifactregistry.googleapis.com",
    "cloudbilling.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com",
    "container.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "serviceusage.googleapis.com",
    "storage.googleapis.com",
)
# Answered for any project: gcloud asks these with its own.
_ALWAYS = ("oauth2", "serviceusage", "cloudresourcemanager", "cloudbilling", "storage", "www")
_PAID = ("appengine", "run", "cloudbuild", "artifactregistry", "container")
_PULLS = "roles/artifactregistry.reader"


class Project:
    """One Google Cloud project.

    Attributes:
        id: its id. number: its number.
        enabled: the APIs that are on, by host name.
        billing: whether billing is.
        policy: its IAM bindings: role to members.
        accounts: its service accounts by e-mail address.
        access: access tokens that are good. identity: identity tokens and their audiences.
    """

    def __init__(self, id: str = "demo-project", number: str = "123456789012") -> None:
        self.id = id
        self.number = number
        self.enabled = set(APIS)
        self.billing = True
        self.policy: dict[str, list[str]] = {
            "roles/owner": ["user:somebody@example.com"],
            _PULLS: [f"serviceAccount:{self.nodes}"],
        }
        self.accounts: dict[str, dict[str, Any]] = {}
        self.access = {"access-token-of-the-tests"}
        self.identity: dict[str, str] = {}
        self.add_account(f"{id}@appspot.gserviceaccount.com", "App Engine default service account")
        self.add_account(self.nodes, "Default compute service account")

    def register(self, router: Router) -> None:
        """Answer for the project; refuse calls without a token, for another project, of an API off."""
        router.guards += [self._signed_in, self._on]
        manager, usage = "cloudresourcemanager.googleapis.com", "serviceusage.googleapis.com"
        router.on("GET", manager, "/v1/projects/{project}", self._get)
        router.on("POST", manager, "/v1/projects/{project}:getIamPolicy", self._policy)
        router.on("GET", "cloudbilling.googleapis.com", "/v1/projects/{project}/billingInfo", self._billing)
        for version in ("v1", "v1beta1"):
            services = f"/{version}/projects/{{project}}/services"
            router.on("GET", usage, services, self._services)
            router.on("GET", usage, services + "/{api}", self._service)
            router.on("POST", usage, services + "/{api}:enable", self._enable)
            router.on("POST", usage, services + ":batchEnable", self._batch_enable)
            router.on("GET", usage, f"/{version}/operations/{{name}}", self._enabled)
        iam, accounts = "iam.googleapis.com", "/v1/projects/{project}/serviceAccounts"
        router.on("GET", iam, accounts, self._accounts)
        router.on("POST", iam, accounts, self._create_account)
        router.on("GET", iam, accounts + "/{email}", self._account)
        router.on("POST", "oauth2.googleapis.com", "/token", self._token, raw=True)

    @property
    def nodes(self) -> str:
        """The account as which the nodes of clusters act."""
        return f"{self.number}-compute@developer.gserviceaccount.com"

    @property
    def nodes_may_pull(self) -> bool:
        """Whether nodes may pull images; of the roles with which they may, one is looked for."""
        return f"serviceAccount:{self.nodes}" in self.policy.get(_PULLS, ())

    def own(self, project: str) -> None:
        """Raises ApiError PERMISSION_DENIED for another project: Google does not say whether it exists."""
        if project not in (self.id, self.number, "-"):
            raise ApiError("PERMISSION_DENIED", "The caller does not have permission")

    def add_account(self, email: str, title: str) -> dict[str, Any]:
        """Make a service account."""
        number = str(10**20 + secrets.randbelow(10**20))
        self.accounts[email] = {
            "name": f"projects/{self.id}/serviceAccounts/{email}",
            "projectId": self.id,
            "uniqueId": number,
            "email": email,
            "displayName": title,
            "oauth2ClientId": number,
        }
        return self.accounts[email]

    def _signed_in(self, request: Request) -> None:
        anonymous = request.host == "oauth2.googleapis.com" or "/runtime-builders/" in request.path
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        # What carries an upload on is the session's address: gcloud sends no token with it.
        if not anonymous and given not in self.access and "upload_id" not in request.query:
            raise ApiError(
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie "
                "or other valid authentication credential.",
            )

    def _on(self, request: Request) -> None:
        parts = request.path.split("/")
        for kind, name in pairwise(parts):
            if kind in ("projects", "apps", "namespaces") and "googleapis.com" in request.host:
                self.own(name.partition(":")[0])
        api = request.host.removesuffix(".googleapis.com")
        api = "run" if api.endswith("-run") else api
        if api in _ALWAYS:
            return
        if f"{api}.googleapis.com" not in self.enabled:
            raise api_off(f"{api}.googleapis.com", self.id, self.number)
        # Assumed: reading goes on without billing, creating does not.
        if api in _PAID and not self.billing and request.method == "POST":
            raise billing_off(self.id, self.number)

    def _get(self, request: Request, project: str) -> dict[str, Any]:
        return {
            "projectId": self.id,
            "projectNumber": self.number,
            "name": self.id,
            "lifecycleState": "ACTIVE",
            "createTime": "2026-01-02T03:04:05.678Z",
        }

    def _policy(self, request: Request, project: str) -> dict[str, Any]:
        bindings = [{"role": role, "members": members} for role, members in self.policy.items()]
        return {"version": 1, "etag": "BwXhqDVYvEE=", "bindings": bindings}

    def _billing(self, request: Request, project: str) -> dict[str, Any]:
        account = {"billingAccountName": "billingAccounts/012345-6789AB-CDEF01"} if self.billing else {}
        return {
            "name": f"projects/{self.id}/billingInfo",
            "projectId": self.id,
            "billingEnabled": self.billing,
            **account,
        }

    def _state(self, api: str) -> dict[str, Any]:
        state = "ENABLED" if api in self.enabled else "DISABLED"
        name = f"projects/{self.number}/services/{api}"
        parent = f"projects/{self.number}"
        return {"name": name, "config": {"name": api, "title": api}, "state": state, "parent": parent}

    def _services(self, request: Request, project: str) -> dict[str, Any]:
        asked = sorted(
            self.enabled if "ENABLED" in request.query.get("filter", "") else {*APIS, *self.enabled}
        )
        return {"services": [self._state(api) for api in asked]}

    def _service(self, request: Request, project: str, api: str) -> dict[str, Any]:
        return self._state(api)

    def _enable(self, request: Request, project: str, api: str) -> dict[str, Any]:
        self.enabled.add(api)
        return _done({"service": self._state(api)}, "EnableServiceResponse")

    def _batch_enable(self, request: Request, project: str) -> dict[str, Any]:
        asked = request.json["serviceIds"]
        self.enabled.update(asked)
        return _done({"services": [self._state(api) for api in asked]}, "BatchEnableServicesResponse")

    def _enabled(self, request: Request, name: str) -> dict[str, Any]:
        return {"name": f"operations/{name}", "done": True, "response": {}}

    def _accounts(self, request: Request, project: str) -> dict[str, Any]:
        return {"accounts": list(self.accounts.values())}

    def _account(self, request: Request, project: str, email: str) -> dict[str, Any]:
        if email not in self.accounts:
            raise ApiError("NOT_FOUND", f"Unknown service account {email}")
        return self.accounts[email]

    def _create_account(self, request: Request, project: str) -> dict[str, Any]:
        email = f"{request.json['accountId']}@{self.id}.iam.gserviceaccount.com"
        if email in self.accounts:
            raise ApiError("ALREADY_EXISTS", f"Service account {email} already exists.")
        return self.add_account(email, request.json.get("serviceAccount", {}).get("displayName", ""))

    def _token(self, request: Request) -> Response:
        """RFC 7523, as Google does it: a claim `target_audience` asks for an identity token."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        claims = json.loads(_decoded(form["assertion"].split(".")[1]))
        audience = claims.get("target_audience")
        if audience is None:
            token = f"ya29.{secrets.token_urlsafe(16)}"
            self.access.add(token)
            return Response({"access_token": token, "token_type": "Bearer", "expires_in": 3600})
        return Response({"id_token": self._identity(str(claims["iss"]), str(audience), int(claims["iat"]))})

    def _identity(self, email: str, audience: str, issued: int) -> str:
        claims = {
            "iss": "https://accounts.google.com",
            "aud": audience,
            "sub": "100000000000000000001",
            "email": email,
            "email_verified": True,
            "iat": issued,
            "exp": issued + 3600,
        }
        parts = (
            json.dumps({"alg": "RS256", "typ": "JWT"}).encode(),
            json.dumps(claims).encode(),
            secrets.token_bytes(32),
        )
        token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
        self.identity[token] = audience
        return token


def _done(response: dict[str, Any], kind: str) -> dict[str, Any]:
    typed = {"@type": f"type.googleapis.com/google.api.serviceusage.v1.{kind}", **response}
    return {"name": f"operations/acat.p2-{now()}", "done": True, "response": typed}


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
