"""The servers that we are measured against: the least that does the same job, or what others take for it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from json.encoder import encode_basestring as encode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.applications import Starlette

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


def wrapped_asgi() -> Any:
    """The same inside the proof's wrapper, which is asked for nothing."""
    from service.proof import wrap

    return wrap(bare_asgi(), token=secrets.token_hex(16))


def sse_starlette() -> Starlette:
    """What our generator writes, as events of the same size, through sse-starlette."""
    from sse_starlette import EventSourceResponse, ServerSentEvent
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.routing import Route

    write = _writer()

    async def search(request: Request) -> EventSourceResponse:
        async def events() -> AsyncIterator[ServerSentEvent]:
            asked = request.query_params
            async for identifier, data in write(
                asked["ai_prompt"], int(asked["max_output_tokens"]), int(asked["seed"])
            ):
                yield ServerSentEvent(data, event="token", id=identifier)

        return EventSourceResponse(events(), sep="\n")

    return Starlette(routes=[Route("/search", search, methods=["POST"])])


def fastapi_sse() -> FastAPI:
    """The same through FastAPI's own class."""
    from fastapi import FastAPI
    from fastapi.sse import EventSourceResponse, ServerSentEvent

    app = FastAPI()
    write = _writer()

    @app.post("/search", response_class=EventSourceResponse)
    async def search(ai_prompt: str, max_output_tokens: int, seed: int) -> Any:
        async for identifier, data in write(ai_prompt, max_output_tokens, seed):
            yield ServerSentEvent(raw_data=data, event="token", id=identifier)

    return app


def articles_vertex() -> FastAPI:
    """Vertex AI as in the article: its whole package imported at the top, a synchronous generator streamed.

    It asks the server at STREAMPROOF_VERTEX_ENDPOINT, as ours does, by a client that those imports have
    loaded already. The article's own `predict_streaming` cannot run: its models are gone. It would
    look its model up first; leaving that out can only make this peer quicker.
    """
    import grpc
    import vertexai  # noqa: F401
    from fastapi import FastAPI
    from fastapi.responses import StreamingResponse
    from google.cloud import aiplatform  # noqa: F401
    from google.cloud.aiplatform_v1.services.prediction_service import PredictionServiceClient
    from google.cloud.aiplatform_v1.services.prediction_service.transports.grpc import (
        PredictionServiceGrpcTransport as Transport,
    )
    from google.cloud.aiplatform_v1.types import Content, GenerateContentRequest, Part
    from vertexai.language_models import TextGenerationModel  # noqa: F401

    channel = grpc.insecure_channel(os.environ["STREAMPROOF_VERTEX_ENDPOINT"].removeprefix("http://"))
    client = PredictionServiceClient(transport=Transport(channel=channel))
    app = FastAPI()

    @app.post("/search")
    def search(ai_prompt: str) -> StreamingResponse:
        request = GenerateContentRequest(
            model="projects/my-project/locations/europe-west1/publishers/google/models/some-model",
            contents=[Content(role="user", parts=[Part(text=ai_prompt)])],
        )

        def texts() -> Iterator[str]:
            for chunk in client.stream_generate_content(request):
                yield chunk.candidates[0].content.parts[0].text

        return StreamingResponse(texts(), media_type="text/event-stream")

    return app


def _writer() -> Callable[[str, int, int], AsyncIterator[tuple[str, str]]]:
    """Writes an answer of the embedded generator as (id, data)."""
    from service import generate, settings

    config = settings.load()
    generator = generate.create_generator(config)

    async def write(ai_prompt: str, max_output_tokens: int, seed: int) -> AsyncIterator[tuple[str, str]]:
        began_s = time.monotonic()
        answer = secrets.token_hex(16)
        asked = generate.Request(ai_prompt, max_output_tokens, 0.2, 0.8, 40, seed)
        seq = 0
        async for piece in generator.generate(asked):
            if isinstance(piece, generate.Finish):
                return
            t_ms = int((time.monotonic() - began_s) * 1000)
            yield f"{answer}.{seq}", f'{{"seq":{seq},"text":{encode(piece)},"t_ms":{t_ms}}}'
            seq += 1

    return write
