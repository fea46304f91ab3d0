"""`kit compare NAME=URL…`: several services side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli.asking import PROMPT, Arms, arms, pairs, status, verdict
from kit.cli.options import Arm, Expect, Http2, Json, Prompt, Timeout
from kit.cli.output import success
from kit.cli.running import run

if TYPE_CHECKING:
    from kit.proof.lane import Arm as LaneArm
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
    expect: Expect = None,
    prompt: Prompt = PROMPT,
    arm: Arm = Arms.BOTH,
    http2: Http2 = False,
    timeout: Timeout = 60.0,
    as_json: Json = False,
) -> None:
    """Measure several services side by side: first every answer at once, then every proof."""
    import sys

    from kit.flows.compare import compare
    from kit.probe.address import checked
    from kit.probe.client import Ask
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


def _promise(known: dict[str, Target], name: str, arm: LaneArm) -> Verdict | None:
    return known[name].expect[arm] if name in known else None
