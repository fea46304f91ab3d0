"""`kit demo`: the whole story on this machine, with no account."""

from __future__ import annotations

from pathlib import Path

from kit import language
from kit.cli.arguments import (
    NONE_ASKED,
    PROMPT,
    Arm,
    Arms,
    Asked,
    Fronts,
    Isolated,
    Json,
    Out,
    Polling,
    Prompt,
    Targets,
    Timeout,
    Yes,
    own_arms,
    pairs,
    status,
    with_asked,
    with_settings,
)
from kit.cli.prompts import trusted
from kit.cli.request import Request, with_request
from kit.cli.runner import Console, configured, run, style, success


@with_asked
@with_settings
@with_request
def command(
    request: Request,
    settings: dict[str, object],
    targets: Targets = None,
    prompt: Prompt = PROMPT,
    arm: Arm = Arms.BOTH,
    out: Out = Path("build"),
    front: Fronts = None,
    isolated: Isolated = False,
    polling: Polling = False,
    asked: Asked = NONE_ASKED,
    timeout: Timeout = 60.0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Run every bundle behind its platform's front, measure them side by side, and judge.

    No account and no network are needed: the fronts are emulated from the platforms' documentation.
    Exits 0 when every verdict is what the documentation promises, 3 when one is not. Of each target the quick
    clauses of the contract are asked as well (docs/contract.md); all of them, of each lane, with --contract.
    """
    from kit.flows.demo import demo
    from kit.flows.lanes import check_polling
    from kit.proof.contract import QUICK
    from kit.report.files import write_report
    from kit.report.json import comparison_data
    from kit.report.terminal import table
    from kit.report.view import view
    from kit.targets import load_targets

    held = asked.held(None, QUICK)
    known = load_targets()
    config = request.of(configured(**settings))
    if polling:
        check_polling(config)
    trusted(config, yes=yes)
    fronts = pairs("--swap-front", "TARGET=OTHER", front or [])
    with Console(as_json=as_json).lanes() as watch:
        comparison = run(
            demo(
                known,
                targets or [],
                config,
                out,
                prompt=prompt,
                arms=own_arms(arm),
                watch=watch,
                fronts=fronts,
                isolated=isolated,
                polling=polling,
                timeout_s=timeout,
                contract=held["contract"],
                each_lane=asked.contract,
            )
        )
    written = write_report(comparison, known, out)
    text = table(view(comparison, known), style())
    also = ", ".join(path.name for form, path in written.items() if form != "html")
    report = language.text("The report: {html} (beside it {also})", html=written["html"], also=also)
    swapped = [
        language.text("{name} stands behind the front of {other}", name=name, other=other)
        for name, other in fronts.items()
    ]
    success(
        comparison_data(comparison, known),
        as_json=as_json,
        text=f"{text}\n\n  {language.t(report)}",
        warnings=swapped,
        exit=status(comparison.state),
    )
