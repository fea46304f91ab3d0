"""How a rendered bundle is started: its own command and environment, read from what would be deployed.

The platform is told by what lies in the bundle: an app.yaml with `env: flex` is Flexible's, any other
app.yaml Standard's, none at all Cloud Run's. The command is Standard's `entrypoint:`, else the Dockerfile's
JSON ENTRYPOINT and CMD. No shell ever sees it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import Code, KitError

# What a Dockerfile says about its image's own Python means nothing outside that image.
_OF_THE_IMAGE = frozenset({"PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "HOME"})

# Each platform's documented variables (PORT apart), with values that say where they come from.
# Standard: Google's runtime pages, one identical table. Flexible: as seen in a live container.
# Cloud Run: its container contract.
_STANDARD = {
    "GAE_APPLICATION": "s~streamproof-lab",
    "GAE_DEPLOYMENT_ID": "1",
    "GAE_ENV": "standard",
    "GAE_INSTANCE": "lab-standard",
    "GAE_MEMORY_MB": "384",
    "GAE_SERVICE": "default",
    "GAE_VERSION": "lab",
    "GOOGLE_CLOUD_PROJECT": "streamproof-lab",
    "PYTHONUNBUFFERED": "TRUE",
}
_FLEX = {
    "GAE_DEPLOYMENT_ID": "1",
    "GAE_INSTANCE": "aef-default-lab-0000",
    "GAE_MEMORY_MB": "614",
    "GAE_SERVICE": "default",
    "GAE_VERSION": "lab",
    "GCLOUD_PROJECT": "streamproof-lab",
    "GOOGLE_CLOUD_PROJECT": "streamproof-lab",
}
_RUN = {"K_SERVICE": "streamproof", "K_REVISION": "streamproof-00001-lab", "K_CONFIGURATION": "streamproof"}


_TOKEN = re.compile(r"\\(?P<escaped>.)|\$\{(?P<braced>\w+)\}|\$(?P<bare>\w+)|(?P<other>.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Start:
    """A command and the environment it gets from its platform and its bundle (PORT apart)."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


def read_start(bundle: Path) -> Start:
    """How the bundle in that folder is started. Raises `KitError` (bad-target) when it does not say."""
    app = _read_app_yaml(bundle)
    dockerfile = bundle / "Dockerfile"
    image = read_dockerfile(dockerfile.read_text(), dockerfile) if dockerfile.is_file() else None
    variables = {str(name): str(value) for name, value in (app.get("env_variables") or {}).items()}
    service = {"GAE_SERVICE": str(app["service"])} if "service" in app else {}

    if not app:
        platform = _RUN
    elif app.get("env") in {"flex", "flexible"}:
        platform = _FLEX | service
    else:
        platform = _STANDARD | service | {"GAE_RUNTIME": str(app.get("runtime", ""))}

    entrypoint = app.get("entrypoint")
    if entrypoint:
        argv = _split(str(entrypoint), bundle / "app.yaml")
    elif image is not None:
        argv = image.argv
    else:
        raise _unclear(bundle, "names no command: neither an entrypoint in app.yaml nor a Dockerfile.")
    of_image = image.env if image is not None else {}
    # The platform's own variables cannot be overridden.
    return Start(argv, {**of_image, **variables, **platform})


def read_dockerfile(text: str, path: Path) -> Start:
    """The command and the ENV of a Dockerfile's last stage, with what it inherits from earlier ones."""
    stages: dict[str, Start] = {}
    name, stage = "", Start((), {})
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    for instruction, rest in _instructions(text):
        if instruction == "FROM":
            words = [word for word in rest.split() if not word.startswith("--")]
            stage = stages.get(words[0].lower(), Start((), {})) if words else stage
            name = words[2].lower() if len(words) == 3 else ""
            entrypoint, command = (), stage.argv
        elif instruction == "ENV":
            stage = Start(stage.argv, {**stage.env, **_read_env(rest, stage.env)})
        elif instruction == "ENTRYPOINT":
            entrypoint, command = _read_json(rest, path), ()
        elif instruction == "CMD":
            command = _read_json(rest, path)
        stage = Start((*entrypoint, *command), stage.env)
        stages[name] = stage
    if not stage.argv:
        raise _unclear(path, "has no CMD.")
    return Start(stage.argv, {key: value for key, value in stage.env.items() if key not in _OF_THE_IMAGE})


def _read_app_yaml(bundle: Path) -> dict[str, Any]:
    path = bundle / "app.yaml"
    if not path.is_file():
        return {}
    import yaml

    try:
        app = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise _unclear(path, f"is no YAML: {str(error).splitlines()[0]}.") from error
    if not isinstance(app, dict) or not isinstance(app.get("env_variables") or {}, dict):
        raise _unclear(path, "is not an app.yaml.")
    return app


def _split(command: str, path: Path) -> tuple[str, ...]:
    """An entrypoint as words. What only a shell could do is refused, not guessed."""
    if re.search(r"[$`;|&<>\n]", command):
        raise _unclear(path, f"has an entrypoint that needs a shell: {command!r}.")
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise _unclear(path, f"has an entrypoint that cannot be split: {error}.") from error


def _instructions(text: str) -> list[tuple[str, str]]:
    """Instruction and rest, line continuations joined, comments left out."""
    joined: list[str] = []
    pending = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#") or (pending and not line.strip()):
            continue
        pending += line.strip()
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        if pending:
            joined.append(pending)
        pending = ""
    if pending.strip():
        joined.append(pending.strip())
    pairs = (line.partition(" ") for line in joined)
    return [(word.upper(), rest.strip()) for word, _, rest in pairs]


def _read_env(rest: str, known: Mapping[str, str]) -> dict[str, str]:
    """`A=1 B="2 3"`, or the old form `A 1`; `$A` and `${A}` stand for what was set before this line."""
    name, _, value = rest.partition(" ")
    if "=" not in name:
        return {name: value.strip()}
    pairs = (word.partition("=") for word in _words(rest, known))
    return {name: value for name, _, value in pairs}


def _words(text: str, known: Mapping[str, str]) -> list[str]:
    """Docker's words (docs.docker.com/reference/dockerfile, "ENV" and "Environment replacement").

    A backslash escapes, single quotes keep everything as it is, double quotes keep blanks.
    """
    words: list[str] = []
    word: str | None = None
    quote = ""
    for token in _TOKEN.finditer(text):
        escaped, variable, character = token["escaped"], token["braced"] or token["bare"], token["other"]
        if quote == "'" and character != "'":
            word = (word or "") + token[0]
        elif character and character in "'\"" and quote in {"", character}:
            word, quote = word or "", "" if quote else character
        elif character and character.isspace() and not quote:
            words += [] if word is None else [word]
            word = None
        elif variable:
            word = (word or "") + known.get(variable, "")
        elif escaped:
            # Inside double quotes a backslash before anything else stays.
            word = (word or "") + (token[0] if quote and escaped not in '"$\\' else escaped)
        else:
            word = (word or "") + token[0]
    return words if word is None else [*words, word]


def _read_json(rest: str, path: Path) -> tuple[str, ...]:
    try:
        words = json.loads(rest)
    except ValueError:
        words = None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise _unclear(path, f"has a command that is not a JSON list: {rest!r}.")
    return tuple(words)


def _unclear(path: Path, what: str) -> KitError:
    return KitError(
        Code.BAD_TARGET,
        f"{path} {what}",
        "Render the bundle again (`kit render --force`), or mend the target's template in deploy/.",
    )
