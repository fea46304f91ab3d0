"""The user's settings: flags, then the environment, then `kit.toml`, then gcloud's own configuration.

A plain setting is a field of `Config`, a key of `kit.toml`, an environment variable `KIT_…` in capitals and,
where a verb offers it, a flag. What only one target knows (an instance class, an amount of memory) is
`--set TARGET.KEY=VALUE`, `KIT_SET` or a table `[targets.NAME]`, and is checked against its target.toml.

A wrong flag or variable is wrong usage (exit 2), a wrong file is an error (exit 1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from kit.app import App, read_app
from kit.dotenv import parse_dotenv
from kit.errors import Code, Exit, KitError
from kit.gcloud_config import gcloud_property
from kit.schema import STRICT, Convert, nearest, parse, read_toml
from kit.settings import Setting, Value
from kit.targets import Target, load_targets

if TYPE_CHECKING:
    from kit.identity import Identity

FILE: Final = "kit.toml"


def _plain(default: Value | None, meaning: str, **limits: Any) -> Any:
    """A plain setting, a field of `Config`: docs/configuration.md has its row from here."""
    setting = Setting(default=default, meaning=meaning, **limits)
    return field(default=default, metadata={"setting": setting})


@dataclass(frozen=True, slots=True)
class Config:
    """What the user wants. Of the plain settings None is one that is not set.

    Attributes:
        project_source: who named the project, for people: "--project", "KIT_PROJECT", "kit.toml" and so on.
        project_implied: True where it was not named for this kit (GOOGLE_CLOUD_PROJECT, gcloud's
            configuration): to be confirmed before anything is created in it.
        env: further environment variables of the service.
        local_env: variables that it has on this machine only, and that are written into no bundle.
        secrets: variables whose values a platform keeps, each by the name and version of its secret there,
            "openai:latest".
        env_is_public: names of variables in `env` that only look like secrets.
        targets: for each target what differs from the defaults in its target.toml.
        app: the user's own app, which is deployed instead of the kit's service; None for that one.
    """

    project: str | None = _plain(
        None,
        "Google Cloud project. One that was not named for the kit (`GOOGLE_CLOUD_PROJECT`, gcloud's "
        "configuration) is confirmed before anything is created in it",
        # https://cloud.google.com/resource-manager/docs/creating-managing-projects; old ones: "example.com:…"
        pattern=r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]",
        form="a project's ID, such as my-project-42",
    )
    region: str | None = _plain(
        None,
        "where the services go that need a region",
        pattern=r"[a-z]+(-[a-z]+)+[0-9]+",
        form="a region, such as europe-west1",
    )
    generator: str = _plain(
        "embedded",
        "who writes the text. With any but the embedded one, prompts are taken by POST only. `vertex` asks a "
        "model on Vertex AI, which costs money, with the service account's own credentials; in the lab with "
        "yours (`gcloud auth application-default login`)",
        choices=("embedded", "vertex"),
    )
    model: str | None = _plain(
        None,
        "the model on Vertex AI; `vertex` needs it",
        pattern=r"[A-Za-z0-9][A-Za-z0-9._@-]*(/[A-Za-z0-9._@:-]+)*",
        form="a model's name, or its resource name from publishers/ or projects/ on",
    )
    location: str | None = _plain(
        None,
        "where that model is asked; `vertex` needs it",
        pattern=r"[a-z]+(-[a-z]+[0-9]+)?",
        form="where Vertex AI is, such as europe-west1 or global",
    )
    store: str = _plain(
        "memory",
        "where answers are kept that are asked for in pieces or gone on with: each instance's memory, or "
        "Firestore as well, which several instances need and which costs money",
        choices=("memory", "firestore"),
    )
    workers: int = _plain(
        1,
        "worker processes of an instance. With more than one a lock-step proof may miss its stream, and "
        "falls back to pause",
        range=(1, 64),
    )
    instances: int = _plain(1, "instances of every target at most; the same holds", range=(1, 1000))
    first_token_ms: int = _plain(300, "milliseconds until the embedded text begins", range=(0, 600_000))
    tokens_per_s: float = _plain(30.0, "its tokens a second after that", range=(0.001, 100_000))
    max_output_tokens: int = _plain(1024, "tokens of an answer at most", range=(1, 65_536))
    # deploy/requirements.txt is resolved for these
    python: str = _plain("3.13", "which Python the bundle runs on", choices=("3.11", "3.12", "3.13"))
    project_source: str | None = None
    project_implied: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    local_env: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict)
    env_is_public: tuple[str, ...] = ()
    targets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    app: App | None = None

    def of(self, target: Target) -> dict[str, Any]:
        """The target's own settings: its defaults, with what the user wants instead."""
        follow = {name: setting.follows for name, setting in target.settings.items() if setting.follows}
        followed = {name: getattr(self, of_all) for name, of_all in follow.items()}
        own = target.defaults if self.app is None else target.defaults_for(self.identity.name)
        return {**own, **followed, **self.targets.get(target.name, {})}

    @property
    def identity(self) -> Identity:
        """Which app is deployed: the user's own, or the kit's service."""
        from kit.identity import identity

        return identity(self.app)

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


SETTINGS: Final[Mapping[str, Setting]] = {
    each.name: each.metadata["setting"] for each in fields(Config) if "setting" in each.metadata
}

# Set on many machines for other purposes (Cloud Shell, CI), so it names a project without having been asked.
_AMBIENT: Final = "GOOGLE_CLOUD_PROJECT"
_GCLOUD: Final = "gcloud's configuration"
_IMPLIED: Final = (_AMBIENT, _GCLOUD)
_GCLOUD_PROPERTIES: Final = {"project": ("core", "project"), "region": ("run", "region")}

# https://docs.cloud.google.com/run/docs/configuring/services/secrets
_SECRET = re.compile(r"(projects/[a-z0-9:.-]+/secrets/)?[A-Za-z0-9_-]{1,255}:[A-Za-z0-9_-]{1,63}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# The platform or the kit sets these: a value of the user's would be ignored, or break the start.
_RESERVED = re.compile(
    r"PORT|PATH|GAE_.*|K_.*|G(OOGLE_)?CLOUD_PROJECT"
    r"|STREAMPROOF_(TARGET|BIND|LAB|SHUTDOWN_GRACE_S|DEADLINE_S|GET_SEARCH|PROOF_UNTIL|PROOF_TOKEN_SHA256|TOKEN_SHA256|BUNDLE|VERSION|APP)"
)


def load_config(flags: Mapping[str, object], env: Mapping[str, str], cwd: Path) -> Config:
    """Everything that was set: by flags, in the environment, in `kit.toml`, in gcloud's configuration.

    Args:
        flags: by name of the setting; None counts as not given. `env` is a list of "NAME=value", `set` one
            of "TARGET.KEY=value", `env_file` a file of "NAME=value" lines, `set_secrets` a list of
            "NAME=SECRET:VERSION", with commas between or not, `env_is_public` one of names.
        env: the environment.
        cwd: where `kit.toml` lies, if there is one.

    Raises:
        KitError: BAD_CONFIG, one sentence that names who set what, and what was expected.
    """
    file = cwd / FILE
    table = _read(file) if file.exists() else {}
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, setting in SETTINGS.items():
        for source, value in _candidates(name, setting, flags, env, table):
            # A wrong value that was not set for the kit stops no command, which may not even need it.
            if value is not None and (source not in _IMPLIED or setting.allows(value)):
                values[name], sources[name] = _checked(name, setting, source, value), source
                break
    variables = [
        *((FILE, name, value) for name, value in table.get("env", {}).items()),
        *_pairs("KIT_ENV", env.get("KIT_ENV", "").split(), "NAME=value"),
        *_pairs("--env", flags.get("env"), "NAME=value"),
    ]
    wanted = [
        *_pairs("KIT_SET", env.get("KIT_SET", "").split(), "TARGET.KEY=value"),
        *_pairs("--set", flags.get("set"), "TARGET.KEY=value"),
    ]
    given = {name: _variable(source, name, value) for source, name, value in variables}
    return Config(
        **values,
        project_source=sources.get("project"),
        project_implied=sources.get("project") in _IMPLIED,
        env=given,
        local_env=_local(cwd, flags.get("env_file")),
        secrets=_secrets(table.get("secrets", {}), flags.get("set_secrets"), given),
        env_is_public=(*table.get("env_is_public", ()), *_texts(flags.get("env_is_public"))),
        targets=_target_settings(file, table.get("targets", {}), wanted, sources, values),
        app=read_app(table["app"], cwd, file, Code.BAD_CONFIG, at="app") if table.get("app") else None,
    )


def _read(file: Path) -> dict[str, Any]:
    """What `kit.toml` holds, its plain settings checked for their type, [targets] and [app] not yet."""
    raw = read_toml(file, Code.BAD_CONFIG)
    return _given(parse(_file(), raw, file, Code.BAD_CONFIG))


@cache
def _file() -> type[Any]:
    kinds = {name: setting.kind for name, setting in SETTINGS.items()}
    tables = {"env": dict[str, str], "targets": dict[str, Any], "app": dict[str, Any]}
    secrets = {"secrets": dict[str, str], "env_is_public": tuple[str, ...]}
    return _table("File", {**kinds, **tables, **secrets})


def _table(name: str, kinds: Mapping[str, Any]) -> type[Any]:
    keys = [(key, kind | None, None) for key, kind in kinds.items()]
    return make_dataclass(name, keys, namespace={"__pydantic_config__": STRICT})


def _given(table: object) -> dict[str, Any]:
    return {key: value for key, value in vars(table).items() if value is not None}


def _candidates(
    name: str, setting: Setting, flags: Mapping[str, object], env: Mapping[str, str], table: Mapping[str, Any]
) -> Iterator[tuple[str, object]]:
    """Who may have set it and to what, first the one who has the say."""
    yield f"--{name.replace('_', '-')}", flags.get(name)
    variable = f"KIT_{name.upper()}"
    text = env.get(variable)  # empty counts as not set
    yield variable, setting.parsed(text) if text else None
    if name == "project":
        yield _AMBIENT, env.get(_AMBIENT) or None
    yield FILE, table.get(name)
    if name in _GCLOUD_PROPERTIES:
        yield _GCLOUD, gcloud_property(env, *_GCLOUD_PROPERTIES[name])


def _checked(name: str, setting: Setting, source: str, value: Any) -> Any:
    if setting.allows(value):
        return value
    who = f"{source}: {name}" if source == FILE else source
    raise _wrong(source, f"{who} is {value!r}.", f"Expected {setting.expected}.")


def _wrong(source: str, said: str, hint: str) -> KitError:
    """The error for a wrong value, with the exit status that its source calls for."""
    return KitError(Code.BAD_CONFIG, said, hint, exit=Exit.FAILED if source == FILE else Exit.USAGE)


def _texts(given: object) -> tuple[str, ...]:
    return tuple(map(str, given)) if isinstance(given, list | tuple) else ()


def _secrets(table: Mapping[str, str], flag: object, variables: Mapping[str, str]) -> dict[str, str]:
    """Which secrets are given as variables. None of what is wrong is repeated: it may be a secret itself."""
    form = "NAME=SECRET:VERSION, as in OPENAI_API_KEY=openai:latest: the name that the platform keeps it by"
    pairs = [(FILE, name, value) for name, value in table.items()]
    for text in ",".join(_texts(flag)).split(","):
        name, equals, value = text.strip().partition("=")
        if text.strip() and not equals:
            raise _wrong("--set-secrets", "A part of --set-secrets names no secret.", f"Expected {form}.")
        pairs += [("--set-secrets", name, value)] if equals else []
    found = {}
    for source, name, value in pairs:
        found[name] = _variable(source, name, value)
        if not _SECRET.fullmatch(value):
            said = f"{source} gives the variable {name} what is no secret's name and version."
            raise _wrong(source, said, f"Expected {form}. The value itself is never written here.")
        if name in variables:
            said = f"The variable {name} is set to a text and to a secret."
            raise _wrong(source, said, f"Take {name} out of [env] (or --env, KIT_ENV).")
    return found


def _pairs(source: str, given: object, form: str) -> Iterator[tuple[str, str, str]]:
    """`--env NAME=value`, any number of times (in KIT_ENV with white space between): source, name, value."""
    for pair in given if isinstance(given, list | tuple) else ():
        name, equals, value = str(pair).partition("=")
        if not equals:
            raise _wrong(source, f"{source} is {pair!r}.", f"Expected {form}.")
        yield source, name, value


def _local(cwd: Path, file: object) -> dict[str, str]:
    if file is None:
        return {}
    source = "--env-file"
    try:
        variables = parse_dotenv((cwd / str(file)).read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        if isinstance(error, UnicodeDecodeError):
            why = "it is no text"
        raise _wrong(source, f"{file} cannot be read: {why}.", "Name a file of NAME=VALUE lines.") from None
    return {name: _variable(source, name, value) for name, value in variables.items()}


def _target_settings(
    file: Path,
    table: Mapping[str, Any],
    wanted: list[tuple[str, str, str]],
    sources: Mapping[str, str],
    values: Mapping[str, Any],
) -> dict[str, dict[str, Value]]:
    """What the targets know: `[targets.NAME]`, then KIT_SET, then --set, each checked against its target."""
    if not (table or wanted or "instances" in values):
        return {}
    targets = load_targets()
    settings: dict[str, dict[str, Value]] = _in_file(file, table, targets) if table else {}
    set_by = {(name, key): FILE for name, inner in settings.items() for key in inner}
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
        set_by[name, key] = source
    config = Config(**values, targets=settings)
    for target in targets.values():
        _keep_rules(target, config, set_by, sources)
    return settings


def _in_file(
    file: Path, table: Mapping[str, Any], targets: Mapping[str, Target]
) -> dict[str, dict[str, Value]]:
    tables = {
        name: _table(
            name, {key: Annotated[one.kind, Convert(one.checked)] for key, one in target.settings.items()}
        )
        for name, target in targets.items()
    }
    found = _given(parse(_table("targets", tables), table, file, Code.BAD_CONFIG, at="targets"))
    return {name: _given(inner) for name, inner in found.items()}


def _keep_rules(
    target: Target, config: Config, set_by: Mapping[tuple[str, str], str], sources: Mapping[str, str]
) -> None:
    values = config.of(target)
    broken = next((rule for rule in target.rules if not rule.is_kept(values)), None)
    if broken is None:
        return
    keys = [key for key in values if key in broken.names]
    follows = {key: target.settings[key].follows or "" for key in keys}
    by = [set_by.get((target.name, key)) or sources.get(follows[key], "") for key in keys]
    source = next((one for one in by if one and one != FILE), FILE)
    shown = ", ".join(
        f"{target.name}.{key} is {'empty' if values[key] == '' else values[key]}" for key in keys
    )
    raise _wrong(source, f"{shown}, which do not go together: {broken.says}", "Change one of them.")


def _variable(source: str, name: str, value: str) -> str:
    """The value of an environment variable that a process can have and that is the user's to set."""
    variable = f"The environment variable {name}"
    setting = next((key for key in SETTINGS if name == f"STREAMPROOF_{key.upper()}"), "")
    if not _VARIABLE.fullmatch(name):
        said = f"{name!r} cannot be the name of an environment variable."
        hint = "Use letters, digits and underscores, and do not begin with a digit."
    elif _RESERVED.fullmatch(name):
        said, hint = f"{variable} is set by the platform or by the kit.", "Give yours another name."
    elif setting:
        said = f"{variable} is made from the setting {setting}."
        hint = f"Set {setting} in {FILE}, or KIT_{setting.upper()}."
    elif "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        said = f"{variable} holds a character that no process can be given."
        hint = "Leave out NUL characters and lone surrogates."
    else:
        return value
    raise _wrong(source, said, hint)
