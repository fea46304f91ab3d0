from __future__ import annotations

import pytest

from tests.kit.cli.conftest import Invoke


def test_ctrl_c_is_told_in_a_word_and_exits_130(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kit.targets.load_targets", interrupted)
    assert invoke("targets") == (130, "", "interrupted\n")
    assert invoke("targets", "--json") == (130, "", "interrupted\n")
