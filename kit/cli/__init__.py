"""The command line: one file a verb; here only the wiring."""

from __future__ import annotations


def main() -> None:
    """Run `kit`. Every verb's module is light; what is heavy is imported when its command runs."""
    try:
        from kit.cli.app import run

        run()
    except KeyboardInterrupt:  # while modules are loaded, or again while the first one is cleaned up after
        raise SystemExit(130) from None
