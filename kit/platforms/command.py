"""One line of a program that the kit runs for its user: gcloud, or another of a platform's tools."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Line = Callable[[str], None]
"""Takes each line that a program prints while it works."""


@dataclass(slots=True)
class Folder:
    """A program's own files, shared by several lines: on disk, in a private folder, only while a line runs.

    Attributes:
        variable: the environment variable that names the file to the program.
        file: that file's name.
        contents: what each file holds, by its name; kept up to date.
    """

    variable: str
    file: str
    contents: dict[str, bytes] = field(default_factory=dict, repr=False)


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
        stdin: what it reads from its standard input: a text, or what this file holds; None for nothing.
        input: that text in words, for people.
        folder: the files of its own that it needs.
    """

    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    changes: bool = False
    repeatable: bool = False
    secret: bool = False
    absent: tuple[str, ...] = ()
    program: str = "gcloud"
    stdin: str | Path | None = None
    input: str = ""
    folder: Folder | None = None

    @property
    def line(self) -> str:
        """As a person would type it into a POSIX shell; files of `folder` are in the folder typed in."""
        if isinstance(self.stdin, str):
            return f"printf %s {shlex.quote(self.stdin)} | {self._words}"
        return self._words if self.stdin is None else f"{self._words} <{shlex.quote(str(self.stdin))}"

    @property
    def brief(self) -> str:
        """The same, but for a text on its standard input, which is only named."""
        return f"{self._words}  # {self.input}" if isinstance(self.stdin, str) else self.line

    @property
    def _words(self) -> str:
        variables = [f"{name}={shlex.quote(value)}" for name, value in self.env.items()]
        if self.folder is not None:
            name = self.folder.variable
            variables.append(f'{name}="$PWD/streamproof-{name.lower()}"')
        return " ".join([*variables, shlex.join([self.program, *self.words])])
