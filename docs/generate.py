"""Writes the pages' tables of settings and of target.toml from what the kit checks them by: `make docs`."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from kit.config import SETTINGS
from kit.proof.fingerprints import HOW
from kit.proof.known_limits import every
from kit.report.explained import markdown
from kit.settings import Bound, Setting
from kit.targets import Claim, FrontSpec, Rule, Target, TargetSetting, load_targets
from service.settings import PREFIX, Settings

PAGES: Final = tuple(
    Path(__file__).with_name(name)
    for name in ("configuration.md", "adding-a-target.md", "detection.md", "causes.md")
)

# What target.toml consists of.
TABLES: Final[Mapping[str, Any]] = {
    "": Target,
    "`[settings.KEY]`": TargetSetting,
    "`[[rules]]`": Rule,
    "a bound of a rule": Bound,
    "`[front]`": FrontSpec,
    "`[[claims]]`": Claim,
}


def generated(page: str) -> str:
    """The page with its tables as they should be: each stands between a comment that names it and an end."""
    tables = {
        "settings": _table(SETTINGS),
        "targets": _targets(),
        "service": _service(),
        "target.toml": _target_toml(),
        "known limits": _known_limits(),
        "causes": markdown("cause"),
        "client causes": markdown("client"),
    }
    for name, lines in tables.items():
        before, mark, rest = page.partition(f"<!-- {name}: by `make docs` -->\n")
        if mark:
            page = before + mark + "\n".join(lines) + "\n<!-- end -->" + rest.partition("<!-- end -->")[2]
    return page


def meanings(model: type) -> dict[str, str]:
    """What each field of a model means, by its docstring; fields that share a line are one key there."""
    base = model.__mro__[1]
    inherited = meanings(base) if is_dataclass(base) else {}
    attributes = inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")[2]
    found = re.findall(r"^ {4}(\w[\w, ]*): (.*?)\.(?=\n {4}\w|\Z)", attributes, re.M | re.S)
    return inherited | {names: " ".join(meaning.split()) for names, meaning in found}


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


def _known_limits() -> Iterator[str]:
    yield "| by default | of | whose | known how |"
    yield "|---|---|---|---|"
    for one in every():
        of = "a silence" if one.on == "silence" else "the whole"
        yield f"| {one.seconds:g} s | {of} | {one.who} | {HOW[one.sure]}: {one.source.strip()} |"


def _service() -> Iterator[str]:
    yield "| variable | default | what it is |"
    yield "|---|---|---|"
    for names, meaning in meanings(Settings).items():
        models = [Settings.model_fields[name] for name in names.split(", ")]
        defaults = ", ".join(_as_text(model.get_default(call_default_factory=True)) for model in models)
        yield f"| {_keys(names.upper(), PREFIX)} | {defaults} | {meaning} |"


def _target_toml() -> Iterator[str]:
    yield "| table | key | needed | what it is |"
    yield "|---|---|---|---|"
    for table, model in TABLES.items():
        needed = {one.name for one in fields(model) if one.default is one.default_factory is MISSING}
        for names, meaning in meanings(model).items():
            if names not in ("name", "folder"):
                yield f"| {table} | {_keys(names)} | {'yes' if names in needed else ''} | {meaning} |"


def _keys(names: str, prefix: str = "") -> str:
    return ", ".join(f"`{prefix}{name}`" for name in names.split(", "))


def _as_text(default: object) -> str:
    return "" if default in (None, (), {}) else f"`{str(default).lower()}`"


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(generated(path.read_text(encoding="utf-8")), encoding="utf-8")
