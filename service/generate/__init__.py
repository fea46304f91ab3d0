"""Who writes the text: what a generator is, and which one the settings name."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol

from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a generator. `seed` None leaves the choice to it."""

    prompt: str
    max_output_tokens: int
    temperature: float
    top_p: float
    top_k: int
    seed: int | None


@dataclass(frozen=True, slots=True)
class Finish:
    """How the text ended: "stop" when it was complete, "length" when max_output_tokens cut it."""

    reason: Literal["stop", "length"]
    prompt_tokens: int
    output_tokens: int


class Generator(Protocol):
    """Writes an answer piece by piece."""

    @property
    def name(self) -> str:
        """As in the setting and in /whoami."""

    def generate(self, request: Request) -> AsyncGenerator[str | Finish]:
        """Yields pieces of text as they come to be, then one Finish.

        Closing it, or cancelling the task that waits for it, stops the work at once.

        Raises:
            Problem: the text cannot be written, or not to its end.
        """


def create_generator(settings: Settings) -> Generator:
    """The generator that the settings name. Only that one is imported: others may not be installed."""
    from service.generate.embedded import EmbeddedGenerator

    return EmbeddedGenerator(first_token_ms=settings.first_token_ms, tokens_per_s=settings.tokens_per_s)
