"""The one way a child process is started, watched and ended; nothing of it outlives the kit."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, Literal

Output = Callable[[bytes], None] | int

_SUPERVISOR: Final = Path(__file__).with_name("supervisor.py")
_READ_BYTES: Final = 64 * 1024
_KILL_S: Final = 5.0
_DRAIN_S: Final = 0.5
_REAP_S: Final = 0.001


class Control:
    """The kit's end of the socket to a supervisor. Any number of processes may hold it.

    Attributes:
        socket: that end; the caller closes it.
    """

    def __init__(self, socket: socket.socket) -> None:
        self.socket = socket

    def freeze(self) -> None:
        """SIGSTOP to the whole group; it can still be stopped, with its grace, and killed."""
        self._send(b"f")

    def thaw(self) -> None:
        """SIGCONT to the whole group."""
        self._send(b"c")

    def end(self, word: Literal[b"s", b"k"]) -> None:
        """Have it stopped or killed. Never blocks: a supervisor that does not read is killed itself."""
        self._send(word, socket.MSG_DONTWAIT)

    def _send(self, word: bytes, flags: int = 0) -> None:
        with suppress(OSError):  # the supervisor has ended, or this end is closed
            self.socket.send(word, flags)


class Process:
    """A running child process, in a group of its own, and its supervisor (`kit.supervisor`).

    However it goes on, `stop` or `kill` must be called; both may be called again.

    Attributes:
        control: freezes and thaws it.
        group: the number of its process group; None until the supervisor has reported it.
        ended: resolves to its exit status, 128 + N after signal N, once it and all of its group are gone and
            what they wrote has been passed on. No task, so a loop that ends does not cancel it; shield it.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        grace_s: float,
        stdout: Output,
        stderr: Output | None = None,
        cwd: Path | None = None,
        terminal: bool = False,
        term: Literal["leader", "group"] = "group",
        owns: Path | None = None,
        inherits: Sequence[int] = (),
        stdin: int | None = None,
    ) -> None:
        """Start it. Needs a running loop.

        Args:
            argv: the command; a program that cannot be executed ends with status 127 and a line on stderr.
            env: its whole environment.
            grace_s: the time between SIGTERM and SIGKILL when it is stopped.
            stdout: gets each chunk as soon as it can be read, or a descriptor to write to.
            stderr: the same; None for where `stdout` goes.
            cwd: its working folder.
            terminal: its standard output is a terminal. `stdout` must be a callable.
            term: whether its leader alone gets the SIGTERM, or its whole group.
            owns: the folder that the supervisor removes when the kit dies.
            inherits: the descriptors that it gets besides the standard ones.
            stdin: the descriptor that is its standard input; None for no input.
        """
        self._loop = asyncio.get_running_loop()
        self._grace_s = grace_s
        self._first_line = b""
        self.group: int | None = None
        self._readers: dict[int, Callable[[bytes], None]] = {}
        with ExitStack() as ours, ExitStack() as theirs:
            control, theirs_control = socket.socketpair()
            theirs.enter_context(theirs_control)
            self.control = Control(ours.enter_context(control))
            out = self._open(stdout, terminal, ours, theirs)
            err = out if stderr is None else self._open(stderr, False, ours, theirs)
            words = [str(grace_s), term, str(owns or ""), "" if stdin is None else str(stdin), *argv]
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SUPERVISOR), *words],
                cwd=cwd,
                env=env,
                pass_fds=inherits if stdin is None else (*inherits, stdin),
                start_new_session=True,
                stdin=theirs_control.fileno(),
                stdout=out,
                stderr=err,
            )
            ours.pop_all()
        self.ended: asyncio.Future[int] = self._loop.create_future()
        for descriptor in self._readers:
            os.set_blocking(descriptor, False)
            self._loop.add_reader(descriptor, self._read, descriptor)
        self._loop.add_reader(control, self._listen)

    @property
    def status(self) -> int | None:
        """Its exit status as in `ended`, or None."""
        return self.ended.result() if self.ended.done() else None

    @property
    def supervisor_killed(self) -> bool:
        """Whether a signal ended the supervisor, and the kit itself what it held."""
        return (self._supervisor.returncode or 0) < 0

    async def stop(self) -> None:
        """SIGTERM, the grace, SIGKILL. On cancellation: SIGKILL at once."""
        try:
            if not self.ended.done():
                self.control.end(b"s")
                async with asyncio.timeout(self._grace_s + _KILL_S):
                    await asyncio.shield(self.ended)
        except TimeoutError:
            pass
        finally:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL to its whole group, now, unless it has ended; returns when the processes are gone."""
        if self.ended.done() or self.control.socket.fileno() < 0:
            return
        self._kill_group()
        self.control.end(b"k")
        try:
            async with asyncio.timeout(_KILL_S):
                await asyncio.shield(self.ended)
        except TimeoutError:
            self._supervisor.kill()
            await asyncio.shield(self.ended)
        finally:
            self._close()

    def _open(self, output: Output, terminal: bool, ours: ExitStack, theirs: ExitStack) -> int:
        if isinstance(output, int):
            return output
        reading, writing = _terminal() if terminal else os.pipe()
        ours.callback(os.close, reading)
        theirs.callback(os.close, writing)
        self._readers[reading] = output
        return writing

    def _read(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # EIO: the terminal's other end is closed
            data = b""
        if data:
            self._readers[descriptor](data)
        else:
            self._close_reader(descriptor)
            self._finish_if_drained()

    def _listen(self) -> None:
        if self._hear() == b"":
            self._loop.remove_reader(self.control.socket)
            # Before the supervisor is reaped, which would free the session's number.
            self._kill_group()
            self._reap()

    def _hear(self) -> bytes | None:
        """What the supervisor says: the group's number. Empty once it has ended, None for nothing yet."""
        try:
            data = self.control.socket.recv(64, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except ConnectionResetError:  # it ended with a byte of ours unread
            return b""
        self._first_line += data
        if self._first_line.endswith(b"\n"):
            self.group = int(self._first_line)
        return data

    def _reap(self) -> None:
        if self._supervisor.poll() is None:
            self._loop.call_later(_REAP_S, self._reap)
            return
        # What has left the group may hold an output open.
        self._loop.call_later(_DRAIN_S, self._finish)
        self._finish_if_drained()

    def _finish_if_drained(self) -> None:
        if self._supervisor.returncode is not None and not self._readers:
            self._finish()

    def _finish(self) -> None:
        self._close()
        if not self.ended.done():
            status = self._supervisor.returncode
            self.ended.set_result(status if status >= 0 else 128 - status)

    def _close(self) -> None:
        for descriptor in list(self._readers):
            self._close_reader(descriptor)
        if self.control.socket.fileno() >= 0:
            self._loop.remove_reader(self.control.socket)
            self.control.socket.close()

    def _close_reader(self, descriptor: int) -> None:
        del self._readers[descriptor]
        self._loop.remove_reader(descriptor)
        os.close(descriptor)

    def _kill_group(self) -> None:
        """SIGKILL to what is left of the group, even if the supervisor was killed."""
        self._hear()
        if self.group is not None:
            kill_group(self.group, self._supervisor.pid, reaped=self._supervisor.returncode is not None)


class Tail:
    """The end of an output; a callable for `Process`.

    Args:
        most: how many bytes of it are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = b""

    def __call__(self, data: bytes) -> None:
        self._kept = (self._kept + data)[-self._most :]

    def __str__(self) -> str:
        return self._kept.decode(errors="replace")


async def run(
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    grace_s: float,
    stdout: Output,
    stderr: Output | None = None,
    cwd: Path | None = None,
    owns: Path | None = None,
    stdin: int | None = None,
) -> int:
    """Run a command to its end; its exit status. The arguments are those of `Process`.

    On cancellation it is stopped, with its grace; on a second one it is killed.
    """
    process = Process(
        argv, env, grace_s=grace_s, stdout=stdout, stderr=stderr, cwd=cwd, owns=owns, stdin=stdin
    )
    try:
        return await asyncio.shield(process.ended)
    finally:
        await process.stop()


def kill_group(group: int, session: int, *, reaped: bool) -> None:
    """SIGKILL to what is left of a process group; nothing where it is empty.

    A process with the group's number is its leader, or another's once that was reaped and no member lives.
    It is the leader if it is in a session whose own process was not reaped.

    Args:
        group: its number, which is that of its first process.
        session: the process whose session it is in.
        reaped: whether that process was reaped.
    """
    with suppress(ProcessLookupError, PermissionError):
        if not _exists(group) or (not reaped and os.getsid(group) == session):
            os.killpg(group, signal.SIGKILL)


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _terminal() -> tuple[int, int]:
    """Our end and the command's of a terminal that passes on what is written to it unchanged."""
    ours, theirs = os.openpty()
    modes = termios.tcgetattr(theirs)
    modes[1] &= ~termios.OPOST
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    termios.tcsetwinsize(theirs, (50, 200))
    return ours, theirs
