"""Reminds of what was deployed for a while only, in one line, before any command."""

from __future__ import annotations

import sys
from pathlib import Path

from kit.cli.output import talk

_RECORD = Path(".kit", "deployments.json")


def remind() -> None:
    """Say on stderr what should have been removed by now. Never fails, and costs nothing where nothing is."""
    if sys.argv[1:2] == ["destroy"]:
        return
    try:
        # Whether to look closer at all: most folders have no record, most records nothing that expires.
        if '"expires_at": "' not in _RECORD.read_text(encoding="utf-8"):
            return
        import time

        from kit.cloud.record import Record
        from kit.cloud.status import overdue

        line = overdue(Record.load(Path()), time.time())
    except Exception:  # whatever is wrong there, this command may have nothing to do with it
        return
    if line:
        talk(f"warning: {line}")
