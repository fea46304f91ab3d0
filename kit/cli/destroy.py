"""`kit destroy TARGET… | --all`: removes what the kit made in the cloud."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

from kit.cli.arguments import Json, Named, Project, Yes, option
from kit.cli.prompts import confirmed
from kit.cli.records import recorded
from kit.cli.runner import Console, run, success, talk
from kit.errors import Code, Exit, KitError, UsageError
from kit.language import join, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.flows.destroy import RemovalPlan, RemovalResult
    from kit.platforms.deployment import Deployment


def command(
    targets: Named = None,
    every: Annotated[bool, option("--all", "All that is on record from this folder.")] = False,
    project: Project = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Remove what the kit made in the cloud.

    Versions, services, images, uploaded archives: it lists all of them first, and asks. It may be repeated.
    What the kit did not make stays, and so does what the platform lets no one delete (an app's default
    service): it stays on record. What is on record and not found stays there, too (exit 4). What the
    platform itself left behind is named with the line that removes it (exit 4). The project is the one on
    record: if you name another, nothing is touched.
    """
    from kit.cli.records import gcloud, hosts
    from kit.cloud.lock import locked
    from kit.cloud.record import Record
    from kit.flows.destroy import destroy, survey
    from kit.flows.preview import survey as survey_preview
    from kit.targets import select

    if bool(targets) == every:
        raise UsageError(
            "Say what to remove." if not every else "--all goes with no target's name.",
            "Name targets, as in `kit destroy TARGET`, or say --all.",
        )
    with locked(Path()):
        record = Record.load(Path())
        named = list(dict.fromkeys(targets or []))
        known = recorded([]) if every else [one for one in map(record.of, named) if one is not None]
        # A folder in which only a preview was made says nothing of the service itself.
        alone = [
            (preview, one)
            for preview, one in record.previews()
            if record.of(one.target) is None and (every or one.target in named)
        ]
        if missing := sorted({*named} - {one.target for one in (*known, *(one for _, one in alone))}):
            select(missing)  # a name that was mistyped is none
        _refuse_elsewhere([*known, *(one for _, one in alone)], project)
        if (known or alone) and missing:
            talk(
                text(
                    "Nothing is on record as deployed for {what} from this folder.",
                    what=join(" and ", missing),
                )
            )
        if not known and not alone:
            said = text("Nothing is on record as deployed from this folder.")
            hint = text(
                "kit status --refresh looks in the cloud for what the kit made, and puts it on record."
            )
            success({"targets": []}, as_json=as_json, text=join("\n  ", (said, hint)))
        console = Console(as_json=as_json)
        runs = gcloud(console.echo)
        with console.steps(text("Looking for what the kit made.")):
            plans = run(survey([hosts(runs)(one.place) for one in known]))
            for preview, one in alone:
                plans += run(survey_preview(preview, [hosts(runs)(one.place)], record))
        talk(removals_text(plans))
        if any(removal.command is not None for one in plans for removal in one.removals):
            confirmed(text("Remove all of this?"), yes=yes)
        so_far: dict[str, RemovalResult] = {}
        try:
            with console.steps() as watch:
                results = run(destroy(plans, runs, record, watch, so_far))
        except KeyboardInterrupt:
            talk(join("\n", map(_so_far, so_far.values())))
            raise
    finish(results, as_json=as_json)


def finish(results: Sequence[RemovalResult], *, as_json: bool, nothing: str = "") -> NoReturn:
    """Say what came of it, `nothing` where there was nothing to do, and end the process."""
    exit = Exit.OK
    if any(one.missing or one.outlived for one in results):
        exit = Exit.INCONCLUSIVE
    if any(one.error is not None for one in results):
        exit = Exit.FAILED
    success(
        {"targets": [result_data(one) for one in results]},
        as_json=as_json,
        text=join("\n", map(said, results)) or nothing,
        exit=exit,
    )


def _refuse_elsewhere(known: Sequence[Deployment], project: str | None) -> None:
    """Raises where the user named a project, and what would be removed is in another."""
    for one in known:
        if project is not None and one.project != project:
            raise KitError(
                Code.NOTHING_DEPLOYED,
                text(
                    "{target} is on record as deployed in the project {project}, not {other}.",
                    target=one.target,
                    project=one.project,
                    other=project,
                ),
                text(
                    "To remove it there, leave {project} out or name {other}.",
                    project=project,
                    other=one.project,
                ),
            )


def removals_text(plans: Sequence[RemovalPlan]) -> str:
    lines = []
    for one in plans:
        place = one.host.place
        said = text(
            "{target}: {service} in {project}",
            target=one.target,
            service=place.service,
            project=place.project,
        )
        if one.preview is not None:
            said += text(", the preview {preview}", preview=one.preview)
        lines.append(said)
        if one.error is not None:
            lines.append("  " + text("could not be looked at: {message}", message=one.error.message))
        elif not one.removals:
            lines.append("  " + text("nothing of the kit's was found"))
        stays, remove = text("stays: {what}"), text("remove: {what}")
        lines += [
            "  " + (stays if removal.command is None else remove).format(what=removal.what)
            for removal in one.removals
        ]
    return join("\n", lines)


def said(one: RemovalResult) -> str:
    if one.missing:
        return text(
            "{target}: on record, and not found, so nothing was removed.\n  Look whether gcloud's account "
            "sees the project; if it is gone indeed, `kit status --refresh {target}` drops it from the "
            "record.",
            target=one.target,
        )
    if one.error is not None:
        lines = [text("{target}: {message}", target=one.target, message=one.error.message)]
        lines += [
            "  " + hint
            for hint in (
                one.error.hint,
                text("Still there: {what}.", what=join(", ", one.left)) if one.left else "",
                text("Repeat it with: {again}", again=one.again),
            )
            if hint
        ]
        return join("\n", lines)
    done = text("{count} removed", count=len(one.removed)) if one.removed else text("nothing to remove")
    where = text("stays, also on record: {what}") if one.preview is None else text("stays: {what}")
    outlived = text("left behind by the platform, and may cost money: {what}")
    lines = [text("{target}: {done}", target=one.target, done=done)]
    lines += ["  " + where.format(what=what) for what in one.kept]
    lines += ["  " + outlived.format(what=what) for what in one.outlived]
    return join("\n", lines)


def _so_far(one: RemovalResult) -> str:
    if not one.left or one.error is not None:
        return said(one)
    return text(
        "{target}: removed: {removed}.\n  Not removed, or not yet to the end: {left}.\n  Go on with: {again}",
        target=one.target,
        removed=join(", ", one.removed) if one.removed else text("nothing"),
        left=join(", ", one.left),
        again=one.again,
    )


def result_data(one: RemovalResult) -> dict[str, object]:
    error = one.error
    return {
        "target": one.target,
        "preview": one.preview,
        "removed": list(one.removed),
        "left": list(one.left),
        "stays": list(one.kept),
        "outlived": list(one.outlived),
        "missing": one.missing,
        "error": None if error is None else error.data,
    }
