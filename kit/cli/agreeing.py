"""Shows what a deployment will do, gets a yes to it, and does what must come before the first upload."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kit.cli.confirming import confirmed
from kit.cli.output import Console, talk
from kit.cli.running import run

if TYPE_CHECKING:
    from kit.config import Config
    from kit.flows.deploy import DeployOptions, Plan, PlannedTarget
    from kit.platforms.gcloud.runner import Gcloud
    from kit.platforms.platform import Host
    from kit.platforms.service import Place


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

    An API that is switched on may show what nobody could see before, so it looks again after each such step.

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

    from kit.cloud.preflight import text
    from kit.flows.deploy import plan, prepare

    granted: set[str] | None = None
    while True:
        with console.steps(f"Looking at the project {config.project}."):
            planned = run(plan(made, runs, config, options, host_of))
        found = planned.preflight
        told = text(replace(found, findings=tuple(one for one in found.findings if one.level != "stop")))
        if (error := found.error()) is not None:
            talk(told)
            raise error
        questions = {one.text for one in found.questions}
        if granted is None or questions - granted:
            talk(_plan(planned, config))
            talk(told)
            confirmed(f"Deploy {listed([draft.target.name for draft in planned.drafts])}?", yes=yes)
        if not any(one.command is not None and one.text not in (granted or ()) for one in found.questions):
            return planned
        granted = (granted or set()) | questions
        with console.steps() as watch:
            run(prepare(planned, runs, watch))


def listed(names: Sequence[str]) -> str:
    """A list for a sentence: "one, two and three"."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _plan(planned: Plan, config: Config) -> str:
    places = [draft.host.place for draft in planned.drafts]
    into = "; ".join(
        f"{place.target} as the service {place.service}" + (f" in {place.region}" if place.region else "")
        for place in places
    )
    return f"The plan, in the project {config.project}: {into}."
