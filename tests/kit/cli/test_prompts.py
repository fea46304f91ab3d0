from __future__ import annotations

import io
from pathlib import Path

import pytest

from kit.app import App
from kit.cli.prompts import confirmed, trusted
from kit.config import Config
from kit.errors import Code, KitError
from tests.fixtures.terminal import Terminal


@pytest.mark.parametrize("typed", ["y\n", "Y\n", "yes\n", " YES \n"])
def test_a_yes_is_a_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    confirmed("Deploy run?", yes=False)
    ended = capsys.readouterr()
    assert (ended.out, ended.err) == ("", "Deploy run? [y/N]\n")


@pytest.mark.parametrize("typed", ["", "\n", "n\n", "no\n", "yeah, well, no\n", "да\n"])
def test_anything_else_is_a_no(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    with pytest.raises(KitError, match="Nothing was done") as caught:
        confirmed("Deploy run?", yes=False)
    assert caught.value.code is Code.NOT_CONFIRMED


@pytest.mark.parametrize("stdin", [io.StringIO("y\n"), None])
def test_without_a_terminal_no_question_is_asked_and_nothing_is_taken_for_a_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stdin: io.StringIO | None
) -> None:
    monkeypatch.setattr("sys.stdin", stdin)
    with pytest.raises(KitError, match="no terminal to ask on") as caught:
        confirmed("Deploy run?", yes=False)
    assert "--yes" in caught.value.hint
    assert capsys.readouterr().err == ""


def test_a_yes_said_beforehand_needs_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    confirmed("Deploy run?", yes=True)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """An app in a folder beside the working folder."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return Config(app=App("mine.main:app", tmp_path, tmp_path / "requirements.txt"))


def says(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))


def test_the_kits_own_service_needs_no_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    trusted(Config(), yes=False)


def test_a_person_is_told_what_will_run_and_asked_once(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    says(monkeypatch, "y\n")
    trusted(config, yes=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert "mine.main:app" in err
    assert str(tmp_path) in err
    assert "[y/N]" in err
    says(monkeypatch, "")
    trusted(config, yes=False)
    assert capsys.readouterr() == ("", "")


def test_a_no_is_not_remembered_and_neither_is_the_option(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted(config, yes=True)
    for _ in range(2):
        says(monkeypatch, "n\n")
        with pytest.raises(KitError) as ended:
            trusted(config, yes=False)
        assert ended.value.code is Code.NOT_CONFIRMED


def test_without_a_terminal_it_says_what_to_do(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(KitError) as ended:
        trusted(config, yes=False)
    assert ended.value.code is Code.NOT_CONFIRMED
    assert "--yes" in ended.value.hint
    assert "KIT_YES" in ended.value.hint
