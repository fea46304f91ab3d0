"""Works side by side, of which none is cut off because another one failed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def side_by_side(works: Iterable[Coroutine[Any, Any, T]]) -> tuple[T, ...]:
    """Run them at once, each to its own end; what each returned, in order.

    Raises:
        Exception: what the first of them raised, once all have ended. Cancelled, it cancels them all.
    """
    ended = await asyncio.gather(*works, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException):
            raise one
    return tuple(one for one in ended if not isinstance(one, BaseException))
