"""Holds one service on a leash: whatever happens to the kit, the service does not outlive it.

Run as a script of its own, `python -I -S leash.py FOLDER GRACE_S LOG ARGV…`; it imports nothing of the kit.
It starts ARGV in a process group of its own and waits for one of two things. The service ends: so does the
leash, with the same status. Or its standard input speaks or ends: `s` stops the service (SIGTERM, the grace,
SIGKILL to the group), `k` kills it at once, and an end without a word means that the kit is gone: the service
is stopped, and FOLDER, which nobody else would remove, goes too. The first line on standard output is the
group's number.

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

_POLL_S = 0.02


def main(folder: str, grace_s: float, log: str, argv: list[str]) -> int:
    """Start `argv` and see it to its end; the exit status is the service's own, 128 + N after signal N."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the kit decides; it speaks through the pipe
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write)
    service = _start(log, argv)
    print(service, flush=True)

    told = _wait(service, wake_read)
    if told is None:
        status, kit_gone = _reap(service, block=True), False
    else:
        status, kit_gone = _stop(service, 0 if told == b"k" else grace_s, kit_gone=told == b"")
    _signal_group(service, signal.SIGKILL)
    if kit_gone:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
    return status if status is not None else 1


def _start(log: str, argv: list[str]) -> int:
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # here and in the child: whoever comes first
        return pid
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 (an argv list, no shell)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _wait(service: int, wake: int) -> bytes | None:
    """The word from the kit (empty when it is gone), or None once the service has ended by itself."""
    while True:
        ready, _, _ = select.select([0, wake], [], [])
        if 0 in ready:
            return os.read(0, 1)
        os.read(wake, 64)
        if os.waitid(os.P_PID, service, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return None


def _stop(service: int, grace_s: float, *, kit_gone: bool) -> tuple[int | None, bool]:
    """SIGTERM as from the platform, SIGKILL after the grace or on a `k`; also tells if the kit is gone."""
    if grace_s:
        os.kill(service, signal.SIGTERM)  # not reaped yet, so the number is still its own
    until = time.monotonic() + grace_s
    while time.monotonic() < until:
        status = _reap(service, block=False)
        if status is not None:
            return status, kit_gone
        if kit_gone:
            time.sleep(_POLL_S)
        elif select.select([0], [], [], _POLL_S)[0]:
            word = os.read(0, 1)
            if word == b"k":
                break
            kit_gone = word == b""
    _signal_group(service, signal.SIGKILL)
    return _reap(service, block=True), kit_gone


def _reap(service: int, *, block: bool) -> int | None:
    pid, status = os.waitpid(service, 0 if block else os.WNOHANG)
    if not pid:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4:]))
