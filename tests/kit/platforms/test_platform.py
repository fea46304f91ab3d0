"""What differs by platform stands in its folder alone: nothing else names a platform or a target."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kit
from kit.cli.help import EXAMPLES
from kit.config import Config
from kit.platforms import load
from kit.targets import get, load_targets

KIT = Path(kit.__file__).parent
NAMES = {name for target in load_targets().values() for name in (target.name, target.platform)}
TITLES = re.compile(r"App Engine|Cloud Run|\bFlex(ible)?\b|\bkit \w+ (" + "|".join(NAMES) + r")\b")
# What knows the hops on anyone's way to a service, Google's front ends among them.
OF_THE_WORLD = "proof/"
# The translation of what target.toml says, and the loopback cloud that the kit is tested and rehearsed with.
OF_GOOGLE = ("workshop/chinese.py", "rehearsal/")
# What only looks like a name of a target, and what is said of Google's own platforms on purpose.
ALLOWED = {
    ("config.py", "run"),  # a section of gcloud's configuration
    ("report/status.py", "run"),  # a verb
    ("workshop/server.py", "run"),  # a key of its JSON
    *(("cli/help.py", example) for example in EXAMPLES.values()),  # to paste, each with a target that is there
}
FILES = sorted(
    path.relative_to(KIT).as_posix()
    for path in KIT.rglob("*.py")
    if path.relative_to(KIT).parts[0] not in ("platforms", "_data")
)


def texts(tree: ast.Module) -> Iterator[str]:
    """The strings of a module, but for docstrings that no one but its reader sees."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
        and getattr(node, "name", "") != "command"  # a command's help
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("file", FILES)
def test_no_platform_and_no_target_is_named_outside_its_folder(file: str) -> None:
    if file.startswith((OF_THE_WORLD, *OF_GOOGLE)):
        return
    source = (KIT / file).read_text(encoding="utf-8")
    found = [text for text in texts(ast.parse(source)) if text in NAMES or TITLES.search(text)]
    assert [text for text in found if (file, text) not in ALLOWED] == []


def test_no_platform_s_name_is_compared() -> None:
    compared = re.compile(r"(?<!sys)\.platform\s*(?:==|!=|in\b|not in\b)\s*[\"'({\[]")
    assert [file for file in FILES if compared.search((KIT / file).read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("name", "settings", "at_once"),
    [
        ("run", {}, 80),
        ("run", {"concurrency": 1, "max_instances": 3}, 3),
        ("standard", {"max_concurrent_requests": 10, "max_instances": 2}, 20),
        ("flex", {}, None),
        ("gke", {}, None),
    ],
)
def test_how_many_requests_a_target_takes_at_once_is_said_where_its_platform_limits_them(
    name: str, settings: dict[str, Any], at_once: int | None
) -> None:
    target = get(name)
    config = Config(targets={name: settings})
    assert load(target.platform).at_once(config.of(target)) == at_once
