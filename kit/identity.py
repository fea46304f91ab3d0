"""An app's identity: the name of its services, and the mark that tells its deployments from another app's.

Both are the same in every checkout of one repository: where git knows where the app comes from, they are made
from that, and not from the folder that it lies in.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from kit.app import App
from kit.settings import fitted
from kit.source import without_gits_own

# A label's value on Cloud Run and on Kubernetes has at most 63 characters.
# https://docs.cloud.google.com/run/docs/configuring/services/labels
_MARK_CHARACTERS: Final = 63
_DIGITS: Final = 8
# In a URL of App Engine's "-dot-" stands for a dot, names that begin with "ah-" are its own, and the service
# `default` is the app's first one.
_NOT_A_NAME: Final = re.compile(r"[^a-z].*|ah-.*|default|")


@dataclass(frozen=True, slots=True)
class Identity:
    """Which app it is.

    Attributes:
        name: a DNS label that begins with a letter, of any length; `kit.settings.fitted` shortens it.
        mark: a label's value: lower-case letters, digits and hyphens, 63 at most.
    """

    name: str
    mark: str


KIT: Final = Identity("streamproof", "streamproof")


def identity(app: App | None) -> Identity:
    """Of the user's own app, or of the kit's service where there is none.

    An app that has no `name` in kit.toml is called after its repository and its folder in it, and told from
    others by the repository's address, that folder and its module; where git knows no address, by its path on
    this disk.
    """
    if app is None:
        return KIT
    if app.name is not None:
        return _made(app.name, app.name)
    called, where = _origin(app.source.resolve())
    return _made(called, f"{where}:{app.module}")


def _made(called: str, unique: str) -> Identity:
    name = re.sub(r"[^a-z0-9]+", "-", called.lower()).replace("-dot-", "-").strip("-")
    if _NOT_A_NAME.fullmatch(name):
        name = f"app-{name}".rstrip("-")
    digest = sha256(os.fsencode(unique)).hexdigest()[:_DIGITS]
    return Identity(name, f"{fitted(name, _MARK_CHARACTERS - _DIGITS - 1)}-{digest}")


@cache
def _origin(folder: Path) -> tuple[str, str]:
    """What a folder is called, and where it comes from: by git, else by its path."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None:
        return folder.name, str(folder)
    inside = folder.relative_to(Path(top).resolve()).as_posix()
    address = _git(folder, "config", "--get", "remote.origin.url")
    if not address:
        return f"{Path(top).name}/{inside}", str(folder)
    # The same repository by https and by ssh, with a CI's token in its address or without.
    _, _, rest = address.rpartition("://")
    repository = rest.rpartition("@")[2].replace(":", "/").rstrip("/").removesuffix(".git")
    return f"{repository.rpartition('/')[2]}/{inside}", f"{repository.lower()}/{inside}"


def _git(folder: Path, *words: str) -> str | None:
    """What git says there, in a line; None where it knows nothing, or is not installed."""
    try:
        said = subprocess.run(
            ["git", "-C", str(folder), *words],
            env=without_gits_own(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError:
        return None
    return os.fsdecode(said.stdout).strip() if said.returncode == 0 else None
