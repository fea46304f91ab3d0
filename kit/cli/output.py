"""The one way out: data to stdout, talk to stderr, the same shape for people and for `--json`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from kit.errors import Exit, KitError

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
    show(data, as_json=as_json, text=text, warnings=warnings)
    raise SystemExit(int(exit))


def show(data: Any, *, as_json: bool, text: str | None = None, warnings: Sequence[str] = ()) -> None:
    """Print the same, at once, for a command that goes on running."""
    if as_json:
        document = {"schema_version": SCHEMA_VERSION, "data": data, "warnings": list(warnings)}
        _write(json.dumps(document))
        return
    if text:
        _write(text)
    for warning in warnings:
        talk(f"warning: {warning}")


def fail(error: KitError, *, as_json: bool) -> NoReturn:
    """Print one sentence and its remedy (or the same as JSON) and end the process with the error's status."""
    if as_json:
        body = {"code": str(error.code), "message": error.message, "hint": error.hint}
        _write(json.dumps({"schema_version": SCHEMA_VERSION, "error": body}))
    else:
        talk(f"error: {error.message}\n  {error.hint}")
    raise SystemExit(int(error.exit))


def talk(text: str) -> None:
    """Say something to the person, never to the program that reads stdout."""
    print(text, file=sys.stderr, flush=True)


def _write(text: str) -> None:
    """One text to stdout, now. A reader that hung up (`kit … | head`) is nobody's error; a full disk is."""
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries again at its end
        if not isinstance(error, BrokenPipeError):
            talk(f"error: Cannot write to stdout: {error.strerror}.\n  Free some room, or send it elsewhere.")
            raise SystemExit(int(Exit.FAILED)) from None
