"""POST and GET /search: a prompt in, an answer streamed; or kept, to be asked for in pieces."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service import generate, problems
from service.accept import negotiate
from service.access import Access, admit_method
from service.answer_buffer import Kept, read
from service.answer_registry import Answers
from service.events import Began, token, written
from service.framing import Framing, Sse
from service.generate import Generator
from service.logs import RequestLine
from service.parameters import Parameters, checked, given, with_prompt
from service.poll import accepted
from service.problems import Problem
from service.proof import VERSION
from service.settings import Settings
from service.stream import AnswerStream
from service.streams import OpenStreams

log = logging.getLogger("streamproof")


def create_search(
    settings: Settings,
    generator: Generator,
    streams: OpenStreams,
    answers: Answers,
    access: Access,
    version: str | None,
) -> APIRouter:
    """The router of /search. `version` is what each answer says of its origin, as the proof does; None says
    nothing."""
    router = APIRouter()
    says = [(VERSION.lower().encode(), version.encode("latin-1", "replace"))] if version else []

    @router.api_route("/search", methods=["GET", "POST"], response_class=Response)
    async def search(request: Request) -> Response:
        began = Began()
        fields: dict[str, Any] = {}
        try:
            admit_method(request, settings)
            await access.admit(request.headers)
            in_pieces = _prefers_async(request.headers.getlist("prefer"))
            # What is asked for in pieces is JSON, whatever stream would be accepted.
            framing = Sse if in_pieces else negotiate(request.headers.getlist("accept"))
            fields = await given(request, most=12 * settings.max_prompt_chars + 4096)
            asked = with_prompt(checked(Parameters, fields), settings.max_prompt_chars)
            response = await _answer(request, asked, framing, began, in_pieces=in_pieces)
        except Problem as refused:
            prompt = fields.get("ai_prompt")
            _log(request, prompt if isinstance(prompt, str) else "", refused.status, refused.kind, 0, began)
            raise
        except ClientDisconnect:  # before its body was whole: no client is left to answer
            _log(request, "", 400, "client-left", 0, began)
            return Response(status_code=400)
        response.raw_headers += says
        if isinstance(response, AnswerStream):
            return _Logged(response, request, asked.ai_prompt, began)
        _log(request, asked.ai_prompt, response.status_code, "answered", 0, began)
        return response

    async def _answer(
        request: Request,
        asked: Parameters,
        framing: Callable[[str], Framing],
        began: Began,
        *,
        in_pieces: bool,
    ) -> Response:
        def reader(kept: Kept, seq: int) -> AnswerStream:
            return AnswerStream(
                read(kept, seq),
                framing(kept.name),
                began,
                streams,
                heartbeat_s=settings.heartbeat_s,
                deadline_s=settings.deadline_s,
                accel=asked.accel == "on",
                first=seq + 1,
                kept=True,
                started_ms=kept.started_ms,
            )

        # Never generated anew: a client that reconnects would get the answer twice, and both are paid for.
        if last := request.headers.get("last-event-id"):
            kept, seq = await _last(last, settings, answers)
            try:
                if not await kept.after(seq, 0):
                    return Response(status_code=204)  # which tells an EventSource to come no more
            except TimeoutError:
                pass
            return reader(kept, seq)

        resumable = settings.resume and framing is Sse
        if not (in_pieces or resumable or asked.answer):
            plain = framing(secrets.token_hex(16))
            pieces = generator.generate(_request(asked, settings, settings.deadline_s))
            return AnswerStream(
                written(pieces, began, plain.token),
                plain,
                began,
                streams,
                heartbeat_s=settings.heartbeat_s,
                deadline_s=settings.deadline_s,
                accel=asked.accel == "on",
            )
        kept = await answers.start(
            written(generator.generate(_request(asked, settings, settings.answer_deadline_s)), began, token),
            began,
            name=asked.answer,
        )
        return accepted(kept) if in_pieces else reader(kept, -1)

    return router


def _request(asked: Parameters, settings: Settings, timeout_s: float | None) -> generate.Request:
    return generate.Request(
        prompt=asked.ai_prompt,
        max_output_tokens=asked.max_output_tokens or settings.max_output_tokens,
        temperature=settings.temperature if asked.temperature is None else asked.temperature,
        top_p=settings.top_p if asked.top_p is None else asked.top_p,
        top_k=asked.top_k or settings.top_k,
        seed=asked.seed,
        tokens_per_s=asked.tokens_per_s,
        timeout_s=timeout_s,
    )


async def _last(last: str, settings: Settings, answers: Answers) -> tuple[Kept, int]:
    """The answer that a client comes back for, and the number of the last event that it has had."""
    known = re.fullmatch("([0-9a-f]{32})[.]([0-9]{1,9})", last)
    kept = await answers.find(known[1]) if known and settings.resume else None
    if known is None or kept is None:
        raise problems.answer_gone()
    return kept, int(known[2])


def _prefers_async(prefer: list[str]) -> bool:
    """Whether `respond-async` is among the preferences (RFC 7240)."""
    wishes = (wish.partition(";")[0].strip().lower() for line in prefer for wish in line.split(","))
    return "respond-async" in wishes


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
