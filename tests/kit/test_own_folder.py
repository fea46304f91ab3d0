from __future__ import annotations

from pathlib import Path

from kit import own_folder


def test_git_passes_over_what_is_in_a_folder_of_the_kits(tmp_path: Path) -> None:
    own_folder.make(tmp_path / "a" / "build")
    assert (tmp_path / "a" / "build" / ".gitignore").read_text() == "*\n"


def test_a_folder_that_was_there_before_is_left_as_it_is(tmp_path: Path) -> None:
    own_folder.make(tmp_path)
    assert list(tmp_path.iterdir()) == []
