"""The hosting platforms that the kit deploys to: one folder each, found by its name."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from kit.errors import Code, KitError

if TYPE_CHECKING:
    from kit.platforms.gcloud.runner import Gcloud
    from kit.platforms.platform import Host, Place


def host(place: Place, gcloud: Gcloud) -> Host:
    """The platform of a place, for this place.

    A target whose `platform` is NAME is served by `host` in `kit/platforms/NAME/host.py`.

    Raises:
        KitError: BAD_TARGET; the kit knows no such platform.
    """
    name = f"kit.platforms.{place.platform}.host"
    if not place.platform.isidentifier() or find_spec(f"kit.platforms.{place.platform}") is None:
        raise KitError(
            Code.BAD_TARGET,
            f"The kit cannot deploy to {place.platform!r}, the platform of the target {place.target}.",
            "Correct `platform` in its target.toml: app_engine or cloud_run.",
        )
    made: Host = import_module(name).host(place, gcloud)
    return made
