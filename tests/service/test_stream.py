"""A stream begins in good time, never ends without a word, and stops when its client leaves."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable
from types import FrameType
from typing import Any

import pytest
from starlette.types import Message, Receive, Send

from service import problems
from service.app import create_app
from service.events import Began, token, written
from service.framing import Ndjson
from service.generate import Finish, Request
from service.problems import Problem
from service.settings import Settings
from service.stream import AnswerStream
from service.streams import OpenStreams
from tests.service.asking import GIVE_UP_S, ask, connected, freed, text_of
from tests.service.conftest import Answering, Scripted
from tests.service.gate import Gate
from tests.service.ways import saying

NEVER_S = 3600.0
SSE, NDJSON, TEXT = "text/event-stream", "application/x-ndjson", "text/plain"
BUSY = Problem("upstream-busy", 429, "The model is busy.", "Try again.", retry_after_s=3)


async def never() -> Message:
    """Nothing comes from the client, and it stays."""
    await asyncio.Event().wait()
    raise AssertionError


async def streamed(
    pieces: AsyncGenerator[str | Finish],
    send: Send,
    receive: Receive = never,
    *,
    heartbeat_s: float,
    deadline_s: float | None = None,
    streams: OpenStreams | None = None,
) -> None:
    """The pieces as an answer in NDJSON, without a server."""
    began = Began()
    of = written(pieces, began, token)
    room = streams or OpenStreams(1)
    stream = AnswerStream(
        of, Ndjson(), began, room, heartbeat_s=heartbeat_s, deadline_s=deadline_s, accel=True
    )
    await asyncio.wait_for(stream({"type": "http"}, receive, send), GIVE_UP_S)


# It streams


@pytest.mark.parametrize("http", ["httptools", "h11"])
def test_a_piece_is_with_the_client_before_the_next_one_exists(http: str, answering: Answering) -> None:
    gates = [Gate() for _ in range(3)]
    script = saying("0", gates[0], "1", gates[1], "2", gates[2])
    answer = ask(answering(script, http, heartbeat_s=NEVER_S), ai_prompt="Why?")
    for n, gate in enumerate(gates):
        assert answer.event().data["text"] == str(n)
        gate.open()
    assert answer.event().type == "done"


def test_a_slow_reader_gets_every_piece(answering: Answering) -> None:
    pieces = [f"{n} " + "x" * 10_000 for n in range(400)]  # more than any socket's buffers hold
    events = ask(answering(saying(*pieces), heartbeat_s=0.001), ai_prompt="Why?").events()
    assert text_of(events) == "".join(pieces)
    assert [event.data["seq"] for event in events[:-1]] == list(range(len(pieces)))
    assert events[-1].type == "done"


def test_from_the_generator_to_the_server_an_event_takes_six_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator, what numbers its pieces, two that frame them, Starlette's outermost layer, the server.

    How much time that takes hangs on the machine, and bench/streaming_cpu.py measures it.
    """
    assert (_calls(1200, monkeypatch) - _calls(200, monkeypatch)) // 1000 <= 6


def _calls(pieces: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often Python code is entered, or gone on with, while the service streams that many pieces."""
    calls = 0
    bodies: list[Message] = [{"type": "http.request"}]

    async def script(request: Request) -> AsyncGenerator[str | Finish]:
        for _ in range(pieces):
            yield "x"
        yield Finish("stop", 1, pieces)

    async def receive() -> Message:
        return bodies.pop() if bodies else await never()

    async def send(message: Message) -> None: ...

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    async def run() -> None:
        scope = {"type": "http", "method": "POST", "path": "/search", "headers": []}
        before = sys.getprofile()
        sys.setprofile(count)
        try:
            await app({**scope, "query_string": b"ai_prompt=x"}, receive, send)
        finally:
            sys.setprofile(before)

    monkeypatch.setattr("service.app.create_generator", lambda _: Scripted(script))
    app = create_app(Settings())
    asyncio.run(asyncio.wait_for(run(), GIVE_UP_S))
    return calls


# It never ends without a word


@pytest.mark.parametrize("accept", [SSE, NDJSON, TEXT])
def test_a_failure_before_the_first_piece_is_a_real_status(accept: str, answering: Answering) -> None:
    answer = ask(answering(saying(BUSY)), ai_prompt="Why?", headers={"Accept": accept})
    assert answer.status == 429
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "3"
    assert answer.json() == BUSY.body()


@pytest.mark.parametrize(
    ("failure", "problem"),
    [(BUSY, BUSY.body()), (ValueError("secret"), problems.internal().body())],
    ids=["a problem", "any other failure"],
)
def test_a_failure_in_mid_stream_is_an_error_event_with_the_next_number(
    failure: Exception, problem: dict[str, object], answering: Answering
) -> None:
    base = answering(saying("one", "two", failure))
    *tokens, error = ask(base, ai_prompt="Why?").events()
    assert [token.data["text"] for token in tokens] == ["one", "two"]
    assert (error.type, error.data) == ("error", problem)
    assert error.id == tokens[0].id.replace(".0", ".2")

    lines = ask(base, ai_prompt="Why?", headers={"Accept": NDJSON}).read().splitlines()
    assert json.loads(lines[-1]) == {"seq": 2, "event": "error", "data": problem}

    text = ask(base, ai_prompt="Why?", headers={"Accept": TEXT}).read().decode()
    assert text == f"onetwo\n[streamproof: the answer ends here: {problem['detail']}]\n"


def test_a_generator_that_stops_without_saying_so_is_not_taken_for_done(answering: Answering) -> None:
    async def script(request: Request) -> AsyncGenerator[str | Finish]:
        yield "one"

    assert [event.type for event in ask(answering(script), ai_prompt="Why?").events()] == ["token", "error"]


def test_an_answer_without_any_text_is_done(answering: Answering) -> None:
    [done] = ask(answering(saying()), ai_prompt="Why?").events()
    assert (done.type, done.id[-2:]) == ("done", ".0")


def test_at_the_deadline_the_answer_ends_with_an_error_in_each_type(answering: Answering) -> None:
    stopped: list[str] = []

    async def script(request: Request) -> AsyncGenerator[str | Finish]:
        try:
            yield "one"
            await Gate().passed()
        finally:
            stopped.append(request.prompt)

    # Long enough for the first piece to come before it, however busy the machine is.
    base = answering(script, deadline_s=2)
    sse, ndjson, text = (ask(base, ai_prompt="Why?", headers={"Accept": it}) for it in (SSE, NDJSON, TEXT))
    token, error = sse.events()
    assert (token.type, error.type) == ("token", "error")
    assert error.data == problems.deadline(2).body()
    assert [json.loads(line)["event"] for line in ndjson.read().splitlines()] == ["token", "error"]
    assert "not complete after 2 s" in text.read().decode()
    assert stopped == ["Why?"] * 3


def test_a_deadline_before_the_first_piece_is_a_real_504(answering: Answering) -> None:
    answer = ask(answering(saying(Gate()), deadline_s=0.05), ai_prompt="Why?")
    assert answer.status == 504
    assert answer.json() == problems.deadline(0.05).body()


# It fills the silence


@pytest.mark.parametrize(("accept", "beat"), [(SSE, b":\n\n"), (NDJSON, b"\n")])
def test_silence_is_filled_with_what_readers_skip(accept: str, beat: bytes, answering: Answering) -> None:
    gate = Gate()
    answer = ask(
        answering(saying("one", gate, "two"), heartbeat_s=0.02), ai_prompt="Why?", headers={"Accept": accept}
    )
    octets = b""
    for read in answer.octets():
        octets += read
        if b"one" in octets and octets.endswith(beat * 3) and b"two" not in octets:
            gate.open()
            break
    octets += answer.read()
    if accept == SSE:
        assert b"}\n\n:\n\n:\n\n" in octets
        assert octets.count(b"\nevent: ") == 3
    else:
        assert [json.loads(line)["event"] for line in octets.splitlines() if line] == ["token"] * 2 + ["done"]


@pytest.mark.parametrize("accept", [SSE, NDJSON, TEXT])
def test_a_generator_that_thinks_long_does_not_keep_the_head_back(accept: str, answering: Answering) -> None:
    gate = Gate()
    # That ask() returns at all is the proof: the generator waits for what comes after it.
    answer = ask(
        answering(saying(gate, "one"), heartbeat_s=0.02), ai_prompt="Why?", headers={"Accept": accept}
    )
    gate.open()
    assert answer.status == 200
    assert b"one" in answer.read()


def test_plain_text_has_nothing_in_it_for_the_silence(answering: Answering) -> None:
    gate = Gate()
    base = answering(saying("one", gate), heartbeat_s=0.001)
    answer = ask(base, ai_prompt="Why?", headers={"Accept": TEXT})
    beating = ask(base, ai_prompt="Why?")
    beats = b""
    while beats.count(b":\n\n") < 5:  # as many as the other has had silence for
        beats += next(beating.octets())
    gate.open()
    assert answer.read() == b"one"


async def test_nothing_is_sent_while_the_server_is_still_busy_with_the_last() -> None:
    """ASGI does not say that two may wait in `send`, and uvicorn would interleave what they write."""
    inside = 0
    most = 0
    bodies: list[bytes] = []

    async def send(message: Message) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        for _ in range(7):
            await asyncio.sleep(0)
        bodies.append(message.get("body", b""))
        inside -= 1

    async def pieces() -> AsyncGenerator[str | Finish]:
        for n in range(200):
            for _ in range(n % 9):
                await asyncio.sleep(0)
            yield str(n)
        yield Finish("stop", 1, 200)

    await streamed(pieces(), send, heartbeat_s=1e-4)
    assert most == 1
    lines = [json.loads(body) for body in bodies if body.strip()]
    assert [line["seq"] for line in lines] == list(range(201))


async def test_a_client_that_does_not_read_is_given_up_at_the_deadline() -> None:
    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    streams = OpenStreams(1)
    closed = False

    async def pieces() -> AsyncGenerator[str | Finish]:
        nonlocal closed
        try:
            while True:
                yield "x"
        finally:
            closed = True

    await streamed(pieces(), send, heartbeat_s=NEVER_S, deadline_s=0.05, streams=streams)
    assert closed
    assert len(streams) == 0


@pytest.mark.parametrize("fails", ["heartbeat", "receive"])
async def test_a_failure_in_the_silence_is_the_apps_own_and_ends_the_stream(fails: str) -> None:
    closed = False

    async def send(message: Message) -> None:
        if fails == "heartbeat" and message.get("body") == Ndjson.heartbeat:
            raise RuntimeError("a bug")

    async def receive() -> Message:
        if fails == "receive":
            raise RuntimeError("a bug")
        return await never()

    async def pieces() -> AsyncGenerator[str | Finish]:
        nonlocal closed
        try:
            yield "x"
            await asyncio.Event().wait()
        finally:
            closed = True

    with pytest.raises(RuntimeError, match="a bug"):
        await streamed(pieces(), send, receive, heartbeat_s=0.001)
    assert closed


# It stops when its client leaves


def before_the_first_piece(wire: socket.socket, working: threading.Event) -> None:
    assert working.wait(GIVE_UP_S)


def in_silence(wire: socket.socket, working: threading.Event) -> None:
    octets = b""
    while b"event: token" not in octets:
        octets += wire.recv(65_536)


@pytest.mark.parametrize("http", ["httptools", "h11"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("leave_when", [before_the_first_piece, in_silence])
def test_a_client_that_leaves_stops_the_generator_though_nothing_is_written(
    leave_when: Callable[[socket.socket, threading.Event], None],
    method: str,
    http: str,
    answering: Answering,
    record_property: Callable[[str, object], None],
) -> None:
    working, stopped = threading.Event(), threading.Event()
    stopped_at = 0.0

    async def script(request: Request) -> AsyncGenerator[str | Finish]:
        nonlocal stopped_at
        try:
            if leave_when is in_silence:
                yield "one"
            working.set()
            await Gate().passed()
        finally:
            stopped_at = time.monotonic()
            stopped.set()

    # No heartbeat whose writing could fail, and no deadline: only the client's leaving can stop it.
    with connected(answering(script, http, heartbeat_s=NEVER_S)) as wire:
        wire.sendall(
            f"{method} /search?ai_prompt=a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
        )
        leave_when(wire, working)
        left_at = time.monotonic()
    assert stopped.wait(GIVE_UP_S)
    record_property("stopped_after_ms", round((stopped_at - left_at) * 1000, 2))


def test_a_client_that_leaves_a_stream_flat_out_stops_the_generator(answering: Answering) -> None:
    stopped = threading.Event()

    async def script(request: Request) -> AsyncGenerator[str | Finish]:
        try:
            while True:
                yield "x" * 1000
                await asyncio.sleep(0)
        finally:
            stopped.set()

    answer = ask(answering(script), ai_prompt="Why?")
    answer.event()
    answer.leave()
    assert stopped.wait(GIVE_UP_S)


def test_a_client_that_left_frees_its_place_and_is_logged(answering: Answering, log_lines: list[str]) -> None:
    async def script(request: Request) -> AsyncGenerator[str | Finish]:
        yield "one"
        if request.prompt == "hold":
            await Gate().passed()
        yield Finish("stop", 1, 1)

    base = answering(script, max_streams=1, heartbeat_s=NEVER_S)
    with ask(base, ai_prompt="hold") as first:
        assert first.event().type == "token"
        with ask(base, ai_prompt="Why?") as refused:
            assert refused.status == 503
    assert freed(503, base, ai_prompt="Why?").events()[-1].type == "done"
    assert any("end=client-left events=1" in line for line in log_lines)
    assert not any("Traceback" in line for line in log_lines)
