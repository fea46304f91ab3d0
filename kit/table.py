"""A TOML table read by what is expected of it: every key typed, none missing, none left over.

Each failure is one sentence that names the file, the key as it would be written with dots, and what was
expected there.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, overload

from kit.errors import Code, KitError

T = TypeVar("T")
D = TypeVar("D")
N = TypeVar("N", int, float)

_REQUIRED: Final = object()
_IN_WORDS: dict[type, str] = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


class Table:
    """One table of a file, and which of its keys have been asked for.

    Attributes:
        file: where it stands.
        raw: what it holds.
    """

    def __init__(self, file: Path, raw: dict[str, Any], code: Code, path: str = "") -> None:
        self.file = file
        self.raw = raw
        self._code = code
        self._path = path
        self._asked: list[str] = []

    @classmethod
    def read(cls, file: Path, code: Code) -> Table:
        """The file's outermost table. Raises KitError with `code` where it cannot be read or is not TOML."""
        try:
            return cls(file, tomllib.loads(file.read_text(encoding="utf-8")), code)
        except (OSError, ValueError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error) or "nested too deeply"
            raise KitError(code, f"{file} cannot be read as TOML: {reason}.", "Correct the file.") from None

    @overload
    def take(self, key: str, kind: type[T]) -> T: ...
    @overload
    def take(self, key: str, kind: type[T], default: D) -> T | D: ...
    def take(self, key: str, kind: type[T], default: Any = _REQUIRED) -> Any:
        """The value of a key, of exactly this type (a whole number is also a number)."""
        self._asked.append(key)
        if key not in self.raw:
            if default is _REQUIRED:
                raise self.error(f"{self.dotted(key)} is missing", f"Expected {_IN_WORDS[kind]}.")
            return default
        value = self.raw[key]
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
            raise self.bad(key, _IN_WORDS[kind])
        return value

    def positive(self, key: str, kind: type[N]) -> N:
        """A number above zero."""
        value = self.take(key, kind)
        if value <= 0:
            raise self.bad(key, f"{_IN_WORDS[kind]} above 0")
        return value

    def choice(self, key: str, among: Sequence[str]) -> Any:
        """One of a few words."""
        value = self.take(key, str)
        if value not in among:
            raise self.bad(key, f"one of {', '.join(among)}")
        return value

    def texts(self, key: str) -> dict[str, str]:
        """A table of texts."""
        table = self.table(key)
        return {name: table.take(name, str) for name in list(table.raw)}

    def values(self, key: str, kind: type[T]) -> tuple[T, ...]:
        """A list of values of this type (a whole number is also a number), empty where there is none."""
        self._asked.append(key)
        value = self.raw.get(key, [])
        kinds = (int, float) if kind is float else (kind,)
        if not isinstance(value, list) or not all(type(one) in kinds for one in value):
            raise self.bad(key, f"a list, and in it only {_IN_WORDS[kind]}")
        return tuple(value)

    def names(self, key: str) -> tuple[str, ...]:
        """A list of texts in lower case."""
        self._asked.append(key)
        value = self.raw.get(key)
        if not isinstance(value, list) or not all(
            isinstance(one, str) and one == one.lower() for one in value
        ):
            raise self.bad(key, "a list of texts in lower case")
        return tuple(value)

    def table(self, key: str) -> Table:
        """A table inside this one; an empty one where there is none."""
        self._asked.append(key)
        value = self.raw.get(key, {})
        if not isinstance(value, dict):
            raise self.bad(key, "a table")
        return Table(self.file, value, self._code, self.dotted(key))

    def tables(self, key: str) -> list[Table]:
        """A list of tables (`[[key]]`), empty where there is none."""
        self._asked.append(key)
        value = self.raw.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.bad(key, "a list of tables")
        return [Table(self.file, one, self._code, f"{self.dotted(key)}[{n}]") for n, one in enumerate(value)]

    def done(self, known: Iterable[str] = ()) -> None:
        """Raises for a key that nobody asked for, naming the nearest of those that are known."""
        known = list(dict.fromkeys((*self._asked, *known)))
        for key in self.raw:
            if key not in known:
                raise self.error(f"{self.dotted(key)} is not a known key", nearest(key, known))

    def bad(self, key: str, expected: str) -> KitError:
        """The error for a value that is not what was expected."""
        value = self.raw.get(key)
        found = "nothing" if value is None else repr(value)
        shown = found if len(found) <= 60 else f"{found[:60]}…"
        return self.error(f"{self.dotted(key)} is {shown}", f"Expected {expected}.")

    def error(self, problem: str, hint: str) -> KitError:
        """An error about this file."""
        return KitError(self._code, f"{self.file}: {problem}.", hint)

    def dotted(self, key: str) -> str:
        """The key as one would write it from the top of the file."""
        return f"{self._path}.{key}" if self._path else key


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint: the word that was probably meant, else all there are."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(known)}."
