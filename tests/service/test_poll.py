"""An answer asked for in pieces is the answer that would have been streamed, whatever the pieces."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from service import problems
from service.generate import Finish, Request
from service.problems import Problem
from tests.service.asking import ask, ask_json, connected, freed, problem
from tests.service.conftest import Answering
from tests.service.gate import Gate
from tests.service.ways import saying

NEVER_S = 3600.0
ANSWER = "0123456789abcdef" * 2
ASYNC = {"Prefer": "respond-async"}


def pieces(base: str, location: str, after: int = -1, wait: float = 30) -> list[dict[str, Any]]:
    """All events after that number, fetched as a client does."""
    events: list[dict[str, Any]] = []
    while True:
        answer = ask(base, f"/{location}", after=after, wait=wait)
        assert answer.status == 200
        piece = answer.json()
        assert [event["seq"] for event in piece["events"]] == list(
            range(after + 1, after + 1 + len(piece["events"]))
        )
        events += piece["events"]
        after += len(piece["events"])
        if piece["done"]:
            return events


async def two_words(request: Request) -> AsyncGenerator[str | Finish]:
    yield "one "
    yield "two"
    yield Finish("stop", 1, 2)


def test_what_is_asked_for_in_pieces_is_what_is_streamed(quick: str) -> None:
    accepted = ask(quick, ai_prompt="Why?", seed=7, headers=ASYNC)
    assert accepted.status == 202
    assert accepted.headers["Preference-Applied"] == "respond-async"
    assert accepted.headers["Cache-Control"] == "no-store"
    location = accepted.headers["Location"]
    assert re.fullmatch("search/[0-9a-f]{32}", location)
    assert accepted.json() == {"events": [], "done": False}

    events = pieces(quick, location)
    streamed = ask(quick, ai_prompt="Why?", seed=7).events()
    assert [(event["event"], event["data"].get("text")) for event in events] == [
        (event.type, event.data.get("text")) for event in streamed
    ]
    assert events[-1]["data"] == streamed[-1].data
    # It stays: a client whose piece was lost asks for it again.
    assert pieces(quick, location, after=2) == events[3:]
    assert pieces(quick, location, after=len(events) - 1) == []


@pytest.mark.parametrize(
    ("prefer", "status"),
    [
        ("respond-async", 202),
        ("handling=lenient, Respond-Async; x=1", 202),
        ("respond-asynchronously", 200),
        ("wait=10", 200),
    ],
)
def test_the_preference_is_read_as_rfc_7240_writes_it(quick: str, prefer: str, status: int) -> None:
    assert ask(quick, ai_prompt="Why?", headers={"Prefer": prefer}).status == status


def test_who_asks_for_pieces_need_not_accept_a_stream(quick: str) -> None:
    asked = ask(quick, ai_prompt="Why?", headers={**ASYNC, "Accept": "application/json"})
    assert (asked.status, asked.json()) == (202, {"events": [], "done": False})
    assert ask(quick, ai_prompt="Why?", headers={"Accept": "application/json"}).status == 406


def test_a_piece_comes_with_its_event_and_is_empty_without(answering: Answering) -> None:
    gate = Gate()

    base = answering(saying("one", gate, "two"))
    accepted = ask(base, ai_prompt="Why?", headers=ASYNC)
    where = f"/{accepted.headers['Location']}"
    first = ask(base, where, after=-1, wait=30)
    assert first.headers["Streamproof-Started-Ms"] == accepted.headers["Streamproof-Started-Ms"]
    assert re.fullmatch(r"wait;dur=\d+\.\d", first.headers["Server-Timing"])
    [event] = first.json()["events"]
    assert (event["seq"], event["event"], event["data"]["text"]) == (0, "token", "one")
    for wait in (0, 0.01):
        empty = ask(base, where, after=0, wait=wait).json()
        assert empty == {"events": [], "done": False, "readers": 0}
    gate.open()
    assert [event["event"] for event in pieces(base, where[1:], after=0)] == ["token", "done"]


def test_an_answer_that_fails_ends_with_its_problem(answering: Answering) -> None:
    busy = Problem("upstream-busy", 429, "The model is busy.", "Try again.", retry_after_s=3)

    async def script(request: Request) -> AsyncGenerator[str | Finish]:
        if request.prompt == "early":
            raise busy
        yield "one"
        raise ValueError("secret")

    base = answering(script)
    for prompt, events in {
        "early": [(0, "error", busy.body())],
        "late": [(1, "error", problems.internal().body())],
    }.items():
        location = ask(base, ai_prompt=prompt, headers=ASYNC).headers["Location"]
        found = pieces(base, location)
        assert [(e["seq"], e["event"], e["data"]) for e in found][-1:] == events


def test_more_than_may_read_at_once_are_refused(answering: Answering) -> None:
    gate = Gate()

    base = answering(saying(gate), max_streams=1)
    where = f"/{ask(base, ai_prompt='Why?', headers=ASYNC).headers['Location']}"

    waiting = [threading.Thread(target=lambda: freed(503, base, where, wait=30).read()) for _ in range(3)]
    for one in waiting:
        one.start()
    while (refused := ask(base, where, wait=0)).status == 200:
        refused.leave()
    assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
    gate.open()
    for one in waiting:
        one.join()
    assert freed(503, base, where, wait=0).json()["done"]


def test_a_client_that_leaves_while_it_waits_frees_its_place(answering: Answering) -> None:
    stopped = threading.Event()

    base = answering(saying(Gate(), stopped=stopped), leave_grace_s=0.2)
    location = ask(base, ai_prompt="Why?", headers=ASYNC).headers["Location"]
    with connected(base) as wire:
        wire.sendall(f"GET /{location}?wait=30 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert stopped.wait(20)  # and not after half a minute: no client reads any more
    assert [event["event"] for event in pieces(base, location)] == ["error"]


def test_an_answer_that_no_client_asks_for_is_stopped(answering: Answering) -> None:
    stopped = threading.Event()

    base = answering(saying("one", Gate(), stopped=stopped), leave_grace_s=0.05, heartbeat_s=NEVER_S)
    location = ask(base, ai_prompt="Why?", headers=ASYNC).headers["Location"]
    assert stopped.wait(60)
    assert [event["event"] for event in pieces(base, location)] == ["token", "error"]


@pytest.mark.parametrize(
    ("path", "query", "status", "kind"),
    [
        (ANSWER, {}, 410, "answer-gone"),
        (ANSWER.upper(), {}, 404, "not-an-answer"),
        ("x", {}, 404, "not-an-answer"),
        (ANSWER, {"after": "-2"}, 422, "bad-parameter"),
        (ANSWER, {"after": "1.5"}, 422, "bad-parameter"),
        (ANSWER, {"wait": "31"}, 422, "bad-parameter"),
        (ANSWER, {"wait": "nan"}, 422, "bad-parameter"),
        (ANSWER, {"since": "1"}, 422, "unknown-parameter"),
    ],
)
def test_an_unanswerable_question_says_why(
    quick: str, path: str, query: dict[str, Any], status: int, kind: str
) -> None:
    problem(ask(quick, f"/search/{path}", **query), status, kind)


# A stream that its client has named


def test_a_named_stream_can_be_asked_how_far_it_is_and_be_gone_on_with(answering: Answering) -> None:
    gate = Gate()

    base = answering(saying("one", gate, "two"))
    stream = ask_json(base, {"ai_prompt": "Why?", "answer": ANSWER})
    first = stream.event()
    assert first.id == f"{ANSWER}.0"
    piece = ask(base, f"/search/{ANSWER}").json()
    assert piece == {
        "events": [{"seq": 0, "event": "token", "data": first.data}],
        "done": False,
        "readers": 1,
    }
    taken = ask(base, ai_prompt="Why?", answer=ANSWER)
    assert (taken.status, taken.json()["parameter"]) == (409, "answer")
    stream.leave()
    while ask(base, f"/search/{ANSWER}").json()["readers"]:
        pass  # until the service knows that its client has left
    gate.open()
    assert [event["event"] for event in pieces(base, f"search/{ANSWER}", after=0)] == ["token", "done"]


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/plain"])
def test_a_named_stream_may_have_any_type(accept: str, answering: Answering) -> None:
    base = answering(two_words)
    headers = {"Accept": accept}
    named = ask(base, ai_prompt="Why?", answer=ANSWER, headers=headers).read()
    other = ask(base, ai_prompt="Why?", headers=headers).read()
    assert re.sub(rb'"t_ms":\d+', b"", named) == re.sub(rb'"t_ms":\d+', b"", other)
    assert [event["event"] for event in pieces(base, f"search/{ANSWER}")] == ["token", "token", "done"]


def test_the_deadline_of_a_request_ends_its_response_and_not_the_answer(answering: Answering) -> None:
    gate = Gate()

    base = answering(saying("one", gate, "two"), deadline_s=1)
    token, error = ask(base, ai_prompt="Why?", answer=ANSWER).events()
    assert (error.type, error.id) == ("error", token.id)  # no number of its own: nothing is skipped after it
    assert error.data == problems.response_deadline(1).body()
    gate.open()
    assert [event["event"] for event in pieces(base, f"search/{ANSWER}", after=0)] == ["token", "done"]


# A stream that was interrupted


def test_a_client_that_comes_back_goes_on_where_it_stopped(answering: Answering) -> None:
    gate = Gate()

    base = answering(saying("one", "two", gate, "three"), resume=True)
    with ask(base, ai_prompt="Why?") as stream:
        first = stream.event()
        started = stream.headers["Streamproof-Started-Ms"]
    back = ask(base, ai_prompt="Why?", headers={"Last-Event-ID": first.id})
    assert back.headers["Streamproof-Started-Ms"] == started
    second = back.event()
    assert (second.id, second.data["text"]) == (first.id[:-1] + "1", "two")
    gate.open()
    third, done = back.events()
    assert (third.data["text"], done.type, done.id) == ("three", "done", first.id[:-1] + "3")
    # Also after its end; and a client that has had the end need not come again.
    again = ask(base, ai_prompt="Why?", headers={"Last-Event-ID": second.id}).events()
    assert again == [third, done]
    assert ask(base, ai_prompt="Why?", headers={"Last-Event-ID": done.id}).status == 204


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("last", [f"{ANSWER}.3", "7", "x" * 5000])
def test_coming_back_for_what_is_not_kept_is_refused(answering: Answering, resume: bool, last: str) -> None:
    base = answering(two_words, resume=resume)
    answer = ask(base, ai_prompt="Why?", headers={"Last-Event-ID": last})
    assert answer.status == 410
    assert json.loads(answer.read())["type"] == "urn:streamproof:problem:answer-gone"


def test_leaving_stops_the_generator_at_once_or_after_the_grace(answering: Answering) -> None:
    stopped = threading.Event()

    each: list[dict[str, Any]] = [{}, {"resume": True, "leave_grace_s": 0.05}]
    for settings in each:
        stopped.clear()
        base = answering(saying("one", Gate(), stopped=stopped), heartbeat_s=NEVER_S, **settings)
        with ask(base, ai_prompt="Why?") as stream:
            stream.event()
        assert stopped.wait(60)
