"""The generator that needs no account: repeatable, paced like a model, stopped when its client leaves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.generate import Finish, Request, create_generator
from service.generate.embedded import EmbeddedGenerator
from service.settings import Settings

ASKED = Request("Why?", max_output_tokens=1024, temperature=0.2, top_p=0.8, top_k=40, seed=None)


def written(request: Request) -> tuple[list[str], Finish]:
    """All pieces that a generator without pauses writes, and how it finished."""

    async def collect() -> list[str | Finish]:
        generator = EmbeddedGenerator(first_token_ms=0, tokens_per_s=1_000_000)
        return [piece async for piece in generator.generate(request)]

    *pieces, finish = asyncio.run(collect())
    assert isinstance(finish, Finish)
    assert all(isinstance(piece, str) for piece in pieces)
    return [str(piece) for piece in pieces], finish


@given(st.text(max_size=200), st.integers(1, 200), st.none() | st.integers(-(2**63), 2**63 - 1))
def test_any_prompt_is_answered_within_max_output_tokens(prompt: str, most: int, seed: int | None) -> None:
    pieces, finish = written(replace(ASKED, prompt=prompt, max_output_tokens=most, seed=seed))
    assert 1 <= len(pieces) <= most
    assert finish.output_tokens == len(pieces)
    assert (finish.reason == "length") <= (len(pieces) == most)
    "".join(pieces).encode()


def test_a_whole_text_stops_by_itself() -> None:
    pieces, finish = written(ASKED)
    assert finish.reason == "stop"
    assert "".join(pieces).endswith("\n")


def test_a_limit_of_exactly_the_texts_length_cuts_nothing() -> None:
    whole, _ = written(ASKED)
    pieces, finish = written(replace(ASKED, max_output_tokens=len(whole)))
    assert (pieces, finish.reason) == (whole, "stop")


def test_the_same_prompt_and_seed_give_the_same_text_and_another_seed_another() -> None:
    texts = {seed: written(replace(ASKED, seed=seed))[0] for seed in range(4)}
    assert texts[2] == written(replace(ASKED, seed=2))[0]
    assert len({"".join(text) for text in texts.values()}) == 4


def test_a_shorter_answer_is_the_beginning_of_the_longer_one() -> None:
    assert written(replace(ASKED, max_output_tokens=20))[0] == written(ASKED)[0][:20]


def pace(monkeypatch: pytest.MonkeyPatch, prompt: str, count: int, lag_s: float = 0.0) -> list[float]:
    """When each token came, in seconds, by a made-up clock on which waiting costs `lag_s` extra."""
    now = 100.0
    times: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        assert seconds >= 0
        now += seconds + lag_s

    monkeypatch.setattr("service.generate.embedded.time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr("service.generate.embedded.asyncio", SimpleNamespace(sleep=sleep))

    async def collect() -> None:
        generator = EmbeddedGenerator(first_token_ms=300, tokens_per_s=30)
        async for piece in generator.generate(replace(ASKED, prompt=prompt, max_output_tokens=count)):
            if isinstance(piece, str):
                times.append(now - 100.0)

    coroutine = collect()
    with pytest.raises(StopIteration):  # nothing in it really waits
        coroutine.send(None)
    monkeypatch.undo()
    return times


def test_the_first_token_comes_in_time_and_the_rest_at_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    times = pace(monkeypatch, "Why?", 61)
    assert times[0] == pytest.approx(0.3)
    for n, time in enumerate(times):
        assert abs(time - (0.3 + n / 30)) <= 0.35 / 30 + 1e-6
    assert times == sorted(times)


def test_a_late_token_does_not_delay_those_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pace(monkeypatch, "Why?", 61, lag_s=0.005)[-1] <= 0.3 + 60 / 30 + 0.35 / 30 + 0.0051


def test_the_same_prompt_keeps_the_same_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pace(monkeypatch, "Why?", 61) == pace(monkeypatch, "Why?", 61)


async def test_closing_it_while_it_waits_ends_it_at_once() -> None:
    pieces = EmbeddedGenerator(first_token_ms=600_000, tokens_per_s=1).generate(ASKED)
    waiting = asyncio.ensure_future(anext(pieces))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)


def test_the_settings_make_the_embedded_generator_at_their_pace() -> None:
    generator = create_generator(Settings())
    assert isinstance(generator, EmbeddedGenerator)
    assert generator.name == "embedded"
