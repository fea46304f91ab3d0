"""Settings: what each may be, and what one allows another. No file, no environment: see `kit.config`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Final, TypeAlias

from kit.schema import STRICT, Convert

_KINDS = {str: "a text in quotes", int: "a whole number", float: "a number"}
_AMOUNT: Final = re.compile(r"([0-9]+)(Mi|Gi)", re.ASCII)


def _scalar(value: object) -> object:
    if type(value) not in _KINDS:
        raise ValueError("a text or a number")
    return value


def _range(limits: tuple[float, ...]) -> tuple[float, ...]:
    if len(limits) != 2 or not limits[0] <= limits[1]:
        raise ValueError("two numbers, the least and the most")
    return limits


Value: TypeAlias = str | int | float
Scalar: TypeAlias = Annotated[Value, Convert(_scalar, Any)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting. Allowed are the default, the `choices`, what is within `range` and what matches `pattern`.

    Attributes:
        default: None where there is none, and the setting is a text; else the setting is of the default's
            kind: a text, a whole number, or a number with a fraction.
        meaning: what it is, for people.
        choices: words or numbers.
        range: the least and the most, both allowed.
        pattern: of the whole text, ASCII only.
        form: what is allowed, for people, where the above does not say it well enough.
        follows: the plain setting of `kit.config` whose value it has unless it is set itself.
    """

    __pydantic_config__ = STRICT

    default: Scalar | None
    meaning: str
    choices: tuple[Scalar, ...] = ()
    range: Annotated[tuple[float, float], Convert(_range, tuple[float, ...])] | None = None
    pattern: str | None = None
    form: str | None = None
    follows: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError with what was expected of the description itself."""
        if not (self.choices or self.range or self.pattern):
            raise ValueError("choices, a range or a pattern beside the default")
        if not all(self._is_one(choice) for choice in self.choices):
            raise ValueError(f"choices of the default's kind, {_KINDS[self.kind]}")
        if self.range and self.kind is str:
            raise ValueError("a range for a number only")
        if self.pattern and not (self.kind is str and self.form and _compiles(self.pattern)):
            raise ValueError("a pattern that is a regular expression for a text, with its form in words")
        if self.default not in (None, "") and not self._is_within(self.default):
            raise ValueError("a default that its limits allow")

    @property
    def kind(self) -> type[Value]:
        """`str`, `int` or `float`."""
        return str if self.default is None else type(self.default)

    @property
    def plain_default(self) -> Value | None:
        """The default, a whole number without a fraction."""
        return None if self.default is None else plain(self.default)

    @property
    def expected(self) -> str:
        """What is allowed, for people: "a whole number from 1 to 64"."""
        if self.form:
            return self.form
        ways = []
        if self.choices:
            *most, last = (f'"{one}"' if isinstance(one, str) else f"{one:g}" for one in self.choices)
            ways.append(f"{', '.join(most)} or {last}" if most else last)
        if self.range:
            least, most_ = map(plain, self.range)
            ways.append(f"{_KINDS[self.kind]} from {least:,} to {most_:,}")
        return ", or ".join(ways)

    def allows(self, value: object) -> bool:
        """Whether it may have this value."""
        return (
            isinstance(value, Value)
            and self._is_one(value)
            and (value == self.default or self._is_within(value))
        )

    def checked(self, value: Value) -> Value:
        """The value, a whole number without a fraction. Raises ValueError with what was expected."""
        if not self.allows(value):
            raise ValueError(self.expected)
        return plain(value)

    def parsed(self, text: str) -> Value:
        """A text as what it should be; itself where it is not."""
        try:
            return text if self.kind is str else plain(self.kind(text))
        except ValueError:
            return text

    def _is_within(self, value: Value) -> bool:
        if value in self.choices:
            return True
        if isinstance(value, str):
            return self.pattern is not None and re.fullmatch(self.pattern, value, re.ASCII) is not None
        # What is not a number (nan) is in no range.
        return self.range is not None and self.range[0] <= value <= self.range[1]

    def _is_one(self, value: object) -> bool:
        """Whether a value is of its kind. A bool is no number, a whole number also one with a fraction."""
        return type(value) is self.kind or (self.kind is float and type(value) is int)


def plain(value: Value) -> Value:
    """A number without a fraction as a whole one, so that 1.0 is written 1 wherever it goes."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What one setting allows another.

    Attributes:
        setting: which one is bounded; its value is a number, or an amount of memory such as "512Mi".
        least, most, below: what it must be at least, at most, and below. At least one of them is given.
        beside: in their place, a text that is empty where this one is, and given where this one is.
        per: a setting by which the number is multiplied.
        plus: what is added to that.
        where: the bound counts only where this one holds.
    """

    __pydantic_config__ = STRICT

    setting: str
    least: Scalar | None = None
    most: Scalar | None = None
    below: Scalar | None = None
    beside: str | None = None
    per: str | None = None
    plus: float = 0
    where: Bound | None = None

    def __post_init__(self) -> None:
        """Raises ValueError with what was expected."""
        if (self.least is self.most is self.below is None) != (self.beside is not None):
            raise ValueError("one of least, most or below with the setting, or beside alone")

    @property
    def names(self) -> set[str]:
        """The settings that it speaks of."""
        inner = self.where.names if self.where is not None else set()
        return {self.setting, *inner} | {name for name in (self.per, self.beside) if name}

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether the values keep it. Raises KeyError or ValueError where they cannot be compared."""
        if self.where is not None and not self.where.holds(values):
            return True
        if self.beside is not None:
            return (values[self.setting] == "") == (values[self.beside] == "")
        value = _number(values[self.setting])
        times = 1 if self.per is None else _number(values[self.per])
        least, most, below = (
            None if bound is None else _number(bound) * times + self.plus
            for bound in (self.least, self.most, self.below)
        )
        return (
            (least is None or least <= value)
            and (most is None or value <= most)
            and (below is None or value < below)
        )

    def __str__(self) -> str:
        """As a formula: "memory_gb <= 6.5 * cpu - 0.4", "host beside certmap"."""
        signs = {"<=": self.most, ">=": self.least, "<": self.below}
        plus = f" {'-' if self.plus < 0 else '+'} {abs(self.plus):g}" if self.plus else ""
        said = [
            f"{self.setting} {sign} {f'{one} * {self.per}' if self.per else one}".replace(" 1 *", "") + plus
            for sign, one in signs.items()
            if one is not None
        ]
        said += [f"{self.setting} beside {self.beside}"] if self.beside else []
        return " and ".join(said) + (f" where {self.where}" if self.where is not None else "")


def _number(value: Value) -> float:
    """A number as it is, an amount of memory in MiB. Raises ValueError for any other text."""
    if not isinstance(value, str):
        return value
    found = _AMOUNT.fullmatch(value)
    if not found:
        raise ValueError(f"{value!r} is neither a number nor an amount of memory such as 512Mi")
    return int(found[1]) * (1024 if found[2] == "Gi" else 1)


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def fitted(name: str, most: int) -> str:
    """The name in at most `most` characters; one that is cut ends with a digest of the whole."""
    if len(name) <= most:
        return name
    end = sha256(name.encode()).hexdigest()[:4]
    return f"{name[: most - len(end) - 1].rstrip('-')}-{end}"
