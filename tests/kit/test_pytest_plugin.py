"""The plugin as its users run it: pytest in a process of its own, in a folder of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest

from tests.fixtures.origin import Origin

CHECKOUT = Path(__file__).parents[2]
HEAVY = (
    "fastapi",
    "starlette",
    "uvicorn",
    "google.protobuf",
    "google.api_core",
    "grpc",
    "httpcore2",
    "h11",
    "jinja2",
    "typer",
)


class Users:
    """A user's folder with tests in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, tests: str, **env: str) -> tuple[int, str]:
        """Run them: the status, and what pytest said."""
        (self.folder / "test_mine.py").write_text(dedent(tests))
        done = subprocess.run(
            # By its module's name, as if it was not installed: which entry points there are is the machine's.
            [sys.executable, "-m", "pytest", "-p", "kit.pytest_plugin", "-rA", "--no-header", "--color=no"],
            cwd=self.folder,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(CHECKOUT), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def users(tmp_path: Path) -> Users:
    return Users(tmp_path)


def test_its_entry_point_names_it() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (name,) = project["entry-points"]["pytest11"].values()
    assert import_module(name).streamproof


def test_nothing_heavy_is_imported_before_it_is_used(users: Users) -> None:
    status, said = users.run(
        f"""
        import sys

        def test_before(streamproof):
            assert not [name for name in {HEAVY!r} if name in sys.modules]

        def test_kit_is_small_too():
            assert {{name for name in sys.modules if name.startswith("kit.")}} == {{"kit.pytest_plugin"}}
        """
    )
    assert status == 0, said


def test_real_apps_pass_and_fail_as_they_should_with_what_a_person_needs(users: Users) -> None:
    status, said = users.run(
        """
        import pytest
        from tests.fixtures.user_apps import read_first, streaming, zipped

        def test_streams(streamproof):
            lane = streamproof.assert_streams(streaming(), "/chat")
            assert lane.verdict == "incremental"

        def test_zipped(streamproof):
            streamproof.assert_streams(zipped(), "/chat", headers={"accept-encoding": "gzip"})

        def test_read_by_a_middleware(streamproof):
            streamproof.assert_streams(read_first(), "/chat")

        def test_collected(streamproof):
            streamproof.assert_streams(streaming(), "/collected")

        def test_collected_but_that_is_well(streamproof):
            lane = streamproof.assert_streams(streaming(), "/collected", may_be_inconclusive=True)
            assert lane.verdict == "inconclusive"

        def test_blocked(streamproof):
            with pytest.warns(UserWarning, match="kept its event loop to itself .*asyncio.to_thread"):
                streamproof.assert_streams(streaming(), "/blocked")

        def test_usage(streamproof):
            streamproof.assert_streams("nonsense")

        def test_two_bodies(streamproof):
            streamproof.assert_streams(streaming(), "/chat", json={}, data="x")
        """
    )
    assert status == 1, said
    outcomes = {
        line.rpartition("::")[2].split(" ")[0]: line.split(" ")[0]
        for line in said.splitlines()
        if line.startswith(("PASSED", "FAILED"))
    }
    assert outcomes == {
        "test_streams": "PASSED",
        "test_zipped": "PASSED",
        "test_read_by_a_middleware": "FAILED",
        "test_collected": "FAILED",
        "test_collected_but_that_is_well": "PASSED",
        "test_blocked": "PASSED",
        "test_usage": "FAILED",
        "test_two_bodies": "FAILED",
    }, said
    assert "/chat does not stream: buffered whole." in said
    assert "held in all, and nothing came out" in said, "the evidence"
    assert "answer-not-checked: The answer bears no send times" in said, "each doubt with its remedy"
    assert "may_be_inconclusive=True would let this pass." in said
    assert "'nonsense' is no address that can be probed." in said
    assert "TypeError: give json or data, not both" in said
    assert "kit/flows" not in said, "what is shown is the user's own line, not the kit's insides"


def test_a_url_is_measured_as_well(users: Users, origin: Origin) -> None:
    status, said = users.run(
        """
        import os

        def test_deployed(streamproof):
            lane = streamproof.assert_streams(
                os.environ["URL"], "/search", json={"ai_prompt": "Why?", "max_output_tokens": 40}
            )
            assert lane.method == "lock-step"
        """,
        URL=origin(),
    )
    assert status == 0, said


def test_pytest_loads_it_by_itself_where_the_kit_is_installed(users: Users) -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # What an installation leaves behind, before any other that this machine may have of another day.
    about = users.folder / "site" / f"{project['name']}-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0\n")
    lines = (f"{name} = {module}\n" for name, module in project["entry-points"]["pytest11"].items())
    (about / "entry_points.txt").write_text("[pytest11]\n" + "".join(lines))
    (users.folder / "test_mine.py").write_text("def test_there(streamproof):\n    assert streamproof\n")
    env = {**os.environ, "PYTHONPATH": f"{about.parent}{os.pathsep}{CHECKOUT}"}
    env.pop("PYTEST_DISABLE_PLUGIN_AUTOLOAD", None)
    for extra, status in ((), 0), (("-p", "no:streamproof"), 1):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *extra],
            cwd=users.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == status, done.stdout + done.stderr
