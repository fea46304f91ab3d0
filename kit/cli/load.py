"""`kit load URL`: thousands of streams at once, by Locust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli.arguments import (
    PROMPT,
    Group,
    Json,
    Junit,
    Markdown,
    Prompt,
    Proof,
    ProofToken,
    Timeout,
    option,
    proof_url,
)
from kit.cli.request import Request, with_request
from kit.cli.runner import Console, configured, run, style, success, talk
from kit.errors import Exit, UsageError
from kit.language import text

if TYPE_CHECKING:
    from kit.load.engine import Fleet
    from kit.load.plan import Schedule
    from kit.probe.client import Ask


@with_request
def command(
    request: Request,
    url: Annotated[
        str | None,
        typer.Argument(
            metavar="URL",
            envvar="KIT_URL",
            help="What to ask; with --deployed a target's name, where several are deployed.",
            show_default=False,
        ),
    ] = None,
    deployed: Annotated[
        bool, option("--deployed", "Ask what is on record as deployed from this folder.")
    ] = False,
    streams: Annotated[
        int, option("--streams", "How many streams.", min=1, max=1_000_000, group=Group.MEASURING)
    ] = 50,
    for_: Annotated[
        str,
        option(
            "--for",
            "How long it takes in all; streams that are open then are left.",
            metavar="TIME",
            group=Group.MEASURING,
        ),
    ] = "30s",
    ramp: Annotated[
        str | None,
        option(
            "--ramp",
            "The time over which they are opened, evenly; a tenth of --for by default.",
            metavar="TIME",
            group=Group.MEASURING,
        ),
    ] = None,
    every: Annotated[
        str | None,
        option(
            "--every",
            "Ask for each stream anew after so long, whether the last one is over or not; by default each is "
            "asked for once.",
            metavar="TIME",
            group=Group.MEASURING,
        ),
    ] = None,
    slo: Annotated[
        str | None,
        option(
            "--slo",
            "Exit 3 unless it is met: milliseconds of the 99th percentile (late.p95=300, gap.max=5000 say "
            "another), streams or a part of them: first=800,gap=2000,late=500,cut=0,refused=1%.",
            metavar="OBJECTIVES",
            group=Group.MEASURING,
        ),
    ] = None,
    workers: Annotated[
        int, option("--workers", "Locust's processes on this machine.", min=1, max=256, group=Group.MEASURING)
    ] = 1,
    expect_workers: Annotated[
        int,
        option(
            "--expect-workers",
            "Open no streams here, but wait for so many processes that join with --join.",
            min=0,
            max=10_000,
            group=Group.MEASURING,
        ),
    ] = 0,
    listen: Annotated[
        str | None,
        option("--listen", "Where they join (0.0.0.0:5557).", metavar="HOST:PORT", group=Group.MEASURING),
    ] = None,
    join: Annotated[
        str | None,
        option(
            "--join",
            "Open streams for the load that HOST began with the same URL and request; how many, it says.",
            metavar="HOST[:PORT]",
            group=Group.MEASURING,
        ),
    ] = None,
    prompt: Prompt = PROMPT,
    proof: Proof = None,
    proof_token: ProofToken = None,
    timeout: Timeout = 60.0,
    dry_run: Annotated[bool, option("--dry-run", "Print Locust's line, and ask nothing.")] = False,
    markdown: Markdown = None,
    junit: Junit = None,
    as_json: Json = False,
) -> None:
    """How many streams can it carry at once?

    Opens them on a schedule that waits for no answer, reads each as it arrives, and beside them proves once a
    second whether single events still pass. Locust does the work (pip install 'streamproof[load]'). Exits 3
    when an objective is missed, 4 when that cannot be said (docs/load.md).
    """
    from math import ceil
    from pathlib import Path

    from kit.flows import load as flow
    from kit.load.engine import need_locust
    from kit.load.slo import parse
    from kit.probe.spec import LaneSpec
    from kit.report.files import Format, check, put
    from kit.report.load import load_data, load_junit, load_markdown, load_text

    objectives = parse(slo) if slo is not None else ()
    schedule = _schedule(streams, for_, ramp, every)
    fleet = _fleet(workers, expect_workers, listen, join)
    warnings: list[str] = []
    ask = _ask(url, request, warnings, deployed=deployed, as_json=as_json)
    if dry_run:
        line = flow.line(ask, schedule, timeout, fleet)
        success({"line": line}, as_json=as_json, text=line)
    need_locust()
    files: dict[Format, Path | None] = {"markdown": markdown, "junit": junit}
    check(files)
    spec = LaneSpec(
        "load",
        ask,
        prompt=prompt,
        # Of the embedded text, an answer that is as long as the load.
        max_output_tokens=min(1_024, max(60, ceil(schedule.for_s * 30))),
        proof_url=proof_url(proof),
        proof_token=proof_token,
        timeout_s=timeout,
    )
    with Console(as_json=as_json).steps(text("Asking once, before many ask.")) as watch:
        prepared = run(flow.prepare(spec, schedule))
        if fleet.joins is not None:
            whole = run(flow.join(prepared, fleet, watch))
            raise SystemExit(int(Exit.OK if whole else Exit.INTERRUPTED))
        result = run(flow.load(prepared, fleet, objectives, watch))
    put([(path, load_markdown(result)) for path in (markdown,) if path is not None])
    put([(path, load_junit(result)) for path in (junit,) if path is not None])
    if result.interrupted:
        talk("interrupted")
    success(
        load_data(result),
        as_json=as_json,
        text=load_text(result, style()),
        warnings=[*warnings, *result.doubts] if as_json else warnings,
        exit=Exit.INTERRUPTED if result.interrupted else Exit[result.state.name],
    )


def _schedule(streams: int, for_: str, ramp: str | None, every: str | None) -> Schedule:
    from kit.load.plan import Schedule
    from kit.times import span_s

    for_s = span_s(for_, option="--for", least_s=1)
    ramp_s = for_s / 10 if ramp is None else span_s(ramp, option="--ramp", least_s=0)
    if ramp_s >= for_s:
        raise UsageError(
            "The ramp takes as long as the whole load.", "Give a longer --for, or a shorter --ramp."
        )
    return Schedule(
        streams, ramp_s, for_s, None if every is None else span_s(every, option="--every", least_s=0.1)
    )


def _fleet(workers: int, expected: int, listen: str | None, join: str | None) -> Fleet:
    from kit.load.engine import ANYWHERE, PORT, Fleet

    if join is not None and expected:
        raise UsageError("--join joins a load, and --expect-workers begins one.", "Give one of them.")
    if expected and workers > 1:
        raise UsageError(
            "--expect-workers opens no streams here, so --workers says nothing.",
            "Let this machine join too, from another shell: --join 127.0.0.1 --workers N.",
        )
    return Fleet(
        workers,
        expected,
        None if join is None else _place("--join", join),
        (ANYWHERE, PORT) if listen is None else _place("--listen", listen),
    )


def _place(name: str, text: str) -> tuple[str, int]:
    """A host and a port, Locust's own unless it is said."""
    from kit.load.engine import PORT

    host, colon, port = text.rpartition(":")
    if not colon:
        host, port = text, str(PORT)
    if (
        not host
        or not port.isdecimal()
        or not 0 < int(port) < 65_536
        or not host.isprintable()
        or " " in host
    ):
        raise UsageError(f"{text[:60]!r} is no place.", f"Write {name} HOST or {name} HOST:PORT.")
    return host, int(port)


def _ask(url: str | None, request: Request, warnings: list[str], *, deployed: bool, as_json: bool) -> Ask:
    if request.http2:
        raise UsageError("Locust asks in HTTP/1.1.", "Leave --http2 out.")
    if not deployed:
        return request.one(url)
    from kit.cli.compare import deployed_asks

    asks = deployed_asks([url] if url else [], request.of(configured()), warnings, as_json=as_json)
    if len(asks) > 1:
        raise UsageError(
            f"Several are on record as deployed: {', '.join(asks)}.",
            f"Name one: kit load --deployed {next(iter(asks))}.",
        )
    return next(iter(asks.values()))
