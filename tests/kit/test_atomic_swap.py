"""A folder takes another's place in one step."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from kit import atomic_swap as module
from kit.atomic_swap import swap


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A new folder and the old one, each holding a file that says which it is."""
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "which").write_text(name)
    return tmp_path / "new", tmp_path / "old"


@pytest.fixture(params=["exchanged", "renamed"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of doing it; the second is for systems that cannot exchange."""
    if request.param == "renamed":
        monkeypatch.setattr(module, "_exchange", lambda one, other: False)
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_the_new_takes_the_place_of_the_old(folders: tuple[Path, Path]) -> None:
    new, old = folders
    swap(new, old)
    assert (old / "which").read_text() == "new"
    assert (new / "which").read_text() == "old"
    assert {path.name for path in old.parent.iterdir()} == {"new", "old"}


def test_where_nothing_was_it_takes_the_place(folders: tuple[Path, Path]) -> None:
    new, _ = folders
    swap(new, new.with_name("third"))
    assert (new.with_name("third") / "which").read_text() == "new"
    assert not new.exists()


def test_an_error_between_two_renames_is_undone(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    new, old = folders
    monkeypatch.setattr(module, "_exchange", lambda one, other: False)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self == new:
            raise OSError(28, "No space left on device", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="No space left"):
        swap(new, old)
    assert (old / "which").read_text() == "old"


def test_at_no_moment_is_there_nothing_or_a_half(folders: tuple[Path, Path]) -> None:
    new, old = folders
    if not module._exchange(new, old):
        pytest.skip("this file system cannot exchange two folders")
    stop, seen, missed = threading.Event(), set(), []

    def watch() -> None:
        while not stop.is_set():
            try:
                seen.add((old / "which").read_text())
            except OSError as error:
                missed.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        while seen != {"new", "old"}:
            swap(new, old)
    finally:
        stop.set()
        watcher.join()
    assert missed == []
