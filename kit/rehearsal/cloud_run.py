"""Cloud Run: services and revisions, builds from source, who may call, and what they wrote.

https://cloud.google.com/run/docs/reference/rest
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from kit.rehearsal.archives import from_zip
from kit.rehearsal.artifacts import Artifacts
from kit.rehearsal.builds import Builds
from kit.rehearsal.knative import API, Revision, Service
from kit.rehearsal.project import Project
from kit.rehearsal.router import Router
from kit.rehearsal.storage import Storage
from kit.rehearsal.uploads import Hosting, Upload
from kit.rehearsal.wire import ApiError, Request
from kit.rehearsal.work import Work

HOST = "run.googleapis.com"
REGIONAL = "{region}-run.googleapis.com"
BUILD_HOST = "cloudbuild.googleapis.com"
REGIONS = ("asia-east1", "europe-west1", "us-central1")
# gcloud's own, whose tokens are not bound to one service: those of people who signed in.
_GCLOUD = "32555940559.apps.googleusercontent.com"
_WAIT_S = 30.0


class CloudRun:
    """All services.

    Attributes:
        services: by region and name.
        seconds: how long a change takes at least.
    """

    def __init__(
        self,
        project: Project,
        storage: Storage,
        builds: Builds,
        artifacts: Artifacts,
        secret: Callable[[str, str, str], str],
        hosting: Callable[[], Hosting],
        closing: threading.Event,
    ) -> None:
        self.services: dict[tuple[str, str], Service] = {}
        self.seconds = 0.01
        self._project = project
        self._storage = storage
        self._builds = builds
        self._artifacts = artifacts
        self._secret = secret
        self._hosting = hosting
        self._closing = closing
        self._lock = threading.RLock()
        self._works: dict[str, tuple[Work, Service]] = {}
        self._sources: dict[str, dict[str, bytes]] = {}

    def register(self, router: Router) -> None:
        """Answer at the global host and at those of the regions."""
        services = f"/apis/{API}/namespaces/{{project}}/services"
        revisions = f"/apis/{API}/namespaces/{{project}}/revisions"
        place = "projects/{project}/locations/{location}"
        router.on("GET", REGIONAL, services, self._list)
        router.on("POST", REGIONAL, services, self._create)
        router.on("GET", REGIONAL, services + "/{name}", self._get)
        router.on("PUT", REGIONAL, services + "/{name}", self._replace)
        router.on("DELETE", REGIONAL, services + "/{name}", self._delete)
        router.on("GET", REGIONAL, revisions, self._list_revisions)
        router.on("GET", REGIONAL, revisions + "/{name}", self._get_revision)
        router.on("DELETE", REGIONAL, revisions + "/{name}", self._delete_revision)
        router.on("POST", REGIONAL, f"/v1/{place}/operations/{{id}}:wait", self._wait)
        router.on("POST", REGIONAL, f"/v2/{place}/builds:submit", self._submit)
        router.on("POST", REGIONAL, f"/v1/{place}/services/{{name}}:testIamPermissions", self._permissions)
        router.on("GET", HOST, "/v1/projects/{project}/locations", self._locations)
        router.on("GET", HOST, "/v1/projects/{project}/locations/{region}/services", self._list)
        router.on("GET", HOST, f"/v1/{place}/services/{{name}}:getIamPolicy", self._get_policy)
        router.on("POST", HOST, f"/v1/{place}/services/{{name}}:setIamPolicy", self._set_policy)
        router.on("GET", BUILD_HOST, f"/v1/{place}/defaultServiceAccount", self._build_account)

    def service(self, name: str, region: str = "europe-west1") -> Service:
        """A service. Raises ApiError NOT_FOUND."""
        if (region, name) not in self.services:
            raise ApiError(
                "NOT_FOUND",
                f"Resource '{name}' of kind 'SERVICE' in region '{region}' in project "
                f"'{self._project.id}' does not exist",
            )
        return self.services[region, name]

    # ---- Services

    def _list(self, request: Request, project: str, region: str) -> dict[str, Any]:
        with self._lock:
            found = [each.resource() for (at, _), each in self.services.items() if region in ("-", at)]
        return {"apiVersion": API, "kind": "ServiceList", "metadata": {}, "items": found}

    def _create(self, request: Request, project: str, region: str) -> dict[str, Any]:
        name = request.json["metadata"]["name"]
        with self._lock:
            if (region, name) in self.services:
                raise ApiError("ALREADY_EXISTS", f"Resource '{name}' already exists.")
            service = Service(name, region, self._project.number)
            return self._change(service, request)

    def _get(self, request: Request, project: str, region: str, name: str) -> dict[str, Any]:
        with self._lock:
            return self.service(name, region).resource()

    def _replace(self, request: Request, project: str, region: str, name: str) -> dict[str, Any]:
        with self._lock:
            return self._change(self.service(name, region), request)

    def _change(self, service: Service, request: Request) -> dict[str, Any]:
        self._check_account(request.json["spec"]["template"])
        if request.query.get("dryRun") == "all":
            service = deepcopy(service)
            service.apply(request.json, "")
            return service.resource()
        operation = secrets.token_hex(16)
        revision = service.apply(request.json, operation)
        if not service.url:
            service.url = self._hosting().route("run", service.name, {})
            self._guard(service)
        self.services[service.region, service.name] = service

        def prepare() -> None:
            if revision is not None:
                self._hosting().serve(self._upload(service, revision))

        def finish(prepared: None) -> dict[str, Any]:
            with self._lock:
                service.settle(revision)
                self._route(service)
                return service.resource()

        def failing(step: Callable[..., Any]) -> Callable[..., Any]:
            def guarded(*arguments: Any) -> Any:
                try:
                    return step(*arguments)
                except ApiError as error:
                    with self._lock:
                        service.settle(revision, error.message)
                    raise

            return guarded

        self._works[operation] = Work(self.seconds, self._closing, finish, failing(prepare)), service
        return service.resource()

    def _check_account(self, template: dict[str, Any]) -> None:
        email = template["spec"].get("serviceAccountName")
        if email and email not in self._project.accounts:
            raise ApiError(
                "PERMISSION_DENIED",
                f"Permission 'iam.serviceaccounts.actAs' denied on service account {email} "
                "(or it may not exist).",
            )

    def _upload(self, service: Service, revision: Revision) -> Upload:
        image = revision.container["image"]
        if image not in self._sources:
            raise ApiError("NOT_FOUND", f"Image '{image}' not found.")
        return Upload(
            "run",
            service.name,
            revision.name,
            self._sources[image],
            {**revision.environment, **self._secrets(revision)},
            None,
            revision.template,
        )

    def _secrets(self, revision: Revision) -> dict[str, str]:
        """The variables whose values Secret Manager keeps. Raises ApiError PERMISSION_DENIED."""
        account = revision.template["spec"].get("serviceAccountName") or self._project.nodes
        return {
            name: self._secret(ref["name"], ref["key"], account) for name, ref in revision.secrets.items()
        }

    def _route(self, service: Service) -> None:
        self._hosting().route("run", service.name, service.shares)
        for tag in service.tag_urls.keys() - service.tags.keys():
            del service.tag_urls[tag]
            self._hosting().unroute("run", service.name, tag=tag)
        for tag, revision in service.tags.items():
            service.tag_urls[tag] = self._hosting().route("run", service.name, {revision: 1}, tag=tag)
        self._guard(service)

    def _delete(self, request: Request, project: str, region: str, name: str) -> dict[str, Any]:
        with self._lock:
            service = self.service(name, region)
            del self.services[region, name]
        for tag in (None, *service.tag_urls):
            self._hosting().unroute("run", name, tag=tag)
        for revision in service.revisions:
            self._hosting().stop("run", name, revision)
        return {"status": "Success"}

    def _wait(self, request: Request, project: str, region: str, location: str, id: str) -> dict[str, Any]:
        name = f"projects/{project}/locations/{location}/operations/{id}"
        if id not in self._works:
            raise ApiError("NOT_FOUND", f"Operation '{name}' not found.")
        work, service = self._works[id]
        asked = float(request.json.get("timeout", "30s").removesuffix("s"))
        if not work.wait(min(asked, _WAIT_S)):
            return {"name": name, "done": False}
        if work.error is not None:
            return {"name": name, "done": True, "error": work.error.rpc}
        with self._lock:
            return {"name": name, "done": True, "response": service.resource()}

    # ---- Revisions

    def _list_revisions(self, request: Request, project: str, region: str) -> dict[str, Any]:
        wanted = request.query.get("labelSelector", "")
        only = wanted.partition("=")[2].strip() if wanted.startswith("serving.knative.dev/service") else None
        with self._lock:
            found = [
                service.revision_resource(name)
                for (where, owner), service in self.services.items()
                for name in reversed(service.revisions)
                if where == region and only in (None, owner)
            ]
        return {"apiVersion": API, "kind": "RevisionList", "metadata": {}, "items": found}

    def _owner(self, region: str, revision: str) -> Service:
        for (where, _), service in self.services.items():
            if where == region and revision in service.revisions:
                return service
        raise ApiError(
            "NOT_FOUND",
            f"Resource '{revision}' of kind 'REVISION' in region '{region}' in project "
            f"'{self._project.id}' does not exist",
        )

    def _get_revision(self, request: Request, project: str, region: str, name: str) -> dict[str, Any]:
        with self._lock:
            return self._owner(region, name).revision_resource(name)

    def _delete_revision(self, request: Request, project: str, region: str, name: str) -> dict[str, Any]:
        with self._lock:
            service = self._owner(region, name)
            service.delete_revision(name)
        self._hosting().stop("run", service.name, name)
        return {"status": "Success"}

    # ---- Who may call

    def _get_policy(self, request: Request, project: str, location: str, name: str) -> dict[str, Any]:
        return self.service(name, location).policy

    def _set_policy(self, request: Request, project: str, location: str, name: str) -> dict[str, Any]:
        with self._lock:
            service, policy = self.service(name, location), dict(request.json["policy"])
            if policy.get("etag", service.policy["etag"]) != service.policy["etag"]:
                raise ApiError(
                    "ABORTED",
                    "There were concurrent policy changes. Please retry the whole read-modify-write with "
                    "exponential backoff.",
                )
            service.policy = {**policy, "etag": f"BwY{secrets.token_hex(4)}="}
            self._guard(service)
            return service.policy

    def _permissions(
        self, request: Request, project: str, region: str, location: str, name: str
    ) -> dict[str, Any]:
        return {"permissions": request.json.get("permissions", [])}

    def _guard(self, service: Service) -> None:
        def admits(token: str) -> bool:
            """An identity token for this service: its own URL as audience, for a tag's URL too."""
            return self._project.identity.get(token) in (service.url, _GCLOUD)

        self._hosting().guard(service.name, None if service.public else admits)

    # ---- Builds from source

    def _locations(self, request: Request, project: str) -> dict[str, Any]:
        place = f"projects/{project}/locations"
        return {"locations": [{"name": f"{place}/{region}", "locationId": region} for region in REGIONS]}

    def _build_account(self, request: Request, project: str, location: str) -> dict[str, Any]:
        email = f"{self._project.number}-compute@developer.gserviceaccount.com"
        return {
            "name": f"projects/{project}/locations/{location}/defaultServiceAccount",
            "serviceAccountEmail": f"projects/{project}/serviceAccounts/{email}",
        }

    def _submit(self, request: Request, project: str, region: str, location: str) -> dict[str, Any]:
        source, image = request.json["storageSource"], request.json["imageUri"]
        archive = self._storage.read(source["bucket"], source["object"])
        digest = f"sha256:{hashlib.sha256(archive + source['object'].encode()).hexdigest()}"

        def push(prepared: Any) -> None:
            self._artifacts.push(image, digest)
            self._sources[f"{image}@{digest}"] = from_zip(archive)

        resource = {
            "source": {"storageSource": source},
            "images": [image],
            "tags": request.json.get("tags", []),
        }
        build = self._builds.start("run", resource, finish=push, digest=digest)
        return {"buildOperation": self._builds.operation(build)}
