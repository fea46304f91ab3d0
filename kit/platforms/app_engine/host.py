"""App Engine through the user's gcloud."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from kit.errors import Code, KitError
from kit.language import text
from kit.platforms.app_engine import commands
from kit.platforms.command import Command, Line
from kit.platforms.gcloud import leftovers
from kit.platforms.gcloud.runner import AT_ONCE, Gcloud
from kit.platforms.host import CommandHost
from kit.platforms.service import Place, Release, Removal, Service, Version


class AppEngineHost(CommandHost):
    """One service of the project's app.

    A version's variables never change, so each version is asked for them once.
    """

    def __init__(self, place: Place, gcloud: Gcloud) -> None:
        super().__init__(place, gcloud)
        self._variables: dict[tuple[str, str | None], Mapping[str, str]] = {}
        self._shipped: dict[str, Mapping[str, str]] = {}
        self._seen: Service | None = None

    async def look(self, listed: Any = None) -> Service | None:
        """The service; None where there is none. `listed`: the versions of all of the app's services."""
        alone = listed is None
        if alone:
            try:
                listed = await self._read(commands.list_versions(self.place))
            except KitError as error:
                if error.code is Code.NOT_FOUND_IN_CLOUD:
                    return None
                raise
        versions = commands.parse_versions(listed, self.place, await self._marks(listed))
        if not versions and alone:
            # gcloud found the service, asked for its versions, and drops it over any 404 (ListVersions in
            # api_lib/app/appengine_api_client.py).
            raise KitError(
                Code.GCLOUD_FAILED,
                f"gcloud found the service {self.place.service} and none of its versions, which cannot be.",
                text("Look again; a proxy on the way may answer in the place of Google."),
            )
        if not versions:
            return None
        # App Engine is public; what stands before it (IAP, a firewall) is the user's own.
        found = Service(self.place, None, public=True, versions=versions)
        if found.serving is not None:
            found = Service(self.place, found.serving.url, public=True, versions=versions)
        self._seen = found
        return found

    def plan(self, release: Release) -> tuple[Command, ...]:
        """One line."""
        return (commands.deploy(release),)

    async def deploy(self, release: Release, line: Line) -> tuple[Service, Version]:
        """Upload and build; the service and the version, with the URL of its own."""
        self._shipped[release.version] = commands.variables(release)
        return await self._deploy(release, release.version, line)

    async def promote(self, version: str, line: Line) -> None:
        """Send all traffic to it."""
        await self._change(commands.set_traffic(self.place, version), line)

    async def start(self, version: str, line: Line) -> None:
        """Start it, unless it runs: Standard's scaling needs no start."""
        known = await self._version(version)
        if known is None or not known.running:
            await self._change(commands.start_version(self.place, version), line)
            self._note(version, running=True)

    async def stop(self, version: str, line: Line) -> None:
        """Stop it if it keeps instances while it is not asked, and can be stopped. Others cost nothing."""
        known = await self._version(version)
        if known is not None and known.running and known.min_instances and not known.stops:
            removes = commands.delete_versions(self.place, version).line
            line(
                text(
                    "{version} keeps its instances, and their cost: {why_not}. This removes it: {removes}",
                    version=version,
                    why_not=commands.NOT_STOPPED,
                    removes=removes,
                )
            )
        elif known is not None and known.running and known.min_instances:
            await self._change(commands.stop_version(self.place, version), line)
            self._note(version, running=False)

    async def open(self, line: Line) -> None:
        """Nothing: App Engine is open."""

    async def removals(self, *, versions: tuple[str, ...] | None = None) -> tuple[Removal, ...]:
        """Versions or the service, then what Flex builds left of the kit's versions.

        What Standard uploads is not in it: those files are named by their content alone, and the same file of
        another service is the same object in the app's bucket.
        """
        found = await self.look()
        steps = () if found is None else commands.removals(found, versions)
        if versions is not None or (found is not None and found.is_shared):
            return steps
        return (*steps, *(await self._leftovers()))

    async def _leftovers(self) -> tuple[Removal, ...]:
        place = self.place
        try:
            app = commands.parse_app(await self._read(commands.describe_app(place)))
        except KitError as error:
            return leftovers.unread(text("images and archives of Flex builds, if any"), error)
        if app.registry is None or app.bucket is None:
            return ()
        archives = commands.archives(place, app.bucket, app.registry)
        looking = [leftovers.archives(self._gcloud, place, archives)]
        repository = commands.repository(place, app.registry)
        if repository is not None:
            ours = partial(commands.is_image, place)
            looking.insert(0, leftovers.images(self._gcloud, place, repository, ours=ours))
        parts = await asyncio.gather(*looking)
        return tuple(removal for part in parts for removal in part)

    async def _marks(self, answer: Any) -> dict[str, Mapping[str, str]]:
        """By name the variables of those versions whose names are the kit's."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def describe(name: str, key: tuple[str, str | None]) -> None:
            async with turns:
                try:
                    described = await self._read(commands.describe_version(self.place, name))
                except KitError as error:
                    if error.code is not Code.NOT_FOUND_IN_CLOUD:
                        raise
                else:
                    self._variables[key] = commands.parse_variables(described)

        keys = {key[0]: key for key in commands.marked(answer, self.place)}
        for name, key in keys.items():
            if name in self._shipped:
                self._variables[key] = self._shipped.pop(name)  # what this very run gave it
        new = [(name, key) for name, key in keys.items() if key not in self._variables]
        await asyncio.gather(*(describe(name, key) for name, key in new))
        return {name: self._variables[key] for name, key in keys.items() if key in self._variables}

    def _note(self, name: str, *, running: bool) -> None:
        """What this run has just done to a version needs no look."""
        if self._seen is not None:
            versions = (replace(v, running=running) if v.name == name else v for v in self._seen.versions)
            self._seen = replace(self._seen, versions=tuple(versions))

    async def _version(self, name: str) -> Version | None:
        """As last seen, or changed by this run."""
        service = self._seen or await self.look()
        return next((v for v in service.versions if v.name == name), None) if service is not None else None
