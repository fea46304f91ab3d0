"""The record made anew from what bears the kit's marks in the cloud (`kit status --refresh`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from kit.cloud.record import Record
from kit.cloud.status import look
from kit.config import Config
from kit.errors import Code, KitError
from kit.platforms import load
from kit.platforms.deployment import Deployment, DeploymentStatus, State
from kit.platforms.platform import Host
from kit.platforms.service import Place, Service, Version
from kit.targets import Target

# Where the platform itself is not in use, there is nothing of the kit's, unless the record says so.
NOT_IN_USE = (Code.API_OFF, Code.NOT_READY_TO_DEPLOY)


async def rebuild(
    targets: Sequence[Target], config: Config, record: Record, host_of: Callable[[Place], Host]
) -> tuple[DeploymentStatus, ...]:
    """Look where each target is or would be deployed, and put into the record what the kit made.

    What is gone is forgotten; what could not be asked is kept as it was, and returned with its error. The
    caller holds the record's lock.

    Args:
        targets: which.
        config: project, region and service's name.
        record: what is known already; empty where the file was lost.
        host_of: who asks the cloud.

    Returns: how those stand that are there, or could not be asked.

    Raises:
        KitError: NO_PROJECT where no project was named; CANNOT_WRITE.
    """
    looked = await asyncio.gather(
        *(_standing(target, config, record.of(target.name), host_of) for target in targets)
    )
    statuses = []
    for status in looked:
        name = status.target
        if status.error is not None:
            statuses.append(status)
            continue
        found = recorded(status.service, name, record.of(name)) if status.service is not None else None
        shown = previews_of(status.service, name, record) if status.service is not None else {}
        if found is None:
            record.drop(name)
        else:
            record.put(found)
        for preview, _ in record.previews(name):
            if preview not in shown:
                record.drop_preview(preview, name)
        for preview, one in shown.items():
            record.put_preview(preview, one)
        if found is None and not shown:
            continue
        statuses.append(replace(status, deployment=found))
    return tuple(statuses)


def places_of(target: Target, config: Config, known: Deployment | None) -> list[Place]:
    """Where a target may be, each place once; none where what it needs (a region) was not named.

    Raises:
        KitError: NO_PROJECT; no project was named.
    """

    def places() -> Iterator[Place]:
        if known is not None:
            yield replace(known.place, app=known.app or config.identity.mark)
        if config.project is None:
            return
        settings, platform = config.of(target), load(target.platform)
        service = str(settings.get("service", ""))
        within, wanted = None, platform.wanted(settings, {})
        if known is not None:
            within = known.within
        elif wanted:
            within = platform.within(target.name, settings, {}, None)
        if config.region is not None or not platform.regional or not wanted:
            region = config.region if platform.regional else None
            for name in platform.services(service):
                mark = config.identity.mark
                yield Place(target.name, target.platform, config.project, region, name, within, mark)

    found = list(dict.fromkeys(places()))
    if not found and config.project is None:
        raise KitError(
            Code.NO_PROJECT,
            "No project to look in was named.",
            "Name it: --project PROJECT, KIT_PROJECT, or project in kit.toml.",
        )
    return found


def recorded(service: Service, target: str, known: Deployment | None) -> Deployment | None:
    """What the record should say of a service; None where nothing in it was made for the target.

    What the cloud does not know (verdicts, when it is to be removed) is kept where it is of the same version.
    """
    mine = {
        version.name: version
        for version in service.versions
        if version.preview is None and _is_mine(version, service, target, known)
    }
    if not mine:
        return None
    serving = service.serving.name if service.serving is not None else None
    before = known if known is not None and known.place == service.place else None
    same = mine.get(before.version or "") if before is not None else None
    if before is not None and same is not None and (same.traffic > 0 or before.state != "serving"):
        state: State = "serving" if same.traffic > 0 else before.state
        return replace(
            before,
            url=service.url,
            public=before.public if service.public is None else service.public,
            version_url=same.url,
            digest=same.digest or before.digest,
            created_at=same.created_at,
            token_sha256=same.token_sha256,
            state=state,
        )
    chosen = mine[serving] if serving in mine else next(iter(mine.values()))
    others = [version.name for version in mine.values() if version is not chosen]
    return replace(
        Deployment.seen(service.place, service, chosen, "serving" if chosen.traffic > 0 else "held-back"),
        previous=serving if chosen.traffic == 0 else next(iter(others), None),
        expires_at=before.expires_at if before is not None else None,
    )


def previews_of(service: Service, target: str, record: Record) -> dict[str, Deployment]:
    """By name what the record should say of the previews of a target that can be asked in its service."""
    known = {name: one for name, one in record.previews(target) if one.place == service.place}
    found: dict[str, Deployment] = {}
    for version in service.versions:
        name = version.preview
        if version.target != target or name is None or version.url is None or name in found:
            continue
        if version.is_anothers(service.place):
            continue
        before = known.get(name)
        if before is None or before.version != version.name:
            found[name] = Deployment.seen(service.place, service, version, "held-back")
        else:
            found[name] = replace(before, version_url=version.url, url=service.url)
    return found


async def _standing(
    target: Target, config: Config, known: Deployment | None, host_of: Callable[[Place], Host]
) -> DeploymentStatus:
    """The first place where something was made for this target; else what is most worth telling."""
    places = places_of(target, config, known)
    statuses = await asyncio.gather(*(look(place, known, host_of(place)) for place in places))
    for bears in (_serves, _knows):
        for status in statuses:
            if status.service is not None and bears(status.service, target.name, known):
                return status
    for status in statuses:
        if status.error is not None and (known is not None or status.error.code not in NOT_IN_USE):
            return status
    at = places[0] if places else Place(target.name, target.platform, str(config.project), None, "")
    if places or not load(target.platform).wanted(config.of(target), {}):
        return DeploymentStatus(at, known, asked=True)
    nowhere = KitError(
        Code.BAD_CONFIG,
        f"No region to look for {target.name} in was named.",
        "Name it: --region REGION, KIT_REGION, or region in kit.toml; or name the other targets only.",
    )
    return DeploymentStatus(at, known, asked=False, error=nowhere)


def _serves(service: Service, target: str, known: Deployment | None) -> bool:
    return service.serving is not None and _is_mine(service.serving, service, target, known)


def _knows(service: Service, target: str, known: Deployment | None) -> bool:
    return any(_is_mine(version, service, target, known) for version in service.versions)


def _is_mine(version: Version, service: Service, target: str, known: Deployment | None) -> bool:
    """Whether it was made for this target of this app: by its mark, or where it has none by the record."""
    if version.target != target or version.is_anothers(service.place):
        return False
    return version.app is not None or (known is not None and known.place == service.place)
