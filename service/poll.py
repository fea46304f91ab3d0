"""The same answer without streaming, for platforms that hold it: asked for in pieces.

Each piece is a whole small response, so it passes every front, one round trip behind the model. While one is
waited for, a request is open, and an instance that the platform freezes between requests goes on writing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service import problems
from service.access import Access
from service.answer_buffer import NAME, Kept
from service.answer_registry import Answers
from service.events import Began, Event
from service.framing import in_line
from service.parameters import PieceParameters, checked, given
from service.problems import Problem
from service.stream import STARTED, client_gone
from service.streams import OpenStreams


def create_poll(answers: Answers, streams: OpenStreams, access: Access) -> APIRouter:
    """The router of /search/ANSWER."""
    router = APIRouter()

    @router.get("/search/{answer}", response_class=Response)
    async def piece(request: Request) -> Response:
        began = Began()
        # Not declared as a parameter: FastAPI then imports what it needs to check one, 40 ms at start.
        answer: str = request.path_params["answer"]
        await access.admit(request.headers)
        asked = checked(PieceParameters, await given(request, most=0))
        if NAME.fullmatch(answer) is None:
            raise Problem(
                "not-an-answer",
                404,
                "This is no answer's name.",
                "Ask at the Location that a 202 of /search gave, or with the name that you gave an answer.",
            )
        kept = await answers.find(answer)
        if kept is None:
            raise problems.answer_gone()
        return PieceResponse(kept, asked.after, asked.wait, began, streams)

    return router


def accepted(kept: Kept) -> Response:
    """The answer to `Prefer: respond-async` (RFC 7240): where to ask for its pieces."""
    headers = {
        "Location": f"search/{kept.name}",  # relative, so that it holds behind whatever prefix
        "Preference-Applied": "respond-async",
        "Cache-Control": "no-store",
        STARTED: f"{kept.started_ms:.3f}",
    }
    return Response(_body(-1, [], done=False), 202, headers, "application/json")


class PieceResponse(Response):
    """The events after `seq`, as soon as there is one; none when `wait_s` seconds brought none."""

    def __init__(self, kept: Kept, seq: int, wait_s: float, began: Began, streams: OpenStreams) -> None:
        self.status_code = 200
        self.background = None
        self.raw_headers = []
        self._kept, self._seq, self._wait_s = kept, seq, wait_s
        self._began, self._streams = began, streams
        self._interrupted: asyncio.Future[Problem] = asyncio.get_running_loop().create_future()

    def interrupt(self, problem: Problem) -> None:
        """Ends the waiting: an empty piece loses nothing, and the next request finds another instance."""
        if not self._interrupted.done():
            self._interrupted.set_result(problem)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._streams.hold(self, reads=True), self._kept.reading():
                response = await self._piece(receive)
                if response is not None:
                    await response(scope, receive, send)
        except Problem as problem:
            await problem.response()(scope, receive, send)

    async def _piece(self, receive: Receive) -> Response | None:
        """None where the client left."""
        loop = asyncio.get_running_loop()
        news = loop.create_task(self._kept.after(self._seq, self._wait_s))
        gone = loop.create_task(client_gone(receive))
        ends: list[asyncio.Future[Any]] = [news, gone, self._interrupted]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (news, gone):
                task.cancel()
            await asyncio.wait({news, gone})
        if news.cancelled() and not self._interrupted.done():
            return None
        events: list[Event] = []
        done = False
        try:
            events = news.result()
            done = not events or events[-1].name != "token"
        except (TimeoutError, asyncio.CancelledError):
            pass
        headers = {
            "Cache-Control": "no-store",
            STARTED: f"{self._kept.started_ms:.3f}",
            "Server-Timing": f"wait;dur={self._began.elapsed_ms():.1f}",
        }
        body = _body(self._seq, events, done=done, readers=self._kept.readers)
        return Response(body, 200, headers, "application/json")


def _body(after: int, events: list[Event], *, done: bool, readers: int | None = None) -> str:
    """`readers`: how many requests read the answer, this one too."""
    others = "" if readers is None else f',"readers":{readers - 1}'
    lines = ",".join(in_line(seq, event) for seq, event in enumerate(events, after + 1))
    return f'{{"events":[{lines}],"done":{"true" if done else "false"}{others}}}'
