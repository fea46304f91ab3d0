"""GKE through the user's gcloud and kubectl."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from kit.errors import Code, KitError
from kit.platforms.command import Command, Line
from kit.platforms.gcloud import leftovers
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.gke import commands, read
from kit.platforms.gke.read import There
from kit.platforms.gke.route import kept, route
from kit.platforms.host import CommandHost
from kit.platforms.service import TARGET_LABEL, Place, Release, Removal, Service, Version, newest_first

# Between two looks at pods that are not ready, or at what the load balancer's controller says.
_LOOK_S: Final = 3.0
# The controller says within seconds whether it takes a route; after that its silence is only mentioned.
_VERDICT_S: Final = 120.0


class GkeHost(CommandHost):
    """One service in one namespace of one cluster. Its versions are deployments that never change."""

    def __init__(
        self,
        place: Place,
        gcloud: Gcloud,
        *,
        look_s: float = _LOOK_S,
        verdict_s: float = _VERDICT_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(place, gcloud)
        self._folder = commands.kubeconfig()
        self._there: There | None = None
        self._look_s, self._verdict_s, self._sleep = look_s, verdict_s, sleep

    async def look(self, listed: Any = None) -> Service | None:
        """The service; None where the cluster, or all of it in the cluster, is not there."""
        try:
            await self._sign_in()
        except KitError as error:
            if error.code is Code.NOT_FOUND_IN_CLOUD:
                return None
            raise
        self._there = read.there(self.place, await self._get(commands.KINDS))
        return read.service(self.place, self._there)

    def plan(self, release: Release) -> tuple[Command, ...]:
        """From the image to the route of a version without traffic; a first one's repository too."""
        place, folder = self.place, self._folder
        return (
            commands.get_credentials(place, folder),
            *((commands.create_repository(place),) if release.creates else ()),
            commands.build(release),
            commands.apply(place, folder, release.folder / _FRONT, "the front"),
            commands.apply(place, folder, release.folder / _VERSION, "the version"),
            self._route({**self._weights(), release.version: 0}),
            commands.rollout(place, folder, release.version),
            commands.wait_for_front(place, folder),
        )

    async def deploy(self, release: Release, line: Line) -> tuple[Service, Version]:
        """Build, apply and wait until the pods are ready; the version has a URL and no traffic, be it the first."""
        place, folder, version = self.place, self._folder, release.version
        await self._sign_in()
        await self._make_repository(line)
        built = await self._gcloud.run(commands.build(release), log=f"deploy-{place.target}", line=line)
        file = release.folder / _VERSION
        await asyncio.to_thread(_pin, file, f"{commands.image(place)}:{version}", read.digest(built), place)
        front = await self._front(release.folder / _FRONT)
        await self._change(commands.apply(place, folder, front, "the front"), line)
        await self._change(commands.apply(place, folder, file, "the version"), line)
        await self._open_up(version, line)
        found = await self.look()
        for one in found.versions if found is not None else ():
            if found is not None and one.name == version:
                return found, one
        raise KitError(
            Code.NOT_FOUND_IN_CLOUD,
            f"{version} was deployed to the cluster {commands.cluster(place)}, but it is not listed there.",
            f"Look again in a minute: kit status {place.target}",
        )

    async def promote(self, version: str, line: Line) -> None:
        """Send all traffic to it."""
        there = await self._known()
        weights = {**dict.fromkeys(self._weights(), 0), version: 1}
        await self._change(self._route(weights), line)
        await self._taken(version, line)

    async def start(self, version: str, line: Line) -> None:
        """Give it its pods and its rule again, and wait until they are ready."""
        deployment = (await self._known()).deployments.get(version)
        if deployment is None:
            return
        if not deployment["spec"].get("replicas", 1):
            await self._scale(version, read.stopped_at(deployment), line)
        await self._open_up(version, line)

    async def stop(self, version: str, line: Line) -> None:
        """Take its pods; without them it costs nothing."""
        deployment = (await self._known()).deployments.get(version)
        if deployment is not None and deployment["spec"].get("replicas", 1):
            await self._scale(version, 0, line)

    async def open(self, line: Line) -> None:
        """Nothing: it is open."""

    async def removals(self, *, versions: tuple[str, ...] | None = None) -> tuple[Removal, ...]:
        """The front first, whose load balancer would else outlive it; then what is in the namespace, and so on."""
        found = await self.look()
        if versions is not None:
            return () if found is None else self._of_versions(found, versions)
        in_cluster = await self._in_cluster() if self._folder.contents else ()
        return (*in_cluster, *(await self._leftovers()))

    async def remains(self) -> tuple[str, ...]:
        """Parts of the load balancer that outlived the Gateway, which cost money."""
        place = self.place
        rules, groups = await asyncio.gather(
            self._read(commands.list_forwarding_rules(place)),
            self._read(commands.list_endpoint_groups(place)),
        )
        return read.left_over(place, commands.namespace(place), rules, groups)
