"""The pages' tables say what the kit checks by, and the example of a configuration is one."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from docs.generate import PAGES, TABLES, generated, meanings
from kit.config import SETTINGS, load_config
from kit.targets import get, load_targets
from service.settings import Settings

TEXTS = {path.name: path.read_text(encoding="utf-8") for path in PAGES}


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_a_page_is_what_the_models_give(text: str) -> None:
    assert generated(text) == text, "run `make docs`"


def test_what_was_changed_by_hand_is_written_anew() -> None:
    text = TEXTS["configuration.md"]
    assert generated(text.replace("from 1 to 64", "from 1 to 65").replace("`8000`", "`9000`")) == text


def test_the_pages_name_every_setting_every_variable_and_every_key_of_a_target() -> None:
    text = TEXTS["configuration.md"]
    assert all(f"\n| `{name}` | " in text for name in SETTINGS)
    assert all(f"`STREAMPROOF_{name.upper()}`" in text for name in Settings.model_fields)
    for target in load_targets().values():
        assert f"`[targets.{target.name}]`\n" in text
        assert all(f"- {rule.says}\n" in text for rule in target.rules)
    for table, model in TABLES.items():
        for key in {field.name for field in fields(model)} - {"name", "folder"}:
            assert re.search(
                rf"^\| {re.escape(table)} \| .*`{key}`.* \| (yes)? \|", TEXTS["adding-a-target.md"], re.M
            )


def test_every_field_has_a_meaning() -> None:
    for model in TABLES.values():
        assert {one for names in meanings(model) for one in names.split(", ")} == {
            field.name for field in fields(model)
        }


def test_the_pages_example_is_accepted(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", TEXTS["configuration.md"], re.S)
    (tmp_path / "kit.toml").write_text(example)
    config = load_config({}, {}, tmp_path)
    assert config.project == "my-project-42"
    assert config.env == {"GREETING": "hello"}
    assert config.of(get("standard"))["instance_class"] == "F2"
