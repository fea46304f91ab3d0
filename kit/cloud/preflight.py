"""The look before anything is created: read with gcloud, all at once, and judged by rules."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from kit.cloud.rules import GRAVE, by_platform, judge
from kit.config import Config
from kit.errors import Code, KitError
from kit.language import join, text
from kit.platforms import load
from kit.platforms.command import Command
from kit.platforms.findings import LEVELS, Candidate, Finding, PreflightOptions, Seen
from kit.platforms.gcloud.runner import AT_ONCE, Gcloud
from kit.platforms.platform import Host, Platform
from kit.platforms.service import Place, Service
from kit.targets import Target

_LOG: Final = "preflight"
# With one of these gcloud asks for no account: https://cloud.google.com/sdk/docs/properties, section auth
_CREDENTIALS: Final = (
    "CLOUDSDK_AUTH_ACCESS_TOKEN",
    "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
    "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE",
)
_MARKS: Final = {"stop": text("stop"), "ask": text("ask"), "warn": text("warning"), "note": text("note")}


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found.

    Attributes:
        findings: all of them, the gravest first.
        project: its ID.
        looks: what was at each place that could be looked at.
        seen_s: when that was, by the monotonic clock.
        listed: by platform all of its services in the project, as `Platform.listed` has them.
    """

    findings: tuple[Finding, ...]
    project: str | None
    listed: Mapping[str, Sequence[Any] | None] = field(default_factory=dict)
    looks: Mapping[Place, Service | None] = field(default_factory=dict)
    seen_s: float = -math.inf

    @property
    def stops(self) -> tuple[Finding, ...]:
        """Those with which nothing can be deployed."""
        return tuple(finding for finding in self.findings if finding.level == "stop")

    @property
    def questions(self) -> tuple[Finding, ...]:
        """Those that want a yes; run their commands in this order, then look again."""
        return tuple(finding for finding in self.findings if finding.level == "ask")

    def error(self) -> KitError | None:
        """All that stops, as one error; None where nothing does."""
        if not self.stops:
            return None
        sentence = " ".join(finding.text.partition("\n")[0] for finding in self.stops)
        remedies = dict.fromkeys(finding.remedy for finding in self.stops if finding.remedy)
        return KitError(Code.NOT_READY_TO_DEPLOY, sentence, "\n  ".join(remedies))


async def check(
    gcloud: Gcloud,
    config: Config,
    places: Sequence[tuple[Target, Host]],
    *,
    said: Mapping[str, str] = MappingProxyType({}),
    take_over: bool = False,
    token: bool = False,
    on_record: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    preview: str | None = None,
) -> Preflight:
    """Look at everything at once. Nothing is created, and nothing raised: what is wrong is in the findings.

    Args:
        gcloud: runs the reads.
        config: names the project and the targets' settings.
        places: the targets, each with its platform.
        said: the platforms' own options that were given.
        take_over: whether what is not this app's may be overwritten.
        token: whether callers must show a token.
        on_record: by target the versions that are on record as deployed from this folder.
        preview: the name of the preview that is to be made; None for what is to serve.
    """
    project = config.project
    if project is None:
        unnamed = Finding(
            "stop", text("No project was named."), text("Name one with --project, or in kit.toml.")
        )
        return Preflight((unnamed,), None)
    candidates = [_candidate(host, config, target, on_record.get(target.name, ())) for target, host in places]
    options = PreflightOptions(
        project=project,
        project_source=config.project_source,
        project_implied=config.project_implied,
        apis=config.service_apis,
        said=said,
        secret=text("a token") if token else text("a Google account's token") if config.asks_accounts else "",
        costly="" if config.app is not None or config.generator == "embedded" else config.generator,
        take_over=take_over,
        preview=preview,
        signed_in_by_env=any(gcloud.env.get(name) for name in _CREDENTIALS),
    )
    hosts, began_s = [host for _, host in places], time.monotonic()
    platforms = {one.place.platform: load(one.place.platform) for one in candidates}
    reads = {
        name: read
        for platform, group in by_platform(candidates).items()
        for name, read in platforms[platform].reads(project, group).items()
    }
    seen = await _look(gcloud, project, hosts, platforms, reads, signed_in_by_env=options.signed_in_by_env)
    return Preflight(
        findings=judge(candidates, options, seen),
        project=project,
        listed={name: platform.listed(seen) for name, platform in platforms.items()},
        looks={
            host.place: there
            for host in hosts
            if host.place.target in seen.looks
            and not isinstance(there := seen.looks[host.place.target], KitError)
        },
        seen_s=began_s,
    )


def findings_text(preflight: Preflight) -> str:
    """The findings for a person, a remedy below each."""
    lines = []
    for level in LEVELS:
        for finding in preflight.findings:
            if finding.level == level:
                lines.append(join(": ", (_MARKS[level], finding.text)))
                lines += ["  " + finding.remedy] if finding.remedy else []
    return join("\n", lines)


async def _look(
    gcloud: Gcloud,
    project: str,
    hosts: Sequence[Host],
    platforms: Mapping[str, Platform],
    reads: Mapping[str, Command],
    *,
    signed_in_by_env: bool,
) -> Seen:
    try:
        gcloud.find()
    except KitError as error:
        return Seen(version=error, looks={})
    turns = asyncio.Semaphore(AT_ONCE)

    async def turn(work: Callable[[], Awaitable[Any]]) -> Any:
        async with turns:
            return await work()

    def read(command: Command) -> asyncio.Task[Any]:
        return asyncio.create_task(turn(lambda: gcloud.read(command, log=_LOG)))

    def ask(*words: str, format: str = "json") -> asyncio.Task[Any]:
        return read(Command((*words, "--quiet", f"--format={format}")))

    common = {
        "version": ask("version"),
        "project": ask("projects", "describe", project),
        "billing": ask("billing", "projects", "describe", project),
        "apis": ask("services", "list", "--enabled", f"--project={project}", format="json(config.name)"),
        "policy": ask("projects", "get-iam-policy", project),
    }
    if not signed_in_by_env:
        common["accounts"] = ask("auth", "list")
    own = {name: read(command) for name, command in reads.items()}

    async def look(host: Host) -> Service | None:
        listing = platforms[host.place.platform].listing
        listed = None if listing is None else await own[listing]
        found: Service | None = await turn(lambda: host.look(listed))
        return found

    looks = {f"look {host.place.target}": asyncio.create_task(look(host)) for host in hosts}
    answers = await _answers({**common, **own, **looks})
    return Seen(
        **{name: answer for name, answer in answers.items() if name in common},
        own={name: answer for name, answer in answers.items() if name in own},
        looks={name.removeprefix("look "): answer for name, answer in answers.items() if name in looks},
    )


async def _answers(tasks: Mapping[str, asyncio.Task[Any]]) -> dict[str, Any]:
    """What each brought, be it a KitError. Once one cannot reach Google, the others are given up."""
    waiting = set(tasks.values())
    try:
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            errors = [error for task in done if isinstance(error := task.exception(), KitError)]
            if any(error.code in GRAVE for error in errors):
                break
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    ended = {name: task for name, task in tasks.items() if not task.cancelled()}
    for task in ended.values():
        if (error := task.exception()) is not None and not isinstance(error, KitError):
            raise error
    return {name: task.exception() or task.result() for name, task in ended.items()}


def _candidate(host: Host, config: Config, target: Target, on_record: tuple[str, ...]) -> Candidate:
    settings = config.of(target)
    account = settings.get("service_account")
    return Candidate(
        place=host.place,
        edition=target.edition,
        min_instances=int(settings.get("min_instances") or 0),
        service_account=str(account) if account else None,
        settings=settings,
        on_record=on_record,
        secrets=config.secrets,
    )
