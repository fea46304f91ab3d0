"""`--polling` where it cannot be: a sentence says so, before anything is rendered, asked or trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.cli.conftest import Invoke


@pytest.mark.parametrize("arguments", [["demo"], ["compare", "--deployed"]])
def test_an_app_of_ones_own_is_not_asked_by_polling(
    invoke: Invoke, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "kit.toml").write_text('[app]\nmodule = "main:app"\ninclude = ["*"]\n')
    (tmp_path / "main.py").write_text("app = None\n")
    ended = invoke(*arguments, "--polling", "--json")
    assert (ended.status, ended.error["code"]) == (2, "bad-usage")
    assert "kit.toml names an app of yours" in ended.error["message"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kit.toml", "main.py"]
