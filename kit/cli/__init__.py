"""The command line: one file a verb; here only the wiring."""

from __future__ import annotations


def main() -> None:
    """Run `kit`. Every verb's module is light; what is heavy is imported when its command runs."""
    from kit.cli.app import run

    run()
