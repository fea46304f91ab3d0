"""When to try again, and for how long. Pure: the caller has the clock, the sleep and the dice."""

from __future__ import annotations

from typing import Final, Literal

from kit.platforms.command import Command

Again = Literal["no", "transient", "busy"]

ATTEMPTS: Final = 4
_FIRST_S: Final = 2.0
# gcloud itself has tried for half a minute before it gives up, each time.
_LONG_ENOUGH_S: Final = 60.0
# An App Engine operation that is in the way takes seconds on Standard, and up to some ten minutes on Flex.
_PATIENCE_S: Final = 900.0
_BUSY_S: Final = (5.0, 10.0, 15.0, 20.0, 30.0)


def pause_s(again: Again, command: Command, attempt: int, waited_s: float, chance: float) -> float | None:
    """How long to wait before the next attempt; None to give up.

    Args:
        again: what the fault allows.
        command: the line that failed.
        attempt: how many there have been, from 1.
        waited_s: since the first of them began to fail.
        chance: from 0 to 1, spreads those who wait for the same thing.
    """
    spread = 0.75 + chance / 2
    if again == "busy":  # it was turned away before it did anything
        base = _BUSY_S[min(attempt, len(_BUSY_S)) - 1]
        return base * spread if waited_s + base * spread <= _PATIENCE_S else None
    safe = command.repeatable or not command.changes
    if again == "transient" and attempt < ATTEMPTS and waited_s < _LONG_ENOUGH_S and safe:
        return float(_FIRST_S * 2 ** (attempt - 1) * spread)
    return None
