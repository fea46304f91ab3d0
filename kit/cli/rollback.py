"""`kit rollback TARGET`: all traffic back to the version that served before."""

from __future__ import annotations

from kit.cli.arguments import Json, Yes
from kit.cli.records import STREAMS, Streams, Target, Version, move


def command(
    target: Target,
    version: Version = None,
    streams: Streams = STREAMS,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send all traffic back to the version that served before.

    It is named, and you are asked. If that one is stopped, it is started, which may take minutes, and the
    other one is stopped afterwards if it would cost money all the time.
    """
    from kit.flows.traffic import earlier

    move(
        target,
        "rollback",
        lambda service, known: earlier(service, target, known, version),
        streams=streams,
        yes=yes,
        as_json=as_json,
    )
