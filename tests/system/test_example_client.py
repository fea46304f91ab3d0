"""The article's client against the lab: the same lines everywhere, one by one or all at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.command import ended, first_line, start

CLIENT = Path(__file__).parents[2] / "examples" / "client.py"
PROMPT = "Why does a streamed answer sometimes arrive all at once?"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The three lanes' addresses."""
    process = start(tmp_path, "lab", "--json")
    yield {lane["target"]: lane["url"] for lane in first_line(process)["lanes"]}
    process.send_signal(signal.SIGINT)
    assert ended(process).status == 130


def printed(url: str) -> list[tuple[float, str]]:
    """What the client prints, and when each line came (seconds since it was started)."""
    started = time.monotonic()
    client = subprocess.Popen(
        [sys.executable, str(CLIENT), url, PROMPT],
        env={**os.environ, "TOKEN": "not-checked-here"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdout is not None
    lines = [(time.monotonic() - started, line) for line in client.stdout]
    assert client.wait(timeout=60) == 0
    return lines


@pytest.mark.alone
@pytest.mark.heavy
def test_it_prints_the_same_lines_everywhere_one_by_one_only_where_the_platform_streams(
    lab: dict[str, str],
) -> None:
    outputs = {name: printed(url) for name, url in lab.items()}
    texts = {name: [line for _, line in lines] for name, lines in outputs.items()}
    assert texts["standard"] == texts["flex"] == texts["run"] == texts["gke"]
    assert len(texts["run"]) >= 4
    assert all(line.endswith("\n") for line in texts["run"])
    spread = {name: lines[-1][0] - lines[0][0] for name, lines in outputs.items()}
    # The answer takes seconds to write. Where it is held, its lines come together; where it is not, they
    # come over as long as it is written.
    assert spread["standard"] < 0.2 * min(spread["flex"], spread["run"], spread["gke"])


def test_a_service_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(CLIENT), "http://127.0.0.1:1", "hi"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
