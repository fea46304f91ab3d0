from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from kit.errors import Code, KitError
from kit.proof.lane import Comparison
from kit.report.files import write_report
from kit.report.html import html
from kit.report.json import comparison_data
from kit.targets import Target


def test_the_report_is_one_page_and_one_document(
    comparison: Comparison, targets: Mapping[str, Target], tmp_path: Path
) -> None:
    page, data = write_report(comparison, targets, tmp_path / "build" / "new")
    assert (page.name, data.name) == ("report.html", "report.json")
    assert page.read_text(encoding="utf-8") == html(comparison, targets)
    assert json.loads(data.read_text(encoding="utf-8")) == {
        "schema_version": 1,
        "data": comparison_data(comparison),
        "warnings": [],
    }
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.html", "report.json"]


def test_an_older_report_is_replaced(
    comparison: Comparison, troubled: Comparison, targets: Mapping[str, Target], tmp_path: Path
) -> None:
    write_report(comparison, targets, tmp_path)
    page, data = write_report(troubled, targets, tmp_path)
    assert "3 of 6" in page.read_text(encoding="utf-8")
    assert not json.loads(data.read_text(encoding="utf-8"))["data"]["as_expected"]


def test_when_it_cannot_be_finished_the_older_report_stays_whole(
    comparison: Comparison,
    troubled: Comparison,
    targets: Mapping[str, Target],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_report(comparison, targets, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(KitError) as raised:
        write_report(troubled, targets, tmp_path)
    assert raised.value.code is Code.CANNOT_WRITE
    assert "No space left on device" in raised.value.message
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_is_a_file_is_one_sentence_and_a_remedy(
    comparison: Comparison, targets: Mapping[str, Target], tmp_path: Path
) -> None:
    occupied = tmp_path / "build"
    occupied.write_text("mine")
    with pytest.raises(KitError) as raised:
        write_report(comparison, targets, occupied)
    assert raised.value.code is Code.CANNOT_WRITE
    assert str(occupied) in raised.value.message
    assert raised.value.hint
    assert occupied.read_text() == "mine"


def test_others_may_read_it_as_any_other_file(
    comparison: Comparison, targets: Mapping[str, Target], tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    for path in write_report(comparison, targets, tmp_path):
        assert path.stat().st_mode == plain.stat().st_mode
