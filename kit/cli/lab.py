"""`kit lab`: the rendered bundles, each behind its platform's emulated front, until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli.output import show, talk
from kit.errors import Code, Exit, KitError

if TYPE_CHECKING:
    from kit.lab.lab import LabLane


def command(
    targets: Annotated[
        list[str] | None,
        typer.Argument(envvar="KIT_TARGETS", help="Which targets; all unless named. See `kit targets`."),
    ] = None,
    port: Annotated[
        list[str] | None,
        typer.Option(metavar="TARGET=PORT", envvar="KIT_PORT", help="Where a target's front listens."),
    ] = None,
    front: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TARGET=OTHER",
            envvar="KIT_FRONT",
            help="Put the other target's front before this one, to see what it would do.",
        ),
    ] = None,
    isolated: Annotated[
        bool,
        typer.Option(
            "--isolated",
            envvar="KIT_ISOLATED",
            help="Install each bundle's own requirements into an environment of its own first.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", envvar="KIT_JSON", help="Print one JSON document when all is ready.")
    ] = False,
) -> None:
    """Run the bundles on this machine, each behind its platform's front, until Ctrl-C.

    The fronts are emulated from the platforms' documentation.
    """
    import os
    from pathlib import Path

    from kit.config import load_config
    from kit.lab.lanes import prepare
    from kit.targets import load_targets

    known = load_targets()
    lanes = prepare(
        known,
        targets or [],
        load_config({}, os.environ, Path.cwd()),
        Path("build"),
        ports={name: _port(value) for name, value in _pairs("--port", port or [])},
        fronts=dict(_pairs("--front", front or [])),
    )
    _run(lanes, isolated=isolated, as_json=as_json)


def _run(lanes: list[LabLane], *, isolated: bool, as_json: bool) -> None:
    import asyncio
    import signal

    from kit.lab.lab import Lab

    async def until_interrupted() -> None:
        main = asyncio.current_task()
        assert main is not None  # noqa: S101 (a coroutine always runs in one)
        # As Ctrl-C does: whoever ends the kit politely finds no process left behind.
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, main.cancel)
        async with Lab(lanes, isolated=isolated, say=talk) as lab:
            found = [{"target": name, "url": url} for name, url in lab.urls.items()]
            width = max(len(name) for name in lab.urls)
            text = "\n".join(f"{name:{width}}  {url}" for name, url in lab.urls.items())
            show({"lanes": found}, as_json=as_json, text=text)
            talk("The fronts are emulated from documentation. Ctrl-C ends the lab.")
            await lab.wait_for_death()

    try:
        asyncio.run(until_interrupted())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _pairs(option: str, values: list[str]) -> list[tuple[str, str]]:
    pairs = [value.partition("=") for value in values]
    for name, equals, value in pairs:
        if not (name and equals and value):
            text = f"{name}{equals}{value}"
            raise KitError(
                Code.BAD_USAGE,
                f"{option} {text} is not of the form TARGET=VALUE.",
                f"For example: {option} standard={'8001' if option == '--port' else 'run'}",
                exit=Exit.USAGE,
            )
    return [(name, value) for name, _, value in pairs]


def _port(value: str) -> int:
    if value.isascii() and value.isdigit() and 0 < int(value) < 65_536:
        return int(value)
    raise KitError(
        Code.BAD_USAGE,
        f"{value!r} is not a port.",
        "Give a number from 1 to 65535, or leave --port out for a free one.",
        exit=Exit.USAGE,
    )
