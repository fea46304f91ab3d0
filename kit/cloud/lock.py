"""One run at a time changes what is deployed from a folder; the system frees the lock of one that dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from kit.errors import Code, KitError
from kit.language import text

FOLDER: Final = ".kit"


@contextmanager
def locked(folder: Path, command: str | None = None) -> Iterator[None]:
    """Hold the lock of a working folder (FOLDER/.kit/lock), so that no other run changes its record.

    Args:
        folder: the working folder.
        command: what the others are told is running; "kit VERB" unless given (an argument may be secret).

    Raises:
        KitError: RECORD_LOCKED at once if another run holds it, naming that run; CANNOT_WRITE if there can
            be no lock in this folder.
    """
    path = state_folder(folder) / "lock"
    try:
        file = path.open("a+", encoding="utf-8", errors="replace")
    except OSError as error:
        raise _cannot(path, error) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise _held(path) from None
        except OSError as error:
            raise _cannot(path, error) from None
        try:
            _write(file, f"{os.getpid()} {command or _verb()}\n")
            yield
        finally:
            _write(file, "")
            fcntl.flock(file, fcntl.LOCK_UN)


def state_folder(folder: Path) -> Path:
    """FOLDER/.kit, made if need be, and kept out of the user's repository.

    Raises:
        KitError: CANNOT_WRITE.
    """
    state = folder / FOLDER
    try:
        state.mkdir(parents=True, exist_ok=True)
        ignore = state / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise _cannot(state, error) from None
    return state


def _verb() -> str:
    return " ".join(["kit", *(word for word in sys.argv[1:2] if word.isalpha())])


def _write(file: TextIO, text: str) -> None:
    with contextlib.suppress(OSError):  # a full disk: the lock itself holds all the same
        file.seek(0)
        file.truncate()
        file.write(text)
        file.flush()


def _held(path: Path) -> KitError:
    try:
        pid, _, command = path.read_text(encoding="utf-8", errors="replace").strip().partition(" ")
    except OSError:
        pid, command = "", ""
    if not pid.isdigit():
        return KitError(
            Code.RECORD_LOCKED,
            text("Another run of the kit is changing what is deployed from this folder."),
            text("Wait until it has ended, then run this again."),
        )
    shown = "".join(char for char in command if char.isprintable())[:60] or "kit"
    return KitError(
        Code.RECORD_LOCKED,
        text(
            "`{shown}` (process {pid}) is changing what is deployed from this folder.", shown=shown, pid=pid
        ),
        text("Wait until it has ended, or end it (kill {pid}); then run this again.", pid=pid),
    )


def _cannot(path: Path, error: OSError) -> KitError:
    return KitError(
        Code.CANNOT_WRITE,
        text("Cannot write {path}: {error}.", path=path, error=error.strerror or error),
        text("Free some room or correct the rights, or run the kit in another folder."),
    )
