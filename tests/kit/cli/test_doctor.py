"""`kit doctor` as a person runs it; what it finds is held to in tests/kit/flows/test_doctor.py."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.config import Config
from kit.errors import Code, KitError
from kit.flows.doctor import DoctorSpec
from tests.fixtures.command import VALIDATOR, ended, start
from tests.fixtures.origin import Origin
from tests.fixtures.proxies import Nginx
from tests.fixtures.sites import OLD
from tests.fixtures.wire import Asked, Connection, Wire, events, passing, wire
from tests.kit.cli.conftest import Invoke
from tests.system.leftovers import processes_in
from tests.system.test_cli import HEAVY

SLOW = [(0.15, b"data: %d\n\n" % number) for number in range(12)]
LUMP = [(1.3, b"data: 0\n\n"), *((0.0, b"data: %d\n\n" % number) for number in range(1, 12))]
CHAT = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Why?"}], "stream": True})


@pytest.fixture
def held(origin: Origin, nginx: Nginx) -> str:
    return nginx(origin(http="h11", tokens_per_s=100), location=OLD)


def for_the_answer(seen: Wire) -> list[Asked]:
    return [one for one in seen.asked if "/proof/" not in one.target]


def test_a_stream_is_said_to_stream_and_exits_0(invoke: Invoke, origin: Origin) -> None:
    ended = invoke("doctor", origin(tokens_per_s=100))
    assert ended.status == 0, ended.err
    assert ended.out.startswith("● streamed\n")
    assert "once for its answer (POST); all else is asked of its proof" in ended.err


@pytest.mark.alone
def test_a_held_one_exits_0_with_its_cause_and_3_where_it_was_to_stream(invoke: Invoke, held: str) -> None:
    ended = invoke("doctor", held, "--arm", "off", "--json")
    assert ended.status == 0, ended.err
    VALIDATOR.validate(json.loads(ended.out))
    (cause,) = ended.data["causes"]
    assert (cause["cause"], cause["certainty"]) == ("nginx-buffers", "certain")
    assert (ended.data["verdict"], ended.data["requests"]) == ("byte-limited", 1)
    ended = invoke("doctor", held, "--arm", "off", "--expect", "incremental")
    assert ended.status == 3
    assert "proven: An nginx" in ended.out
    assert "        X-Accel-Buffering: no\n" in ended.out


@pytest.mark.alone
def test_without_a_proof_both_suspects_are_named_and_it_exits_4(invoke: Invoke) -> None:
    with wire(events(*LUMP)) as server:
        ended = invoke("doctor", f"{server.url}/chat", "--json")
        assert ended.status == 4, ended.err
        VALIDATOR.validate(json.loads(ended.out))
        named = [(one["cause"], one["certainty"]) for one in ended.data["causes"]]
        assert named == [("buffered", "possible"), ("app", "possible")]
        assert all("--direct" in one["apart"] for one in ended.data["causes"])
        assert ended.data["requests"] == len(for_the_answer(server)) == 3  # as asked, uncompressed, by Accept


def post(url: str, *more: str) -> list[str]:
    return [
        "doctor",
        f"{url}/v1/chat/completions",
        "--data",
        CHAT,
        "-H",
        "Content-Type: application/json",
        *more,
    ]


def test_a_post_is_sent_once_unless_it_may_be_repeated(invoke: Invoke) -> None:
    with wire(events(*LUMP)) as server:
        ended = invoke(*post(server.url))
        assert ended.status == 4
        assert [one.method for one in for_the_answer(server)] == ["POST"]
        assert "one request by POST" in ended.err
        assert "A POST may cost or change something, so it was not sent again." in " ".join(ended.out.split())


@pytest.mark.alone
@pytest.mark.parametrize(("most", "asked"), [(1, 1), (2, 2), (3, 3), (6, 5)])
def test_with_repeat_ok_it_is_sent_as_often_as_is_allowed(invoke: Invoke, most: int, asked: int) -> None:
    with wire(events(*LUMP)) as server:
        ended = invoke(*post(server.url, "--allow-repeat", "--max-requests", str(most), "--json"))
        assert ended.status == 4, ended.err
        assert [one.method for one in for_the_answer(server)] == ["POST"] * asked
        assert ended.data["requests"] == asked
    assert ("--max-requests allows one request" in ended.out) == (most == 1)


def test_what_it_will_cost_is_said_before_the_url_is_asked(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    told_first: list[str] = []

    class Noting(io.StringIO):
        def write(self, text: str) -> int:
            said.append(text)
            return len(text)

    answer = events(*LUMP)

    def behave(one: Connection) -> None:
        take = one.request

        def noted() -> bytes:
            request = take()
            if request.startswith(b"POST") and not told_first:
                told_first.append("".join(said))
            return request

        one.request = noted  # type: ignore[method-assign]
        answer(one)

    with wire(behave) as server:
        monkeypatch.setattr(sys, "stderr", Noting())
        invoke(*post(server.url, "--allow-repeat"))
    assert (
        "at most 6 requests by POST, two of them for 528 tokens of output at most together" in told_first[0]
    )


@pytest.mark.parametrize("where", ["file", "-"])
@pytest.mark.parametrize("as_json", [True, False])
def test_a_copied_request_is_sent_as_it_was_and_its_secrets_stay_out_of_the_output(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, as_json: bool
) -> None:
    with wire(events(*LUMP)) as server:
        copied = (
            f"curl '{server.url.replace('://', '://me:pa55w0rd@')}/chat?key=s3cret' \\\n"
            "  -H 'Authorization: Bearer s3cret' -H 'X-Mine: s3cret' -b 'id=s3cret' \\\n"
            '  --data-raw \'{"q": "s3cret"}\' --compressed'
        )
        file = tmp_path / "request.txt"
        file.write_text(copied)
        monkeypatch.setattr(sys, "stdin", io.StringIO(copied))
        ended = invoke(
            "doctor", "--from-curl", str(file) if where == "file" else "-", *(["--json"] if as_json else [])
        )
        assert ended.status == 4, ended.err
        (asked,) = for_the_answer(server)
        assert (asked.method, asked.query) == ("POST", {"key": "s3cret"})
        assert (asked.headers["x-mine"], asked.headers["cookie"]) == ("s3cret", "id=s3cret")
    for secret in ("s3cret", "pa55w0rd"):
        assert secret not in ended.out + ended.err


def test_its_secrets_stay_out_of_an_error_too(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "request.txt"
    with wire(events(status="500 Oh")) as server:
        file.write_text(f"curl '{server.url}/chat?key=s3cret' -H 'X-Mine: s3cret'")
        for more in ([], ["--json"]):
            ended = invoke("doctor", "--from-curl", str(file), *more)
            assert ended.status == 1
            assert "500" in ended.out + ended.err
            assert "s3cret" not in ended.out + ended.err


URL = "http://127.0.0.1:1"


OWN = """
[app]
module = "mine.main:app"
probe_path = "/chat"
probe_headers = {Accept = "text/event-stream"}
probe_body = {question = "Why?"}
"""
FROM_FILE = ("/chat", "POST", (("Accept", "text/event-stream"), ("content-type", "application/json")))


@pytest.mark.parametrize(
    ("options", "asked", "repeats"),
    [
        ([], (*FROM_FILE, b'{"question": "Why?"}'), True),
        (["--path", "/other"], ("/other", "GET", (), None), False),
        (["-d", "x", "--allow-repeat"], ("/", "POST", (), b"x"), True),
        (["-H", "a: b"], ("/", "GET", (("a", "b"),), None), False),
    ],
)
def test_an_app_is_asked_as_kit_toml_says_unless_an_option_says_otherwise(
    invoke: Invoke,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    asked: tuple[object, ...],
    repeats: bool,
) -> None:
    (tmp_path / "kit.toml").write_text(OWN)
    seen: list[tuple[Config, DoctorSpec]] = []

    async def examine(
        targets: object, names: object, config: Config, root: object, spec: DoctorSpec, watch: object
    ) -> None:
        seen.append((config, spec))
        raise KitError(Code.BAD_USAGE, "Enough.", "")

    monkeypatch.setattr("kit.flows.doctor_app.doctor_app", examine)
    invoke("doctor", "--app", "mine.made:create()", "--yes", *options)
    ((config, spec),) = seen
    app = config.app
    assert app is not None
    assert app.module == "mine.made:create()"
    assert (app.probe_path, app.method, app.probe_headers, app.probe_body) == asked
    assert spec.repeat_ok is repeats


def test_nobody_there_is_an_error(invoke: Invoke) -> None:
    ended = invoke("doctor", URL)
    assert (ended.status, ended.out) == (1, "")
    assert "No server answers at http://127.0.0.1:1" in ended.err


def test_where_nobody_answers_directly_that_is_said_of_the_direct_address(
    invoke: Invoke, origin: Origin
) -> None:
    ended = invoke("doctor", origin(tokens_per_s=100), "--direct", URL, "--json")
    assert (ended.status, ended.error["code"]) == (1, "unreachable")
    assert URL in ended.error["message"]
    with wire(events(*LUMP)) as server:
        ended = invoke("doctor", server.url, "--direct", URL, "--json")
        assert ended.status == 4, ended.err
        (directly,) = (one for one in ended.data["evidence"] if one["experiment"] == "the service directly")
        assert directly["saw"] == "undecided"
        assert "No server answers" in directly["said"]


def endless(one: Connection) -> None:
    one.request()
    one.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
    while True:  # until the client is gone
        one.send(b"data: more\n\n")
        time.sleep(0.05)


def says(*pieces: bytes, waits: bool = False) -> Callable[[Connection], None]:
    """A server that sends these once it is asked, and waits for more, or closes."""

    def behave(one: Connection) -> None:
        one.request()
        for piece in pieces:
            one.send(piece)
        if waits:
            one.receive()

    return behave


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        pytest.param(endless, 4, id="endless"),
        pytest.param(says(b"\x00\xff\x1b[2J" * 4096), 1, id="rubbish"),
        pytest.param(says(), 1, id="closes"),
        pytest.param(says(waits=True), 1, id="silent"),
        pytest.param(says(HEAD, b"content-length: 99\r\n\r\ndata: 1\n\n"), 4, id="cut"),
        pytest.param(
            says(HEAD, b"content-encoding: gzip\r\ncontent-length: 9\r\n\r\ndata: 1\n\n"),
            4,
            id="not zipped",
        ),
    ],
)
def test_whatever_a_server_does_it_ends_in_time_and_in_a_sentence(
    invoke: Invoke, behaviour: Callable[[Connection], None], status: int
) -> None:
    with wire(behaviour) as server:
        ended = invoke("doctor", server.url, "--timeout", "2", "--max-requests", "2", "--json")
        assert ended.status == status, (ended.out, ended.err)
        VALIDATOR.validate(json.loads(ended.out))
        assert "\x1b" not in ended.out + ended.err
        assert "Something in the kit" not in ended.out
        assert server.closed()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("by", ["proof", "answers"])
def test_interrupted_in_the_middle_it_exits_130_and_leaves_nothing(
    origin: Origin, tmp_path: Path, by: str, number: signal.Signals
) -> None:
    behaviour = passing(origin(tokens_per_s=5)) if by == "proof" else endless
    with wire(behaviour) as server:
        process = start(tmp_path, "doctor", server.url)
        try:
            answering = threading.Event()
            for _ in range(3_000):
                if any(one.path in ("/", "/search") and one.answered for one in server.asked):
                    break
                answering.wait(0.01)
            assert process.poll() is None
            process.send_signal(number)
            status, out, err = ended(process, 30)
        finally:
            process.kill()
            process.wait()
        assert (status, out) == (130, "")
        assert err.endswith("interrupted\n")
        assert "Traceback" not in err
        assert server.closed()
    assert processes_in(tmp_path) == {}


@pytest.mark.parametrize("arguments", [["--help"], ["URL", "--json"]])
def test_it_loads_no_more_than_it_needs(arguments: list[str], tmp_path: Path) -> None:
    look = (
        "import sys\n"
        "from kit.cli import main\n"
        f"sys.argv = ['kit', 'doctor', *{arguments!r}]\n"
        "try:\n    main()\n"
        "finally:\n    print('\\n', *sys.modules, file=sys.stderr)"
    )
    with wire(events(*SLOW)) as server:
        done = subprocess.run(
            [sys.executable, "-c", look.replace("URL", server.url)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            capture_output=True,
            text=True,
            timeout=60,
        )
    # google-cloud-aiplatform's .pth file gives every Python here these two names, with nothing in them.
    typers = {"pydantic"}  # loads it by itself, for whatever verb
    loaded = {name.partition(".")[0] for name in set(done.stderr.split()) - {"google", "google.cloud"}}
    if arguments == ["--help"]:
        assert (done.returncode, (HEAVY - typers) & loaded) == (0, set())
    else:
        assert done.returncode == 4, done.stderr
        assert {"asyncio", "ssl"} <= loaded
        assert loaded & {"fastapi", "google", "starlette", "uvicorn", "jinja2", "service"} == set()


def test_a_port_that_is_taken_by_something_silent_is_timed_out(invoke: Invoke) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        ended = invoke("doctor", f"http://127.0.0.1:{port}", "--timeout", "1", "--json")
    assert (ended.status, ended.error["code"]) == (1, "timed-out")
