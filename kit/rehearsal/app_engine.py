"""App Engine's Admin API: the app, its services, their versions, traffic, operations.

Rules and fields: https://cloud.google.com/appengine/docs/admin-api/reference/rest/v1 (the SDK's messages
carry its text). Sentences marked "assumed" are ours, where Google's own could not be looked up.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kit.rehearsal.archives import from_manifest, from_tarball
from kit.rehearsal.builds import Build, Builds
from kit.rehearsal.project import Project
from kit.rehearsal.router import Router
from kit.rehearsal.storage import Storage, now
from kit.rehearsal.uploads import Hosting, Kind, Upload
from kit.rehearsal.wire import ApiError, Request
from kit.rehearsal.work import Work

HOST = "appengine.googleapis.com"
# "Only returned in GET requests if view=FULL is set", says each of these in the SDK's messages.
_FULL_ONLY = (
    "apiConfig",
    "buildEnvVariables",
    "defaultExpiration",
    "deployment",
    "envVariables",
    "errorHandlers",
    "handlers",
    "healthCheck",
    "libraries",
    "nobuildFilesRegex",
)
_FLEX = ("flex", "flexible")


@dataclass
class Version:
    """One version: its full resource, and what of it can be run."""

    resource: dict[str, Any]
    upload: Upload | None


@dataclass
class Service:
    """One service: its versions by id, its traffic by version, its own URL."""

    versions: dict[str, Version] = field(default_factory=dict)
    split: dict[str, float] = field(default_factory=dict)
    url: str = ""


@dataclass
class _Operation:
    resource: dict[str, Any]
    work: Work
    build: Build | None


class AppEngine:
    """The app of a project.

    Attributes:
        app: its resource; None where there is none.
        services: by id.
    """

    def __init__(
        self,
        project: Project,
        storage: Storage,
        builds: Builds,
        hosting: Callable[[], Hosting],
        closing: threading.Event,
    ) -> None:
        self.app: dict[str, Any] | None = None
        self.services: dict[str, Service] = {}
        self._project = project
        self._storage = storage
        self._builds = builds
        self._hosting = hosting
        self._closing = closing
        self._operations: dict[str, _Operation] = {}
        self._lock = threading.RLock()
        self.publish_experiments(0)

    def publish_experiments(self, server_side_build: int) -> None:
        """Write Google's file that says for how many per cent of projects Flex is built on its side."""
        self._storage.create("runtime-builders")
        text = f"schema_version: 1\nexperiments:\n  trigger_build_server_side: {server_side_build}\n"
        self._storage.put("runtime-builders", "experiments.yaml", text.encode(), "text/plain")

    def create_app(self, location: str = "us-central") -> None:
        """Make the app, with its buckets."""
        id = self._project.id
        for bucket in (f"staging.{id}.appspot.com", f"{id}.appspot.com"):
            self._storage.create(bucket)
        self.app = {
            "name": f"apps/{id}",
            "id": id,
            "authDomain": "gmail.com",
            "locationId": location,
            "codeBucket": f"staging.{id}.appspot.com",
            "defaultBucket": f"{id}.appspot.com",
            "defaultHostname": f"{id}.uc.r.appspot.com",
            "gcrDomain": "us.gcr.io",
            "servingStatus": "SERVING",
            "serviceAccount": f"{id}@appspot.gserviceaccount.com",
            "databaseType": "CLOUD_DATASTORE_COMPATIBILITY",
            "featureSettings": {"splitHealthChecks": True, "useContainerOptimizedOs": True},
        }

    def add_version(self, service: str, version: str, **resource: Any) -> Version:
        """A version of another tool's, which was there before; a service's first one serves."""
        made = Version(self._completed(service, {"id": version, "runtime": "python312", **resource}), None)
        made.resource["versionUrl"] = f"https://{version}-dot-{service}-dot-{self._project.id}.appspot.test"
        held = self.services.setdefault(service, Service())
        held.versions[version] = made
        held.split = held.split or {version: 1.0}
        return made

    def register(self, router: Router) -> None:
        """Answer for the Admin API."""
        router.on("GET", HOST, "/v1/apps/{app}", self._get_app)
        router.on("POST", HOST, "/v1/apps", self._create_app)
        router.on("GET", HOST, "/v1/apps/{app}/operations/{id}", self._get_operation)
        services = "/v1/apps/{app}/services"
        router.on("GET", HOST, services, self._list_services)
        router.on("GET", HOST, services + "/{service}", self._get_service)
        router.on("PATCH", HOST, services + "/{service}", self._patch_service)
        router.on("DELETE", HOST, services + "/{service}", self._delete_service)
        versions = services + "/{service}/versions"
        router.on("POST", HOST, versions, self._create_version)
        router.on("GET", HOST, versions, self._list_versions)
        router.on("GET", HOST, versions + "/{version}", self._get_version)
        router.on("PATCH", HOST, versions + "/{version}", self._patch_version)
        router.on("DELETE", HOST, versions + "/{version}", self._delete_version)

    # The app.

    def _get_app(self, request: Request, app: str) -> dict[str, Any]:
        if self.app is None:
            raise ApiError("NOT_FOUND", f"Could not find Application '{app}'.")
        return self.app

    def _create_app(self, request: Request) -> dict[str, Any]:
        self._project.own(request.json["id"])
        if self.app is not None:
            raise ApiError("ALREADY_EXISTS", "This application already exists and cannot be re-created.")
        location = request.json["locationId"]
        return self._operate(
            "CreateApplication", f"apps/{self._project.id}", lambda: self.create_app(location)
        )

    # Services.

    def _list_services(self, request: Request, app: str) -> dict[str, Any]:
        self._get_app(request, app)
        return {"services": [self._service_resource(id) for id in sorted(self.services)]}

    def _get_service(self, request: Request, app: str, service: str) -> dict[str, Any]:
        self._held(service)
        return self._service_resource(service)

    def _patch_service(self, request: Request, app: str, service: str) -> dict[str, Any]:
        held = self._held(service)
        if request.query.get("updateMask") != "split":
            raise ApiError("INVALID_ARGUMENT", "The loopback control plane knows the mask split only.")
        split = {id: float(share) for id, share in request.json["split"]["allocations"].items()}
        for id in split:
            self._version(service, id)
        if abs(sum(split.values()) - 1) > 0.001:
            raise ApiError("INVALID_ARGUMENT", "The sum of all allocations must be 1.")  # assumed

        def route() -> None:
            held.split = split
            self._route(service)

        return self._operate("UpdateService", f"apps/{app}/services/{service}", route)

    def _delete_service(self, request: Request, app: str, service: str) -> dict[str, Any]:
        held = self._held(service)
        if service == "default":
            # The sentence is the one that `gcloud app versions delete` has in such a case.
            raise ApiError("INVALID_ARGUMENT", "The default service (module) may not be deleted.")

        def delete() -> None:
            del self.services[service]
            for id, version in held.versions.items():
                self._stop(service, id, version)

        return self._operate("DeleteService", f"apps/{app}/services/{service}", delete)

    # Versions.

    def _create_version(self, request: Request, app: str, service: str) -> dict[str, Any]:
        self._get_app(request, app)
        given = request.json
        if "default" not in self.services and service != "default":
            # As reported in https://github.com/google/inverting-proxy/issues/122.
            raise ApiError(
                "INVALID_ARGUMENT",
                "The first service (module) you upload to a new application must be the 'default' service "
                "(module). Please upload a version of the 'default' service (module) before uploading a "
                f"version for the '{service}' service (module).",
            )
        kind: Kind = "flex" if given.get("env") in _FLEX or given.get("vm") else "standard"
        if not self._project.billing:
            raise ApiError("PERMISSION_DENIED", "Billing must be enabled for the project.")  # assumed
        if kind == "flex" and "appengineflex.googleapis.com" not in self._project.enabled:
            raise ApiError("FAILED_PRECONDITION", "Flex API has not been enabled.")  # assumed
        deployment = given.get("deployment", {})
        upload = Upload(
            kind,
            service,
            given["id"],
            self._files(deployment),
            given.get("envVariables", {}),
            given.get("entrypoint", {}).get("shell") or None,
            given,
        )
        # A Flex image that gcloud had built is there already: everything else is built now, by Google.
        image = deployment.get("container", {}).get("image")
        build = None if image else self._builds.start(kind, self._build_resource(kind, upload))
        target = f"apps/{app}/services/{service}/versions/{upload.version}"

        def prepare() -> str:
            url = "" if build and kind in self._builds.failing else self._hosting().serve(upload)
            while build and build.work and not build.work.wait(0.1) and not self._closing.is_set():
                pass
            if build and build.work and build.work.error:
                raise self._failed(build)
            return url

        def finish(url: str) -> dict[str, Any]:
            held = self.services.setdefault(service, Service())
            resource = self._completed(service, dict(given))
            resource["versionUrl"] = url
            held.versions[upload.version] = Version(resource, upload)
            if not held.split:
                held.split = {upload.version: 1.0}
            if upload.version in held.split:
                self._route(service)
            return {"@type": "type.googleapis.com/google.appengine.v1.Version", **_basic(resource)}

        return self._operate(
            "CreateVersion", target, finish, prepare, self._builds.seconds[kind] if build else 0, build
        )

    def _list_versions(self, request: Request, app: str, service: str) -> dict[str, Any]:
        full = request.query.get("view") == "FULL"
        held = self._held(service)
        return {
            "versions": [
                dict(version.resource) if full else _basic(version.resource)
                for version in list(held.versions.values())
            ]
        }

    def _get_version(self, request: Request, app: str, service: str, version: str) -> dict[str, Any]:
        resource = self._version(service, version).resource
        return dict(resource) if request.query.get("view") == "FULL" else _basic(resource)

    def _patch_version(self, request: Request, app: str, service: str, version: str) -> dict[str, Any]:
        held = self._version(service, version)
        if request.query.get("updateMask") != "servingStatus":
            raise ApiError(
                "INVALID_ARGUMENT", "The loopback control plane knows the mask servingStatus only."
            )
        if not _can_be_stopped(held.resource):
            # The SDK's `versions stop` says: this fails with "module/version does not exist" even when it
            # exists if the scaling mode is set to auto.
            raise ApiError("NOT_FOUND", f"Module/version {service}:{version} does not exist.")
        status = request.json["servingStatus"]

        def set_status() -> None:
            if status == "STOPPED":
                self._stop(service, version, held)
            elif held.upload is not None:
                held.resource["versionUrl"] = self._hosting().serve(held.upload)
            held.resource["servingStatus"] = status
            if version in self._held(service).split and status == "SERVING":
                self._route(service)

        return self._operate("UpdateVersion", f"apps/{app}/services/{service}/versions/{version}", set_status)

    def _delete_version(self, request: Request, app: str, service: str, version: str) -> dict[str, Any]:
        held = self._version(service, version)
        if self.services[service].split.get(version):
            raise ApiError("FAILED_PRECONDITION", f"Version {version} is receiving traffic.")  # assumed
        if len(self.services[service].versions) == 1:
            raise ApiError(  # assumed
                "INVALID_ARGUMENT",
                "Cannot delete the final version of a service (module). Please delete the whole service "
                "(module) in order to delete this version.",
            )

        def delete() -> None:
            del self.services[service].versions[version]
            self._stop(service, version, held)

        return self._operate("DeleteVersion", f"apps/{app}/services/{service}/versions/{version}", delete)

    # Operations.

    def _operate(
        self,
        method: str,
        target: str,
        finish: Callable[..., Any],
        prepare: Callable[[], Any] | None = None,
        seconds: float = 0,
        build: Build | None = None,
    ) -> dict[str, Any]:
        def locked(prepared: Any) -> Any:
            with self._lock:
                return finish(prepared) if prepare else finish()

        id = str(uuid.uuid4())
        metadata: dict[str, Any] = {
            "@type": "type.googleapis.com/google.appengine.v1.OperationMetadataV1",
            "method": f"google.appengine.v1.{method}",
            "insertTime": now(),
            "user": "somebody@example.com",
            "target": target,
        }
        if build is not None and build.kind == "flex":
            metadata["createVersionMetadata"] = {
                "@type": "type.googleapis.com/google.appengine.v1.CreateVersionMetadataV1",
                "cloudBuildId": build.id,
            }
        resource = {"name": f"apps/{self._project.id}/operations/{id}", "metadata": metadata}
        work = Work(seconds, self._closing, locked, prepare or (lambda: None))
        self._operations[id] = _Operation(resource, work, build)
        return self._operation_resource(self._operations[id])

    def _get_operation(self, request: Request, app: str, id: str) -> dict[str, Any]:
        if id not in self._operations:
            raise ApiError("NOT_FOUND", f"Operation {id} was not found.")
        return self._operation_resource(self._operations[id])

    def _operation_resource(self, operation: _Operation) -> dict[str, Any]:
        resource = dict(operation.resource)
        if operation.work.done:
            resource["metadata"] = {**resource["metadata"], "endTime": now()}
            resource["done"] = True
            if operation.work.error is not None:
                resource["error"] = operation.work.error.rpc
            else:
                resource["response"] = operation.work.result or {
                    "@type": "type.googleapis.com/google.protobuf.Empty"
                }
        return resource

    # Parts of the above.

    def _files(self, deployment: Mapping[str, Any]) -> dict[str, bytes]:
        image = deployment.get("container", {}).get("image")
        if image is not None:
            if image not in self._builds.images:
                raise ApiError("NOT_FOUND", f"Image {image} was never built here.")
            return from_tarball(self._storage.read(*self._builds.images[image]))
        return from_manifest(deployment.get("files", {}), self._storage)

    def _build_resource(self, kind: Kind, upload: Upload) -> dict[str, Any]:
        assert self.app is not None
        if kind == "standard":
            return {"logsBucket": self.app["codeBucket"]}
        image = (
            f"{self.app['gcrDomain']}/{self._project.id}/appengine/{upload.service}.{upload.version}:latest"
        )
        return {
            "logsBucket": self.app["codeBucket"],
            "tags": [f"gae-{image.rpartition('/')[2].partition(':')[0]}"],
        }

    def _failed(self, build: Build) -> ApiError:
        # As reported in https://github.com/GoogleCloudPlatform/distributed-load-testing-using-kubernetes/issues/29.
        log = self._builds.failing.get(build.kind, "")
        return ApiError(
            "FAILED_PRECONDITION",
            f"Cloud build {build.id} status: FAILURE\n{log}\nFull build logs: {build.resource['logUrl']}",
        )

    def _completed(self, service: str, resource: dict[str, Any]) -> dict[str, Any]:
        id = resource["id"]
        is_flex = resource.get("env") in _FLEX
        scaled = any(name in resource for name in ("manualScaling", "basicScaling", "automaticScaling"))
        return {
            "name": f"apps/{self._project.id}/services/{service}/versions/{id}",
            **({"env": "standard"} if not is_flex else {}),
            **({"automaticScaling": {}} if not scaled else {}),
            "servingStatus": "SERVING",
            "createdBy": "somebody@example.com",
            "createTime": now(),
            "diskUsageBytes": "0",
            "serviceAccount": f"{self._project.id}@appspot.gserviceaccount.com",
            **resource,
        }

    def _service_resource(self, service: str) -> dict[str, Any]:
        name = f"apps/{self._project.id}/services/{service}"
        return {"name": name, "id": service, "split": {"allocations": dict(self.services[service].split)}}

    def _route(self, service: str) -> None:
        held = self.services[service]
        uploads = [held.versions[id].upload for id in held.split if id in held.versions]
        kinds: list[Kind] = [upload.kind for upload in uploads if upload is not None]
        if kinds:
            held.url = self._hosting().route(kinds[0], service, held.split)

    def _stop(self, service: str, id: str, version: Version) -> None:
        if version.upload is not None:
            self._hosting().stop(version.upload.kind, service, id)

    def _held(self, service: str) -> Service:
        if service not in self.services:
            raise ApiError("NOT_FOUND", f"Service {service} was not found.")  # assumed
        return self.services[service]

    def _version(self, service: str, version: str) -> Version:
        found = self._held(service).versions.get(version)
        if found is None:
            raise ApiError("NOT_FOUND", f"Version {version} of service {service} was not found.")  # assumed
        return found


def _basic(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name not in _FULL_ONLY}


def _can_be_stopped(resource: Mapping[str, Any]) -> bool:
    """servingStatus may be changed with manual or basic scaling, or on Flex: versions.patch says so."""
    return resource.get("env") in _FLEX or "manualScaling" in resource or "basicScaling" in resource
