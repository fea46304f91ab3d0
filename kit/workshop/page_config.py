"""A workshop's configuration: its lanes with the header and without, and who may open its page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit

from kit.probe.client import Ask
from kit.probe.spec import LaneSpec
from kit.proof.lane import Arm, Environment
from kit.targets import Target
from kit.urls import without_credentials
from kit.workshop.cors import origin_of

Fresh: TypeAlias = Callable[[LaneSpec], Awaitable[LaneSpec]]


async def as_it_is(spec: LaneSpec) -> LaneSpec:
    """A lane whose credentials, if any, last as long as the workshop."""
    return spec


@dataclass(frozen=True, slots=True)
class PageConfig:
    """What the page is given.

    Attributes:
        environment: where its lanes are, for the words beside them.
        specs: by target, by arm, what is measured; the prompt and the length are the page's to say.
        targets: what the kit knows of platforms, by name.
        timeout_s: for each lane's answer.
        names: names and addresses under which the page may be opened, besides this machine's own.
        secret: what a request must show; None where no other machine gets here.
        fresh: a lane with credentials that are good for one more run.
        directly: what asks a lane's service with no front before it, by the lane's name: the lab's.
        tokens_per_s: the pace of its services unless a run says another; None where that is not known.
    """

    environment: Environment
    specs: Mapping[str, Mapping[Arm, LaneSpec]]
    targets: Mapping[str, Target]
    timeout_s: float
    names: frozenset[str] = field(default=frozenset())
    secret: str | None = field(default=None, repr=False)
    fresh: Fresh = as_it_is
    directly: Mapping[str, Ask] = field(default_factory=dict)
    tokens_per_s: float | None = None

    @property
    def origins(self) -> tuple[str, ...]:
        """The lanes' origins: all that the page may connect to, besides its own server."""
        asks = [spec.ask for arms in self.specs.values() for spec in arms.values()]
        return tuple(dict.fromkeys(origin_of(without_credentials(ask.url)) for ask in asks))

    def title(self, name: str) -> str:
        """A lane's name for people."""
        return self.targets[name].title if name in self.targets else name

    def place(self, name: str) -> str:
        """Where a lane is, for people: host and port."""
        spec = next(iter(self.specs[name].values()))
        return urlsplit(without_credentials(spec.ask.url)).netloc
