"""Whichever instance is asked, an answer's events come once each and in order, and its end is not missing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from service import answer_copies, problems
from service.answer_buffer import read
from service.answer_copies import CopiedAnswer, Head
from service.answer_registry import Answers
from service.app import create_app
from service.events import Began
from service.problems import Problem
from service.settings import Settings
from service.streams import OpenStreams
from tests.service.asking import GIVE_UP_S, ask
from tests.service.conftest import Serve
from tests.service.entrypoints import by_gunicorn
from tests.service.made_up_time import run_in_made_up_time
from tests.service.stores import MemoryStore
from tests.service.test_answer_buffer import DONE, Script, ended, kind, token
from tests.service.test_poll import ASYNC, pieces

ANSWER = "0123456789abcdef" * 2
NEVER_S = 3600.0


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for is not worth waiting for here."""
    monkeypatch.setattr(answer_copies, "FLUSH_S", 0.001)
    monkeypatch.setattr(answer_copies, "LOOK_S", 0.001)


def instance(store: MemoryStore, **given: Any) -> tuple[Answers, OpenStreams]:
    streams = OpenStreams(10)
    settings: dict[str, Any] = {"most": 10, "keep_s": NEVER_S, "grace_s": NEVER_S, "deadline_s": NEVER_S}
    settings["room_bytes"] = 1 << 20
    return Answers(streams, store=store, **(settings | given)), streams


async def copied(store: MemoryStore, number: int) -> None:
    """Until that many events of the answer are in the store."""
    while len(store.events[ANSWER]) < number:  # noqa: ASYNC110  # the store is polled, in life as well
        await asyncio.sleep(0.001)


async def test_another_instance_reads_what_one_writes_while_it_is_written() -> None:
    store = MemoryStore()
    one, _ = instance(store)
    other, _ = instance(store)
    script = Script()
    await one.start(script.events(), Began(), name=ANSWER)
    there = await other.find(ANSWER)
    assert there is not None
    events = read(there, -1)
    for seq in range(3):
        script.tokens(1)
        assert await anext(events) == token(seq)
    script.send(DONE)
    assert [event async for event in events] == [DONE]
    assert await there.after(3, 0) == []
    assert await there.after(1, 0) == [token(2), DONE]
    assert await (await other.find(ANSWER) or there).after(-1, 0) == [*(token(n) for n in range(3)), DONE]


def test_what_comes_together_is_copied_together_or_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_copies, "FLUSH_S", 0.05)

    async def test() -> None:
        store = MemoryStore()
        one, streams = instance(store)
        script = Script()
        script.tokens(1200)
        script.send(DONE)
        await one.start(script.events(), Began(), name=ANSWER)
        await copied(store, 1201)
        assert sum(number for _, number in store.appended) == 1201
        assert max(number for _, number in store.appended) <= answer_copies.MOST_EVENTS
        assert len(store.appended) <= 5
        while len(streams):  # noqa: ASYNC110  # its end is safe: no client has to fetch it from this process
            await asyncio.sleep(0)

    run_in_made_up_time(test(), monkeypatch)


async def test_a_name_that_another_instance_has_given_away_is_refused() -> None:
    store = MemoryStore()
    one, _ = instance(store)
    other, streams = instance(store)
    await one.start(Script().events(), Began(), name=ANSWER)
    with pytest.raises(Problem) as caught:
        await other.start(Script().events(), Began(), name=ANSWER)
    assert caught.value.status == 409
    assert len(streams) == len(other) == 0


async def test_a_silent_writer_is_taken_for_dead_and_learns_it_when_it_wakes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    one, _ = instance(store)
    script = Script()
    answer = await one.start(script.events(), Began(), name=ANSWER)
    script.tokens(2)
    await copied(store, 2)
    # As if it had been frozen for an hour: the reader's clock says so, the writer does not know.
    head = await store.head(ANSWER)
    assert head is not None
    there = CopiedAnswer(ANSWER, head, store, now_s=lambda: time.time() + 3600)
    assert await there.after(-1, 0) == [token(0), token(1)]
    [end] = await there.after(1, None)
    assert kind(end) == "writer-gone"
    assert json.loads(end.data)["retry_after_s"] == 1
    script.tokens(1)
    assert kind(await ended(answer)) == "taken-over"
    assert script.closed.is_set()


@pytest.mark.parametrize("had", [1, 2, 3, 7])
async def test_a_reader_that_had_more_than_was_copied_gets_the_end_too(had: int) -> None:
    store = MemoryStore()
    await store.create(ANSWER, 0)
    await store.append(ANSWER, 0, [token(0), token(1)])
    for _ in range(2):  # the process that finds out, and one that comes later
        there = CopiedAnswer(ANSWER, Head(0, 0, 0), store, now_s=lambda: time.time() + 3600)
        [end] = await there.after(had, None)
        assert kind(end) == "writer-gone"


def test_what_another_instance_is_asked_for_is_not_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_copies, "BEAT_S", 0.01)

    async def test() -> None:
        store = MemoryStore()
        one, _ = instance(store, grace_s=0.2)
        script = Script()
        answer = await one.start(script.events(), Began(), name=ANSWER)
        until = time.monotonic() + 0.6
        while time.monotonic() < until:
            await store.asked(ANSWER)
            await asyncio.sleep(0.001)
        assert not answer.ended
        await copied(store, 1)
        assert kind(store.events[ANSWER][0]) == "abandoned"

    run_in_made_up_time(test(), monkeypatch)


async def test_the_writer_learns_of_a_slow_reader_who_finds_something_each_time() -> None:
    store = MemoryStore()
    await store.create(ANSWER, 0)
    await store.append(ANSWER, 0, [token(0), token(1)])
    there = await instance(store)[0].find(ANSWER)
    assert there is not None
    assert await there.after(-1, 0) == [token(0), token(1)]
    assert time.time() - store.heads[ANSWER]["asked_s"] < GIVE_UP_S


async def test_a_store_that_fails_for_a_while_loses_nothing() -> None:
    store = MemoryStore()
    one, _ = instance(store)
    script = Script()
    answer = await one.start(script.events(), Began(), name=ANSWER)
    script.tokens(1)
    await copied(store, 1)
    store.fault = problems.store_unavailable("It is away.")
    script.tokens(1)
    script.send(DONE)
    assert await ended(answer) == DONE, "a reader here has it all the same"
    with pytest.raises(Problem, match="away"):
        await instance(store)[0].find(ANSWER)
    store.fault = None
    await copied(store, 3)
    assert store.events[ANSWER] == [token(0), token(1), DONE]


# Real processes, a real store


def accepted(base: str, **query: Any) -> str:
    """Where an answer can be asked for. A cold emulator may need longer than the service waits for it."""
    give_up = time.monotonic() + GIVE_UP_S
    while (answer := ask(base, headers=ASYNC, **query)).status == 503:
        answer.leave()
        assert time.monotonic() < give_up
    assert answer.status == 202
    return str(answer.headers["Location"])


def test_after_kill_9_a_client_carries_on_from_the_store(
    firestore: Settings, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_copies, "LEASE_S", 1.0)
    settings = {
        name: str(getattr(firestore, name)) for name in ("store", "firestore_project", "firestore_collection")
    }
    other = serve(create_app(firestore))
    with by_gunicorn(tmp_path / "log", first_token_ms=0, tokens_per_s=20, **settings) as service:
        whole = accepted(service.url, ai_prompt="Why?", max_output_tokens=3)
        written = pieces(service.url, whole)
        location = accepted(service.url, ai_prompt="Rivers in 2000 words.", max_output_tokens=2000)
        seen: list[dict[str, Any]] = []
        while len(seen) < 5:  # the other instance is asked, and is served by the copy
            seen += ask(other, f"/{location}", after=len(seen) - 1, wait=20).json()["events"]
        os.killpg(service.process.pid, signal.SIGKILL)  # gunicorn and its worker
        service.process.wait(GIVE_UP_S)
    assert pieces(other, whole) == written
    *rest, error = pieces(other, location, after=len(seen) - 1)
    assert [event["seq"] for event in rest] == list(range(len(seen), len(seen) + len(rest)))
    assert {event["event"] for event in rest} <= {"token"}
    assert (error["event"], error["data"]) == ("error", problems.writer_gone().body())
