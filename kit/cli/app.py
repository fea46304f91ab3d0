"""The table of verbs, and the one place where an error becomes a sentence and an exit status."""

from __future__ import annotations

import os
import sys

import typer
from typer.exceptions import Abort, TyperException

from kit import __version__
from kit.cli.help import Verbs
from kit.cli.misuse import misused
from kit.cli.records import remind
from kit.cli.runner import fail, talk
from kit.errors import Code, Exit, KitError
from kit.language import speak

HELP = """Does a streamed answer arrive as it is written, and if not, who holds it and what frees it?

Try `kit demo` for the whole story on this machine, or `kit probe URL` for a service of your own."""

_YES = ("1", "true", "t", "yes", "y", "on")

app = typer.Typer(
    help=HELP,
    cls=Verbs,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"kit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", "-V", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Options of every verb."""


def run() -> None:
    """Run the command line; never shows a traceback unless KIT_DEBUG is set."""
    # A shell's `>&-` leaves Python without the stream.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    speak(None, os.environ)
    arguments = sys.argv[1:] or ["--help"]
    if arguments[0] in ("help", "version"):  # as other programs have it
        arguments = [*arguments[1:], f"--{arguments[0]}"]
    as_json = _wants_json(arguments)
    if "_KIT_COMPLETE" not in os.environ:  # a shell that completes a word
        remind()
    try:
        status = app(arguments, prog_name="kit", standalone_mode=False)
    except KitError as error:
        fail(error, as_json=as_json)
    except TyperException as error:
        fail(misused(error, arguments), as_json=as_json)
    except (KeyboardInterrupt, Abort):
        talk("interrupted")
        raise SystemExit(int(Exit.INTERRUPTED)) from None
    except Exception as error:
        if os.environ.get("KIT_DEBUG"):
            raise
        fail(
            KitError(
                Code.INTERNAL,
                f"Something in the kit itself went wrong: {type(error).__name__}: {error}",
                "Run it again with KIT_DEBUG=1 and report what it prints.",
            ),
            as_json=as_json,
        )
    if status == Exit.INTERRUPTED:  # which is what typer makes of Ctrl-C
        talk("interrupted")
    raise SystemExit(status or 0)


def _wants_json(arguments: list[str]) -> bool:
    """Whether errors are to be JSON: known before the arguments are parsed, which may itself fail."""
    # Behind two dashes stands another program's command, with options of its own.
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in ours or os.environ.get("KIT_JSON", "").lower() in _YES
