"""`kit status`: what is deployed, what serves, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from kit.cli.arguments import Json, Project, Region, Targets, option
from kit.cli.records import recorded
from kit.cli.runner import Console, configured, run, style, success
from kit.errors import Exit, UsageError
from kit.language import join, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kit.platforms.deployment import Deployment, DeploymentStatus
    from kit.platforms.platform import Host
    from kit.platforms.service import Place


def command(
    targets: Targets = None,
    offline: Annotated[bool, option("--offline", "Show what is on record; ask no cloud.")] = False,
    refresh: Annotated[
        bool, option("--refresh", "Look in the project for what the kit made, and write the record anew.")
    ] = False,
    project: Project = None,
    region: Region = None,
    as_json: Json = False,
) -> None:
    """Show what is deployed, and what it costs now.

    Versions and their traffic, URLs, ages, and the verdicts when deployed: from the record of this folder
    (.kit/deployments.json), and from the cloud through gcloud.
    """
    import time

    from kit.cli.records import hosts
    from kit.cloud.lock import locked
    from kit.cloud.record import Record
    from kit.flows.rebuild import rebuild
    from kit.report.status import status_text
    from kit.targets import load_targets, select

    if offline and refresh:
        raise UsageError("--offline asks no cloud, --refresh asks it.", "Choose one.")
    warnings: list[str] = []
    console = Console(as_json=as_json)
    if refresh:
        config = configured(project=project, region=region)
        wanted = select(targets or [])
        with locked(Path()), console.steps(text("Looking for what the kit made.")):
            record, aside = Record.anew(Path())
            if aside is not None:
                warnings.append(text("the record could not be read; it is kept as {aside}", aside=aside))
            statuses = run(rebuild(wanted, config, record, hosts()))
    else:
        chosen = _with_previews(targets or [])
        statuses = _asked(chosen, None if offline or not chosen else hosts(), console)
    data = [_as_data(status, time.time()) for status in statuses]
    shown = status_text(statuses, load_targets(), style(), time.time())
    nothing = (
        text("Nothing of the kit's is there.")
        if refresh
        else text("Nothing is on record as deployed from this folder.")
    )
    hint = text("kit deploy TARGET deploys; kit status --refresh looks in the cloud.")
    failed = any(status.error is not None for status in statuses)
    success(
        {"targets": data},
        as_json=as_json,
        text=shown or join("\n  ", (nothing, hint)),
        warnings=warnings,
        exit=Exit.FAILED if failed else Exit.OK,
    )


def _with_previews(names: Sequence[str]) -> list[Deployment]:
    """What is on record, with the newest preview of a target of which nothing else is."""
    from kit.cloud.record import Record

    record = Record.load(Path())
    alone = {
        one.target: one
        for _, one in record.previews()
        if record.of(one.target) is None and (not names or one.target in names)
    }
    wanted = [name for name in names if name not in alone]
    known = [] if names and not wanted else recorded(wanted)
    return [*known, *alone.values()]


def _asked(
    known: Sequence[Deployment], host_of: Callable[[Place], Host] | None, console: Console
) -> tuple[DeploymentStatus, ...]:
    from kit.cloud.status import status

    if host_of is None:
        return run(status(known, None))
    with console.steps(text("Asking the cloud.")):
        return run(status(known, host_of))


def _as_data(status: DeploymentStatus, now_s: float) -> dict[str, Any]:
    from kit.platforms.deployment import is_overdue

    place, known, service = status.place, status.deployment, status.service
    versions = service.versions if service is not None else ()
    error = status.error
    return {
        "target": place.target,
        "platform": place.platform,
        "project": place.project,
        "region": place.region,
        "service": place.service,
        "within": place.within,
        "asked": status.asked,
        "gone": status.gone,
        "url": status.url,
        "public": status.public,
        "state": known.state if known is not None else None,
        "deployed_at": known.deployed_at if known is not None else None,
        "verdict_on": known.verdict_on if known is not None else None,
        "verdict_off": known.verdict_off if known is not None else None,
        "expires_at": known.expires_at if known is not None else None,
        "overdue": known is not None and is_overdue(known, now_s),
        "costs": status.costs,
        "stops_the_costs": list(status.stops_the_costs),
        "versions": [
            {
                "name": version.name,
                "role": status.role(version),
                "preview": version.preview,
                "traffic": version.traffic,
                "running": version.running,
                "url": version.url,
                "created_at": version.created_at,
            }
            for version in versions
        ],
        "error": None if error is None else error.data,
    }
