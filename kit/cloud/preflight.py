"""What must be known before anything is created: read with gcloud, all at once, and judged by rules."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kit.cloud.project_rules import PROJECT_RULES
from kit.cloud.target_rules import TARGET_RULES
from kit.cloud.unread import GRAVE, unread
from kit.config import Config
from kit.errors import Code, KitError
from kit.platforms.findings import LEVELS, Finding, Lane, Seen, Wishes
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.platform import Command, Host, Service
from kit.targets import Target

_LOG: Final = "preflight"
# Each gcloud takes some 0.7 s of a core to start; more of them at once only wait for each other.
_AT_ONCE: Final = 4
# With one of these gcloud asks for no account: https://cloud.google.com/sdk/docs/properties, section auth
_CREDENTIALS: Final = (
    "CLOUDSDK_AUTH_ACCESS_TOKEN",
    "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
    "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE",
)
_MARKS: Final = {"stop": "stop", "ask": "ask", "warn": "warning", "note": "note"}


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found.

    Attributes:
        findings: all of them, the gravest first.
        project: its ID.
        number: its number; None where it could not be read.
        app_versions: what gcloud told of the versions of all of the App Engine app's services; empty without
            an app, None where unknown.
    """

    findings: tuple[Finding, ...]
    project: str | None
    number: str | None = None
    app_versions: Sequence[Any] | None = None

    @property
    def app_services(self) -> frozenset[str] | None:
        """The names of the app's services, each of which has a version; None where unknown."""
        return None if self.app_versions is None else frozenset(one["service"] for one in self.app_versions)

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
        told = " ".join(finding.text.partition("\n")[0] for finding in self.stops)
        remedies = dict.fromkeys(finding.remedy for finding in self.stops if finding.remedy)
        return KitError(Code.NOT_READY_TO_DEPLOY, told, "\n  ".join(remedies))


async def check(
    gcloud: Gcloud,
    config: Config,
    places: Sequence[tuple[Target, Host]],
    *,
    create_app: str | None = None,
    take_over: bool = False,
) -> Preflight:
    """Look at everything at once. Nothing is created, and nothing raised: what is wrong is in the findings.

    Args:
        gcloud: runs the reads.
        config: names the project and the targets' settings.
        places: the targets, each with its platform.
        create_app: the region for a new App Engine app, should there be none.
        take_over: whether what the kit did not make may be overwritten.
    """
    project = config.project
    if project is None:
        nobody = Finding("stop", "No project was named.", "Name one with --project, or in kit.toml.")
        return Preflight((nobody,), None)
    lanes = [_lane(host, config, target) for target, host in places]
    wishes = Wishes(
        project=project,
        project_source=config.project_source,
        project_implied=config.project_implied,
        apis=config.service_apis,
        create_app=create_app,
        take_over=take_over,
        signed_in_by_env=any(gcloud.env.get(name) for name in _CREDENTIALS),
    )
    hosts = [host for _, host in places]
    seen = await _look(gcloud, project, hosts, signed_in_by_env=wishes.signed_in_by_env)
    return Preflight(
        findings=judge(lanes, wishes, seen),
        project=project,
        number=str(seen.project["projectNumber"])
        if isinstance(seen.project, dict) and "projectNumber" in seen.project
        else None,
        app_versions=_versions(seen),
    )


def judge(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> tuple[Finding, ...]:
    """Every finding, the gravest first. Pure."""
    found: list[Finding] = []
    for rule in (*PROJECT_RULES, *TARGET_RULES, unread):
        found += (finding for finding in rule(lanes, wishes, seen) if finding not in found)
    return tuple(sorted(found, key=lambda finding: LEVELS.index(finding.level)))


def text(preflight: Preflight) -> str:
    """The findings for a person, a remedy below each."""
    lines = []
    for level in LEVELS:
        for finding in preflight.findings:
            if finding.level == level:
                lines.append(f"{_MARKS[level]}: {finding.text}")
                lines += [f"  {finding.remedy}"] if finding.remedy else []
    return "\n".join(lines)


async def _look(gcloud: Gcloud, project: str, hosts: Sequence[Host], *, signed_in_by_env: bool) -> Seen:
    try:
        gcloud.find()
    except KitError as error:
        return Seen(version=error, looks={})
    turns = asyncio.Semaphore(_AT_ONCE)

    async def turn(work: Callable[[], Awaitable[Any]]) -> Any:
        async with turns:
            return await work()

    def read(*words: str, format: str = "json") -> Coroutine[Any, Any, Any]:
        command = Command((*words, "--quiet", f"--format={format}"))
        return turn(lambda: gcloud.read(command, log=_LOG))

    in_project = f"--project={project}"
    reads: dict[str, Awaitable[Any]] = {
        "version": read("version"),
        "project": read("projects", "describe", project),
        "billing": read("billing", "projects", "describe", project),
        "apis": read("services", "list", "--enabled", in_project, format="json(config.name)"),
        "policy": read("projects", "get-iam-policy", project),
    }
    if not signed_in_by_env:
        reads["accounts"] = read("auth", "list")
    if any(host.place.platform == "app_engine" for host in hosts):
        reads["app"] = read("app", "describe", in_project)
        reads["app_versions"] = asyncio.create_task(read("app", "versions", "list", in_project))

    async def look(host: Host) -> Service | None:
        listed = await reads["app_versions"] if host.place.platform == "app_engine" else None
        found: Service | None = await turn(lambda: host.look(listed))
        return found

    looks = {f"look {host.place.target}": look(host) for host in hosts}
    answers = await _answers({**reads, **looks})
    seen = {name.removeprefix("look "): answers.pop(name) for name in looks if name in answers}
    return Seen(**answers, looks=seen)


async def _answers(works: Mapping[str, Awaitable[Any]]) -> dict[str, Any]:
    """What each brought, be it a KitError. Once one cannot reach Google, nobody waits for the others."""
    tasks = {name: asyncio.ensure_future(work) for name, work in works.items()}
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


def _lane(host: Host, config: Config, target: Target) -> Lane:
    settings = config.of(target)
    account = settings.get("service_account")
    return Lane(
        place=host.place,
        flexible=_is_flexible(target),
        min_instances=int(settings.get("min_instances") or 0),
        service_account=str(account) if account else None,
    )


def _is_flexible(target: Target) -> bool:
    """Its own template says so to App Engine."""
    template = target.folder / "app.yaml.j2"
    return template.is_file() and "env: flex" in template.read_text(encoding="utf-8").splitlines()


def _versions(seen: Seen) -> Sequence[Any] | None:
    if seen.has_no_app:
        return ()
    return seen.app_versions if isinstance(seen.app_versions, list) else None
