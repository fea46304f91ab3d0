"""`kit destroy TARGET… | --all`: removes what the kit made in the cloud."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli.confirming import confirmed
from kit.cli.options import Json, Named, Yes
from kit.cli.output import success, talk
from kit.cli.running import run
from kit.errors import Code, Exit, KitError

if TYPE_CHECKING:
    from kit.cloud.record import Record
    from kit.flows.destroy import Cleared, Clearing


def command(
    targets: Named = None,
    every: Annotated[
        bool, typer.Option("--all", envvar="KIT_ALL", help="All that is on record from this folder.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Remove what the kit made: versions, services, images, uploaded archives. It may be repeated.

    Lists it all first and asks. What the kit did not make stays, and so does App Engine's default service,
    which nobody can delete.
    """
    import sys
    from typing import Any

    from kit.cli.hosts import gcloud, hosts
    from kit.cloud.lock import locked
    from kit.cloud.record import Record
    from kit.flows.destroy import destroy, survey
    from kit.report.deploying import LiveSteps
    from kit.targets import select

    if bool(targets) == every:
        raise KitError(
            Code.BAD_USAGE,
            "Say what to remove." if not every else "--all goes with no target's name.",
            "Name targets, as in `kit destroy run`, or say --all.",
            exit=Exit.USAGE,
        )
    with locked(Path()):
        record = Record.load(Path())
        names = _names(targets, record)
        known = [one for one in map(record.of, names) if one is not None]
        if not known:
            select(targets or [])
            said = "Nothing is on record as deployed from this folder."
            hint = "kit status --refresh looks in the cloud for what the kit made, and puts it on record."
            success({"targets": []}, as_json=as_json, text=f"{said}\n  {hint}")
        steps: Any = [talk]
        runs = gcloud(lambda line: steps[0](line))
        with LiveSteps(sys.stderr, colour=False if as_json else None) as watcher:
            watcher.stage("Looking for what the kit made.")
            clearings = run(survey([hosts(runs)(one.place) for one in known]))
        talk(_listed(clearings))
        if any(one.removals for one in clearings):
            confirmed("Remove all of this?", yes=yes)
        with LiveSteps(sys.stderr, colour=False if as_json else None) as watcher:
            steps[0] = watcher.command
            cleared = run(destroy(clearings, runs, record, watcher))
    failed = any(one.error is not None for one in cleared)
    success(
        {"targets": [_as_data(one) for one in cleared]},
        as_json=as_json,
        text="\n".join(map(_said, cleared)),
        exit=Exit.FAILED if failed else Exit.OK,
    )


def _names(targets: list[str] | None, record: Record) -> list[str]:
    return list(dict.fromkeys(targets)) if targets else [one.target for one in record]


def _listed(clearings: tuple[Clearing, ...]) -> str:
    lines = []
    for one in clearings:
        place = one.host.place
        lines.append(f"{one.target}: {place.service} in {place.project}")
        if one.error is not None:
            lines.append(f"  could not be looked at: {one.error.message}")
        elif not one.removals:
            lines.append("  nothing of the kit's is there any more")
        lines += [
            f"  {'stays' if removal.command is None else 'remove'}: {removal.what}"
            for removal in one.removals
        ]
    return "\n".join(lines)


def _said(one: Cleared) -> str:
    if one.error is not None:
        still = f"\n  Still there: {', '.join(one.left)}." if one.left else ""
        return (
            f"{one.target}: {one.error.message}\n  {one.error.hint}{still}\n"
            f"  Repeat it with: kit destroy {one.target}"
        )
    stays = "".join(f"\n  stays: {what}" for what in one.kept)
    return f"{one.target}: {f'{len(one.removed)} removed' if one.removed else 'nothing was there'}{stays}"


def _as_data(one: Cleared) -> dict[str, object]:
    error = one.error
    return {
        "target": one.target,
        "removed": list(one.removed),
        "left": list(one.left),
        "stays": list(one.kept),
        "error": None
        if error is None
        else {"code": str(error.code), "message": error.message, "hint": error.hint},
    }
