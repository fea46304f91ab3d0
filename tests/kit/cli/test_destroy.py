from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from kit.cloud.record import Record
from kit.errors import Code, KitError
from kit.platforms.command import Command
from kit.platforms.platform import Host
from kit.platforms.service import Place, Removal
from tests.fixtures.deployments import PROJECT, REGION, deployed
from tests.kit.cli.conftest import Invoke
from tests.kit.flows.hosts import MemoryHost
from tests.kit.flows.test_destroy import LinesOnly

STAYS = Removal("sp-old: App Engine's service `default` cannot be deleted", None)
SERVICE = Removal("the service, 1 version", Command(("delete", "service"), changes=True))
IMAGES = Removal("the images", Command(("delete", "images"), changes=True))


class Cloud(LinesOnly):
    """What there is to be removed, by target; an error where a look fails."""

    def __init__(self) -> None:
        super().__init__()
        self.there: dict[str, tuple[Removal, ...] | KitError] = {}

    def __call__(self, place: Place) -> Host:
        return _Host(place, self.there.get(place.target, ()))


class _Host(MemoryHost):
    def __init__(self, place: Place, there: tuple[Removal, ...] | KitError) -> None:
        super().__init__(place)
        self._there = there

    async def removals(self, *, versions: tuple[str, ...] | None = None) -> tuple[Removal, ...]:
        if isinstance(self._there, KitError):
            raise self._there
        return self._there


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    there = Cloud()
    monkeypatch.setattr("kit.cli.records.gcloud", lambda _: there)
    monkeypatch.setattr("kit.cli.records.hosts", lambda _: there)
    return there


def remember(folder: Path, *targets: str) -> None:
    for target in targets:
        Record.load(folder).put(deployed(target))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Say what to remove."),
        (["run", "--all"], "--all goes with no target's name."),
        (["felx"], "felx"),
        (["run", "felx"], "felx"),
        (["run; rm -rf /"], "run; rm -rf /"),
    ],
)
def test_wrong_usage_removes_nothing(
    invoke: Invoke, cloud: Cloud, tmp_path: Path, arguments: list[str], said: str
) -> None:
    remember(tmp_path, "run")
    cloud.there["run"] = (SERVICE,)
    ended = invoke("destroy", *arguments, "--yes", "--json")
    assert ended.status == 2
    assert said in ended.error["message"]
    assert cloud.ran == []


@pytest.mark.parametrize("arguments", [["--all"], ["run"]])
def test_where_nothing_is_on_record_that_is_the_answer_and_no_error(
    invoke: Invoke, cloud: Cloud, arguments: list[str]
) -> None:
    ended = invoke("destroy", *arguments)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("Nothing is on record as deployed from this folder.")
    assert "kit status --refresh" in ended.out
    assert invoke("destroy", *arguments, "--json").data == {"targets": []}


def test_it_is_listed_first_and_not_touched_without_a_yes(
    invoke: Invoke, cloud: Cloud, tmp_path: Path
) -> None:
    remember(tmp_path, "run", "standard")
    cloud.there = {"run": (SERVICE, IMAGES), "standard": (STAYS,)}
    ended = invoke("destroy", "--all")
    assert (ended.status, ended.out, cloud.ran) == (1, "", [])
    assert (
        f"run: streamproof in {PROJECT}\n  remove: the service, 1 version\n  remove: the images\n"
        in ended.err
    )
    assert "  stays: sp-old: App Engine's service `default` cannot be deleted\n" in ended.err
    assert ended.err.index("standard: ") < ended.err.index("run: ")
    assert {one.target for one in Record.load(tmp_path)} == {"run", "standard"}


def test_with_a_yes_it_goes_and_what_stays_is_said(invoke: Invoke, cloud: Cloud, tmp_path: Path) -> None:
    remember(tmp_path, "run", "standard")
    cloud.there = {"run": (SERVICE, IMAGES), "standard": (STAYS,)}
    ended = invoke("destroy", "--all", "--yes")
    assert ended.status == 0
    assert ended.out.splitlines() == [
        "standard: nothing to remove",
        "  stays, also on record: sp-old: App Engine's service `default` cannot be deleted",
        "run: 2 removed",
    ]
    assert [one.target for one in Record.load(tmp_path)] == ["standard"]


def test_what_the_platform_left_behind_is_no_success(
    invoke: Invoke, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def remains(host: Host) -> tuple[Removal, ...]:
        return (Removal("the forwarding rule x: `gcloud compute forwarding-rules delete x`", None),)

    monkeypatch.setattr(_Host, "remains", remains)
    remember(tmp_path, "run")
    cloud.there["run"] = (Removal("the service", Command(("rm",), changes=True)),)
    ended = invoke("destroy", "run", "--yes")
    assert ended.status == 4
    assert "left behind by the platform, and may cost money: the forwarding rule x" in ended.out
    assert Record.load(tmp_path).of("run") is None


def test_for_programs_it_is_all_there(invoke: Invoke, cloud: Cloud, tmp_path: Path) -> None:
    remember(tmp_path, "run", "flex", "standard")
    denied = KitError(Code.PERMISSION_DENIED, "You may not.", "Ask.")
    cloud.there = {"run": (SERVICE, IMAGES), "flex": denied, "standard": (STAYS,)}
    cloud.fails = {IMAGES.command.line: denied} if IMAGES.command else {}
    ended = invoke("destroy", "run", "flex", "--yes", "--json")
    assert ended.status == 1
    error = {"code": "permission-denied", "message": "You may not.", "hint": "Ask."}
    assert ended.data["targets"] == [
        {
            "target": "run",
            "preview": None,
            "removed": ["the service, 1 version"],
            "left": ["the images"],
            "stays": [],
            "outlived": [],
            "missing": False,
            "error": error,
        },
        {
            "target": "flex",
            "preview": None,
            "removed": [],
            "left": [],
            "stays": [],
            "outlived": [],
            "missing": False,
            "error": error,
        },
    ]
    assert {one.target for one in Record.load(tmp_path)} == {"run", "flex", "standard"}


def test_what_failed_is_told_with_the_line_that_tries_again(
    invoke: Invoke, cloud: Cloud, tmp_path: Path
) -> None:
    remember(tmp_path, "run")
    cloud.there["run"] = (SERVICE, IMAGES)
    cloud.fails = {"gcloud delete images": KitError(Code.CLOUD_UNAVAILABLE, "503.", "Later.")}
    ended = invoke("destroy", "run", "--yes")
    assert ended.status == 1
    assert "run: 503.\n  Later.\n  Still there: the images.\n  Repeat it with: kit destroy run" in ended.out


def test_an_interruption_says_what_went_what_did_not_and_that_a_second_run_goes_on(
    invoke: Invoke, cloud: Cloud, tmp_path: Path
) -> None:
    remember(tmp_path, "run", "flex")
    cloud.there = {"run": (SERVICE, IMAGES), "flex": (STAYS, SERVICE)}
    cloud.fails = {"gcloud delete images": asyncio.CancelledError()}
    ended = invoke("destroy", "run", "flex", "--yes")
    assert (ended.status, ended.out) == (130, "")
    assert ended.err.endswith(
        "run: removed: the service, 1 version.\n"
        "  Not removed, or not yet to the end: the images.\n"
        "  Go on with: kit destroy run\n"
        "flex: 1 removed\n"
        "  stays, also on record: sp-old: App Engine's service `default` cannot be deleted\n"
        "interrupted\n"
    )
    assert "run" in {one.target for one in Record.load(tmp_path)}
    cloud.there["run"], cloud.fails = (IMAGES,), {}
    assert invoke("destroy", "run", "--yes").out == "run: 1 removed\n"


def test_what_is_on_record_and_not_found_is_no_success(invoke: Invoke, cloud: Cloud, tmp_path: Path) -> None:
    remember(tmp_path, "run", "flex")
    cloud.there["run"] = (SERVICE,)
    ended = invoke("destroy", "--all", "--yes")
    assert ended.status == 4
    assert "flex: on record, and not found, so nothing was removed.\n" in ended.out
    assert "kit status --refresh flex" in ended.out
    assert [one.target for one in Record.load(tmp_path)] == ["flex"]
    (flex,) = invoke("destroy", "flex", "--yes", "--json").data["targets"]
    assert flex["missing"] is True


# A gcloud of a company whose proxy is not to be found.
NO_PROXY = """#!/bin/sh
echo "ERROR: (gcloud.$1.$2.$3) The proxy host proxy.example.com could not be found." >&2
exit 1
"""


@pytest.mark.parametrize("target", ["standard", "flex", "run"])
def test_a_gcloud_that_does_not_find_its_proxy_makes_nothing_forgotten(
    invoke: Invoke,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
) -> None:
    stub = tmp_path_factory.mktemp("bin") / "gcloud"
    stub.write_text(NO_PROXY)
    stub.chmod(0o755)
    remember(tmp_path, target)
    monkeypatch.setenv("PATH", f"{stub.parent}{os.pathsep}{os.environ['PATH']}")
    for verb in (("destroy", "--yes"), ("status", "--refresh", "--project", PROJECT, "--region", REGION)):
        ended = invoke(verb[0], target, *verb[1:])
        assert ended.status == 1
        assert "The proxy host proxy.example.com could not be found." in ended.out
        assert list(Record.load(tmp_path)) == [deployed(target)]


def test_where_all_stays_nobody_is_asked(invoke: Invoke, cloud: Cloud, tmp_path: Path) -> None:
    remember(tmp_path, "standard")
    cloud.there["standard"] = (STAYS,)
    assert invoke("destroy", "standard").status == 0


def test_a_project_that_is_named_is_the_only_one_that_is_touched(
    invoke: Invoke, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(tmp_path, "run")
    cloud.there["run"] = (SERVICE,)
    ended = invoke("destroy", "--all", "--project", "another-project", "--yes", "--json")
    assert (ended.status, ended.error["code"], cloud.ran) == (1, "nothing-deployed", [])
    assert PROJECT in ended.error["message"]
    monkeypatch.setenv("KIT_PROJECT", "another-project")  # as `make destroy-all PROJECT=…` says it
    assert invoke("destroy", "run", "--yes").status == 1
    assert cloud.ran == []
    assert invoke("destroy", "run", "--project", PROJECT, "--yes").status == 0


def test_of_several_that_are_named_those_on_record_go(invoke: Invoke, cloud: Cloud, tmp_path: Path) -> None:
    remember(tmp_path, "run")
    cloud.there["run"] = (SERVICE,)
    ended = invoke("destroy", "run", "flex", "run", "--yes")
    assert (ended.status, ended.out, cloud.ran) == (0, "run: 1 removed\n", ["gcloud delete service"])
    assert "Nothing is on record as deployed for flex from this folder." in ended.err
