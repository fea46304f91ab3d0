"""`kit probe URL`: one verdict for any URL."""

from __future__ import annotations

from typing import Annotated

import typer

from kit.cli.arguments import (
    NONE_ASKED,
    PROMPT,
    Arm,
    Arms,
    Asked,
    Expect,
    Json,
    Prompt,
    Proof,
    ProofToken,
    Timeout,
    arms,
    option,
    proof_url,
    status,
    with_asked,
)
from kit.cli.baseline import NO_BASELINE, Baseline, with_baseline
from kit.cli.reports import NO_REPORTS, Reports, with_reports
from kit.cli.request import Request, by_itself, with_request
from kit.cli.runner import Console, fail, run, style, success, warn
from kit.errors import Code, KitError, UsageError
from kit.language import join, t


@with_asked
@with_reports
@with_baseline
@with_request
def command(
    request: Request,
    url: Annotated[
        str | None,
        typer.Argument(metavar="URL", envvar="KIT_URL", help="The address whose answer should stream."),
    ] = None,
    name: Annotated[
        str | None,
        option("--name", "What reports call it; the URL's host and path unless given.", metavar="NAME"),
    ] = None,
    expect: Expect = None,
    asked: Asked = NONE_ASKED,
    arm: Arm = Arms.AS_IS,
    prompt: Prompt = PROMPT,
    proof: Proof = None,
    proof_token: ProofToken = None,
    event_bytes: Annotated[
        int | None,
        option(
            "--event-bytes",
            "Judge events up to this size; the largest of the answer, at least 1,000, unless given.",
            min=1,
        ),
    ] = None,
    timeout: Timeout = 60.0,
    retries: Annotated[
        int,
        option(
            "--retries",
            "Measure again up to N times while the result is inconclusive; a verdict is final.",
            min=0,
            max=20,
        ),
    ] = 0,
    baseline: Baseline = NO_BASELINE,
    reports: Reports = NO_REPORTS,
    as_json: Json = False,
) -> None:
    """Does this URL's answer arrive as it is written?

    Proves it in lock-step where the server speaks the proof's protocol (see docs/proof-protocol.md), and
    says what can be said where it does not. Exits 0 for any conclusive verdict or what was expected, 3 where
    that is missed, 4 when inconclusive (docs/contract.md).
    """
    from kit.flows.lanes import as_its_own
    from kit.flows.retrying import compare_again
    from kit.probe.spec import LaneSpec
    from kit.report.cells import clean
    from kit.report.json import comparison_data, probed_data
    from kit.report.terminal import lane_text, table
    from kit.report.view import lane_view, view

    if baseline.file is not None and expect is None:
        raise UsageError(
            "A baseline is of what is expected, and nothing is.", "Say what: --expect incremental."
        )
    held = asked.held(expect)
    ask = request.one(url)
    specs = [
        LaneSpec(
            clean(name or "") or by_itself(ask.url),
            ask,
            header=one,
            prompt=prompt,
            event_bytes=event_bytes,
            proof_url=proof_url(proof),
            proof_token=proof_token,
            http2=bool(request.http2),
            timeout_s=timeout,
            **held,
        )
        for one in run(as_its_own(ask, arms(arm), timeout_s=timeout))
    ]
    reports.check()
    with Console(as_json=as_json).lanes() as watch:
        comparison = run(compare_again(specs, "url", watch, retries=retries))
    comparison, said = baseline.held(comparison, {})
    warnings = reports.write(comparison, {})
    if as_json:
        warnings += said
    lanes, out = comparison.lanes, style()
    doubts = dict.fromkeys(doubt for lane in lanes for doubt in lane.doubts)
    if as_json:
        warnings += [doubt.remedy for doubt in doubts]
    shown: object
    if arm is Arms.BOTH:
        shown, text = comparison_data(comparison), table(view(comparison, {}), out)
    elif (error := lanes[0].error) is not None:
        for warning in warnings:
            warn(warning)
        again = lane_view(lanes[0]).again
        message = error.message if again is None else join(" ", (error.message, again))
        beside = {"lane": probed_data(comparison)}
        fail(KitError(Code(error.code), message, error.hint), as_json=as_json, beside=beside)
    else:
        shown, text = probed_data(comparison), lane_text(lane_view(lanes[0]), out)
    text = "\n".join([text, *(f"  {t(one)}" for one in said)])
    success(shown, as_json=as_json, text=text, warnings=warnings, exit=status(comparison.state))
