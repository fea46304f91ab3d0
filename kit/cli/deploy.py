"""`kit deploy TARGET… | --all`: into the cloud, measured before it takes the traffic."""

from __future__ import annotations

from functools import cache
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.main import get_command

from kit.cli.arguments import (
    PROMPT,
    DryRun,
    Env,
    EnvIsPublic,
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
from kit.cli.help import Command as HelpedCommand
from kit.cli.prompts import agreed, listed
from kit.cli.records import STREAMS, Streams, chosen_token, tell_token
from kit.cli.runner import Console, configured, run, style, success, talk
from kit.errors import KitError, UsageError
from kit.language import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kit.cloud.record import Record
    from kit.cloud.tokens import Runs
    from kit.config import Config
    from kit.events import Watch
    from kit.flows.deploy import DeployOptions, Plan, PlannedTarget
    from kit.outcome import Outcome
    from kit.platforms.gcloud.runner import Gcloud
    from kit.platforms.platform import Host
    from kit.platforms.service import Place
    from kit.proof.lane import Comparison, LaneState
    from kit.targets import Target


class CLASS(HelpedCommand):
    """The verb with the options of all platforms, which are read when the verb is used."""

    _params: list[Any]
    _whole: bool

    @property
    def params(self) -> list[Any]:
        """Its own, then the platforms'."""
        if not self._whole:
            self._whole = True
            self._params += _platform_parameters()
        return self._params

    @params.setter
    def params(self, params: list[Any]) -> None:
        self._params, self._whole = params, False

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Its arguments; what stands behind `--` is for gcloud, and in `ctx.meta`."""
        if "--" in args:
            at = args.index("--")
            ctx.meta[_FOR_GCLOUD], args = args[at + 1 :], args[:at]
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Run it; what was said of the platforms' options is in `ctx.obj`, by name; see also `parse_args`."""
        given = {one.name: ctx.params.pop(one.name) for one in _platform_parameters()}
        ctx.obj = {name: "yes" if value is True else str(value) for name, value in given.items() if value}
        return super().invoke(ctx)


_FOR_GCLOUD = "for gcloud"


@cache
def _platform_parameters() -> tuple[Any, ...]:
    from kit.platforms import platforms

    def options() -> None:
        pass

    found = [one for platform in platforms() for one in platform.options]
    options.__annotations__ = {
        one.name: Annotated[
            str | None if one.metavar else bool,
            option(f"--{one.name.replace('_', '-')}", one.help, metavar=one.metavar or None),
        ]
        for one in found
    }
    options.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter(
                one.name,
                Parameter.KEYWORD_ONLY,
                default=None if one.metavar else False,
                annotation=options.__annotations__[one.name],
            )
            for one in found
        ]
    )
    app = typer.Typer(add_completion=False)
    app.command(add_help_option=False)(options)
    return tuple(get_command(app).params)


def command(
    context: typer.Context,
    targets: Named = None,
    every: Annotated[bool, option("--all", "Every target there is.")] = False,
    project: Project = None,
    region: Region = None,
    dry_run: DryRun = False,
    writes: Annotated[
        bool, option("--write", "With --dry-run: write what those lines upload, so that they can be pasted.")
    ] = False,
    yes: Yes = False,
    public: Annotated[
        bool, option("--public", "Make a service public that would be private, once it passed.")
    ] = False,
    token: Annotated[
        bool | None,
        option(
            "--require-token/--no-require-token",
            "Require a token from callers of /search, printed once; unchanged if neither is given.",
            old="--token/--no-token",
            env=["KIT_REQUIRE_TOKEN", "KIT_WITH_TOKEN"],
        ),
    ] = None,
    public_model: PublicModel = False,
    gate: Annotated[bool, option("--gate/--no-gate", "Measure it before it takes the traffic.")] = True,
    again: Annotated[
        bool,
        option("--redeploy", "Deploy although nothing changed; opens the proof for an hour.", old="--again"),
    ] = False,
    take_over: Annotated[
        bool, option("--replace-foreign", "Replace a service that is not of this app.", old="--take-over")
    ] = False,
    lasts: Annotated[
        str | None,
        option(
            "--remind-after",
            "After this time, as in 2h or 90m, every command reminds you to destroy it.",
            old="--for",
            env="KIT_REMIND_AFTER",  # KIT_FOR is another verb's
            metavar="TIME",
        ),
    ] = None,
    generator: Generator = None,
    model: Model = None,
    location: Location = None,
    settings: Set = None,
    set_secrets: Annotated[
        list[str] | None,
        option(
            "--set-secrets",
            "A variable whose value the platform keeps, by its name there; may be repeated.",
            metavar="NAME=SECRET:VERSION",
        ),
    ] = None,
    env: Env = None,
    env_is_public: EnvIsPublic = None,
    out: Out = Path("build"),
    prompt: Prompt = PROMPT,
    timeout: Timeout = 60.0,
    streams: Streams = STREAMS,
    as_json: Json = False,
) -> None:
    """Deploy to Google Cloud; measured before it takes the traffic.

    Your own gcloud does it, for all targets side by side, after it has shown the plan and asked. A version
    that streams worse than promised gets no traffic (exit 3), nor does one that could not be judged (exit 4):
    what served before goes on serving. A service's first version always serves. A service is private where
    its platform can keep it so, unless --public. Behind two dashes stand flags for the gcloud line of one
    target: kit deploy TARGET -- --FLAG=VALUE. See docs/deploying.md.
    """
    import tempfile

    from kit.cli.records import gcloud, hosts
    from kit.cloud.lock import locked
    from kit.cloud.record import Record
    from kit.flows.deploy import DeployOptions, drafts, refuse_open_model, with_flags
    from kit.platforms import load
    from kit.targets import select
    from kit.times import span_s

    if writes and not dry_run:
        raise UsageError("--write goes with --dry-run.", "A deployment writes what it uploads by itself.")
    if bool(targets) == every:
        raise UsageError(
            "Say what to deploy." if not every else "--all goes with no target's name.",
            "Name targets, as in `kit deploy TARGET`, or say --all.",
        )
    flags = {
        "project": project,
        "region": region,
        "generator": generator,
        "model": model,
        "location": location,
        "set": settings,
        "env": env,
        "env_is_public": env_is_public,
    }
    said: dict[str, str] = context.obj
    chosen = select(targets or [])
    as_settings, as_secrets, for_gcloud = _for_gcloud(chosen, context.meta.get(_FOR_GCLOUD, []))
    flags["set"] = [*(settings or ()), *as_settings, *_as_settings(said, select([]))]
    flags["set_secrets"] = [*(set_secrets or ()), *as_secrets]
    config = with_flags(configured(**flags), chosen, for_gcloud)
    if every:
        wanted = [target for target in chosen if load(target.platform).wanted(config.of(target), said)]
        for target in chosen:
            if target not in wanted:
                talk(
                    text(
                        "{name} is left out: it costs money all the time, and was not asked for.",
                        name=target.name,
                    )
                )
        chosen = wanted
    lasts_s = None if lasts is None else span_s(lasts, option="--remind-after")

    def begin(
        runs: Gcloud,
    ) -> tuple[tuple[PlannedTarget, ...], DeployOptions, Record, Callable[[Place], Host]]:
        record, host_of = Record.load(Path()), hosts(runs)
        clear, sha256 = chosen_token(token, [target.name for target in chosen], record)
        options = DeployOptions(
            public=public,
            public_model=public_model,
            gate=gate,
            again=again,
            take_over=take_over,
            said=said,
            token=clear,
            token_sha256=sha256,
            without_token=token is False,
            lasts_s=lasts_s,
            prompt=prompt,
            timeout_s=timeout,
            streams=streams,
        )
        made = drafts(chosen, config, record, host_of, said)
        refuse_open_model(config, options, made)
        return made, options, record, host_of

    if dry_run:
        with tempfile.TemporaryDirectory() as logs:  # nothing is touched here
            made, options, _, _ = begin(gcloud(logs=Path(logs)))
            show_lines(made, config, options, out, writes=writes, as_json=as_json)
    with locked(Path()):
        console = Console(as_json=as_json)
        runs = gcloud(console.echo)
        made, options, record, host_of = begin(runs)
        planned = agreed(made, runs, config, options, host_of, console, yes=yes)
        if token and options.token is not None:
            tell_token(options.token)
        outcomes, comparison = _deploy(planned, config, options, record, out, runs, console)
    _finish(outcomes, comparison, lasts, as_json=as_json)


def _for_gcloud(
    chosen: Sequence[Target], given: Sequence[str]
) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """What stands behind `--`: as settings, as secrets, and all other flags."""
    from kit.platforms import load
    from kit.platforms.gcloud.flags import split

    if not given:
        return (), (), ()
    if len(chosen) != 1:
        raise UsageError(
            "Behind -- stand flags for the gcloud line of one target.",
            "Name that target alone; or write them into kit.toml: gcloud_flags in [targets.NAME].",
        )
    (target,) = chosen
    return split(target.name, given, load(target.platform).setting_flags)


def _as_settings(said: Mapping[str, str], targets: Sequence[Target]) -> Iterator[str]:
    """What was said, in the words of `--set`, as far as the platforms' options stand for settings."""
    from kit.platforms import load

    for target in targets:
        for one in load(target.platform).options:
            if one.setting and one.name in said:
                yield f"{target.name}.{one.setting}={said[one.name]}"


def _deploy(
    planned: Plan,
    config: Config,
    options: DeployOptions,
    record: Record,
    out: Path,
    runs: Gcloud,
    console: Console,
) -> tuple[tuple[Outcome, ...], Comparison | None]:
    from kit.cloud.tokens import AskedOnce
    from kit.events import Stage
    from kit.flows.deploy import deploy, promoted, with_rollouts

    tokens = AskedOnce(runs)
    with console.steps() as watch:
        try:
            outcomes = run(deploy(planned, config, options, record, out, tokens, watch))
        except KeyboardInterrupt:
            names = " ".join(draft.target.name for draft in planned.drafts)
            interrupted = text(
                "Interrupted. What exists is on record: `kit status` shows it, `kit deploy {names}` goes on.",
                names=names,
            )
            watch(Stage(interrupted))
            raise
    there = promoted(outcomes)
    if not there or (len(there) == 1 and options.gate):
        return outcomes, None
    comparison = _comparison(there, config, options, record, tokens, console)
    return outcomes, with_rollouts(comparison, outcomes)


def _comparison(
    names: list[str], config: Config, options: DeployOptions, record: Record, tokens: Runs, console: Console
) -> Comparison:
    """What was deployed, side by side, at the services' own URLs."""

    from kit.cloud.release import PROOF_TOKEN
    from kit.events import stages
    from kit.flows.compare import compare
    from kit.flows.deployed import asks, lanes_of, serving, settled
    from kit.flows.lanes import BOTH, arms_deployed
    from kit.probe.client import Ask
    from kit.probe.spec import LaneSpec
    from kit.targets import load_targets

    async def work(watch: Watch) -> Comparison:
        deployments = [one for one in map(record.of, names) if one is not None]
        asked = await asks(deployments, config, token=options.token, gcloud=tokens, host_of=None)
        like = LaneSpec(
            "",
            Ask("GET", ""),
            prompt=options.prompt,
            timeout_s=options.timeout_s,
            proof_token=config.env.get(PROOF_TOKEN),
        )
        versions = {one.target: serving(one, says=config.app is None) for one in deployments}
        proof_tokens = {one.target: one.proof_token for one in deployments}
        arms = arms_deployed(config, BOTH)
        specs = lanes_of(asked, load_targets(), arms, like, config, versions, proof_tokens)
        await settled(specs, stages(watch))
        return await compare(specs, "cloud", watch)

    with console.lanes() as watch:
        return run(work(watch))


def _finish(
    outcomes: Sequence[Outcome], comparison: Comparison | None, lasts: str | None, *, as_json: bool
) -> NoReturn:
    from kit.report.json import comparison_data
    from kit.report.outcomes import outcome_data, outcomes_text
    from kit.report.terminal import table
    from kit.report.view import rehearsed, view
    from kit.report.words import REHEARSAL
    from kit.targets import load_targets

    out = style()
    there = [one.target for one in outcomes if one.url is not None]
    destroy = f"kit destroy {' '.join(there)}" if there else None
    parts = [outcomes_text(outcomes, out, destroy)]
    warnings = []
    if comparison is not None:
        parts.insert(0, table(view(comparison, load_targets()), out))
    elif rehearsed(lane for one in outcomes for lane in one.lanes):
        parts.append(out.finish(REHEARSAL))
    if lasts is not None and destroy is not None:
        warnings.append(text("in {lasts} it is to be removed: {destroy}", lasts=lasts, destroy=destroy))
    warnings += [
        text("{target} is {gate}", target=one.target, gate=one.gate)
        for one in outcomes
        if one.gate == "better-than-documented"
    ]
    success(
        {
            "outcomes": [outcome_data(one) for one in outcomes],
            "comparison": None if comparison is None else comparison_data(comparison, load_targets()),
            "destroy": destroy,
        },
        as_json=as_json,
        text="\n\n".join(parts),
        warnings=warnings,
        exit=status(*(one.state for one in outcomes), *_states(comparison)),
    )


def _states(comparison: Comparison | None) -> list[LaneState]:
    """What the last comparison makes of the run: it is judged as at the gate, by the arm with the header."""
    from kit.flows.gate import judge
    from kit.report.view import view
    from kit.targets import load_targets

    known = load_targets()
    lanes = view(comparison, known).lanes if comparison is not None else ()
    return [judge([lane], known[lane.target]).gate.state for lane in lanes if lane.kind == "on"]


def show_lines(
    made: Sequence[PlannedTarget],
    config: Config,
    options: DeployOptions,
    out: Path,
    *,
    writes: bool = False,
    as_json: bool,
) -> NoReturn:
    """The lines, as they would be run on what is there; and, where it `writes`, the folders that they upload.

    Where that cannot be seen, they are those for a service that is there: the lines for a new one would close
    it to all callers, and have it serve what was not measured.
    """
    import asyncio

    from kit.bundle import write
    from kit.cloud.release import write_release
    from kit.flows.deploy import foreign, release_of
    from kit.platforms.findings import taken
    from kit.platforms.service import Service

    async def look() -> dict[str, Service | KitError | None]:
        async def one(draft: PlannedTarget) -> Service | KitError | None:
            try:
                return await draft.host.look()
            except KitError as error:
                return error

        return {
            draft.target.name: found
            for draft, found in zip(made, await asyncio.gather(*map(one, made)), strict=True)
        }

    found = run(look())
    warnings = [
        text(
            "{name} could not be looked at, so this is the line for a service that is there: {message}",
            name=name,
            message=error.message,
        )
        for name, error in found.items()
        if isinstance(error, KitError)
    ]
    new = [name for name, one in found.items() if one is None]
    if options.preview is not None:
        warnings += [
            text("nothing serves as {name} yet, so there is no preview of it", name=name) for name in new
        ]
        new = []
    releases = [
        (draft, release_of(draft, config, options, out, creates=draft.target.name in new)) for draft in made
    ]
    for draft in made:
        theirs = foreign(draft, found[draft.target.name])
        if theirs is not None and not options.take_over:
            warnings.append(" ".join(taken(draft.host.place, theirs)))
    for draft, release in releases if writes else ():
        write(draft.bundle, out)
        write_release(release, draft.bundle, config)
    lines = [line.line for draft, release in releases for line in draft.host.plan(release)]
    folders = [release.folder for _, release in releases]
    if missing := [str(folder) for folder in folders if not folder.is_dir()]:
        warnings.append(
            text("not there yet, for a deployment or --write writes it: {what}", what=listed(missing))
        )
    success({"commands": lines}, as_json=as_json, text="\n".join(lines), warnings=warnings)
