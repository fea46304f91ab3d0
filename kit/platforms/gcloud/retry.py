"""When to try again, and for how long. Pure: the caller has the clock, the sleep and the dice."""

from __future__ import annotations

from typing import Final, Literal

from kit.platforms.platform import Command

Again = Literal["no", "transient", "busy"]

ATTEMPTS: Final = 4
_FIRST_S: Final = 2.0
# gcloud itself has tried for half a minute before it gives up, each time.
_LONG_ENOUGH_S: Final = 60.0
# An App Engine operation that is in the way takes seconds on Standard, and up to some ten minutes on Flex.
_PATIENCE_S: Final = 900.0
_BUSY_S: Final = (5.0, 10.0, 15.0, 20.0, 30.0)

# Lines that may be said twice: they name what they make or change, so a second time finds it as it should be.
# Not among them: what makes something anew each time (`builds submit`), and what cannot be taken back.
_REPEATABLE: Final = (
    ("app", "deploy"),
    ("app", "services", "set-traffic"),
    ("app", "versions", "start"),
    ("app", "versions", "stop"),
    ("run", "deploy"),
    ("run", "services", "update"),
    ("run", "services", "update-traffic"),
    ("run", "services", "add-iam-policy-binding"),
    ("run", "services", "remove-iam-policy-binding"),
    ("services", "enable"),
)


def repeatable(command: Command) -> bool:
    """Whether the line may be run again although nobody knows how far it came."""
    return (
        not command.changes
        or removes(command)
        or any(command.words[: len(words)] == words for words in _REPEATABLE)
    )


def removes(command: Command) -> bool:
    """Whether the line removes something: once it is gone, a second attempt has nothing left to do."""
    return any(word in ("delete", "rm") for word in command.words[:4])


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
    if again == "transient" and attempt < ATTEMPTS and waited_s < _LONG_ENOUGH_S and repeatable(command):
        return float(_FIRST_S * 2 ** (attempt - 1) * spread)
    return None
