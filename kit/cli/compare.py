"""`kit compare NAME=URL…`: several services side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli.asking import PROMPT, PROMPT_HELP, TIMEOUT_HELP, Arms, arms, pairs, status, verdict
from kit.cli.output import success
from kit.cli.running import run

if TYPE_CHECKING:
    from kit.proof.lane import Arm
    from kit.proof.verdict import Verdict
    from kit.targets import Target


def command(
    lanes: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=URL…",
            envvar="KIT_LANES",
            help="A lane each. A target's name (see `kit targets`) brings its promise with it.",
        ),
    ],
    expect: Annotated[
        str | None,
        typer.Option(
            envvar="KIT_EXPECT",
            metavar="VERDICT",
            help="What every lane must be, whatever its name promises.",
        ),
    ] = None,
    prompt: Annotated[str, typer.Option(envvar="KIT_PROMPT", help=PROMPT_HELP)] = PROMPT,
    arm: Annotated[
        Arms, typer.Option(envvar="KIT_ARM", help="With X-Accel-Buffering: no sent, not sent, or both.")
    ] = Arms.BOTH,
    http2: Annotated[
        bool, typer.Option("--http2", envvar="KIT_HTTP2", help="Offer HTTP/2 (over TLS).")
    ] = False,
    timeout: Annotated[float, typer.Option(envvar="KIT_TIMEOUT", min=1, max=3600, help=TIMEOUT_HELP)] = 60.0,
    as_json: Annotated[
        bool, typer.Option("--json", envvar="KIT_JSON", help="Print one JSON document on stdout.")
    ] = False,
) -> None:
    """Measure several services side by side: first every answer at once, then every proof."""
    import sys

    from kit.flows.compare import compare
    from kit.probe.client import Ask, checked
    from kit.probe.lane import LaneSpec
    from kit.report.json import comparison_data
    from kit.report.live import LiveLanes
    from kit.report.style import Style
    from kit.report.table import table
    from kit.targets import load_targets

    known, wanted = load_targets(), verdict(expect)
    urls = pairs("The lane", "NAME=URL", lanes)
    for url in urls.values():
        checked(url)
    specs = [
        LaneSpec(
            name,
            Ask("GET", url),
            header=one,
            prompt=prompt,
            expected=wanted or _promise(known, name, one),
            http2=http2,
            timeout_s=timeout,
        )
        for name, url in urls.items()
        for one in arms(arm)
    ]
    with LiveLanes(sys.stderr, colour=False if as_json else None) as watcher:
        comparison = run(compare(specs, "url", watcher))
    text = table(comparison, known, Style.of(sys.stdout))
    success(comparison_data(comparison), as_json=as_json, text=text, exit=status(comparison.state))


def _promise(known: dict[str, Target], name: str, arm: Arm) -> Verdict | None:
    return known[name].expect[arm] if name in known else None
