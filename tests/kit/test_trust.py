"""A confirmation holds for one folder on this disk, from one working folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code, KitError
from kit.trust import _read, is_trusted, trust


def test_a_folder_is_trusted_once_it_was_confirmed_and_others_are_not(tmp_path: Path) -> None:
    for name in ("app", "other"):
        (tmp_path / name).mkdir()
    assert not is_trusted(tmp_path, tmp_path / "app")
    trust(tmp_path, tmp_path / "app")
    assert is_trusted(tmp_path, tmp_path / "app")
    assert is_trusted(tmp_path, tmp_path / "other" / ".." / "app")
    assert not is_trusted(tmp_path, tmp_path / "other")
    assert not is_trusted(tmp_path / "other", tmp_path / "app")
    trust(tmp_path, tmp_path / "other")
    assert is_trusted(tmp_path, tmp_path / "app")
    assert {file.name for file in (tmp_path / ".kit").iterdir()} == {".gitignore", "trusted.json"}


def test_a_repository_that_brings_a_confirmation_along_cannot_vouch_for_itself(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    trust(tmp_path / "work", tmp_path / "work")
    (tmp_path / "work").rename(tmp_path / "aside")
    shutil.copytree(tmp_path / "aside", tmp_path / "work")
    kept = json.loads((tmp_path / "work/.kit/trusted.json").read_text())
    assert list(kept["paths"]) == [str(tmp_path / "work")]
    assert not is_trusted(tmp_path / "work", tmp_path / "work")


@given(
    st.one_of(
        st.text(),
        st.recursive(st.none() | st.text(), lambda x: st.dictionaries(st.text(), x)).map(json.dumps),
    )
)
def test_a_file_that_says_anything_else_says_no(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("work")
    (folder / ".kit").mkdir()
    (folder / ".kit/trusted.json").write_text(text, encoding="utf-8")
    assert not is_trusted(folder, folder)
    trust(folder, folder)
    assert is_trusted(folder, folder)
    assert _read(folder / ".kit/trusted.json")


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".kit").write_text("in the way")
    with pytest.raises(KitError) as caught:
        trust(tmp_path, tmp_path)
    assert caught.value.code is Code.CANNOT_WRITE
    assert "--yes" in caught.value.hint
