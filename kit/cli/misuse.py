"""A misused command line as one sentence, with the line that was probably meant."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from typer.exceptions import TyperException

from kit.cli.arguments import OLD_NAMES
from kit.errors import UsageError

# pydantic's words for what a value should have been, and ours.
_SHOULD = (
    (r"Input should be a valid number.*", "it is no number"),
    (r"Input should be a valid integer.*", "it is no whole number"),
    (r"Input should be greater than or equal to (\S+)", r"it must be at least \1"),
    (r"Input should be less than or equal to (\S+)", r"it must be at most \1"),
    (r"Input should be .*", "it is none that this option takes"),
    (r"Value error, ", ""),
)


def misused(error: TyperException, arguments: Sequence[str]) -> UsageError:
    """What was wrong with the command line, and what to do about it.

    Args:
        error: as typer says it.
        arguments: the command line, without the program's name.
    """
    _suggest_no_old_name(error)
    message = error.format_message()
    message = re.sub(r"env var: '\[(.*?)\]'", r"env var: \1", message)  # of several typer prints a list
    if not _by_variable(error):
        message = re.sub(r" \(env var: '.*?'\)(?=: )", "", message)
    for theirs, ours in _SHOULD:
        message = re.sub(theirs, ours, message)
    return UsageError(message.replace(" (Possible options: ", " (did you mean "), _hint(error, arguments))


def _suggest_no_old_name(error: Any) -> None:
    if meant := getattr(error, "possibilities", None):
        error.possibilities = [name for name in meant if name not in OLD_NAMES]


def _by_variable(error: Any) -> bool:
    """Whether a variable has the wrong value, and no option of the command line."""
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    if context is None or parameter is None:
        return False
    source = context.get_parameter_source(parameter.name)
    return source is not None and source.name == "ENVIRONMENT"


def _hint(error: Any, arguments: Sequence[str]) -> str:
    command = getattr(error, "ctx", None)
    path = command.command_path if command is not None else "kit"
    usual = f"Try `{path} --help`."
    first = arguments[0] if arguments else ""
    if first == "doctor" and "--client" in arguments and "--" not in arguments:
        client = shlex.join(arguments[arguments.index("--client") + 1 :]).replace("'{url}'", "{url}")
        return f"Put -- before the command: kit doctor --client -- {client}"
    if first == "curl" or ("curl" in arguments[1:2] and first in ("probe", "compare")):
        return "Give a curl command by --from-curl: kit probe --from-curl 'curl …'"
    if "://" in first:
        return f"Did you mean kit probe {shlex.quote(first)}?"
    extra = re.search(r"unexpected extra argument.*", str(error))
    if extra is not None and first in ("probe", "doctor"):
        if "://" in extra[0]:
            return "One address at a time; kit compare NAME=URL NAME=URL asks several side by side."
        return "A value with blanks in it needs quotes, as in -H 'Accept: text/event-stream'."
    option = getattr(error, "option_name", "")
    if type(error).__name__ == "NoSuchOption" and "--from-curl" in _options(command) and _is_curls(option):
        return f"Give the whole curl command instead: {path} --from-curl FILE (- for standard input)."
    return usual


def _options(context: Any) -> list[str]:
    return [name for parameter in context.command.params for name in parameter.opts] if context else []


def _is_curls(option: str) -> bool:
    from kit.probe.curl import is_option

    return is_option(option)
