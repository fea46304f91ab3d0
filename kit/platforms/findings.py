"""What stands in the way of a deployment: the findings, and what the rules judge them from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from kit.errors import Code, KitError
from kit.platforms.platform import Command, Place, Service

Level = Literal["stop", "ask", "warn", "note"]
LEVELS: Final[tuple[Level, ...]] = ("stop", "ask", "warn", "note")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know before anything is created.

    Attributes:
        level: "stop" and nothing can be deployed; "ask" first, and run the command (if there is one) when the
            answer is yes; "warn" and "note" are said.
        text: one sentence.
        remedy: what to do about it; empty where there is nothing to do.
        command: what would be run on a yes.
    """

    level: Level
    text: str
    remedy: str = ""
    command: Command | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """What the rules need to know of one target.

    Attributes:
        place: where it goes.
        flexible: whether it is App Engine Flexible.
        min_instances: how many instances always run.
        service_account: the one that it runs as; None for the platform's default.
    """

    place: Place
    flexible: bool = False
    min_instances: int = 0
    service_account: str | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user said.

    Attributes:
        project, project_source, project_implied: as in `Config`.
        apis: Google's APIs that the service itself will ask.
        create_app: the region for a new App Engine app.
        take_over: whether what the kit did not make may be overwritten.
        signed_in_by_env: whether gcloud takes its credentials from the environment.
    """

    project: str
    project_source: str | None = None
    project_implied: bool = False
    apis: tuple[str, ...] = ()
    create_app: str | None = None
    take_over: bool = False
    signed_in_by_env: bool = False


Read = Any | KitError
"""What a read brought: parsed JSON, or why it failed. None where nobody asked."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What gcloud answered. `looks` has what each target's host sees, by target."""

    version: Read = None
    accounts: Read = None
    project: Read = None
    billing: Read = None
    apis: Read = None
    app: Read = None
    app_versions: Read = None
    policy: Read = None
    looks: Mapping[str, Service | KitError | None] = field(default_factory=dict)

    @property
    def has_no_app(self) -> bool:
        """Whether it is certain that the project has no App Engine app yet."""
        return isinstance(self.app, KitError) and self.app.code is Code.NOT_READY_TO_DEPLOY


Rule = Callable[[Sequence[Lane], Wishes, Seen], Iterator[Finding]]


def on(lanes: Sequence[Lane], platform: str) -> list[Lane]:
    """The lanes that go to this platform."""
    return [lane for lane in lanes if lane.place.platform == platform]


def dicts(entries: object) -> list[dict[str, Any]]:
    """The objects in what should be a list of them."""
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
