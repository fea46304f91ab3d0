"""Whose code may run on this machine: each folder is confirmed once, in FOLDER/.kit/trusted.json.

Beside the path stands the folder's identity on this disk. A repository that brings such a file along cannot
know that, so it cannot vouch for itself.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from kit import own_folder
from kit.errors import Code, KitError

_FILE: Final = Path(".kit", "trusted.json")


def is_trusted(working: Path, source: Path) -> bool:
    """Whether that source was confirmed from this working folder. What cannot be read says no."""
    path, identity = _identity(source)
    return _read(working / _FILE).get(path) == identity


def trust(working: Path, source: Path) -> None:
    """Remember that it was confirmed. Raises KitError (cannot-write)."""
    path, identity = _identity(source)
    file = working / _FILE
    text = json.dumps({"schema_version": 1, "paths": {**_read(file), path: identity}}, indent=2) + "\n"
    new = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        own_folder.make(file.parent)
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        raise KitError(
            Code.CANNOT_WRITE,
            f"Cannot write {file}: {error.strerror}.",
            "Correct the rights of that folder, or say --yes each time.",
        ) from None


def _identity(source: Path) -> tuple[str, str]:
    path = source.resolve()
    try:
        found = path.stat()
    except OSError:
        return os.fspath(path), ""
    return os.fspath(path), f"{found.st_dev}:{found.st_ino}"


def _read(file: Path) -> dict[str, str]:
    try:
        paths = json.loads(file.read_text(encoding="utf-8"))["paths"]
        return {str(path): str(identity) for path, identity in paths.items() if identity}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
