"""`kit deploy`: from what the user wants to services that are proved to stream as their platforms promise."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from kit.bundle import Bundle, write
from kit.cloud import preflight as checks
from kit.cloud.outcome import Outcome, Result
from kit.cloud.preflight import Preflight
from kit.cloud.record import Record
from kit.cloud.release import release, write_release
from kit.config import Config
from kit.errors import Code, KitError
from kit.events import Stage, Step, Watch
from kit.flows.deploy_target import Deploying, Job
from kit.flows.measuring import Measuring
from kit.flows.side_by_side import side_by_side
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.platform import Command, Host, Place, Release
from kit.render import render
from kit.targets import Target

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user said on the command line, beside the configuration.

    Attributes:
        public: Cloud Run services are opened to everybody, once they passed the gate.
        public_model: a model that costs money may be asked by everybody.
        gate: whether a version is measured before it takes the traffic.
        again: deploy although nothing changed.
        take_over: overwrite what the kit did not make.
        create_app: the region for a new App Engine app.
        token: the services' own token, in clear; None where they want none, or where only its hash is known.
        token_sha256: its SHA-256 in hexadecimal.
        without_token: callers need show no token any more.
        lasts_s: after how many seconds it is to be removed; None for never.
        prompt: the question of the gate's measurement.
        timeout_s: for each answer.
    """

    public: bool = False
    public_model: bool = False
    gate: bool = True
    again: bool = False
    take_over: bool = False
    create_app: str | None = None
    token: str | None = None
    token_sha256: str | None = None
    without_token: bool = False
    lasts_s: float | None = None
    prompt: str = ""
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Draft:
    """One target before anything is created: what it is made of and where it goes."""

    target: Target
    bundle: Bundle
    host: Host


@dataclass(frozen=True, slots=True)
class Plan:
    """What is about to be done, for a person to say yes to."""

    drafts: tuple[Draft, ...]
    preflight: Preflight

    @property
    def first(self) -> str | None:
        """The target that becomes the app's `default` service, and so must go before its like."""
        places = [draft.host.place for draft in self.drafts]
        found = (
            place.target for place in places if place.platform == "app_engine" and place.service == DEFAULT
        )
        return next(found, None) if self.preflight.app_services == frozenset() else None


def drafts(
    targets: Sequence[Target], config: Config, record: Record, host_of: Callable[[Place], Host]
) -> tuple[Draft, ...]:
    """Render each target and say where it goes; nothing is written and nobody is asked.

    Raises:
        KitError: NO_PROJECT or BAD_CONFIG (no region) where nobody said where to; NOT_READY_TO_DEPLOY for a
            target that is on record elsewhere; whatever rendering raises.
    """
    return tuple(
        Draft(target, render(target, config), host_of(_place(target, config, record))) for target in targets
    )


def _place(target: Target, config: Config, record: Record) -> Place:
    if config.project is None:
        raise KitError(
            Code.NO_PROJECT,
            "No project was named.",
            "Name one: --project PROJECT, project in kit.toml, or `gcloud config set project PROJECT`.",
        )
    if target.platform != "app_engine" and config.region is None:
        raise KitError(
            Code.BAD_CONFIG,
            f"No region was named for {target.name}.",
            "Name one, such as --region europe-west1, or region in kit.toml.",
        )
    service = str(config.of(target)["service"])
    known = record.of(target.name)
    if known is not None and known.project != config.project:
        raise KitError(
            Code.NOT_READY_TO_DEPLOY,
            f"{target.name} is on record as deployed in the project {known.project}, not {config.project}.",
            f"`kit destroy {target.name}` removes it there; or deploy from another folder, which keeps a "
            "record of its own.",
        )
    if known is not None and known.service == DEFAULT:
        service = DEFAULT
    region = None if target.platform == "app_engine" else config.region
    return Place(target.name, target.platform, config.project, region, service)


async def plan(
    made: Sequence[Draft],
    gcloud: Gcloud,
    config: Config,
    wishes: Wishes,
    host_of: Callable[[Place], Host],
) -> Plan:
    """Look at what is there and at all that may stand in the way. Nothing is created."""
    found = await checks.check(
        gcloud,
        config,
        [(draft.target, draft.host) for draft in made],
        create_app=wishes.create_app,
        take_over=wishes.take_over,
    )
    settled = await _settled(made, found, host_of)
    return Plan(tuple(settled), found)


async def _settled(made: Sequence[Draft], found: Preflight, host_of: Callable[[Place], Host]) -> list[Draft]:
    """The first service of an App Engine app is `default`, and stays the target's that became it."""
    settled, taken = list(made), found.app_services
    if taken is None:
        return settled
    for number, draft in enumerate(made):
        place = draft.host.place
        if place.platform != "app_engine" or place.service == DEFAULT or place.service in taken:
            continue
        default = host_of(replace(place, service=DEFAULT))
        if not taken:
            settled[number] = replace(draft, host=default)
            break
        if DEFAULT in taken:
            there = await default.look(found.app_versions)
            serving = there.serving if there is not None else None
            if serving is not None and serving.target == draft.target.name:
                settled[number] = replace(draft, host=default)
    return settled


def refuse_open_model(config: Config, wishes: Wishes, made: Sequence[Draft]) -> None:
    """A model that everybody may ask is paid for by whoever deployed it.

    Raises:
        KitError: NOT_READY_TO_DEPLOY, unless callers must show a token or a Google account, or the user said
            that it is meant so; also for a token where an app of the user's own would not ask for it.
    """
    if config.app is not None and wishes.token_sha256:
        raise KitError(
            Code.NOT_READY_TO_DEPLOY,
            f"A token guards the kit's own service, and {config.app.module} would not ask for it.",
            "Leave --token out (--no-token where one is on record), and let the app check who calls it.",
        )
    if config.generator == "embedded" or wishes.token_sha256 or wishes.public_model or config.asks_accounts:
        return
    public = [d.target.name for d in made if wishes.public or d.host.place.platform == "app_engine"]
    if public:
        raise KitError(
            Code.NOT_READY_TO_DEPLOY,
            f"Everybody could ask {config.generator} through {' and '.join(public)}, at your expense.",
            "Have callers show a token (--token), or say that it is meant so (--public-model).",
        )


def dry_run(
    made: Sequence[Draft], new: Collection[str], config: Config, wishes: Wishes, root: Path
) -> list[Command]:
    """The lines that a deployment would run, in order, were all to go well; `new` has no service yet."""
    lines: list[Command] = []
    for draft in made:
        one = release(
            draft.host.place,
            draft.bundle,
            config,
            now_s=time.time(),
            creates=draft.target.name in new,
            token_sha256=wishes.token_sha256,
            root=root,
        )
        lines += draft.host.deployment(one)
    return lines


async def prepare(plan: Plan, gcloud: Gcloud, watch: Watch) -> None:
    """Do what was asked for and granted: switch on the APIs, make the App Engine app."""
    for finding in plan.preflight.questions:
        if finding.command is not None:
            watch(Stage(finding.text))
            await gcloud.run(finding.command, log="prepare")


async def deploy(
    plan: Plan,
    config: Config,
    wishes: Wishes,
    record: Record,
    root: Path,
    gcloud: Gcloud,
    watch: Watch,
) -> tuple[Outcome, ...]:
    """Deploy all targets side by side; one that fails leaves the others to finish.

    Hold the record's lock. A `KitError` is raised only before the first upload (CANNOT_WRITE, BUNDLE_EDITED);
    a bug in one target's deployment once all have ended.
    """
    for draft in plan.drafts:
        write(draft.bundle, root)
    measure = Measuring(
        gcloud, config, watch, token=wishes.token, prompt=wishes.prompt, timeout_s=wishes.timeout_s
    )
    first, there = plan.first, False
    ready = asyncio.Event()

    async def one(draft: Draft) -> Outcome:
        nonlocal there
        name = draft.target.name
        if first is not None and draft.host.place.platform == "app_engine" and name != first:
            watch(Step(name, f"waiting for {first}, which becomes the app's default service"))
            await ready.wait()
            if not there:
                return _without_default(name, first)
        try:
            outcome = await Deploying(_job(draft, config, wishes, root), record, watch, measure).run()
            there = there or (name == first and outcome.url is not None)
            return outcome
        finally:
            if name == first:
                ready.set()

    return await side_by_side(map(one, plan.drafts))


def _without_default(name: str, first: str) -> Outcome:
    error = KitError(
        Code.NOT_READY_TO_DEPLOY,
        f"Not begun: {first}, which was to become the app's default service, failed.",
        f"Mend that first; then `kit deploy {first} {name}`.",
    )
    return Outcome(name, Result.FAILED, error.message, next=f"kit deploy {first} {name}", error=error)


def _job(draft: Draft, config: Config, wishes: Wishes, root: Path) -> Job:
    expires = None
    if wishes.lasts_s is not None:
        expires = datetime.fromtimestamp(time.time() + wishes.lasts_s, UTC).isoformat(timespec="seconds")

    def make(creates: bool) -> Release:
        return release(
            draft.host.place,
            draft.bundle,
            config,
            now_s=time.time(),
            creates=creates,
            token_sha256=wishes.token_sha256,
            root=root,
        )

    return Job(
        target=draft.target,
        host=draft.host,
        release=make,
        write=partial(write_release, bundle=draft.bundle, config=config),
        public=wishes.public,
        gate=wishes.gate,
        again=wishes.again,
        expires_at=expires,
        without_token=wishes.without_token,
    )


def promoted(outcomes: Sequence[Outcome]) -> list[str]:
    """The targets whose service now serves what this run made."""
    return [one.target for one in outcomes if one.result is Result.PROMOTED]
