from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from kit.probe.client_drive import run_once
from kit.proof.client_causes import ClientCause
from kit.proof.client_examination import Run, Setup
from kit.proof.client_marks import PLACES
from kit.proof.client_stress import Stress
from kit.proof.client_trial import Outcome

pytestmark = pytest.mark.alone

CHECKOUT = Path(__file__).parents[3]
FLOWS = (
    "import sys, urllib.request\n"
    "for line in urllib.request.urlopen(sys.argv[1]): sys.stdout.buffer.write(line); sys.stdout.flush()\n"
)


def drive(
    script: str,
    *arguments: str,
    setup: Setup | None = None,
    env: Mapping[str, str] = os.environ,
    timeout_s: float = 60.0,
) -> tuple[Run, str]:
    argv = [sys.executable, "-c", script, *(arguments or ["{url}"])]
    return asyncio.run(
        asyncio.wait_for(run_once(argv, env, setup or Setup(), timeout_s=timeout_s), timeout=120)
    )


@pytest.mark.parametrize(
    "setup",
    [
        Setup(),
        Setup(terminal=True),
        Setup(media="ndjson"),
        Setup(media="text", framing="close"),
        Setup(framing="http10", sizes=True),
        Setup(stress=Stress.SPLIT, places=PLACES["sse"]),
        Setup(media="ndjson", framing="close", stress=Stress.SPLIT, places=PLACES["ndjson"]),
        Setup(stress=Stress.LARGE),
        Setup(stress=Stress.SILENT, seconds=(0.2, 0.1)),
        Setup(stress=Stress.ENDED),
    ],
    ids=lambda setup: f"{setup}, {setup.stress}",
)
def test_a_client_that_flows_flows_in_every_setup(setup: Setup) -> None:
    run, _ = drive(FLOWS, setup=setup)
    assert run.trial.outcome is Outcome.FLOWS
    assert run.requests == 1
    assert run.status == (0 if setup.stress in (None, Stress.ENDED) else None)  # else it is not waited for


def test_a_client_that_asks_again_has_left_the_stream_that_is_looked_at() -> None:
    script = (
        "import sys, urllib.request\n"
        "while True:\n"
        "    try:\n"
        "        for line in urllib.request.urlopen(sys.argv[1], timeout=0.3): print(line, flush=True)\n"
        "    except OSError: pass\n"
    )
    run, _ = drive(script, setup=Setup(stress=Stress.SILENT, seconds=(10.0,)))
    assert [wrong.cause for wrong in run.trial.wrong] == [ClientCause.SILENCE]
    assert run.trial.lived_ms is not None
    assert run.trial.lived_ms < 10_000  # not only when the next event came
    assert run.requests >= 2


def test_the_url_stands_where_it_was_asked_for_and_in_the_environment() -> None:
    script = (
        "import os, sys\n"
        "assert sys.argv[1] == '--base=' + os.environ['STREAMPROOF_URL'] + '/v1', sys.argv\n"
        "assert os.environ['PYTHONUNBUFFERED'] == '1'\n"
        "assert '127.0.0.1' in os.environ['no_proxy']\n"
        "sys.exit('all is well')\n"
    )
    run, errors = drive(script, "--base={url}/v1", setup=Setup(unbuffered=True))
    assert errors.strip() == "all is well"
    assert run.trial.outcome is Outcome.NEVER_ASKED


def test_a_proxy_that_the_shell_names_is_not_asked() -> None:
    run, _ = drive(FLOWS, env={**os.environ, "http_proxy": "http://127.0.0.1:9"})
    assert run.trial.outcome is Outcome.FLOWS


def test_the_end_of_what_a_client_says_when_it_fails_is_kept() -> None:
    run, errors = drive("import sys, time; sys.exit('no such model')")
    assert (run.trial.outcome, run.status) == (Outcome.NEVER_ASKED, 1)
    assert "no such model" in errors


def test_one_that_never_asks_is_not_waited_for_beyond_its_timeout() -> None:
    run, _ = drive("import time; time.sleep(1000)", timeout_s=0.5)
    assert run.trial.outcome is Outcome.NEVER_ASKED
    assert run.status is None


def test_one_that_speaks_something_else_is_recognised() -> None:
    script = (
        "import socket, sys, urllib.parse\n"
        "url = urllib.parse.urlsplit(sys.argv[1])\n"
        "with socket.create_connection((url.hostname, url.port)) as server:\n"
        "    server.sendall(b'\\x16\\x03\\x01\\r\\n\\r\\n'); server.recv(100)\n"
    )
    run, _ = drive(script)
    assert run.trial.outcome is Outcome.NEVER_ASKED
    assert run.no_http


def test_one_that_floods_its_output_is_still_judged() -> None:
    script = (
        "import sys, urllib.request\n"
        "for line in urllib.request.urlopen(sys.argv[1]):\n"
        "    sys.stdout.buffer.write(b'#' * 3_000_000 + line); sys.stdout.flush()\n"
    )
    run, _ = drive(script)
    assert run.trial.outcome is Outcome.FLOWS
