"""`kit rehearse`: deploy with the real gcloud to a Google on this machine, without an account."""

from __future__ import annotations

from typing import Annotated

import typer

from kit.cli.arguments import Json, option

CONTEXT = {"allow_interspersed_args": False}  # what follows the first word belongs to the rehearsed line


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORD",
            help="Another line of the kit's to rehearse, such as `status --refresh`; `shell` for your shell, "
            "with kit and gcloud in it. By default everything is deployed.",
        ),
    ] = None,
    then_exit: Annotated[
        bool,
        option("--then-exit", "End once everything is deployed, instead of keeping it alive until Ctrl-C."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Deploy with the real gcloud to a Google on this machine: no account, no cost."""
    import signal
    import sys

    from kit.cli.runner import talk
    from kit.errors import Exit
    from kit.flows.rehearse import rehearse

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(int(Exit.INTERRUPTED)))
    raise SystemExit(rehearse(words or [], stays=not then_exit, as_json=as_json, say=talk))
