"""One line of a program that the kit runs for its user: gcloud, or another of a platform's tools."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Line = Callable[[str], None]
"""Takes each line that a program prints while it works."""


@dataclass(frozen=True, slots=True)
class Command:
    """A line to run; no shell ever sees it.

    Attributes:
        words: what follows the program, project and `--quiet` included.
        env: variables that this line needs beside the user's own.
        changes: whether it creates, changes or removes something.
        repeatable: whether a line that changes something may be run again although it is unknown how far it
            came: it names what it makes, changes or removes, so a second time finds it as it should be.
        secret: whether what it prints is a secret, which goes to no log.
        absent: the program's answers to exactly this line, each to the letter, that mean: what it names does
            not exist. Any other failure says nothing of what is there.
        program: its name, looked for on the user's PATH.
    """

    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    changes: bool = False
    repeatable: bool = False
    secret: bool = False
    absent: tuple[str, ...] = ()
    program: str = "gcloud"

    @property
    def line(self) -> str:
        """As a person would type it into a POSIX shell."""
        variables = (f"{name}={value}" for name, value in self.env.items())
        return shlex.join([*variables, self.program, *self.words])
