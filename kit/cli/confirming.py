"""Asks a person for a yes, where there is one to ask."""

from __future__ import annotations

from kit.cli.output import talk
from kit.errors import Code, KitError


def confirmed(question: str, *, yes: bool) -> None:
    """Return on a yes.

    Args:
        question: what is about to happen; ends with a question mark.
        yes: whether it was said already (`--yes`).

    Raises:
        KitError: NOT_CONFIRMED on a no, and where there is no terminal to ask on.
    """
    import sys

    if yes:
        return
    if not sys.stdin or not sys.stdin.isatty():
        raise KitError(
            Code.NOT_CONFIRMED,
            "This wants a yes, and there is no terminal to ask on.",
            "Read what it says above, and add --yes (or set KIT_YES=1).",
        )
    talk(f"{question} [y/N]")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise KitError(Code.NOT_CONFIRMED, "Nothing was done.", "Say y to go on, or add --yes.")
