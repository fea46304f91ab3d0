"""What a Dockerfile says about the process that its image starts: the command and its environment.

Only as much of the language as that needs (https://docs.docker.com/reference/dockerfile/): stages, ENV, and
ENTRYPOINT and CMD in their JSON form. No shell ever sees a command.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from kit.errors import Code, KitError

# What a Dockerfile says about its image's own Python means nothing outside that image.
_OF_THE_IMAGE = frozenset({"PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "HOME"})

_VARIABLE = r"\$\{(?P<braced>\w+)\}|\$(?P<name>\w+)"
_IN_DOUBLE_QUOTES = re.compile(rf'\\(?P<escaped>["$\\])|{_VARIABLE}')
_BARE = re.compile(rf"\\(?P<escaped>.)|{_VARIABLE}", re.DOTALL)
_PART = re.compile(
    r"""(?P<blank>[ \t]+)|'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^"\\])*)"|(?:\\.|[^ \t'"\\])+|.""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Image:
    """What an image starts, and with which environment."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def argv(self) -> tuple[str, ...]:
        """The whole command."""
        return (*self.entrypoint, *self.command)


def read_image(text: str, path: Path) -> Image:
    """The command and the ENV of a Dockerfile's last stage, with what it inherits from earlier ones."""
    stages: dict[str, Image] = {}
    name, image, own_command = "", Image(), False
    for instruction, rest in _instructions(text):
        if instruction == "FROM":
            words = [word.lower() for word in rest.split() if not word.startswith("--")]
            image = stages.get(words[0], Image()) if words else Image()
            name, own_command = words[2] if len(words) == 3 else "", False
        elif instruction == "ENV":
            image = replace(image, env={**image.env, **_read_env(rest, image.env)})
        elif instruction == "ENTRYPOINT":
            # It takes an inherited command away, not the stage's own.
            command = image.command if own_command else ()
            image = replace(image, entrypoint=_read_json(rest, path), command=command)
        elif instruction == "CMD":
            image, own_command = replace(image, command=_read_json(rest, path)), True
        stages[name] = image
    if not image.argv:
        raise unclear(path, "has no CMD.")
    return replace(image, env={key: value for key, value in image.env.items() if key not in _OF_THE_IMAGE})


def _instructions(text: str) -> list[tuple[str, str]]:
    """Instruction and rest, line continuations joined, comments left out."""
    joined: list[str] = []
    pending = ""
    for raw in text.split("\n"):
        line = raw.strip(" \t\r")
        if line.startswith("#") or (pending and not line):
            continue
        pending += line
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        if pending:
            joined.append(pending)
        pending = ""
    if pending.strip():
        joined.append(pending.strip())
    pairs = (line.partition(" ") for line in joined)
    return [(word.upper(), rest.strip()) for word, _, rest in pairs]


def _read_env(rest: str, known: Mapping[str, str]) -> dict[str, str]:
    """`A=1 B="2 3"`, or the old form `A 1`; `$A` and `${A}` stand for what was set before this line."""
    name, _, value = rest.partition(" ")
    if "=" not in name:
        return {name: value.strip()}
    pairs = (word.partition("=") for word in _words(rest, known))
    return {name: value for name, _, value in pairs}


def _words(text: str, known: Mapping[str, str]) -> list[str]:
    """Docker's words (docs.docker.com/reference/dockerfile, "ENV" and "Environment replacement").

    A backslash escapes, single quotes keep everything as it is, double quotes keep blanks.
    """
    words: list[str] = []
    word: str | None = None
    for part in _PART.finditer(text):
        if part["blank"]:
            words += [] if word is None else [word]
            word = None
            continue
        if part["single"] is not None:
            more = part["single"]
        elif part["double"] is not None:
            more = _replace(_IN_DOUBLE_QUOTES, part["double"], known)
        else:
            more = _replace(_BARE, part[0], known)
        word = (word or "") + more
    return words if word is None else [*words, word]


def _replace(pattern: re.Pattern[str], text: str, known: Mapping[str, str]) -> str:
    """Escapes and variables as what they stand for; a variable that nobody set is empty."""
    return pattern.sub(
        lambda found: found["escaped"] or known.get(found["braced"] or found["name"] or "", ""), text
    )


def _read_json(rest: str, path: Path) -> tuple[str, ...]:
    try:
        words = json.loads(rest)
    except ValueError:
        words = None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise unclear(path, f"has a command that is not a JSON list: {rest!r}.")
    return tuple(words)


def unclear(path: Path, what: str) -> KitError:
    """What to tell about a file of a bundle from which nothing can be started."""
    return KitError(
        Code.BAD_TARGET,
        f"{path} {what}",
        "Render the bundle again (`kit render --force`), or mend the target's template in deploy/.",
    )
