"""`kit deploy`: from what the user wants to services that are proved to stream as their platforms promise."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType

from kit.bundle import Bundle, write
from kit.cloud import preflight as checks
from kit.cloud.preflight import Preflight
from kit.cloud.record import Record
from kit.cloud.release import PROOF_TOKEN, release, write_release
from kit.cloud.tokens import Runs
from kit.config import Config
from kit.errors import Code, KitError, UsageError
from kit.events import Stage, Step, Watch
from kit.flows.deploy_target import Deploying, Job
from kit.flows.measuring import Measuring
from kit.flows.rollout import Keeping
from kit.flows.side_by_side import side_by_side
from kit.language import text
from kit.outcome import Outcome, Result
from kit.platforms import load
from kit.platforms.deployment import Deployment
from kit.platforms.gcloud import flags
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.platform import Host, Order
from kit.platforms.service import KIT_APP, Place, Release, Service, Version
from kit.proof.lane import Comparison
from kit.render import render
from kit.targets import Target

# What the preflight saw within this time needs no second look: an upload and its build take longer, and
# another may change it meanwhile as well. The traffic is looked at anew before it moves.
_FRESH_S = 60.0


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """What the user said on the command line, beside the configuration.

    Attributes:
        public: services that are private are made public, once they passed the gate.
        public_model: a model that costs money may be asked without a token.
        gate: whether a version is measured before it takes the traffic.
        again: deploy although nothing changed.
        take_over: overwrite what is not this app's.
        said: the platforms' own options that were given, by name; "yes" for one without a value.
        token: the services' own token, in clear; None where they want none, or where only its hash is known.
        token_sha256: its SHA-256 in hexadecimal.
        without_token: callers need show no token any more.
        lasts_s: after how many seconds it is to be removed; None for never.
        prompt: the question of the gate's measurement.
        timeout_s: for each answer.
        streams: how many are kept open on what serves while its traffic moves; 0 for none.
        preview: the name of the preview that is to be made; None for what is to serve.
    """

    public: bool = False
    public_model: bool = False
    gate: bool = True
    again: bool = False
    take_over: bool = False
    said: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    token_sha256: str | None = None
    without_token: bool = False
    lasts_s: float | None = None
    prompt: str = ""
    timeout_s: float = 60.0
    streams: int = 0
    preview: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedTarget:
    """One target before anything is created: what it is made of, where it goes, what is on record of it."""

    target: Target
    bundle: Bundle
    host: Host
    known: Deployment | None = None

    @property
    def on_record(self) -> tuple[str, ...]:
        """The versions of its app that are on record as deployed from this folder."""
        known = self.known
        return known.versions if known is not None and known.app in (None, self.host.place.app) else ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is about to be done, for a person to say yes to.

    Attributes:
        drafts: the targets, each with the place that it will have.
        preflight: what was found.
        orders: of each platform, which of its targets goes first.
    """

    drafts: tuple[PlannedTarget, ...]
    preflight: Preflight
    orders: Mapping[str, Order] = field(default_factory=dict)

    def before(self, draft: PlannedTarget) -> Order | None:
        """What a target must wait for; None where it need not."""
        order = self.orders.get(draft.target.platform)
        return order if order is not None and order.first not in (None, draft.target.name) else None


def with_flags(config: Config, targets: Sequence[Target], words: Sequence[str]) -> Config:
    """The same wishes, and these flags more for the gcloud line of each of the targets.

    Raises:
        KitError: BAD_USAGE; a target takes none.
    """
    if not words:
        return config
    settings = dict(config.targets)
    for target in targets:
        if flags.SETTING not in target.settings:
            raise UsageError(f"{target.name} is not deployed by gcloud.", "Leave out what stands behind --.")
        line = f"{config.of(target)[flags.SETTING]} {shlex.join(words)}".strip()
        settings[target.name] = {**settings.get(target.name, {}), flags.SETTING: line}
    return replace(config, targets=settings)


def drafts(
    targets: Sequence[Target],
    config: Config,
    record: Record,
    host_of: Callable[[Place], Host],
    said: Mapping[str, str] = MappingProxyType({}),
) -> tuple[PlannedTarget, ...]:
    """Render each target and say where it goes; nothing is written, and no cloud is asked.

    Raises:
        KitError: NO_PROJECT or BAD_CONFIG (no region) where no place was named; BAD_CONFIG for flags that
            cannot be passed on; NOT_READY_TO_DEPLOY for a target that is on record elsewhere, or that cannot
            be given secrets; whatever rendering raises.
    """
    for target in targets:
        platform = load(target.platform)
        flags.check(target.name, config.of(target), platform.refused_flags, platform.setting_flags)
        if config.secrets and platform.no_secrets:
            raise KitError(
                Code.NOT_READY_TO_DEPLOY,
                text(
                    "{name} cannot be given secrets: {what}.",
                    name=target.name,
                    what=", ".join(config.secrets),
                ),
                platform.no_secrets,
            )
    return tuple(
        PlannedTarget(
            target,
            render(target, config),
            host_of(_place(target, config, record, said)),
            record.of(target.name),
        )
        for target in targets
    )


def foreign(draft: PlannedTarget, there: Service | KitError | None) -> Version | None:
    """What may be another app's where a target goes; None for nothing."""
    return there.not_this_apps(draft.on_record) if isinstance(there, Service) else None


def app_of(config: Config, known: Deployment | None) -> str:
    """The mark of the app that is deployed for a target.

    A folder's own app keeps the mark that is on record, so that it may be moved or renamed.
    """
    mark = config.identity.mark
    if known is None or known.app is None or KIT_APP in (known.app, mark):
        return mark
    return known.app


def _place(target: Target, config: Config, record: Record, said: Mapping[str, str]) -> Place:
    if config.project is None:
        raise KitError(
            Code.NO_PROJECT,
            text("No project was named."),
            text("Name one: --project PROJECT, project in kit.toml, or `gcloud config set project PROJECT`."),
        )
    platform = load(target.platform)
    if platform.regional and config.region is None:
        raise KitError(
            Code.BAD_CONFIG,
            text("No region was named for {name}.", name=target.name),
            text("Name one, such as --region europe-west1, or region in kit.toml."),
        )
    settings = config.of(target)
    service = str(settings["service"])
    known = record.of(target.name)
    if known is not None and known.project != config.project:
        raise KitError(
            Code.NOT_READY_TO_DEPLOY,
            text(
                "{name} is on record as deployed in the project {project}, not {other}.",
                name=target.name,
                project=known.project,
                other=config.project,
            ),
            text(
                "`kit destroy {name}` removes it there; or deploy from another folder, which keeps a record "
                "of its own.",
                name=target.name,
            ),
        )
    wanted = config.targets.get(target.name, {})
    if known is not None:
        # A default that is the app's name may be another one now.
        settings = {
            name: settings[name] for name in settings if name in wanted or not _is_the_apps(target, name)
        }
        if "service" not in wanted or known.service in platform.services(service):
            service = known.service
    region = config.region if platform.regional else None
    within = platform.within(target.name, settings, said, known.within if known is not None else None)
    app = app_of(config, known)
    return Place(target.name, target.platform, config.project, region, service, within, app)


def _is_the_apps(target: Target, name: str) -> bool:
    setting = target.settings.get(name)
    return setting is not None and setting.for_app is not None


async def plan(
    made: Sequence[PlannedTarget],
    gcloud: Gcloud,
    config: Config,
    options: DeployOptions,
    host_of: Callable[[Place], Host],
) -> Plan:
    """Look at what is there and at all that may stand in the way. Nothing is created."""
    found = await checks.check(
        gcloud,
        config,
        [(draft.target, draft.host) for draft in made],
        said=options.said,
        take_over=options.take_over,
        token=options.token_sha256 is not None,
        on_record={draft.target.name: draft.on_record for draft in made},
        preview=options.preview,
    )
    return await settle(made, found, host_of)


async def settle(made: Sequence[PlannedTarget], found: Preflight, host_of: Callable[[Place], Host]) -> Plan:
    """The plan, once it is known what is there: each platform may move its targets, and send one first."""
    orders = {}
    for name in dict.fromkeys(draft.target.platform for draft in made):
        hosts = [draft.host for draft in made if draft.target.platform == name]
        orders[name] = await load(name).order(hosts, found.listed.get(name), host_of)
    there = {host.place.target: host for order in orders.values() for host in order.hosts}
    return Plan(tuple(replace(draft, host=there[draft.target.name]) for draft in made), found, orders)


def refuse_open_model(config: Config, options: DeployOptions, made: Sequence[PlannedTarget]) -> None:
    """A model that is open to all costs the user money.

    Raises:
        KitError: NOT_READY_TO_DEPLOY, unless callers must show a token or a Google account, or the user said
            that it is meant so; also for a token where an app of the user's own would not ask for it.
    """
    if config.app is not None and options.token_sha256:
        raise KitError(
            Code.NOT_READY_TO_DEPLOY,
            text(
                "A token guards the kit's own service, and {module} would not ask for it.",
                module=config.app.module,
            ),
            text(
                "Leave --require-token out (--no-require-token where one is on record), and let the app "
                "check who calls it."
            ),
        )
    if config.generator == "embedded" or options.token_sha256 or options.public_model or config.asks_accounts:
        return
    public = [d.target.name for d in made if options.public or load(d.target.platform).open_to_all]
    if public:
        raise KitError(
            Code.NOT_READY_TO_DEPLOY,
            text(
                "All callers could ask {generator} through {what}, at your expense.",
                generator=config.generator,
                what=" and ".join(public),
            ),
            text("Have callers show a token (--require-token), or say that it is meant so (--public-model)."),
        )


def release_of(
    draft: PlannedTarget, config: Config, options: DeployOptions, root: Path, *, creates: bool
) -> Release:
    """A target's release, were it made now; nothing is written."""
    return release(
        draft.host.place,
        draft.bundle,
        config,
        now_s=time.time(),
        creates=creates,
        token_sha256=options.token_sha256,
        root=root,
        preview=options.preview,
    )


async def prepare(plan: Plan, gcloud: Gcloud, watch: Watch) -> None:
    """Do what was asked for and granted: switch on the APIs, make the App Engine app."""
    for finding in plan.preflight.questions:
        if finding.command is not None:
            watch(Stage(finding.text))
            await gcloud.run(finding.command, log="prepare")


def written(
    plan: Plan, config: Config, options: DeployOptions, root: Path, gcloud: Runs, watch: Watch
) -> Measuring:
    """Write the bundles; what will measure the versions that are made of them."""
    for draft in plan.drafts:
        write(draft.bundle, root)
    return Measuring(
        gcloud, config, watch, token=options.token, prompt=options.prompt, timeout_s=options.timeout_s
    )


async def deploy(
    plan: Plan,
    config: Config,
    options: DeployOptions,
    record: Record,
    root: Path,
    gcloud: Runs,
    watch: Watch,
) -> tuple[Outcome, ...]:
    """Deploy all targets side by side; one that fails leaves the others to finish.

    Hold the record's lock; `gcloud` gives identity tokens. A `KitError` is raised only before the first
    upload (CANNOT_WRITE, BUNDLE_EDITED); a bug in one target's deployment once all have ended.
    """
    measure = written(plan, config, options, root, gcloud, watch)
    shown = config.env.get(PROOF_TOKEN)
    keep = Keeping(
        gcloud, token=options.token, proof_token=shown, streams=options.streams, settings_of=config.of
    )
    ended = {draft.target.name: asyncio.Event() for draft in plan.drafts}
    there: set[str] = set()

    async def one(draft: PlannedTarget) -> Outcome:
        name, before = draft.target.name, plan.before(draft)
        if before is not None and before.first is not None:
            watch(
                Step(
                    name,
                    text(
                        "waiting for {first}, which becomes {becomes}",
                        first=before.first,
                        becomes=before.becomes,
                    ),
                )
            )
            await ended[before.first].wait()
            if before.first not in there:
                return _not_begun(name, before.first, before.becomes)
        try:
            ours = job(plan, draft, config, options, root)
            outcome = await Deploying(ours, record, watch, measure, keep).run()
            if outcome.url is not None:
                there.add(name)
            return outcome
        finally:
            ended[name].set()

    return await side_by_side(map(one, plan.drafts))


def _not_begun(name: str, first: str, becomes: str) -> Outcome:
    error = KitError(
        Code.NOT_READY_TO_DEPLOY,
        text("Not begun: {first}, which was to become {becomes}, failed.", first=first, becomes=becomes),
        text("Correct that first; then `kit deploy {first} {name}`.", first=first, name=name),
    )
    return Outcome(name, Result.FAILED, error.message, next=f"kit deploy {first} {name}", error=error)


def job(plan: Plan, draft: PlannedTarget, config: Config, options: DeployOptions, root: Path) -> Job:
    """All that one target's deployment or preview needs."""
    expires = None
    if options.lasts_s is not None:
        expires = datetime.fromtimestamp(time.time() + options.lasts_s, UTC).isoformat(timespec="seconds")

    def make(creates: bool) -> Release:
        return release_of(draft, config, options, root, creates=creates)

    async def look() -> Service | None:
        seen, place = plan.preflight, draft.host.place
        if time.monotonic() - seen.seen_s >= _FRESH_S:
            return await draft.host.look()
        if place in seen.looks:
            return seen.looks[place]
        # Where the platform moved the target once all was read.
        return await draft.host.look(seen.listed.get(place.platform))

    return Job(
        target=draft.target,
        host=draft.host,
        look=look,
        release=make,
        write=partial(write_release, bundle=draft.bundle, config=config),
        public=options.public,
        gate=options.gate,
        again=options.again,
        expires_at=expires,
        without_token=options.without_token,
    )


def promoted(outcomes: Sequence[Outcome]) -> list[str]:
    """The targets whose service now serves what this run made."""
    return [one.target for one in outcomes if one.result is Result.PROMOTED]


def with_rollouts(comparison: Comparison, outcomes: Sequence[Outcome]) -> Comparison:
    """The last comparison, with what became of streams through the deploy in each target's first lane."""
    found = {one.target: one.rollout for one in outcomes if one.rollout is not None}
    lanes = []
    for lane in comparison.lanes:
        rollout = found.pop(lane.target, None)
        lanes.append(lane if rollout is None else replace(lane, clauses=(*lane.clauses, rollout)))
    return replace(comparison, lanes=tuple(lanes))
