"""Options that several verbs have in common, declared once and handed to each as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, TypeVar

V = TypeVar("V")
Verb = Callable[..., None]


def options_of(read: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The parameters of a function that reads options, by name; typer sees an option in each."""
    return inspect.signature(read, eval_str=True).parameters


def packed(
    name: str, read: Callable[..., V], within: Callable[[V], AbstractContextManager[None]] | None = None
) -> Callable[[Verb], Verb]:
    """A decorator of verbs: in the place of its parameter `name` it has the options that `read` reads.

    Args:
        name: of the parameter that is given what `read` makes of them.
        read: has the options as parameters.
        within: what the verb runs in, by that value.
    """
    options = options_of(read)

    def decorate(verb: Verb) -> Verb:
        own = inspect.signature(verb, eval_str=True).parameters
        parameters = [
            one.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in own.values()
            for one in (options.values() if parameter.name == name else (parameter,))
        ]

        @wraps(verb)
        def called(**given: Any) -> None:
            value = read(**{one: given.pop(one) for one in options})
            with nullcontext() if within is None else within(value):
                verb(**{name: value}, **given)

        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        del called.__wrapped__
        called.__annotations__ = {}
        return called

    return decorate
