from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from kit.cli.deploy import _finish, _states
from kit.cloud.lock import locked
from kit.cloud.preflight import Preflight
from kit.cloud.record import Record
from kit.flows.deploy import Plan
from kit.outcome import Outcome, Result
from kit.platforms.platform import Host
from kit.platforms.service import Place
from kit.proof.lane import Comparison, LaneState
from kit.proof.verdict import Verdict
from tests.fixtures.deployments import PROJECT, REGION, deployed, place_of, service_of, version
from tests.kit.cli.conftest import Invoke
from tests.kit.flows.hosts import MemoryHost
from tests.kit.flows.test_gate import lane

_NO_SERVICE = "ERROR: (gcloud.run.services.describe) Cannot find service [streamproof]"


@pytest.fixture
def gcloud(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gcloud that finds nothing."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "gcloud"
    program.write_text(f"#!/bin/sh\necho '{_NO_SERVICE}' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_all_leaves_out_what_costs_all_the_time_unless_it_is_asked_for(
    invoke: Invoke, hosts: dict[str, MemoryHost]
) -> None:
    ended = invoke("deploy", "--all", "--dry-run", *WHERE)
    assert (ended.status, sorted(hosts)) == (0, ["flex", "run", "standard"])
    assert "gke is left out: it costs money all the time, and was not asked for." in ended.err


@pytest.mark.parametrize(
    ("words", "within"),
    [
        (("--gke", "c1"), "c1/streamproof"),
        (("--create-cluster",), "streamproof/streamproof"),
        (("--create-cluster", "--gke", "c2"), "c2/streamproof"),
        (("--set", "gke.cluster=c3", "--set", "gke.namespace=web"), "c3/web"),
    ],
)
def test_the_options_of_a_platform_say_where_its_targets_go(
    invoke: Invoke, hosts: dict[str, MemoryHost], words: tuple[str, ...], within: str
) -> None:
    ended = invoke("deploy", "--all", "--dry-run", *WHERE, *words)
    assert ended.status == 0, ended
    assert hosts["gke"].place.within == within


@pytest.mark.usefixtures("gcloud")
def test_a_dry_run_leaves_no_file_behind(invoke: Invoke, tmp_path: Path) -> None:
    ended = invoke("deploy", "run", "--dry-run", "--project", "demo-project", "--region", "europe-west1")
    assert ended.status == 0, ended
    assert ended.out.startswith("gcloud run deploy streamproof ")
    assert not list(tmp_path.iterdir())
    ended = invoke("deploy", "run", "standard", "--dry-run", "--write", *WHERE)
    assert ended.status == 0, ended
    for folder in ("build/run", "build/releases/standard"):
        assert f"{folder} " in ended.out
        assert (tmp_path / folder).is_dir()
    assert "STREAMPROOF_BUNDLE" in (tmp_path / "build/releases/standard/app.yaml").read_text()
    assert invoke("deploy", "run", "--write", *WHERE).status == 2


def test_old_names_are_taken_and_the_variable_of_another_verbs_option_is_not(
    invoke: Invoke, hosts: dict[str, MemoryHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT_FOR", "no time")
    for word in ("--require-token", "--token", "--no-require-token", "--no-token"):
        assert invoke("deploy", "cloud-run", "--dry-run", *WHERE, word, "--remind-after", "2h").status == 0
    assert list(hosts) == ["run"]
    ended = invoke("deploy", "run", "--dry-run", *WHERE, "--for", "soon", "--json")
    assert "--remind-after" in ended.error["message"]


def test_a_dry_run_says_where_another_app_serves(invoke: Invoke, hosts: dict[str, MemoryHost]) -> None:
    hosts["run"] = MemoryHost(place_of("run"))
    hosts["run"].service = service_of("run", version("theirs", app="shop-1a2b3c4d"))
    ended = invoke("deploy", "run", "--dry-run", *WHERE)
    assert "warning: Another app of yours may serve at streamproof" in ended.err
    assert "Another app" not in invoke("deploy", "run", "--dry-run", "--replace-foreign", *WHERE).err


@pytest.mark.usefixtures("gcloud")
def test_flags_behind_two_dashes_reach_the_gcloud_line_as_settings_secrets_or_as_they_are(
    invoke: Invoke, tmp_path: Path
) -> None:
    (tmp_path / "kit.toml").write_text(
        '[targets.run]\ngcloud_flags = "--cpu-boost"\n[secrets]\nDB = "db:3"\n'
    )
    flags = ("--set-secrets=OPENAI_API_KEY=openai:latest", "--cpu=2", "--vpc-egress", "all-traffic")
    ended = invoke("deploy", "run", "--dry-run", *WHERE, "--", *flags)
    assert ended.status == 0, ended
    assert "--cpu=2 --memory=512Mi" in ended.out
    assert (
        "--set-secrets=DB=db:3,OPENAI_API_KEY=openai:latest --cpu-boost --vpc-egress all-traffic "
        in ended.out
    )


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (("run", "flex", "--", "--cpu=2"), "for the gcloud line of one target", "gcloud_flags in [targets."),
        (("run", "--", "--no-traffic"), "--no-traffic is not passed on", "once it was measured"),
        (("run", "--", "--cpu=lots"), "--set run.cpu is 'lots'", "from 0.08 to 1"),
        (("run", "--set", "run.gcloud_flags=--cpu=2"), "--cpu is not passed on", "--set run.cpu=VALUE"),
        (("gke", "--gke", "c", "--", "--tag=x"), "--tag is not passed on", "builds the image"),
        (("flex", "--", "--set-secrets=A=a:1"), "flex cannot be given secrets: A.", "secretAccessor"),
        (
            ("run", "--set-secrets", "A=s3cret-value"),
            "gives the variable A what is no secret",
            "=openai:latest",
        ),
        (("run", "--set-secrets", "s3cret-value"), "names no secret", "NAME=SECRET:VERSION"),
        (("run", "--set-secrets", "A=a:1", "--env", "A=b"), "to a text and to a secret", "--env"),
    ],
)
def test_what_would_break_the_kits_promises_is_refused_with_what_to_say_instead(
    invoke: Invoke, words: tuple[str, ...], said: str, hint: str
) -> None:
    at = words.index("--") if "--" in words else len(words)
    ended = invoke("deploy", *words[:at], "--dry-run", "--json", *WHERE, *words[at:])
    assert ended.status in (1, 2)
    assert said in ended.error["message"]
    assert hint in ended.error["hint"]
    assert "s3cret-value" not in ended.out + ended.err


WHERE = ("--project", PROJECT, "--region", REGION)


@pytest.fixture
def no_gcloud(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without it."""
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("bin")))


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> dict[str, MemoryHost]:
    """A project in memory, by target, in which nothing stands in the way."""
    made: dict[str, MemoryHost] = {}

    def host_of(place: Place) -> Host:
        return made.setdefault(place.target, MemoryHost(place, always=place.target == "flex"))

    async def plan(drafts: tuple[object, ...], *_: object) -> Plan:
        return Plan(drafts, Preflight((), PROJECT))  # type: ignore[arg-type]

    monkeypatch.setattr("kit.cli.records.hosts", lambda _: host_of)
    monkeypatch.setattr("kit.flows.deploy.plan", plan)
    return made


@pytest.mark.parametrize(
    ("where", "code", "said"),
    [
        (("--region", REGION), "no-project", "No project was named."),
        (("--project", PROJECT), "bad-config", "No region was named for run."),
    ],
)
def test_whoever_does_not_say_where_to_is_asked_to(
    invoke: Invoke, where: tuple[str, str], code: str, said: str
) -> None:
    ended = invoke("deploy", "run", *where, "--json")
    assert (ended.status, ended.error["code"], ended.error["message"]) == (1, code, said)
    assert "--project" in ended.error["hint"] or "--region" in ended.error["hint"]


@pytest.mark.usefixtures("no_gcloud")
def test_without_gcloud_one_sentence_says_where_to_get_it(invoke: Invoke) -> None:
    ended = invoke("deploy", "run", *WHERE, "--yes")
    assert ended.status == 1
    assert "error: gcloud is not on the PATH.\n  Install the Google Cloud CLI: https://" in ended.err


@pytest.mark.usefixtures("no_gcloud")
def test_a_dry_run_without_gcloud_says_what_it_could_not_know(invoke: Invoke) -> None:
    ended = invoke("deploy", "--all", "--dry-run", *WHERE, "--json")
    assert ended.status == 0
    assert [line.split()[:3] for line in ended.data["commands"]] == [
        ["gcloud", "app", "deploy"],
        ["gcloud", "app", "deploy"],
        ["gcloud", "run", "deploy"],
    ]
    run = ended.data["commands"][2]
    assert " --no-traffic " in run, "what could not be seen is not taken for what is not there"
    assert "--no-allow-unauthenticated" not in run
    warnings = json.loads(ended.out)["warnings"]
    assert [warning.partition(" could not be looked at")[0] for warning in warnings[:3]] == [
        "standard",
        "flex",
        "run",
    ]
    assert "build/releases/standard, build/releases/flex and build/run" in warnings[3]


def test_off_a_terminal_the_plan_is_shown_and_nothing_is_done_without_a_yes(
    invoke: Invoke, hosts: dict[str, MemoryHost], tmp_path: Path
) -> None:
    ended = invoke("deploy", "run", "flex", *WHERE)
    assert (ended.status, ended.out) == (1, "")
    assert (
        f"The plan, in the project {PROJECT}: run as the service streamproof in {REGION}; flex as "
        in ended.err
    )
    assert "error: Confirmation is needed, and there is no terminal to ask on." in ended.err
    assert all(host.said == [] for host in hosts.values())
    assert list(Record.load(tmp_path)) == []


def test_what_runs_already_is_not_run_into(
    invoke: Invoke, hosts: dict[str, MemoryHost], tmp_path: Path
) -> None:
    with locked(tmp_path, "kit deploy flex"):
        ended = invoke("deploy", "run", *WHERE, "--yes", "--json")
    assert (ended.status, ended.error["code"]) == (1, "record-locked")
    assert "kit deploy flex" in ended.error["message"]
    assert hosts == {}


def test_unmeasured_it_is_promoted_and_everything_is_there_for_programs(
    invoke: Invoke, hosts: dict[str, MemoryHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def compare(*_: object) -> Comparison:
        return Comparison("cloud", "2026-11-22T10:00:00Z", "1", "", (lane("run", Verdict.INCREMENTAL),))

    async def asks(*_: object, **__: object) -> dict[str, object]:
        return {}

    monkeypatch.setattr("kit.flows.compare.compare", compare)
    monkeypatch.setattr("kit.flows.deployed.asks", asks)
    ended = invoke("deploy", "run", *WHERE, "--yes", "--no-gate", "--for", "2h", "--json")
    assert ended.status == 0, ended
    (run,) = ended.data["outcomes"]
    assert (run["target"], run["result"], run["gate"], run["error"]) == ("run", "promoted", None, None)
    assert ended.data["destroy"] == "kit destroy run"
    assert json.loads(ended.out)["warnings"] == ["in 2h it is to be removed: kit destroy run"]


def test_a_token_that_is_wanted_and_not_at_hand_is_asked_for(
    invoke: Invoke, hosts: dict[str, MemoryHost], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Record.load(tmp_path).put(deployed("run", token_sha256="ab" * 32))
    ended = invoke("deploy", "run", *WHERE, "--yes", "--json")
    assert ended.status == 1
    assert ended.error["message"] == "What is deployed (run) wants a token, and KIT_TOKEN is not set."
    monkeypatch.setenv("KIT_TOKEN", "another-token")
    ended = invoke("deploy", "run", *WHERE, "--yes", "--json")
    assert ended.error["message"] == "What is deployed (run) wants a token, and KIT_TOKEN holds another."
    assert "another-token" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Verdict.INCREMENTAL, LaneState.OK),  # better than Standard's documentation
        (Verdict.WHOLE_MESSAGE, LaneState.OK),
        (Verdict.REFUSED, LaneState.NOT_AS_EXPECTED),
        (Verdict.INCONCLUSIVE, LaneState.INCONCLUSIVE),
    ],
)
def test_the_last_comparison_is_judged_as_at_the_gate(verdict: Verdict, state: LaneState) -> None:
    worse_without_the_header = lane("standard", Verdict.REFUSED, "off")
    lanes = (lane("standard", verdict), worse_without_the_header)
    assert _states(Comparison("cloud", "2026-11-22T10:00:00Z", "1", "", lanes)) == [state]
    assert _states(None) == []


@pytest.mark.parametrize(
    ("url", "is_told"), [("http://127.0.0.1:8080", True), ("https://sp-new.example.org", False)]
)
def test_a_single_target_that_was_rehearsed_is_not_passed_off_as_deployed(
    capsys: pytest.CaptureFixture[str], url: str, is_told: bool
) -> None:
    measured = replace(lane("run", Verdict.INCREMENTAL), url=url)
    with pytest.raises(SystemExit):
        _finish([Outcome("run", Result.PROMOTED, "Streamed.", lanes=(measured,))], None, None, as_json=False)
    assert ("A rehearsal: " in capsys.readouterr().out) == is_told
