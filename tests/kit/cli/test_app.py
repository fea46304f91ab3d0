from __future__ import annotations

import pytest

from tests.kit.cli.conftest import Invoke


def test_ctrl_c_is_told_in_a_word_and_exits_130(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kit.targets.load_targets", interrupted)
    assert invoke("targets") == (130, "", "interrupted\n")
    assert invoke("targets", "--json") == (130, "", "interrupted\n")


def test_what_stands_behind_two_dashes_belongs_to_the_clients_command(invoke: Invoke) -> None:
    told = invoke("doctor", "--client", "--", "no-such-command", "--json", "{url}")
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith("error: ")
    assert "no-such-command" in told.err
    as_json = invoke("doctor", "--json", "--client", "--", "no-such-command", "{url}")
    assert "no-such-command" in as_json.error["message"]
