"""`kit promote TARGET`: all traffic to a version that waits."""

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
    """Send all traffic to a version that was held back.

    It shows what the gate said of it, and asks you. Without --version it is the newest of the kit's that
    does not serve. The version that served is stopped afterwards if it would cost money all the time.
    """
    from kit.flows.traffic import newest

    move(
        target,
        "promote",
        lambda service, _: newest(service, target, version),
        streams=streams,
        yes=yes,
        as_json=as_json,
    )
