from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kit.errors import Code, Exit, KitError
from kit.report.files import check, write, write_report
from kit.report.html import html
from kit.report.json import comparison_data
from kit.report.junit import junit
from kit.report.markdown import markdown
from kit.report.view import view
from tests.kit.report.measured import AS_PROMISED, TARGETS, TROUBLED


def test_the_report_is_in_every_format(tmp_path: Path) -> None:
    folder = tmp_path / "build" / "new"
    written = write_report(AS_PROMISED, TARGETS, folder)
    assert next(iter(written)) == "html"
    assert sorted(path.name for path in folder.iterdir()) == [
        "report.html",
        "report.json",
        "report.md",
        "report.xml",
    ]
    assert written["html"].read_text(encoding="utf-8") == html(view(AS_PROMISED, TARGETS))
    assert written["markdown"].read_text(encoding="utf-8") == markdown(view(AS_PROMISED, TARGETS))
    assert written["junit"].read_text(encoding="utf-8") == junit(view(AS_PROMISED, TARGETS))
    assert json.loads(written["json"].read_text(encoding="utf-8")) == {
        "schema_version": 1,
        "data": comparison_data(AS_PROMISED, TARGETS),
        "warnings": [],
    }


def test_an_older_report_is_replaced(tmp_path: Path) -> None:
    write_report(AS_PROMISED, TARGETS, tmp_path)
    written = write_report(TROUBLED, TARGETS, tmp_path)
    assert "3 of 6" in written["html"].read_text(encoding="utf-8")
    assert not json.loads(written["json"].read_text(encoding="utf-8"))["data"]["as_expected"]


def test_when_it_cannot_be_finished_the_older_report_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(AS_PROMISED, TARGETS, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(KitError) as raised:
        write_report(TROUBLED, TARGETS, tmp_path)
    assert raised.value.code is Code.CANNOT_WRITE
    assert "No space left on device" in raised.value.message
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_is_a_file_is_one_sentence_and_a_remedy(tmp_path: Path) -> None:
    occupied = tmp_path / "build"
    occupied.write_text("mine")
    with pytest.raises(KitError) as raised:
        write_report(AS_PROMISED, TARGETS, occupied)
    assert raised.value.code is Code.CANNOT_WRITE
    assert str(occupied) in raised.value.message
    assert raised.value.hint
    assert occupied.read_text() == "mine"


def test_others_may_read_it_as_any_other_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    for path in write_report(AS_PROMISED, TARGETS, tmp_path).values():
        assert path.stat().st_mode == plain.stat().st_mode


def test_only_what_has_a_path_is_written_and_a_link_goes_on_leading_there(tmp_path: Path) -> None:
    (tmp_path / "link.md").symlink_to(tmp_path / "real.md")
    write(AS_PROMISED, TARGETS, {"html": None, "markdown": tmp_path / "link.md"})
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "real.md").read_text(encoding="utf-8") == markdown(view(AS_PROMISED, TARGETS))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.md", "real.md"]


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check({"markdown": pipe})
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_text, encoding="utf-8")
        write(AS_PROMISED, TARGETS, {"markdown": pipe})
        assert read.result() == markdown(view(AS_PROMISED, TARGETS))
    assert pipe.is_fifo()


def test_standard_output_is_added_to_where_it_is_a_file(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    with out.open("w", encoding="utf-8") as stream:
        stream.write("before\n")
        stream.flush()
        write(AS_PROMISED, TARGETS, {"markdown": Path(f"/dev/fd/{stream.fileno()}")})
    assert out.read_text(encoding="utf-8") == "before\n" + markdown(view(AS_PROMISED, TARGETS))


def test_what_cannot_be_written_is_known_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path, tmp_path / "file" / "report.xml", tmp_path / ("n" * 300)):
        with pytest.raises(KitError) as raised:
            check({"html": None, "junit": path})
        assert raised.value.code is Code.CANNOT_WRITE
        assert str(path) in raised.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_can_be_written_is_not_touched_by_looking(tmp_path: Path) -> None:
    (tmp_path / "old.xml").write_text("old")
    check({"junit": tmp_path / "old.xml", "html": tmp_path / "new" / "report.html"})
    assert (tmp_path / "old.xml").read_text() == "old"
    assert list((tmp_path / "new").iterdir()) == []


def test_two_reports_are_not_one_file(tmp_path: Path) -> None:
    with pytest.raises(KitError) as raised:
        check({"junit": tmp_path / "report", "html": tmp_path / "report"})
    assert raised.value.exit is Exit.USAGE
