"""A request to a text generator, for a short and for a long answer (`kit.proof.lengths` judges the two).

Known are the bodies of OpenAI's APIs and of what is compatible with them, of Gemini's, and of the kit's own
/search. Nothing else of a request is changed than how long its answer may become.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote_plus, urlsplit, urlunsplit

from kit.probe.client import Ask

SHORT = 16  # OpenAI's Responses API takes no less
LONG = 512  # at up to 250 tokens a second it takes 2 s more, the least that `kit.proof.lengths` can judge

_LIMITS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
_SEARCH_LIMIT = "max_output_tokens"


@dataclass(frozen=True, slots=True)
class TwoLengths:
    """One request in two lengths.

    Attributes:
        short, long: the requests.
        short_tokens, long_tokens: the most that each answer may have.
        most_tokens: the most that both may have together, alternatives counted (`n`, `candidateCount`), if
            the server keeps to what it is asked for. The prompt comes on top, twice.
    """

    short: Ask
    long: Ask
    short_tokens: int
    long_tokens: int
    most_tokens: int


@dataclass(frozen=True, slots=True)
class _Known:
    """A request whose answer's length can be set: how, and what it says of it now."""

    limited: Callable[[int], Ask]
    limit: int | None = None
    alternatives: int = 1


def two_lengths(ask: Ask, *, short: int = SHORT, long: int = LONG) -> TwoLengths | None:
    """The request in two lengths; None where it is none of the known ones, or does not ask for a stream.

    A limit that the request has itself is not exceeded. Where it is small the short answer is a quarter of
    it, and the two may be too much alike to tell anything by.

    Args:
        ask: the user's request.
        short: tokens of the short answer.
        long: tokens of the long one.
    """
    body = _object(ask.body)
    known = _search(ask, body)
    if known is None and body is not None:
        known = _gemini(ask, body) or _openai(ask, body)
    if known is None:
        return None
    most = min(long, known.limit or long)
    least = max(1, min(short, most // 4))
    both = (least + most) * known.alternatives
    return TwoLengths(known.limited(least), known.limited(most), least, most, both)


def _openai(ask: Ask, body: dict[str, Any]) -> _Known | None:
    """Chat completions, completions, responses; Anthropic's messages have the same form."""
    if body.get("stream") is not True or not any(name in body for name in ("messages", "input", "prompt")):
        return None
    names = [name for name in _LIMITS if name in body] or [_right_limit(ask, body)]
    return _Known(
        lambda tokens: _with_body(ask, {**body, **dict.fromkeys(names, tokens)}),
        _least(body.get(name) for name in names),
        max(_count(body.get(name)) or 1 for name in ("n", "best_of")),
    )


def _right_limit(ask: Ask, body: dict[str, Any]) -> str:
    """Where the request has no limit: its API's name for it."""
    if "input" in body:
        return "max_output_tokens"
    host = urlsplit(ask.url).hostname or ""
    # OpenAI's newer models refuse the old name, and others do not know the new one.
    of_openai = host == "api.openai.com" or host.endswith(".openai.azure.com")
    return "max_completion_tokens" if of_openai and "messages" in body else "max_tokens"


def _gemini(ask: Ask, body: dict[str, Any]) -> _Known | None:
    parts = urlsplit(ask.url)
    if "contents" not in body or not parts.path.endswith(":streamGenerateContent"):
        return None
    # Protocol buffers' JSON takes a field by either of its names.
    place = "generation_config" if "generation_config" in body else "generationConfig"
    config = body.get(place) or {}
    if not isinstance(config, dict):
        return None
    name = "max_output_tokens" if "max_output_tokens" in config else "maxOutputTokens"
    if not any(_name(pair) in ("alt", "$alt") for pair in parts.query.split("&")):
        # Without it the answer is one JSON array, which has no events.
        query = f"{parts.query}&alt=sse" if parts.query else "alt=sse"
        ask = replace(ask, url=urlunsplit(parts._replace(query=query)))
    return _Known(
        lambda tokens: _with_body(ask, {**body, place: {**config, name: tokens}}),
        _count(config.get(name)),
        _count(config.get("candidateCount", config.get("candidate_count"))) or 1,
    )


def _search(ask: Ask, body: dict[str, Any] | None) -> _Known | None:
    """The kit's own service: each parameter once, in the query or in the body."""
    parts = urlsplit(ask.url)
    if not parts.path.endswith("/search"):
        return None
    pairs = parts.query.split("&") if parts.query else []
    names = {*map(_name, pairs), *(body or {})}
    if "ai_prompt" not in names or (ask.body and body is None):
        return None
    if body and _SEARCH_LIMIT not in map(_name, pairs):
        limit = _count(body.get(_SEARCH_LIMIT))
        return _Known(lambda tokens: _with_body(ask, {**body, _SEARCH_LIMIT: tokens}), limit)
    others = [pair for pair in pairs if _name(pair) != _SEARCH_LIMIT]
    given = [pair.partition("=")[2] for pair in pairs if _name(pair) == _SEARCH_LIMIT]

    def limited(tokens: int) -> Ask:
        query = "&".join([*others, f"{_SEARCH_LIMIT}={tokens}"])
        return replace(ask, url=urlunsplit(parts._replace(query=query)))

    return _Known(limited, _least(int(value) for value in given if re.fullmatch("[0-9]{1,9}", value)))


def _name(pair: str) -> str:
    return unquote_plus(pair.partition("=")[0])


def _object(body: bytes | None) -> dict[str, Any] | None:
    try:
        payload = json.loads(body or b"")
        json.dumps(payload, allow_nan=False)  # numbers that JSON has not, and Python reads all the same
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None


def _with_body(ask: Ask, body: dict[str, Any]) -> Ask:
    headers = tuple(header for header in ask.headers if header[0].lower() != "content-length")
    return replace(ask, headers=headers, body=json.dumps(body).encode())


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _least(values: Iterable[object]) -> int | None:
    return min((count for count in map(_count, values) if count is not None), default=None)
