from __future__ import annotations

import io

import pytest

from kit.cli.confirming import confirmed
from kit.errors import Code, KitError


class Terminal(io.StringIO):
    """Somebody at a keyboard."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("typed", ["y\n", "Y\n", "yes\n", " YES \n"])
def test_a_yes_is_a_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    confirmed("Deploy run?", yes=False)
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "Deploy run? [y/N]\n")


@pytest.mark.parametrize("typed", ["", "\n", "n\n", "no\n", "yeah, well, no\n", "да\n"])
def test_anything_else_is_a_no(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    with pytest.raises(KitError, match="Nothing was done") as caught:
        confirmed("Deploy run?", yes=False)
    assert caught.value.code is Code.NOT_CONFIRMED


@pytest.mark.parametrize("stdin", [io.StringIO("y\n"), None])
def test_without_a_terminal_nobody_is_asked_and_nothing_is_taken_for_a_yes(
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
