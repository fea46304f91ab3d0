"""Runs a user's own client against a stream that is known to be good, and says what it does to it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from kit.errors import UsageError
from kit.events import Stage, Watch
from kit.language import join, text
from kit.probe.client_drive import URL, run_once
from kit.proof.client_causes import ClientCause
from kit.proof.client_examination import MOST_RUNS, Conclusion, examination
from kit.proof.client_stress import SILENCES
from kit.report.client import ClientReport

_ERROR_LINES, _ERROR_WIDTH = 12, 500


async def examine(
    argv: Sequence[str],
    *,
    timeout_s: float,
    watch: Watch,
    env: Mapping[str, str] | None = None,
    silences: Sequence[float] = SILENCES,
) -> ClientReport:
    """Run the client as often as it takes.

    Args:
        argv: the command, `{url}` where its URL belongs; without one it becomes the last argument.
        timeout_s: how long each run may take to ask for its URL.
        watch: is given each event, as it happens.
        env: its environment; None for ours.
        silences: see `kit.proof.client_examination.examination`.

    Raises:
        KitError: BAD_USAGE when there is no such command, or it cannot be run.
    """
    environment = dict(os.environ if env is None else env)
    words = [_found(argv, environment), *argv[1:]]
    appended = not any(URL in word for word in words[1:])
    if appended:
        words.append(URL)
        watch(Stage(text("No {url} in the command: its URL is put at the end, and in STREAMPROOF_URL.")))
    watch(Stage(text("The command is run up to {n} times.", n=MOST_RUNS)))
    asking = examination(words, environment, silences)
    first: tuple[int | None, str] | None = None
    try:
        name, setup = next(asking)
        while True:
            watch(Stage(text("{name}: {setup}", name=name, setup=join(", ", setup.words))))
            run, said = await run_once(words, environment, setup, timeout_s=timeout_s)
            first = first or (run.status, said if run.status else "")
            name, setup = asking.send(run)
    except StopIteration as stop:
        conclusion: Conclusion = stop.value
    except OSError as error:
        raise UsageError(
            f"{argv[0]} cannot be run: {error.strerror or error}.", "Check the command, and run it again."
        ) from None
    status, errors = first or (None, "")
    lines = [line[:_ERROR_WIDTH] for line in errors.splitlines()[-_ERROR_LINES:]]
    shown = lines if conclusion.cause is ClientCause.INCONCLUSIVE else ()
    return ClientReport(PurePath(words[0]).name, appended, conclusion, status, tuple(shown))


def _found(argv: Sequence[str], environment: Mapping[str, str]) -> str:
    if not argv:
        raise UsageError(
            "There is no command to examine.",
            "Put it behind two dashes: kit doctor --client -- curl -s {url}",
        )
    found = shutil.which(argv[0], path=environment.get("PATH"))
    if found is None:
        there = Path(argv[0]).is_file()
        if not there and re.search(r"\s", argv[0]):  # a line for a shell, as one word
            for_shell = re.search(r"[|&;<>$`()*?~]", argv[0])
            raise UsageError(
                f"{argv[0]!r} is no command, but a line for a shell.",
                f"Have a shell run it: kit doctor --client -- sh -c {shlex.quote(argv[0])}"
                if for_shell
                else f"Leave the quotes out: kit doctor --client -- {argv[0]}",
            )
        if "://" in argv[0]:
            raise UsageError(
                f"{argv[0]} is an address, and --client examines a command that reads a stream.",
                f"To examine the server: kit doctor {argv[0]}",
            )
        raise UsageError(
            f"{argv[0]} cannot be run: {'it is not executable' if there else 'there is no such command'}.",
            f"Run it with its interpreter, or: chmod +x {argv[0]}"
            if there
            else "Check its name and the PATH.",
        )
    return str(Path(found).absolute())
