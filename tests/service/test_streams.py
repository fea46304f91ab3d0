"""A service that is stopped lets answers go on, then ends them with a word, and is gone in time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from service import problems
from service.problems import Problem
from service.streams import OpenStreams
from tests.service.asking import GIVE_UP_S, Answer, ask
from tests.service.entrypoints import Start, Started, by_gunicorn, by_uvicorn

ENTRYPOINTS = [pytest.param(by_gunicorn, id="gunicorn"), pytest.param(by_uvicorn, id="uvicorn")]
# 40 s at this pace: it is never done before the test is.
LONG: dict[str, Any] = {"ai_prompt": "Tell me about rivers in 2000 words.", "max_output_tokens": 2000}
PACE = {"first_token_ms": 0, "tokens_per_s": 50}


def ends_well(service: Started) -> bool:
    """Whether it ends by itself and in order; uvicorn then dies of the signal that it was stopped by."""
    return (
        service.process.wait(GIVE_UP_S) in (0, -signal.SIGTERM) and "Traceback" not in service.log.read_text()
    )


def no_longer_ready(service: Started) -> Answer:
    """The first answer of /ready that is not 200."""
    give_up = time.monotonic() + GIVE_UP_S
    while (answer := ask(service.url, "/ready")).status == 200:
        answer.leave()
        assert time.monotonic() < give_up
    return answer


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_a_stopping_service_takes_nothing_new_and_answers_on(entrypoint: Start, tmp_path: Path) -> None:
    with entrypoint(tmp_path / "log", shutdown_grace_s=300, **PACE) as service:
        answer = ask(service.url, **LONG)
        assert answer.event().type == "token"
        service.process.send_signal(signal.SIGTERM)

        not_ready = no_longer_ready(service)
        assert (not_ready.status, not_ready.headers["Retry-After"]) == (503, "1")
        assert not_ready.json() == problems.shutting_down().body()
        refused = ask(service.url, ai_prompt="Why?")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.json() == problems.shutting_down().body()
        assert ask(service.url, "/health").status == 200  # it is not ill, and not to be killed

        since = time.time() * 1000 - float(answer.headers["Streamproof-Started-Ms"])
        while (event := answer.event()).data["t_ms"] <= since:
            assert event.type == "token"
        assert event.type == "token"  # written after all of that
        answer.leave()
        assert ends_well(service)  # at once, not when five minutes are over


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_after_the_grace_an_answer_ends_with_an_error(entrypoint: Start, tmp_path: Path) -> None:
    with entrypoint(tmp_path / "log", shutdown_grace_s=0.5, **PACE) as service:
        answer = ask(service.url, **LONG)
        assert answer.event().type == "token"
        service.process.send_signal(signal.SIGTERM)
        *tokens, error = answer.events()
        assert {event.type for event in tokens} == {"token"}
        assert error.type == "error"
        assert error.data == problems.shutting_down().body()
        assert error.data["retry_after_s"] == 1
        assert ends_well(service)
        assert "end=shutting-down" in service.log.read_text()


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_an_answer_that_is_whole_within_the_grace_is_done(entrypoint: Start, tmp_path: Path) -> None:
    with entrypoint(tmp_path / "log", shutdown_grace_s=300, **PACE) as service:
        answer = ask(service.url, ai_prompt="Why?", max_output_tokens=60)
        assert answer.event().type == "token"
        service.process.send_signal(signal.SIGTERM)
        *tokens, done = answer.events()
        assert (len(tokens), done.type) == (59, "done")
        assert ends_well(service)


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_with_nothing_under_way_it_stops_at_once(entrypoint: Start, tmp_path: Path) -> None:
    with entrypoint(tmp_path / "log", shutdown_grace_s=300) as service:
        service.process.send_signal(signal.SIGTERM)
        assert ends_well(service)


@pytest.mark.parametrize(
    ("entrypoint", "number"),
    [(by_gunicorn, signal.SIGQUIT), (by_gunicorn, signal.SIGINT), (by_uvicorn, signal.SIGINT)],
)
def test_a_quick_stop_ends_answers_with_a_word(
    entrypoint: Start, number: signal.Signals, tmp_path: Path
) -> None:
    with entrypoint(tmp_path / "log", shutdown_grace_s=300, **PACE) as service:
        answer = ask(service.url, **LONG)
        assert answer.event().type == "token"
        service.process.send_signal(number)
        assert answer.events()[-1].data == problems.shutting_down().body()
        service.process.wait(GIVE_UP_S)


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_an_open_proof_does_not_hold_up_a_stop(entrypoint: Start, tmp_path: Path) -> None:
    with entrypoint(tmp_path / "log", shutdown_grace_s=300, lab=1) as service:
        answer = ask(service.url, "/proof/stream", id="a" * 32, total=5000)
        assert len(next(answer.octets())) == 200
        service.process.send_signal(signal.SIGTERM)
        assert len(answer.read()) == 4800
        assert ends_well(service)


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_a_proofs_stream_that_asked_for_it_goes_on_for_a_while_when_its_server_stops(
    entrypoint: Start, tmp_path: Path
) -> None:
    with entrypoint(tmp_path / "log", shutdown_grace_s=300, lab=1) as service:
        answer = ask(service.url, "/proof/stream", id="a" * 32, stop=2)
        assert answer.event().data["seq"] == 0
        service.process.send_signal(signal.SIGTERM)
        events = [event.data for event in answer.events()]
        assert [(data["seq"], data.get("part")) for data in events] == [(1, None), (2, None), (3, "last")]
        assert ends_well(service)


def test_of_200_open_streams_none_is_cut_without_a_word(tmp_path: Path) -> None:
    """Direct, resumable and named ones; what is done within the grace is whole."""

    async def read(port: int, body: dict[str, Any], begun: asyncio.Barrier) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sent = json.dumps({"ai_prompt": "Tell me about rivers in 2000 words.", **body}).encode()
        head = "POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
        writer.write(f"{head}Content-Length: {len(sent)}\r\n\r\n".encode() + sent)
        await reader.readuntil(b"event: token")
        await begun.wait()
        rest = (await reader.read()).decode()
        writer.close()
        return rest

    async def all_of(service: Started) -> tuple[list[str], list[str]]:
        begun = asyncio.Barrier(201)
        port = int(service.url.rpartition(":")[2])
        short = {"max_output_tokens": 20, "tokens_per_s": 20}
        names = ({"answer": f"{n:032x}"} if n % 2 else {} for n in range(200))
        bodies = [{**name, **(short if n < 100 else {"tokens_per_s": 0.1})} for n, name in enumerate(names)]
        reading = [asyncio.create_task(read(port, body, begun)) for body in bodies]
        await begun.wait()
        service.process.send_signal(signal.SIGTERM)
        ends = await asyncio.gather(*reading)
        return ends[:100], ends[100:]

    settings: dict[str, str | float] = {"shutdown_grace_s": 5, "first_token_ms": 0, "resume": "true"}
    with by_gunicorn(tmp_path / "log", **settings) as service:
        whole, interrupted = asyncio.run(asyncio.wait_for(all_of(service), GIVE_UP_S))
        assert [end.rpartition("event: ")[2].partition("\n")[0] for end in whole] == ["done"] * 100
        for end in interrupted:
            last = end.rpartition("\n\n")[0].rpartition("\n\n")[2]
            assert "retry: 1000\nevent: error\n" in last
            assert '"status":503' in last
        assert ends_well(service)


# The same without a server


class Scribe:
    """A stream that writes down why it had to end."""

    def __init__(self) -> None:
        self.endings: list[Problem] = []

    def interrupt(self, problem: Problem) -> None:
        self.endings.append(problem)


def test_streams_are_counted_while_they_are_held_and_no_longer() -> None:
    streams = OpenStreams(2)
    with streams.hold(Scribe()):
        with contextlib.suppress(ZeroDivisionError), streams.hold(Scribe()):
            assert len(streams) == 2
            raise ZeroDivisionError
        assert len(streams) == 1
    assert len(streams) == 0


def test_one_over_the_limit_is_refused_and_not_counted() -> None:
    streams = OpenStreams(1)
    with streams.hold(Scribe()):
        with pytest.raises(Problem) as refused, streams.hold(Scribe()):
            pass
        assert refused.value.kind == "too-many-streams"
        assert len(streams) == 1


async def test_stopping_without_streams_calls_back_at_once() -> None:
    stopped: list[bool] = []
    streams = OpenStreams(1)
    streams.stop(GIVE_UP_S, then=lambda: stopped.append(True))
    assert stopped == [True]
    with pytest.raises(Problem, match="shutting down"), streams.hold(Scribe()):
        pass


async def test_the_last_stream_to_end_within_the_grace_calls_back_once() -> None:
    stopped: list[bool] = []
    streams, one, other = OpenStreams(2), Scribe(), Scribe()
    with streams.hold(one):
        with streams.hold(other):
            streams.stop(GIVE_UP_S, then=lambda: stopped.append(True))
            assert stopped == []
        assert stopped == []
    assert stopped == [True]
    assert one.endings == other.endings == []


async def test_after_the_grace_every_stream_is_interrupted_or_given_up() -> None:
    given_up = asyncio.Event()
    streams, one, other = OpenStreams(2), Scribe(), Scribe()
    with streams.hold(one), streams.hold(other):
        streams.stop(0.01, then=given_up.set)
        await given_up.wait()
        assert [problem.kind for problem in one.endings + other.endings] == ["shutting-down"] * 2
        given_up.clear()
    assert not given_up.is_set()
