"""`kit lab`: the rendered bundles, each behind its platform's emulated front, until Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from kit.cli.arguments import Fronts, Isolated, Json, Out, Targets, Yes, option, pairs, with_settings
from kit.cli.prompts import trusted
from kit.cli.runner import configured, run, show, talk
from kit.errors import UsageError

if TYPE_CHECKING:
    from kit.lab.lab import LabLane
    from kit.targets import FrontSpec


@with_settings
def command(
    settings: dict[str, object],
    targets: Targets = None,
    port: Annotated[
        list[str] | None,
        option(
            "--port", "Where a target's front listens; of one target PORT will do.", metavar="TARGET=PORT"
        ),
    ] = None,
    front: Fronts = None,
    out: Out = Path("build"),
    isolated: Isolated = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Run the bundles on this machine, each behind its platform's front, until Ctrl-C.

    The fronts are emulated from the platforms' documentation.
    """
    from kit.lab.lanes import prepare
    from kit.targets import load_targets

    if targets and len(targets) == len(port or []) == 1:
        port = [one if "=" in one else f"{targets[0]}={one}" for one in port or []]
    ports = pairs("--port", "TARGET=PORT, or PORT alone for a single target", port or [])
    fronts = pairs("--swap-front", "TARGET=OTHER", front or [])
    config = configured(**settings)
    trusted(config, yes=yes)
    lanes = prepare(
        load_targets(),
        targets or [],
        config,
        out,
        ports={name: _port(value) for name, value in ports.items()},
        fronts=fronts,
    )
    warnings = [f"{name} stands behind the front of {other}" for name, other in fronts.items()]
    run(_until_interrupted(lanes, isolated=isolated, as_json=as_json, warnings=warnings))


async def _until_interrupted(
    lanes: list[LabLane], *, isolated: bool, as_json: bool, warnings: list[str]
) -> None:
    """Say where the lanes are once all are ready, then wait for the first to die."""
    from kit.lab.lab import Lab

    async with Lab(lanes, isolated=isolated, say=talk) as lab:
        found = [{"target": name, "url": url} for name, url in lab.urls.items()]
        width = max(map(len, lab.urls))
        rows = zip(lab.urls.items(), lanes, strict=True)
        text = "\n".join(f"{name:{width}}  {url}  {_what_it_does(lane)}" for (name, url), lane in rows)
        show({"lanes": found}, as_json=as_json, text=text, warnings=warnings)
        talk("The fronts are emulated from documentation. Ctrl-C ends the lab.")
        await lab.wait_for_death()


def _what_it_does(lane: LabLane) -> str:
    spec = lane.front or lane.target.front
    held = _how_it_holds(spec)
    return f"{held}; freezes the service while no request is open" if spec.idle == "frozen" else held


def _how_it_holds(spec: FrontSpec) -> str:
    if spec.hold == "none":
        return "lets everything pass"
    if spec.hold == "whole":
        return "holds the whole answer until it is complete"
    blocks = f"holds blocks of {(spec.block_bytes or 0) // 1024} KiB"
    return f"{blocks}, unless the answer says X-Accel-Buffering: no" if spec.accel_frees else blocks


def _port(value: str) -> int:
    if value.isascii() and value.isdigit() and 0 < int(value) < 65_536:
        return int(value)
    raise UsageError(
        f"{value!r} is not a port.", "Give a number from 1 to 65535, or leave --port out for a free one."
    )
