"""Code that kit.toml names is run only after a yes, which is asked for once."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from kit.app import App
from kit.cli.trusting import trusted
from kit.config import Config
from kit.errors import Code, KitError


class Terminal(io.StringIO):
    """A person at the keyboard."""

    def isatty(self) -> bool:
        return True


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
        with pytest.raises(KitError) as told:
            trusted(config, yes=False)
        assert told.value.code is Code.NOT_CONFIRMED


def test_without_a_terminal_it_says_what_to_do(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(KitError) as told:
        trusted(config, yes=False)
    assert told.value.code is Code.NOT_CONFIRMED
    assert "--yes" in told.value.hint
    assert "KIT_YES" in told.value.hint
