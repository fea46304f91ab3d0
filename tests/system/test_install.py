"""Installed as a wheel, outside the checkout, the kit is whole and takes no name that is not its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.tools import Tool

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment into which the wheel was installed."""
    uv, folder = tool("uv"), tmp_path_factory.mktemp("installed")

    def run(*argv: str | Path) -> None:
        subprocess.run([uv, *argv], cwd=CHECKOUT, check=True, timeout=300)

    run("build", "--quiet", "--wheel", "--out-dir", folder)
    (wheel,) = folder.glob("streamproof-*.whl")
    run("venv", "--quiet", "--python", sys.executable, folder / "env")
    # What is tested is the wheel: the versions that go with it are the locked ones.
    lock = CHECKOUT / "locks" / "runtime.txt"
    python = folder / "env" / "bin" / "python"
    run("pip", "install", "--quiet", "--python", python, "--constraints", lock, wheel)
    return python.parent


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Run:
    return Run(installed, tmp_path)


class Run:
    """Runs programs of the installed environment from an empty folder."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        self.folder = folder

    def __call__(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def test_the_command_and_the_module_are_the_same_program(run: Run) -> None:
    assert run("kit", "--version") == run("python", "-m", "kit", "--version") != ""


def test_it_knows_its_targets(run: Run) -> None:
    document = json.loads(run("kit", "targets", "--json"))
    assert {"standard", "flex", "run", "gke"} <= {target["target"] for target in document["data"]["targets"]}


def test_it_renders_into_the_folder_where_it_is_called(run: Run) -> None:
    run("kit", "render")
    for target in ("standard", "flex", "run", "gke"):
        assert (run.folder / "build" / target / "service" / "main.py").is_file()


def test_nobody_gets_a_package_called_service(run: Run) -> None:
    for name in ("service", "deploy", "tests", "bench"):
        look = f"import importlib.util; print(importlib.util.find_spec({name!r}))"
        assert run("python", "-c", look) == "None\n"


def test_the_demo_proves_its_point_outside_the_checkout(run: Run) -> None:
    document = json.loads(run("kit", "demo", "run", "--arm", "on", "--json"))
    assert [lane["verdict"] for lane in document["data"]["lanes"]] == ["incremental"]
    assert (run.folder / "build" / "report.html").is_file()


def test_pytest_finds_the_plugin_and_the_plugin_its_proof(run: Run) -> None:
    entry = (
        "from importlib.metadata import entry_points as e; print(e(group='pytest11')['streamproof'].value)"
    )
    assert run("python", "-c", entry) == "kit.pytest_plugin\n"
    mounts = (
        "from starlette.routing import Router; from kit.lab.asgi import with_proof\n"
        "with with_proof(Router(), 'a' * 16) as (app, prefix): print(prefix is not None)"
    )
    assert run("python", "-c", mounts) == "True\n"
