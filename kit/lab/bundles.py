"""How a rendered bundle is started: its own command and environment, read from what would be deployed.

The platform is told by what lies in the bundle: an app.yaml with `env: flex` is Flexible's, any other
app.yaml Standard's, none at all Cloud Run's. The command is Standard's `entrypoint:`, else the Dockerfile's
JSON ENTRYPOINT and CMD. No shell ever sees it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.lab.dockerfile import read_image, unclear

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


@dataclass(frozen=True, slots=True)
class Start:
    """A command and the environment it gets from its platform and its bundle (PORT apart)."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


def read_start(bundle: Path) -> Start:
    """How the bundle in that folder is started. Raises `KitError` (bad-target) when it does not say."""
    app = _read_app_yaml(bundle)
    dockerfile = bundle / "Dockerfile"
    image = read_image(dockerfile.read_text(), dockerfile) if dockerfile.is_file() else None
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
        raise unclear(bundle, "names no command: neither an entrypoint in app.yaml nor a Dockerfile.")
    of_image = image.env if image is not None else {}
    # The platform's own variables cannot be overridden.
    return Start(argv, {**of_image, **variables, **platform})


def _read_app_yaml(bundle: Path) -> dict[str, Any]:
    path = bundle / "app.yaml"
    if not path.is_file():
        return {}
    import yaml

    try:
        app = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise unclear(path, f"is no YAML: {str(error).splitlines()[0]}.") from error
    if not isinstance(app, dict) or not isinstance(app.get("env_variables") or {}, dict):
        raise unclear(path, "is not an app.yaml.")
    return app


def _split(command: str, path: Path) -> tuple[str, ...]:
    """An entrypoint as words. What only a shell could do is refused, not guessed."""
    if re.search(r"[$`;|&<>\n]", command):
        raise unclear(path, f"has an entrypoint that needs a shell: {command!r}.")
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise unclear(path, f"has an entrypoint that cannot be split: {error}.") from error
