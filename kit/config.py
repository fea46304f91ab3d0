"""What the user wants: flags, then the environment, then `kit.toml`, then gcloud's own configuration.

A plain setting is a field of `Config`, a key of `kit.toml`, an environment variable `KIT_…` in capitals and,
where a verb offers it, a flag. What only one target knows (an instance class, an amount of memory) stands in
a table `[targets.NAME]` and is checked against that target's own defaults.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from kit.app import App, read_app
from kit.errors import Code, Exit, KitError
from kit.gcloud_config import gcloud_property
from kit.table import Table
from kit.targets import Target, load_targets

FILE: Final = "kit.toml"


@dataclass(frozen=True, slots=True)
class Config:
    """What the user wants.

    Attributes:
        project: Google Cloud project; None where nobody named one.
        project_source: who named it, for people: "--project", "KIT_PROJECT", "kit.toml" and so on.
        project_implied: True where it was not named for this kit (GOOGLE_CLOUD_PROJECT, gcloud's
            configuration): to be confirmed before anything is created in it.
        region: where Cloud Run services go; None where nobody said.
        generator: who writes the text.
        workers: worker processes in an instance. With more than one a lock-step feed may miss its stream.
        instances: at most so many instances at once; the same holds.
        first_token_ms: the embedded generator's time to its first token.
        tokens_per_s: its speed after that.
        max_output_tokens: where an answer ends at the latest.
        python: the interpreter's version, as in "3.13".
        env: further environment variables of the service.
        targets: for each target what differs from the defaults in its target.toml.
        app: the user's own app, which is deployed instead of the kit's service; None for that one.
    """

    project: str | None = None
    project_source: str | None = None
    project_implied: bool = False
    region: str | None = None
    generator: str = "embedded"
    workers: int = 1
    instances: int = 1
    first_token_ms: int = 300
    tokens_per_s: float = 30.0
    max_output_tokens: int = 1024
    python: str = "3.13"
    env: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    app: App | None = None

    def of(self, target: Target) -> dict[str, Any]:
        """The target's own settings: its defaults, with what the user wants instead."""
        return {**target.defaults, **self.targets.get(target.name, {})}


class _Setting(NamedTuple):
    """What a plain setting may be: its type, a test, and the test in words."""

    kind: type
    holds: Callable[[Any], bool]
    expected: str


def _whole(low: int, high: int) -> _Setting:
    return _Setting(int, lambda value: low <= value <= high, f"a whole number from {low:,} to {high:,}")


def _word(pattern: str, expected: str) -> _Setting:
    return _Setting(str, lambda value: re.fullmatch(pattern, value, re.ASCII) is not None, expected)


def _one_of(*words: str) -> _Setting:
    return _Setting(str, lambda value: value in words, " or ".join(f'"{word}"' for word in words))


_SETTINGS: Final[Mapping[str, _Setting]] = {
    # https://cloud.google.com/resource-manager/docs/creating-managing-projects; "example.com:" in old ones
    "project": _word(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]", "a project's ID, such as my-project-42"),
    "region": _word(r"[a-z]+(-[a-z]+)+[0-9]+", "a region, such as europe-west1"),
    "generator": _one_of("embedded"),
    "workers": _whole(1, 64),
    "instances": _whole(1, 1000),
    "first_token_ms": _whole(0, 600_000),
    "tokens_per_s": _Setting(float, lambda value: 0 < value <= 100_000, "a number above 0, up to 100,000"),
    "max_output_tokens": _whole(1, 65_536),
    # deploy/requirements.txt is resolved for these
    "python": _one_of("3.11", "3.12", "3.13"),
}

# Set on many machines for other purposes (Cloud Shell, CI), so it names a project without having been asked.
_AMBIENT: Final = "GOOGLE_CLOUD_PROJECT"
_GCLOUD: Final = "gcloud's configuration"
_IMPLIED: Final = (_AMBIENT, _GCLOUD)
_GCLOUD_PROPERTIES: Final = {"project": ("core", "project"), "region": ("run", "region")}

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# The platform or the kit sets these: a value of the user's would be ignored, or break the start.
_RESERVED = re.compile(
    r"PORT|PATH|GAE_.*|K_.*|G(OOGLE_)?CLOUD_PROJECT|STREAMPROOF_(TARGET|BIND|LAB|SHUTDOWN_GRACE_S|DEADLINE_S)"
)


def load_config(flags: Mapping[str, object], env: Mapping[str, str], cwd: Path) -> Config:
    """Everything that was set, by whomever.

    Args:
        flags: by name of the setting; None counts as not given. `env` is a list of "NAME=value".
        env: the environment.
        cwd: where `kit.toml` lies, if there is one.

    Raises:
        KitError: BAD_CONFIG, one sentence that names who set what, and what was expected.
    """
    file = cwd / FILE
    table = Table.read(file, Code.BAD_CONFIG) if file.exists() else Table(file, {}, Code.BAD_CONFIG)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, setting in _SETTINGS.items():
        for source, value in _candidates(name, setting, flags, env, table):
            # What was not said to the kit stops nobody who may not even need it.
            if value is not None and (source not in _IMPLIED or setting.holds(value)):
                values[name], sources[name] = _checked(name, setting, source, value), source
                break
    variables = {
        **table.texts("env"),
        **_pairs("KIT_ENV", env.get("KIT_ENV", "").split()),
        **_pairs("--env", flags.get("env")),
    }
    targets = _target_settings(table.table("targets"))
    app = read_app(table.table("app"), cwd)
    table.done()
    return Config(
        **values,
        project_source=sources.get("project"),
        project_implied=sources.get("project") in _IMPLIED,
        env={name: _variable(name, value) for name, value in variables.items()},
        targets=targets,
        app=app,
    )


def _candidates(
    name: str, setting: _Setting, flags: Mapping[str, object], env: Mapping[str, str], table: Table
) -> Iterator[tuple[str, object]]:
    """Who may have set it and to what, first the one who has the say."""
    in_file = table.take(name, setting.kind, None)
    variable = f"KIT_{name.upper()}"
    yield f"--{name.replace('_', '-')}", flags.get(name)
    yield variable, _parsed(setting.kind, env.get(variable))
    if name == "project":
        yield _AMBIENT, env.get(_AMBIENT) or None
    yield FILE, in_file
    if name in _GCLOUD_PROPERTIES:
        yield _GCLOUD, gcloud_property(env, *_GCLOUD_PROPERTIES[name])


def _parsed(kind: type, text: str | None) -> object:
    """An environment variable as what it should be; itself where it is not. Empty counts as not set."""
    if not text or kind is str:
        return text or None
    try:
        return kind(text)
    except ValueError:
        return text


def _checked(name: str, setting: _Setting, source: str, value: Any) -> Any:
    if setting.kind is float and type(value) is int:
        value = float(value)
    if isinstance(value, setting.kind) and not isinstance(value, bool) and setting.holds(value):
        return value
    who = f"{source}: {name}" if source == FILE else source
    raise KitError(
        Code.BAD_CONFIG, f"{who} is {value!r}.", f"Expected {setting.expected}.", exit=_status(source)
    )


def _status(source: str) -> Exit:
    """A wrong flag is wrong usage; a wrong file or variable is not."""
    return Exit.USAGE if source.startswith("--") else Exit.FAILED


def _target_settings(table: Table) -> dict[str, dict[str, Any]]:
    """`[targets.NAME]`, each checked against what that target knows, by name and by type."""
    if not table.raw:
        return {}
    settings: dict[str, dict[str, Any]] = {}
    for name, target in load_targets().items():
        wanted = table.table(name)
        settings[name] = {
            key: wanted.take(key, type(default))
            for key, default in target.defaults.items()
            if key in wanted.raw
        }
        wanted.done(target.defaults)
    table.done()
    return settings


def _pairs(source: str, given: object) -> dict[str, str]:
    """`--env NAME=value`, any number of times; in KIT_ENV with white space between."""
    pairs: dict[str, str] = {}
    for pair in given if isinstance(given, list | tuple) else ():
        name, equals, value = str(pair).partition("=")
        if not equals:
            said = f"{source} is {pair!r}."
            raise KitError(Code.BAD_CONFIG, said, "Expected NAME=value.", exit=_status(source))
        pairs[name] = value
    return pairs


def _variable(name: str, value: str) -> str:
    """The value of an environment variable that a process can have and that is the user's to set."""
    if not _VARIABLE.fullmatch(name):
        raise KitError(
            Code.BAD_CONFIG,
            f"{name!r} cannot be the name of an environment variable.",
            "Use letters, digits and underscores, and do not begin with a digit.",
        )
    if _RESERVED.fullmatch(name):
        raise KitError(
            Code.BAD_CONFIG,
            f"The environment variable {name} is set by the platform or by the kit.",
            "Give yours another name.",
        )
    if setting := next((key for key in _SETTINGS if name == f"STREAMPROOF_{key.upper()}"), None):
        raise KitError(
            Code.BAD_CONFIG,
            f"The environment variable {name} is made from the setting {setting}.",
            f"Set {setting} in {FILE}, or KIT_{setting.upper()}.",
        )
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise KitError(
            Code.BAD_CONFIG,
            f"The environment variable {name} holds a character that no process can be given.",
            "Leave out NUL characters and lone surrogates.",
        )
    return value
