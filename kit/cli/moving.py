"""What `promote` and `rollback` share: look, say what is about to move, get a yes, move it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeAlias

import typer

from kit.cli.confirming import confirmed
from kit.cli.output import Console, success, talk
from kit.cli.recorded import recorded
from kit.cli.running import run
from kit.errors import Code, KitError

if TYPE_CHECKING:
    from kit.cloud.record import Deployment
    from kit.platforms.service import Service
    from kit.platforms.service import Version as CloudVersion

Target: TypeAlias = Annotated[
    str, typer.Argument(metavar="TARGET", envvar="KIT_TARGET", help="Which target's service.")
]
Version: TypeAlias = Annotated[
    str | None,
    typer.Option(envvar="KIT_VERSION", help="This version, by its name as `kit status` tells it."),
]


def move(
    target: str,
    verb: str,
    choose: Callable[[Service, Deployment], CloudVersion],
    *,
    yes: bool,
    as_json: bool,
) -> NoReturn:
    """Send all traffic of a recorded target's service to the version that `choose` picks.

    Raises:
        KitError: nothing is deployed, there is no such version, no yes, or whatever gcloud says.
    """
    from kit.cli.hosts import gcloud, hosts
    from kit.cloud.lock import locked
    from kit.cloud.record import Record
    from kit.events import Step, output_of
    from kit.flows.traffic import switch

    with locked(Path()):
        (known,) = recorded([target])
        console = Console(as_json=as_json)
        host = hosts(gcloud(console.echo))(known.place)
        with console.steps(f"Looking at {known.service}."):
            service = run(host.look())
        if service is None:
            raise KitError(
                Code.NOT_FOUND_IN_CLOUD,
                f"{known.service} is on record for {target}, but it is not there any more.",
                f"kit status --refresh {target} puts the record right; kit deploy {target} deploys it.",
            )
        version = choose(service, known)
        was = service.serving
        if version.traffic >= 1:
            success(
                {"target": target, "version": version.name, "was": version.name, "url": service.url},
                as_json=as_json,
                text=f"{version.name} has all the traffic of {service.place.service} already.",
            )
        if known.version == version.name and known.verdict_on is not None:
            talk(f"With the header, {version.name} was measured as {known.verdict_on}.")
        at = f" from {was.name}" if was is not None else ""
        doing = f"Promote {target}" if verb == "promote" else f"Roll {target} back"
        confirmed(f"{doing}: all traffic{at} to {version.name}?", yes=yes)
        with console.steps() as watch:
            watch(Step(target, f"moving the traffic to {version.name}"))
            after = run(switch(host, Record.load(Path()), service, version, output_of(target, watch)))
    success(
        {
            "target": target,
            "version": version.name,
            "was": was.name if was is not None else None,
            "url": after.url,
        },
        as_json=as_json,
        text=f"{target}: {version.name} serves now at {after.url}"
        + (f"; `kit {'rollback' if verb == 'promote' else 'promote'} {target}` goes back." if was else "."),
    )
