"""What deployments leave behind beside their versions: images, and the archives they were built from. Pure.

Where gcloud puts them, by its own source: Cloud Run's image is REGION-docker.pkg.dev/PROJECT/
cloud-run-source-deploy/SERVICE (surface/run/deploy.py), its archives lie in gs://run-sources-PROJECT-REGION/
services/SERVICE/ (command_lib/run/sourcedeploys/sources.py). A Flex version's image is GCR/PROJECT/appengine/
SERVICE.VERSION, its archive has the same name in the app's bucket (api_lib/app/deploy_command_util.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from kit.platforms.gcloud.commands import change, read
from kit.platforms.platform import VERSION_PREFIX, Command, Place

# Artifact Registry's own sentence for a repository or an image that is not there.
_NO_IMAGES: Final = ("NOT_FOUND: Requested entity was not found.",)
_REPOSITORY: Final = "cloud-run-source-deploy"
# gcr.io has been part of Artifact Registry since 2025: each of its hosts is a repository of that name, in
# https://docs.cloud.google.com/artifact-registry/docs/transition/setup-gcr-repo
_GCR: Final = {"gcr.io": "us", "us.gcr.io": "us", "eu.gcr.io": "europe", "asia.gcr.io": "asia"}


def run_image(place: Place) -> str:
    """The package of all images that source deploys of a Cloud Run service made."""
    return f"{place.region}-docker.pkg.dev/{_path(place.project)}/{_REPOSITORY}/{place.service}"


def run_archives(place: Place) -> str:
    """Where all archives lie that source deploys of a Cloud Run service uploaded, as a prefix."""
    project = place.project.replace(":", "_").replace(".", "_").replace("google", "elgoog")
    return f"gs://run-sources-{project}-{place.region}/services/{place.service}/**"


def flex_repository(place: Place, registry: str) -> str | None:
    """The repository of the app's registry (`us.gcr.io`); None where Artifact Registry has none of it."""
    location = _GCR.get(registry)
    return None if location is None else f"{location}-docker.pkg.dev/{_path(place.project)}/{registry}"


def flex_archives(place: Place, bucket: str, registry: str) -> str:
    """Where the archives of the kit's Flex versions of a service lie, as a prefix."""
    return f"gs://{bucket}/{registry}/{_path(place.project)}/{_flex_name(place)}**"


def list_images(place: Place, path: str) -> Command:
    """What is in a repository, or under the name of one image; `parse_images` reads it."""
    return read(_anywhere(place), "artifacts", "docker", "images", "list", path, absent=_NO_IMAGES)


def parse_images(answer: Any) -> tuple[str, ...]:
    """What `list_images` printed: the packages, each once."""
    return tuple(sorted({item["package"] for item in answer or ()}))


def is_flex_image(place: Place, package: str) -> bool:
    """Whether a package was made by the Flex build of one of the kit's versions of this service."""
    return f"/{_flex_name(place)}" in package


def delete_image(place: Place, package: str) -> Command:
    """Remove an image, all its digests and tags."""
    return change(
        _anywhere(place),
        "artifacts",
        "docker",
        "images",
        "delete",
        package,
        "--delete-tags",
        absent=_NO_IMAGES,
    )


def list_objects(place: Place, urls: str) -> Command:
    """What lies under a prefix; gcloud fails where nothing does. `parse_objects` reads it."""
    # `storage` has its own --json, and refuses --format=json.
    return Command(
        ("storage", "ls", urls, "--json", f"--project={place.project}", "--quiet"),
        absent=("One or more URLs matched no objects.", _no_bucket(urls)),  # storage/list_util.py
    )


def parse_objects(answer: Any) -> tuple[str, ...]:
    """What `list_objects` printed: the URLs."""
    return tuple(item["url"] for item in answer or ())


def delete_objects(place: Place, urls: str) -> Command:
    """Remove what lies under a prefix."""
    return change(
        _anywhere(place),
        "storage",
        "rm",
        urls,
        absent=("The following URLs matched no objects or files:", _no_bucket(urls)),
    )


def _no_bucket(urls: str) -> str:
    """What gcloud says where the bucket of a prefix was never made."""
    return f"gs://{urls.removeprefix('gs://').partition('/')[0]} not found: 404."


def _flex_name(place: Place) -> str:
    return f"appengine/{place.service}.{VERSION_PREFIX}"


def _path(project: str) -> str:
    """An old project's domain is a folder of its own."""
    return project.replace(":", "/")


def _anywhere(place: Place) -> Place:
    """These lines take no --region."""
    return replace(place, region=None)
