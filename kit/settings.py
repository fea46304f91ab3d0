"""What a setting may be, and what one setting allows another. No file, no environment: see `kit.config`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = str | int | float

_KINDS = {str: "a text in quotes", int: "a whole number", float: "a number"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. A value that is among `choices`, or between `least` and `most`, or matches `pattern`, is
    allowed, and so is the default.

    Attributes:
        kind: str, int (a whole number) or float (a number).
        default: None where there is none.
        choices: words or numbers.
        least, most: both are allowed themselves.
        pattern: of the whole text, ASCII only.
        form: what is allowed, for people, where the above does not say it well enough.
        meaning: what it is, for people.
        follows: the plain setting of `kit.config` whose value it has where nobody sets it.
        source: where the limits come from.
        certainty: how sure they are, a letter of docs/platforms.md.
    """

    kind: type
    default: Value | None = None
    choices: tuple[Value, ...] = ()
    least: float | None = None
    most: float | None = None
    pattern: str | None = None
    form: str | None = None
    meaning: str = ""
    follows: str | None = None
    source: str | None = None
    certainty: str | None = None

    @property
    def expected(self) -> str:
        """What is allowed, for people: "a whole number from 1 to 64"."""
        if self.form:
            return self.form
        ways = []
        if self.choices:
            *most, last = (f'"{one}"' if isinstance(one, str) else f"{one:g}" for one in self.choices)
            ways.append(f"{', '.join(most)} or {last}" if most else last)
        if self.least is not None and self.most is not None:
            ways.append(f"{_KINDS[self.kind]} from {plain(self.least):,} to {plain(self.most):,}")
        return ", or ".join(ways) or _KINDS[self.kind]

    def allows(self, value: object) -> bool:
        """Whether it may have this value."""
        kinds = (int, float) if self.kind is float else (self.kind,)
        if not isinstance(value, str | int | float) or type(value) not in kinds:  # a bool is no int here
            return False
        if value == self.default or value in self.choices:
            return True
        if isinstance(value, str):
            return self.pattern is not None and re.fullmatch(self.pattern, value, re.ASCII) is not None
        # What is not a number (nan) is in no range.
        return self.least is not None and self.most is not None and self.least <= value <= self.most

    def parsed(self, text: str) -> Value:
        """A text as what it should be; itself where it is not."""
        try:
            return text if self.kind is str else plain(self.kind(text))
        except ValueError:
            return text


def plain(value: Value) -> Value:
    """A number without a fraction as a whole one, so that 1.0 is written 1 wherever it goes."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


@dataclass(frozen=True, slots=True)
class Rule:
    """What one setting allows another.

    Attributes:
        holds: a Jinja expression of settings' names, true where the rule is kept. The filter `mib` reads an
            amount of memory ("512Mi", "2Gi") as a number of MiB.
        says: the rule in a sentence.
        source: where it comes from.
        certainty: how sure it is, a letter of docs/platforms.md.
    """

    holds: str
    says: str
    source: str
    certainty: str


def first_broken(rules: Iterable[Rule], values: Mapping[str, Value]) -> tuple[Rule, tuple[str, ...]] | None:
    """The first rule that the values break, and which of them it speaks of; None where all are kept.

    Raises:
        ValueError: a rule is no expression, or speaks of what is no setting.
    """
    import jinja2
    from jinja2 import meta

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True)
    environment.filters["mib"] = _mib
    for rule in rules:
        try:
            if not environment.compile_expression(rule.holds, undefined_to_none=False)(**values):
                said = environment.parse("{{ " + rule.holds + " }}")
                names = meta.find_undeclared_variables(said)
                return rule, tuple(name for name in values if name in names)
        except jinja2.TemplateError as error:
            raise ValueError(f"{rule.holds!r}: {error}") from None
    return None


def _mib(memory: str) -> int:
    number, unit = memory[:-2], memory[-2:]
    return int(number) * {"Mi": 1, "Gi": 1024}[unit]
