"""Firestore holds copies as the store in memory does that other tests use: both are asked the same."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from service.answer_copies import Store
from service.events import Event
from service.firestore import FirestoreStore, create_store
from service.problems import Problem
from service.settings import Settings, SettingsError
from tests.service.stores import MemoryStore

ANSWER, OTHER = "0123456789abcdef" * 2, "f" * 32
DONE = Event("done", '{"finish_reason":"stop"}')
Opened = Callable[[], AbstractAsyncContextManager[Store]]


def token(seq: int) -> Event:
    return Event("token", f'{{"seq":{seq},"text":"流 \\n\\u2028 {seq}"}}')


@pytest.fixture(params=["memory", "firestore"])
def opened(request: pytest.FixtureRequest) -> Opened:
    """An empty store of each kind."""

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Store]:
        if request.param == "memory":
            yield MemoryStore()
            return
        store = FirestoreStore(request.getfixturevalue("firestore"))
        yield store
        await store.close()

    return opened


async def test_what_was_added_is_what_is_found_from_any_number_on(opened: Opened) -> None:
    async with opened() as store:
        await store.create(ANSWER, 1_700_000_000_123.5)
        await store.create(OTHER, 0)
        assert await store.after(ANSWER, -1) == []
        assert await store.last(ANSWER) is None
        every = [token(0), token(1), token(2), token(3), DONE]
        for first, last in ((0, 1), (1, 4), (4, 5)):
            assert await store.append(ANSWER, first, every[first:last])
        for seq in range(-1, 5):
            assert await store.after(ANSWER, seq) == every[seq + 1 :]
        assert await store.last(ANSWER) == (4, DONE)
        assert await store.after(OTHER, -1) == []


async def test_a_name_is_taken_once_and_a_number_is(opened: Opened) -> None:
    async with opened() as store:
        await store.create(ANSWER, 0)
        with pytest.raises(Problem) as caught:
            await store.create(ANSWER, 0)
        assert caught.value.status == 409
        assert await store.append(ANSWER, 0, [token(0)])
        assert not await store.append(ANSWER, 0, [DONE])
        assert await store.after(ANSWER, -1) == [token(0)]


async def test_signs_of_life_and_of_interest_are_on_record(opened: Opened) -> None:
    async with opened() as store:
        assert await store.head(ANSWER) is None
        await store.create(ANSWER, 1_700_000_000_123.5)
        born = await store.head(ANSWER)
        assert born is not None
        assert (born.started_ms, born.asked_s) == (1_700_000_000_123.5, 0)
        await store.asked(ANSWER)
        await store.alive(ANSWER)
        head = await store.head(ANSWER)
        assert head is not None
        assert born.alive_s < head.alive_s
        assert born.alive_s < head.asked_s


async def test_what_has_been_kept_long_enough_is_not_found(firestore: Settings) -> None:
    store = FirestoreStore(firestore.model_copy(update={"keep_s": -1}))
    await store.create(ANSWER, 0)
    assert await store.head(ANSWER) is not None, "it may still be written"
    await store.append(ANSWER, 0, [DONE])
    assert await store.head(ANSWER) is None
    await store.close()


async def test_no_prompt_and_no_more_than_is_said_is_in_it(firestore: Settings) -> None:
    store = FirestoreStore(firestore)
    await store.create(ANSWER, 0)
    await store.append(ANSWER, 0, [token(0)])
    document = await store._document(ANSWER)
    fields = (await document.get()).to_dict()
    assert fields is not None
    assert set(fields) == {"started_ms", "alive_s", "asked_s", "expire_at"}
    [piece] = [piece.to_dict() async for piece in store._pieces(document).stream()]
    assert piece is not None
    assert piece.pop("expire_at") > fields["expire_at"]
    assert piece == {"first": 0, "last": 0, "events": [f"token {token(0).data}"]}
    await store.close()


async def test_an_unreachable_store_is_a_problem_with_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")

    store = FirestoreStore(Settings(store="firestore", firestore_project="my-project-42"))
    for act in (
        store.create(ANSWER, 0),
        store.head(ANSWER),
        store.after(ANSWER, -1),
        store.asked(ANSWER),
    ):
        with pytest.raises(Problem) as caught:
            await act
        assert (caught.value.kind, caught.value.status) == ("store-unavailable", 503)
        assert caught.value.retry_after_s

    await store.close()


async def test_without_credentials_it_says_how_to_get_some(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for name in ("FIRESTORE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "CLOUDSDK_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")

    with pytest.raises(Problem, match="gcloud auth application-default login"):
        await FirestoreStore(Settings(store="firestore")).head(ANSWER)


def test_without_the_package_it_says_so_and_memory_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.firestore.installed", lambda package: False)
    assert create_store(Settings()) is None
    with pytest.raises(SettingsError, match="google-cloud-firestore must be installed"):
        create_store(Settings(store="firestore"))
