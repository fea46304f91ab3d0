"""`kit logs TARGET`: what the service wrote, as Cloud Logging has it."""

from __future__ import annotations

from typing import Annotated

from kit.cli.arguments import Json, option
from kit.cli.records import Target, recorded
from kit.cli.runner import Console, run, success, talk
from kit.language import text


def command(
    target: Target,
    limit: Annotated[int, option("--limit", "How many of the newest entries.", min=1, max=10_000)] = 100,
    version: Annotated[
        str | None, option("--version", "Of this version only, by its name as `kit status` shows it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read a deployed service's log, through gcloud."""
    from kit.cli.records import gcloud
    from kit.cloud.logs import read_logs, shown
    from kit.platforms.gcloud.output import clean

    (known,) = recorded([target])
    line = read_logs(known.place, limit=limit, version=version)
    with Console(as_json=as_json).steps(line.line):
        entries = run(gcloud().read(line, log=f"{target}-logs"))
    lines = [clean(one) for one in shown(entries)]
    if not lines and not as_json:
        talk(text("No entries. What was written a moment ago may take some seconds to be there."))
    success({"target": target, "lines": lines}, as_json=as_json, text="\n".join(lines))
