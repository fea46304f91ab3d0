"""The generator that needs no account: a text about streams, paced like a model's.

The same prompt and seed give the same text at the same pace. Nothing is sampled, so temperature, top_p and
top_k change nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from random import Random

from service.generate import Finish, Request
from service.generate.text import compose, tokens

# A token comes up to this part of an interval early or late, as a model's do; below 0.5 the order is kept.
JITTER = 0.35


class EmbeddedGenerator:
    """Writes `tokens_per_s` tokens a second, the first after `first_token_ms` milliseconds."""

    name = "embedded"

    def __init__(self, *, first_token_ms: float, tokens_per_s: float) -> None:
        self._first_s = first_token_ms / 1000
        self._interval_s = 1 / tokens_per_s

    async def generate(self, request: Request) -> AsyncGenerator[str | Finish]:
        began = time.monotonic()
        seed = 0 if request.seed is None else request.seed
        rng = Random(f"{seed} {request.prompt}")  # noqa: S311  # must be repeatable, need not be secret
        text = compose(request.prompt, rng)
        written = 0
        for piece in text[: request.max_output_tokens]:
            early_or_late = JITTER * (2 * rng.random() - 1) if written else 0.0
            # Against the beginning, not against the last token: otherwise each delay would add up.
            due = began + self._first_s + (written + early_or_late) * self._interval_s
            # Also when it is due already: a stream flat out must let others run.
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            yield piece
            written += 1
        yield Finish(
            reason="stop" if written == len(text) else "length",
            prompt_tokens=len(tokens(request.prompt)),
            output_tokens=written,
        )
