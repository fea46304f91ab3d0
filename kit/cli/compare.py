"""`kit compare NAME=URL…`: several services side by side, or what is deployed (`--deployed`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from kit import language
from kit.cli.arguments import (
    NONE_ASKED,
    PROMPT,
    Arm,
    Arms,
    Asked,
    Expect,
    Json,
    Polling,
    Prompt,
    ProofToken,
    Timeout,
    arms,
    option,
    pairs,
    status,
    with_asked,
)
from kit.cli.baseline import NO_BASELINE, Baseline, with_baseline
from kit.cli.records import deployed_token, recorded
from kit.cli.reports import NO_REPORTS, Reports, with_reports
from kit.cli.request import Request, by_itself, with_request
from kit.cli.runner import Console, configured, run, style, success, talk
from kit.errors import Code, KitError, UsageError
from kit.language import t

if TYPE_CHECKING:
    from kit.config import Config
    from kit.probe.client import Ask
    from kit.proof.lane import Comparison, Wanted


@with_asked
@with_reports
@with_baseline
@with_request
def command(
    request: Request,
    lanes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=]URL…",
            envvar="KIT_LANES",
            help="A lane each. A target's name (see `kit targets`) brings its promise with it.",
            show_default=False,
        ),
    ] = None,
    deployed: Annotated[
        bool,
        option(
            "--deployed",
            "Measure what is on record as deployed from this folder; then name targets only, if any.",
        ),
    ] = False,
    expect: Expect = None,
    asked: Asked = NONE_ASKED,
    prompt: Prompt = PROMPT,
    arm: Arm = Arms.BOTH,
    polling: Polling = False,
    proof_token: ProofToken = None,
    timeout: Timeout = 60.0,
    baseline: Baseline = NO_BASELINE,
    reports: Reports = NO_REPORTS,
    as_json: Json = False,
) -> None:
    """Measure several services side by side: first every answer at once, then every proof.

    With --deployed a private service is asked with an identity token from gcloud, and a service
    that needs a token of its own with the one in KIT_TOKEN. Of each service the quick clauses of the
    contract are asked as well (docs/contract.md); all of them, of each lane, with --contract.
    """
    from kit.events import stages
    from kit.flows.compare import compare
    from kit.flows.deployed import lanes_of, serving, settled
    from kit.flows.lanes import arms_deployed, as_its_own, check_polling, once_a_service, with_polling
    from kit.probe.client import Ask
    from kit.probe.spec import LaneSpec
    from kit.proof.contract import QUICK
    from kit.report.json import comparison_data
    from kit.report.terminal import table
    from kit.report.view import view
    from kit.targets import load_targets

    known = load_targets()
    held = asked.held(expect, QUICK)
    like = LaneSpec(
        "",
        Ask("GET", ""),
        prompt=prompt,
        proof_token=proof_token,
        http2=bool(request.http2),
        timeout_s=timeout,
        **held,
    )
    warnings: list[str] = []
    config = request.of(configured()) if deployed else None
    if polling and config is not None:
        check_polling(config)
    asks = (
        deployed_asks(lanes or [], config, warnings, as_json=as_json)
        if config
        else named_asks(lanes or [], request)
    )
    known_here = recorded(list(asks)) if config else []
    versions = {one.target: serving(one) for one in known_here}
    proof_tokens = {one.target: one.proof_token for one in known_here}
    specs: list[LaneSpec] = []
    for name, one in asks.items():
        wanted: Sequence[Wanted] = arms(arm)
        wanted = arms_deployed(config, wanted) if config else run(as_its_own(one, wanted, timeout_s=timeout))
        specs += lanes_of({name: one}, known, wanted, like, config, versions, proof_tokens)
    if not asked.contract:
        specs = once_a_service(specs)
    if polling:
        specs = with_polling(specs)
    reports.check()
    with Console(as_json=as_json).lanes() as watch:

        async def measure() -> Comparison:
            await settled(specs, stages(watch))
            return await compare(specs, "cloud" if deployed else "url", watch)

        comparison = run(measure())
    comparison, said = baseline.held(comparison, known)
    warnings += reports.write(comparison, known)
    if as_json:
        warnings += said
    text = "\n".join([table(view(comparison, known), style()), *(f"  {t(one)}" for one in said)])
    success(
        comparison_data(comparison, known),
        as_json=as_json,
        text=text,
        warnings=warnings,
        exit=status(comparison.state),
    )


def named_asks(lanes: list[str], request: Request) -> dict[str, Ask]:
    """What to ask of each lane as the user gave it."""
    if not lanes:
        raise UsageError(
            "No lane was named.", "Name one as NAME=URL, or measure what is deployed with --deployed."
        )
    named: list[str] = []
    for lane in lanes:
        if "://" in lane.partition("=")[0]:
            name = by_itself(lane).replace("=", "-")
            times = sum(one.startswith((f"{name}=", f"{name} (")) for one in named)
            lane = f"{name} ({times + 1})={lane}" if times else f"{name}={lane}"
        named.append(lane)
    return {name: request.ask(url) for name, url in pairs("The lane", "NAME=URL", named).items()}


def deployed_asks(names: list[str], config: Config, warnings: list[str], *, as_json: bool) -> dict[str, Ask]:
    """What to ask of each deployment on record that has got as far as a URL."""
    from functools import partial

    from kit.cli.records import gcloud, hosts
    from kit.events import stages
    from kit.flows.deployed import asks, asks_identity

    if urls := [name for name in names if "=" in name]:
        raise UsageError(
            f"--deployed measures what is on record, and {urls[0]} is not.",
            "Name targets only, or leave --deployed out.",
        )
    found = recorded(names)
    warnings += [
        language.text("{target} has no URL yet, and was not measured", target=one.target)
        for one in found
        if one.url is None
    ]
    if all(one.url is None for one in found):
        raise KitError(
            Code.NOTHING_DEPLOYED,
            "Nothing that could be measured is on record as deployed from this folder.",
            "kit deploy TARGET deploys; kit status --refresh looks in the cloud.",
        )
    token = deployed_token([one for one in found if one.url is not None])
    runs = gcloud()
    asking = partial(asks, found, config, token=token, gcloud=runs, host_of=hosts(runs))
    if not any(map(asks_identity, found)):
        return run(asking(say=talk))
    with Console(as_json=as_json).steps(language.text("Asking gcloud for what lets you in.")) as watch:
        return run(asking(say=stages(watch)))
