from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from kit.cli import main
from kit.cli.arguments import OLD_NAMES
from kit.proof.client_causes import ClientCause
from kit.proof.client_examination import Conclusion
from kit.report.client import ClientReport
from tests.kit.cli.conftest import Invoke

URL = "http://127.0.0.1:1"
WHERE = "--project my-project-42 --region europe-west1"


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
    ended = invoke("doctor", "--client", "--", "no-such-command", "--json", "{url}")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert "no-such-command" in ended.err
    as_json = invoke("doctor", "--json", "--client", "--", "no-such-command", "{url}")
    assert "no-such-command" in as_json.error["message"]


# A command line, and what is said of it.
MISUSED = [
    ("targets runn", "no target 'runn'"),
    ("render runn", "no target 'runn'"),
    ("render --workers 0", "--workers is 0"),
    ("render --workers two", "--workers"),
    ("render --env PORT=1", "PORT is set by the platform"),
    ("render --set run.cpu=3", "--set run.cpu is 3"),
    ("render --show --check", "--show goes with neither"),
    ("lab nowhere", "no target 'nowhere'"),
    ("lab --port run", "--port run is not of that form"),
    ("lab --port run=", "--port run= is not of that form"),
    ("lab --port run=0", "'0' is not a port"),
    ("lab run --port 0", "'0' is not a port"),
    ("lab --port run=65536", "'65536' is not a port"),
    ("lab --port run=http", "'http' is not a port"),
    ("lab --port run=1 --port run=2", "names the same twice"),
    ("lab --port nowhere=8001", "no target 'nowhere'"),
    ("lab --swap-front run", "--swap-front run is not of that form"),
    ("lab --swap-front run=nowhere", "no target 'nowhere'"),
    ("lab standard --swap-front run=standard", "run is given a port or a front"),
    ("lab standard --port run=8001", "run is given a port or a front"),
    ("workshop nowhere", "no target 'nowhere'"),
    ("workshop run mine=http://x", "The lane run is not of that form"),
    ("workshop a=http://x a=http://y", "names the same twice"),
    ("workshop a=nonsense", "no address that can be probed"),
    ("workshop a=http://x --isolated", "--swap-front and --isolated are the lab's"),
    ("workshop --deployed --swap-front run=standard", "--swap-front and --isolated are the lab's"),
    ("workshop --deployed a=http://x", "--deployed measures what is on record"),
    ("workshop --port 65536", "--port"),
    ("compare a", "The lane a is not of that form"),
    ("compare a=", "The lane a= is not of that form"),
    ("compare =http://b", "The lane =http://b is not of that form"),
    ("compare a=http://b a=http://c", "names the same twice"),
    ("compare a=nonsense", "'nonsense' is no address"),
    ("probe", "There is no address to ask."),
    (f"probe {URL} --from-curl curl.txt", "There are two addresses to ask."),
    (f"probe {URL} --data @none.json", "none.json cannot be read: No such file or directory."),
    (f"probe {URL} --expect bufferd", "'bufferd' is no verdict"),
    (f"probe {URL} --timeout abc", "Invalid value for '--timeout': it is no number"),
    (f"probe {URL} --timeout 0", "it must be at least 1"),
    ("demo -X POST", "--method says how an app of yours is asked"),
    ("probe nonsense", "'nonsense' is no address"),
    (f"probe {URL} --expect fast", "'fast' is no verdict"),
    (f"probe {URL} --expect 'hold<5'", "'hold<5' is no bound"),
    (f"probe {URL} --header nothing", "'nothing' is no header"),
    (f"probe {URL} --header 'a: b\r\nc: d'", "'a' is no header"),
    (f"probe {URL} --token-env NOT_SET", "NOT_SET holds no token"),
    (f"probe {URL} --proof-token s3cret", "token is not 16 or more visible"),
    (f"probe {URL} --timeout 0", "--timeout"),
    (f"probe {URL} --method 'G ET'", "'G ET' is no method"),
    (f"probe {URL} --proof proof", "'proof' is no address"),
    ("doctor", "There is nothing to examine."),
    (f"doctor {URL} --app mine.main:app", "There is more than one thing to examine."),
    (f"doctor {URL} --from-curl curl.txt", "There is more than one thing to examine."),
    ("doctor --from-curl not-there.txt", "not-there.txt cannot be read: No such file or directory."),
    ("doctor --from-curl .", ". cannot be read: Is a directory."),
    ("doctor --from-curl bytes.txt", "bytes.txt cannot be read: it is no text."),
    ("doctor --from-curl other.txt", "curl"),
    ("doctor --from-curl curl.txt --method POST", "--from-curl says the whole request"),
    ("doctor --from-curl curl.txt -H 'a: b'", "--from-curl says the whole request"),
    ("doctor --app mine.main:app --path chat", "'chat'"),
    ("doctor --app mine.main:app --path //other.example/chat", "'//other.example/chat'"),
    ("doctor --app mine.main:app --method POST --yes", "asked three times by itself"),
    (f"doctor {URL} --arm both", "tries the other by itself"),
    (f"doctor {URL} --arm up", "up"),
    (f"doctor {URL} --expect fast", "'fast' is no verdict"),
    (f"doctor {URL} --max-requests 0", "--max-requests"),
    (f"doctor {URL} --direct nonsense", "'nonsense' is no address"),
    (f"doctor {URL} --proof proof", "'proof' is no address"),
    ("doctor nonsense", "'nonsense' is no address"),
    (f"deploy {WHERE}", "Say what to deploy."),
    (f"deploy {WHERE} run --all", "--all goes with no target's name."),
    (f"deploy {WHERE} felx", "felx"),
    (f"deploy {WHERE} run --for soon", "--remind-after: 'soon' is no span of time."),
    (f"deploy {WHERE} run --set run.colour=red", "colour"),
    (f"deploy {WHERE} run --env PORT=1", "PORT"),
    ("deploy run --project 'x; touch y'", "project"),
    ("deploy run --region '$(reboot)'", "region"),
]


@pytest.mark.parametrize(("line", "message"), MISUSED)
def test_a_misused_command_says_so_in_a_sentence_with_a_remedy_and_does_nothing(
    invoke: Invoke, tmp_path: Path, line: str, message: str
) -> None:
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "other.txt").write_text(f"wget {URL}")
    (tmp_path / "curl.txt").write_text(f"curl {URL}")
    before = sorted(tmp_path.iterdir())
    words = shlex.split(line)
    ended = invoke(*words)
    assert (ended.status, ended.out) == (2, ""), ended.err
    assert message in ended.err
    assert len(ended.err.strip().splitlines()) == 2
    assert "s3cret" not in ended.err
    as_json = invoke(*words, "--json")
    assert as_json.status == 2
    assert message in as_json.error["message"]
    assert as_json.error["hint"]
    assert sorted(tmp_path.iterdir()) == before


# A command line that hands used to other programs type, and the next step.
MEANT = [
    ("probe 127.0.0.1:9101/chat", "Did you mean http://127.0.0.1:9101/chat?"),
    ("compare a=127.0.0.1:9101", "Did you mean http://127.0.0.1:9101?"),
    (f"{URL}/chat", f"Did you mean kit probe {URL}/chat?"),
    ("prob x", "Try `kit --help`."),
    ("doctor --client curl -s {url}", "Put -- before the command: kit doctor --client -- curl -s {url}"),
    (
        "doctor --client -- 'curl -s {url} | grep x'",
        "Have a shell run it: kit doctor --client -- sh -c 'curl -s {url} | grep x'",
    ),
    ("doctor --client -- 'curl -s {url}'", "Leave the quotes out: kit doctor --client -- curl -s {url}"),
    (f"doctor --client {URL}", f"To examine the server: kit doctor {URL}"),
    (f"curl {URL}", "kit probe --from-curl 'curl …'"),
    (f"probe curl {URL}", "kit probe --from-curl 'curl …'"),
    (f"probe {URL} --token-env s3cret-token", "Give the name, and the token in that variable"),
    ("doctor --app ./main.py", 'did you mean "main:app"?'),
    (f"probe {URL} {URL}", "kit compare NAME=URL NAME=URL"),
    (f"probe {URL} -H Accept: text/event-stream", "A value with blanks in it needs quotes"),
    (f"probe -sN {URL}", "Give the whole curl command instead: kit probe --from-curl FILE"),
    (f"compare --max-time 3 {URL}", "Give the whole curl command instead: kit compare --from-curl FILE"),
    (f"probe --no-such-option {URL}", "Try `kit probe --help`."),
    ("demo --app x", "Try `kit demo --help`."),
]


@pytest.mark.parametrize(("line", "step"), MEANT)
def test_what_was_probably_meant_is_said_as_the_next_step(invoke: Invoke, line: str, step: str) -> None:
    ended = invoke(*shlex.split(line))
    assert (ended.status, ended.out) == (2, "")
    assert step in ended.err.splitlines()[1]
    assert "s3cret" not in ended.err
    assert not OLD_NAMES & set(re.findall(r"--[a-z-]+", ended.err))


@pytest.mark.parametrize(
    ("line", "says"),
    [("-V", "kit 0."), ("version", "kit 0."), ("-h", "Usage: kit"), ("help", "Usage: kit"),
     ("probe -h", "Usage: kit probe"), ("help probe", "Usage: kit probe")],
)  # fmt: skip
def test_version_and_help_are_where_other_programs_have_them(invoke: Invoke, line: str, says: str) -> None:
    ended = invoke(*line.split())
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith(says)


def test_a_wrong_variable_is_named(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_TIMEOUT", "soon")
    assert "(env var: 'KIT_TIMEOUT'): it is no number" in invoke("probe", URL).err


@pytest.mark.parametrize("verb", ["targets", "render", "lab", "workshop"])
def test_an_unknown_target_has_a_code_of_its_own_and_the_one_that_was_meant_beside_it(
    invoke: Invoke, verb: str
) -> None:
    ended = invoke(verb, "runn", "--json")
    assert (ended.status, ended.error["code"]) == (2, "unknown-target")
    assert "standard, flex, run" in ended.error["message"]
    assert ended.error["hint"] == "Did you mean 'run'?"


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
