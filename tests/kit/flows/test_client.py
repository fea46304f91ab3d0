"""Real clients, of each of which it is known what it does to a stream: that must be what is said of it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from pathlib import Path

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

pytestmark = pytest.mark.alone

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


def python(script: str, **how: object) -> pytest.MarkDecorator:
    """A client of a test, written in Python, or for another `command`."""
    return through(lambda origin: "", script=script, **how)


def each(*scripts: str) -> pytest.MarkDecorator:
    """A test of each of these clients."""
    return pytest.mark.parametrize(
        "number", [pytest.param(n, marks=python(s)) for n, s in enumerate(scripts)]
    )


def warned(found: Conclusion) -> list[ClientCause]:
    return [warning.cause for warning in found.warnings]


@pytest.fixture
def _httpx() -> None:
    if importlib.util.find_spec("httpx") is None:
        pytest.skip("httpx is not installed: pip install httpx")


@pytest.fixture
def _node(tool: Tool) -> None:
    tool("node")


@pytest.fixture
def _curl(tool: Tool) -> None:
    tool("curl")


# What takes longest comes first: so it is measured first.


@pytest.mark.usefixtures("_httpx")
@python(HTTPX_WHOLE)
def test_httpx_without_stream_reads_it_whole(found: Conclusion) -> None:
    assert found.cause is ClientCause.WHOLE_BODY_READER


@python(REQUESTS_WHOLE)
def test_requests_without_stream_reads_it_whole(found: Conclusion) -> None:
    assert found.cause is ClientCause.WHOLE_BODY_READER


@pytest.mark.usefixtures("_node")
@python(NODE_TEXT, command=NODE)
def test_node_reads_it_whole_with_text(found: Conclusion) -> None:
    assert found.cause is ClientCause.WHOLE_BODY_READER


@pytest.mark.usefixtures("_curl")
@python("-s", command=("curl",))
def test_curl_without_its_option_is_found(found: Conclusion) -> None:
    assert found.cause is ClientCause.CURL_NO_BUFFER
    assert not found.warnings


@pytest.mark.usefixtures("_curl")
@python("-sN", command=("curl",))
def test_curl_with_its_option_is_not_accused(found: Conclusion) -> None:
    assert found.cause is ClientCause.NO_FAULT
    assert not found.warnings


@each(URLLIB_LINES, URLLIB_READ1, TOKENS, NDJSON, ASKS_TWICE)
def test_a_python_client_that_flows_is_not_accused(number: int, found: Conclusion) -> None:
    assert found.cause is ClientCause.NO_FAULT
    assert not found.warnings


@each(URLLIB_NO_FLUSH, TOKENS_NO_FLUSH)
def test_a_print_without_flush_is_found(number: int, found: Conclusion) -> None:
    assert found.cause is ClientCause.PYTHON_STDOUT


@python(TOKENS_NO_FLUSH, env={**SHELL, "PYTHONUNBUFFERED": "1"})
def test_a_shell_that_hides_it_does_not_hide_it_from_the_report(found: Conclusion) -> None:
    assert found.cause is ClientCause.NO_FAULT
    assert warned(found) == [ClientCause.PYTHON_STDOUT]


@python(URLLIB_READ_4096)
def test_reads_of_a_fixed_size_are_found_with_it(found: Conclusion) -> None:
    assert (found.cause, found.block) == (ClientCause.READS_FIXED_SIZE, (4096, 4096))


@python(LAGGING)
def test_a_lag_of_one_event_is_found(found: Conclusion) -> None:
    assert found.cause is ClientCause.WAITS_FOR_NEXT_EVENT


@python(REQUESTS_LINES)
def test_the_lines_of_requests_are_held_where_the_body_is_not_chunked(found: Conclusion) -> None:
    assert found.cause is ClientCause.NO_FAULT
    assert warned(found) == [ClientCause.UNCHUNKED_READER]
    assert "about 512 bytes" in found.warnings[0].sentence


@pytest.mark.parametrize("script", [REQUESTS_LINES_1, REQUESTS_CONTENT_1])
def test_the_remedy_for_requests_is_one(script: str) -> None:
    argv = (sys.executable, "-c", script, "{url}")
    run, _ = asyncio.run(run_once(argv, SHELL, Setup(framing="close", sizes=True), timeout_s=60))
    assert run.trial.outcome is Outcome.FLOWS


@pytest.mark.usefixtures("_httpx")
@python(HTTPX_LINES)
def test_httpx_flows_line_by_line(found: Conclusion) -> None:
    assert found.cause is ClientCause.NO_FAULT
    assert not found.warnings


@pytest.mark.usefixtures("_httpx")
@python(HTTPX_1000)
def test_httpx_waits_for_the_size_it_was_given(found: Conclusion) -> None:
    assert (found.cause, found.block) == (ClientCause.READS_FIXED_SIZE, (1000, 1000))


@pytest.mark.usefixtures("_node")
@python(NODE_READER, command=NODE)
def test_node_flows_with_a_reader(found: Conclusion) -> None:
    assert found.cause is ClientCause.NO_FAULT
    assert not found.warnings


@pytest.mark.usefixtures("_node")
@python(NODE_DECODE, command=NODE)
def test_node_garbles_a_character_with_a_decoder_for_each_read(found: Conclusion) -> None:
    assert found.cause is ClientCause.GARBLES
    assert not found.warnings


@python(GARBLES)
def test_python_garbles_a_character_where_it_decodes_each_read(found: Conclusion) -> None:
    assert found.cause is ClientCause.GARBLES


@each(PER_READ, STRICT)
def test_a_client_that_takes_a_read_for_an_event_is_found_to_lose_events(
    number: int, found: Conclusion
) -> None:
    assert found.cause is ClientCause.LOSES_EVENTS
    assert "cut in the middle of a line" in found.sentence


@python(LIMITED_LINE)
def test_a_limit_of_a_line_is_found_between_two_sizes(found: Conclusion) -> None:
    assert found.cause is ClientCause.LONG_LINE
    assert "gives up at an event of 120,000 bytes (one of 60,000 passes)" in found.sentence


@python(READ_TIMEOUT, silences=(2.0,))
def test_a_read_timeout_is_found_with_its_time(found: Conclusion) -> None:
    assert found.cause is ClientCause.SILENCE
    assert "of silence" in found.sentence


@python(WHOLE_TIMEOUT, silences=(1.0, 2.0))
def test_a_limit_of_the_whole_time_is_no_read_timeout(found: Conclusion) -> None:
    assert found.cause is ClientCause.WHOLE_TIME


@python(STOPS_AT_204)
def test_a_client_that_asks_again_is_found_with_what_ends_it(found: Conclusion) -> None:
    assert found.cause is ClientCause.ASKS_AGAIN
    assert "a 204 ends that, a last event" in found.sentence


@pytest.mark.usefixtures("_curl")
@python('curl -sN "$0" | grep data', command=("sh", "-c"))
def test_a_filter_that_collects_its_output_is_found(found: Conclusion) -> None:
    assert found.cause is ClientCause.STDOUT_PIPE


@pytest.mark.usefixtures("_curl")
@python('curl -sN "$0" | grep --line-buffered data', command=("sh", "-c"))
def test_the_option_of_a_filter_frees_it(found: Conclusion) -> None:
    assert found.cause is ClientCause.NO_FAULT


@python(OWN_BUFFER)
def test_output_that_is_collected_on_a_terminal_too_is_found(found: Conclusion) -> None:
    assert found.cause in (ClientCause.OUTPUT_FIXED_SIZE, ClientCause.READS_FIXED_SIZE)


def test_a_command_without_a_place_for_the_url_gets_it_at_its_end(tool: Tool) -> None:
    events: list[Event] = []
    report = asyncio.run(
        examine([str(tool("curl")), "-sN"], timeout_s=60, watch=events.append, env=SHELL, silences=())
    )
    assert report.appended
    assert "No {url} in the command" in str(events[0])
    assert report.conclusion.cause is ClientCause.NO_FAULT


def test_a_client_that_fails_is_shown_with_its_last_words() -> None:
    report = ask(sys.executable, "-c", "raise SystemExit('no such model')")
    assert report.conclusion.unclear is Unclear.FAILED
    assert report.errors == ("no such model",)
    assert report.exit is Exit.INCONCLUSIVE


@python(f"{_OPEN}print(len(response.read()))")
def test_one_that_prints_nothing_of_the_stream_is_not_judged(found: Conclusion) -> None:
    assert (found.cause, found.unclear) == (ClientCause.INCONCLUSIVE, Unclear.UNRECOGNISED)


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
