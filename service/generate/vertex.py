"""The generator that asks a model on Vertex AI.

Importing Google's client takes the better part of a second, so nothing of it is imported with this module: it
happens once, in a thread, when `prepare` is called or the first request comes.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING

from service.generate import Finish, Request
from service.lazy import Lazy
from service.settings import Settings, SettingsError, installed

if TYPE_CHECKING:
    from service.generate.vertex_model import VertexModel


class VertexGenerator:
    """Streams what the model writes that the settings name.

    Raises:
        SettingsError: the settings name no model or no location, or the package is not installed.
    """

    name = "vertex"

    def __init__(self, settings: Settings) -> None:
        for name in ("model", "location"):
            if getattr(settings, name) is None:
                raise SettingsError(
                    f"STREAMPROOF_GENERATOR is 'vertex', so STREAMPROOF_{name.upper()} must be set."
                )
        if not installed("google.cloud.aiplatform_v1"):
            raise SettingsError(
                "STREAMPROOF_GENERATOR is 'vertex', so the package google-cloud-aiplatform must be installed."
            )
        self._model = Lazy(lambda: _open(settings))

    async def prepare(self) -> None:
        await self._model.get()

    async def generate(self, request: Request) -> AsyncGenerator[str | Finish]:
        model = await self._model.get()
        async with aclosing(model.generate(request)) as pieces:
            async for piece in pieces:
                yield piece

    async def close(self) -> None:
        if model := await self._model.made():
            await model.close()


def _open(settings: Settings) -> VertexModel:
    _skip_other_services()
    from service.generate.vertex_model import VertexModel

    return VertexModel(settings)


def _skip_other_services() -> None:
    """Puts the package there without its `__init__`, which imports the clients of 33 other services.

    They take a third of the time and 33 MiB (bench/first_byte.py). What is asked for by its own name is
    imported from it as ever.
    """
    name = "google.cloud.aiplatform_v1"
    if name not in sys.modules and (spec := find_spec(name)) is not None:
        sys.modules[name] = module_from_spec(spec)
