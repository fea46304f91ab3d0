"""Holds one command on a leash: whatever happens to the kit, it and what it started do not outlive the kit.

Run as a script of its own, `python -I -S leash.py GRACE_S ARGV…`, at the head of a session; it imports
nothing of the kit. ARGV runs in its process group with the same standard output and error, and without an
input. ARGV ends: so does the leash, with the same status (128 + N after signal N). Its standard input speaks
or ends: the kit wants it stopped, or is gone; the group gets SIGTERM, and after the grace SIGKILL, the leash
with it.

`kit.lab.leash` holds a service, whose output goes to a file and whose folder goes with it; this one holds a
command, whose output the kit reads: a gcloud, or a user's own client.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

_DEAF_TO = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(grace_s: float, argv: list[str]) -> int:
    """Start `argv` and see it to its end."""
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    for number in _DEAF_TO:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write)

    child = _start(argv)
    status = _wait(child, [wake, 0], None)
    os.killpg(0, signal.SIGTERM)  # to whatever it left behind, too; this process is deaf to it
    if status is None:
        status = _wait(child, [wake], grace_s)
        os.killpg(0, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(status or 0)
    return code if code >= 0 else 128 - code


def _start(argv: list[str]) -> int:
    pid = os.fork()
    if pid:
        return pid
    for number in (*_DEAF_TO, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        os.execv(argv[0], argv)  # noqa: S606 (an argv list, no shell)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _wait(child: int, ears: list[int], limit_s: float | None) -> int | None:
    """The child's wait status; None when the standard input said or ended something, or the limit is over."""
    until = None if limit_s is None else time.monotonic() + limit_s
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        left_s = None if until is None else until - time.monotonic()
        if left_s is not None and left_s <= 0:
            return None
        ready, _, _ = select.select(ears, [], [], left_s)
        if 0 in ready:
            return None
        if ready:
            os.read(ready[0], 64)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
