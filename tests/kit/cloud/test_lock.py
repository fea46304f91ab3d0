"""One run at a time changes what is deployed from a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.cloud.lock import locked
from kit.errors import Code, KitError

HOLDER = """
import sys
from pathlib import Path
from kit.cloud.lock import locked
with locked(Path(sys.argv[1]), "kit deploy flex"):
    print("locked", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_run(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the folder's lock until its stdin is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_folder_that_another_run_works_in_is_refused_at_once_and_that_run_is_named(tmp_path: Path) -> None:
    with another_run(tmp_path) as other:
        with pytest.raises(KitError) as caught, locked(tmp_path):
            pytest.fail("two runs at once")
        assert caught.value.code is Code.RECORD_LOCKED
        assert "`kit deploy flex`" in caught.value.message
        assert str(other.pid) in caught.value.message
        assert f"kill {other.pid}" in caught.value.hint


def test_the_lock_of_a_run_that_was_killed_is_free(tmp_path: Path) -> None:
    with another_run(tmp_path) as other:
        other.kill()
        other.wait()
        with locked(tmp_path):
            pass


def test_one_lock_after_the_other_and_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path):
        pass


def test_two_folders_do_not_meet(tmp_path: Path) -> None:
    with locked(tmp_path / "one"), locked(tmp_path / "other"):
        pass


def test_arguments_are_not_told_since_one_may_be_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["kit", "deploy", "run", "--env", "PASSWORD=hunter2"])
    with locked(tmp_path):
        assert (tmp_path / ".kit" / "lock").read_text() == f"{os.getpid()} kit deploy\n"
        with pytest.raises(KitError, match="`kit deploy`"), locked(tmp_path):
            pytest.fail("two at once")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children inherit files only where there is fork")
def test_a_child_that_outlives_the_run_does_not_hold_the_lock(tmp_path: Path) -> None:
    with locked(tmp_path):
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
        )
    try:
        with locked(tmp_path):
            pass
    finally:
        child.communicate()


def test_a_folder_in_which_there_can_be_no_lock_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".kit").write_text("in the way")
    with pytest.raises(KitError) as caught, locked(tmp_path):
        pytest.fail("there is no lock")
    assert caught.value.code is Code.CANNOT_WRITE
