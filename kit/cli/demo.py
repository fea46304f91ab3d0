"""`kit demo`: the whole story on this machine, with no account."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kit.cli.asking import PROMPT, PROMPT_HELP, TIMEOUT_HELP, Arms, arms, pairs, status
from kit.cli.output import success
from kit.cli.running import run


def command(
    targets: Annotated[
        list[str] | None,
        typer.Argument(envvar="KIT_TARGETS", help="Which targets; all unless named. See `kit targets`."),
    ] = None,
    prompt: Annotated[str, typer.Option(envvar="KIT_PROMPT", help=PROMPT_HELP)] = PROMPT,
    arm: Annotated[
        Arms, typer.Option(envvar="KIT_ARM", help="With X-Accel-Buffering: no sent, not sent, or both.")
    ] = Arms.BOTH,
    out: Annotated[
        Path, typer.Option(envvar="KIT_OUT", help="The folder for the bundles and the report.")
    ] = Path("build"),
    front: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TARGET=OTHER",
            envvar="KIT_FRONT",
            help="Put the other target's front before this one: a demo that must fail.",
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
    timeout: Annotated[float, typer.Option(envvar="KIT_TIMEOUT", min=1, max=3600, help=TIMEOUT_HELP)] = 60.0,
    as_json: Annotated[
        bool, typer.Option("--json", envvar="KIT_JSON", help="Print one JSON document on stdout.")
    ] = False,
) -> None:
    """Run every bundle behind its platform's front, measure them side by side, and judge.

    No account and no network are needed: the fronts are emulated from the platforms' documentation.
    Exits 0 when every verdict is what the documentation promises, 3 when one is not.
    """
    import os
    import sys

    from kit.config import load_config
    from kit.flows.demo import demo
    from kit.report.files import write_report
    from kit.report.json import comparison_data
    from kit.report.live import LiveLanes
    from kit.report.style import Style
    from kit.report.table import table
    from kit.targets import load_targets

    known = load_targets()
    config = load_config({}, os.environ, Path.cwd())
    fronts = pairs("--front", "TARGET=OTHER", front or [])
    with LiveLanes(sys.stderr, colour=False if as_json else None) as watcher:
        comparison = run(
            demo(
                known,
                targets or [],
                config,
                out,
                prompt=prompt,
                arms=arms(arm),
                watcher=watcher,
                fronts=fronts,
                isolated=isolated,
                timeout_s=timeout,
            )
        )
    page, data = write_report(comparison, known, out)
    text = table(comparison, known, Style.of(sys.stdout))
    swapped = [f"{name} stands behind the front of {other}" for name, other in fronts.items()]
    success(
        comparison_data(comparison),
        as_json=as_json,
        text=f"{text}\n\n  The report: {page} (and {data.name} for programs)",
        warnings=swapped,
        exit=status(comparison.state),
    )
