"""One service or front of the lab as a process: started in its folder, watched, and ended with all of it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal

from kit.errors import Code, KitError
from kit.groups import kill_group

_LEASH = Path(__file__).with_name("leash.py")
_LOG_LINES = 12
_KILL_S = 5.0
_REMEDIES = {
    "service": "Mend what the log names; a package that it misses belongs into the requirements of your own "
    "app (for the kit's service `--isolated` installs them).",
    "front": "Run it again. If it ends again, what stands in the log is a bug of the kit's: report it.",
}


class Words:
    """What a leash is told, through the pipe that is its standard input.

    Attributes:
        pipe: its writing end, not buffered. Several may have one.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        self.pipe = pipe

    def freeze(self) -> None:
        """SIGSTOP to all of the service; it can still be stopped, as gracefully as ever, and killed."""
        self.say(b"f")

    def thaw(self) -> None:
        """SIGCONT to all of it."""
        self.say(b"c")

    def say(self, word: bytes) -> None:
        """One of the words of `kit.lab.leash`; nothing where the leash has ended, or the pipe is closed."""
        with suppress(BrokenPipeError, ValueError):
            self.pipe.write(word)


class ServiceProcess:
    """A running service, or front, and the leash that it hangs on (`kit.lab.leash`).

    Attributes:
        name: for people, as in "the service of run".
        what: what it is.
        folder: where it lives; its log is the file `log` in it.
        words: what its leash is told.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        folder: Path,
        *,
        grace_s: float,
        what: Literal["service", "front"] = "service",
        inherits: Sequence[int] = (),
    ) -> None:
        """Start `argv` in `folder/bundle`, with exactly that environment. Needs a running loop.

        Args:
            name: for people.
            argv: the command.
            env: all that stands in its environment.
            folder: where it lives.
            grace_s: what it gets between SIGTERM and SIGKILL when it is stopped.
            what: what it is, for people.
            inherits: the descriptors that it gets, besides the standard ones.
        """
        self.name = name
        self.what = what
        self.folder = folder
        self._grace_s = grace_s
        self._group = 0
        self._leash = subprocess.Popen(
            [sys.executable, "-I", "-S", _LEASH, folder, str(grace_s), folder / "log", *argv],
            bufsize=0,
            cwd=folder / "bundle",
            env=env,
            pass_fds=inherits,
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._leash.stdin is not None  # noqa: S101 (asked for above)
        self.words = Words(self._leash.stdin)
        self._ended = asyncio.create_task(self._watch())

    async def died(self) -> KitError:
        """Return once it has ended, with what to tell about it."""
        status = await asyncio.shield(self._ended)
        names = {128 + number: number.name for number in signal.Signals}
        names |= {-number: f"{number.name}, and its leash with it" for number in signal.Signals}
        how = f"by {names[status]}" if status in names else f"with status {status}"
        return KitError(
            Code.SERVICE_DIED,
            f"The {self.what} of {self.name} ended {how}.{self.log_end()}",
            _REMEDIES[self.what],
        )

    def log_end(self) -> str:
        """The last lines of its log, as the end of a sentence; empty when it wrote nothing."""
        with suppress(OSError):
            lines = (self.folder / "log").read_text(errors="replace").splitlines()[-_LOG_LINES:]
            if lines:
                return " The end of its log:\n" + "\n".join(f"  | {line}" for line in lines)
        return ""

    async def stop(self) -> None:
        """SIGTERM, the grace, SIGKILL. On cancellation: SIGKILL at once."""
        try:
            self.words.say(b"s")
            async with asyncio.timeout(self._grace_s + _KILL_S):
                await asyncio.shield(self._ended)
        except TimeoutError:
            pass
        finally:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL to all of it, now, unless it has ended; returns when the processes are gone."""
        self._sweep()
        self.words.say(b"k")
        try:
            # Not `_ended`: a loop that ends for an interrupt has cancelled that.
            await asyncio.to_thread(self._leash.wait, _KILL_S)
        except subprocess.TimeoutExpired:
            self._leash.kill()
            await asyncio.to_thread(self._leash.wait)
        finally:
            self.words.pipe.close()

    async def _watch(self) -> int:
        """The leash's status, once it has ended: then its standard output ends."""
        assert self._leash.stdout is not None  # noqa: S101 (asked for above)
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._leash.stdout
        )
        try:
            self._group = int(await reader.readline() or 0)
            await reader.read()
        finally:
            transport.close()
        self._sweep()
        return await asyncio.to_thread(self._leash.wait)

    def _sweep(self) -> None:
        """SIGKILL to the group: nothing of it may be left, even if the leash itself was killed.

        The leash reaps the group's leader, so it must not be reaped itself before.
        """
        if self._group:
            reaped = self._leash.returncode is not None
            kill_group(self._group, session=self._leash.pid, reaped=reaped)
