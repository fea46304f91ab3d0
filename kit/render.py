"""Target + Config → Bundle: the folder that is deployed to a platform, file by file, the same to the byte
for the same input."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from kit import quoting
from kit.app import App
from kit.bundle import Bundle, Start, differences, write
from kit.config import FILE, SETTINGS, Config
from kit.errors import Code, KitError
from kit.secret_values import looks_secret
from kit.targets import Target, assets

if TYPE_CHECKING:
    import jinja2

__all__ = ["COMMAND", "Bundle", "differences", "environment", "render", "write"]

# The one way in which every bundle starts; for a user's own app the last word is the module around it.
COMMAND = ("gunicorn", "-c", "gunicorn.conf.py", "service.main:app")
AROUND = "streamproof_app"
PROOF = "streamproof_proof"
# What deploy/python.Dockerfile.j2 sets in an image beside its PATH.
_IN_IMAGES = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
_NAME_THERE = b'"mine.main:app"'

# What gunicorn.conf.py reads: all that an app of the user's own finds of the kit's settings.
_FOR_GUNICORN = ("TARGET", "WORKERS", "SHUTDOWN_GRACE_S")
_LEFT_OUT = ("__pycache__", "tests")


def render(target: Target, config: Config, release: Mapping[str, str] | None = None) -> Bundle:
    """The bundle of a target.

    Args:
        target: the target.
        config: what the user wants.
        release: variables of one deployment only, before which the bundle's own of the same name give way.

    Raises:
        KitError: BAD_CONFIG for a value that is missing or that the bundle cannot carry, BAD_TARGET for a
            template that is wrong or asks for a value that is not there, BAD_SOURCE or SECRET_IN_SOURCE for
            a user's own app that cannot be packaged, SECRET_IN_SOURCE for a variable that is one.
    """
    _check_variables(config)
    deploy = target.folder.parent
    # google-auth, which checks whose an ID token is, comes with Google's clients.
    google = _asks_vertex(config) or _stores(config) or config.asks_accounts
    lock = "requirements-google.txt" if google else "requirements.txt"
    contents, requirements = _contents(config.app, deploy, _read(deploy / lock))
    tops = {name.partition("/")[0]: "/" in name for name in sorted(contents)}
    files = {
        **contents,
        "gunicorn.conf.py": _read(deploy / "gunicorn.conf.py"),
        "requirements.txt": requirements,
    }
    own = {**config.of(target), "runtime": f"python{config.python.replace('.', '')}"}
    command = COMMAND if config.app is None else (*COMMAND[:-1], f"{AROUND}:app")
    variables = {**environment(target, config), **(release or {})}
    values = {
        **own,
        "app": config.app is not None,
        "mark": config.identity.mark,
        "secrets": {name: ref.partition(":")[0] for name, ref in sorted(config.secrets.items())},
        "folders": [name for name, is_folder in tops.items() if is_folder],
        "loose": [name for name, is_folder in tops.items() if not is_folder],
        "hashed": b"--hash=" in requirements,
        "command": command,
        "kit_environment": _kit_environment(target, config),
        "user_environment": dict(sorted(config.env.items())),
        "environment": variables,
        "image_environment": _IN_IMAGES,
        "python": config.python,
        "project": config.project,
        "region": config.region,
    }
    files |= {output: _fill(target, template, values) for template, output in target.templates.items()}
    in_image = _IN_IMAGES if "Dockerfile" in files else {}
    # No variable of the user's overrides the platform's own.
    start = Start(command, {**in_image, **variables, **target.environment_of(own)})
    return Bundle(target, dict(sorted(files.items())), start)


def _check_variables(config: Config) -> None:
    for name, value in config.env.items():
        if looks_secret(name, value) and name not in config.env_is_public:
            raise KitError(
                Code.SECRET_IN_SOURCE,
                f"The variable {name} looks like a secret, and would be written into the image in clear.",
                "Take it out of [env] (or --env, KIT_ENV), and have the platform keep it: kit deploy TARGET "
                f"--set-secrets {name}=SECRET:latest. On this machine --env-file FILE gives it, and writes "
                f"it nowhere. If it is no secret, say --env-is-public {name}.",
            )


def environment(target: Target, config: Config) -> dict[str, str]:
    """The environment variables of the bundle, the user's own after the kit's."""
    return {**_kit_environment(target, config), **dict(sorted(config.env.items()))}


def _contents(app: App | None, deploy: Path, lock: bytes) -> tuple[dict[str, bytes], bytes]:
    if app is None:
        return _service(assets() / "service"), lock
    from kit import requirements, source

    around = _read(deploy / f"{AROUND}.py").replace(_NAME_THERE, json.dumps(app.module).encode())
    files = {**source.files(app), f"{AROUND}.py": around}
    if app.proof:
        files[f"{PROOF}.py"] = _read(assets() / "service" / "proof.py")
    return files, requirements.combined(requirements.read(app.requirements), lock.decode())


def _asks_vertex(config: Config) -> bool:
    """Whether the kit's own service asks a model on Vertex AI; then which one, and where, must be said."""
    if config.generator != "vertex" or config.app is not None:
        return False
    for name in ("model", "location"):
        if getattr(config, name) is None:
            raise KitError(
                Code.BAD_CONFIG,
                f"The generator is vertex, and no {name} is set.",
                f"Set {name} in {FILE}, KIT_{name.upper()} or --{name}: {SETTINGS[name].expected}.",
            )
    return True


def _stores(config: Config) -> bool:
    """Whether the kit's own service keeps answers elsewhere than in its memory."""
    return config.store != "memory" and config.app is None


def _kit_environment(target: Target, config: Config) -> dict[str, str]:
    timeout_s = config.deadline_s(target)
    asks, stores = _asks_vertex(config), _stores(config)
    # A project that was only implied is not one to be charged; on Google Cloud the service's own is.
    project = None if config.project_implied else config.project
    values = {
        "TARGET": target.name,
        "GENERATOR": config.generator,
        "WORKERS": config.workers,
        "FIRST_TOKEN_MS": config.first_token_ms,
        "TOKENS_PER_S": f"{config.tokens_per_s:g}",
        "MAX_OUTPUT_TOKENS": config.max_output_tokens,
        "SHUTDOWN_GRACE_S": f"{_grace_s(target.front.shutdown_grace_s):g}",
        "DEADLINE_S": f"{max(timeout_s - 10, timeout_s / 2):g}",
        # A GET's prompt stands in the platform's request log, and its link lets every visitor spend money.
        "GET_SEARCH": "false" if asks else None,
        "MODEL": config.model if asks else None,
        "LOCATION": config.location if asks else None,
        "VERTEX_PROJECT": project if asks else None,
        "STORE": config.store if stores else None,
        "FIRESTORE_PROJECT": project if stores else None,
    }
    wanted = values if config.app is None else _FOR_GUNICORN
    return {f"STREAMPROOF_{name}": str(values[name]) for name in wanted if values[name] is not None}


def _grace_s(platform_s: float) -> float:
    """How long streams may go on after SIGTERM, so that every stream gets its end before SIGKILL."""
    return max(platform_s - 2, platform_s / 2)


def _service(folder: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for root, folders, names in os.walk(folder):
        folders[:] = filter(_kept, folders)
        inside = PurePath("service", os.path.relpath(root, folder)).as_posix()
        files |= {f"{inside}/{name}": Path(root, name).read_bytes() for name in filter(_kept, names)}
    return files


def _kept(name: str) -> bool:
    return name not in _LEFT_OUT and not name.startswith(".")


def _fill(target: Target, template: str, values: Mapping[str, Any]) -> bytes:
    import jinja2

    try:
        return _templates(target.folder).get_template(template).render(values).encode()
    except jinja2.TemplateError as error:
        raise KitError(
            Code.BAD_TARGET,
            f"{target.folder / template} cannot be rendered: {error}.",
            "Correct the template, or give the value in [settings] of its target.toml.",
        ) from None


@cache
def _templates(folder: Path) -> jinja2.Environment:
    """The templates of a target's folder and of the one above, compiled once until a file changes."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, folder.parent]),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - no HTML here; `finalize` refuses what is not quoted for its place
        finalize=_only_quoted,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        yaml=quoting.yaml,
        docker_env=quoting.docker_env,
        json=quoting.json_list,
        word=quoting.word,
        path=quoting.path,
    )
    return environment


def _only_quoted(value: object) -> object:
    """What a template may print: numbers, and texts that a filter made safe for their place."""
    import jinja2

    if isinstance(value, quoting.Quoted | jinja2.Undefined) or type(value) in (int, float):
        return value
    raise jinja2.TemplateRuntimeError(f"{value!r} is printed without a quoting filter")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise KitError(
            Code.BAD_TARGET, f"{file} cannot be read: {error.strerror}.", "Install the kit again."
        ) from None
