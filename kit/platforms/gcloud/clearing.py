"""Looks for what deployments left behind beside their versions, and says how to remove it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kit.errors import Code, KitError
from kit.platforms.gcloud import leftovers
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.platform import Place, Removal

# Where the service behind it was never used, nothing was left there.
_NOTHING: Final = (Code.NOT_FOUND_IN_CLOUD, Code.API_OFF, Code.NOT_READY_TO_DEPLOY)


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
        answer = await gcloud.read(leftovers.list_images(place, path), log=f"look-{place.target}")
    except KitError as error:
        return unread("images, if any", error)
    return tuple(
        Removal(f"the images {package}", leftovers.delete_image(place, package))
        for package in leftovers.parse_images(answer)
        if ours(package)
    )


async def archives(gcloud: Gcloud, place: Place, urls: str) -> tuple[Removal, ...]:
    """The archives under a prefix in Cloud Storage, all at once."""
    try:
        answer = await gcloud.read(leftovers.list_objects(place, urls), log=f"look-{place.target}")
    except KitError as error:
        return unread("uploaded archives, if any", error)
    there = len(leftovers.parse_objects(answer))
    what = f"{there} uploaded archive{'' if there == 1 else 's'} at {urls}"
    return (Removal(what, leftovers.delete_objects(place, urls)),) if there else ()


def unread(what: str, error: KitError) -> tuple[Removal, ...]:
    """That it could not be looked for: all else can be removed all the same."""
    if error.code in _NOTHING:
        return ()
    why = error.message.partition("\n")[0]
    return (Removal(f"{what}: they could not be looked for. {why}", None, error),)
