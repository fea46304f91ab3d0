"""One service of the lab as a process: started from a copy of its bundle, watched, and gone when told to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from kit.errors import Code, KitError

_LEASH = Path(__file__).with_name("leash.py")
_LOG_LINES = 12
_KILL_S = 5.0


class ServiceProcess:
    """A running service and the leash that it hangs on (`kit.lab.leash`).

    Attributes:
        name: for people.
        folder: where it lives; its log is the file `log` in it.
        group: the number of its process group; 0 once it is gone.
    """

    def __init__(
        self, name: str, folder: Path, grace_s: float, leash: asyncio.subprocess.Process, group: int
    ) -> None:
        self.name = name
        self.folder = folder
        self.group = group
        self._grace_s = grace_s
        self._leash = leash

    @classmethod
    async def start(
        cls, name: str, argv: tuple[str, ...], env: Mapping[str, str], folder: Path, *, grace_s: float
    ) -> ServiceProcess:
        """Start `argv` in `folder/bundle` with exactly that environment.

        `grace_s` is what it gets between SIGTERM and SIGKILL when it is stopped.
        """
        leash = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(_LEASH), str(folder), str(grace_s), str(folder / "log"), *argv,
            cwd=folder / "bundle", env=dict(env), start_new_session=True,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert leash.stdout is not None  # noqa: S101 (asked for above)
        group = int(await leash.stdout.readline() or 0)
        return cls(name, folder, grace_s, leash, group)

    async def died(self) -> KitError:
        """Return once the service has ended, with what to tell about it."""
        status = await self._leash.wait()
        self._sweep()
        signals = {128 + number: number.name for number in signal.Signals}
        how = f"by {signals[status]}" if status in signals else f"with status {status}"
        return KitError(
            Code.SERVICE_DIED, f"The service of {self.name} ended {how}.{self.log_end()}", _LOOK_AT_LOG
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
            self._say(b"s")
            async with asyncio.timeout(self._grace_s + _KILL_S):
                await self._leash.wait()
        except TimeoutError:
            pass
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to all of it, now; returns when the processes are gone."""
        if self._leash.returncode is None:
            self._say(b"k")
            until = time.monotonic() + _KILL_S
            while _alive(self._leash.pid) and time.monotonic() < until:
                time.sleep(0.005)
        self._sweep()

    def _say(self, word: bytes) -> None:
        if self._leash.stdin is not None:
            self._leash.stdin.write(word)  # a pipe that is empty takes it at once

    def _sweep(self) -> None:
        """Nothing of the group may be left, even if the leash itself was killed."""
        group, self.group = self.group, 0
        if group:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)


_LOOK_AT_LOG = (
    "Mend what the log names; `kit lab --isolated` runs the bundle with its own pinned requirements."
)


def _alive(pid: int) -> bool:
    """Whether that child still runs, without reaping it: asyncio wants to do that itself."""
    with suppress(ChildProcessError):
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    return False
