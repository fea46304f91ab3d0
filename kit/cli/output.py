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
    _leave(exit)


def show(data: Any, *, as_json: bool, text: str | None = None, warnings: Sequence[str] = ()) -> None:
    """Print the same, at once, for a command that goes on running."""
    if as_json:
        document = {"schema_version": SCHEMA_VERSION, "data": data, "warnings": list(warnings)}
        print(json.dumps(document), flush=True)
        return
    if text:
        print(text, flush=True)
    for warning in warnings:
        talk(f"warning: {warning}")


def fail(error: KitError, *, as_json: bool) -> NoReturn:
    """Print one sentence and its remedy (or the same as JSON) and end the process with the error's status."""
    if as_json:
        body = {"code": str(error.code), "message": error.message, "hint": error.hint}
        print(json.dumps({"schema_version": SCHEMA_VERSION, "error": body}))
    else:
        talk(f"error: {error.message}\n  {error.hint}")
    _leave(error.exit)


def talk(text: str) -> None:
    """Say something to the person, never to the program that reads stdout."""
    print(text, file=sys.stderr, flush=True)


def _leave(exit: Exit) -> NoReturn:
    """End the process; a reader that hung up (`kit … | head`) is nobody's error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(int(exit))
