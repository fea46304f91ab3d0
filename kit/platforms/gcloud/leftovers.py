"""Leftovers of deployments beside their versions: images, and the archives they were built from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from kit.errors import Code, KitError
from kit.language import text
from kit.platforms.command import Command
from kit.platforms.gcloud.commands import change, read
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.service import Place, Removal

# Artifact Registry's own sentence for a repository or an image that is not there.
_NO_IMAGES: Final = ("NOT_FOUND: Requested entity was not found.",)
# Where the service behind it was never used, nothing was left there.
_NOTHING: Final = (Code.NOT_FOUND_IN_CLOUD, Code.API_OFF, Code.NOT_READY_TO_DEPLOY)


def list_images(place: Place, path: str) -> Command:
    """What is in a repository, or under the name of one image; `parse_images` reads it."""
    return read(_anywhere(place), "artifacts", "docker", "images", "list", path, absent=_NO_IMAGES)


def parse_images(answer: Any) -> tuple[str, ...]:
    """What `list_images` printed: the packages, each once."""
    return tuple(sorted({item["package"] for item in answer or ()}))


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


async def images(
    gcloud: Gcloud, place: Place, path: str, *, ours: Callable[[str], bool] = lambda package: True
) -> tuple[Removal, ...]:
    """The images under a path of Artifact Registry, by package.

    Args:
        gcloud: looks.
        place: whose.
        path: a repository, or an image in one.
        ours: whether a package is the kit's.
    """
    try:
        answer = await gcloud.read(list_images(place, path), log=f"look-{place.target}")
    except KitError as error:
        return unread(text("images, if any"), error)
    return tuple(
        Removal(text("the images {package}", package=package), delete_image(place, package))
        for package in parse_images(answer)
        if ours(package)
    )


async def archives(gcloud: Gcloud, place: Place, urls: str) -> tuple[Removal, ...]:
    """The archives under a prefix in Cloud Storage, all at once."""
    try:
        answer = await gcloud.read(list_objects(place, urls), log=f"look-{place.target}")
    except KitError as error:
        return unread(text("uploaded archives, if any"), error)
    there = len(parse_objects(answer))
    one, many = text("{count} uploaded archive at {urls}"), text("{count} uploaded archives at {urls}")
    what = (one if there == 1 else many).format(count=there, urls=urls)
    return (Removal(what, delete_objects(place, urls)),) if there else ()


def unread(what: str, error: KitError) -> tuple[Removal, ...]:
    """That it could not be looked for: all else can be removed all the same."""
    if error.code in _NOTHING:
        return ()
    why = error.message.partition("\n")[0]
    return (Removal(text("{what}: they could not be looked for. {why}", what=what, why=why), None, error),)


def _no_bucket(urls: str) -> str:
    """What gcloud says where the bucket of a prefix was never made."""
    return f"gs://{urls.removeprefix('gs://').partition('/')[0]} not found: 404."


def path(project: str) -> str:
    """A project in the path of an image: an old project's domain is a folder of its own."""
    return project.replace(":", "/")


def _anywhere(place: Place) -> Place:
    """These lines take no --region."""
    return replace(place, region=None)
