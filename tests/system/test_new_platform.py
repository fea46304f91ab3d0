"""A made-up platform and a target on it are two folders, taken from docs/adding-a-target.md; the kit does all
else with them as it stands.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adding-a-target.md"

# The platform's tool, and a gcloud for the project around it: both keep to the state beside them.
HARBOUR = r"""
import json, os, pathlib, shutil, signal, socket, subprocess, sys, time
state = pathlib.Path(__file__).parent / "harbour.json"
services = json.loads(state.read_text()) if state.exists() else {}
verb, name, *rest = sys.argv[1:]
if verb == "show":
    if name not in services:
        sys.exit(f"no such service: {name}")
    print(json.dumps(services[name]))
elif verb == "ship":
    version, folder, *flags = rest
    assert (pathlib.Path(folder) / "Dockerfile").is_file(), folder
    marks = dict(flag.lstrip("-").split("=", 1) for flag in flags if not flag.startswith("--env="))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    copy = shutil.copytree(folder, state.parent / version)
    env = dict(flag.removeprefix("--env=").split("=", 1) for flag in flags if flag.startswith("--env="))
    env |= {**os.environ, "PORT": str(port), "STREAMPROOF_BIND": "127.0.0.1", "PYTHONPATH": ""}
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "service.main:app"]
    with (copy / "log").open("w") as log:
        server = subprocess.Popen(
            gunicorn, cwd=copy, env=env, stdout=log, stderr=log, start_new_session=True
        )
    with (state.parent / "pids").open("a") as pids:
        pids.write(f"{server.pid}\n")
    url = f"http://127.0.0.1:{port}"
    service = services.setdefault(name, {"url": url, "versions": []})
    made = {"name": version, "url": url, "running": True,
            "created_at": f"2026-11-30T10:00:{len(service['versions']):02}Z", **marks}
    service["versions"].insert(0, {**made, "traffic": 0.0 if service["versions"] else 1.0})
    print("shipping", file=sys.stderr)
elif verb == "route":
    for one in services[name]["versions"]:
        one["traffic"] = float(one["name"] == rest[0])
        if one["traffic"]:
            services[name]["url"] = one["url"]
elif verb == "sink":
    del services[name]
state.write_text(json.dumps(services))
"""
GCLOUD = r"""
import json, sys
words = [word for word in sys.argv[1:] if not word.startswith("-")]
answers = {
    "version": {"Google Cloud SDK": "578.0.0"},
    "projects describe": {"projectNumber": "1", "lifecycleState": "ACTIVE"},
    "billing projects": {"billingEnabled": True},
    "services list": [{"config": {"name": f"{name}.googleapis.com"}}
                      for name in ("cloudbuild", "artifactregistry", "storage")],
    "projects get-iam-policy": {"bindings": []},
    "auth list": [{"status": "ACTIVE"}],
    "logging read": [{"textPayload": "a ferry left", "resource": {"labels": {"version_id": "sp-1"}}}],
}
print(json.dumps(answers[" ".join(words[:2])]))
"""


class Kit:
    """A copy of the kit with two folders more, and the platform's tool on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.house, self.work, self.bin = folder / "house", folder / "work", folder / "bin"
        self.work.mkdir()
        self.bin.mkdir()
        for name in ("kit", "service", "deploy"):
            shutil.copytree(ROOT / name, self.house / name, ignore=shutil.ignore_patterns("__pycache__"))
        blocks = re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        for path, text in blocks:
            (self.house / path).parent.mkdir(exist_ok=True)
            (self.house / path).write_text(text)
        self.added = {path for path, _ in blocks}
        for name, source in (("harbour", HARBOUR), ("gcloud", GCLOUD)):
            script, tool = self.bin / f"{name}.py", self.bin / name
            script.write_text(source)
            # Not the script's own first line: there a path must have no space.
            tool.write_text(
                f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(script))} "$@"\n'
            )
            tool.chmod(0o755)

    def __call__(self, *arguments: str, status: int = 0) -> Any:
        """Run it; what `--json` printed as data."""
        env = {
            **os.environ,
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.house),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        ran = subprocess.run(
            [sys.executable, "-m", "kit", *arguments, "--json"],
            cwd=self.work,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == status, ran.stdout + ran.stderr
        return json.loads(ran.stdout)["data"]


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    made = Kit(tmp_path_factory.mktemp("new-platform"))
    yield made
    pids = made.bin / "pids"
    for pid in pids.read_text().split() if pids.exists() else ():
        with suppress(ProcessLookupError):
            os.killpg(int(pid), signal.SIGKILL)


def test_the_page_adds_files_to_two_new_folders_only(kit: Kit) -> None:
    assert {path.rpartition("/")[0] for path in kit.added} == {"deploy/ferry", "kit/platforms/harbour"}
    assert not any((ROOT / path).exists() for path in kit.added)


def test_it_is_told_rendered_and_measured_behind_its_front(kit: Kit) -> None:
    (target,) = kit("targets", "ferry")["targets"]
    assert (target["title"], target["in_words"]["on"]) == ("Ferry", "streamed")
    kit("render", "ferry")
    assert "CMD" in (kit.work / "build" / "ferry" / "Dockerfile").read_text()
    lanes = kit("demo", "ferry")["lanes"]
    assert {(lane["target"], lane["verdict"], lane["as_expected"]) for lane in lanes} == {
        ("ferry", "incremental", True)
    }


@pytest.mark.long
def test_it_is_deployed_shown_moved_and_removed(kit: Kit) -> None:
    deploy = ("deploy", "ferry", "--project=demo-project", "--yes")
    (line,) = kit(*deploy, "--dry-run")["commands"]
    assert line.startswith("harbour ship ferry sp-")
    (first,) = kit(*deploy)["outcomes"]
    (second,) = kit(*deploy, "--redeploy")["outcomes"]
    for outcome in (first, second):
        assert (outcome["result"], outcome["gate"]) == ("promoted", "passed"), outcome
    assert second["version"] != first["version"]
    assert second["url"] != first["url"]
    (status,) = kit("status")["targets"]
    assert (status["platform"], status["costs"]) == ("harbour", "requests")
    assert {one["name"]: one["role"] for one in status["versions"]} == {
        second["version"]: "serving",
        first["version"]: "earlier",
    }
    assert kit("rollback", "ferry", "--yes")["version"] == first["version"]
    assert kit("open", "ferry")["url"] == first["url"]
    (entry,) = kit("logs", "ferry")["lines"]
    assert "a ferry left" in entry
    (removed,) = kit("destroy", "ferry", "--yes")["targets"]
    assert removed["removed"] == ["the service ferry, 2 versions"]
    assert kit("status")["targets"] == []
