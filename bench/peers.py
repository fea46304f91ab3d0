"""The servers that we are measured against: the least that does the same job."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI

Message = dict[str, Any]


def bare_fastapi() -> FastAPI:
    """A FastAPI app whose one route streams one line."""
    from fastapi import FastAPI
    from fastapi.responses import StreamingResponse

    app = FastAPI()

    @app.post("/search")
    async def search() -> StreamingResponse:
        async def lines() -> AsyncIterator[bytes]:
            yield b"data: hello\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    return app


def bare_asgi() -> Any:
    """An ASGI app that replays BENCH_REPLAY, a JSON list of [seconds since the request, event in base64]."""
    replay = [(due_s, base64.b64decode(event)) for due_s, event in json.loads(os.environ["BENCH_REPLAY"])]
    headers = [(b"content-type", b"text/event-stream")]

    async def app(scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        began = time.monotonic()
        for due_s, event in replay:
            await asyncio.sleep(max(0.0, began + due_s - time.monotonic()))
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app
