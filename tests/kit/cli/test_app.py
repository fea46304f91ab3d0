from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from kit.cli import main
from kit.proof.client_causes import ClientCause
from kit.proof.client_examination import Conclusion
from kit.report.client import ClientReport
from tests.kit.cli.conftest import Invoke


def test_ctrl_c_is_told_in_a_word_and_exits_130(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kit.targets.load_targets", interrupted)
    assert invoke("targets") == (130, "", "interrupted\n")
    assert invoke("targets", "--json") == (130, "", "interrupted\n")


@pytest.mark.parametrize(("option", "longest"), [((), 6.0), (("--long",), 61.0)])
def test_a_client_is_given_longer_silences_where_that_was_asked_for(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, option: tuple[str, ...], longest: float
) -> None:
    given: list[float] = []

    async def examine(*_: object, silences: Sequence[float], **__: object) -> ClientReport:
        given.extend(silences)
        found = Conclusion(ClientCause.NO_FAULT, ClientCause.NO_FAULT.says, ())
        return ClientReport("curl", False, found, 0)

    monkeypatch.setattr("kit.flows.client.examine", examine)
    assert invoke("doctor", *option, "--client", "--", "curl", "{url}").status == 0
    assert max(given) == longest


def test_what_stands_behind_two_dashes_belongs_to_the_clients_command(invoke: Invoke) -> None:
    told = invoke("doctor", "--client", "--", "no-such-command", "--json", "{url}")
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith("error: ")
    assert "no-such-command" in told.err
    as_json = invoke("doctor", "--json", "--client", "--", "no-such-command", "{url}")
    assert "no-such-command" in as_json.error["message"]


def test_on_windows_one_sentence_names_wsl(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "kit.cli.app", None)  # it could not be imported there
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr() == (
        "",
        "error: The kit runs on Linux and macOS.\n  On Windows, run it in WSL.\n",
    )
