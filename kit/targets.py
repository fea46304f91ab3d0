"""A hosting platform as the kit knows it: one folder under `deploy/`, one `target.toml` in it.

Every platform fact stands in that file, with its source and how sure it is; lab, report and README read it
from there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal, get_args

from kit import language
from kit.errors import Code, Exit, KitError
from kit.proof.contract import Clause
from kit.proof.lane import Arm
from kit.proof.verdict import Verdict
from kit.schema import STRICT, Convert, bad, nearest, parse, read_toml
from kit.settings import Bound, Scalar, Setting, Value, fitted

Hold = Literal["none", "blocks", "whole"]
Idle = Literal["frozen", "runs", "unknown"]
Certainty = Literal["A", "B", "C", "M", "I", "-"]
Topic = Literal[
    "streaming",
    "header",
    "response-cap",
    "deadline",
    "silence",
    "many",
    "request-headers",
    "response-headers",
    "client-leaves",
    "idle",
    "shutdown",
    "start",
]


def _lower_case(names: tuple[str, ...]) -> tuple[str, ...]:
    if any(name != name.lower() for name in names):
        raise ValueError("a list of texts in lower case")
    return names


def _some(bounds: tuple[Bound, ...]) -> tuple[Bound, ...]:
    if not bounds:
        raise ValueError("a bound at least")
    return bounds


def _with_and_without(expect: Mapping[Arm, Verdict]) -> Mapping[Arm, Verdict]:
    if set(expect) != set(get_args(Arm)):
        raise ValueError("a verdict for on and one for off")
    return expect


_POSITIVE: Final = {"gt": 0}
_Names = Annotated[tuple[str, ...], Convert(_lower_case)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontSpec:
    """What a platform's front end is documented to do with a response; `kit.lab.fronts` follows it.

    Attributes:
        hold: "none" lets everything pass, "blocks" holds in blocks, "whole" holds the whole message.
        block_bytes: the size of a block; only where `hold` is "blocks".
        accel_frees: whether `X-Accel-Buffering: no` from the service switches the holding off.
        response_cap_bytes: over it the client gets an empty 500.
        cap_spares_chunked: whether a chunked response is free of the cap.
        deadline_s: after it the front ends the request.
        request_headers_removed: in lower case; a trailing `*` stands for any end.
        request_headers_added: name to value.
        response_headers_removed: in lower case.
        response_headers_added: name to value.
        client_leaves: "passed" where the platform is known to tell the service that its client left, else
            "unknown".
        idle: "frozen" where an instance without a request gets no CPU, "runs" where it goes on, or "unknown".
        shutdown_grace_s: between SIGTERM and SIGKILL.
    """

    __pydantic_config__ = STRICT

    hold: Hold
    block_bytes: int | None = field(default=None, metadata=_POSITIVE)
    accel_frees: bool
    response_cap_bytes: int | None = field(default=None, metadata=_POSITIVE)
    cap_spares_chunked: bool = False
    deadline_s: float = field(metadata=_POSITIVE)
    request_headers_removed: _Names
    request_headers_added: Mapping[str, str] = field(default_factory=dict)
    response_headers_removed: _Names
    response_headers_added: Mapping[str, str] = field(default_factory=dict)
    client_leaves: Literal["passed", "unknown"]
    idle: Idle
    shutdown_grace_s: float = field(metadata=_POSITIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One sentence about a platform with where it comes from.

    Attributes:
        about: which of the front's figures rests on it.
        text: the sentence.
        quote: the source's own words.
        source: an address with its date, a file with its version, or "none found".
        short: the same in a few words, for a table of what is documented of each clause of the contract.
        certainty: A a current page or source of the platform's owner, B such a page known by excerpt, C an
            old page or a third party's claim, M measured on loopback, I inferred, - no source found.
    """

    __pydantic_config__ = STRICT

    about: Topic
    text: str
    quote: str | None = None
    source: str
    short: str | None = None
    certainty: Certainty

    @property
    def caveat(self) -> str | None:
        """What must be said beside a claim that is not certain."""
        if self.certainty == "-":
            return "no source found"
        return "documented, not observed" if self.certainty in ("C", "I") else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSetting(Setting):
    """A setting that only one target knows.

    Attributes:
        default: its kind is the setting's: a text, a whole number, or a number with a fraction (1.0).
        for_app: its default for an app of the user's own, a text in which `{app:20}` stands for the app's
            name in 20 characters at most; the same default unless given.
        source: where its limits come from.
        certainty: how sure they are, a letter as a claim has it.
    """

    default: Scalar
    for_app: str | None = None
    source: str
    certainty: Certainty


class _Name(str):
    """An app's name, which is formatted to a number of characters."""

    __slots__ = ()

    def __format__(self, most: str) -> str:
        return fitted(str(self), int(most))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What settings allow each other.

    Attributes:
        bounds: what must hold, all of it.
        says: the rule in a sentence.
        source: where it comes from.
        certainty: how sure it is, a letter as a claim has it.
    """

    __pydantic_config__ = STRICT

    bounds: Annotated[tuple[Bound, ...], Convert(_some)]
    says: str
    source: str
    certainty: Certainty

    @property
    def names(self) -> set[str]:
        """The settings that it speaks of."""
        return {name for bound in self.bounds for name in bound.names}

    @property
    def holds(self) -> str:
        """All of it as a formula."""
        return "; ".join(map(str, self.bounds))

    def is_kept(self, values: Mapping[str, Value]) -> bool:
        """Whether the values keep it. Raises KeyError or ValueError where they cannot be compared."""
        return all(bound.holds(values) for bound in self.bounds)


UNSOURCED: Final = language.text("unsourced")
_TOPICS: Final[Mapping[Clause, tuple[Topic, ...]]] = {
    Clause.DELIVERED: ("streaming", "header"),
    Clause.KEPT_ALIVE: ("deadline", "silence"),
    Clause.CANCELLED: ("client-leaves",),
    Clause.MANY: ("many",),
    Clause.DEPLOY: ("shutdown",),
}


def in_short(claims: Collection[Claim]) -> str | None:
    """What they say in a few words; `UNSOURCED` where none of them has a source, None for none."""
    said = [claim.short for claim in claims if claim.short]
    sourced = any(claim.certainty != "-" for claim in claims)
    return language.join("; ", said) or (None if sourced or not claims else UNSOURCED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One hosting platform.

    Attributes:
        name: its folder's name, which is what the user types.
        folder: where its templates lie.
        order: its place among the others.
        title: its name for people.
        platform: which folder in `kit/platforms/` deploys it.
        edition: which environment of the platform; none where it has one only.
        also: other names that it is known by, beside its title.
        templates: template file to the name it is rendered to, relative to the bundle.
        settings: what only this target knows, for its templates and for its deployment.
        rules: what one of them allows another.
        environment: the variables that the platform sets for a service, as the lab sets them (PORT apart);
            `{service}`, `{runtime}` ("python313") and any other setting stand for their values.
        expect: the promised verdict with the header sent (`on`) and without (`off`).
        in_short: what it does with a stream, a clause of the sentence about all targets.
        advice: what frees a stream that is held here, or cut where the front holds none, a sentence.
        front: the documented behaviour.
        claims: what the above rests on.
    """

    __pydantic_config__ = STRICT

    name: str
    folder: Path
    order: int
    title: str
    platform: str
    edition: str | None = None
    also: tuple[str, ...] = ()
    templates: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, TargetSetting] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    expect: Annotated[Mapping[Arm, Verdict], Convert(_with_and_without)]
    in_short: str | None = None
    advice: str | None = None
    front: FrontSpec
    claims: tuple[Claim, ...] = ()

    def documented(self, clause: Clause) -> tuple[Claim, ...]:
        """What is documented of a clause of the contract, or that nothing is."""
        return tuple(claim for claim in self.claims if claim.about in _TOPICS[clause])

    @property
    def defaults(self) -> dict[str, Any]:
        """What its settings are by themselves."""
        return {name: setting.plain_default for name, setting in self.settings.items()}

    def defaults_for(self, app: str) -> dict[str, Any]:
        """The same for an app of the user's own, by its name."""
        own = {name: one.for_app for name, one in self.settings.items() if one.for_app is not None}
        return {**self.defaults, **{name: text.format(app=_Name(app)) for name, text in own.items()}}

    def environment_of(self, values: Mapping[str, Any]) -> dict[str, str]:
        """The platform's variables, filled in with the target's settings and the name of its `runtime`."""
        return {name: text.format_map(values) for name, text in self.environment.items()}


def assets() -> Path:
    """The folder that holds `service/` and `deploy/`: in the package when installed, else the checkout."""
    packaged = Path(__file__).parent / "_data"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent


def load_targets(deploy: Path | None = None) -> dict[str, Target]:
    """Every target there is, by name, in the order that their `order` asks for.

    Args:
        deploy: the folder whose sub-folders are targets; the kit's own unless given.

    Raises:
        KitError: BAD_TARGET, naming file, key and what was expected there.
    """
    deploy = deploy or assets() / "deploy"
    loaded = [_load(file) for file in deploy.glob("*/target.toml")]
    return {target.name: target for target in sorted(loaded, key=lambda one: (one.order, one.name))}


def get(name: str, deploy: Path | None = None) -> Target:
    """One target. Raises KitError UNKNOWN_TARGET, naming those that there are."""
    return select([name], deploy)[0]


def select(names: Sequence[str], deploy: Path | None = None) -> list[Target]:
    """The named targets in the order given, each once; all of them when none is named.

    Raises:
        KitError: UNKNOWN_TARGET, naming those that there are.
    """
    targets = load_targets(deploy)
    check_names(names, targets)
    return [targets[name] for name in dict.fromkeys(names or targets)]


def canonical(name: str, deploy: Path | None = None) -> str:
    """A target's own name for another that it is known by ("cloud-run"); any other name as it is."""
    with suppress(OSError):  # a name that no file could have
        if ((deploy or assets() / "deploy") / name / "target.toml").is_file():
            return name
    found = _known_as(name, load_targets(deploy))
    return found[0].name if len(found) == 1 else name


def check_names(names: Iterable[str], targets: Mapping[str, Target]) -> None:
    """Raises KitError UNKNOWN_TARGET for a name that none of them has, naming those that there are."""
    for name in names:
        if name not in targets:
            raise KitError(
                Code.UNKNOWN_TARGET,
                f"There is no target {name!r}: there are {', '.join(targets)}.",
                _meant(name, targets) or nearest(name, list(targets)),
                exit=Exit.USAGE,
            )


def _meant(name: str, targets: Mapping[str, Target]) -> str:
    """A hint at the targets whose platform was named ("cloud-run"); empty where none was."""
    word = _letters(name)
    by_title = [one for one in targets.values() if len(word) > 2 and word in _letters(one.title)]
    found = [repr(one.name) for one in _known_as(name, targets) or by_title]
    return f"Did you mean {' or '.join(found)}?" if found else ""


def _known_as(name: str, targets: Mapping[str, Target]) -> list[Target]:
    word = _letters(name)
    return [one for one in targets.values() if word in map(_letters, (one.title, *one.also)) and word != ""]


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text.lower()))


def _load(file: Path) -> Target:
    try:
        written = file.read_bytes()
    except OSError:
        written = b""  # which reading it again will say
    target = _parsed(file, written)
    for template, output in target.templates.items():
        if not any((folder / template).is_file() for folder in (file.parent, file.parent.parent)):
            expected = "the name of a template in this folder or the one above"
            raise bad(file, f"templates.{template}", output, expected, Code.BAD_TARGET)
    return target


@lru_cache(maxsize=32)
def _parsed(file: Path, written: bytes) -> Target:
    """The target that is written there; the same octets are parsed once."""
    raw = read_toml(file, Code.BAD_TARGET)
    for key in raw.keys() & {"name", "folder"}:
        raise KitError(Code.BAD_TARGET, f"{file}: {key} is not a known key.", "Its folder says it.")
    own = {"name": file.parent.name, "folder": str(file.parent)}
    target = parse(Target, {**raw, **own}, file, Code.BAD_TARGET)

    def wrong(key: str, value: object, expected: str) -> KitError:
        return bad(file, key, value, expected, Code.BAD_TARGET)

    for template, output in target.templates.items():
        if not output or output.startswith("/") or "\\" in output or ".." in PurePosixPath(output).parts:
            raise wrong(f"templates.{template}", output, "a path inside the bundle")
    outputs = list(target.templates.values())
    if len(set(outputs)) < len(outputs):
        raise wrong("templates", target.templates, "a name of its own for each file that is rendered")
    if (target.front.hold == "blocks") != (target.front.block_bytes is not None):
        raise wrong(
            "front.block_bytes", target.front.block_bytes, 'a whole number where hold is "blocks" only'
        )
    for name, text in target.environment.items():
        try:
            text.format_map({**target.defaults, "runtime": ""})
        except (KeyError, ValueError, IndexError, AttributeError):
            expected = f"a text with nothing in braces but {', '.join(('runtime', *target.settings))}"
            raise wrong(f"environment.{name}", text, expected) from None
    for name, setting in target.settings.items():
        try:
            fits = setting.for_app is None or setting.allows(setting.for_app.format(app=_Name("a" * 99)))
        except (KeyError, ValueError, IndexError, AttributeError):
            fits = False
        if not fits:
            expected = "a text such as {app:20}, with as many characters as the setting takes"
            raise wrong(f"settings.{name}.for_app", setting.for_app, expected)
    for number, rule in enumerate(target.rules):
        try:
            rule.is_kept(target.defaults)
        except (KeyError, ValueError) as error:
            expected = f"a rule of settings that are numbers or amounts of memory ({error} is not)"
            raise wrong(f"rules[{number}].bounds", rule.holds, expected) from None
    return target
