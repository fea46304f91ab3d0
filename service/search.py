"""POST and GET /search: a prompt in, an answer streamed."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service import generate
from service.access import Access, admit_method
from service.framing import Framing, Ndjson, Sse, Text
from service.generate import Generator
from service.logs import RequestLine
from service.problems import Problem
from service.settings import Settings, Temperature, TopK, TopP
from service.stream import AnswerStream, Began
from service.streams import OpenStreams

log = logging.getLogger("streamproof")

# In the order of preference where Accept leaves a choice.
FRAMINGS: dict[str, Callable[[], Framing]] = {
    "text/event-stream": lambda: Sse(secrets.token_hex(16)),
    "application/x-ndjson": Ndjson,
    "text/plain": Text,
}


class Parameters(BaseModel):
    """What /search takes, in the query or in a JSON body; each at most once."""

    model_config = ConfigDict(extra="forbid")

    ai_prompt: str = ""
    accel: Literal["on", "off"] = "on"
    max_output_tokens: Annotated[int, Field(ge=1, le=65_536)] | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None


def create_search(
    settings: Settings, generator: Generator, streams: OpenStreams, access: Access
) -> APIRouter:
    """The router of /search."""
    router = APIRouter()

    @router.get(
        "/search",
        response_class=Response,
        operation_id="search_by_get",
        include_in_schema=settings.get_search,
    )
    @router.post("/search", response_class=Response, operation_id="search_by_post")
    async def search(request: Request) -> Response:
        began = Began()
        given: dict[str, Any] = {}
        try:
            admit_method(request, settings)
            await access.admit(request.headers)
            framing = _negotiate(request.headers.getlist("accept"))
            given = await _given(request, most=12 * settings.max_prompt_chars + 4096)
            asked = _parameters(given, settings.max_prompt_chars)
        except Problem as refused:
            prompt = given.get("ai_prompt")
            _log(request, prompt if isinstance(prompt, str) else "", refused.status, refused.kind, 0, began)
            raise
        except ClientDisconnect:  # before its body was whole: nobody is there to be answered
            _log(request, "", 400, "client-left", 0, began)
            return Response(status_code=400)
        pieces = generator.generate(
            generate.Request(
                prompt=asked.ai_prompt,
                max_output_tokens=asked.max_output_tokens or settings.max_output_tokens,
                temperature=settings.temperature if asked.temperature is None else asked.temperature,
                top_p=settings.top_p if asked.top_p is None else asked.top_p,
                top_k=asked.top_k or settings.top_k,
                seed=asked.seed,
            )
        )
        stream = AnswerStream(
            pieces,
            framing,
            began,
            streams,
            heartbeat_s=settings.heartbeat_s,
            deadline_s=settings.deadline_s,
            accel=asked.accel == "on",
        )
        return _Logged(stream, request, asked.ai_prompt, began)

    return router


class _Logged(Response):
    """The answer, and one line in the log when it has ended, however it ended."""

    def __init__(self, stream: AnswerStream, request: Request, prompt: str, began: Began) -> None:
        self.background = None
        self.status_code = stream.status_code
        self.raw_headers = stream.raw_headers
        self._stream, self._request, self._prompt, self._began = stream, request, prompt, began

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = self._stream
        try:
            await stream(scope, receive, send)
        finally:
            _log(self._request, self._prompt, stream.status_code, stream.ended, stream.events, self._began)


def _log(request: Request, prompt: str, status: int, end: str, events: int, began: Began) -> None:
    log.info(
        RequestLine(
            method=request.method,
            path=request.scope["path"],
            prompt_chars=len(prompt),
            status=status,
            end=end,
            events=events,
            ms=round(began.elapsed_ms()),
        )
    )


def _negotiate(accept: list[str]) -> Framing:
    """Which of the three types the client likes best (RFC 9110, 12.5.1); SSE where it has no preference."""
    wishes = [_wish(part) for line in accept for part in line.split(",") if part.strip()]
    if not wishes:
        return FRAMINGS["text/event-stream"]()
    best, best_q = "", 0.0
    for name in FRAMINGS:
        # The most specific range that covers the type decides: text/plain, then text/*, then */*.
        ranges = (name, name.split("/")[0] + "/*", "*/*")
        q = next((q for r in ranges for media, q in wishes if media == r), 0.0)
        if q > best_q:
            best, best_q = name, q
    if not best:
        raise Problem(
            "not-acceptable",
            406,
            "None of the accepted media types can be served.",
            f"Accept must allow one of {', '.join(FRAMINGS)}.",
        )
    return FRAMINGS[best]()


def _wish(part: str) -> tuple[str, float]:
    media, *options = (piece.strip().lower() for piece in part.split(";"))
    q = next((option[2:] for option in options if option.startswith("q=")), "1")
    try:
        return media, float(q)
    except ValueError:
        return media, 0.0


async def _given(request: Request, most: int) -> dict[str, Any]:
    """The parameters from the query and, by POST, from the JSON body."""
    given: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise _bad(name, "is given more than once")
        given[name] = value
    if request.method != "POST":
        return given
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Problem(
                "body-too-large", 413, "The body is too large.", f"It may have {most} octets at most."
            )
    if not body.strip():
        return given
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media != "application/json":
        raise Problem(
            "unsupported-media-type",
            415,
            "The body must be JSON.",
            "Send it with Content-Type: application/json.",
        )
    try:
        fields = json.loads(body)
        # JSON can name half a character ("\\ud800"), which no answer could repeat.
        json.dumps(fields, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise Problem("bad-body", 400, "The body must be a JSON object.", 'Like {"ai_prompt": "…"}.')
    for name, value in fields.items():
        if name in given:
            raise _bad(name, "is given in the query and in the body")
        given[name] = value
    return given


def _parameters(given: dict[str, Any], most: int) -> Parameters:
    try:
        asked = Parameters.model_validate(given)
    except ValidationError as bad:
        # The first fault only, and never its input: that may be the prompt.
        fault = bad.errors(include_url=False, include_context=False, include_input=False)[0]
        name = str(fault["loc"][0])
        if fault["type"] == "extra_forbidden":
            known = ", ".join(Parameters.model_fields)
            raise _bad(name, f"is unknown; the parameters are {known}", "unknown-parameter") from None
        message = fault["msg"].removeprefix("Input ")
        raise _bad(name, message) from None
    if not asked.ai_prompt.strip():
        raise _bad("ai_prompt", "is missing or empty", "empty-prompt")
    if len(asked.ai_prompt) > most:
        why = f"has {len(asked.ai_prompt)} characters, and {most} is the limit"
        raise _bad("ai_prompt", why, "prompt-too-long", 413)
    return asked


def _bad(name: str, why: str, kind: str = "bad-parameter", status: int = 422) -> Problem:
    # A name may be anything a client sends: not longer than it takes to recognise it.
    short = name if len(name) <= 40 else name[:40] + "…"
    return Problem(kind, status, "A parameter cannot be used.", f"{short} {why}.", parameter=short)
