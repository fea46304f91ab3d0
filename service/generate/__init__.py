"""Who writes the text: what a generator is, and which one the settings name."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a generator.

    `seed` None leaves the choice to it, `tokens_per_s` its pace. After `timeout_s` seconds no client wants
    the answer any more; None for never.
    """

    prompt: str
    max_output_tokens: int
    temperature: float
    top_p: float
    top_k: int
    seed: int | None
    tokens_per_s: float | None = None
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """How the text ended.

    `reason` is "stop" when it was complete and "length" when max_output_tokens cut it; from Vertex AI it is
    the API's own word (STOP, MAX_TOKENS, SAFETY, …), also of a prompt that was blocked.
    """

    reason: str
    prompt_tokens: int
    output_tokens: int


class Generator(Protocol):
    """Writes an answer piece by piece."""

    @property
    def name(self) -> str:
        """As in the setting and in /whoami."""

    async def prepare(self) -> None:
        """Does what takes long and is needed once. `generate` calls it if it was not called, and waits.

        Raises:
            Problem: it cannot be done now. The next call tries again.
        """

    def generate(self, request: Request) -> AsyncGenerator[str | Finish]:
        """Yields pieces of text as they come to be, then one Finish.

        Closing it, or cancelling the task that waits for it, stops the work at once.

        Raises:
            Problem: the text cannot be written, or not to its end.
        """

    async def close(self) -> None:
        """Closes what `prepare` and `generate` opened."""


def create_generator(settings: Settings) -> Generator:
    """The generator that the settings name. Only that one is imported: others may not be installed.

    Raises:
        SettingsError: what that one needs is not set, or not installed.
    """
    if settings.generator == "vertex":
        from service.generate.vertex import VertexGenerator

        return VertexGenerator(settings)
    from service.generate.embedded import EmbeddedGenerator

    return EmbeddedGenerator(first_token_ms=settings.first_token_ms, tokens_per_s=settings.tokens_per_s)
