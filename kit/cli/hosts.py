"""How the commands reach the cloud: the user's own gcloud, with its logs beside the bundles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kit.cli.output import talk

if TYPE_CHECKING:
    from kit.platforms.gcloud.runner import Gcloud
    from kit.platforms.platform import Host
    from kit.platforms.service import Place


def gcloud(echo: Callable[[str], None] | None = None, logs: Path | None = None) -> Gcloud:
    """The user's gcloud.

    Args:
        echo: is given each line that changes something; to stderr unless given.
        logs: the folder for what it says; the bundles' own unless given.
    """
    import os

    from kit.platforms.gcloud.runner import Gcloud

    logs = logs or Path(os.environ.get("KIT_OUT") or "build", "logs")
    return Gcloud(os.environ, logs, echo or (lambda line: talk(f"$ {line}")))


def hosts(runs: Gcloud | None = None) -> Callable[[Place], Host]:
    """Who asks and changes a place in the cloud, all through the same gcloud."""
    from kit.platforms import host

    asked = runs or gcloud()
    return lambda place: host(place, asked)
