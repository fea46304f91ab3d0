"""A forked gcloud says and does what a started one does, and comes to the same end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.rehearsal.faults import Hang
from kit.rehearsal.plane import Plane
from tests.fixtures.gcloud import forked_gcloud
from tests.fixtures.rehearsal import GIVE_UP_S
from tests.fixtures.tools import Tool
from tests.system.leftovers import processes_in

CHECKOUT = Path(__file__).parents[1]
DESCRIBE = ("app", "describe", "--project=demo-project", "--quiet", "--format=json")


def eventually(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + GIVE_UP_S
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.02)


@pytest.mark.parametrize(
    "words",
    [
        ("meta", "list-from-json"),
        ("projects", "describe", "--bogus"),
        ("app", "services", "list", "--quiet", "--verbosity=info"),
        ("info", "--format=json(basic, config.paths.global_config_dir, config.properties, installation)"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_it_says_what_the_started_one_says_whatever_ran_before(
    tool: Tool, tmp_path: Path, words: tuple[str, ...]
) -> None:
    def ran(gcloud: Path, region: str) -> tuple[int, str, str]:
        folder = tmp_path / region
        folder.mkdir(exist_ok=True)
        env = {"CLOUDSDK_CONFIG": str(folder), "CLOUDSDK_RUN_REGION": region}
        done = subprocess.run(
            [gcloud, *words],
            cwd=folder,
            env={**os.environ, **env},
            input=f'["{region}"]',
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr

    started = tool("gcloud")
    for region in ("europe-west1", "asia-east1"):
        expected = ran(started, region)
        assert ran(forked_gcloud(), region) == expected
        assert ran(forked_gcloud(), region) == expected


@pytest.fixture
def hanging(plane: Plane, gcloud_env: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A forked gcloud in the middle of a call, in the folder `work`."""
    hang = plane.faults.hang("appengine.apps.get")
    with start([str(forked_gcloud())], gcloud_env, tmp_path, hang) as process:
        yield process
    eventually(lambda: processes_in(tmp_path / "work") == {})


def start(gcloud: list[str], env: dict[str, str], folder: Path, hang: Hang) -> subprocess.Popen[bytes]:
    (folder / "work").mkdir()
    process = subprocess.Popen(
        [*gcloud, *DESCRIBE],
        cwd=folder / "work",
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert hang.reached.wait(GIVE_UP_S)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_both_and_is_the_status(
    hanging: subprocess.Popen[bytes], number: signal.Signals
) -> None:
    hanging.send_signal(number)
    said = hanging.communicate(timeout=GIVE_UP_S)[1]
    assert hanging.returncode == -number
    assert (b"Command killed by keyboard interrupt" in said) == (number == signal.SIGINT)


def test_what_kills_the_caller_kills_the_run(hanging: subprocess.Popen[bytes]) -> None:
    hanging.kill()
    assert hanging.communicate(timeout=GIVE_UP_S)[1] == b""  # its end: no process writes there any more


def test_the_runs_end_with_the_tests(plane: Plane, gcloud_env: dict[str, str], tmp_path: Path) -> None:
    of_another = (
        "import subprocess, sys; from tests.fixtures.gcloud import forked_gcloud\n"
        "sys.exit(subprocess.run([forked_gcloud(), *sys.argv[1:]]).returncode)"
    )
    env = {**gcloud_env, "PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT)}
    hang = plane.faults.hang("appengine.apps.get")
    with start([sys.executable, "-c", of_another], env, tmp_path, hang) as tests:
        tests.kill()
        tests.communicate(timeout=GIVE_UP_S)
    eventually(lambda: processes_in(tmp_path / "work") == {})
