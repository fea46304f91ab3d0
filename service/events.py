"""A generator's pieces as an answer's events: numbered, stamped, and never without an end.

What an event is stands here once; how it looks on the wire is `service.framing`'s, whether it is kept is
`service.answer_buffer`'s.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from service import problems
from service.generate import Finish
from service.logs import place_of
from service.problems import Problem

log = logging.getLogger("streamproof")

in_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

# A token's data: its number, its text in JSON, and the milliseconds since the request began. Whole ones: a
# fraction would cost as much to format as all the rest.
DATA = '{"seq":%d,"text":%s,"t_ms":%d}'

Token = TypeVar("Token")


class Event(NamedTuple):
    """One event of an answer; its place among the others is its number.

    `name` is "token", "done" or "error", `data` a JSON object as text.
    """

    name: str
    data: str


@dataclass(frozen=True, slots=True)
class Began:
    """When an answer was asked for, on both clocks: the one the world shares and the one that never jumps."""

    epoch_ms: float = field(default_factory=lambda: time.time() * 1000)
    monotonic_s: float = field(default_factory=time.monotonic)

    def elapsed_ms(self) -> float:
        return (time.monotonic() - self.monotonic_s) * 1000


def error(problem: Problem) -> Event:
    """The end of an answer that is not whole."""
    return Event("error", in_json(problem.body()))


def token(seq: int, text: str, t_ms: int) -> Event:
    """A token as an event."""
    return Event("token", DATA % (seq, in_json(text), t_ms))


async def written(
    pieces: AsyncGenerator[str | Finish], began: Began, token: Callable[[int, str, int], Token]
) -> AsyncGenerator[Token | Event]:
    """The events of an answer as it is written: tokens, then `done`. Closing it closes the generator.

    Args:
        pieces: of the text.
        began: when it was asked for.
        token: what a token is to become, from its number, its text and its milliseconds: an event, or at once
            its octets where the event itself is not needed: making one would cost as much as all the rest.

    Raises:
        Problem: the answer does not come to its end; the caller must say so to the reader.
    """
    seq = 0
    finish: Finish | None = None
    now, since = time.monotonic, began.monotonic_s
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                # In this order: to find out that a text is no Finish would cost as much as to quote it.
                if not isinstance(piece, str):
                    finish = piece
                    break
                yield token(seq, piece, int((now() - since) * 1000))
                seq += 1
    except Problem:
        raise
    except Exception as failure:
        log.error("the generator failed with %s", place_of(failure))
        raise problems.internal() from None
    if finish is None:
        log.error("the generator ended without a Finish")
        raise problems.internal()
    usage = {"prompt_tokens": finish.prompt_tokens, "output_tokens": finish.output_tokens}
    yield Event("done", in_json({"usage": usage, "finish_reason": finish.reason}))
