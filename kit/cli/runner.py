"""The frame that every command runs in: the way out, the Console, a run that a signal ends cleanly."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar

from kit import language
from kit.errors import Exit, KitError

if TYPE_CHECKING:
    from kit.config import Config
    from kit.events import Watch
    from kit.report.painter import Painter
    from kit.report.style import Style

SCHEMA_VERSION = 1


def success(
    data: Any, *, as_json: bool, text: str | None = None, warnings: Sequence[str] = (), exit: Exit = Exit.OK
) -> NoReturn:
    """Print the result and end the process.

    Args:
        data: what `--json` prints under "data"; must be JSON-able.
        as_json: whether the user asked for JSON.
        text: what a person reads on stdout instead; None or empty prints nothing.
        warnings: sentences, to stderr for a person, under "warnings" for a program.
        exit: the status.
    """
    show(data, as_json=as_json, text=text, warnings=warnings, exit=exit)
    raise SystemExit(int(exit))


def show(
    data: Any,
    *,
    as_json: bool,
    text: str | None = None,
    warnings: Sequence[str] = (),
    exit: Exit | None = None,
) -> None:
    """Print the same, at once, for a command that goes on running: it has no status yet."""
    if as_json:
        document = {"schema_version": SCHEMA_VERSION, "data": data, "warnings": list(warnings)}
        _write(json.dumps(document if exit is None else {**document, "exit_code": int(exit)}))
        return
    if text:
        _write(_spoken(text))
    for warning in warnings:
        warn(warning)


def fail(error: KitError, *, as_json: bool, beside: Mapping[str, object] = MappingProxyType({})) -> NoReturn:
    """Print one sentence and its remedy (or the same as JSON) and end the process with the error's status.

    `beside`: what JSON has beside the error.
    """
    if as_json:
        document = {"schema_version": SCHEMA_VERSION, "error": error.data, "exit_code": int(error.exit)}
        _write(json.dumps({**document, **beside}))
    else:
        talk(language.text("error: {message}", message=error.message))
        talk(f"  {language.t(error.hint)}")
    raise SystemExit(int(error.exit))


def style() -> Style:
    """How to write to stdout."""
    from kit.report.style import Style

    return Style.of(sys.stdout)


def configured(**flags: object) -> Config:
    """What is set here: by these flags, the environment, kit.toml and gcloud."""
    from kit.config import load_config

    return load_config(flags, os.environ, Path.cwd())


def talk(sentence: str) -> None:
    """Say something to the person, never to the program that reads stdout."""
    print(_spoken(sentence), file=sys.stderr, flush=True)


def _spoken(said: str) -> str:
    """A sentence in the reader's language; what a renderer made already is as it is."""
    return language.t(said) if isinstance(said, language.Text) else said


def warn(sentence: str) -> None:
    """A warning to the person."""
    talk(language.text("warning: {warning}", warning=sentence))


class Console:
    """The stderr of one command: live pictures, and beside or within them the lines of gcloud.

    Args:
        as_json: whether stdout is a program's; then there are plain lines only.

    Attributes:
        quiet: whether no command shows its progress (`--quiet`); errors, warnings and questions are said.
    """

    quiet = False

    def __init__(self, *, as_json: bool) -> None:
        self._colour = False if as_json else None
        self._watch: Watch | None = None

    def lanes(self) -> Painter:
        """The `Watch` of lanes that are measured; a context manager."""
        from kit.report.live import live_lanes

        return live_lanes(self._stream(), colour=self._colour)

    @contextmanager
    def steps(self, stage: str | None = None) -> Iterator[Watch]:
        """The `Watch` of targets that are deployed, looked at or removed; `stage` is its first event."""
        from kit.events import Stage
        from kit.report.live import live_steps

        with live_steps(self._stream(), colour=self._colour) as watch:
            self._watch = watch
            try:
                if stage is not None:
                    watch(Stage(stage))
                yield watch
            finally:
                self._watch = None

    def echo(self, line: str) -> None:
        """Show a command line that is about to run and changes something."""
        from kit.events import Running

        if self._watch is None and not self.quiet:
            talk(f"$ {line}")
        elif self._watch is not None:
            self._watch(Running(line))

    def _stream(self) -> TextIO:
        return io.StringIO() if self.quiet else sys.stderr


def _write(text: str) -> None:
    """One text to stdout, now. A reader that hung up (`kit … | head`) is no error; a full disk is."""
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries again at its end
        if not isinstance(error, BrokenPipeError):
            talk(f"error: Cannot write to stdout: {error.strerror}.\n  Free some room, or send it elsewhere.")
            raise SystemExit(int(Exit.FAILED)) from None


T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end; SIGTERM and SIGHUP end it as Ctrl-C does, with its `finally` clauses run.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    import asyncio
    import signal

    async def main() -> T:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
        return await task

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
