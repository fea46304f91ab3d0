"""Questions to the person: a plain yes, a yes to the user's own code, a yes to the plan of a deployment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kit.cli.runner import Console, run, talk
from kit.errors import Code, KitError
from kit.language import join, text

if TYPE_CHECKING:
    from kit.config import Config
    from kit.flows.deploy import DeployOptions, Plan, PlannedTarget
    from kit.platforms.gcloud.runner import Gcloud
    from kit.platforms.platform import Host
    from kit.platforms.service import Place


def confirmed(question: str, *, yes: bool) -> None:
    """Return on a yes.

    Args:
        question: what is about to happen; ends with a question mark.
        yes: whether it was said already (`--yes`).

    Raises:
        KitError: NOT_CONFIRMED on a no, and where there is no terminal to ask on.
    """
    import sys

    if yes:
        return
    if not sys.stdin or not sys.stdin.isatty():
        raise KitError(
            Code.NOT_CONFIRMED,
            text("Confirmation is needed, and there is no terminal to ask on."),
            text("Read what it says above, and run it again with --yes (or KIT_YES=1)."),
        )
    talk(join("", (question, " [y/N]")))
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise KitError(Code.NOT_CONFIRMED, text("Nothing was done."), text("Say y to go on, or add --yes."))


def trusted(config: Config, *, yes: bool) -> None:
    """Return when the app that is configured may run here, or when none is.

    Args:
        config: what the user wants.
        yes: whether `--yes` was said, which is not remembered.

    Raises:
        KitError: NOT_CONFIRMED.
    """
    from pathlib import Path

    from kit.trust import is_trusted, trust

    app = config.app
    if app is None or yes or is_trusted(Path.cwd(), app.source):
        return
    talk(
        text(
            "The app {module} in {resolve}:\nIts packages are installed and its code runs on this machine, "
            "with your rights.",
            module=app.module,
            resolve=app.source.resolve(),
        )
    )
    confirmed(text("Run it, now and from now on?"), yes=False)
    trust(Path.cwd(), app.source)


def agreed(
    made: Sequence[PlannedTarget],
    runs: Gcloud,
    config: Config,
    options: DeployOptions,
    host_of: Callable[[Place], Host],
    console: Console,
    *,
    yes: bool,
) -> Plan:
    """The plan, once there was a yes to it and nothing stands in its way any more.

    An API that is switched on may show what could not be seen before, so it looks again after each such step.

    Args:
        made: the targets.
        runs: gcloud; its lines go to `console`.
        config: where to.
        options: what else the user said.
        host_of: the platforms.
        console: shows what is done.
        yes: whether every question is answered already.

    Raises:
        KitError: NOT_READY_TO_DEPLOY with all that stands in the way, NOT_CONFIRMED.
    """
    from dataclasses import replace

    from kit.cloud.preflight import findings_text
    from kit.flows.deploy import plan, prepare

    granted: set[str] | None = None
    while True:
        with console.steps(text("Looking at the project {project}.", project=config.project)):
            planned = run(plan(made, runs, config, options, host_of))
        found = planned.preflight
        notes = findings_text(
            replace(found, findings=tuple(one for one in found.findings if one.level != "stop"))
        )
        if (error := found.error()) is not None:
            talk(notes)
            raise error
        questions = {one.text for one in found.questions}
        if granted is None or questions - granted:
            talk(_plan(planned, config))
            talk(notes)
            names = listed([draft.target.name for draft in planned.drafts])
            preview = options.preview
            how = (
                "" if preview is None else text(" as the preview {preview}, without traffic", preview=preview)
            )
            confirmed(text("Deploy {names}{how}?", names=names, how=how), yes=yes)
        if not any(one.command is not None and one.text not in (granted or ()) for one in found.questions):
            return planned
        granted = (granted or set()) | questions
        with console.steps() as watch:
            run(prepare(planned, runs, watch))


def listed(names: Sequence[str]) -> str:
    """A list for a sentence: "one, two and three"."""
    *most, last = names
    return text("{what} and {last}", what=join(", ", most), last=last) if most else last


def _plan(planned: Plan, config: Config) -> str:
    into = join("; ", [_into(draft.host.place) for draft in planned.drafts])
    return text("The plan, in the project {project}: {into}.", project=config.project, into=into)


def _into(place: Place) -> str:
    said = text("{target} as the service {service}", target=place.target, service=place.service)
    if place.region:
        said += text(" in {region}", region=place.region)
    return said + (f" ({place.within})" if place.within else "")
