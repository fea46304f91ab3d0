"""The hosting platforms that the kit deploys to: a folder each, found by its name."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from kit.errors import Code, KitError

if TYPE_CHECKING:
    from kit.platforms.platform import Platform


def load(name: str) -> Platform:
    """The platform that a target.toml names: `PLATFORM` of kit/platforms/NAME/platform.py.

    Raises:
        KitError: BAD_TARGET; there is none of that name.
    """
    names = _names()
    if name not in names:
        raise KitError(
            Code.BAD_TARGET,
            f"The kit knows no platform {name!r}.",
            f"Correct `platform` in the target.toml that names it: {' or '.join(names)}.",
        )
    platform: Platform = import_module(_module(name)).PLATFORM
    return platform


def platforms() -> list[Platform]:
    """All of them, by name."""
    return [load(name) for name in _names()]


def _names() -> list[str]:
    return [one.name for one in iter_modules(__path__) if one.ispkg and find_spec(_module(one.name))]


def _module(name: str) -> str:
    return f"{__name__}.{name}.platform"
