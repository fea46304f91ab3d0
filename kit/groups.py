"""A process group of the kit's own, ended whole."""

from __future__ import annotations

import os
import signal
from contextlib import suppress


def kill_group(group: int, *, session: int | None = None, reaped: bool) -> None:
    """SIGKILL to what is left of a process group; nothing where none of it is.

    A process with the group's number is its leader, or another's once that was reaped and no member lives.
    It is the leader where it was not reaped, or is in a session whose own process was not.

    Args:
        group: its number, which is that of the process that it was begun with.
        session: the process whose session it is in; that same one unless given.
        reaped: whether the session's process was waited for already.
    """
    with suppress(ProcessLookupError, PermissionError):
        if not _exists(group) or (not reaped and session in (None, os.getsid(group))):
            os.killpg(group, signal.SIGKILL)


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
