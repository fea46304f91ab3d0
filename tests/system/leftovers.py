"""Which processes work in a folder: those that a command started there, whatever has become of it."""

from __future__ import annotations

from pathlib import Path


def processes_in(folder: Path) -> dict[int, str]:
    """Process number to command line, of all whose working directory lies in that folder."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                line = (process / "cmdline").read_text().replace("\0", " ")
                if line:  # a process on its way out gives up its memory first, its folder after
                    found[int(process.name)] = line
        except OSError:
            continue  # it ended meanwhile, or is not ours to look at
    return found
