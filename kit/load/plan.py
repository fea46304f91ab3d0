"""A load as it is asked for: each stream's request, and a schedule of starts that waits for no answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

# Where Locust's processes find it: not on the command line, which others can read, since it may hold a token.
VARIABLE: Final = "STREAMPROOF_LOAD"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When streams start: evenly over the ramp, and anew after each `every_s`, whatever became of the last.

    Attributes:
        streams: how many.
        ramp_s: the time over which the first of each starts.
        for_s: how long all of it takes, the ramp included.
        every_s: after how long each is asked for anew; None for once.
    """

    streams: int
    ramp_s: float
    for_s: float
    every_s: float | None = None

    def starts(self, index: int) -> Iterator[float]:
        """When the stream of this number, from 0, is asked for: seconds from the beginning."""
        due_s = first_s = self.ramp_s * index / self.streams
        turn = 0
        while due_s < self.for_s:
            yield due_s
            if self.every_s is None:
                return
            turn += 1
            due_s = first_s + turn * self.every_s

    def place(self, user: int, worker: int, workers: int) -> int:
        """The number of the stream that a worker's own user takes; all from 0.

        Users are dealt out in turn. Which of the workers has one more than others is Locust's to say; that
        one is among the last to start.
        """
        return min(user * workers + worker, self.streams - 1)

    @property
    def planned(self) -> int:
        """How many streams start in all."""
        return sum(1 for index in range(self.streams) for _ in self.starts(index))


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole.

    Attributes:
        schedule: when streams start.
        method, url: how each is asked for; the address in ASCII, redirects followed.
        headers: all that is sent.
        body: the request's; None for none.
        timeout_s: for connecting, and for each silence.
        insecure: any certificate will do.
        cacert: a PEM file of the authorities to trust; None for the machine's.
    """

    schedule: Schedule
    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: str | None = None
    timeout_s: float = 60.0
    insecure: bool = False
    cacert: str | None = None

    @property
    def text(self) -> str:
        """The same as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> Self:
        """From `text`."""
        data: dict[str, Any] = json.loads(text)
        headers = tuple((name, value) for name, value in data["headers"])
        return cls(**{**data, "schedule": Schedule(**data["schedule"]), "headers": headers})
