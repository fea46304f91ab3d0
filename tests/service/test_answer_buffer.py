"""A kept answer always has an end, loses and doubles nothing, and needs a reader to be written or held."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import problems
from service.answer_buffer import EVENT_OVERHEAD_BYTES, KeptAnswer, read
from service.answer_registry import Answers
from service.events import Began, Event
from service.problems import Problem
from service.streams import OpenStreams
from tests.service.asking import GIVE_UP_S

NEVER_S = 3600.0
ANSWER = "0123456789abcdef" * 2
BUSY = Problem("upstream-busy", 429, "The model is busy.", "Try again.", retry_after_s=3)
DONE = Event("done", "{}")


def token(seq: int) -> Event:
    return Event("token", json.dumps({"seq": seq}))


class Script:
    """An answer's events, each let out by the test."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Event | Problem] = asyncio.Queue()
        self.closed = asyncio.Event()
        self.sent = 0

    def send(self, *events: Event | Problem) -> None:
        for event in events:
            self._events.put_nowait(event)

    def tokens(self, number: int) -> None:
        for _ in range(number):
            self.send(token(self.sent))
            self.sent += 1

    async def events(self) -> AsyncGenerator[Event]:
        try:
            while True:
                event = await self._events.get()
                if isinstance(event, Problem):
                    raise event
                yield event
                if event.name == "done":
                    return
        finally:
            self.closed.set()


def keeping(**given: Any) -> tuple[Answers, OpenStreams]:
    streams = OpenStreams(given.pop("limit", 10))
    settings: dict[str, Any] = {"most": 10, "keep_s": NEVER_S, "grace_s": NEVER_S, "deadline_s": NEVER_S}
    settings |= {"room_bytes": 1 << 20} | given
    return Answers(streams, **settings), streams


async def started(answers: Answers, script: Script, name: str | None = None) -> KeptAnswer:
    return await answers.start(script.events(), Began(), name=name)


async def begun(**given: Any) -> tuple[Script, KeptAnswer]:
    """An answer that is being written, and what lets its events out."""
    script = Script()
    return script, await started(keeping(**given)[0], script)


async def ended(answer: KeptAnswer) -> Event:
    """Its last event, as soon as it is there."""
    seq = -1
    while True:
        events = await answer.after(seq, None)
        seq += len(events)
        if not events or events[-1].name != "token":
            return (await answer.after(seq - 1, 0))[-1]


def kind(event: Event) -> str:
    assert event.name == "error"
    return str(json.loads(event.data)["type"]).rpartition(":")[2]


# Nothing lost, nothing doubled


@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 12), min_size=1, max_size=4))
def test_a_reader_that_comes_and_goes_has_each_event_once(bursts: list[int], leaves_after: list[int]) -> None:
    async def test() -> None:
        script, answer = await begun()
        got: list[Event] = []

        async def reader() -> None:
            for most in leaves_after:
                events = read(answer, len(got) - 1)
                for _ in range(most):
                    event = await anext(events, None)
                    if event is None or event.name == "done":
                        await events.aclose()
                        return
                    got.append(event)
                await events.aclose()
            got.extend([event async for event in read(answer, len(got) - 1) if event.name == "token"])

        reading = asyncio.create_task(reader())
        for burst in bursts:
            script.tokens(burst)
            await asyncio.sleep(0)
        script.send(DONE)
        await reading
        assert got == [token(seq) for seq in range(sum(bursts))]

    asyncio.run(asyncio.wait_for(test(), GIVE_UP_S))


async def test_two_readers_have_the_same_and_a_slow_one_holds_no_other() -> None:
    script, answer = await begun()
    slow = read(answer, -1)
    script.tokens(1)
    assert await anext(slow) == token(0)
    script.tokens(100)
    script.send(DONE)
    quick = [event async for event in read(answer, -1)]
    assert quick == [*(token(seq) for seq in range(101)), DONE]
    assert [event async for event in slow] == quick[1:]


async def test_an_event_just_as_a_reader_gives_up_is_not_lost() -> None:
    _, answer = await begun()
    waiting = asyncio.create_task(answer.after(-1, None))
    await asyncio.sleep(0)
    waiting.cancel()
    answer._append(token(0))
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await answer.after(-1, 0) == [token(0)]


async def test_waiting_ends_in_time_and_an_end_is_one() -> None:
    script, answer = await begun()
    with pytest.raises(TimeoutError):
        await answer.after(-1, 0)
    script.send(token(0), DONE)
    assert await ended(answer) == DONE
    assert await answer.after(1, None) == []
    with pytest.raises(Problem, match="never asked for"):
        await answer.after(2, None)


# Always an end


async def test_the_problem_it_ends_with_reaches_its_reader() -> None:
    script, answer = await begun()
    script.tokens(1)
    script.send(BUSY)
    events = read(answer, -1)
    assert await anext(events) == token(0)
    with pytest.raises(Problem) as caught:
        await anext(events)
    assert caught.value.body() == BUSY.body()
    assert script.closed.is_set()


async def test_a_deadline_ends_it_with_an_error() -> None:
    answers, _ = keeping(deadline_s=0.01)
    script = Script()
    assert kind(await ended(await started(answers, script))) == "deadline"
    assert script.closed.is_set()


@pytest.mark.parametrize("when", ["before it begins", "in its middle"])
async def test_a_process_that_must_stop_ends_it_with_an_error_that_says_to_try_again(when: str) -> None:
    answers, streams = keeping()
    script = Script()
    answer = await started(answers, script)
    if when == "in its middle":
        script.tokens(1)
        await answer.after(-1, None)
    streams.interrupt_all()
    last = await ended(answer)
    assert kind(last) == "shutting-down"
    assert json.loads(last.data)["retry_after_s"] == 1


async def test_a_process_that_must_stop_waits_for_a_client_that_asks_in_pieces_to_fetch_the_end() -> None:
    answers, streams = keeping()
    script = Script()
    answer = await started(answers, script)
    script.tokens(1)
    script.send(DONE)
    await answer.after(-1, None)
    while not answer.ended:  # noqa: ASYNC110  # until it has seen its own end
        await asyncio.sleep(0)
    over = asyncio.Event()
    streams.stop(NEVER_S, over.set)
    assert not over.is_set()
    assert await answer.after(0, 0) == [DONE]
    await over.wait()


# Not without a reader


async def test_the_grace_counts_time_without_a_reader_and_each_begins_it_anew() -> None:
    script, answer = await begun(grace_s=15)
    script.tokens(1)
    await answer.after(-1, None)
    for _ in range(14):
        answer.tick(1)
    with answer.reading():
        for _ in range(100):
            answer.tick(1)
    for _ in range(14):
        answer.tick(1)
    with pytest.raises(TimeoutError):
        await answer.after(0, 0)
    answer.tick(1)
    assert kind((await answer.after(0, None))[0]) == "abandoned"
    assert script.closed.is_set()


async def test_time_in_which_the_process_was_frozen_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, _ = keeping(grace_s=15)
    answer = await started(answers, Script())
    # However late the loop is, a step counts as a step.
    steps: list[Callable[[], None]] = []
    with monkeypatch.context() as patched:
        loop = asyncio.get_running_loop()
        patched.setattr(loop, "call_later", lambda delay, act: steps.append(act))
        answers._tick()  # an hour late
        for _ in range(13):
            steps.pop()()
    with pytest.raises(TimeoutError):
        await answer.after(-1, 0.001)
    steps.pop()()
    assert kind(await ended(answer)) == "abandoned"


async def test_without_a_reader_it_is_abandoned_in_the_end() -> None:
    answers, streams = keeping(grace_s=0.02)
    answer = await started(answers, Script())
    await answer.over.wait()
    assert answer.end() == "abandoned"
    while len(streams):  # noqa: ASYNC110  # until its task has seen it
        await asyncio.sleep(0)


# Bounded


async def test_a_name_in_use_is_refused() -> None:
    answers, _ = keeping()
    await started(answers, Script(), ANSWER)
    with pytest.raises(Problem) as caught:
        await started(answers, Script(), ANSWER)
    assert (caught.value.kind, caught.value.status) == ("answer-in-use", 409)


async def test_one_too_many_is_refused_until_one_has_ended_which_then_makes_room() -> None:
    answers, _ = keeping(most=2)
    scripts = [Script(), Script()]
    first, second = [await started(answers, script) for script in scripts]
    with pytest.raises(Problem) as caught:
        await started(answers, Script())
    assert (caught.value.status, caught.value.retry_after_s) == (503, 5)
    scripts[1].send(DONE)
    await ended(second)
    third = await started(answers, Script())
    assert await answers.find(second.name) is None
    assert await answers.find(first.name) is first
    assert await answers.find(third.name) is third


async def test_too_many_being_written_are_refused_and_nothing_is_kept_of_them() -> None:
    answers, _ = keeping(limit=1)
    await started(answers, Script())
    with pytest.raises(Problem, match="1 answers at once"):
        await started(answers, Script(), ANSWER)
    assert await answers.find(ANSWER) is None


async def test_an_answer_that_there_is_no_room_for_ends_with_that_word_and_room_is_given_back() -> None:
    room = 3 * (EVENT_OVERHEAD_BYTES + len(token(0).data))
    answers, _ = keeping(room_bytes=room, keep_s=NEVER_S)
    script, other = Script(), Script()
    answer = await started(answers, script)
    script.tokens(4)
    assert kind(await ended(answer)) == "no-room"
    assert answer.length == 4
    # What has ended makes room for what is being written.
    second = await started(answers, other)
    other.tokens(3)
    for seq in range(3):
        await second.after(seq - 1, None)
    assert await answers.find(answer.name) is None
    assert answers.size == room


async def test_an_answer_is_kept_for_its_time_after_its_end() -> None:
    answers, _ = keeping(keep_s=600)
    script = Script()
    answer = await started(answers, script)
    script.send(DONE)
    await ended(answer)
    assert await answers.find(answer.name) is answer
    assert answer.ended_s is not None
    answer.ended_s -= 601
    assert await answers.find(answer.name) is None
    assert (len(answers), answers.size) == (0, 0)


def test_an_abandoned_answers_problem_says_what_to_do() -> None:
    assert "ask anew" in problems.abandoned(15).detail
