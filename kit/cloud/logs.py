"""The line of gcloud that reads a service's own log, on each platform."""

from __future__ import annotations

import re

from kit.cloud.host import Command, Place
from kit.errors import Code, Exit, KitError


def read_logs(place: Place, *, limit: int, version: str | None = None) -> Command:
    """The newest entries, as gcloud prints them.

    Args:
        place: of the service.
        limit: how many entries.
        version: of this version only: its name, on Cloud Run the revision's or the suffix alone.

    Raises:
        KitError: BAD_USAGE; the version is no name.
    """
    if version is not None and not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", version):
        raise KitError(
            Code.BAD_USAGE,
            f"{version[:80]!r} is no version.",
            f"`kit status {place.target}` shows their names.",
            exit=Exit.USAGE,
        )
    where = (f"--limit={limit}", f"--project={place.project}", "--quiet")
    if place.platform == "app_engine":
        only = () if version is None else (f"--version={version}",)
        return Command(("app", "logs", "read", f"--service={place.service}", *only, *where))
    only = ()
    if version is not None:
        revision = version if version.startswith(f"{place.service}-") else f"{place.service}-{version}"
        only = (f'--log-filter=resource.labels.revision_name="{revision}"',)
    region = () if place.region is None else (f"--region={place.region}",)
    return Command(("run", "services", "logs", "read", place.service, *region, *only, *where))
