"""Artifact Registry: Docker repositories, and the images in them.

https://cloud.google.com/artifact-registry/docs/reference/rest
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from kit.rehearsal.router import Router
from kit.rehearsal.storage import now
from kit.rehearsal.wire import ApiError, Request

HOST = "artifactregistry.googleapis.com"
_IMAGE = re.compile(r"([\w-]+)-docker\.pkg\.dev/([\w-]+)/([\w-]+)/([^:@]+)(?::([\w.-]+))?")


@dataclass
class Image:
    """What was pushed: by its digest, with the tags that point at it."""

    digest: str
    tags: set[str] = field(default_factory=set)
    pushed: str = field(default_factory=now)


class Artifacts:
    """All repositories.

    Attributes:
        repositories: their resources by name (projects/P/locations/L/repositories/R).
        images: package name (…/packages/IMAGE) to digest to image.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, Any]] = {}
        self.images: dict[str, dict[str, Image]] = {}
        self._operations: dict[str, dict[str, Any]] = {}

    def register(self, router: Router) -> None:
        """Answer for all of them."""
        place = "/v1/projects/{project}/locations/{location}"
        repository = place + "/repositories/{repository}"
        package = repository + "/packages/{package}"
        router.on("POST", HOST, place + "/repositories", self._create)
        router.on("GET", HOST, place + "/operations/{operation}", self._operation)
        router.on("GET", HOST, repository, self._get)
        router.on("GET", HOST, repository + "/dockerImages", self._list)
        router.on("GET", HOST, repository + "/packages", self._packages)
        router.on("DELETE", HOST, package, self._delete_package)
        router.on("GET", HOST, package + "/versions", self._versions)
        router.on("DELETE", HOST, package + "/versions/{version}", self._delete_version)
        router.on("GET", HOST, package + "/tags", self._tags)
        router.on("DELETE", HOST, package + "/tags/{tag}", self._delete_tag)

    def push(self, image: str, digest: str) -> None:
        """What a build pushes. Raises ApiError NOT_FOUND where there is no such repository."""
        found = _IMAGE.fullmatch(image)
        assert found is not None, f"{image} is no name of an image"
        location, project, repository, name, tag = found.groups()
        parent = f"projects/{project}/locations/{location}/repositories/{repository}"
        self._repository(parent)
        there = self.images.setdefault(f"{parent}/packages/{quote(name, safe='')}", {})
        for each in there.values():
            each.tags.discard(tag or "latest")
        there.setdefault(digest, Image(digest)).tags.add(tag or "latest")

    def _repository(self, name: str) -> dict[str, Any]:
        if name not in self.repositories:
            raise ApiError("NOT_FOUND", "Requested entity was not found.")
        return self.repositories[name]

    def _create(self, request: Request, project: str, location: str) -> dict[str, Any]:
        name = f"projects/{project}/locations/{location}/repositories/{request.query['repositoryId']}"
        if name in self.repositories:
            raise ApiError("ALREADY_EXISTS", "the repository already exists")
        self.repositories[name] = {**request.json, "name": name, "createTime": now(), "updateTime": now()}
        return self._done(project, location, self.repositories[name])

    def _operation(self, request: Request, project: str, location: str, operation: str) -> dict[str, Any]:
        return self._operations[operation]

    def _done(self, project: str, location: str, response: dict[str, Any] | None = None) -> dict[str, Any]:
        id = secrets.token_hex(8)
        kind = (
            "google.protobuf.Empty" if response is None else "google.devtools.artifactregistry.v1.Repository"
        )
        self._operations[id] = {
            "name": f"projects/{project}/locations/{location}/operations/{id}",
            "done": True,
            "response": {"@type": f"type.googleapis.com/{kind}", **(response or {})},
        }
        return self._operations[id]

    def _get(self, request: Request, project: str, location: str, repository: str) -> dict[str, Any]:
        return self._repository(f"projects/{project}/locations/{location}/repositories/{repository}")

    def _list(self, request: Request, project: str, location: str, repository: str) -> dict[str, Any]:
        parent = f"projects/{project}/locations/{location}/repositories/{repository}"
        self._repository(parent)
        shown = []
        for package, images in self.images.items():
            owner, _, name = package.rpartition("/packages/")
            for image in images.values() if owner == parent else ():
                shown.append(
                    {
                        "name": f"{parent}/dockerImages/{name}@{image.digest}",
                        "uri": f"{location}-docker.pkg.dev/{project}/{repository}/{name}@{image.digest}",
                        "tags": sorted(image.tags),
                        "imageSizeBytes": "61234567",
                        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                        "uploadTime": image.pushed,
                        "updateTime": image.pushed,
                        "buildTime": image.pushed,
                    }
                )
        return {"dockerImages": shown}

    def _packages(self, request: Request, project: str, location: str, repository: str) -> dict[str, Any]:
        parent = f"projects/{project}/locations/{location}/repositories/{repository}"
        self._repository(parent)
        return {
            "packages": [{"name": name} for name in self.images if name.startswith(f"{parent}/packages/")]
        }

    def _package(self, project: str, location: str, repository: str, package: str) -> str:
        parent = f"projects/{project}/locations/{location}/repositories/{repository}"
        name = f"{parent}/packages/{quote(package, safe='')}"
        if name not in self.images:
            raise ApiError("NOT_FOUND", "Requested entity was not found.")
        return name

    def _versions(
        self, request: Request, project: str, location: str, repository: str, package: str
    ) -> dict[str, Any]:
        name = self._package(project, location, repository, package)
        return {
            "versions": [
                {
                    "name": f"{name}/versions/{image.digest}",
                    "createTime": image.pushed,
                    "updateTime": image.pushed,
                    "relatedTags": [_tag(name, tag, image) for tag in sorted(image.tags)]
                    if request.query.get("view") == "FULL"
                    else [],
                }
                for image in self.images[name].values()
            ]
        }

    def _tags(
        self, request: Request, project: str, location: str, repository: str, package: str
    ) -> dict[str, Any]:
        name = self._package(project, location, repository, package)
        only = re.search(r'version="(?:.*/)?([^"/]+)"', request.query.get("filter", ""))
        return {
            "tags": [
                _tag(name, tag, image)
                for image in self.images[name].values()
                for tag in sorted(image.tags)
                if only is None or only[1] == image.digest
            ]
        }

    def _delete_tag(
        self, request: Request, project: str, location: str, repository: str, package: str, tag: str
    ) -> dict[str, Any]:
        for image in self.images[self._package(project, location, repository, package)].values():
            image.tags.discard(tag)
        return {}

    def _delete_version(
        self, request: Request, project: str, location: str, repository: str, package: str, version: str
    ) -> dict[str, Any]:
        images = self.images[self._package(project, location, repository, package)]
        if version not in images:
            raise ApiError("NOT_FOUND", "Requested entity was not found.")
        if images[version].tags:
            raise ApiError("FAILED_PRECONDITION", "cannot delete version because it is tagged")
        del images[version]
        return self._done(project, location)

    def _delete_package(
        self, request: Request, project: str, location: str, repository: str, package: str
    ) -> dict[str, Any]:
        del self.images[self._package(project, location, repository, package)]
        return self._done(project, location)


def _tag(package: str, tag: str, image: Image) -> dict[str, Any]:
    return {"name": f"{package}/tags/{tag}", "version": f"{package}/versions/{image.digest}"}
