"""When an instance is idle, and what its platform does to it then: no process here, only the counting.

Where `idle` in a front's spec says "frozen", an instance has CPU only while a request is open to it (Cloud
Run's documentation; the claims in `deploy/run/target.toml`). "Severely limited" CPU between requests is no
CPU here. It starts with CPU: nothing is frozen before the first request has ended.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

from kit.targets import FrontSpec

#: Around each request to an instance that goes on whether or not one is open.
RUNS: Final[AbstractContextManager[None]] = nullcontext()


class Instance(Protocol):
    """What can be frozen: a process by its `kit.process.Control`."""

    def freeze(self) -> None:
        """Take its CPU away."""

    def thaw(self) -> None:
        """Give it back; nothing where it was not taken."""


class OpenRequests:
    """The requests open to one instance, each a `with` block around all of its exchange; several at once."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._open = 0

    def __enter__(self) -> None:
        self._open += 1
        if self._open == 1:
            self._instance.thaw()

    def __exit__(self, *_: object) -> None:
        self._open -= 1
        if not self._open:
            self._instance.freeze()


def open_requests(spec: FrontSpec, instance: Instance) -> AbstractContextManager[None]:
    """What to put around each request to that instance, behind a front of that spec."""
    return OpenRequests(instance) if spec.idle == "frozen" else RUNS
