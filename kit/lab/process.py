"""One service or front of the lab as a process, with its log and what to say when it ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from kit.errors import Code, KitError
from kit.process import Process

_LOG_LINES = 12
_REMEDIES = {
    "service": "Mend what the log names; a package that it misses belongs into the requirements of your own "
    "app (for the kit's service `--isolated` installs them).",
    "front": "Run it again. If it ends again, what stands in the log is a bug of the kit's: report it.",
}


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
        return KitError(
            Code.SERVICE_DIED,
            f"The {self.what} of {self.name} ended {how}{supervisor}.{self.log_end()}",
            _REMEDIES[self.what],
        )

    def log_end(self) -> str:
        """The last lines of its log, as the end of a sentence; empty when it wrote nothing."""
        with suppress(OSError):
            lines = (self.folder / "log").read_text(errors="replace").splitlines()[-_LOG_LINES:]
            if lines:
                return " The end of its log:\n" + "\n".join(f"  | {line}" for line in lines)
        return ""
