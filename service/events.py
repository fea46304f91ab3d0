"""A generator's pieces as an answer's events: numbered, stamped, and never without an end.

What an event is stands here once; how it looks on the wire is `service.framing`'s, whether it is kept is
`service.kept`'s.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from json.encoder import encode_basestring as _string
from typing import NamedTuple

from service import problems
from service.generate import Finish
from service.logs import place_of
from service.problems import Problem

log = logging.getLogger("streamproof")

in_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


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


async def written(pieces: AsyncGenerator[str | Finish], began: Began) -> AsyncGenerator[Event]:
    """The events of an answer as it is written: tokens, then `done`. Closing it closes the generator.

    Raises:
        Problem: the answer does not come to its end; it is for the caller to say so to whoever reads.
    """
    seq = 0
    finish: Finish | None = None
    since = began.monotonic_s
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, Finish):
                    finish = piece
                    break
                # For each event, so put together by hand and in whole milliseconds: a fraction would cost as
                # much to format as all the rest.
                t_ms = int((time.monotonic() - since) * 1000)
                yield Event("token", f'{{"seq":{seq},"text":{_string(piece)},"t_ms":{t_ms}}}')
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
