"""Who asks and changes a place in the cloud: one file a platform, found by the platform's name."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from kit.errors import Code, KitError

if TYPE_CHECKING:
    from kit.cloud.gcloud import Gcloud
    from kit.cloud.host import Host, Place


def host(place: Place, gcloud: Gcloud) -> Host:
    """The platform of a place, for this place.

    A target whose `platform` is NAME is served by `host` in `kit/cloud/NAME_host.py`.

    Raises:
        KitError: BAD_TARGET; the kit knows no such platform.
    """
    name = f"kit.cloud.{place.platform}_host"
    if not place.platform.isidentifier() or find_spec(name) is None:
        raise KitError(
            Code.BAD_TARGET,
            f"The kit cannot deploy to {place.platform!r}, the platform of the target {place.target}.",
            "Correct `platform` in its target.toml: app_engine or cloud_run.",
        )
    made: Host = import_module(name).host(place, gcloud)
    return made
