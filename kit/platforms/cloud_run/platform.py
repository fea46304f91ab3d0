"""Cloud Run: a service in a region, private until it is opened, that scales to zero."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from kit.platforms.cloud_run import commands
from kit.platforms.command import Command
from kit.platforms.findings import Candidate, Finding, PreflightOptions, Seen, preview_too_long, too_long
from kit.platforms.platform import Host, Platform
from kit.platforms.service import VERSION_CHARACTERS, Place

if TYPE_CHECKING:
    from kit.platforms.gcloud.runner import Gcloud

# TAG---SERVICE, with the hash and region that Cloud Run puts behind, is one label of a DNS name.
_TAG_AND_SERVICE_CHARACTERS: Final = 46


class CloudRun(Platform):
    """Versions are revisions; those that the kit made have a tag each, and by it a URL."""

    name = "cloud_run"

    def at(self, place: Place, gcloud: Gcloud) -> Host:
        """One service in one region."""
        from kit.platforms.cloud_run.host import CloudRunHost

        return CloudRunHost(place, gcloud)

    def release_environment(self, place: Place, version: str) -> Mapping[str, str]:
        """Cloud Run names the revision, but no project, by which a log's lines name their trace."""
        return {"GOOGLE_CLOUD_PROJECT": place.project}

    def apis(self, candidate: Candidate) -> Iterable[str]:
        """One."""
        return ("run.googleapis.com",)

    def needs(
        self, candidates: Sequence[Candidate], options: PreflightOptions, seen: Seen
    ) -> Iterator[Finding]:
        """Names that fit."""
        for one in candidates:
            if options.preview is not None:
                room = _TAG_AND_SERVICE_CHARACTERS - len(one.place.service)
                yield from preview_too_long(
                    one.place, options.preview, room, f"the service {one.place.service}"
                )
                continue
            yield from too_long(
                one.place, _TAG_AND_SERVICE_CHARACTERS - VERSION_CHARACTERS, "tag and service"
            )

    def at_once(self, settings: Mapping[str, Any]) -> int | None:
        """Those of all its instances."""
        return int(settings["concurrency"]) * int(settings["max_instances"])

    def log_filter(self, place: Place, version: str | None) -> tuple[str, Mapping[str, str | None]]:
        """The version's name may be given without the service's before it."""
        if version is not None and not version.startswith(f"{place.service}-"):
            version = f"{place.service}-{version}"
        labels = {"service_name": place.service, "location": place.region, "revision_name": version}
        return "cloud_run_revision", labels

    def proxy(self, place: Place, version: str | None) -> Command | None:
        """`gcloud run services proxy`, which asks with the caller's own identity token."""
        return commands.proxy(place)


PLATFORM: Final = CloudRun()
