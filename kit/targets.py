"""A hosting platform as the kit knows it: one folder under `deploy/`, one `target.toml` in it.

Every platform fact stands in that file, with its source and how sure it is; lab, report and README read it
from there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from kit.errors import Code, Exit, KitError
from kit.proof.lane import Arm
from kit.proof.verdict import Verdict
from kit.settings import Rule, Setting, plain
from kit.table import Table, nearest

Hold = Literal["none", "blocks", "whole"]
Idle = Literal["frozen", "runs", "unknown"]
Certainty = Literal["A", "B", "C", "M", "I", "-"]
Topic = Literal[
    "streaming",
    "header",
    "response-cap",
    "deadline",
    "request-headers",
    "response-headers",
    "client-leaves",
    "idle",
    "shutdown",
    "start",
]


@dataclass(frozen=True, slots=True)
class FrontSpec:
    """What a platform's front end is documented to do with a response; `kit.lab.fronts` follows it.

    Attributes:
        hold: lets everything pass, holds in blocks, or holds the whole message.
        block_bytes: the size of a block; None unless `hold` is "blocks".
        accel_frees: whether `X-Accel-Buffering: no` from the service switches the holding off.
        response_cap_bytes: over it the client gets an empty 500; None for no cap.
        cap_spares_chunked: whether a chunked response is free of the cap.
        deadline_s: after it the request is ended by the front.
        request_headers_removed: lower case; a trailing `*` stands for any end.
        request_headers_added: name to value.
        response_headers_removed: lower case.
        response_headers_added: name to value.
        client_leaves: "passed" where the platform is known to tell the service, else "unknown".
        idle: while no request is open an instance gets no CPU ("frozen") or goes on ("runs"), else "unknown".
        shutdown_grace_s: between SIGTERM and SIGKILL.
    """

    hold: Hold
    block_bytes: int | None
    accel_frees: bool
    response_cap_bytes: int | None
    cap_spares_chunked: bool
    deadline_s: float
    request_headers_removed: tuple[str, ...]
    request_headers_added: Mapping[str, str]
    response_headers_removed: tuple[str, ...]
    response_headers_added: Mapping[str, str]
    client_leaves: Literal["passed", "unknown"]
    idle: Idle
    shutdown_grace_s: float


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence about a platform with where it comes from.

    `certainty` is the letter of docs/platforms.md: A a current page or source of the platform's owner,
    B such a page known by excerpt, C an old page or somebody else's claim, M measured on loopback,
    I inferred, - no source found. `about` says which of the front's figures rests on it.
    """

    text: str
    quote: str | None
    source: str
    certainty: Certainty
    about: Topic = "streaming"

    @property
    def caveat(self) -> str | None:
        """What must be said beside a claim that nobody should take for a certainty."""
        if self.certainty == "-":
            return "no source found"
        return "documented, not observed" if self.certainty in ("C", "I") else None


@dataclass(frozen=True, slots=True)
class Target:
    """One hosting platform.

    Attributes:
        name: its folder's name, which is what the user types.
        title: for people, "App Engine Standard".
        platform: which folder in `kit/platforms/` deploys it.
        folder: where its templates lie.
        templates: template file to the name it is rendered to, relative to the bundle.
        settings: what only this target knows, for its templates and for its deployment.
        rules: what one of them allows another.
        expect: the promised verdict in each arm.
        advice: what frees a held stream here, a sentence; None where nothing is held.
        front: the documented behaviour.
        claims: what the above rests on.
    """

    name: str
    title: str
    platform: str
    folder: Path
    templates: Mapping[str, str]
    settings: Mapping[str, Setting]
    rules: tuple[Rule, ...]
    expect: Mapping[Arm, Verdict]
    advice: str | None
    front: FrontSpec
    claims: tuple[Claim, ...]

    @property
    def defaults(self) -> dict[str, Any]:
        """What its settings are unless somebody sets them."""
        return {
            name: setting.default for name, setting in self.settings.items() if setting.default is not None
        }


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
    return {target.name: target for _, target in sorted(loaded, key=lambda pair: (pair[0], pair[1].name))}


def get(name: str, deploy: Path | None = None) -> Target:
    """One target. Raises KitError UNKNOWN_TARGET, naming those that there are."""
    return select([name], deploy)[0]


def select(names: Sequence[str], deploy: Path | None = None) -> list[Target]:
    """The named targets in the order given, each once; all of them when none is named.

    Raises:
        KitError: UNKNOWN_TARGET, naming those that there are.
    """
    targets = load_targets(deploy)
    for name in names:
        if name not in targets:
            raise KitError(
                Code.UNKNOWN_TARGET,
                f"There is no target called {name!r}: there are {', '.join(targets)}.",
                nearest(name, list(targets)),
                exit=Exit.USAGE,
            )
    return [targets[name] for name in dict.fromkeys(names or targets)]


def _load(file: Path) -> tuple[int, Target]:
    table = Table.read(file, Code.BAD_TARGET)
    order = table.take("order", int)
    target = Target(
        name=file.parent.name,
        title=table.take("title", str),
        platform=table.take("platform", str),
        folder=file.parent,
        templates=_templates(table.table("templates")),
        settings=_settings(table.table("settings")),
        rules=tuple(_rule(rule) for rule in table.tables("rules")),
        expect=_expect(table.table("expect")),
        advice=table.take("advice", str, None),
        front=_front(table.table("front")),
        claims=tuple(_claim(claim) for claim in table.tables("claims")),
    )
    table.done()
    return order, target


def _templates(table: Table) -> dict[str, str]:
    templates = {}
    for template in list(table.raw):
        output = table.take(template, str)
        if not output or output.startswith("/") or "\\" in output or ".." in PurePosixPath(output).parts:
            raise table.bad(template, "a path inside the bundle")
        if not any((folder / template).is_file() for folder in (table.file.parent, table.file.parent.parent)):
            raise table.bad(template, "the name of a template in this folder or the one above")
        templates[template] = output
    if len(set(templates.values())) < len(templates):
        raise table.error("two templates are rendered to the same file", "Give each a name of its own.")
    return templates


def _settings(table: Table) -> dict[str, Setting]:
    return {name: _setting(table.table(name)) for name in list(table.raw)}


def _setting(table: Table) -> Setting:
    kind = type(table.raw.get("default"))
    if kind not in (str, int, float):
        raise table.bad("default", "a text or a number, whose kind is the setting's")
    limits = table.values("range", float)
    if "range" in table.raw and not (kind is not str and len(limits) == 2 and limits[0] <= limits[1]):
        raise table.bad("range", "two numbers, the least and the most")
    setting = Setting(
        kind,
        default=plain(table.take("default", kind)),
        choices=table.values("choices", kind),
        least=limits[0] if limits else None,
        most=limits[1] if limits else None,
        pattern=table.take("pattern", str, None),
        form=table.take("form", str, None),
        meaning=table.take("meaning", str),
        follows=table.take("follows", str, None),
        source=table.take("source", str),
        certainty=table.choice("certainty", get_args(Certainty)),
    )
    table.done()
    if setting.pattern is not None and (
        kind is not str or not _compiles(setting.pattern) or not setting.form
    ):
        raise table.bad("pattern", "a regular expression for a text, with its form in words")
    if not (setting.choices or limits or setting.pattern):
        raise table.error(f"{table.dotted('default')} stands alone", "Give choices, a range or a pattern.")
    return setting


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _rule(table: Table) -> Rule:
    rule = Rule(
        holds=table.take("holds", str),
        says=table.take("says", str),
        source=table.take("source", str),
        certainty=table.choice("certainty", get_args(Certainty)),
    )
    table.done()
    return rule


def _expect(table: Table) -> dict[Arm, Verdict]:
    expect: dict[Arm, Verdict] = {arm: Verdict(table.choice(arm, list(Verdict))) for arm in get_args(Arm)}
    table.done()
    return expect


def _front(table: Table) -> FrontSpec:
    hold: Hold = table.choice("hold", get_args(Hold))
    front = FrontSpec(
        hold=hold,
        block_bytes=table.positive("block_bytes", int) if hold == "blocks" else None,
        accel_frees=table.take("accel_frees", bool),
        response_cap_bytes=table.positive("response_cap_bytes", int)
        if "response_cap_bytes" in table.raw
        else None,
        cap_spares_chunked=table.take("cap_spares_chunked", bool, False),
        deadline_s=table.positive("deadline_s", float),
        request_headers_removed=table.names("request_headers_removed"),
        request_headers_added=table.texts("request_headers_added"),
        response_headers_removed=table.names("response_headers_removed"),
        response_headers_added=table.texts("response_headers_added"),
        client_leaves=table.choice("client_leaves", ("passed", "unknown")),
        idle=table.choice("idle", get_args(Idle)),
        shutdown_grace_s=table.positive("shutdown_grace_s", float),
    )
    table.done()
    return front


def _claim(table: Table) -> Claim:
    certainty: Certainty = table.choice("certainty", get_args(Certainty))
    claim = Claim(
        about=table.choice("about", get_args(Topic)),
        text=table.take("text", str),
        quote=table.take("quote", str, None),
        source=table.take("source", str),
        certainty=certainty,
    )
    table.done()
    return claim
