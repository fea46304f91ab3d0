"""What the user wants: flags, then the environment, then `kit.toml`, then gcloud's own configuration.

A plain setting is a field of `Config`, a key of `kit.toml`, an environment variable `KIT_…` in capitals and,
where a verb offers it, a flag. What only one target knows (an instance class, an amount of memory) is
`--set TARGET.KEY=VALUE`, `KIT_SET` or a table `[targets.NAME]`, and is checked against its target.toml.

A wrong flag or variable is wrong usage (exit 2), a wrong file is an error (exit 1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kit.app import App, read_app
from kit.errors import Code, Exit, KitError
from kit.gcloud_config import gcloud_property
from kit.settings import Setting, Value, first_broken, plain
from kit.table import Table, nearest
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
        model: on Vertex AI, by its name or resource name; None where nobody said.
        location: where Vertex AI is asked; the same holds.
        workers: worker processes in an instance. With more than one a lock-step feed may miss its stream.
        instances: at most so many instances at once; the same holds.
        store: where answers are kept that outlive the request for them.
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
    store: str = "memory"
    model: str | None = None
    location: str | None = None
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
        follow = {name: setting.follows for name, setting in target.settings.items() if setting.follows}
        followed = {name: getattr(self, of_all) for name, of_all in follow.items()}
        return {**target.defaults, **followed, **self.targets.get(target.name, {})}

    @property
    def asks_accounts(self) -> bool:
        """Whether the kit's own service lets Google accounts in, as a variable of the user's says."""
        return self.app is None and "STREAMPROOF_GOOGLE_AUDIENCE" in self.env

    @property
    def service_apis(self) -> tuple[str, ...]:
        """Google's APIs that the kit's own service will ask, once it is deployed."""
        if self.app is not None:
            return ()
        wanted = {
            "aiplatform.googleapis.com": self.generator == "vertex",
            "firestore.googleapis.com": self.store == "firestore",
        }
        return tuple(api for api, is_wanted in wanted.items() if is_wanted)

    def deadline_s(self, target: Target) -> float:
        """After how many seconds the target's front ends a request."""
        return float(self.of(target).get("timeout_s", target.front.deadline_s))


def _whole(default: int, least: int, most: int) -> Setting:
    return Setting(int, default, least=least, most=most)


# One line here, a field above and a row in docs/configuration.md make a setting.
SETTINGS: Final[Mapping[str, Setting]] = {
    # https://cloud.google.com/resource-manager/docs/creating-managing-projects; "example.com:" in old ones
    "project": Setting(
        str,
        pattern=r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]",
        form="a project's ID, such as my-project-42",
    ),
    "region": Setting(str, pattern=r"[a-z]+(-[a-z]+)+[0-9]+", form="a region, such as europe-west1"),
    "generator": Setting(str, "embedded", choices=("embedded", "vertex")),
    "model": Setting(
        str,
        pattern=r"[A-Za-z0-9][A-Za-z0-9._@-]*(/[A-Za-z0-9._@:-]+)*",
        form="a model's name, or its resource name from publishers/ or projects/ on",
    ),
    "location": Setting(
        str, pattern=r"[a-z]+(-[a-z]+[0-9]+)?", form="where Vertex AI is, such as europe-west1 or global"
    ),
    "store": Setting(str, "memory", choices=("memory", "firestore")),
    "workers": _whole(1, 1, 64),
    "instances": _whole(1, 1, 1000),
    "first_token_ms": _whole(300, 0, 600_000),
    "tokens_per_s": Setting(float, 30.0, least=0.001, most=100_000),
    "max_output_tokens": _whole(1024, 1, 65_536),
    # deploy/requirements.txt is resolved for these
    "python": Setting(str, "3.13", choices=("3.11", "3.12", "3.13")),
}

# Set on many machines for other purposes (Cloud Shell, CI), so it names a project without having been asked.
_AMBIENT: Final = "GOOGLE_CLOUD_PROJECT"
_GCLOUD: Final = "gcloud's configuration"
_IMPLIED: Final = (_AMBIENT, _GCLOUD)
_GCLOUD_PROPERTIES: Final = {"project": ("core", "project"), "region": ("run", "region")}

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# The platform or the kit sets these: a value of the user's would be ignored, or break the start.
_RESERVED = re.compile(
    r"PORT|PATH|GAE_.*|K_.*|G(OOGLE_)?CLOUD_PROJECT"
    r"|STREAMPROOF_(TARGET|BIND|LAB|SHUTDOWN_GRACE_S|DEADLINE_S|GET_SEARCH|PROOF_UNTIL|PROOF_TOKEN_SHA256|TOKEN_SHA256|BUNDLE)"
)


def load_config(flags: Mapping[str, object], env: Mapping[str, str], cwd: Path) -> Config:
    """Everything that was set, by whomever.

    Args:
        flags: by name of the setting; None counts as not given. `env` is a list of "NAME=value", `set` one
            of "TARGET.KEY=value".
        env: the environment.
        cwd: where `kit.toml` lies, if there is one.

    Raises:
        KitError: BAD_CONFIG, one sentence that names who set what, and what was expected.
    """
    file = cwd / FILE
    table = Table.read(file, Code.BAD_CONFIG) if file.exists() else Table(file, {}, Code.BAD_CONFIG)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, setting in SETTINGS.items():
        for source, value in _candidates(name, setting, flags, env, table):
            # What was not said to the kit stops nobody who may not even need it.
            if value is not None and (source not in _IMPLIED or setting.allows(value)):
                values[name], sources[name] = _checked(name, setting, source, value), source
                break
    variables = [
        *((FILE, name, value) for name, value in table.texts("env").items()),
        *_pairs("KIT_ENV", env.get("KIT_ENV", "").split(), "NAME=value"),
        *_pairs("--env", flags.get("env"), "NAME=value"),
    ]
    wanted = [
        *_pairs("KIT_SET", env.get("KIT_SET", "").split(), "TARGET.KEY=value"),
        *_pairs("--set", flags.get("set"), "TARGET.KEY=value"),
    ]
    config = Config(
        **values,
        project_source=sources.get("project"),
        project_implied=sources.get("project") in _IMPLIED,
        env={name: _variable(source, name, value) for source, name, value in variables},
        targets=_target_settings(table.table("targets"), wanted, sources, values),
        app=read_app(table.table("app"), cwd),
    )
    table.done()
    return config


def _candidates(
    name: str, setting: Setting, flags: Mapping[str, object], env: Mapping[str, str], table: Table
) -> Iterator[tuple[str, object]]:
    """Who may have set it and to what, first the one who has the say."""
    in_file = table.take(name, setting.kind, None)
    yield f"--{name.replace('_', '-')}", flags.get(name)
    variable = f"KIT_{name.upper()}"
    told = env.get(variable)  # empty counts as not set
    yield variable, setting.parsed(told) if told else None
    if name == "project":
        yield _AMBIENT, env.get(_AMBIENT) or None
    yield FILE, in_file
    if name in _GCLOUD_PROPERTIES:
        yield _GCLOUD, gcloud_property(env, *_GCLOUD_PROPERTIES[name])


def _checked(name: str, setting: Setting, source: str, value: Any) -> Any:
    if setting.allows(value):
        return value
    who = f"{source}: {name}" if source == FILE else source
    raise _wrong(source, f"{who} is {value!r}.", f"Expected {setting.expected}.")


def _wrong(source: str, said: str, hint: str) -> KitError:
    """What is said of a wrong value, with the exit status that its source calls for."""
    return KitError(Code.BAD_CONFIG, said, hint, exit=Exit.FAILED if source == FILE else Exit.USAGE)


def _pairs(source: str, given: object, form: str) -> Iterator[tuple[str, str, str]]:
    """`--env NAME=value`, any number of times (in KIT_ENV with white space between): source, name, value."""
    for pair in given if isinstance(given, list | tuple) else ():
        name, equals, value = str(pair).partition("=")
        if not equals:
            raise _wrong(source, f"{source} is {pair!r}.", f"Expected {form}.")
        yield source, name, value


def _target_settings(
    table: Table, wanted: list[tuple[str, str, str]], sources: Mapping[str, str], values: Mapping[str, Any]
) -> dict[str, dict[str, Value]]:
    """What the targets know: `[targets.NAME]`, then KIT_SET, then --set, each checked against its target."""
    if not (table.raw or wanted or "instances" in values):
        return {}
    targets = load_targets()
    settings: dict[str, dict[str, Value]] = {}
    said: dict[tuple[str, str], str] = {}
    for name, target in targets.items():
        inner = table.table(name)
        for key in inner.raw.keys() & target.settings.keys():
            setting = target.settings[key]
            value: Value = inner.take(key, setting.kind)
            if not setting.allows(value):
                raise inner.bad(key, setting.expected)
            settings.setdefault(name, {})[key] = plain(value)
            said[name, key] = FILE
        inner.done(target.settings)
    table.done()
    for source, dotted, text in wanted:
        name, _, key = dotted.partition(".")
        known = list(targets[name].settings if name in targets else targets)
        if name not in targets or key not in targets[name].settings:
            of = f"a setting of {name}" if name in targets else "a target"
            hint = nearest(key if name in targets else name, known)
            raise _wrong(
                source, f"{source} {dotted}: {key if name in targets else name!r} is not {of}.", hint
            )
        setting = targets[name].settings[key]
        settings.setdefault(name, {})[key] = _checked(
            key, setting, f"{source} {dotted}", setting.parsed(text)
        )
        said[name, key] = source
    wishes = Config(**values, targets=settings)
    for target in targets.values():
        _keep_rules(target, wishes, said, sources)
    return settings


def _keep_rules(
    target: Target, wishes: Config, said: Mapping[tuple[str, str], str], sources: Mapping[str, str]
) -> None:
    values = wishes.of(target)
    try:
        found = first_broken(target.rules, values)
    except ValueError as error:
        raise KitError(
            Code.BAD_TARGET,
            f"{target.folder / 'target.toml'}: a rule is wrong: {error}.",
            "Correct the rule.",
        ) from None
    if found is None:
        return
    rule, keys = found
    follows = {key: target.settings[key].follows or "" for key in keys}
    by = [said.get((target.name, key)) or sources.get(follows[key], "") for key in keys]
    source = next((one for one in by if one and one != FILE), FILE)
    shown = ", ".join(f"{target.name}.{key} is {values[key]}" for key in keys)
    raise _wrong(source, f"{shown}, which do not go together: {rule.says}", "Change one of them.")


def _variable(source: str, name: str, value: str) -> str:
    """The value of an environment variable that a process can have and that is the user's to set."""
    if not _VARIABLE.fullmatch(name):
        raise _wrong(
            source,
            f"{name!r} cannot be the name of an environment variable.",
            "Use letters, digits and underscores, and do not begin with a digit.",
        )
    if _RESERVED.fullmatch(name):
        raise _wrong(
            source,
            f"The environment variable {name} is set by the platform or by the kit.",
            "Give yours another name.",
        )
    if setting := next((key for key in SETTINGS if name == f"STREAMPROOF_{key.upper()}"), None):
        raise _wrong(
            source,
            f"The environment variable {name} is made from the setting {setting}.",
            f"Set {setting} in {FILE}, or KIT_{setting.upper()}.",
        )
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise _wrong(
            source,
            f"The environment variable {name} holds a character that no process can be given.",
            "Leave out NUL characters and lone surrogates.",
        )
    return value
