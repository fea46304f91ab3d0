"""One service or front of the lab as a process, with its log and what to say when it ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from kit.errors import Code, KitError
from kit.lab.sockets import answers
from kit.process import Process

# What shows that they answer: a user's app may have no such path, which is an answer too. A front must refuse
# it itself: a request that it passed on would freeze a service that nothing has been asked of yet.
ASKED: Mapping[str, str] = {"service": "GET /ready", "front": "CONNECT /"}
READY_WITHIN_S = 60.0
_NO_HTTP = "?"
_POLL_S = 0.02
_LOG_LINES = 12
_REMEDIES = {
    "service": "Correct what the log names; a missing package belongs in the requirements of your own "
    "app (for the kit's service `--isolated` installs them).",
    "front": "Run it again. If it ends again, what stands in the log is a bug of the kit's: report it.",
}
# What a service's log ends with, and what to do about it; the first that fits.
_CAUSES = (
    (
        r"KeyError: '([A-Za-z_][A-Za-z0-9_]*)'",
        r"If \1 is a variable that the app reads: --env \1=VALUE, or --env-file FILE for a secret.",
    ),
    (
        r"No module named '([\w.]+)'",
        r"Add the package of \1 to the requirements of your own app (for the kit's service `--isolated` "
        r"installs them); if it is the app's own, source in [app] is the folder from which it is imported.",
    ),
    (
        r"attempted relative import",
        r"Run kit in the folder above the package, with --app PACKAGE.MODULE:app; in a kit.toml that folder "
        r"is source in [app], and module PACKAGE.MODULE:app.",
    ),
    (
        r"SyntaxError: ",
        rf"Correct that line. The lab runs Python {sys.version_info[0]}.{sys.version_info[1]}; an app for a "
        r"newer one needs it here too: PYTHON=/path/to/python make demo.",
    ),
    (
        r"Failed to find attribute '(\w+)' in '([\w.]+)'",
        r"Name the app that \2 has: module in [app], or --app \2:NAME.",
    ),
)


def remedy(what: Literal["service", "front"], log: str) -> str:
    """What to do about a service, or a front, that ended with this in its log."""
    if what == "service":
        found = (re.search(f"(?s:.*){pattern}", log) for pattern, _ in _CAUSES)
        for match, (_, says) in zip(found, _CAUSES, strict=True):
            if match is not None:
                return match.expand(says)
    return _REMEDIES[what]


class ServiceProcess(Process):
    """A running service, or front.

    Attributes:
        name: for people, as in "the service of run".
        what: what it is.
        folder: where it lives; its log is the file `log` in it. It goes when the kit dies.
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
        """Start `argv` in `folder/bundle`, with exactly that environment. Arguments as in `Process`."""
        self.name = name
        self.what = what
        self.folder = folder
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            super().__init__(
                argv,
                env,
                grace_s=grace_s,
                stdout=log,
                cwd=folder / "bundle",
                term="leader",
                owns=folder,
                inherits=inherits,
            )
        finally:
            os.close(log)

    async def died(self) -> KitError:
        """Return once it has ended, with the error that describes it."""
        status = await asyncio.shield(self.ended)
        names = {128 + number: number.name for number in signal.Signals}
        how = f"by {names[status]}" if status in names else f"with status {status}"
        supervisor = ", and its supervisor with it" if self.supervisor_killed else ""
        log = self.log_end()
        return KitError(
            Code.SERVICE_DIED,
            f"The {self.what} of {self.name} ended {how}{supervisor}.{log}",
            remedy(self.what, log),
        )

    async def wait_until_ready(self, port: int, *, answers_within_s: float | None = None) -> None:
        """Wait until it answers at that port with no error of its own.

        Args:
            port: the port.
            answers_within_s: how long its app may leave a request without an answer once its server serves;
                None for as long as a start may take.

        Raises:
            KitError: SERVICE_DIED, or SERVICE_NOT_READY.
        """
        asked = ASKED[self.what]
        death = asyncio.create_task(self.died())
        ready = asyncio.create_task(_answers(port, asked))
        tasks: set[asyncio.Task[Any]] = {death, ready}
        if answers_within_s is not None:
            tasks.add(asyncio.create_task(_silence(port, answers_within_s)))
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                ready.result()
            elif death.done():
                raise death.result()
            else:
                raise KitError(
                    Code.SERVICE_NOT_READY,
                    f"The {self.what} of {self.name} runs, and its app did not answer {asked} within "
                    f"{answers_within_s:g} s.{self.log_end()}",
                    "Give it longer with --timeout SECONDS, or look at whether it is stuck.",
                )
        except TimeoutError:
            raise KitError(
                Code.SERVICE_NOT_READY,
                f"The {self.what} of {self.name} did not answer {asked} within {READY_WITHIN_S:.0f} s."
                f"{self.log_end()}",
                "Correct what the log names, or try again when the machine is less busy.",
            ) from None
        finally:
            for task in tasks:
                task.cancel()

    def log_end(self) -> str:
        """The last lines of its log, as the end of a sentence; empty when it wrote nothing."""
        with suppress(OSError):
            lines = (self.folder / "log").read_text(errors="replace").splitlines()[-_LOG_LINES:]
            if lines:
                return " The end of its log:\n" + "\n".join(f"  | {line}" for line in lines)
        return ""


async def _answers(port: int, asked: str) -> None:
    """Return once it answers so."""
    while not await answers(port, asked):  # noqa: ASYNC110 (another process is waited for)
        await asyncio.sleep(_POLL_S)


async def _silence(port: int, seconds: float) -> None:
    """Return once the server at that port has served for so long.

    What is no HTTP a server refuses by itself, before its app is asked: so it is known to serve.
    """
    await _answers(port, _NO_HTTP)
    await asyncio.sleep(seconds)
