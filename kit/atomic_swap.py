"""Put a finished folder in another's place in one step: no reader sees half of it."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_AT_FDCWD = -100
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux's renameat2(2), RENAME_SWAP of macOS's renamex_np(2)


def swap(new: Path, old: Path) -> None:
    """Afterwards `old` holds what `new` held, and `new`, if `old` existed, the reverse.

    Linux and macOS exchange the two names in one call. Where the system or the file system cannot, it takes
    two renames; an error between them is undone, and only a crash exactly there leaves the old folder
    beside its place, under the name of `new` with `.old` at its end.
    """
    if not old.exists():
        new.rename(old)
        return
    if _exchange(new, old):
        return
    aside = new.with_name(f"{new.name}.old")
    old.rename(aside)
    try:
        new.rename(old)
    except BaseException:
        aside.rename(old)
        raise
    aside.rename(new)


def _exchange(one: Path, other: Path) -> bool:
    libc = ctypes.CDLL(None)
    first, second = os.fsencode(one), os.fsencode(other)
    if hasattr(libc, "renameat2"):
        failed = libc.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, ctypes.c_uint(_EXCHANGE))
    elif hasattr(libc, "renamex_np"):
        failed = libc.renamex_np(first, second, ctypes.c_uint(_EXCHANGE))
    else:
        return False
    return not failed
