"""examples/own-app as a person runs it: proved as it stands, with no line changed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.command import Ended, ended, start
from tests.fixtures.tools import Tool
from tests.system.leftovers import processes_in

CHECKOUT = Path(__file__).parents[2]
Kit = Callable[..., Ended]

MADE = """
import asyncio

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Asked(BaseModel):
    question: str


async def words(asked: Asked):
    for number in range(20):
        yield f"data: {number} {asked.question}\\n\\n"
        await asyncio.sleep(0.05)


def create(said):
    app = FastAPI()

    @app.post(said)
    async def answer(asked: Asked):
        return StreamingResponse(words(asked), media_type="text/event-stream")

    return app
"""


@pytest.fixture(scope="module")
def cache(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where the app's packages are installed, once for all of these tests."""
    folder = tmp_path_factory.mktemp("cache")
    # uv takes a list with spaces in between, and the checkout's own path may have one.
    shutil.copy(CHECKOUT / "deploy/requirements.txt", folder / "constraints.txt")
    return {
        "XDG_CACHE_HOME": str(folder),
        "PATH": f"{tool('uv').parent}{os.pathsep}{os.environ['PATH']}",
        # The versions that the kit is tested with.
        "UV_CONSTRAINT": str(folder / "constraints.txt"),
    }


@pytest.fixture
def app(tool: Tool, tmp_path: Path) -> Path:
    """A copy of the example, in a git repository of its own."""
    folder = tmp_path / "own-app"
    shutil.copytree(
        CHECKOUT / "examples/own-app", folder, ignore=shutil.ignore_patterns("build", ".kit", "__pycache__")
    )
    subprocess.run([tool("git"), "init", "--quiet", folder], check=True)
    track(folder)
    return folder


def track(folder: Path) -> None:
    subprocess.run(["git", "-C", folder, "add", "--all"], check=True)


@pytest.fixture
def kit(app: Path, cache: dict[str, str]) -> Kit:
    def run(*arguments: str, **settings: str) -> Ended:
        done = ended(start(app, *arguments, **cache, PYTHONPATH=str(CHECKOUT), **settings))
        assert processes_in(app) == {}
        return done

    return run


def verdicts(ended: Ended) -> dict[tuple[str, str], tuple[str, str]]:
    lanes = json.loads(ended.out)["data"]["lanes"]
    return {(lane["target"], lane["header"]): (lane["verdict"], lane["method"]) for lane in lanes}


def says(app: Path, line: str) -> None:
    """One more line at the end of kit.toml, in the table [app]."""
    with (app / "kit.toml").open("a") as file:
        file.write(f"{line}\n")


def test_as_it_stands_an_app_of_ones_own_gets_a_verdict_in_both_arms(kit: Kit) -> None:
    ended = kit("demo", "--yes", "--json")
    assert ended.status == 0, ended.err
    assert verdicts(ended) == {
        ("standard", "on"): ("whole-message", "lock-step"),
        ("standard", "off"): ("whole-message", "lock-step"),
        ("flex", "on"): ("incremental", "lock-step"),
        ("flex", "off"): ("byte-limited", "lock-step"),
        ("run", "on"): ("incremental", "lock-step"),
        ("run", "off"): ("incremental", "lock-step"),
        ("gke", "on"): ("incremental", "lock-step"),
        ("gke", "off"): ("incremental", "lock-step"),
    }
    assert all("/answer?question=why" in lane["url"] for lane in ended.data["lanes"])
    for lane in ended.data["lanes"]:
        streams = lane["verdict"] == "incremental"
        assert ("pieces of the answer, each released only after" in " ".join(lane["evidence"])) is streams
    assert all(len(lane["timeline"]) == 30 for lane in ended.data["lanes"])


def test_what_a_function_makes_and_takes_only_a_post_is_asked_as_it_describes_itself(
    app: Path, kit: Kit
) -> None:
    (app / "kit.toml").write_text(
        '[app]\nmodule = "mine.made:create(said=\'/said\')"\nprobe_path = "/said"\n'
    )
    (app / "mine/made.py").write_text(MADE)
    track(app)
    ended = kit("demo", "flex", "--yes", "--json")
    assert ended.status == 0, ended.err
    assert verdicts(ended) == {("flex", "off"): ("byte-limited", "lock-step")}
    assert 'POST with {"question": "' in ended.err
    assert len(ended.data["lanes"][0]["timeline"]) == 20


def test_an_answer_that_is_longer_than_the_fronts_deadline_is_streamed_and_not_as_promised(
    app: Path, kit: Kit
) -> None:
    main = app / "mine/main.py"
    main.write_text(main.read_text().replace("range(30)", "range(300)"))
    with (app / "kit.toml").open("a") as file:
        file.write("[targets.gke]\ntimeout_s = 3\n")
    ended = kit("demo", "gke", "--yes", "--json")
    assert ended.status == 3, ended.err
    assert verdicts(ended) == {("gke", arm): ("incremental", "lock-step") for arm in ("on", "off")}
    for lane in ended.data["lanes"]:
        assert lane["as_expected"] is False
        assert {"stream-cut", "cut-at-deadline"} <= {*lane["doubts"]}
        assert 0 < len(lane["timeline"]) < 300
    report = " ".join((app / "build/report.md").read_text().split())
    assert "0 of 2 as documented" in report
    assert re.search(r"streamed, but the answer was cut after [3-5] s", report)
    assert "GCPBackendPolicy, spec.default.timeoutSec. Heartbeats do not help." in report


def test_an_app_that_has_the_proof_itself_is_proved_as_well(app: Path, kit: Kit) -> None:
    shutil.copy(CHECKOUT / "service/proof.py", app / "mine")
    main = app / "mine/main.py"
    text = main.read_text()
    for line in ("from mine.proof import create_proof", 'app.mount("/proof", create_proof())'):
        assert f"# {line}\n" in text
        text = text.replace(f"# {line}\n", f"{line}\n")
    # An app that sends no header is measured in that arm only, and this is said.
    main.write_text(text.replace('{"X-Accel-Buffering": "no"}', "{}"))
    track(app)
    ended = kit("demo", "flex", "--yes", "--json")
    assert ended.status == 0, ended.err
    assert verdicts(ended) == {("flex", "off"): ("byte-limited", "lock-step")}
    assert "Your app does not send X-Accel-Buffering: no, so it is only measured without." in ended.err


def test_without_the_proof_it_is_watched_and_nothing_is_claimed(app: Path, kit: Kit) -> None:
    says(app, "proof = false")
    ended = kit("demo", "run", "--arm", "on", "--yes", "--json")
    assert ended.status == 4, ended.err
    assert verdicts(ended) == {("run", "on"): ("inconclusive", "passive")}
    assert "no-proof" in ended.data["lanes"][0]["doubts"]


def test_a_wsgi_app_is_refused_in_one_sentence(app: Path, kit: Kit) -> None:
    (app / "mine/main.py").write_text("def app(environ, start_response):\n    return [b'']\n")
    ended = kit("demo", "run", "--yes", "--json")
    assert ended.error["code"] == "service-died"
    assert "mine.main:app is a WSGI app, and the kit runs ASGI apps only." in ended.error["message"]


def test_its_code_is_not_run_before_somebody_said_yes(app: Path, kit: Kit) -> None:
    marker = app / "ran"
    main = app / "mine/main.py"
    main.write_text(f"open({str(marker)!r}, 'w')\n" + main.read_text())
    for verb in ("demo", "lab"):
        ended = kit(verb, "run", "--json")
        assert ended.status == 1
        assert ended.error["code"] == "not-confirmed"
        assert "mine.main:app" in ended.err
    assert kit("render", "--json").status == 0
    assert not marker.exists()


def test_it_runs_without_the_kits_tokens(app: Path, kit: Kit) -> None:
    (app / "mine/main.py").write_text(
        "import json, os\n"
        f"open({str(app / 'environment.json')!r}, 'w').write(json.dumps(dict(os.environ)))\n"
        "from fastapi import FastAPI\n"
        "app = FastAPI()\n"
        "app.get('/answer')(lambda: 'short')\n"
    )
    tokens = {
        "KIT_TOKEN": "1",
        "GOOGLE_APPLICATION_CREDENTIALS": "/adc.json",
        "CLOUDSDK_AUTH_ACCESS_TOKEN": "1",
        "MY_API_KEY": "1",
    }
    kit("demo", "run", "--json", KIT_YES="1", **tokens)
    environment = json.loads((app / "environment.json").read_text())
    assert "STREAMPROOF_LAB" in environment
    assert not environment.keys() & tokens.keys()


def test_an_app_that_does_not_start_is_told_with_the_end_of_its_log(app: Path, kit: Kit) -> None:
    (app / "mine/main.py").write_text("import not_installed_anywhere\n")
    ended = kit("demo", "run", "--yes", "--json")
    assert ended.status == 1
    assert ended.error["code"] == "service-died"
    assert "not_installed_anywhere" in ended.error["message"]
    assert "requirements of your own app" in ended.error["hint"]
    assert "Traceback" not in ended.err
