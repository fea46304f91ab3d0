"""Real clients, of each of which it is known what it does to a stream: that must be what is said of it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kit.errors import Code, Exit, KitError
from kit.events import Event, silent
from kit.flows.client import examine
from kit.probe.client_drive import run_once
from kit.proof.client_causes import ClientCause, Unclear
from kit.proof.client_examination import Conclusion, Setup
from kit.proof.client_trial import Outcome
from kit.report.client import ClientReport
from tests.fixtures.processes import eventually, is_gone
from tests.fixtures.together import measured_by, through
from tests.fixtures.tools import Tool

pytestmark = [pytest.mark.alone, pytest.mark.heavy]  # a dozen clients side by side fill a core

C = ClientCause

NODE = ("node", "--input-type=module", "--eval")
SHELL = dict(os.environ)
SHELL.pop("PYTHONUNBUFFERED", None)

_OPEN = "import sys, urllib.request\nresponse = urllib.request.urlopen(sys.argv[1])\n"
_REQUESTS = "import sys, requests\nurl = sys.argv[1]\n"
_HTTPX = "import sys, httpx\nurl = sys.argv[1]\n"
URLLIB_LINES = f"{_OPEN}for line in response: print(line.decode(), end='', flush=True)\n"
URLLIB_READ1 = (
    f"{_OPEN}while data := response.read1(): sys.stdout.buffer.write(data); sys.stdout.buffer.flush()\n"
)
URLLIB_READ_4096 = f"{_OPEN}while data := response.read(4096): print(data.decode(), end='', flush=True)\n"
URLLIB_NO_FLUSH = f"{_OPEN}for line in response: print(line.decode(), end='')\n"
# As chat clients print: no line break until the end, which not even a terminal's line buffering frees.
TOKENS_NO_FLUSH = (
    f"import json\n{_OPEN}for line in response:\n"
    "    if line.startswith(b'data: '):\n"
    "        print(json.loads(line[6:])['choices'][0]['delta']['content'], end='')\n"
)
TOKENS = TOKENS_NO_FLUSH.replace("end=''", "end='', flush=True")
NDJSON = f"import json\n{_OPEN}for line in response: print(json.loads(line)['text'], flush=True)\n"
LAGGING = (
    f"{_OPEN}last = b''\nfor line in response:\n"
    "    if line.strip():\n"
    "        print(last.decode(), flush=True)\n"
    "        last = line\n"
    "print(last.decode())\n"
)
ASKS_TWICE = (
    f"import urllib.request, sys\nurllib.request.urlopen(sys.argv[1] + '/models').read()\n{URLLIB_LINES}"
)
REQUESTS_LINES = (
    f"{_REQUESTS}with requests.get(url, stream=True) as response:\n"
    "    for line in response.iter_lines(): print(line.decode(), flush=True)\n"
)
REQUESTS_LINES_1 = REQUESTS_LINES.replace("iter_lines()", "iter_lines(chunk_size=1)")
REQUESTS_CONTENT_1 = REQUESTS_LINES.replace("iter_lines()", "iter_content(1)").replace(
    "flush", "end='', flush"
)
REQUESTS_WHOLE = f"{_REQUESTS}print(requests.post(url, json={{}}).text)\n"
HTTPX_LINES = (
    f"{_HTTPX}with httpx.stream('POST', url, json={{'stream': True}}) as response:\n"
    "    for line in response.iter_lines(): print(line, flush=True)\n"
)
HTTPX_1000 = HTTPX_LINES.replace("iter_lines()", "iter_text(1000)").replace("flush", "end='', flush")
HTTPX_WHOLE = f"{_HTTPX}print(httpx.get(url, timeout=None).text)\n"
# Its own buffer, and no line break: neither a terminal nor the variable helps.
OWN_BUFFER = (
    "import io, sys\nout = io.BufferedWriter(io.FileIO(1, 'w'), 2048)\n"
    + TOKENS_NO_FLUSH.replace("print(", "out.write(").replace(", end='')", ".encode())")
    + "out.flush()\n"
)
READS = f"{_OPEN}while data := response.read1():\n"
PER_READ = (
    f"import json\n{READS}    for line in data.decode(errors='replace').splitlines():\n"
    "        try: print(json.loads(line.removeprefix('data: '))['text'], flush=True)\n"
    "        except ValueError: pass\n"
)
STRICT = (
    f"import json\n{READS}    for line in data.decode().split('\\n'):\n"
    "        if line.startswith('data: '): print(json.loads(line[6:])['text'], flush=True)\n"
)
GARBLES = f"{READS}    print(data.decode(errors='replace'), end='', flush=True)\n"
LIMITED_LINE = (
    f"{_OPEN}for line in response:\n"
    "    if len(line) > 100_000: raise SystemExit('line too long')\n"
    "    print(line.decode(), end='', flush=True)\n"
)
READ_TIMEOUT = URLLIB_LINES.replace("sys.argv[1]", "sys.argv[1], timeout=1")
WHOLE_TIMEOUT = f"import signal\nsignal.alarm(2)\n{URLLIB_LINES}"
STOPS_AT_204 = (
    "import sys, time, urllib.request\n"
    "while (response := urllib.request.urlopen(sys.argv[1])).status != 204:\n"
    "    for line in response: print(line.decode(), end='', flush=True)\n"
    "    time.sleep(0.1)\n"
)
NODE_READER = "for await (const data of (await fetch(process.argv[1])).body) process.stdout.write(data);"
NODE_DECODE = (
    "for await (const data of (await fetch(process.argv[1])).body)"
    " process.stdout.write(new TextDecoder().decode(data));"
)
NODE_TEXT = "console.log(await (await fetch(process.argv[1])).text());"


def ask(*argv: str, env: dict[str, str] = SHELL, timeout_s: float = 60.0) -> ClientReport:
    return asyncio.run(
        asyncio.wait_for(examine(argv, timeout_s=timeout_s, watch=silent, env=env, silences=()), timeout=150)
    )


async def measure(
    _: str,
    script: str,
    env: dict[str, str] = SHELL,
    command: tuple[str, ...] = (sys.executable, "-c"),
    silences: tuple[float, ...] = (),
) -> Conclusion:
    asking = examine((*command, script, "{url}"), timeout_s=60, watch=silent, env=env, silences=silences)
    return (await asyncio.wait_for(asking, timeout=150)).conclusion


found = measured_by(measure)


@dataclass(frozen=True)
class Known:
    """A client, and what is to be found of it.

    `script`: in Python, or for another `command`. `warned`: of these alone; None for any. `needs`: tools and
    modules.
    """

    script: str
    cause: ClientCause
    says: str = ""
    warned: tuple[ClientCause, ...] | None = None
    block: int | None = None
    needs: str = ""
    unclear: Unclear | None = None
    how: Mapping[str, Any] = field(default_factory=dict)


CURL, SH = {"command": ("curl",)}, {"command": ("sh", "-c")}
UNBUFFERED = {"env": {**SHELL, "PYTHONUNBUFFERED": "1"}}
# What takes longest comes first: so it is measured first.
CLIENTS = {
    "httpx without stream": Known(HTTPX_WHOLE, C.WHOLE_BODY_READER, needs="httpx"),
    "requests without stream": Known(REQUESTS_WHOLE, C.WHOLE_BODY_READER),
    "fetch with text()": Known(NODE_TEXT, C.WHOLE_BODY_READER, needs="node", how={"command": NODE}),
    "curl": Known("-s", C.CURL_NO_BUFFER, warned=(), needs="curl", how=CURL),
    "curl -N": Known("-sN", C.NO_FAULT, warned=(), needs="curl", how=CURL),
    "lines of urllib": Known(URLLIB_LINES, C.NO_FAULT, warned=()),
    "read1 of urllib": Known(URLLIB_READ1, C.NO_FAULT, warned=()),
    "a chat's tokens": Known(TOKENS, C.NO_FAULT, warned=()),
    "NDJSON": Known(NDJSON, C.NO_FAULT, warned=()),
    "asks for something else first": Known(ASKS_TWICE, C.NO_FAULT, warned=()),
    "prints lines without a flush": Known(URLLIB_NO_FLUSH, C.PYTHON_STDOUT),
    "prints tokens without a flush": Known(TOKENS_NO_FLUSH, C.PYTHON_STDOUT),
    "a shell that hides it": Known(TOKENS_NO_FLUSH, C.NO_FAULT, warned=(C.PYTHON_STDOUT,), how=UNBUFFERED),
    "reads of a fixed size": Known(URLLIB_READ_4096, C.READS_FIXED_SIZE, block=4096),
    "a lag of one event": Known(LAGGING, C.WAITS_FOR_NEXT_EVENT),
    "lines of requests, held where the body is not chunked": Known(
        REQUESTS_LINES, C.NO_FAULT, "about 512 bytes", warned=(C.UNCHUNKED_READER,)
    ),
    "lines of httpx": Known(HTTPX_LINES, C.NO_FAULT, warned=(), needs="httpx"),
    "a size for httpx": Known(HTTPX_1000, C.READS_FIXED_SIZE, block=1000, needs="httpx"),
    "fetch with a reader": Known(NODE_READER, C.NO_FAULT, warned=(), needs="node", how={"command": NODE}),
    "fetch with a decoder a read": Known(
        NODE_DECODE, C.GARBLES, warned=(), needs="node", how={"command": NODE}
    ),
    "decodes each read": Known(GARBLES, C.GARBLES),
    "takes a read for an event": Known(PER_READ, C.LOSES_EVENTS, "cut in the middle of a line"),
    "takes a read for an event, strictly": Known(STRICT, C.LOSES_EVENTS, "cut in the middle of a line"),
    "a limit of a line": Known(
        LIMITED_LINE, C.LONG_LINE, "gives up at an event of 120,000 bytes (one of 60,000 passes)"
    ),
    "a read timeout": Known(READ_TIMEOUT, C.SILENCE, "of silence", how={"silences": (2.0,)}),
    "a limit of the whole time": Known(WHOLE_TIMEOUT, C.WHOLE_TIME, how={"silences": (1.0, 2.0)}),
    "asks again": Known(STOPS_AT_204, C.ASKS_AGAIN, "a 204 ends that, a last event"),
    "a filter that collects": Known('curl -sN "$0" | grep data', C.STDOUT_PIPE, needs="curl", how=SH),
    "a filter that does not": Known(
        'curl -sN "$0" | grep --line-buffered data', C.NO_FAULT, needs="curl", how=SH
    ),
    "prints nothing of the stream": Known(
        f"{_OPEN}print(len(response.read()))", C.INCONCLUSIVE, unclear=Unclear.UNRECOGNISED
    ),
}


def client(script: str, **how: Any) -> pytest.MarkDecorator:
    return through(lambda origin: "", script=script, **how)


@pytest.fixture
def known(request: pytest.FixtureRequest, tool: Tool) -> Known:
    """A client of the table; without what it needs the test skips."""
    one = CLIENTS[request.param]
    if one.needs == "httpx":
        pytest.importorskip("httpx")
    elif one.needs:
        tool(one.needs)
    return one


@pytest.mark.parametrize(
    "known",
    [pytest.param(name, marks=client(one.script, **one.how)) for name, one in CLIENTS.items()],
    indirect=True,
)
def test_of_each_client_is_said_what_it_does(known: Known, found: Conclusion) -> None:
    assert (found.cause, found.unclear) == (known.cause, known.unclear)
    assert known.warned is None or tuple(one.cause for one in found.warnings) == known.warned
    assert known.block is None or found.block == (known.block, known.block)
    assert known.says in (found.warnings[0] if known.cause is C.NO_FAULT and known.says else found).sentence


@client(OWN_BUFFER)
def test_output_that_is_collected_on_a_terminal_too_is_found(found: Conclusion) -> None:
    assert found.cause in (C.OUTPUT_FIXED_SIZE, C.READS_FIXED_SIZE)


@pytest.mark.parametrize("script", [REQUESTS_LINES_1, REQUESTS_CONTENT_1])
def test_the_remedy_for_requests_is_one(script: str) -> None:
    argv = (sys.executable, "-c", script, "{url}")
    run, _ = asyncio.run(run_once(argv, SHELL, Setup(framing="close", sizes=True), timeout_s=60))
    assert run.trial.outcome is Outcome.FLOWS


def test_a_command_without_a_place_for_the_url_gets_it_at_its_end(tool: Tool) -> None:
    events: list[Event] = []
    report = asyncio.run(
        examine([str(tool("curl")), "-sN"], timeout_s=60, watch=events.append, env=SHELL, silences=())
    )
    assert report.appended
    assert "No {url} in the command" in str(events[0])
    assert report.conclusion.cause is C.NO_FAULT


def test_a_client_that_fails_is_shown_with_its_last_words() -> None:
    report = ask(sys.executable, "-c", "raise SystemExit('no such model')")
    assert report.conclusion.unclear is Unclear.FAILED
    assert report.errors == ("no such model",)
    assert report.exit is Exit.INCONCLUSIVE


def test_a_command_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(KitError, match="there is no such command") as refused:
        ask("no-such-client")
    assert (refused.value.code, refused.value.exit) == (Code.BAD_USAGE, Exit.USAGE)
    script = tmp_path / "client.py"
    script.write_text("print()")
    with pytest.raises(KitError, match="it is not executable"):
        ask(str(script))
    with pytest.raises(KitError, match="no command to examine"):
        ask()
    with pytest.raises(KitError, match="Argument list too long"):
        ask(sys.executable, "x" * 3_000_000)


def test_an_interruption_leaves_no_process(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))\n"
        "time.sleep(1000)\n"
    )
    pid = tmp_path / "pid"

    async def run() -> None:
        argv = [sys.executable, "-c", script, str(pid), "{url}"]
        examining = asyncio.create_task(examine(argv, timeout_s=60, watch=silent, env=SHELL))
        await asyncio.to_thread(eventually, lambda: pid.exists() and bool(pid.read_text()))
        examining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await examining

    asyncio.run(asyncio.wait_for(run(), timeout=60))
    eventually(lambda: is_gone(int(pid.read_text())))
