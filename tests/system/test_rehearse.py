"""`kit rehearse`, as a trainer without an account meets it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.kubernetes import may_listen_on_port_80
from tests.fixtures.tools import Tool
from tests.system.leftovers import processes_in

# Generous: two cores may be busy with something else.
DEPLOYS_WITHIN_S = 600
ENDS_WITHIN_S = 120
ROOT = Path(__file__).parents[2]


@pytest.fixture
def temporary(tmp_path: Path, tool: Tool) -> Iterator[Path]:
    """Where rehearsals put their folders; nothing of them, and no process, may be left."""
    tool("gcloud")
    folder = tmp_path / "temporary"
    folder.mkdir()
    yield folder
    assert processes_in(folder) == {}
    assert list(folder.iterdir()) == []


@contextlib.contextmanager
def rehearsing(temporary: Path, *words: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A rehearsal, ended with the block at the latest."""
    with (temporary.parent / "printed").open("w") as data, (temporary.parent / "said").open("w") as talk:
        rehearsal = subprocess.Popen(
            [sys.executable, "-m", "kit", "rehearse", *words],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(temporary), **env},
            stdin=subprocess.DEVNULL,
            stdout=data,
            stderr=talk,
            start_new_session=True,
        )
    try:
        yield rehearsal
    finally:
        if rehearsal.poll() is None:
            os.killpg(rehearsal.pid, signal.SIGINT)
            rehearsal.wait(ENDS_WITHIN_S)


def printed(temporary: Path) -> str:
    return (temporary.parent / "printed").read_text()


def place(temporary: Path) -> str:
    return (temporary.parent / "said").read_text()


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.thorough
def test_a_rehearsal_says_what_it_is_deploys_everything_and_lives_until_ctrl_c(
    temporary: Path, tool: Tool
) -> None:
    tool("kubectl")
    tool("gke-gcloud-auth-plugin")
    may_listen_on_port_80()
    with rehearsing(temporary) as rehearsal:
        give_up = time.monotonic() + DEPLOYS_WITHIN_S
        while "until you press Ctrl-C" not in place(temporary):
            assert rehearsal.poll() is None, place(temporary)
            assert time.monotonic() < give_up, place(temporary)
            time.sleep(0.1)
        assert place(temporary).startswith("A rehearsal: the real gcloud and real uploads")
        assert "the real kubectl, but an API server of the kit's own" in place(temporary)
        assert "Nothing reaches Google" in place(temporary)
        urls = set(re.findall(r"(?:Serves|Promoted): (http://127\.[\d.]+\d(?::\d+)?)", printed(temporary)))
        # Cloud Run's is private, and still says so itself.
        assert sorted(status(f"{url}/health") for url in urls) == [200, 200, 200, 403]
        os.killpg(rehearsal.pid, signal.SIGINT)
        assert rehearsal.wait(ENDS_WITHIN_S) == 0


def test_a_shell_in_a_rehearsal_has_the_kit_and_a_gcloud_that_meets_no_google(temporary: Path) -> None:
    shell = temporary.parent / "shell"
    shell.write_text(
        "#!/bin/sh\nset -e\ngcloud projects describe demo-project --format=json\nkit targets --json\n"
        'echo "${KUBECONFIG:-none}" >&2\npwd\n'
    )
    shell.chmod(0o755)
    with rehearsing(temporary, "shell", SHELL=str(shell), KUBECONFIG="/theirs") as rehearsal:
        assert rehearsal.wait(DEPLOYS_WITHIN_S) == 0, place(temporary)
    assert "/theirs" not in place(temporary)
    said = printed(temporary)
    project, end = json.JSONDecoder().raw_decode(said)
    assert project["projectId"] == "demo-project"
    assert '"standard"' in said[end:]
    assert said.splitlines()[-1].startswith(str(temporary))


def test_any_other_line_of_the_kits_may_be_rehearsed_and_keeps_its_exit_status(temporary: Path) -> None:
    with rehearsing(temporary, "targets", "nowhere") as rehearsal:
        assert rehearsal.wait(DEPLOYS_WITHIN_S) == 2
    assert "nowhere" in place(temporary)
