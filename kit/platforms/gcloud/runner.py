"""Runs the user's own gcloud, and other programs of platforms: one process a line, none left behind."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Final

from kit.errors import Code, KitError
from kit.language import bare, text
from kit.platforms.command import Command, Folder, Line
from kit.platforms.gcloud.faults import Fault, explain
from kit.platforms.gcloud.output import Lines, clean, progress
from kit.platforms.gcloud.retry import ATTEMPTS, pause_s
from kit.process import run

# Each gcloud takes some 0.7 s of a core to start; more of them at once only wait for each other.
AT_ONCE: Final = max(4, os.cpu_count() or 1)
_GRACE_S: Final = 3.0
_CHUNK: Final = 1 << 16
# The largest answer that is kept; a list of a project's 210 App Engine versions is some 500 KB.
_STDOUT_BYTES: Final = 32 << 20
_STDERR_LINES: Final = 400
_STDOUT_LOG_LINES: Final = 200
_INSTALL: Final = text("Install the Google Cloud CLI: https://cloud.google.com/sdk/docs/install")


def _ignore(line: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Timing:
    """The clock, the sleep and the dice of the retries, and the grace that an interrupted gcloud gets."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    grace_s: float = _GRACE_S


class Gcloud:
    """Runs lines of gcloud, or of the program that each names, in the user's environment; any number at once.

    Args:
        env: the user's environment. gcloud is looked for on its PATH.
        logs: the folder for the full logs, made when it is needed.
        echo: is given each line that changes something, before it runs.
        timing: for tests.
    """

    def __init__(
        self, env: Mapping[str, str], logs: Path, echo: Callable[[str], None], timing: Timing | None = None
    ) -> None:
        self._env = dict(env)
        self._logs = logs
        self._echo = echo
        self._timing = timing or Timing()
        self._enabled_api = False

    @property
    def env(self) -> Mapping[str, str]:
        """The user's environment, as it was given."""
        return self._env

    def find(self, program: str = "gcloud") -> str:
        """A program's path. Raises KitError GCLOUD_MISSING, or NOT_READY_TO_DEPLOY for another program."""
        found = shutil.which(program, path=self._env.get("PATH", os.defpath))
        if found is None and program != "gcloud":
            message = text("{program} is not on the PATH.", program=program)
            raise KitError(
                Code.NOT_READY_TO_DEPLOY,
                message,
                text("Install {program}, or correct the PATH.", program=program),
            )
        if found is None:
            raise KitError(Code.GCLOUD_MISSING, "gcloud is not on the PATH.", _INSTALL)
        return str(Path(found).absolute())

    async def run(self, command: Command, *, log: str, line: Line = _ignore) -> str:
        """Run it to its end, with as many attempts as are safe; its standard output.

        Args:
            command: what to run.
            log: the name of the log file that gets what it says, without ".log".
            line: is given gcloud's last line, each time it changes, and why an attempt is repeated.

        Raises:
            KitError: what `faults.explain` makes of its failure, GCLOUD_MISSING, or CANNOT_WRITE for the
                log. On cancellation gcloud and all that it started are gone.
        """
        program = self.find(command.program)
        file = await asyncio.to_thread(self._open, log)
        if command.changes:
            self._echo(clean(command.brief))
        attempt, began_waiting = 0, 0.0
        while True:
            attempt += 1
            status, stdout, stderr = await self._once(program, command, file, line)
            if status == 0:
                self._enabled_api |= command.words[:2] == ("services", "enable")
                return stdout
            fault = explain(command, status, stderr, "" if command.secret else stdout)
            if attempt == 1:
                began_waiting = self._timing.clock()
            elif fault.code is Code.NOT_FOUND_IN_CLOUD and command.changes:
                return ""  # the attempt before removed it
            again = "transient" if fault.code is Code.API_OFF and self._enabled_api else fault.again
            waited = self._timing.clock() - began_waiting
            pause = pause_s(again, command, attempt, waited, self._timing.chance())
            if pause is None:
                raise _error(fault, file)
            of = (
                text(" ({attempt} of {most})", attempt=attempt + 1, most=ATTEMPTS)
                if again == "transient"
                else ""
            )
            why = text(
                "{fault}: trying again in {pause:.0f} s{of}", fault=bare(fault.message), pause=pause, of=of
            )
            await _write(file, [f"# {why}"])
            line(why)
            if command.folder is not None:  # what the program keeps beside it may be what went wrong
                command.folder.contents = {
                    name: content
                    for name, content in command.folder.contents.items()
                    if name == command.folder.file
                }
            await self._timing.sleep(pause)

    async def read(self, command: Command, *, log: str) -> Any:
        """Run a line with `--format=json`; what it printed, parsed. Raises KitError as `run` does."""
        stdout = await self.run(command, log=log)
        try:
            return json.loads(stdout)
        except ValueError:
            verb = " ".join((command.program, *command.words[:3]))
            raise KitError(
                Code.GCLOUD_FAILED,
                text("`{verb}` answered with something that is not JSON.", verb=verb),
                text(
                    "Run it by hand and look; another {program} may come first on the PATH.",
                    program=command.program,
                ),
            ) from None

    async def _once(self, program: str, command: Command, log: Path, line: Line) -> tuple[int, str, str]:
        """One attempt: its exit status, its standard output, and the end of its standard error."""
        await _write(log, [f"# {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {clean(command.line)}"])
        env = {**self._env, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1", "TERM": "dumb", **command.env}
        if command.secret:
            env["CLOUDSDK_CORE_DISABLE_FILE_LOGGING"] = "1"
        kept, errors = bytearray(), asyncio.StreamReader()
        said: deque[str] = deque(maxlen=_STDERR_LINES)
        telling = asyncio.create_task(_tell(errors, said, log, line))
        try:
            with _unpacked(command.folder) as (variables, owns), _opened(command.stdin) as stdin:
                status = await run(
                    [program, *command.words],
                    env | variables,
                    grace_s=self._timing.grace_s,
                    stdout=lambda data: kept.extend(data[: _STDOUT_BYTES - len(kept)]),
                    stderr=errors.feed_data,
                    owns=owns,
                    stdin=stdin,
                )
            errors.feed_eof()
            await telling
        finally:
            telling.cancel()
        stdout = kept.decode(errors="replace")
        if status and not command.secret:
            await _write(log, [clean(text) for text in stdout.splitlines()[-_STDOUT_LOG_LINES:]])
        await _write(log, [f"# status {status}"])
        return status, stdout, "\n".join(said)

    def _open(self, log: str) -> Path:
        file = self._logs / f"{log}.log"
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        except OSError as error:
            raise _cannot(file, error) from None
        return file


@contextmanager
def _unpacked(folder: Folder | None) -> Iterator[tuple[dict[str, str], Path | None]]:
    """A line's own files on disk, for this user alone: the variable that names them, and where they are.

    What the line made of them is kept in memory; nothing of it stays on disk, however the line ends.
    """
    if folder is None:
        yield {}, None
        return
    with ExitStack() as stack:
        try:
            # One in the other: with the inner one a supervisor also removes the one around it.
            outer = stack.enter_context(TemporaryDirectory(prefix="kit-", ignore_cleanup_errors=True))
            inner = Path(outer, "own")
            inner.mkdir(0o700)
            for name, content in folder.contents.items():
                file = inner / name
                file.touch(0o600)
                file.write_bytes(content)
        except OSError as error:
            raise _cannot(tempfile.gettempdir(), error) from None
        yield {folder.variable: str(inner / folder.file)}, inner
        folder.contents = {file.name: file.read_bytes() for file in inner.iterdir() if file.is_file()}


@contextmanager
def _opened(stdin: str | Path | None) -> Iterator[int | None]:
    """A descriptor to read it from."""
    if stdin is None:
        yield None
        return
    with ExitStack() as stack:
        try:
            if isinstance(stdin, Path):
                stream: IO[bytes] = stack.enter_context(stdin.open("rb"))
            else:
                stream = stack.enter_context(tempfile.TemporaryFile())  # nameless, so it outlives no one
                stream.write(stdin.encode())
                stream.seek(0)
        except OSError as error:
            where = stdin if isinstance(stdin, Path) else tempfile.gettempdir()
            raise _cannot(where, error) from None
        yield stream.fileno()


async def _tell(stream: asyncio.StreamReader, said: deque[str], log: Path, line: Line) -> None:
    """Every line to the log and to `said`; the newest to `line`, until gcloud names its error."""
    lines, last, failed = Lines(), "", False
    while True:
        chunk = await stream.read(_CHUNK)
        ended = lines.feed(chunk, final=not chunk)
        said.extend(ended)
        await _write(log, [text for text in ended if text])
        # gcloud says what it does and then waits in the middle of the line, behind three dots or more.
        growing = [lines.open] if lines.open.endswith("...") else []
        for now in map(progress, (*ended, *growing)):
            if now and now != last and not failed:
                last, failed = now, now.startswith(("ERROR: (gcloud", "ERROR: gcloud"))
                line(now)
        if not chunk:
            return


async def _write(log: Path, lines: list[str]) -> None:
    """Append to the log. A deployment does not fail because its log cannot grow.

    The disk may be slow, and the event loop times the stream of another target's gate.
    """

    def append() -> None:
        with suppress(OSError), log.open("a", encoding="utf-8") as file:
            file.write("".join(f"{text}\n" for text in lines))

    if lines:
        await asyncio.to_thread(append)


def _cannot(where: Path | str, error: OSError) -> KitError:
    message = text("Cannot write {where}: {strerror}.", where=where, strerror=error.strerror)
    return KitError(
        Code.CANNOT_WRITE, message, text("Make that folder writable, or run the command in another one.")
    )


def _error(fault: Fault, log: Path) -> KitError:
    end = "".join(f"\n  | {text}" for text in fault.log)
    message = (
        text("{message} The end of its log:{end}", message=fault.message, end=end) if end else fault.message
    )
    return KitError(
        fault.code,
        message,
        text("{hint} The whole log: {log}", hint=fault.hint, log=log) if end else fault.hint,
    )
