"""Cloud Build: builds that take their time, write a log into a bucket, and may fail.

https://cloud.google.com/build/docs/api/reference/rest/v1/projects.builds
"""

from __future__ import annotations

import base64
import hashlib
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from kit.rehearsal.archives import from_tarball
from kit.rehearsal.artifacts import Artifacts
from kit.rehearsal.project import Project
from kit.rehearsal.router import Router
from kit.rehearsal.storage import Storage, now
from kit.rehearsal.uploads import Kind
from kit.rehearsal.wire import ApiError, Request
from kit.rehearsal.work import Work

HOST = "cloudbuild.googleapis.com"
_TYPES = "type.googleapis.com/google.devtools.cloudbuild.v1"


@dataclass
class Build:
    """One build: its resource as the API shows it, and its work."""

    id: str
    kind: Kind
    resource: dict[str, Any]
    work: Work | None = field(default=None)


class Builds:
    """All builds.

    Attributes:
        seconds: how long a build of each kind takes.
        failing: the log of each kind of build that fails.
        all: builds by id.
        images: what each pushed image was built from: its name to the archive's bucket and object.
    """

    def __init__(
        self, project: Project, storage: Storage, artifacts: Artifacts, closing: threading.Event
    ) -> None:
        self.seconds: dict[Kind, float] = dict.fromkeys(get_args(Kind), 0)
        self.failing: dict[Kind, str] = {}
        self.all: dict[str, Build] = {}
        self.images: dict[str, tuple[str, str]] = {}
        self._project = project
        self._storage = storage
        self._artifacts = artifacts
        self._closing = closing

    def register(self, router: Router) -> None:
        """Answer what gcloud asks while it waits for a build."""
        for where in ("/v1/projects/{project}", "/v1/projects/{project}/locations/{location}"):
            router.on("POST", HOST, where + "/builds", self._create)
            router.on("GET", HOST, where + "/builds", self._list)
            router.on("GET", HOST, where + "/builds/{id}", self._get)
        router.on("GET", HOST, "/v1/operations/build/{project}/{operation}", self._operation)
        router.on(
            "GET", HOST, "/v1/projects/{project}/locations/{location}/operations/{operation}", self._operation
        )

    def start(
        self,
        kind: Kind,
        resource: Mapping[str, Any],
        prepare: Callable[[], Any] = lambda: None,
        finish: Callable[[Any], Any] = lambda prepared: None,
        digest: str = f"sha256:{'0' * 64}",
    ) -> Build:
        """Begin a build.

        Args:
            kind: what it is for: says how long it takes and whether it fails.
            resource: what is known of it (source, images, logsBucket).
            prepare: work to begin with it.
            finish: what to do when it ends well, with what `prepare` returned.
            digest: of the image.
        """
        id = str(uuid.uuid4())
        bucket = str(
            resource.get("logsBucket") or f"{self._project.number}.cloudbuild-logs.googleusercontent.com"
        )
        bucket = bucket.removeprefix("gs://")
        self._storage.create(bucket)
        build = Build(
            id,
            kind,
            {
                **resource,
                "id": id,
                "name": f"projects/{self._project.number}/locations/global/builds/{id}",
                "projectId": self._project.id,
                "status": "WORKING",
                "createTime": now(),
                "startTime": now(),
                "logsBucket": f"gs://{bucket}" if "logsBucket" not in resource else bucket,
                "logUrl": f"https://console.cloud.google.com/cloud-build/builds/{id}?project={self._project.number}",
            },
        )
        self.all[id] = build
        log = [f'starting build "{id}"\n\nFETCHSOURCE\nBUILD\n']
        self._storage.put(bucket, f"log-{id}.txt", log[0].encode(), "text/plain")

        def ended(status: str, more: str) -> None:
            log.append(more)
            self._storage.put(bucket, f"log-{id}.txt", "".join(log).encode(), "text/plain")
            build.resource.update(status=status, finishTime=now())

        def end(prepared: Any) -> Any:
            if (why := self.failing.get(kind)) is not None:
                ended("FAILURE", f"{why}\nERROR\nERROR: build step 0 failed\n")
                raise ApiError("CANCELLED", "Build failed; check build logs for details", http=499)
            source = resource.get("source", {}).get("storageSource", {})
            for image in resource.get("images", ()):
                self.images[image] = (source["bucket"], source["object"])
            result = finish(prepared)
            built = [{"name": image, "digest": digest} for image in resource.get("images", ())]
            build.resource["results"] = {"images": built}
            ended("SUCCESS", "PUSH\nDONE\n")
            return result

        build.work = Work(self.seconds[kind], self._closing, end, prepare)
        return build

    def operation(self, build: Build) -> dict[str, Any]:
        """The build as the long-running operation that `create` and `submit` answer with."""
        name = base64.b64encode(build.id.encode()).decode().rstrip("=")
        shown: dict[str, Any] = {
            "name": f"operations/build/{self._project.id}/{name}",
            "metadata": {"@type": f"{_TYPES}.BuildOperationMetadata", "build": build.resource},
        }
        if build.resource["status"] != "WORKING":
            shown["done"] = True
            # A build that failed has both: gcloud reads its status from the one, the reason from the other.
            shown["response"] = {"@type": f"{_TYPES}.Build", **build.resource}
            if build.work is not None and build.work.error is not None:
                shown["error"] = build.work.error.rpc
        return shown

    def _create(self, request: Request, project: str, location: str = "global") -> dict[str, Any]:
        # App Engine's images are named by gcloud, after the service and the version.
        images = request.json.get("images", [])
        if any("/appengine/" in image for image in images):
            return self.operation(self.start("flex", request.json))
        source = request.json["source"]["storageSource"]
        digest = (
            f"sha256:{hashlib.sha256(self._storage.read(source['bucket'], source['object'])).hexdigest()}"
        )

        def push(prepared: Any) -> None:
            for image in images:
                self._artifacts.push(image, digest)
                self.images[f"{image.rpartition(':')[0]}@{digest}"] = self.images[image]

        return self.operation(self.start("gke", request.json, finish=push, digest=digest))

    def pulled(self, image: str) -> dict[str, bytes] | None:
        """The files that an image of a registry was built from; None where there is no such image."""
        return from_tarball(self._storage.read(*self.images[image])) if image in self.images else None

    def _list(self, request: Request, project: str, location: str = "global") -> dict[str, Any]:
        return {"builds": [build.resource for build in reversed(list(self.all.values()))]}

    def _get(self, request: Request, project: str, id: str, location: str = "global") -> dict[str, Any]:
        return self._find(id).resource

    def _operation(
        self, request: Request, project: str, operation: str, location: str = "global"
    ) -> dict[str, Any]:
        # `run deploy` asks by the build's id, all others by the operation's name.
        known = operation in self.all
        id = operation if known else base64.b64decode(operation + "=" * (-len(operation) % 4)).decode()
        return self.operation(self._find(id))

    def _find(self, id: str) -> Build:
        if id not in self.all:
            raise ApiError("NOT_FOUND", "Requested entity was not found.")
        return self.all[id]
