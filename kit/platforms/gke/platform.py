"""Google Kubernetes Engine: versions as deployments of a cluster, behind one load balancer of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from kit.errors import Code, KitError
from kit.platforms.platform import Host, Platform
from kit.platforms.service import Place

if TYPE_CHECKING:
    from kit.platforms.gcloud.runner import Gcloud


class Gke(Platform):
    """The cluster is the user's; services are public from the first moment."""

    name = "gke"
    open_to_all = True
    renders_release = True

    def at(self, place: Place, gcloud: Gcloud) -> Host:
        """Raises KitError: the kit does not deploy there yet."""
        raise KitError(
            Code.NOT_READY_TO_DEPLOY,
            f"The kit does not deploy {place.target} yet.",
            f"`kit demo {place.target}` and `kit render {place.target}` work.",
        )

    def wanted(self, settings: Mapping[str, Any]) -> bool:
        """A cluster costs money all the time, so `--all` makes none, and uses one that is named."""
        return bool(settings.get("cluster"))

    def log_filter(self, place: Place, version: str | None) -> tuple[str, Mapping[str, str | None]]:
        """See `Platform`."""
        return "k8s_container", {"location": place.region}


PLATFORM: Final = Gke()
