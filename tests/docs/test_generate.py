"""The page of the configuration says what the kit checks by, and its example is a configuration."""

from __future__ import annotations

import re
from pathlib import Path

from docs.generate import PAGE, generated
from kit.config import SETTINGS, load_config
from kit.targets import get, load_targets
from service.settings import Settings

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_what_the_settings_give() -> None:
    assert generated(TEXT) == TEXT, "run `make docs`"
    assert all(f"\n| `{name}` | " in TEXT for name in SETTINGS)
    assert all(f"`STREAMPROOF_{name.upper()}`" in TEXT for name in Settings.model_fields)
    for target in load_targets().values():
        assert f"`[targets.{target.name}]`\n" in TEXT
        assert all(f"- {rule.says}\n" in TEXT for rule in target.rules)


def test_a_row_that_was_changed_by_hand_is_written_anew() -> None:
    assert generated(re.sub(r"from 1 to 64", "from 1 to 65", TEXT)) == TEXT


def test_the_pages_example_is_accepted(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", TEXT, re.S)
    (tmp_path / "kit.toml").write_text(example)
    config = load_config({}, {}, tmp_path)
    assert config.project == "my-project-42"
    assert config.env == {"GREETING": "hello"}
    assert config.of(get("standard"))["instance_class"] == "F2"
