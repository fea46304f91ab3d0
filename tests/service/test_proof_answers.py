"""The proof around an app: its prefix, and the app's own answer released piece by piece."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
import threading
import time
import urllib.request
from contextlib import AsyncExitStack
from typing import Any, Self
from urllib.parse import urlencode

import pytest
from starlette.types import Receive, Scope, Send

from service import proof
from tests.service.asking import GIVE_UP_S
from tests.service.conftest import Serve

SECRET = "a-secret-of-the-team"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI app of no framework: answers with the path that it is asked for."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


@pytest.mark.parametrize("root", ["", "/behind/a/front"])
@pytest.mark.parametrize("whole_paths", [True, False])
def test_a_wrapped_app_has_all_paths_but_those_of_the_proof(root: str, whole_paths: bool) -> None:
    app = proof.wrap(echo, prefix="/deep/proof", enabled=lambda: True)

    def got(path: str) -> tuple[int, bytes]:
        scope = {
            "type": "http",
            "method": "GET",
            "path": f"{root}{path}" if whole_paths else path,
            "root_path": root,
            "query_string": b"",
            "headers": [],
        }
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        async def asked() -> None:
            await app(scope, receive, send)

        asyncio.run(asked())
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)

    status, body = got("/deep/proof/ping")
    assert (status, json.loads(body)["streamproof"]) == (200, 1)
    for path in ("/", "/ping", "/deep/proofs/ping", "/x/deep/proof/ping", "/deep"):
        assert got(path) == (200, (f"{root}{path}" if whole_paths else path).encode())


async def test_a_wrapped_app_gets_its_lifespan_and_its_sockets() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def unused(*_: Any) -> Any:
        raise AssertionError

    for kind in ("lifespan", "websocket"):
        await proof.wrap(app)({"type": kind, "path": "/proof/ping"}, unused, unused)
    assert seen == ["lifespan", "websocket"]


class Lane:
    """One request to a wrapped app, and the side requests beside it, without a server."""

    def __init__(self, app: Any, *asked: bytes, token: str | None = SECRET) -> None:
        self.app = app if isinstance(app, proof._Wrapped) else proof.wrap(app, token=SECRET)
        self.id = secrets.token_hex(16)
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        for body in asked or [b""]:
            self.heard.put_nowait(
                {"type": "http.request", "body": body, "more_body": body is not asked[-1] if asked else False}
            )
        self.out: list[Any] = []
        shown = [] if token is None else [(b"streamproof-token", token.encode())]
        self.headers = [(b"accept", b"*/*"), (b"streamproof-answer", self.id.encode()), *shown]
        self.task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        async def sent(message: Any) -> None:
            self.out.append(message)

        scope = {"type": "http", "method": "POST", "path": "/", "headers": self.headers}
        self.task = asyncio.ensure_future(self.app(scope, self.heard.get, sent))
        await settled()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})

    async def side(self, what: str, token: str = SECRET, **query: Any) -> dict[str, Any]:
        async def unused() -> Any:
            raise AssertionError

        got: list[Any] = []

        async def sent(message: Any) -> None:
            got.append(message)

        scope = {
            "type": "http",
            "method": "GET" if what == "ping" else "POST",
            "path": f"/proof/{what}",
            "query_string": urlencode({"id": self.id, **query}).encode(),
            "headers": [(b"streamproof-token", token.encode())],
        }
        await self.app(scope, unused, sent)
        body: dict[str, Any] = json.loads(got[1]["body"])
        return body

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.out)

    @property
    def ended(self) -> bool:
        return len(self.out) > 1 and not self.out[-1].get("more_body", False)


async def settled() -> None:
    """All that can run has run."""
    for _ in range(50):
        await asyncio.sleep(0)


def writes(*bodies: bytes, status: int = 200, ends: bool = False, headers: Any = ()) -> Any:
    """An app that sends these, one message each; `ends`: the last of them is the end as well."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for place, body in enumerate(bodies, 1):
            last = ends and place == len(bodies)
            await send({"type": "http.response.body", "body": body, "more_body": not last})
        if not ends:
            await send({"type": "http.response.body", "body": b""})

    return app


@pytest.mark.parametrize("ends", [True, False])
async def test_a_piece_of_an_answer_goes_when_it_is_asked_for_and_so_does_the_end(ends: bool) -> None:
    async with Lane(writes(b"one", b"", b"three", b"5", ends=ends)) as lane:
        assert (lane.body, lane.ended) == (b"one", False)
        state = await lane.side("ping")
        assert (state["known"], state["emitted"], state["octets"], state["sent"]) == (True, 1, 3, 2)
        assert (state["waits"], state["free"], state["coding"]) == ("piece", "", "")
        state = await lane.side("pass", pieces=2)
        assert (lane.body, state["emitted"], state["octets"]) == (b"onethree", 2, 8)
        state = await lane.side("pass", pieces=4)
        assert (lane.body, lane.ended) == (b"onethree5", False)
        assert (state["emitted"], state["waits"], state["ended"]) == (3, "end", False)
        state = await lane.side("end", times="on")
        await lane.task
        assert lane.ended
        assert [octets for octets, _, _ in state["times"]] == [3, 8, 9]
        assert all(0 <= sent <= gone for _, sent, gone in state["times"])
        state = await lane.side("ping")
        assert (state["known"], state["ended"], state["free"]) == (True, True, "asked")


async def test_a_pass_is_answered_once_its_pieces_are_gone() -> None:
    ready = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        await ready.wait()
        await send({"type": "http.response.body", "body": b"2", "more_body": True})
        await asyncio.Event().wait()

    async with Lane(app) as lane:
        passed = asyncio.ensure_future(lane.side("pass", pieces=2))
        await settled()
        assert not passed.done()
        ready.set()
        assert (await passed)["emitted"] == 2


@pytest.mark.parametrize("token", [None, "", "another-secret-of-sixteen", SECRET + "x"])
async def test_without_the_secret_the_answer_is_untouched(token: str | None) -> None:
    seen: list[Any] = []
    said = writes(b"one", b"two")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope["headers"], receive, send))
        await said(scope, receive, send)

    async with Lane(app, token=token) as lane:
        await lane.task
        assert (lane.body, lane.ended) == (b"onetwo", True)
        assert (await lane.side("ping"))["known"] is False
        assert (await lane.side("ping", token=token or "")).get("error") == "proof-token"
        assert seen[0][:2] == (lane.headers, lane.heard.get)


@pytest.mark.parametrize(("token", "held"), [(SECRET, True), (SECRET + "x", False), (None, False)])
async def test_the_hash_of_the_secret_is_enough_for_an_answer_in_lock_step(
    token: str | None, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMPROOF_PROOF_TOKEN_SHA256", hashlib.sha256(SECRET.encode()).hexdigest())
    monkeypatch.setenv("STREAMPROOF_PROOF_UNTIL", "99999999999")

    async with Lane(proof.wrap(writes(b"one", b"two")), token=token) as lane:
        assert lane.ended is not held


async def test_the_app_does_not_see_that_its_answer_is_held() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["headers"])
        seen.append(b"".join([(await receive())["body"] for _ in range(3)]))
        await writes(b"one", b"two")(scope, receive, send)

    async with Lane(app, b"the ", b"whole ", b"question"):
        assert seen == [[(b"accept", b"*/*")], b"the whole question"]


@pytest.mark.parametrize("listens", [True, False])
async def test_a_client_that_leaves_frees_its_answer_at_once(listens: bool) -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if listens:  # as some frameworks do while they answer
            await receive()
            ears = asyncio.ensure_future(receive())
        await writes(b"one", b"two")(scope, receive, send)
        heard.append((await ears if listens else (await receive(), await receive())[1])["type"])

    async with Lane(app) as lane:
        assert not lane.ended
        lane.heard.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(lane.task, GIVE_UP_S)
        assert (heard, (await lane.side("ping"))["free"]) == (["http.disconnect"], "left")


def test_a_client_that_is_gone_from_a_real_server_frees_its_answer(serve: Serve) -> None:
    base = serve(proof.wrap(writes(b"one", b"two"), token=SECRET))
    one, shown = secrets.token_hex(16), {"Streamproof-Token": SECRET}
    asked = urllib.request.Request(f"{base}/", headers={"Streamproof-Answer": one, **shown})
    with urllib.request.urlopen(asked) as answer:
        assert answer.read1() == b"one"
    ping = urllib.request.Request(f"{base}/proof/ping?id={one}", headers=shown)
    give_up = time.monotonic() + GIVE_UP_S
    free = ""
    while not free:
        with urllib.request.urlopen(ping) as answer:
            free = json.load(answer)["free"]
        assert time.monotonic() < give_up
    assert free == "left"


@pytest.mark.parametrize(
    ("app", "why"),
    [
        (writes(b"one", b"two", headers=[(b"Content-Length", b"6")]), "length"),
        (writes(b"onetwo", ends=True), "one piece"),
        (writes(b"one", b"two", status=404), "status"),
    ],
)
async def test_what_cannot_be_held_is_let_go_and_says_why(app: Any, why: str) -> None:
    async with Lane(app) as lane:
        await lane.task
        state = await lane.side("ping", times="on")
        assert (lane.body, state["known"], state["free"]) == (b"onetwo", True, why)
        assert state["times"][-1][0] == 6


@pytest.mark.parametrize(("limit", "why"), [("HOLD_SECONDS", "time"), ("ALONE_SECONDS", "alone")])
async def test_an_answer_is_held_no_longer(limit: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, limit, 0.02)

    async with Lane(writes(b"one", b"two")) as lane:
        await asyncio.wait_for(lane.task, GIVE_UP_S)
        assert (lane.ended, (await lane.side("ping"))["free"]) == (True, why)


async def test_a_redirected_request_is_held_where_it_ends() -> None:
    answers = iter([writes(b"", status=307), writes(b"one", b"two"), writes(b"one", b"two")])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await next(answers)(scope, receive, send)

    async with Lane(app) as before:
        await before.task
        after = Lane(before.app)
        after.id, after.headers = before.id, before.headers
        async with after:
            assert ((await after.side("ping"))["free"], after.body) == ("", b"one")
            again = Lane(before.app)
            again.headers = before.headers
            async with again:
                assert again.body == b"onetwo"


async def test_so_many_answers_are_held_and_further_ones_pass() -> None:
    async with Lane(writes(b"one", b"two")) as lane, AsyncExitStack() as stack:
        lanes = [lane]
        for _ in range(proof.ANSWERS):
            lanes.append(Lane(lane.app))
            await stack.enter_async_context(lanes[-1])
        assert [one.ended for one in lanes] == [*[False] * proof.ANSWERS, True]
        assert (await lanes[-1].side("ping"))["known"] is False
        await lane.side("end")
        lanes.append(Lane(lane.app))
        await stack.enter_async_context(lanes[-1])
        assert not lanes[-1].ended


async def test_an_app_that_keeps_its_event_loop_to_itself_is_known_by_it() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)  # the clock of the loop's turns starts
        time.sleep(2.5 * proof.BLINK_SECONDS)  # noqa: ASYNC251 (what is to be seen)
        await writes(b"one", b"two")(scope, receive, send)

    async with Lane(app) as lane:
        assert (await lane.side("ping"))["blocked_ms"] >= 1000 * proof.BLINK_SECONDS


async def test_what_an_app_began_and_left_at_work_is_named_until_it_is_done() -> None:
    go, released, tasks = asyncio.Event(), threading.Event(), list[asyncio.Future[None]]()
    loop, works = asyncio.get_running_loop(), asyncio.Event()
    before = loop.get_task_factory()

    async def feed() -> None:
        await go.wait()

    def generate() -> None:
        loop.call_soon_threadsafe(works.set)
        released.wait(GIVE_UP_S)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        tasks.extend(asyncio.create_task(one) for one in (feed(), asyncio.sleep(0)))
        tasks.append(loop.run_in_executor(None, generate))
        await writes(b"one", b"two")(scope, receive, send)

    await asyncio.to_thread(lambda: None)  # the thread that it takes is there already, and waits for work
    other = asyncio.create_task(go.wait())  # begun by no answer
    async with Lane(app) as lane:
        assert (await lane.side("ping"))["works"] == []
        await lane.side("end")
        await lane.task
        await works.wait()
        feeds, generates = (await lane.side("ping"))["works"]
        assert re.fullmatch(r".*feed \(test_proof_answers\.py:[0-9]+\)", feeds)
        assert re.fullmatch(r".*generate \(test_proof_answers\.py:[0-9]+\)", generates)
        assert loop.get_task_factory() is before
        go.set()
        released.set()
        await asyncio.gather(other, *tasks)
        assert feeds not in (await lane.side("ping"))["works"]


async def test_the_apps_own_way_to_make_a_task_is_kept() -> None:
    made: list[str] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **how: Any) -> Any:
        made.append(coro.__qualname__)
        return asyncio.Task(coro, loop=loop, **how)

    async def feed() -> None:
        pass

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.create_task(feed())
        await writes(b"one", b"two")(scope, receive, send)

    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    async with Lane(app) as lane:
        await lane.side("end")
        await lane.task
    assert any(name.endswith("feed") for name in made)
    assert loop.get_task_factory() is factory
