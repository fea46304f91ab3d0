from __future__ import annotations

import sys
from pathlib import Path

import pytest

import service.proof
from tests.kit.cli.conftest import Invoke

SOURCE = Path(service.proof.__file__).read_text(encoding="utf-8")


def test_what_it_prints_is_the_file_to_the_letter_and_nothing_else(invoke: Invoke) -> None:
    assert invoke("proof") == (0, SOURCE, "")
    assert invoke("proof", "--json").data == {"name": "proof.py", "source": SOURCE}


def test_on_a_terminal_it_says_on_stderr_what_to_do_with_it(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    ended = invoke("proof")
    assert (ended.status, ended.out) == (0, SOURCE)
    assert "kit proof > proof.py" in ended.err
    assert ended.err.count("\n") == 1
