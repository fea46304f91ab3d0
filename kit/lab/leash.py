"""Holds one service or front on a leash: whatever happens to the kit, it does not outlive the kit.

Run as a script of its own, `python -I -S leash.py FOLDER GRACE_S LOG ARGV…`; it imports nothing of the kit.
It starts ARGV in a process group of its own and waits for one of two things. The service ends: so does the
leash, with the same status. Or its standard input speaks or ends: `f` freezes the group (SIGSTOP), `c` has it
continue (SIGCONT), `s` stops the service (SIGTERM, the grace, SIGKILL to the group), `k` kills it at once,
and an end without a word means that the kit is gone, and a front that spoke too: the service is stopped, and
FOLDER, which nothing else would remove, goes too, with the folder around it once that is empty. What is
stopped while it is frozen continues first: else it would sleep through its grace. The first line on standard
output is the group's number.

A pipe tells of the death of the kit however it dies, on any Unix, and through this process it reaches every
process of the group, gunicorn's workers included, which a parent-death signal would not.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

_DEAF_TO = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the kit decides; it speaks through the pipe
_GONE = b""
_FREEZING = {b"f": signal.SIGSTOP, b"c": signal.SIGCONT}


def main(folder: str, grace_s: float, log: str, argv: list[str]) -> int:
    """Start `argv` and see it to its end; the exit status is the service's own, 128 + N after signal N."""
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    for number in _DEAF_TO:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write)

    service = _start(log, argv)
    frozen = False
    status, word = _wait(service, wake, None)
    while status is None and word in _FREEZING:
        _signal_all(service, _FREEZING[word])
        frozen = word == b"f"
        status, word = _wait(service, wake, None)
    if word in {b"s", _GONE}:
        os.kill(service, signal.SIGTERM)  # not reaped yet, so the number is still its own
        if frozen:
            _signal_all(service, signal.SIGCONT)
        status, last = _wait(service, wake, grace_s, heard=word)
        word = _GONE if last == _GONE else word
    if status is None:
        _signal_all(service, signal.SIGKILL)
        status = os.waitpid(service, 0)[1]
    if word == _GONE:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(folder))  # noqa: PTH106, PTH120 (the last one; pathlib starts slowly)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _signal_all(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _start(log: str, argv: list[str]) -> int:
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # here and in the child: whoever comes first
        return pid
    os.setpgid(0, 0)
    # Said before it is the service: whatever comes of this process, what runs can be found and ended.
    os.write(1, b"%d\n" % os.getpid())
    for number in (*_DEAF_TO, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 (an argv list, no shell)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _reap(service: int) -> int | None:
    """The service's wait status, once it has ended; what it left behind in its group gets SIGKILL.

    The group is signalled first: as long as its leader is not reaped, no other group can have its number.
    """
    looks = hasattr(os, "waitid")  # not on macOS before Python 3.13
    if looks:
        if os.waitid(os.P_PID, service, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        _signal_all(service, signal.SIGKILL)
    pid, status = os.waitpid(service, os.WNOHANG)
    if pid and not looks:
        _signal_all(service, signal.SIGKILL)
    return status if pid else None


def _wait(
    service: int, wake: int, limit_s: float | None, heard: bytes | None = None
) -> tuple[int | None, bytes | None]:
    """Wait for the service's end, a word from the kit, or the limit.

    Returns the service's wait status, if it ended, and the last word heard. With a limit the service is being
    stopped: then only a `k` ends the waiting, and the kit's end is but remembered.
    """
    until = None if limit_s is None else time.monotonic() + limit_s
    while True:
        status = _reap(service)
        if status is not None:
            return status, heard
        left_s = None if until is None else until - time.monotonic()
        if left_s is not None and left_s <= 0:
            return None, heard
        ears = [wake] if heard == _GONE else [wake, 0]
        ready, _, _ = select.select(ears, [], [], left_s)
        if wake in ready:
            os.read(wake, 64)
        if 0 in ready:
            heard = os.read(0, 1)
            if until is None or heard == b"k":
                return None, heard


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4:]))
