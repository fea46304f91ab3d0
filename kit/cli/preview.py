"""`kit preview NAME [TARGET…]`: a pull request's version, measured, never promoted, removed by `--close`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from kit.cli.arguments import (
    PROMPT,
    DryRun,
    Env,
    Generator,
    Json,
    Location,
    Model,
    Named,
    Out,
    Project,
    Prompt,
    PublicModel,
    Region,
    Set,
    Timeout,
    Yes,
    option,
    status,
)
from kit.cli.destroy import finish, removals_text
from kit.cli.prompts import agreed, confirmed
from kit.cli.records import recorded, serving_token
from kit.cli.reports import NO_REPORTS, Reports, with_reports
from kit.cli.runner import Console, configured, run, style, success, talk
from kit.errors import UsageError
from kit.language import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.config import Config
    from kit.outcome import Outcome


@with_reports
def command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            envvar="KIT_PREVIEW",
            show_envvar=False,
            help="The preview's name, such as pr-12; KIT_PREVIEW can say it too.",
        ),
    ],
    targets: Named = None,
    close: Annotated[bool, option("--close", "Remove the preview, wherever it is; may be repeated.")] = False,
    project: Project = None,
    region: Region = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    public_model: PublicModel = False,
    generator: Generator = None,
    model: Model = None,
    location: Location = None,
    settings: Set = None,
    env: Env = None,
    out: Out = Path("build"),
    prompt: Prompt = PROMPT,
    timeout: Timeout = 60.0,
    reports: Reports = NO_REPORTS,
    as_json: Json = False,
) -> None:
    """Deploy a pull request's version without traffic, and measure it.

    It stands beside what serves, at a URL of its own, and is never promoted. The exit status is that of the
    gate: 3 where it streams worse than promised, 4 where that could not be judged; it is there all the same,
    until --close. The same name again replaces it. Without targets: those that are on record as deployed.
    See docs/ci.md.
    """
    from kit.flows.preview import checked

    checked(name)
    flags = {
        "project": project,
        "region": region,
        "generator": generator,
        "model": model,
        "location": location,
        "set": settings,
        "env": env,
    }
    config = configured(**flags)
    if close:
        _close(name, targets or [], config, reports.markdown, dry_run=dry_run, yes=yes, as_json=as_json)
    _preview(
        name,
        targets or [],
        config,
        reports,
        out,
        public_model=public_model,
        prompt=prompt,
        timeout_s=timeout,
        dry_run=dry_run,
        yes=yes,
        as_json=as_json,
    )


def _preview(
    name: str,
    targets: Sequence[str],
    config: Config,
    reports: Reports,
    out: Path,
    *,
    public_model: bool,
    prompt: str,
    timeout_s: float,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> NoReturn:
    import tempfile

    from kit.cli.deploy import show_lines
    from kit.cli.records import gcloud, hosts
    from kit.cloud.lock import locked
    from kit.cloud.record import Record
    from kit.flows.deploy import DeployOptions, drafts, refuse_open_model
    from kit.flows.preview import deploy, refuse, spare
    from kit.platforms import load
    from kit.targets import select

    chosen = select(targets or [one.target for one in recorded([]) if not load(one.platform).no_previews])
    if not targets and not recorded([]):
        raise UsageError(
            "Nothing is on record as deployed from this folder, so say what to preview.",
            f"Name targets, as in `kit preview {name} TARGET`.",
        )
    refuse(chosen)
    reports.check()
    config = spare(config, chosen)
    record = Record.load(Path())
    clear, sha256 = serving_token(config, [one.name for one in chosen], record)
    options = DeployOptions(
        public_model=public_model,
        token=clear,
        token_sha256=sha256,
        prompt=prompt,
        timeout_s=timeout_s,
        preview=name,
    )
    if dry_run:
        with tempfile.TemporaryDirectory() as logs:  # nothing is touched here
            made = drafts(chosen, config, record, hosts(gcloud(logs=Path(logs))))
            show_lines(made, config, options, out, as_json=as_json)
    with locked(Path()):
        console = Console(as_json=as_json)
        runs = gcloud(console.echo)
        record, host_of = Record.load(Path()), hosts(runs)
        made = drafts(chosen, config, record, host_of)
        refuse_open_model(config, options, made)
        planned = agreed(made, runs, config, options, host_of, console, yes=yes)
        with console.steps() as watch:
            outcomes = run(deploy(planned, config, options, record, out, runs, watch))
    _report(name, outcomes, prompt, reports, as_json=as_json)


def _report(
    name: str,
    outcomes: Sequence[Outcome],
    prompt: str,
    reports: Reports,
    *,
    as_json: bool,
) -> NoReturn:
    import time

    from kit import __version__
    from kit.proof.lane import Comparison
    from kit.report.json import comparison_data
    from kit.report.markdown import preview
    from kit.report.outcomes import outcome_data, outcomes_text
    from kit.report.view import view
    from kit.targets import load_targets
    from kit.times import stamp

    known = load_targets()
    lanes = tuple(lane for one in outcomes for lane in one.lanes)
    comparison = Comparison("cloud", stamp(time.time()), __version__, prompt, lanes)
    summary = preview(name, outcomes, view(comparison, known))
    failed = [one.what for one in outcomes if one.error]
    warnings = reports.write(comparison, known, summary, failed)
    success(
        {
            "preview": name,
            "outcomes": [outcome_data(one) for one in outcomes],
            "comparison": comparison_data(comparison, known),
        },
        as_json=as_json,
        text=outcomes_text(outcomes, style(), None),
        warnings=warnings,
        exit=status(*(one.state for one in outcomes)),
    )


def _close(
    name: str,
    targets: Sequence[str],
    config: Config,
    markdown: Path | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> NoReturn:
    from kit.cli.records import gcloud, hosts
    from kit.cloud.lock import locked
    from kit.cloud.record import Record
    from kit.flows.destroy import destroy
    from kit.flows.preview import places, survey
    from kit.report.files import put
    from kit.report.markdown import closed
    from kit.targets import select

    with locked(Path()):
        record = Record.load(Path())
        console = Console(as_json=as_json)
        runs = gcloud(console.echo)
        there = places(name, select(targets), config, record, named=bool(targets))
        with console.steps(text("Looking for the preview {name}.", name=name)):
            plans = run(survey(name, [hosts(runs)(place) for place in there], record))
        lines = [one.command.line for plan in plans for one in plan.removals if one.command is not None]
        if dry_run:
            success({"commands": lines}, as_json=as_json, text="\n".join(lines))
        found = [plan for plan in plans if plan.removals or plan.error or plan.expected]
        if found:
            talk(removals_text(found))
        if lines:
            confirmed(text("Remove the preview {name}?", name=name), yes=yes)
        with console.steps() as watch:
            results = run(destroy(found, runs, record, watch))
        for plan in plans:
            if plan not in found:
                record.drop_preview(name, plan.target)
    if markdown is not None and all(one.error is None and not one.missing for one in results):
        put([(markdown, closed(name))])
    finish(results, as_json=as_json, nothing=text("Nothing of the preview {name} is there.", name=name))
