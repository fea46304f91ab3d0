"""A user's own command as a process: its output given on as it comes, and nothing of it left at the end."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from kit.groups import kill_group

_LEASH: Final = Path(__file__).parents[1] / "leash.py"
_READ_BYTES: Final = 64 * 1024
_ERROR_BYTES: Final = 8 * 1024
_GRACE_S: Final = 1.0
_KILL_S: Final = 5.0
_DRAIN_S: Final = 0.5


class Command:
    """A command that runs, on a leash (`kit.leash`), without an input. Unix only.

    Attributes:
        status: its exit status once it has ended, 128 + N after signal N; None while it runs.
    """

    def __init__(self, output: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        """`output` is told what it prints, `ended` that it has ended and all of that was told."""
        self.status: int | None = None
        self._output = output
        self._ended = ended
        self._errors: deque[bytes] = deque()
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._open: dict[int, asyncio.Event] = {}  # descriptors that are read, and whether they have ended
        self._ear = -1

    async def start(self, argv: Sequence[str], env: Mapping[str, str], *, terminal: bool) -> None:
        """Start it, its standard output a terminal or a pipe; `argv[0]` is an absolute path.

        However this ends, `stop` must be called.
        """
        ear, self._ear = os.pipe()
        ours, output = _terminal() if terminal else os.pipe()
        ours_too, errors = os.pipe()
        self._read(ours, self._output)
        self._read(ours_too, self._keep)
        try:
            starting = asyncio.ensure_future(
                asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", str(_LEASH), str(_GRACE_S), *argv),
                    stdin=ear,
                    stdout=output,
                    stderr=errors,
                    env=env,
                    start_new_session=True,
                )
            )
            try:
                self._process = await asyncio.shield(starting)
            except asyncio.CancelledError:
                self._process = await starting
                raise
        finally:
            for descriptor in (ear, output, errors):
                os.close(descriptor)
        self._watching = asyncio.create_task(self._watch(self._process))

    @property
    def errors(self) -> str:
        """The end of what it wrote to standard error."""
        return b"".join(self._errors)[-_ERROR_BYTES:].decode(errors="replace")

    async def stop(self) -> None:
        """See it and all that it started to their end: SIGTERM, the grace, SIGKILL; cancelled, SIGKILL."""
        try:
            self._hush()
            if self._watching is not None:
                async with asyncio.timeout(_GRACE_S + _KILL_S):
                    await asyncio.shield(self._watching)
        except TimeoutError:
            pass
        finally:
            self._sweep()
            if self._watching is not None:
                self._watching.cancel()
            for descriptor in list(self._open):
                self._close(descriptor)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        status = await process.wait()
        self._sweep()
        self._process = None  # once nothing of the group is left, its number may be another's
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                for over in list(self._open.values()):
                    await over.wait()
        self.status = status if status >= 0 else 128 - status
        self._ended()

    def _hush(self) -> None:
        """The leash takes the end of its input for the word to stop."""
        if self._ear >= 0:
            os.close(self._ear)
            self._ear = -1

    def _sweep(self) -> None:
        """Nothing of the group may be left, even if the leash itself was killed."""
        if self._process is not None:
            kill_group(self._process.pid, reaped=self._process.returncode is not None)

    def _keep(self, data: bytes) -> None:
        self._errors.append(data)
        while sum(map(len, self._errors)) - len(self._errors[0]) > _ERROR_BYTES:
            self._errors.popleft()

    def _read(self, descriptor: int, tell: Callable[[bytes], None]) -> None:
        os.set_blocking(descriptor, False)
        self._open[descriptor] = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._readable, descriptor, tell)

    def _readable(self, descriptor: int, tell: Callable[[bytes], None]) -> None:
        try:
            data = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # EIO: nobody holds the terminal's other end any more
            data = b""
        if data:
            tell(data)
        else:
            self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        self._open.pop(descriptor).set()


def _terminal() -> tuple[int, int]:
    """Our end and the command's of a terminal that changes nothing of what is written to it."""
    import termios

    ours, theirs = os.openpty()
    modes = termios.tcgetattr(theirs)
    modes[1] &= ~termios.OPOST
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    termios.tcsetwinsize(theirs, (50, 200))
    return ours, theirs
