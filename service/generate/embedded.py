"""The generator that needs no account: a text about streams, paced like a model's.

The same prompt and seed give the same text at the same pace. Nothing is sampled, so temperature, top_p and
top_k change nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from itertools import islice
from random import Random

from service.generate import Finish, Request
from service.generate.text import compose, tokens

# A token comes up to this part of an interval early or late, as a model's do; below 0.5 the order is kept.
JITTER = 0.35


class EmbeddedGenerator:
    """Writes `tokens_per_s` tokens a second unless the request says otherwise, after `first_token_ms` ms."""

    name = "embedded"

    def __init__(self, *, first_token_ms: float, tokens_per_s: float) -> None:
        self._first_s = first_token_ms / 1000
        self._interval_s = 1 / tokens_per_s

    async def prepare(self) -> None:
        """There is nothing to prepare."""

    async def close(self) -> None:
        """Nothing to close."""

    async def generate(self, request: Request) -> AsyncGenerator[str | Finish]:
        due = first = time.monotonic() + self._first_s
        interval_s = 1 / request.tokens_per_s if request.tokens_per_s else self._interval_s
        seed = 0 if request.seed is None else request.seed
        rng = Random(f"{seed} {request.prompt}")  # noqa: S311  # must be repeatable, need not be secret
        text = compose(request.prompt, rng)
        written = 0
        for piece in islice(text, request.max_output_tokens):
            wait = due - time.monotonic()
            # Also when it is due already: a stream flat out must let others run.
            await asyncio.sleep(wait if wait > 0 else 0)
            yield piece
            written += 1
            # Against the first token, not against this one: otherwise each delay would add up.
            due = first + (written + JITTER * (2 * rng.random() - 1)) * interval_s
        yield Finish(
            reason="stop" if written == len(text) else "length",
            prompt_tokens=len(tokens(request.prompt)),
            output_tokens=written,
        )
