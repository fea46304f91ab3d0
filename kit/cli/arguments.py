"""Options that several verbs have, so that they mean and read the same everywhere, and what they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypedDict

import typer

from kit.cli.packed import packed
from kit.errors import Exit, UsageError
from kit.language import Language, speak

if TYPE_CHECKING:
    from kit.proof.bound import Bound
    from kit.proof.contract import Clause, ContractSpec, Limit
    from kit.proof.expectation import Expectation
    from kit.proof.lane import Arm as LaneArm
    from kit.proof.lane import LaneState, Wanted
    from kit.proof.verdict import Verdict

    class Held(TypedDict):
        """See `Asked.held`."""

        expected: Verdict | None
        at_most: Bound | None
        limits: tuple[Limit, ...]
        contract: ContractSpec


VERDICTS = "incremental, byte-limited, time-limited, whole-message, refused, inconclusive"
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


def expectation(text: str | None) -> Expectation:
    """What is expected, nothing unless given.

    Raises:
        KitError: it is no expectation.
    """
    from kit.proof.expectation import Expectation

    return Expectation() if text is None else Expectation.parse(text)


def pairs(what: str, form: str, values: Sequence[str]) -> dict[str, str]:
    """Values of the form NAME=VALUE, each name once.

    Args:
        what: what they are, for the error ("--swap-front", "the lane").
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
    from kit.proof.lane import worst

    return Exit[worst(*states).name]


class Group(StrEnum):
    """What an option is about, as a heading of `--help`."""

    REQUEST = "The request"
    MEASURING = "Measuring"
    OUTPUT = "Output"


OLD_NAMES: set[str] = set()
_GROUPS = {
    Group.MEASURING: (
        "--expect", "--contract", "--streams", "--accel-header", "--prompt", "--proof",
        "--proof-token", "--event-bytes", "--timeout", "--retries", "--polling", "--direct", "--long",
        "--max-requests", "--allow-repeat",
    ),
    Group.OUTPUT: ("--html", "--markdown", "--junit", "--github", "--json", "--lang"),
}  # fmt: skip
_GROUP_OF = {name: group for group, names in _GROUPS.items() for name in names}


def option(
    name: str,
    says: str,
    *also: str,
    env: str | list[str] | None = None,
    group: Group | None = None,
    old: str | None = None,
    **more: Any,
) -> Any:
    """An option and the variable that sets it: KIT_NAME, or `env`; `more` is typer's.

    `old` is the name that it had: taken for a release, with its variable unless `env` is given; not shown.
    """
    names = [one.partition("/")[0] for one in (name, *([old] if old else []))]
    variables = [f"KIT_{one.lstrip('-').replace('-', '_').upper()}" for one in names]
    panel = group or _GROUP_OF.get(names[0])
    OLD_NAMES.update(old.split("/") if old else ())
    return typer.Option(
        name,
        *also,
        *([old] if old else ()),
        envvar=env or (variables if old else variables[0]),
        help=says,
        rich_help_panel=panel,
        **more,
    )


def accel_header(says: str) -> Any:
    """Which of `Arms`."""
    return option("--accel-header", says, old="--arm")


def _named(names: list[str] | None) -> list[str] | None:
    from kit.targets import canonical

    return None if names is None else [canonical(one) for one in names]


Targets: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET",
        callback=_named,
        envvar="KIT_TARGETS",
        help="Which targets; all unless named. See `kit targets`.",
    ),
]
Named: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET", callback=_named, envvar="KIT_TARGETS", help="Which targets. See `kit targets`."
    ),
]
Out: TypeAlias = Annotated[
    Path, option("--out", "The folder for the bundles, and for what is made from them.")
]
Fronts: TypeAlias = Annotated[
    list[str] | None,
    option(
        "--swap-front",
        "Put the other target's front before this one, to see a promise broken.",
        old="--front",
        metavar="TARGET=OTHER",
    ),
]
Isolated: TypeAlias = Annotated[
    bool, option("--isolated", "Install each bundle's own requirements into an environment of its own first.")
]
Polling: TypeAlias = Annotated[
    bool, option("--polling", "Ask each target for its answer in pieces as well, as where nothing streams.")
]
Proof: TypeAlias = Annotated[
    str | None,
    option("--proof", "Where the proof is, if neither beside the address nor at /proof.", metavar="URL|PATH"),
]


def proof_url(given: str | None) -> str | None:
    """Where the proof is: an address, or a path at the probed address.

    Raises:
        KitError: BAD_USAGE, it is neither.
    """
    from kit.probe.address import checked

    if given is not None and not given.startswith("/"):
        checked(given)
    return given


def _usable(token: str | None) -> str | None:
    from kit.probe.origin import usable

    return usable(token)


ProofToken: TypeAlias = Annotated[
    str | None,
    option(
        "--proof-token",
        "Opens a proof that asks for its token. Rather set the variable: a command line is no secret.",
        env=["STREAMPROOF_PROOF_TOKEN", "KIT_PROOF_TOKEN"],
        metavar="TOKEN",
        callback=_usable,
    ),
]
Prompt: TypeAlias = Annotated[
    str,
    option("--prompt", "The question for a service made with the kit; others get their request as it is."),
]
Arm: TypeAlias = Annotated[
    Arms,
    accel_header(
        "Whether answers bear X-Accel-Buffering: no. A service made with the kit is asked so; as-is "
        "takes an answer as it comes."
    ),
]
Expect: TypeAlias = Annotated[
    str | None,
    option(
        "--expect",
        f"Exit 3 unless all of it is kept: a verdict ({VERDICTS}), bounds on what is collected, limits of "
        "the contract: 'incremental, hold<=200ms, block<=4KiB, cancel<1s, idle>60s, many>=100'.",
        metavar="EXPECTATION",
        group=Group.MEASURING,
    ),
]
Contract: TypeAlias = Annotated[
    bool,
    option(
        "--contract",
        "Ask every clause of the contract: is a stream kept alive, stopped when its client leaves, as good "
        "beside many?",
        group=Group.MEASURING,
    ),
]
For: TypeAlias = Annotated[
    str | None,
    option(
        "--for",
        "Watch for so long whether streams live: 110s, 10m, 1h; as --expect needs, or 5s, unless given.",
        metavar="TIME",
        group=Group.MEASURING,
    ),
]
Streams: TypeAlias = Annotated[
    int | None,
    option(
        "--streams",
        "How many streams to open at once; what --expect needs, or 10, unless given.",
        min=1,
        group=Group.MEASURING,
    ),
]
Http2: TypeAlias = Annotated[bool, option("--http2", "Offer HTTP/2 (over TLS).")]
Timeout: TypeAlias = Annotated[
    float,
    option(
        "--timeout",
        "Timeout for the whole answer, and for its first byte.",
        metavar="SECONDS",
        min=1,
        max=3600,
    ),
]
Json: TypeAlias = Annotated[bool, option("--json", "Print one JSON document on stdout.")]
Html: TypeAlias = Annotated[
    Path | None, option("--html", "Write the report as one HTML page, to read or to print.", metavar="FILE")
]
Markdown: TypeAlias = Annotated[
    Path | None, option("--markdown", "Write the report as Markdown, for a pull request.", metavar="FILE")
]
Junit: TypeAlias = Annotated[
    Path | None,
    option("--junit", "Write the report as JUnit's XML, for a CI: a test a lane.", metavar="FILE"),
]
Github: TypeAlias = Annotated[
    bool | None,
    option(
        "--github/--no-github",
        "Tell GitHub: annotations, the job's summary, the output `verdict`. On where GitHub runs it.",
        show_default=False,
    ),
]
DryRun: TypeAlias = Annotated[
    bool, option("--dry-run", "Print the gcloud lines that would be run; change nothing.")
]
PublicModel: TypeAlias = Annotated[
    bool, option("--public-model", "Let all callers ask a model that you pay for, without a token.")
]
Yes: TypeAlias = Annotated[bool, option("--yes", "Do not ask for confirmation.", "-y")]

# What `kit.config.load_config` takes as flags. It checks each value itself, and says who set it.
Project: TypeAlias = Annotated[str | None, option("--project", "The Google Cloud project, by its ID.")]
Region: TypeAlias = Annotated[
    str | None, option("--region", "The region of services that need one, such as europe-west1.")
]
Generator: TypeAlias = Annotated[
    str | None, option("--generator", "Who writes the text: embedded or vertex.")
]
Model: TypeAlias = Annotated[
    str | None, option("--model", "The model on Vertex AI (with --generator vertex).")
]
Location: TypeAlias = Annotated[
    str | None, option("--location", "Where Vertex AI is asked, such as europe-west1 or global.")
]
Workers: TypeAlias = Annotated[int | None, option("--workers", "Worker processes of an instance (1).")]
Instances: TypeAlias = Annotated[int | None, option("--instances", "Instances of the service at most (1).")]
FirstTokenMs: TypeAlias = Annotated[
    int | None, option("--first-token-ms", "Milliseconds until the embedded text begins (300).")
]
TokensPerS: TypeAlias = Annotated[
    float | None, option("--tokens-per-s", "Tokens a second of the embedded text (30).")
]
MaxOutputTokens: TypeAlias = Annotated[
    int | None, option("--max-output-tokens", "Tokens of an answer at most (1024).")
]
Python: TypeAlias = Annotated[str | None, option("--python", "Which Python the bundle runs on (3.13).")]
Env: TypeAlias = Annotated[
    list[str] | None, option("--env", "A variable for the service; may be repeated.", metavar="NAME=VALUE")
]
EnvIsPublic: TypeAlias = Annotated[
    list[str] | None,
    option("--env-is-public", "A variable that only looks like a secret; may be repeated.", metavar="NAME"),
]
EnvFile: TypeAlias = Annotated[
    str | None,
    option(
        "--env-file",
        "A file of NAME=VALUE lines (.env): variables of the service on this machine, written nowhere.",
        metavar="FILE",
    ),
]
Set: TypeAlias = Annotated[
    list[str] | None,
    option(
        "--set",
        "What only one target knows, as in run.memory=1Gi; may be repeated. See docs/configuration.md.",
        metavar="TARGET.KEY=VALUE",
    ),
]


def _settings(
    env: Env = None, env_is_public: EnvIsPublic = None, env_file: EnvFile = None, set_: Set = None
) -> dict[str, object]:
    """What they set, as `configured` takes it."""
    return {"env": env, "env_is_public": env_is_public, "env_file": env_file, "set": set_}


# For verbs that start an app: their parameter `settings`.
with_settings = packed("settings", _settings)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which clauses of the contract the user asks for.

    Attributes:
        contract: whether all are.
        for_: for how long streams are watched, which asks that clause; None for what is expected needs.
        streams: how many there are, which asks that clause; None for what is expected needs.
    """

    contract: Contract = False
    for_: For = None
    streams: Streams = None

    def held(self, expect: str | None, clauses: Sequence[Clause] = ()) -> Held:
        """The fields of a lane's specification for what is expected of it, and the clauses asked of it.

        Args:
            expect: by the user.
            clauses: those that are asked in any case.

        Raises:
            KitError: that is no expectation, no span of time, or more than is watched or opened.
        """
        from kit.proof.contract import ASKED, Clause, ContractSpec
        from kit.proof.many import MOST_STREAMS
        from kit.proof.stream_limits import MOST_S
        from kit.times import in_words, span_s

        expected = expectation(expect)
        for_s = None if self.for_ is None else span_s(self.for_, option="--for", least_s=1)
        asked = {Clause.KEPT_ALIVE: for_s, Clause.MANY: self.streams}
        named = (*clauses, *(clause for clause, how in asked.items() if how is not None))
        wanted = ASKED if self.contract else named
        spec = ContractSpec.of(expected.limits, wanted, for_s=for_s, streams=self.streams)
        long = Clause.KEPT_ALIVE in spec.clauses and spec.for_s > MOST_S
        if long or (Clause.MANY in spec.clauses and spec.streams > MOST_STREAMS):
            raise UsageError(
                f"Streams are watched for {in_words(MOST_S)} at most, and {MOST_STREAMS:,} opened at most.",
                "Give less by --for or --streams, or expect less.",
            )
        return {
            "expected": expected.verdict,
            "at_most": expected.bound,
            "limits": expected.limits,
            "contract": spec,
        }


NONE_ASKED = Asked()

# For verbs that can ask the contract's clauses: their parameter `asked`.
with_asked = packed("asked", Asked)


def _be_quiet(wanted: bool) -> None:
    from kit.cli.runner import Console

    Console.quiet = wanted


_language = typer.Typer(add_completion=False)


@_language.command()
def _(
    lang: Annotated[
        Language | None,
        option(
            "--lang",
            "The language of what a person reads, by the locale unless given. JSON, JUnit's names and what "
            "GitHub's machines read stay English, and so do help and errors of usage.",
            callback=lambda lang: lang and speak(lang),
            is_eager=True,
            expose_value=False,
        ),
    ] = None,
    quiet: Annotated[
        bool,
        option(
            "--quiet",
            "Show no progress: only results, warnings and errors.",
            "-q",
            callback=_be_quiet,
            expose_value=False,
        ),
    ] = False,
) -> None: ...


# The options of every verb, which none has as a parameter.
OF_EVERY_VERB = [one for one in typer.main.get_command(_language).params if one.name in ("lang", "quiet")]
