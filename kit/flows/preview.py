"""Previews: a pull request's version without traffic, at a URL of its own; measured, never promoted.

What is there is known by its marks in the cloud: a CI may begin each time in an empty folder.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kit.cloud.record import Record
from kit.cloud.tokens import AskedOnce
from kit.config import Config
from kit.errors import Code, KitError, UsageError
from kit.events import Finished, Step, Watch, output_of
from kit.flows.deploy import DeployOptions, Plan, job, written
from kit.flows.deploy_target import Job
from kit.flows.destroy import RemovalPlan
from kit.flows.rebuild import NOT_IN_USE, places_of
from kit.flows.side_by_side import side_by_side
from kit.flows.trial import Measure, entry, keep_closed, measured, started
from kit.language import text
from kit.outcome import Outcome, Result
from kit.platforms import load
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.platform import Host
from kit.platforms.service import Place, Release, Service
from kit.targets import Target

_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
# What separates the names in a URL of App Engine's and of Cloud Run's.
_SEPARATORS = ("-dot-", "--")


def checked(name: str) -> str:
    """The name of a preview, which is part of a host's name: a label of RFC 1035.

    How long it may be depends on the platform, the service and the project: the preflight says so.

    Raises:
        KitError: BAD_USAGE, with a name that it could be.
    """
    if _NAME.fullmatch(name) and not any(one in f"-{name}-" for one in _SEPARATORS):
        return name
    words = [word for word in re.findall(r"[a-z0-9]+", name.lower()) if word != "dot"]
    near = "-".join(words if words and words[0][0].isalpha() else ["pr", *words])
    raise UsageError(
        f"A preview cannot be called {name!r}: the name becomes part of a host's name.",
        f"Lower-case letters, digits and single hyphens, a letter first: {near}, say.",
    )


def refuse(targets: Iterable[Target]) -> None:
    """Raises KitError NOT_READY_TO_DEPLOY where a target's platform has no previews."""
    for target in targets:
        if why := load(target.platform).no_previews:
            raise KitError(
                Code.NOT_READY_TO_DEPLOY,
                text("There is no preview of {name}. {why}", name=target.name, why=why),
                text(
                    "Preview another target; or deploy the pull request as a service of its own, from "
                    "another folder: `kit deploy {name} --set {name}.service=NAME`.",
                    name=target.name,
                ),
            )


def spare(config: Config, targets: Iterable[Target]) -> Config:
    """The same wishes, with as few instances kept running as each target allows."""
    settings: dict[str, dict[str, Any]] = {name: dict(own) for name, own in config.targets.items()}
    for target in targets:
        known = target.settings.get("min_instances")
        if known is not None and known.range is not None:
            settings[target.name] = {**settings.get(target.name, {}), "min_instances": int(known.range[0])}
    return replace(config, targets=MappingProxyType(settings))


async def deploy(
    plan: Plan,
    config: Config,
    options: DeployOptions,
    record: Record,
    root: Path,
    gcloud: Gcloud,
    watch: Watch,
) -> tuple[Outcome, ...]:
    """Deploy and measure all targets' previews side by side; one that fails leaves the others to finish.

    Hold the record's lock. A `KitError` is raised only before the first upload (CANNOT_WRITE, BUNDLE_EDITED).
    """
    measure = written(plan, config, options, root, AskedOnce(gcloud), watch)
    return await side_by_side(
        Previewing(job(plan, draft, config, options, root), record, gcloud, watch, measure).run()
        for draft in plan.drafts
    )


class Previewing:
    """The preview of one target. `run` never raises a `KitError`: it is in the outcome."""

    def __init__(
        self,
        job: Job,
        record: Record,
        gcloud: Gcloud,
        watch: Watch,
        measure: Measure,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._job = job
        self._record = record
        self._gcloud = gcloud
        self._watch = watch
        self._measure = measure
        self._now_s = now_s

    async def run(self) -> Outcome:
        """Deploy and measure it: the outcome has any error, the record what exists."""
        name = self._job.target.name
        release = self._job.release(False)
        close = f"kit preview {release.preview} {name} --close"
        try:
            outcome = await self._run(release, close)
        except KitError as error:
            outcome = Outcome(name, Result.FAILED, error.message, next=close, error=error)
        self._watch(Finished(name, outcome.state, outcome.what))
        return outcome

    async def _run(self, release: Release, close: str) -> Outcome:
        job, name, host, watch = self._job, self._job.target.name, self._job.host, self._watch
        watch(Step(name, text("looking at what is there")))
        before = await host.look()
        serving = before.serving if before is not None else None
        if before is None or serving is None:
            raise KitError(
                Code.NOT_READY_TO_DEPLOY,
                text("Nothing serves at {service}, so a preview would.", service=release.place.service),
                text("Deploy it: `kit deploy {name}`.", name=name),
            )
        keep_closed(before, release)
        job.write(release)
        await self._note(release, entry(release, before, None, "unfinished", self._now_s()))
        watch(Step(name, text("uploading and building, without traffic")))
        service, version = await host.deploy(release, output_of(name, watch))
        await self._note(release, entry(release, service, version, "unfinished", self._now_s()))
        service, version = await started(host, service, version, watch)
        await self._remove_earlier(release, service, version.name)
        if version.url is None:
            raise KitError(
                Code.NOT_FOUND_IN_CLOUD,
                text("gcloud names no URL for {name}, so it could not be measured.", name=version.name),
                text("Look at it with `kit status {name}`.", name=name),
            )
        lanes, judgement = await measured(
            self._measure, job.target, service, version, version.url, release.proof_token, watch
        )
        await self._note(release, entry(release, service, version, "held-back", self._now_s(), lanes))
        return Outcome(
            name,
            Result.PREVIEWED,
            text("{reason} Without traffic, at {url}", reason=judgement.reason, url=version.url),
            url=service.url,
            version=version.name,
            version_url=version.url,
            lanes=tuple(lanes),
            gate=judgement.gate,
            costs=service.costs,
            next=close,
        )

    async def _remove_earlier(self, release: Release, service: Service, name: str) -> None:
        """What was this preview before, and is asked by no one any more."""
        earlier = _versions(service, str(release.preview))
        earlier = tuple(one for one in earlier if one != name)
        if not earlier:
            return
        target = release.place.target
        self._watch(Step(target, text("removing {what}, which this replaces", what=", ".join(earlier))))
        for removal in await self._job.host.removals(versions=earlier):
            if removal.command is not None:
                await self._gcloud.run(
                    removal.command, log=f"deploy-{target}", line=output_of(target, self._watch)
                )

    async def _note(self, release: Release, known: Any) -> None:
        await asyncio.to_thread(self._record.put_preview, str(release.preview), known)


def _versions(service: Service, preview: str) -> tuple[str, ...]:
    """The versions of a preview, but for one that was promoted past the kit: that serves."""
    return tuple(
        version.name
        for version in service.versions
        if version.preview == preview
        and version.target == service.place.target
        and not version.is_anothers(service.place)
        and not version.traffic
    )


def places(
    name: str, targets: Sequence[Target], config: Config, record: Record, *, named: bool
) -> list[Place]:
    """Where a preview may be: as it is on record, else where the targets are or would be deployed.

    Args:
        name: of the preview.
        targets: which; where they are not `named`, those on record with it go before.
        config: project, region and services' names.
        record: what is on record.
        named: whether the user named them.

    Raises:
        KitError: NO_PROJECT, and BAD_CONFIG where a target was named and no region for it.
    """
    known = {one.target: one for preview, one in record.previews() if preview == name}
    if not named and known:
        return [replace(one.place, app=one.app or config.identity.mark) for one in known.values()]
    found: list[Place] = []
    for target in targets:
        if load(target.platform).no_previews:
            continue
        there = places_of(target, config, known.get(target.name) or record.of(target.name))
        if not there and named:
            raise KitError(
                Code.BAD_CONFIG,
                text("No region to look for {name} in was named.", name=target.name),
                text("Name it: --region REGION, KIT_REGION, or region in kit.toml."),
            )
        found += there
    return found


async def survey(name: str, hosts: Sequence[Host], record: Record) -> tuple[RemovalPlan, ...]:
    """What of a preview is there in each place; nothing is touched."""
    return tuple(await asyncio.gather(*(_survey(name, host, record) for host in hosts)))


async def _survey(name: str, host: Host, record: Record) -> RemovalPlan:
    on_record = any(preview == name for preview, _ in record.previews(host.place.target))
    try:
        service = await host.look()
        if service is None:
            return RemovalPlan(host, preview=name, expected=on_record)
        for version in service.versions:
            if version.preview == name and version.traffic and not version.is_anothers(service.place):
                raise KitError(
                    Code.NOT_READY_TO_DEPLOY,
                    text(
                        "{name}, the preview {preview}, serves: its traffic was moved by another hand.",
                        name=version.name,
                        preview=name,
                    ),
                    text(
                        "Give it to another version first: `kit rollback {target}`.", target=host.place.target
                    ),
                )
        versions = _versions(service, name)
        removals = await host.removals(versions=versions) if versions else ()
        if all(removal.command is None for removal in removals):
            removals = ()  # closed before: the newest revision of a service stays, and leads nowhere
        return RemovalPlan(host, removals, preview=name, expected=False)
    except KitError as error:
        if error.code in NOT_IN_USE and not on_record:
            return RemovalPlan(host, preview=name, expected=False)
        return RemovalPlan(host, error=error, preview=name)
