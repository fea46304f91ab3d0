"""Texts and tables beside the rules that use them: TOML files, each read when it is first wanted."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any


@cache
def table(name: str) -> dict[str, Any]:
    """What kit/proof/NAME.toml holds."""
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text("utf-8"))


class Explained(StrEnum):
    """A closed list, each member with a table of its own in the TOML file beside its module."""

    @property
    def says(self) -> str:
        """What it is, in one sentence."""
        return self._text("says")

    @property
    def remedy(self) -> str:
        """What to do about it: text to read and lines to paste; empty where there is none."""
        return self._text("remedy")

    @property
    def facts(self) -> dict[str, Any]:
        """The whole of its table."""
        found: dict[str, Any] = table(type(self).__module__.rpartition(".")[2])[self.value]
        return found

    def _text(self, key: str) -> str:
        return str(self.facts.get(key, "")).strip("\n")
