"""`kit doctor URL`: who holds my stream, and what frees it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from kit.cli.arguments import (
    NONE_ASKED,
    PROMPT,
    Arms,
    Asked,
    Expect,
    Json,
    Out,
    Prompt,
    Proof,
    ProofToken,
    Timeout,
    Yes,
    accel_header,
    arms,
    option,
    proof_url,
    status,
    with_asked,
    with_settings,
)
from kit.cli.prompts import trusted
from kit.cli.request import Request, with_request
from kit.cli.runner import Console, configured, run, style, success
from kit.errors import Code, Exit, KitError, UsageError

if TYPE_CHECKING:
    from kit.flows.doctor import DoctorSpec

LONG = "110s"


@with_asked
@with_settings
@with_request
def command(
    request: Request,
    settings: dict[str, object],
    urls: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="URL",
            envvar="KIT_URL",
            help="The address whose answer should stream; with --client the command that reads a stream.",
        ),
    ] = None,
    app: Annotated[
        str | None,
        option(
            "--app",
            "Examine your own app behind each platform's emulated front, before it is deployed.",
            metavar="MODULE:NAME",
        ),
    ] = None,
    client: Annotated[
        bool,
        option(
            "--client",
            "Examine a client instead: --client -- COMMAND…, run several times; {url} is the stream.",
        ),
    ] = False,
    path: Annotated[
        str | None,
        option("--path", "With --app: where it answers, such as /chat?q=why; as kit.toml says unless given."),
    ] = None,
    out: Out = Path("build"),
    direct: Annotated[
        str | None,
        option("--direct", "The same service past the hop, to compare the two ways.", metavar="URL"),
    ] = None,
    arm: Annotated[
        Arms | None,
        accel_header(
            "Whether the answers bear X-Accel-Buffering: no, where that cannot be seen; a service made "
            "with the kit is asked so."
        ),
    ] = None,
    prompt: Prompt = PROMPT,
    proof: Proof = None,
    proof_token: ProofToken = None,
    event_bytes: Annotated[int, option("--event-bytes", "Judge events up to this size.", min=1)] = 1_000,
    max_requests: Annotated[
        int, option("--max-requests", "Ask the URL itself for at most N answers.", min=1)
    ] = 6,
    repeat_ok: Annotated[
        bool,
        option(
            "--allow-repeat",
            "Send a request other than GET again too, whatever that costs or changes.",
            old="--repeat-ok",
        ),
    ] = False,
    long: Annotated[
        bool,
        option(
            "--long",
            f"Watch how long silent and talking streams live: --for {LONG}; or a --client with longer ones.",
        ),
    ] = False,
    expect: Expect = None,
    asked: Asked = NONE_ASKED,
    timeout: Timeout = 60.0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Who holds my stream, and what frees it?

    Asks URL as a browser would, then changes one thing after another (compression, a header, the method, the
    media type, the HTTP version) to see what lets the stream pass, and says what that points to, with the
    evidence and the line to change (docs/doctor.md). Exits 0 with any conclusive verdict or what was
    expected, 3 where that is missed, 4 when inconclusive.
    """
    from kit.flows.doctor import DoctorSpec
    from kit.probe.address import checked

    given = urls or []
    if client:
        if app is not None or request.url is not None or not given:
            raise UsageError(
                "--client examines a command, and nothing else.",
                "Write it behind two dashes: kit doctor --client -- curl -s {url}",
            )
        _client(given, timeout, long=long, as_json=as_json)
    _check(given, app, arm, request)
    held = replace(asked, for_=asked.for_ or (LONG if long else None)).held(expect)
    if direct is not None:
        checked(direct)
    url = f"http://app.invalid{path or '/'}" if app is not None else next(iter(given), None)
    ask = request.ask(url or "") if app is not None else request.one(url)
    spec = DoctorSpec(
        "doctor",
        ask,
        header=arms(arm or Arms.AS_IS)[0],
        prompt=prompt,
        event_bytes=event_bytes,
        proof_url=proof_url(proof),
        http2=request.http2 is not False,
        proof_token=proof_token,
        direct_url=direct,
        timeout_s=timeout,
        max_requests=max_requests,
        repeat_ok=repeat_ok,
        **held,
    )
    if app is None:
        _url(spec, as_json=as_json)
    _app(app, path, request, settings, spec, out, yes=yes, as_json=as_json)


def _check(given: list[str], app: str | None, arm: Arms | None, request: Request) -> None:
    """There is one thing to examine.

    Raises:
        KitError: there is not.
    """
    things = len(given) + (app is not None) + (request.url is not None and app is None)
    if things != 1:
        raise UsageError(
            "There is more than one thing to examine." if things else "There is nothing to examine.",
            "Give a URL (kit doctor https://example.com/chat), a browser's request (--from-curl FILE), or "
            "your app (--app mine.main:app).",
        )
    if arm is Arms.BOTH:
        raise UsageError(
            "The doctor examines the answer with the header or without, and tries the other by itself.",
            "Give --accel-header on or off, as your service answers, or leave it out.",
        )


def _url(spec: DoctorSpec, *, as_json: bool) -> NoReturn:
    from kit.flows.doctor import doctor
    from kit.proof.lane import state
    from kit.report.diagnosis import diagnosis_text
    from kit.report.json import diagnosis_data

    with Console(as_json=as_json).lanes() as watch:
        found = run(doctor(spec, watch))
    warnings = [doubt.remedy for doubt in found.doubts] if as_json else []
    text = diagnosis_text(found, style())
    success(
        diagnosis_data(found), as_json=as_json, text=text, warnings=warnings, exit=status(state(found.lane))
    )


def _client(command: list[str], timeout: float, *, long: bool, as_json: bool) -> NoReturn:
    from kit.flows.client import examine
    from kit.proof.client_stress import LONG_SILENCES, SILENCES
    from kit.report.client import client_data, client_text

    with Console(as_json=as_json).lanes() as watch:
        silences = LONG_SILENCES if long else SILENCES
        report = run(examine(command, timeout_s=timeout, watch=watch, silences=silences))
    text = client_text(report, style())
    success(client_data(report), as_json=as_json, text=text, exit=report.exit)


def _app(
    module: str,
    path: str | None,
    request: Request,
    settings: dict[str, object],
    spec: DoctorSpec,
    out: Path,
    *,
    yes: bool,
    as_json: bool,
) -> NoReturn:
    """Examine an app of the user's own behind each front, and say what would happen on each platform.

    It is asked as options say; where none does, as kit.toml says.
    """
    from kit.app import read_app
    from kit.flows.doctor_app import doctor_app, may_repeat
    from kit.proof.lane import state
    from kit.report.diagnosis import app_text
    from kit.report.json import app_data
    from kit.targets import load_targets

    if spec.ask.method != "GET" and not spec.repeat_ok:
        raise may_repeat(spec.ask.method)
    targets, here = load_targets(), Path.cwd()
    raw = {"module": module, "probe_path": path or "/"}
    try:
        mine = read_app(raw, here, "--app", Code.BAD_USAGE)
    except KitError as error:
        key, _, wrong = error.message.removeprefix("--app: ").partition(" ")
        option = {"module": "--app", "probe_path": "--path"}.get(key, key)
        raise KitError(error.code, f"{option} {wrong}", error.hint, exit=Exit.USAGE) from None
    config = configured(**settings)
    # What kit.toml says of the files stands; which app it is is said here, and how it is asked may be.
    app = replace(config.app or mine, module=module)
    if path is not None or request.says or config.app is None:
        app = request.of_app(replace(app, probe_path=path or "/"))
    elif app.method != "GET":
        spec = replace(spec, repeat_ok=True)
    config = replace(config, app=app)
    trusted(config, yes=yes)
    with Console(as_json=as_json).lanes() as watch:
        found = run(doctor_app(targets, [], config, out, spec, watch))
    text = app_text(found, targets, style())
    success(
        app_data(found, targets),
        as_json=as_json,
        text=text,
        exit=status(*(state(one.lane) for one in found.diagnoses)),
    )
