"""A process group of the kit's own, ended whole."""

from __future__ import annotations

import os
import signal
from contextlib import suppress


def kill_group(leader: int, *, reaped: bool) -> None:
    """SIGKILL to what is left of a process group; nothing where none of it is.

    Its number is its leader's alone while the leader waits to be reaped or a member lives. Once
    the leader was reaped, a process of that number is another's.

    Args:
        leader: the process that the group was begun with.
        reaped: whether its end was waited for already.
    """
    with suppress(ProcessLookupError, PermissionError):
        if not (reaped and _exists(leader)):
            os.killpg(leader, signal.SIGKILL)


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
