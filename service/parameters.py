"""A request's parameters, from the query and a JSON body, checked, each at most once."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.problems import Problem
from service.settings import Temperature, TopK, TopP


class Parameters(BaseModel):
    """What /search takes, in the query or in a JSON body; each at most once."""

    model_config = ConfigDict(extra="forbid")

    ai_prompt: Annotated[str, Field(description="the question")] = ""
    accel: Annotated[
        Literal["on", "off"], Field(description="off leaves X-Accel-Buffering: no out of the response")
    ] = "on"
    max_output_tokens: Annotated[
        int | None, Field(ge=1, le=65_536, description="how long the answer may become")
    ] = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    seed: Annotated[int | None, Field(ge=-(2**63), lt=2**63)] = None
    tokens_per_s: Annotated[
        float | None,
        Field(ge=0.1, le=1000, allow_inf_nan=False, description="the pace, of the embedded generator only"),
    ] = None
    answer: Annotated[
        str | None,
        Field(
            pattern="^[0-9a-f]{32}$",
            description="a name for the answer, 128 bits at random: it is then kept, for GET /search/ANSWER",
        ),
    ] = None


class PieceParameters(BaseModel):
    """What GET /search/ANSWER takes, in the query."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[int, Field(ge=-1, lt=2**53, description="the number of the last event that came")] = -1
    wait: Annotated[
        float, Field(ge=0, le=30, allow_inf_nan=False, description="seconds to wait for one event more")
    ] = 0


Model = TypeVar("Model", bound=BaseModel)

_NUMBERS = Parameters.model_fields.keys() - {"ai_prompt", "accel", "answer"}


async def given(request: Request, most: int) -> dict[str, Any]:
    """The parameters from the query and, by POST, from the JSON body of up to `most` octets.

    Raises:
        Problem: 413, 415, 400 for a body that cannot be used, 422 for a parameter that is there twice.
        ClientDisconnect: the client left before its body was whole.
    """
    found: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in found:
            raise _bad(name, "is given more than once")
        found[name] = value
    if request.method != "POST":
        return found
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Problem(
                "body-too-large", 413, "The body is too large.", f"It may have {most} octets at most."
            )
    if not body.strip():
        return found
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
        if name in found:
            raise _bad(name, "is given in the query and in the body")
        # A query knows texts only, and pydantic reads numbers from them; JSON has numbers of its own.
        if isinstance(value, bool) or (isinstance(value, str) and name in _NUMBERS):
            raise _bad(name, "must be a number" if name in _NUMBERS else "cannot be true or false")
        found[name] = value
    return found


def checked(model: type[Model], fields: dict[str, Any]) -> Model:
    """The parameters as the model has them.

    Raises:
        Problem: 422 that names the first one at fault.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as bad:
        # The first fault only, and never its input: that may be the prompt.
        fault = bad.errors(include_url=False, include_context=False, include_input=False)[0]
        name = str(fault["loc"][0])
        if fault["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields)
            raise _bad(name, f"is unknown; the parameters are {known}", "unknown-parameter") from None
        raise _bad(name, fault["msg"].removeprefix("Input ")) from None


def with_prompt(asked: Parameters, most: int) -> Parameters:
    """The same, once it is sure that there is a prompt, of up to `most` characters.

    Raises:
        Problem: 422 or 413.
    """
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
