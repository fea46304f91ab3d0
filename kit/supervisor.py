"""Holds one child process: whatever happens to the kit, the child and all that it starts do not outlive it.

Run as a script of its own, `python -I -S supervisor.py GRACE_S TERM OWNS INPUT ARGV…`, at the head of a
session; it imports nothing of the kit. Its standard input is a socket to the kit. ARGV runs in a process
group of its own, with the supervisor's output; the group's number is the first line on the socket, written
before ARGV runs. Then it waits for one of two things. ARGV ends: so does the supervisor, with the
same status (128 + N after signal N), and what ARGV left in its group gets SIGKILL. Or the kit writes a
byte: `f` freezes the group (SIGSTOP), `c` continues it (SIGCONT), `s` stops it (SIGTERM, the grace,
SIGKILL), `k` kills it at once. An end of the socket means that the kit is gone, and all others that held its
end: ARGV is stopped, and the folder OWNS is removed, with the folder around it once that is empty. A frozen
group is continued before it is stopped: else it would sleep through its grace.

TERM is `leader` or `group`: which of them gets the SIGTERM. OWNS may be empty. INPUT is the descriptor that
ARGV reads as its standard input; where it is empty, ARGV has none.

A socket reports the death of the kit however it dies, on any Unix, and through this process it reaches every
process of the group, gunicorn's workers included, which a parent-death signal would not.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the kit decides; it speaks through the socket
_GONE = b""
_FREEZING = {b"f": signal.SIGSTOP, b"c": signal.SIGCONT}


def main(grace_s: float, term: str, owns: str, stdin: str, argv: list[str]) -> int:
    """Start `argv` and see it to its end; returns its exit status, 128 + N after signal N."""
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write)

    child = _start(argv, stdin)
    frozen = False
    status, word = _wait(child, wake, None)
    while status is None and word in _FREEZING:
        _signal_group(child, _FREEZING[word])
        frozen = word == b"f"
        status, word = _wait(child, wake, None)
    if word in {b"s", _GONE}:
        if term == "group":
            _signal_group(child, signal.SIGTERM)
        else:
            os.kill(child, signal.SIGTERM)  # not reaped yet, so the number is still its own
        if frozen:
            _signal_group(child, signal.SIGCONT)
        status, last = _wait(child, wake, grace_s, heard=word)
        word = _GONE if last == _GONE else word
    if status is None:
        _signal_group(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    if owns and word == _GONE:
        import shutil

        shutil.rmtree(owns, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(owns))  # noqa: PTH106, PTH120 (the last one; pathlib starts slowly)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _start(argv: list[str], stdin: str) -> int:
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # here and in the child: one of them is first
        return pid
    os.setpgid(0, 0)
    # Before it is ARGV: whatever comes of the supervisor, what runs can be found and ended.
    os.write(0, b"%d\n" % os.getpid())
    for number in (*_IGNORED, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(int(stdin) if stdin else os.open(os.devnull, os.O_RDONLY), 0)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 (an argv list, no shell)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _reap(child: int) -> int | None:
    """The child's wait status, once it has ended; what it left behind in its group gets SIGKILL.

    The group is signalled first: as long as its leader is not reaped, no other group can have its number.
    """
    looks = hasattr(os, "waitid")  # not on macOS before Python 3.13
    if looks:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        _signal_group(child, signal.SIGKILL)
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid and not looks:
        _signal_group(child, signal.SIGKILL)
    return status if pid else None


def _wait(
    child: int, wake: int, limit_s: float | None, heard: bytes | None = None
) -> tuple[int | None, bytes | None]:
    """Wait for the child's end, a byte from the kit, or the limit.

    Returns the child's wait status, if it ended, and the last byte read. With a limit the child is being
    stopped: then only a `k` ends the waiting, and the kit's end is only remembered.
    """
    until = None if limit_s is None else time.monotonic() + limit_s
    while True:
        status = _reap(child)
        if status is not None:
            return status, heard
        left_s = None if until is None else until - time.monotonic()
        if left_s is not None and left_s <= 0:
            return None, heard
        sources = [wake] if heard == _GONE else [wake, 0]
        ready, _, _ = select.select(sources, [], [], left_s)
        if wake in ready:
            os.read(wake, 64)
        if 0 in ready:
            heard = _read_byte()
            if until is None or heard == b"k":
                return None, heard


def _read_byte() -> bytes:
    try:
        return os.read(0, 1)
    except ConnectionResetError:  # the kit died with the group's number unread
        return _GONE


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:]))
