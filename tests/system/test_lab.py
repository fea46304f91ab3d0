"""`kit lab` as a person runs it, with the bundles that would be deployed, and all the ways it can end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fixtures.command import ended, first_line, start
from tests.fixtures.processes import eventually, frozen
from tests.system.leftovers import processes_in

Lab = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Start `kit lab` in an empty folder, in a session of its own; nothing of it may be left."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        started.append(start(tmp_path, "lab", *arguments))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()
    eventually(lambda: not processes_in(tmp_path))
    eventually(lambda: not list((tmp_path / "tmp").iterdir()))


def urls(process: subprocess.Popen[str]) -> dict[str, str]:
    """Where the lanes are, once all are ready."""
    return {lane["target"]: lane["url"] for lane in first_line(process)["lanes"]}


def get_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as response:
        return json.load(response)


def services_in(folder: Path) -> list[int]:
    """The processes of the services there, without their fronts and their supervisors."""
    others = re.compile(r"supervisor\.py|kit\.lab\.front")
    return [number for number, command in processes_in(folder).items() if not others.search(command)]


def asleep(folder: Path) -> None:
    """Return once the services there are frozen, gunicorn's worker as well as its master."""
    eventually(lambda: len(services := services_in(folder)) == 2 and all(map(frozen, services)))


def is_free(url: str) -> bool:
    """Whether no process listens there any more."""
    with socket.socket() as client:
        return client.connect_ex((urlsplit(url).hostname or "", urlsplit(url).port or 0)) != 0


def opened_stream(url: str) -> socket.socket:
    """A stream in mid-flow at that lane."""
    client = socket.create_connection((urlsplit(url).hostname or "", urlsplit(url).port or 0))
    client.sendall(b"GET /search?ai_prompt=hello HTTP/1.1\r\nHost: lab\r\n\r\n")
    return client


def test_every_bundle_runs_as_on_its_platform_behind_its_platforms_front(lab: Lab, tmp_path: Path) -> None:
    process = lab("--json")
    lanes = urls(process)
    assert list(lanes) == ["standard", "flex", "run", "gke"]
    for name, url in lanes.items():
        assert get_json(f"{url}/whoami")["target"] == name
        with urllib.request.urlopen(f"{url}/health", timeout=60) as response:
            # In front of GKE the service's own is kept.
            assert response.headers["Server"] == ("uvicorn" if name == "gke" else "Google Frontend")
            assert response.headers["Via"] == ("1.1 google" if name == "gke" else None)
    (folder,) = (tmp_path / "tmp").iterdir()
    asleep(folder / "run")
    for name in ("standard", "flex", "gke"):
        assert not any(map(frozen, services_in(folder / name)))
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 130


def test_for_a_person_it_prints_each_url_what_its_front_does_and_that_it_is_emulated(lab: Lab) -> None:
    process = lab("standard", "flex", "run", "--swap-front", "run=standard", "--swap-front", "standard=run")
    assert process.stdout is not None
    lines = [re.split(r"\s{2,}", process.stdout.readline().strip()) for _ in range(3)]
    assert [name for name, _, _ in lines] == ["standard", "flex", "run"]
    assert all(url.startswith("http://127.0.0.1:") for _, url, _ in lines)
    assert lines[0][2] == "lets everything pass; freezes the service while no request is open"
    assert lines[1][2] == "holds blocks of 64 KiB, unless the answer says X-Accel-Buffering: no"
    assert lines[2][2] == "holds the whole answer until it is complete"
    process.send_signal(signal.SIGINT)
    _, _, err = ended(process)
    assert "emulated from documentation" in err
    assert "warning: run stands behind the front of standard" in err


@pytest.mark.parametrize(
    ("number", "targets"),
    [(signal.SIGINT, ("standard", "run")), (signal.SIGTERM, ("run",)), (signal.SIGHUP, ("standard",))],
)
def test_interrupted_it_ends_with_130_and_frees_its_ports_even_with_streams_open(
    lab: Lab, number: signal.Signals, targets: tuple[str, ...]
) -> None:
    process = lab(*targets, "--json")
    lanes = urls(process)
    streams = [opened_stream(url) for url in lanes.values()]
    process.send_signal(number)
    status, out, err = ended(process)
    assert (status, out) == (130, "")
    assert "Traceback" not in err
    assert all(is_free(url) for url in lanes.values())
    for stream in streams:
        stream.close()


def test_a_second_ctrl_c_ends_it_at_once_and_as_cleanly(lab: Lab, tmp_path: Path) -> None:
    process = lab("run", "--json")
    lanes = urls(process)
    for number in services_in(tmp_path / "tmp"):
        os.kill(number, signal.SIGSTOP)  # it will not end by being asked
    process.send_signal(signal.SIGINT)
    eventually(lambda: is_free(lanes["run"]))  # the fronts are gone, the services are being stopped
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    status, _, err = ended(process)
    assert status == 130
    assert "Traceback" not in err


def test_killed_it_takes_its_services_with_it(lab: Lab, tmp_path: Path) -> None:
    process = lab("run", "--json")
    lanes = urls(process)
    get_json(f"{lanes['run']}/whoami")
    asleep(tmp_path / "tmp")
    process.kill()
    eventually(lambda: not processes_in(tmp_path / "tmp"))
    assert all(is_free(url) for url in lanes.values())


def test_a_service_that_crashes_is_told_with_its_log_and_the_others_are_stopped(
    lab: Lab, tmp_path: Path
) -> None:
    process = lab("standard", "run", "--json")
    urls(process)
    lane = next((tmp_path / "tmp").iterdir()) / "run"
    (master,) = [number for number in services_in(lane) if os.getpgid(number) == number]
    os.kill(master, signal.SIGKILL)
    status, out, err = ended(process)
    error = json.loads(out)["error"]
    assert (status, error["code"]) == (1, "service-died")
    assert error["message"].startswith("The service of run ended by SIGKILL.")
    assert "Traceback" not in err


def test_a_port_in_use_is_told_with_a_remedy(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, out, err = ended(lab("run", "--port", f"run={port}"))
    assert (status, out) == (1, "")
    assert f"error: Port {port} for run is in use." in err
    assert "--port run=PORT" in err
