"""A bundle's folder is written whole, and a hand's work in it is safe."""

from __future__ import annotations

import hashlib
import json
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kit import bundle as module
from kit.atomic_swap import _exchange
from kit.bundle import MANIFEST, Bundle, additions, differences, write
from kit.errors import Code, KitError
from kit.targets import get

FILES = {"a.yaml": b"a: 1\n", "service/main.py": b"app = 1\n", "service/page/index.html": b"<p>\n"}


@pytest.fixture
def bundle() -> Bundle:
    return Bundle(get("run"), FILES)


def changed(bundle: Bundle, **files: bytes | None) -> Bundle:
    """The bundle with other files; None leaves one out. A dot in a name is written as __."""
    merged = {**bundle.files, **{name.replace("__", "."): content for name, content in files.items()}}
    return replace(bundle, files={name: content for name, content in merged.items() if content is not None})


def on_disk(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def states(bundle: Bundle, root: Path) -> dict[str, str]:
    return {change.name: change.state for change in differences(bundle, root)}


def refused(bundle: Bundle, root: Path) -> str:
    """What is said when writing would lose a hand's work; nothing is changed by it."""
    before = on_disk(root / "run")
    with pytest.raises(KitError) as caught:
        write(bundle, root)
    assert caught.value.code is Code.BUNDLE_EDITED
    assert "--force" in caught.value.hint
    assert on_disk(root / "run") == before
    return caught.value.message


def test_a_bundle_becomes_a_folder_with_a_manifest(bundle: Bundle, tmp_path: Path) -> None:
    folder = write(bundle, tmp_path / "deep" / "build")
    assert folder == tmp_path / "deep" / "build" / "run"
    written = on_disk(folder)
    manifest = json.loads(written.pop(MANIFEST))
    assert written == FILES
    assert set(manifest["files"]) == set(FILES)
    assert manifest["digest"] == bundle.digest
    assert set(folder.parent.iterdir()) == {folder, folder.parent / ".gitignore"}


def test_the_folder_can_be_read_by_others_as_any_new_one(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "usual").mkdir()
    folder = write(bundle, tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_the_same_bundle_is_the_same_to_the_byte(bundle: Bundle, tmp_path: Path) -> None:
    backwards = replace(bundle, files=dict(reversed(list(bundle.files.items()))))
    assert bundle.digest == backwards.digest
    assert on_disk(write(bundle, tmp_path / "one")) == on_disk(write(backwards, tmp_path / "two"))


def test_another_content_or_name_is_another_digest(bundle: Bundle) -> None:
    others = {bundle.digest, changed(bundle, a__yaml=b"a: 2\n").digest, changed(bundle, b__yaml=b"").digest}
    assert len(others | {changed(bundle, a__yaml=None).digest}) == 4


def test_what_is_up_to_date_is_not_touched(bundle: Bundle, tmp_path: Path) -> None:
    folder = write(bundle, tmp_path)
    before = {path: path.stat() for path in [folder, *folder.rglob("*")]}
    assert differences(bundle, tmp_path) == ()
    write(bundle, tmp_path)
    assert {path: path.stat() for path in [folder, *folder.rglob("*")]} == before


def test_a_stale_bundle_is_replaced_and_what_it_no_longer_has_goes(bundle: Bundle, tmp_path: Path) -> None:
    write(bundle, tmp_path)
    newer = changed(bundle, a__yaml=b"a: 2\n", b__yaml=b"b\n", **{"service/main__py": None})
    assert states(newer, tmp_path) == {"a.yaml": "stale", "b.yaml": "missing", "service/main.py": "left-over"}
    written = on_disk(write(newer, tmp_path))
    assert {name: written[name] for name in written if name != MANIFEST} == newer.files


def test_a_deleted_file_is_made_again(bundle: Bundle, tmp_path: Path) -> None:
    (write(bundle, tmp_path) / "a.yaml").unlink()
    assert states(bundle, tmp_path) == {"a.yaml": "missing"}
    assert (write(bundle, tmp_path) / "a.yaml").read_bytes() == FILES["a.yaml"]


def test_a_file_edited_by_hand_is_not_overwritten_and_the_difference_is_shown(
    bundle: Bundle, tmp_path: Path
) -> None:
    (write(bundle, tmp_path) / "a.yaml").write_text("a: mine\n")
    assert states(bundle, tmp_path) == {"a.yaml": "edited"}
    said = refused(bundle, tmp_path)
    assert "a.yaml" in said
    assert "-a: mine\n+a: 1" in said


def test_an_edited_file_that_the_bundle_no_longer_has_is_not_removed(bundle: Bundle, tmp_path: Path) -> None:
    (write(bundle, tmp_path) / "a.yaml").write_text("a: mine\n")
    assert "-a: mine" in refused(changed(bundle, a__yaml=None), tmp_path)


def test_an_edit_that_comes_to_the_same_is_no_edit(bundle: Bundle, tmp_path: Path) -> None:
    newer = changed(bundle, a__yaml=b"a: 2\n")
    (write(bundle, tmp_path) / "a.yaml").write_bytes(b"a: 2\n")
    assert states(newer, tmp_path) == {}


def test_with_force_the_edit_is_lost(bundle: Bundle, tmp_path: Path) -> None:
    (write(bundle, tmp_path) / "a.yaml").write_text("a: mine\n")
    write(bundle, tmp_path, force=True)
    assert differences(bundle, tmp_path) == ()


def test_files_added_by_hand_are_kept(bundle: Bundle, tmp_path: Path) -> None:
    folder = write(bundle, tmp_path)
    (folder / "service" / "mine").mkdir()
    (folder / "service" / "mine" / "notes.txt").write_text("mine")
    (folder / "link").symlink_to("service")
    assert additions(bundle, tmp_path) == ("link", "service/mine/notes.txt")
    assert differences(bundle, tmp_path) == ()
    for force in (False, True):
        write(changed(bundle, a__yaml=f"a: {force}\n".encode()), tmp_path, force=force)
        assert (folder / "service" / "mine" / "notes.txt").read_text() == "mine"
        assert (folder / "link").readlink() == Path("service")


def test_what_an_interpreter_leaves_behind_is_no_work_of_the_users(bundle: Bundle, tmp_path: Path) -> None:
    folder = write(bundle, tmp_path)
    (folder / "service" / "__pycache__").mkdir()
    (folder / "service" / "__pycache__" / "main.cpython-311.pyc").write_bytes(b"\0")
    assert additions(bundle, tmp_path) == ()
    write(changed(bundle, a__yaml=b"a: 2\n"), tmp_path)
    assert not (folder / "service" / "__pycache__").exists()


def test_a_folder_that_the_kit_did_not_make_is_not_overwritten(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.yaml").write_text("a: mine\n")
    refused(bundle, tmp_path)


@pytest.mark.parametrize("manifest", ["", "{", "[]", "{}", '{"files": 3}', '{"files": {"a.yaml": null}}'])
def test_without_a_manifest_to_trust_what_differs_counts_as_edited(
    bundle: Bundle, tmp_path: Path, manifest: str
) -> None:
    folder = write(bundle, tmp_path)
    (folder / MANIFEST).write_text(manifest)
    assert differences(bundle, tmp_path) == ()
    refused(changed(bundle, a__yaml=b"a: 2\n"), tmp_path)


def test_a_file_where_the_bundle_has_a_folder_is_not_overwritten(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "service").write_text("mine")
    refused(bundle, tmp_path)
    write(bundle, tmp_path, force=True)
    assert differences(bundle, tmp_path) == ()


def test_a_folder_where_the_bundle_has_a_file_is_not_overwritten(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "run" / "a.yaml").mkdir(parents=True)
    (tmp_path / "run" / "a.yaml" / "mine").write_text("mine")
    refused(bundle, tmp_path)
    write(bundle, tmp_path, force=True)
    assert differences(bundle, tmp_path) == ()


def test_a_link_in_a_files_place_is_not_followed(bundle: Bundle, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(FILES["a.yaml"])
    folder = write(bundle, tmp_path)
    (folder / "a.yaml").unlink()
    (folder / "a.yaml").symlink_to(outside)
    refused(bundle, tmp_path)
    write(changed(bundle, a__yaml=b"a: 2\n"), tmp_path, force=True)
    assert outside.read_bytes() == FILES["a.yaml"]
    assert not (folder / "a.yaml").is_symlink()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_not_a_folder_is_left_alone(bundle: Bundle, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "run"
    if kind == "file":
        place.write_text("mine")
    else:
        place.symlink_to(tmp_path)
    with pytest.raises(KitError, match="is not a folder") as caught:
        write(bundle, tmp_path, force=True)
    assert caught.value.code is Code.CANNOT_WRITE


def test_where_a_folder_cannot_be_made_it_is_said(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "build").write_text("a file")
    with pytest.raises(KitError) as caught:
        write(bundle, tmp_path / "build")
    assert caught.value.code is Code.CANNOT_WRITE
    assert "build" in caught.value.message


def test_a_crash_leaves_the_old_bundle_whole(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(bundle, tmp_path)
    before = on_disk(folder)

    def crash(new: Path, old: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "swap", crash)
    with pytest.raises(KeyboardInterrupt):
        write(changed(bundle, a__yaml=b"a: 2\n"), tmp_path)
    assert on_disk(folder) == before
    assert list(tmp_path.iterdir()) == [folder]


def test_a_long_difference_is_cut_in_the_error(bundle: Bundle, tmp_path: Path) -> None:
    (write(bundle, tmp_path) / "a.yaml").write_text("mine\n" * 100_000)
    said = refused(bundle, tmp_path)
    assert len(said.splitlines()) < 70
    assert "more lines" in said


def test_a_difference_cannot_move_the_cursor(bundle: Bundle, tmp_path: Path) -> None:
    (write(bundle, tmp_path) / "a.yaml").write_text("a: \x1b[2J\x9b\u202e\n")
    said = refused(bundle, tmp_path)
    assert r"\x1b[2J\x9b\u202e" in said


def test_a_binary_file_is_not_printed(bundle: Bundle, tmp_path: Path) -> None:
    (write(bundle, tmp_path) / "a.yaml").write_bytes(b"\0\1\2")
    assert "binary file a.yaml differs" in refused(bundle, tmp_path)


WRITER = """
import sys
from pathlib import Path
from kit.bundle import Bundle, write
from kit.targets import get

one, two = (Bundle(get("run"), {f"service/{n}.py": b"%d" % which for n in range(50)}) for which in (1, 2))
while True:
    for bundle in (one, two):
        write(bundle, Path(sys.argv[1]))
        print("written", flush=True)
"""


@pytest.mark.parametrize("after", [1, 2, 3, 5, 8])
def test_a_kill_at_any_moment_leaves_one_bundle_whole(tmp_path: Path, after: int) -> None:
    if not can_exchange(tmp_path / "one", tmp_path / "two"):
        pytest.skip("this file system cannot exchange two folders")
    writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    with writer.stdout:
        for _ in range(after):
            assert writer.stdout.readline() == b"written\n"
        writer.kill()
    writer.wait()
    written = on_disk(tmp_path / "run")
    manifest = json.loads(written.pop(MANIFEST))["files"]
    assert {name: hashlib.sha256(content).hexdigest() for name, content in written.items()} == manifest
    assert len(set(written.values())) == 1
    assert len(written) == 50


def can_exchange(one: Path, two: Path) -> bool:
    """Whether this file system can exchange two folders."""
    one.mkdir()
    two.mkdir()
    return _exchange(one, two)
