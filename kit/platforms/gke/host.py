"""GKE through the user's gcloud and kubectl."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from kit.errors import Code, KitError
from kit.language import text
from kit.platforms.command import Command, Line
from kit.platforms.gcloud import leftovers
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.gke import commands, read
from kit.platforms.gke.read import There
from kit.platforms.gke.route import kept, opened, route, shares_of
from kit.platforms.host import CommandHost
from kit.platforms.service import APP_LABEL, TARGET_LABEL, Place, Release, Removal, Service, Version

_FRONT: Final = "front.yaml"
_VERSION: Final = "version.yaml"
# Between two looks at what is not ready yet.
_PAUSES_S: Final = (1.0, 2.0, 3.0, 5.0)
# The controller says within seconds whether it takes a route. Longer silence is mentioned only.
_SILENCE_S: Final = 120.0


class GkeHost(CommandHost):
    """One service in one namespace of one cluster. Its versions are deployments that never change."""

    def __init__(
        self, place: Place, gcloud: Gcloud, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        super().__init__(place, gcloud)
        self._folder = commands.kubeconfig()
        self._there: There | None = None
        self._gone = False
        self._sleep = sleep

    async def look(self, listed: Any = None) -> Service | None:
        """The service; None where the cluster, or all of it in the cluster, is not there.

        Where the place names no cluster it is the one that the kit made for the target.
        """
        if self.place.within is None:
            clusters = await self._read(commands.list_clusters(self.place.project))
            self.place = read.made(self.place, clusters) or self.place
        if self.place.within is None or not await self._signed_in():
            return None
        return read.service(self.place, await self._look())

    def plan(self, release: Release) -> tuple[Command, ...]:
        """From the image to a version that can be asked and has no traffic; what is missing around it first.

        The kit itself looks again and again where the last two lines wait.
        """
        place, folder = self.place, self._folder
        return (
            *((commands.create_cluster(place),) if self._gone else ()),
            commands.get_credentials(place, folder),
            *((commands.create_repository(place),) if release.creates else ()),
            commands.build(release),
            commands.apply(place, folder, release.folder / _FRONT, "the front"),
            commands.apply(place, folder, release.folder / _VERSION, "the version"),
            self._route(self._there or There(), release.version, read.listener(None, release.settings)),
            commands.rollout(place, folder, release.version),
            commands.wait_for_front(place, folder),
        )

    async def deploy(self, release: Release, line: Line) -> tuple[Service, Version]:
        """Build, apply, and wait until the pods are ready. Even a first version has no traffic yet."""
        place, folder, version = self.place, self._folder, release.version
        there = await self._known()
        await self._make_repository(line)
        log = f"deploy-{place.target}"
        built = await self._gcloud.run(commands.build(release), log=log, line=line)
        file = release.folder / _VERSION
        image = f"{commands.image(place)}:{version}"
        await asyncio.to_thread(_pin, file, image, f"{commands.image(place)}@{read.digest(built)}")
        front = await self._front(release.folder / _FRONT)
        await self._change(commands.apply(place, folder, front, "the front"), line)
        await self._change(commands.apply(place, folder, file, "the version"), line)
        listener = read.listener(None, release.settings)
        await self._change(self._route(there, version, listener), line)
        return self._made(read.service(place, await self._settled(version, line)), version)

    async def promote(self, version: str, line: Line) -> None:
        """Send all traffic to it."""
        there = await self._known()
        weights = {**dict.fromkeys(self._weights(there), 0), version: 1}
        await self._change(self._apply_route(weights, read.listener(there.gateway)), line)
        await self._settled(version, line)

    async def start(self, version: str, line: Line) -> None:
        """Give it its pods and its rule again, where they are missing, and wait until they are ready."""
        there = await self._known()
        deployment = there.deployments.get(version)
        if deployment is None:
            return
        if not read.replicas(deployment):
            await self._scale(deployment, read.stopped_at(deployment), line)
        elif read.standing(self.place, there, version).error is not None:
            # What was wrong may have been put right, and pods that failed try again later and later.
            await self._change(commands.delete_pods(self.place, self._folder, version), line)
        if version not in opened(there.route):
            await self._change(self._route(there, version, read.listener(there.gateway)), line)
        await self._settled(version, line, forgiven=read.given_up_at(deployment))

    async def stop(self, version: str, line: Line) -> None:
        """Take its pods; without them it costs nothing."""
        deployment = (await self._known()).deployments.get(version)
        if deployment is not None and read.replicas(deployment):
            await self._scale(deployment, 0, line)
            self._there = None

    async def open(self, line: Line) -> None:
        """Nothing: it is open."""

    async def removals(self, *, versions: tuple[str, ...] | None = None) -> tuple[Removal, ...]:
        """The front first, since its load balancer may outlive a cluster; then all that is around it."""
        place, steps, shared = self.place, list[Removal](), False
        if await self._signed_in():
            there = await self._look()
            if versions is not None:
                return self._of_versions(there, versions)
            ours = await self._is_our_namespace()
            steps += _front_removals(place, self._folder, there)
            if ours and not there.others:
                many = len(there.deployments)
                counted = text("1 version") if many == 1 else text("{count} versions", count=many)
                what = text(
                    "the namespace {namespace}, {counted}",
                    namespace=commands.namespace(place),
                    counted=counted,
                )
                steps.append(Removal(what, commands.delete_namespace(place, self._folder)))
            else:
                mine = [name for name, one in there.deployments.items() if read.of_the_target(one, place)]
                steps += self._of_versions(there, tuple(mine))
                if ours:
                    what = text(
                        "the namespace {namespace}: {what} is in it",
                        namespace=commands.namespace(place),
                        what=", ".join(there.others),
                    )
                    steps.append(Removal(what, None))
            steps += await self._cluster_removal()
            shared = (read.service(place, there) or Service(place, None, True, ())).is_shared
        if versions is not None or shared:
            return tuple(steps)
        parts = await asyncio.gather(
            leftovers.images(self._gcloud, place, commands.image(place)),
            leftovers.archives(self._gcloud, place, commands.archives(place)),
        )
        return (*steps, *(removal for part in parts for removal in part))

    async def remains(self) -> tuple[Removal, ...]:
        """Parts of the load balancer that outlived the Gateway."""
        place = self.place
        try:
            rules, groups = await asyncio.gather(
                self._read(commands.list_forwarding_rules(place)),
                self._read(commands.list_endpoint_groups(place)),
            )
        except KitError as error:
            return leftovers.unread(text("parts of the load balancer, if any"), error)
        return read.left_over(place, commands.namespace(place), rules, groups)

    async def _signed_in(self) -> bool:
        """Whether the cluster is there; then `kubectl` has what it takes to ask it."""
        if not self._folder.contents:
            try:
                await self._gcloud.run(
                    commands.get_credentials(self.place, self._folder), log=f"look-{self.place.target}"
                )
            except KitError as error:
                if error.code is not Code.NOT_FOUND_IN_CLOUD:
                    raise
                self._gone = True
                return False
            self._gone = False
        return True

    async def _look(self) -> There:
        answer = await self._read(commands.get(self.place, self._folder, commands.KINDS))
        self._there = read.there(self.place, answer)
        return self._there

    async def _known(self) -> There:
        """As last seen."""
        if self._there is None and await self._signed_in():
            await self._look()
        return self._there or There()

    async def _settled(self, version: str, line: Line, *, forgiven: str = "") -> There:
        """Wait until a version can be asked, and the load balancer has taken what it was given.

        Raises:
            KitError: SERVICE_NOT_READY or GCLOUD_FAILED; it never will, or did not in time.
        """
        waited_s, silent_s, said, number = 0.0, 0.0, "", 0
        while True:
            there = await self._look()
            standing = read.standing(self.place, there, version, forgiven=forgiven)
            if standing.error is not None:
                raise standing.error
            if not standing.missing and (not standing.unsaid or silent_s >= _SILENCE_S):
                if standing.unsaid:
                    line(text("it is not known yet {unsaid}", unsaid=standing.unsaid))
                return there
            if waited_s >= commands.PATIENCE_S and standing.missing:
                raise KitError(
                    Code.SERVICE_NOT_READY,
                    text(
                        "{version} was not ready within {waited_s:.0f} s: {missing}.",
                        version=version,
                        waited_s=waited_s,
                        missing=standing.missing,
                    ),
                    text("`kit deploy` goes on with it, `kit destroy` removes it."),
                )
            unknown = text("it is not known yet {unsaid}", unsaid=standing.unsaid)
            if (now := standing.missing or unknown) != said:
                said = now
                line(now)
            pause_s = _PAUSES_S[min(number, len(_PAUSES_S) - 1)]
            await self._sleep(pause_s)
            number, waited_s = number + 1, waited_s + pause_s
            silent_s = 0.0 if standing.missing else silent_s + pause_s

    def _weights(self, there: There) -> dict[str, int]:
        """The versions that the route is for, the newest first, with the weights that they have."""
        shares = shares_of(self.place, there.route)
        service = read.service(self.place, there)
        names = [one.name for one in service.versions if one.target is not None] if service else []
        # One that has all of it has a weight of 1, as in the bundle.
        return {
            name: 1 if shares.get(name) == 1 else round(shares.get(name, 0) * 100)
            for name in kept(names, shares)
        }

    def _route(self, there: There, version: str, listener: str) -> Command:
        """The line that gives a version a rule of its own, and leaves the traffic as it is."""
        weights = {version: 0, **self._weights(there)}
        names = kept(list(weights), weights)
        return self._apply_route({name: weights[name] for name in names}, listener)

    def _apply_route(self, weights: dict[str, int], listener: str) -> Command:
        shown = ", ".join(f"{name} {weight}" for name, weight in weights.items())
        manifest = route(self.place, commands.namespace(self.place), listener, weights)
        return commands.apply(
            self.place, self._folder, manifest, text("the route, with the weights: {shown}", shown=shown)
        )

    async def _scale(self, deployment: read.Object, replicas: int, line: Line) -> None:
        what = text(
            "{deployment} with {replicas} pods", deployment=deployment["metadata"]["name"], replicas=replicas
        )
        manifest = read.scaled(deployment, replicas)
        await self._change(commands.apply(self.place, self._folder, manifest, what), line)

    async def _make_repository(self, line: Line) -> None:
        try:
            await self._read(commands.describe_repository(self.place))
        except KitError as error:
            if error.code is not Code.NOT_FOUND_IN_CLOUD:
                raise
            await self._change(commands.create_repository(self.place), line)

    async def _front(self, file: Path) -> Path | str:
        """What is applied of the front: a namespace that is there and another's does not become the kit's."""
        namespace = await self._namespace()
        if namespace is None or read.is_ours(namespace):
            return file
        _, _, rest = (await asyncio.to_thread(file.read_text, "utf-8")).partition("\n---\n")
        return rest

    async def _namespace(self) -> read.Object | None:
        try:
            found: read.Object = await self._read(commands.get_namespace(self.place, self._folder))
        except KitError as error:
            if error.code is Code.NOT_FOUND_IN_CLOUD:
                return None
            raise
        return found

    async def _is_our_namespace(self) -> bool:
        namespace = await self._namespace()
        return namespace is not None and read.is_ours(namespace)

    def _of_versions(self, there: There, names: tuple[str, ...]) -> tuple[Removal, ...]:
        """Versions with all that is theirs, taken out of the route first where others are left in it."""
        steps = []
        left = {name: weight for name, weight in self._weights(there).items() if name not in names}
        if there.route is not None and left:
            line = self._apply_route(left, read.listener(there.gateway))
            steps.append(Removal(text("the rules of {what}", what=", ".join(names)), line))
        for name in there.deployments:
            if name in names:
                line = commands.delete_version(self.place, self._folder, name)
                steps.append(Removal(text("the version {name}", name=name), line))
        return tuple(steps)

    async def _cluster_removal(self) -> tuple[Removal, ...]:
        """The cluster, where the kit made it and nothing else is in it."""
        place, name = self.place, commands.cluster(self.place)
        found = await self._read(commands.describe_cluster(place))
        own = found.get("resourceLabels") or {}
        if own.get(TARGET_LABEL) != place.target or own.get(APP_LABEL) not in (None, place.app):
            return ()
        others = read.workloads(
            await self._read(commands.get_everywhere(place, self._folder)), commands.namespace(place)
        )
        if others:
            return (
                Removal(
                    text("the cluster {name}: {what} runs in it", name=name, what=", ".join(others)), None
                ),
            )
        return (
            Removal(
                text("the cluster {name}, which the kit made", name=name), commands.delete_cluster(place)
            ),
        )


def _front_removals(place: Place, folder: Any, there: There) -> list[Removal]:
    kinds = (
        ("httproute", there.route, text("the route {name}")),
        ("gateway", there.gateway, text("the Gateway {name} with its load balancer")),
    )
    return [
        Removal(what.format(name=place.service), commands.delete(place, folder, kind, place.service))
        for kind, item, what in kinds
        if item is not None and read.of_the_target(item, place)
    ]


def _pin(file: Path, image: str, pinned: str) -> None:
    """Have a manifest name an image by its digest. Raises KitError CANNOT_WRITE."""
    try:
        manifest = file.read_text("utf-8")
        if manifest.count(image) != 1:
            raise ValueError(f"{file} does not name {image} once")
        file.write_text(manifest.replace(image, pinned), "utf-8")
    except OSError as error:
        raise KitError(
            Code.CANNOT_WRITE,
            text("Cannot write {file}: {strerror}.", file=file, strerror=error.strerror),
            text("Make that folder writable."),
        ) from None
