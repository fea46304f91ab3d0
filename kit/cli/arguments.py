"""Options that several verbs have, so that they mean and read the same everywhere, and what they become."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from kit.errors import Exit, UsageError

if TYPE_CHECKING:
    from kit.probe.client import Ask
    from kit.proof.bound import Bound
    from kit.proof.lane import Arm as LaneArm
    from kit.proof.lane import LaneState, Wanted
    from kit.proof.verdict import Verdict

PROMPT = "Why does a streamed answer sometimes arrive all at once?"


class Arms(StrEnum):
    """Whether the answers are to bear `X-Accel-Buffering: no`; as-is: what they bear by themselves."""

    ON = "on"
    OFF = "off"
    BOTH = "both"
    AS_IS = "as-is"


def arms(wanted: Arms) -> list[Wanted]:
    """What to measure, with the header first."""
    if wanted is Arms.BOTH:
        return ["on", "off"]
    return ["on" if wanted is Arms.ON else "off" if wanted is Arms.OFF else "as-is"]


def own_arms(wanted: Arms) -> list[LaneArm]:
    """The same of the kit's own service, whose answers bear the header by themselves."""
    return ["off" if one == "off" else "on" for one in arms(wanted)]


def verdict(word: str | None) -> Verdict | None:
    """An expectation as a verdict.

    Raises:
        KitError: no such verdict.
    """
    from kit.proof.verdict import Verdict

    if word is None:
        return None
    try:
        return Verdict(word)
    except ValueError:
        raise UsageError(f"{word!r} is no verdict.", f"The verdicts are {', '.join(Verdict)}.") from None


def expectation(word: str | None) -> tuple[Verdict | None, Bound | None]:
    """An expectation: a verdict, or a bound on what may be collected.

    Raises:
        KitError: neither.
    """
    from kit.proof.bound import Bound

    if word is None or "<" not in word:
        return verdict(word), None
    bound = Bound.parse(word)
    if bound is None:
        raise UsageError(
            f"{word!r} is no bound.",
            "Write hold<=TIME (ms, s), block<=SIZE (B, KiB), or both with a comma, in quotes.",
        )
    return None, bound


def pairs(what: str, form: str, values: Sequence[str]) -> dict[str, str]:
    """Values of the form NAME=VALUE, each name once.

    Args:
        what: what they are, for the error ("--front", "the lane").
        form: how they are written, "TARGET=OTHER".
        values: as the user gave them.

    Raises:
        KitError: one is not of that form, or a name comes twice.
    """
    found: dict[str, str] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not (name and equals and rest) or name in found:
            wrong = "names the same twice" if name in found else "is not of that form"
            raise UsageError(f"{what} {value} {wrong}.", f"Write {form}, each name once.")
        found[name] = rest
    return found


def status(*states: LaneState) -> Exit:
    """The exit status of what came out so; of several, the worst one's."""
    from kit.proof.lane import LaneState

    worst = next((one for one in LaneState if one in states), LaneState.OK)
    return Exit[worst.name]


Targets: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET",
        envvar="KIT_TARGETS",
        help="Which targets; all unless named. See `kit targets`.",
    ),
]
Named: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="TARGET", envvar="KIT_TARGETS", help="Which targets. See `kit targets`."),
]
Out: TypeAlias = Annotated[
    Path, typer.Option(envvar="KIT_OUT", help="The folder for the bundles, and for what is made from them.")
]
Fronts: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--front",
        metavar="TARGET=OTHER",
        envvar="KIT_FRONT",
        help="Put the other target's front before this one, to see a promise broken.",
    ),
]
Isolated: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--isolated",
        envvar="KIT_ISOLATED",
        help="Install each bundle's own requirements into an environment of its own first.",
    ),
]
Polling: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--polling",
        envvar="KIT_POLLING",
        help="Ask each target for its answer in pieces as well, as where nothing streams.",
    ),
]
Method: TypeAlias = Annotated[
    str | None, typer.Option(envvar="KIT_METHOD", help="GET, or POST when there is data.")
]
Header: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        "-H",
        envvar="KIT_HEADER",
        metavar="NAME: VALUE",
        help="One more request header; in KIT_HEADER one a line.",
    ),
]
Data: TypeAlias = Annotated[
    str | None, typer.Option("--data", "-d", envvar="KIT_DATA", help="The request's body.")
]
BearerEnv: TypeAlias = Annotated[
    str | None,
    typer.Option(envvar="KIT_BEARER_ENV", metavar="NAME", help="The variable that holds a bearer token."),
]
Proof: TypeAlias = Annotated[
    str | None,
    typer.Option(
        envvar="KIT_PROOF", metavar="URL", help="The proof's prefix, if neither beside URL nor at /proof."
    ),
]


def _usable(token: str | None) -> str | None:
    from kit.probe.origin import usable

    return usable(token)


ProofToken: TypeAlias = Annotated[
    str | None,
    typer.Option(
        envvar=["STREAMPROOF_PROOF_TOKEN", "KIT_PROOF_TOKEN"],
        metavar="TOKEN",
        callback=_usable,
        help="Opens a proof that asks for its token. Rather set the variable: a command line is no secret.",
    ),
]
Prompt: TypeAlias = Annotated[
    str,
    typer.Option(
        envvar="KIT_PROMPT",
        help="The question for a service made with the kit; others get their request as it is.",
    ),
]
Arm: TypeAlias = Annotated[
    Arms,
    typer.Option(
        "--accel-header",
        "--arm",
        envvar=["KIT_ACCEL_HEADER", "KIT_ARM"],
        help="Whether answers bear X-Accel-Buffering: no. A service made with the kit is asked so; as-is "
        "takes an answer as it comes.",
    ),
]
Expect: TypeAlias = Annotated[
    str | None,
    typer.Option(
        envvar="KIT_EXPECT",
        metavar="VERDICT",
        help="Exit 3 unless this is the verdict.",
    ),
]
ExpectOrBound: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--expect",
        envvar="KIT_EXPECT",
        metavar="VERDICT",
        help="Exit 3 unless this is the verdict, or what was collected keeps within it: "
        "'hold<=200ms,block<=4KiB'.",
    ),
]
Http2: TypeAlias = Annotated[
    bool, typer.Option("--http2", envvar="KIT_HTTP2", help="Offer HTTP/2 (over TLS).")
]
Timeout: TypeAlias = Annotated[
    float,
    typer.Option(
        envvar="KIT_TIMEOUT",
        min=1,
        max=3600,
        help="Seconds for the whole answer, and for the first sign of life.",
    ),
]
Json: TypeAlias = Annotated[
    bool, typer.Option("--json", envvar="KIT_JSON", help="Print one JSON document on stdout.")
]
Html: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        envvar="KIT_HTML", metavar="FILE", help="Write the report as one HTML page, to read or to print."
    ),
]
Markdown: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        envvar="KIT_MARKDOWN", metavar="FILE", help="Write the report as Markdown, for a pull request."
    ),
]
Junit: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        envvar="KIT_JUNIT", metavar="FILE", help="Write the report as JUnit's XML, for a CI: a test a lane."
    ),
]
Github: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--github/--no-github",
        envvar="KIT_GITHUB",
        help="Tell GitHub: annotations, the job's summary, the output `verdict`. On where GitHub runs it.",
        show_default=False,
    ),
]
Yes: TypeAlias = Annotated[
    bool, typer.Option("--yes", "-y", envvar="KIT_YES", help="Answer every question with yes.")
]

# What `kit.config.load_config` takes as flags. It checks each value itself, and says who set it.
Project: TypeAlias = Annotated[
    str | None, typer.Option(envvar="KIT_PROJECT", help="The Google Cloud project, by its ID.")
]
Region: TypeAlias = Annotated[
    str | None,
    typer.Option(envvar="KIT_REGION", help="The region of services that need one, such as europe-west1."),
]
Generator: TypeAlias = Annotated[
    str | None, typer.Option(envvar="KIT_GENERATOR", help="Who writes the text: embedded or vertex.")
]
Model: TypeAlias = Annotated[
    str | None, typer.Option(envvar="KIT_MODEL", help="The model on Vertex AI (with --generator vertex).")
]
Location: TypeAlias = Annotated[
    str | None,
    typer.Option(envvar="KIT_LOCATION", help="Where Vertex AI is asked, such as europe-west1 or global."),
]
Workers: TypeAlias = Annotated[
    int | None, typer.Option(envvar="KIT_WORKERS", help="Worker processes of an instance (1).")
]
Instances: TypeAlias = Annotated[
    int | None, typer.Option(envvar="KIT_INSTANCES", help="Instances of the service at most (1).")
]
FirstTokenMs: TypeAlias = Annotated[
    int | None,
    typer.Option(envvar="KIT_FIRST_TOKEN_MS", help="Milliseconds until the embedded text begins (300)."),
]
TokensPerS: TypeAlias = Annotated[
    float | None,
    typer.Option(envvar="KIT_TOKENS_PER_S", help="Tokens a second of the embedded text (30)."),
]
MaxOutputTokens: TypeAlias = Annotated[
    int | None, typer.Option(envvar="KIT_MAX_OUTPUT_TOKENS", help="Tokens of an answer at most (1024).")
]
Python: TypeAlias = Annotated[
    str | None, typer.Option(envvar="KIT_PYTHON", help="Which Python the bundle runs on (3.13).")
]
Env: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", envvar="KIT_ENV", help="A variable for the service; may be repeated."),
]
Set: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="TARGET.KEY=VALUE",
        envvar="KIT_SET",
        help="What only one target knows, as in run.memory=1Gi; may be repeated. See docs/configuration.md.",
    ),
]


def request(
    url: str, method: str | None, headers: list[str], data: str | None, bearer_env: str | None
) -> Ask:
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
        raise UsageError(f"{method!r} is no method.", "Give one, as in --method POST.")
    variable = os.environ.get("KIT_HEADER", "")
    if headers == variable.split():  # typer splits it at white space, which most headers have
        headers = [line for line in variable.splitlines() if line.strip()]
    pairs = [_header(line) for line in headers]
    if bearer_env is not None:
        token = os.environ.get(bearer_env, "").strip()
        if not token:
            raise UsageError(
                f"The variable {bearer_env} holds no token.",
                f"Set it, for example: export {bearer_env}=$(gcloud auth print-identity-token)",
            )
        pairs.append(_header(f"authorization: Bearer {token}"))
    body = None if data is None else data.encode()
    return Ask((method or ("POST" if body else "GET")).upper(), url, tuple(pairs), body)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    named = name.strip().isascii() and name.strip().replace("-", "").replace("_", "").isalnum()
    if not colon or not named or any(ord(c) < 32 or ord(c) == 127 for c in value.strip()):
        raise UsageError(
            f"{name.strip()[:40]!r} is no header.",
            "Write it as NAME: VALUE, for example --header 'Accept: text/event-stream'.",
        )
    return name.strip(), value.strip()
