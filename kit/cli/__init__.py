"""The command line: one file a verb; here only the wiring."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `kit`. Every verb's module is light; what is heavy is imported when its command runs."""
    if sys.platform == "win32":  # first of all: some of what is imported next is not there
        print("error: The kit runs on Linux and macOS.\n  On Windows, run it in WSL.", file=sys.stderr)
        raise SystemExit(2)
    try:
        from kit.cli.app import run

        run()
    except KeyboardInterrupt:  # while modules are loaded, or again while the first one is cleaned up after
        raise SystemExit(130) from None
