"""Locust as a child process: its command line, what it needs of this machine, and the sums that it writes."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import site
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from kit.errors import Code, KitError
from kit.language import text
from kit.load.plan import VARIABLE, Plan
from kit.load.tally import Tally
from kit.process import Process, Tail

LOCUSTFILE: Final = Path(__file__).with_name("locustfile.py")
PORT: Final = 5557  # Locust's own
ANYWHERE: Final = "0.0.0.0"  # noqa: S104 - where workers on other machines join
_HERE: Final = "127.0.0.1"
# Home and folder of Locust's, so no locust.conf or pyproject.toml of the user's says anything here.
_NOWHERE: Final = "/"
# Locust tells its workers to quit, hears their last sums and ends what they have open.
_GRACE_S: Final = 30.0
_FILES_BESIDE: Final = 200


@dataclass(frozen=True, slots=True)
class Fleet:
    """The processes that open the streams.

    Attributes:
        workers: how many on this machine.
        expected: how many join from elsewhere, which then are all; 0 for none.
        joins: where the first process is that these workers join; None where it is here.
        listens: where this one is joined, if it is.
    """

    workers: int = 1
    expected: int = 0
    joins: tuple[str, int] | None = None
    listens: tuple[str, int] = (ANYWHERE, PORT)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The sums at some moment.

    Attributes:
        workers: how many processes open streams.
        last: whether it is the last one, with all that was open left.
        tally: the sums.
    """

    workers: int
    last: bool
    tally: Tally

    @classmethod
    def of(cls, line: bytes) -> Snapshot:
        """From one that the locustfile wrote."""
        data = json.loads(line)
        return cls(data["workers"], data["last"], Tally.of(data["tally"]))


def need_locust() -> None:
    """See that Locust is there, without loading it.

    Raises:
        KitError: INSTALL_FAILED, it is not.
    """
    if find_spec("locust") is None:
        raise KitError(
            Code.INSTALL_FAILED,
            text("A load needs Locust, which is not installed beside the kit."),
            text("Install it: pip install 'streamproof[load]'"),
        )


def need_files(streams: int, fleet: Fleet) -> None:
    """Let this process, and so its children, open as many files as the streams need, as far as it may.

    Raises:
        KitError: TOO_FEW_FILES, it may not.
    """
    need = -(-streams // fleet.workers) + _FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= need:
        return
    try:
        # macOS has a limit below the hard one, which it does not say.
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
    except (ValueError, OSError):
        most = soft if hard == resource.RLIM_INFINITY else hard
        raise KitError(
            Code.TOO_FEW_FILES,
            text(
                "A process may open {most:,} files here, and {streams:,} streams need {need:,}.",
                most=most,
                streams=streams,
                need=need,
            ),
            text(
                "Raise the limit (`ulimit -Hn {need}` as root, or LimitNOFILE= of the service), use more "
                "processes (--workers), or fewer streams.",
                need=need,
            ),
        ) from None


def with_port(fleet: Fleet) -> Fleet:
    """The fleet with the port at which its workers join; a free one where all of them are here.

    Raises:
        KitError: PORT_IN_USE.
    """
    if fleet.joins is not None or (fleet.workers == 1 and not fleet.expected):
        return fleet
    host, port = fleet.listens if fleet.expected else (_HERE, 0)
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            raise KitError(
                Code.PORT_IN_USE,
                text(
                    "Locust cannot wait for its workers at {host}:{port}: {error}.",
                    host=host,
                    port=port,
                    error=error.strerror or error,
                ),
                text("End what uses it, or name another place: --listen HOST:PORT."),
            ) from None
        return replace(fleet, listens=(host, tried.getsockname()[1]))


def command(plan: Plan, fleet: Fleet) -> list[str]:
    """Locust's command line, without the plan, which is in `VARIABLE`."""
    line = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"]
    line += ["--exit-code-on-error", "0"]  # what streams do wrong is counted
    if fleet.joins is not None:
        host, port = fleet.joins
        line += ["--worker", "--master-host", host, "--master-port", str(port)]
        return [*line, "--processes", str(fleet.workers)] if fleet.workers > 1 else line
    schedule = plan.schedule
    # All users at once: streams begin when all of them are there, and keep to the schedule by themselves.
    line += ["--users", str(schedule.streams), "--spawn-rate", str(schedule.streams)]
    host, port = fleet.listens
    if fleet.expected:
        line += ["--master", "--expect-workers", str(fleet.expected)]
    elif fleet.workers > 1:
        line += ["--processes", str(fleet.workers), "--master-host", host, "--master-port", str(port)]
    else:
        return line
    return [*line, "--master-bind-host", host, "--master-bind-port", str(port)]


def environment(plan: Plan, outer: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Locust's environment: the plan, and nothing that would set other options of Locust."""
    kept = {name: value for name, value in outer.items() if not name.startswith("LOCUST_")}
    # Locust reads ~/.locust.conf; Python finds packages of the user's own below the home folder too.
    return {**kept, "HOME": _NOWHERE, "PYTHONUSERBASE": site.getuserbase(), VARIABLE: plan.text}


async def run(plan: Plan, fleet: Fleet, seen: Callable[[Snapshot], None]) -> bool:
    """Run Locust to its end; whether it came there. On cancellation it is stopped, and says what it saw.

    Args:
        plan: what it is to do.
        fleet: by which processes.
        seen: called with each snapshot.

    Raises:
        KitError: LOAD_FAILED, it ended before the load did.
    """
    lines, errors = _Lines(), Tail(4096)
    last = False

    def written(data: bytes) -> None:
        nonlocal last
        for line in lines.of(data):
            snapshot = Snapshot.of(line)
            last = last or snapshot.last
            seen(snapshot)

    process = Process(
        command(plan, fleet),
        environment(plan),
        grace_s=_GRACE_S,
        stdout=written,
        stderr=errors,
        cwd=Path(_NOWHERE),
        term="leader",
    )
    try:
        status = await asyncio.shield(process.ended)
    except asyncio.CancelledError:
        await process.stop()
        return False
    finally:
        await process.kill()
    if not last and (status or fleet.joins is None):
        raise KitError(
            Code.LOAD_FAILED,
            text(
                "Locust ended with status {status} before the load was over: {reason}",
                status=status,
                reason=_reason(str(errors)),
            ),
            text("What it said is in that sentence; --dry-run prints its line, to run it by hand."),
        )
    return True


class _Lines:
    """Whole lines of what comes in pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def of(self, data: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines


def _reason(text: str) -> str:
    """The line of Locust's that says most: its last error, else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wrong = [line for line in lines if "/ERROR/" in line or "Error" in line]
    return (wrong or lines or ["it said nothing"])[-1][:300]
