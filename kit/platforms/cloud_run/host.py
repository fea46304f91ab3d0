"""Cloud Run through the user's gcloud."""

from __future__ import annotations

import asyncio
from typing import Any

from kit.errors import Code, KitError
from kit.platforms.cloud_run import commands
from kit.platforms.command import Command, Line
from kit.platforms.gcloud import leftovers
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.host import CommandHost
from kit.platforms.service import Place, Release, Removal, Service, Version


class CloudRunHost(CommandHost):
    """One service in one region. Its versions are revisions; those that the kit made have a tag each."""

    def __init__(self, place: Place, gcloud: Gcloud) -> None:
        super().__init__(place, gcloud)
        self._seen: Service | None = None
        self._tags: dict[str, str] = {}
        self._policy: Any = None
        self._revisions: Any = ()

    async def look(self, listed: Any = None) -> Service | None:
        """The service; None where there is none."""
        try:
            service = await self._read(commands.describe_service(self.place))
            revisions, policy = await asyncio.gather(
                self._read_revisions(commands.newest_revision(service)), self._read_policy()
            )
        except KitError as error:
            if error.code is Code.NOT_FOUND_IN_CLOUD:
                return None
            raise
        self._tags = commands.parse_tags(service)
        self._seen = commands.parse_service(self.place, service, revisions, policy)
        return self._seen

    def plan(self, release: Release) -> tuple[Command, ...]:
        """One line."""
        return (commands.deploy(release),)

    async def deploy(self, release: Release, line: Line) -> tuple[Service, Version]:
        """Upload and build; the service and the revision, with the URL of its tag."""
        return await self._deploy(release, f"{self.place.service}-{release.version}", line)

    async def promote(self, version: str, line: Line) -> None:
        """Send all traffic to it."""
        await self._change(commands.update_traffic(self.place, version), line)

    async def start(self, version: str, line: Line) -> None:
        """Nothing: a request starts a revision."""

    async def stop(self, version: str, line: Line) -> None:
        """Take the tags of a revision that keeps instances while it is not asked; others cost nothing.

        Such instances run as long as the revision has traffic or a tag
        (https://docs.cloud.google.com/run/docs/configuring/min-instances).
        """
        service = self._seen or await self.look()
        known = (v for v in service.versions if v.name == version and v.min_instances) if service else ()
        tags = [tag for tag, revision in self._tags.items() if revision == version]
        if any(known) and tags:
            await self._change(commands.remove_tags(self.place, *tags), line)
            self._seen = None

    async def open(self, line: Line) -> None:
        """Make the service public."""
        if self._seen is None or not self._seen.public:
            await self._change(commands.add_invoker(self.place), line)
            self._seen = self._policy = None

    async def removals(self, *, versions: tuple[str, ...] | None = None) -> tuple[Removal, ...]:
        """The service, or revisions of it; with all of it also the images and archives of its source deploys.

        Those are named by the service alone. So they go where the kit made all that is there, or nothing is
        there any more, and stay where another's revision may need them.
        """
        found = await self.look()
        if found is None:
            return await self._leftovers() if versions is None else ()
        steps = commands.removals(found, self._tags, versions)
        _, theirs = found.divided()
        if versions is not None and steps:
            return (*steps, commands.images_stay(self.place))
        whole = versions is None and found.versions and not theirs
        return (*steps, *(await self._leftovers() if whole else ()))

    async def _leftovers(self) -> tuple[Removal, ...]:
        parts = await asyncio.gather(
            leftovers.images(self._gcloud, self.place, commands.image(self.place)),
            leftovers.archives(self._gcloud, self.place, commands.archives(self.place)),
        )
        return tuple(removal for part in parts for removal in part)

    async def _read_revisions(self, newest: str | None) -> Any:
        """The service's revisions. None ever changes, so they are read again only once there is another."""
        if newest is None or newest not in commands.names(self._revisions):
            self._revisions = await self._read(commands.list_revisions(self.place))
        return self._revisions

    async def _read_policy(self) -> Any:
        """Who may call the service, read once; None for an account that may not know."""
        if self._policy is None:
            try:
                self._policy = await self._read(commands.read_policy(self.place))
            except KitError as error:
                if error.code is not Code.PERMISSION_DENIED:
                    raise
        return self._policy
