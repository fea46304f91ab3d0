"""`kit probe URL`: one verdict for any URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli.annotating import annotate
from kit.cli.asking import PROMPT, Arms, arms, status, verdict
from kit.cli.options import Arm, Expect, Github, Html, Http2, Json, Junit, Markdown, Prompt, Timeout
from kit.cli.output import success, talk
from kit.cli.running import run
from kit.errors import Code, Exit, KitError

if TYPE_CHECKING:
    from kit.probe.client import Ask


def command(
    url: Annotated[
        str, typer.Argument(envvar="KIT_URL", help="What to ask: the address whose answer should stream.")
    ],
    expect: Expect = None,
    arm: Arm = Arms.ON,
    method: Annotated[
        str | None, typer.Option(envvar="KIT_METHOD", help="GET, or POST when there is data.")
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header",
            "-H",
            envvar="KIT_HEADER",
            metavar="NAME: VALUE",
            help="One more request header; in KIT_HEADER one a line.",
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", "-d", envvar="KIT_DATA", help="The request's body.")
    ] = None,
    prompt: Prompt = PROMPT,
    http2: Http2 = False,
    bearer_env: Annotated[
        str | None,
        typer.Option(envvar="KIT_BEARER_ENV", metavar="NAME", help="The variable that holds a bearer token."),
    ] = None,
    proof: Annotated[
        str | None,
        typer.Option(
            envvar="KIT_PROOF", metavar="URL", help="The proof's prefix, if neither beside URL nor at /proof."
        ),
    ] = None,
    event_bytes: Annotated[
        int | None,
        typer.Option(
            envvar="KIT_EVENT_BYTES",
            min=1,
            help="Judge events up to this size; the largest of the answer, at least 1,000, unless given.",
        ),
    ] = None,
    timeout: Timeout = 60.0,
    retries: Annotated[
        int,
        typer.Option(
            envvar="KIT_RETRIES",
            min=0,
            max=20,
            help="Measure again so often at most while nothing is decided; no verdict is asked for twice.",
        ),
    ] = 0,
    html: Html = None,
    markdown: Markdown = None,
    junit: Junit = None,
    github: Github = None,
    as_json: Json = False,
) -> None:
    """Does this URL's answer arrive as it is written?

    Proves it in lock-step where the server speaks the proof's protocol (see docs/proof-protocol.md), and
    says what can be said where it does not. Exits 0 for any conclusive verdict or the expected one, 3 for
    another, 4 when inconclusive.
    """
    import sys
    from pathlib import Path

    from kit.flows.retrying import compare_again
    from kit.probe.address import checked
    from kit.probe.spec import LaneSpec
    from kit.report.files import Format, check, write
    from kit.report.json import comparison_data, lane_data
    from kit.report.live import LiveLanes
    from kit.report.single import probe_text
    from kit.report.style import Style
    from kit.report.table import table
    from kit.report.words import attempts_words

    expected = verdict(expect)
    ask = _ask(url, method, header or [], data, bearer_env)
    if proof is not None:
        checked(proof)
    specs = [
        LaneSpec(
            "probe",
            ask,
            header=one,
            prompt=prompt,
            expected=expected,
            event_bytes=event_bytes,
            proof_url=proof,
            http2=http2,
            timeout_s=timeout,
        )
        for one in arms(arm)
    ]
    files: dict[Format, Path | None] = {"html": html, "markdown": markdown, "junit": junit}
    check(files)
    with LiveLanes(sys.stderr, colour=False if as_json else None) as watcher:
        comparison = run(compare_again(specs, "url", watcher, retries=retries))
    write(comparison, {}, files)
    warnings = annotate(comparison, {}, github)
    lanes, style = comparison.lanes, Style.of(sys.stdout)
    doubts = dict.fromkeys(doubt for lane in lanes for doubt in lane.doubts)
    if as_json:
        warnings += [doubt.remedy for doubt in doubts]
    if arm is Arms.BOTH:
        shown, text = comparison_data(comparison), table(comparison, {}, style)
    elif (error := lanes[0].error) is not None:
        for warning in warnings:
            talk(f"warning: {warning}")
        again = attempts_words(lanes[0])
        message = error.message if again is None else f"{error.message} {again}"
        raise KitError(Code(error.code), message, error.hint)
    else:
        shown, text = lane_data(lanes[0]), probe_text(lanes[0], style)
    success(shown, as_json=as_json, text=text, warnings=warnings, exit=status(comparison.state))


def _ask(url: str, method: str | None, headers: list[str], data: str | None, bearer_env: str | None) -> Ask:
    """The request as the user gave it.

    Raises:
        KitError: a method or a header that is none, or a variable that is not set.
    """
    import os
    import re

    from kit.probe.address import checked
    from kit.probe.client import Ask

    checked(url)
    if method and not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", method):  # RFC 9110, 5.6.2
        raise KitError(
            Code.BAD_USAGE, f"{method!r} is no method.", "Give one, as in --method POST.", exit=Exit.USAGE
        )
    variable = os.environ.get("KIT_HEADER", "")
    if headers == variable.split():  # typer splits it at white space, which most headers have
        headers = [line for line in variable.splitlines() if line.strip()]
    pairs = [_header(line) for line in headers]
    if bearer_env is not None:
        token = os.environ.get(bearer_env, "").strip()
        if not token:
            raise KitError(
                Code.BAD_USAGE,
                f"The variable {bearer_env} holds no token.",
                f"Set it, for example: export {bearer_env}=$(gcloud auth print-identity-token)",
                exit=Exit.USAGE,
            )
        pairs.append(_header(f"authorization: Bearer {token}"))
    body = None if data is None else data.encode()
    return Ask((method or ("POST" if body else "GET")).upper(), url, tuple(pairs), body)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    named = name.strip().isascii() and name.strip().replace("-", "").replace("_", "").isalnum()
    if not colon or not named or any(ord(c) < 32 or ord(c) == 127 for c in value.strip()):
        raise KitError(
            Code.BAD_USAGE,
            f"{name.strip()[:40]!r} is no header.",
            "Write it as NAME: VALUE, for example --header 'Accept: text/event-stream'.",
            exit=Exit.USAGE,
        )
    return name.strip(), value.strip()
