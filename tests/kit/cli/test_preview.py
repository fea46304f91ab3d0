from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.cloud.preflight import Preflight
from kit.cloud.record import Record
from kit.flows.deploy import Plan
from kit.outcome import Gate, Outcome, Result
from kit.platforms.platform import Host
from kit.platforms.service import Place
from kit.proof.verdict import Verdict
from tests.fixtures.deployments import PROJECT, REGION, deployed, service_of, version
from tests.fixtures.lanes import lane_of
from tests.kit.cli.conftest import Invoke
from tests.kit.flows.hosts import MemoryHost
from tests.kit.flows.test_destroy import LinesOnly

WHERE = ("--project", PROJECT, "--region", REGION)
PREVIEW = version("sp-pr-12-abcd", 0.0, preview="pr-12", url="https://pr-12.example.org")


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> dict[str, MemoryHost]:
    """A project in memory, by service, in which nothing stands in the way and only run is deployed."""
    made: dict[str, MemoryHost] = {}

    def host_of(place: Place) -> Host:
        host = made.setdefault(f"{place.target} {place.service}", MemoryHost(place))
        if place.target == "run" and host.service is None:
            host.service = service_of("run", version(), place=place)
        return host

    async def plan(drafts: tuple[object, ...], *_: object) -> Plan:
        return Plan(drafts, Preflight((), PROJECT))  # type: ignore[arg-type]

    monkeypatch.setattr("kit.cli.records.hosts", lambda _: host_of)
    monkeypatch.setattr("kit.cli.records.gcloud", lambda *_, **__: LinesOnly())
    monkeypatch.setattr("kit.flows.deploy.plan", plan)
    return made


@pytest.fixture
def came(monkeypatch: pytest.MonkeyPatch) -> dict[str, Outcome]:
    """By target how the flow ends, which deploys nothing here."""
    outcomes: dict[str, Outcome] = {}

    async def deploy(plan: Plan, *_: object) -> tuple[Outcome, ...]:
        return tuple(outcomes[one.target.name] for one in plan.drafts)

    monkeypatch.setattr("kit.flows.preview.deploy", deploy)
    return outcomes


def previewed(**changes: Any) -> Outcome:
    outcome = Outcome(
        "run",
        Result.PREVIEWED,
        "Streamed, as documented. Without traffic, at https://pr-12.example.org",
        url="https://run.example.org",
        version="sp-pr-12-abcd",
        version_url="https://pr-12.example.org",
        lanes=(lane_of("run", expected=Verdict.INCREMENTAL),),
        gate=Gate.PASSED,
        costs="requests",
        next="kit preview pr-12 run --close",
    )
    return replace(outcome, **changes)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("PR/12", "run"), "A preview cannot be called 'PR/12'"),
        (("pr-12",), "Nothing is on record as deployed from this folder, so say what to preview."),
        (("pr-12", "nowhere"), "There is no target 'nowhere'"),
        (("pr-12", "gke"), "There is no preview of gke."),
    ],
)
def test_what_cannot_be_previewed_is_said_before_anything_is_asked(
    invoke: Invoke, hosts: Mapping[str, MemoryHost], words: tuple[str, ...], says: str
) -> None:
    ended = invoke("preview", *words, *WHERE)
    assert ended.status in (1, 2)
    assert says in ended.err
    assert not hosts


def test_a_dry_run_shows_the_line_which_gives_no_traffic(
    invoke: Invoke, hosts: dict[str, MemoryHost]
) -> None:
    ended = invoke("preview", "pr-12", "run", "--dry-run", *WHERE)
    assert (ended.status, ended.out.startswith("gcloud deploy sp-pr-12-")) == (0, True), ended
    assert hosts["run streamproof"].said == []
    none = invoke("preview", "pr-12", "standard", "--dry-run", *WHERE, "--json")
    assert "nothing serves as standard yet, so there is no preview of it" in json.loads(none.out)["warnings"]


def test_without_a_terminal_it_wants_a_yes(invoke: Invoke, hosts: dict[str, MemoryHost]) -> None:
    ended = invoke("preview", "pr-12", "run", *WHERE, "--json")
    assert (ended.status, ended.error["code"]) == (1, "not-confirmed")
    assert "run as the service streamproof in europe-west1" in ended.err


def test_what_came_of_it_is_in_the_text_in_the_files_and_told_to_github(
    invoke: Invoke,
    hosts: dict[str, MemoryHost],
    came: dict[str, Outcome],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Record.load(tmp_path).put(deployed("run"))
    came["run"] = previewed()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    ended = invoke("preview", "pr-12", "--yes", "--markdown", "a.md", "--junit", "a.xml", "--github", *WHERE)
    assert ended.status == 0, ended
    assert "at https://pr-12.example.org" in ended.out
    assert "Next: kit preview pr-12 run --close" in ended.out
    said = (tmp_path / "a.md").read_text()
    assert said == (tmp_path / "summary").read_text()
    assert said.startswith("### ✓ Preview pr-12\n")
    assert "| ✓ | run | Streamed, as documented. | <https://pr-12.example.org> |" in said
    assert "never promoted. `kit preview pr-12 --close` removes it." in said
    assert 'name="' in (tmp_path / "a.xml").read_text()


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (previewed(gate=Gate.WORSE), 3),
        (previewed(gate=Gate.INCONCLUSIVE), 4),
        (previewed(result=Result.FAILED, gate=None, lanes=(), version_url=None, what="It | failed."), 1),
    ],
)
def test_the_status_is_the_gates(
    invoke: Invoke, hosts: dict[str, MemoryHost], came: dict[str, Outcome], outcome: Outcome, status: int
) -> None:
    came["run"] = outcome
    ended = invoke("preview", "pr-12", "run", "--yes", "--markdown", "a.md", "--json", *WHERE)
    assert (ended.status, ended.data["preview"]) == (status, "pr-12"), ended
    assert [one["result"] for one in ended.data["outcomes"]] == [str(outcome.result)]


def test_closing_asks_removes_it_and_leaves_the_rest(
    invoke: Invoke, hosts: dict[str, MemoryHost], tmp_path: Path
) -> None:
    place = deployed("run").place
    hosts["run streamproof"] = host = MemoryHost(place)
    host.service = service_of("run", PREVIEW, version())
    Record.load(tmp_path).put_preview("pr-12", deployed("run", version="sp-pr-12-abcd"))
    asked = invoke("preview", "pr-12", "--close", *WHERE)
    assert (asked.status, "remove: sp-pr-12-abcd" in asked.err) == (1, True), asked
    dry = invoke("preview", "pr-12", "--close", "--dry-run", *WHERE)
    assert (dry.status, dry.out) == (0, "gcloud delete sp-pr-12-abcd\n")
    closed = invoke("preview", "pr-12", "--close", "--yes", "--markdown", "a.md", *WHERE)
    assert (closed.status, closed.out) == (0, "run: 1 removed\n")
    assert (tmp_path / "a.md").read_text() == "### Preview pr-12: removed\n"
    assert Record.load(tmp_path).previews() == ()

    host.service = service_of("run", version())
    again = invoke("preview", "pr-12", "--close", "--yes", "--json", *WHERE)
    assert (again.status, again.data) == (0, {"targets": []})
    assert "Nothing of the preview pr-12 is there." in invoke("preview", "pr-12", "--close", *WHERE).out


def test_where_only_a_preview_was_made_destroy_removes_that_and_status_shows_it(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = deployed("run", version="sp-pr-12-abcd", state="held-back")
    Record.load(tmp_path).put_preview("pr-12", known)
    host = MemoryHost(known.place)
    host.service = service_of("run", PREVIEW, version())
    monkeypatch.setattr("kit.cli.records.hosts", lambda *_: lambda place: host)
    monkeypatch.setattr("kit.cli.records.gcloud", lambda *_, **__: LinesOnly())
    shown = invoke("status")
    assert (shown.status, "preview    sp-pr-12-abcd" in shown.out) == (0, True), shown
    assert "on record: held back, sp-pr-12-abcd" in invoke("status", "run", "--offline").out
    ended = invoke("destroy", "--all", "--yes")
    assert (ended.status, ended.out) == (0, "run: 1 removed\n"), ended
    assert "run: streamproof in my-project-42, the preview pr-12\n  remove: sp-pr-12-abcd" in ended.err
    assert Record.load(tmp_path).previews() == ()
