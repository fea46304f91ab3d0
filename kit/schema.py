"""Data from a file, checked by pydantic against a dataclass; what is wrong is one sentence.

The dataclasses are plain ones: pydantic reads their types, the constraints in their fields' metadata and
`Convert`, and is imported only when there is something to check. So a process that needs a dataclass alone,
such as a front of the lab, starts without it. What a field means stands in the class's docstring, from which
docs/generate.py makes the pages' tables.
"""

from __future__ import annotations

import difflib
import json
import tomllib
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import date, time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from kit.errors import Code, KitError

if TYPE_CHECKING:
    from pydantic import ConfigDict, TypeAdapter

T = TypeVar("T")

# `__pydantic_config__` of each dataclass: no key too many, no text for a number, no infinity.
STRICT: Final[ConfigDict] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

_SHOWN: Final = 60
_EXPECTED: Final = {
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "dict_type": "a table",
    "dataclass_type": "a table",
    "tuple_type": "a list",
    "greater_than": "a number above {gt:g}",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "value_error": "{error}",
    "json_invalid": "text that UTF-8 can hold",
}


class Convert:
    """Passes a field's value through a function, once it is known to be of its type.

    Args:
        function: returns what the field holds; raises ValueError with what was expected, for people.
        kind: the type in the file; the field's own unless given.
    """

    def __init__(self, function: Callable[[Any], object], kind: Any = None) -> None:
        self._function = function
        self._kind = kind

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Called by pydantic."""
        from pydantic_core import core_schema

        schema = handler(source) if self._kind is None else handler.generate_schema(self._kind)
        return core_schema.no_info_after_validator_function(self._function, schema)


def read_toml(file: Path, code: Code) -> dict[str, Any]:
    """The file's outermost table. Raises KitError with `code` where it cannot be read or is not TOML."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error) or "nested too deeply"
        raise KitError(code, f"{file} cannot be read as TOML: {reason}.", "Correct the file.") from None


def parse(kind: Callable[..., T], raw: object, file: Path | str, code: Code, *, at: str = "") -> T:
    """Data as what it should be.

    Args:
        kind: the dataclass.
        raw: as TOML or JSON have it.
        file: where it stands, for people.
        code: of the error.
        at: the key under which it stands there, with dots; empty for the top.

    Raises:
        KitError: one sentence that names file, key and value; the hint says what was expected.
    """
    from pydantic import ValidationError

    try:
        # As JSON, where a list may be a tuple, a table a dataclass and a text an enumeration's, and in
        # pydantic's strict mode nothing else may be what it is not.
        found: T = _adapter(kind).validate_json(json.dumps(raw))
    except TypeError:  # TOML has dates, which JSON has not
        loc, value = next((loc, value) for loc, value in _leaves(raw) if isinstance(value, date | time))
        raise bad(file, _dotted(at, loc), value, "no date or time, but a text in quotes", code) from None
    except ValidationError as error:
        _refuse(kind, raw, error.errors(include_url=False)[0], file, code, at)
    return found


def bad(file: Path | str, key: str, value: object, expected: str, code: Code) -> KitError:
    """The error for a value that is not what was expected."""
    found = "nothing" if value is None else repr(value)
    shown = found if len(found) <= _SHOWN else f"{found[:_SHOWN]}…"
    return KitError(code, f"{file}: {key} is {shown}.", f"Expected {expected}.")


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint: the word that was probably meant, else all there are."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(known)}."


def _refuse(
    kind: Any, raw: object, error: Mapping[str, Any], file: Path | str, code: Code, at: str
) -> NoReturn:
    loc = tuple(part for part in error["loc"] if part != "[key]")
    key = _dotted(at, loc)
    if error["type"] == "unexpected_keyword_argument" or loc != error["loc"]:
        hint = nearest(str(loc[-1]), _known(kind, loc[:-1]))
        raise KitError(code, f"{file}: {key} is not a known key.", hint)
    if error["type"] == "missing":
        raise KitError(code, f"{file}: {key} is missing.", f"Expected {_wanted(kind, raw, loc)}.")
    raise bad(file, key, error["input"], _expected(error), code)


def _expected(error: Mapping[str, Any]) -> str:
    return _EXPECTED.get(error["type"], "another value").format(**error.get("ctx", {}))


def _wanted(kind: Any, raw: Any, loc: tuple[int | str, ...]) -> str:
    """What is expected under a key that is missing: what pydantic says of a wrong value there."""
    from pydantic import ValidationError

    raw = json.loads(json.dumps(raw))
    inner = raw
    for part in loc[:-1]:
        inner = inner[part]
    inner[loc[-1]] = None
    try:
        _adapter(kind).validate_json(json.dumps(raw))
    except ValidationError as error:
        return next((_expected(one) for one in error.errors() if one["loc"][: len(loc)] == loc), "a value")
    return "a value"


def _known(kind: Any, loc: Sequence[int | str]) -> list[str]:
    """The keys of the dataclass, or of the table with some words for keys, that stands at a place."""
    for part in (*loc, None):
        if get_origin(kind) in (Union, types.UnionType):  # with None
            kind = get_args(kind)[0]
        fields = get_type_hints(kind) if is_dataclass(kind) else {}
        if part is not None:
            kind = fields.get(str(part)) or get_args(kind)[-1 if isinstance(part, str) else 0]
    return list(fields) or [str(one) for one in get_args(get_args(kind)[0])]


def _dotted(at: str, loc: Sequence[int | str]) -> str:
    """A place as one would write it from the top of the file: claims[0].text."""
    key = at
    for part in loc:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
    return key or "it"


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _leaves(raw: object, loc: tuple[int | str, ...] = ()) -> Iterator[tuple[tuple[int | str, ...], object]]:
    if not isinstance(raw, dict | list):
        yield loc, raw
        return
    for key, value in raw.items() if isinstance(raw, dict) else enumerate(raw):
        yield from _leaves(value, (*loc, key))
