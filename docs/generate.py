"""Writes the tables of docs/configuration.md from what the kit itself checks settings by: `make docs`."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from kit.config import SETTINGS
from kit.settings import Setting
from kit.targets import load_targets
from service.settings import PREFIX, Settings

PAGE: Final = Path(__file__).with_name("configuration.md")


def generated(page: str) -> str:
    """The page with its tables as they should be: each stands between a comment that names it and an end."""
    parts = {"settings": _table(SETTINGS), "targets": _targets(), "service": _service()}
    for name, lines in parts.items():
        mark = f"<!-- {name}: by `make docs` -->\n"
        before, _, rest = page.partition(mark)
        page = before + mark + "\n".join(lines) + "\n<!-- end -->" + rest.partition("<!-- end -->")[2]
    return page


def _table(settings: Mapping[str, Setting]) -> Iterator[str]:
    yield "| key | default | may be | what it is |"
    yield "|---|---|---|---|"
    for name, setting in settings.items():
        yield f"| `{name}` | {_default(setting)} | {setting.expected} | {setting.meaning} |"


def _default(setting: Setting) -> str:
    if setting.follows:
        return f"`{setting.follows}`"
    return "" if setting.default is None else f"`{json.dumps(setting.plain_default)}`"


def _targets() -> Iterator[str]:
    for number, target in enumerate(load_targets().values()):
        yield from [""] if number else []
        yield f"### {target.title}: `[targets.{target.name}]`"
        yield from _table(target.settings)
        yield from [""] if target.rules else []
        yield from (f"- {rule.says}" for rule in target.rules)


def _service() -> Iterator[str]:
    yield "| variable | default | what it is |"
    yield "|---|---|---|"
    attributes = inspect.cleandoc(Settings.__doc__ or "").partition("Attributes:\n")[2]
    for names, meaning in re.findall(r"^ {4}(\w[\w, ]*): (.*?)\.(?=\n {4}\w|\Z)", attributes, re.M | re.S):
        fields = [(name, Settings.model_fields[name]) for name in names.split(", ")]
        variables = ", ".join(f"`{PREFIX}{name.upper()}`" for name, _ in fields)
        defaults = ", ".join(_as_text(field.get_default(call_default_factory=True)) for _, field in fields)
        yield f"| {variables} | {defaults} | {' '.join(meaning.split())} |"


def _as_text(default: object) -> str:
    return "" if default in (None, (), {}) else f"`{str(default).lower()}`"


if __name__ == "__main__":
    PAGE.write_text(generated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
