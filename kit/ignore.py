"""Ignore files: which paths they leave out, in git's syntax and in Docker's.

Own code, held against `git check-ignore` by the tests: pathspec 1.1 lets a `!` rule bring back what lies in
an ignored folder, which neither git nor gcloud does: a file that its owner had ruled out could be uploaded.
`?` stands for a character, as to gcloud and Docker; to git, for a byte.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Syntax = Literal["git", "docker"]

_NEVER = re.compile(r"(?!)")
_ITEM = r"\[:\w+:\]|\\.|[^\\\]]"
_PIECE = re.compile(rf"\*+|\[[!^]?+(?:\]|{_ITEM})(?:{_ITEM})*\]|\\.|.", re.DOTALL)
# POSIX classes in ASCII, as git knows them.
_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """One line: which paths it speaks of, and whether it lets them in again (`!`)."""

    matches: re.Pattern[str]
    lets_in: bool = False
    folders_only: bool = False


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """One ignore file. The last rule that speaks of a path decides.

    git (https://git-scm.com/docs/gitignore), and gcloud like it: what lies in an ignored folder cannot be let
    in again. Docker (https://docs.docker.com/build/concepts/context/#dockerignore-files): it can, and every
    pattern begins at the top.
    """

    syntax: Syntax
    rules: tuple[IgnoreRule, ...]

    def leaves_out(self, path: str) -> bool:
        """Whether a file is left out.

        Args:
            path: relative, with forward slashes.
        """
        parts = path.split("/")
        above = ["/".join(parts[:count]) for count in range(1, len(parts))]
        if self.syntax == "docker":
            speaking = [rule for rule in self.rules if any(map(rule.matches.fullmatch, (*above, path)))]
            return bool(speaking) and not speaking[-1].lets_in
        return any(self._last_word(folder, is_folder=True) for folder in above) or self._last_word(path)

    def _last_word(self, path: str, *, is_folder: bool = False) -> bool:
        for rule in reversed(self.rules):
            if (is_folder or not rule.folders_only) and rule.matches.fullmatch(path):
                return not rule.lets_in
        return False


def read_rules(lines: Iterable[str], syntax: Syntax) -> IgnoreRules:
    """The rules of an ignore file; a line that means nothing to git or Docker means nothing here.

    Args:
        lines: without their line ends.
        syntax: whose.
    """
    read = _git_rule if syntax == "git" else _docker_rule
    return IgnoreRules(syntax, tuple(rule for line in lines if (rule := read(line)) is not None))


def _git_rule(line: str) -> IgnoreRule | None:
    line = re.sub(r"(?<!\\)((?:\\\\)*)[ ]+$", r"\1", line.removesuffix("\r"))
    if not line or line.startswith("#"):
        return None
    lets_in = line.startswith("!")
    pattern = line[lets_in:]
    folders_only = pattern.endswith("/")
    pattern = pattern.removesuffix("/")
    # A pattern without a slash is held against names, one with a slash against paths from the top.
    anywhere = "/" not in pattern
    pattern = pattern.removeprefix("/")
    if not pattern:
        return None
    inner = _regex(list(_pieces(pattern)), "git")
    return IgnoreRule(
        _NEVER if inner is None else re.compile(f"(?:.*/)?{inner}" if anywhere else inner, re.DOTALL),
        lets_in,
        folders_only,
    )


def _docker_rule(line: str) -> IgnoreRule | None:
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    lets_in = line.startswith("!")
    pattern = line[lets_in:].strip()
    if not pattern:
        return None
    pattern = posixpath.normpath(pattern).lstrip("/")
    inner = _regex(list(_pieces(pattern)), "docker")
    return IgnoreRule(_NEVER if inner is None else re.compile(inner, re.DOTALL), lets_in)


def _regex(pieces: Sequence[str], syntax: Syntax) -> str | None:
    """The pieces of a glob as a regular expression; None for a glob that matches nothing."""
    regex, place = "", 0
    while place < len(pieces):
        piece = pieces[place]
        rest = pieces[place + 1 :]
        place += 1
        if piece == "**":
            # To git two stars are more than one only where they fill the space between two slashes.
            bounded = (place == 1 or pieces[place - 2] == "/") and (not rest or rest[0] == "/")
            if syntax == "git" and not bounded:
                regex += "[^/]*"
            elif not rest:
                regex += ".*"
            else:
                regex += "(?:.*/)?"
                place += rest[0] == "/"
        elif piece == "*":
            regex += "[^/]*"
        elif piece == "?":
            regex += "[^/]"
        elif piece.startswith("[") and len(piece) > 1:
            regex += _bracket(piece)
        elif piece in ("[", "\\"):
            return None  # a bracket that nothing closes, a backslash that escapes nothing
        else:
            regex += re.escape(piece.removeprefix("\\"))
    return regex


def _pieces(pattern: str) -> Iterator[str]:
    """A glob taken apart: `**` (two stars or more), `*`, `?`, `[…]`, an escaped character, a character."""
    for found in _PIECE.finditer(pattern):
        yield "**" if found[0].startswith("**") else found[0]


def _bracket(piece: str) -> str:
    """A bracket expression. It never matches a slash, whatever it says."""
    inner = piece[1:-1]
    negated = inner[:1] in ("!", "^")
    inner = inner[negated:]
    items = [found[0] for found in re.finditer(r"\[:\w+:\]|\\.|.", inner, re.DOTALL)]
    said, place = "", 0
    while place < len(items):
        item = items[place]
        if item.startswith("[:"):
            said += _CLASSES.get(item[2:-2], "")
            place += 1
            continue
        low = item.removeprefix("\\") or item
        if place + 2 < len(items) and items[place + 1] == "-" and not items[place + 2].startswith("[:"):
            high = items[place + 2].removeprefix("\\") or items[place + 2]
            said += f"{re.escape(low)}-{re.escape(high)}" if low <= high else ""
            place += 3
        else:
            said += re.escape(low)
            place += 1
    if not said:
        return "[^/]" if negated else "(?!)"
    return f"(?!/)[{'^' if negated else ''}{said}]"
