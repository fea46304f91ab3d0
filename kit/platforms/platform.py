"""What the kit does with a hosting platform, in words that App Engine and Cloud Run share.

`app_engine.py` and `cloud_run.py` build the command lines and read the answers, purely; a `Host` runs them.
Nothing here opens a connection: everything that reaches Google is done by the user's own gcloud.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from kit.errors import Code, KitError
from kit.times import epoch_s

Line = Callable[[str], None]

# Which versions are the kit's own: App Engine has no labels, so there a name and a variable mark them.
VERSION_PREFIX = "sp-"
MARKER = "STREAMPROOF_BUNDLE"
TOKEN_SHA256 = "STREAMPROOF_TOKEN_SHA256"  # noqa: S105 - a name, no secret
TARGET_LABEL = "streamproof-target"
BUNDLE_LABEL = "streamproof-bundle"


@dataclass(frozen=True, slots=True)
class Command:
    """One line of gcloud.

    Attributes:
        words: what follows `gcloud`, project and `--quiet` included.
        env: variables that this line needs beside the user's own.
        changes: whether it creates, changes or removes something.
        secret: whether what it prints is a secret, which goes to no log.
        absent: gcloud's answers to exactly this line, each to the letter, that mean: what it names does not
            exist. Any other failure says nothing of what is there.
    """

    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    changes: bool = False
    secret: bool = False
    absent: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """As a person would type it into a POSIX shell."""
        return shlex.join([*(f"{name}={value}" for name, value in self.env.items()), "gcloud", *self.words])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a target goes. `region` is None on App Engine, whose app has one for ever."""

    target: str
    platform: str
    project: str
    region: str | None
    service: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a service on App Engine, one revision on Cloud Run.

    Attributes:
        name: as the platform calls it.
        url: of this version alone, as gcloud named it; None where it has none (an untagged revision).
        created_at: ISO 8601 in UTC; None where unknown.
        traffic: its share, from 0 to 1.
        running: whether the platform may run instances of it: a Flex version that is not stopped always does.
        target: the kit's target that it was made for; None when the kit did not make it.
        digest: of the bundle and the settings it was made from; None where unknown.
        min_instances: how many instances run although nobody asks, as long as `running`.
        token_sha256: of the token that its callers must show, in hexadecimal; None where they need none.
    """

    name: str
    url: str | None
    created_at: str | None
    traffic: float
    running: bool
    target: str | None
    digest: str | None
    min_instances: int = 0
    token_sha256: str | None = None


def newest_first(versions: Iterable[Version]) -> tuple[Version, ...]:
    """By the time when they were made; of whom nobody knows it, last."""
    return tuple(sorted(versions, key=lambda version: epoch_s(version.created_at) or 0.0, reverse=True))


@dataclass(frozen=True, slots=True)
class Service:
    """What is there. `public` is None where it could not be read; versions come newest first.

    `url` is as gcloud names it: on Cloud Run the service's, on App Engine that of the version that serves,
    since gcloud's answers hold no other there.
    """

    place: Place
    url: str | None
    public: bool | None
    versions: tuple[Version, ...]

    @property
    def serving(self) -> Version | None:
        """The version with the largest share of the traffic; None when none has any."""
        most = max(self.versions, key=lambda version: version.traffic, default=None)
        return most if most is not None and most.traffic > 0 else None

    def divided(self, names: tuple[str, ...] | None = None) -> tuple[list[Version], list[Version]]:
        """What the kit made for this target, by these names only where some are given; and all the rest."""
        ours = [
            version
            for version in self.versions
            if version.target == self.place.target and (names is None or version.name in names)
        ]
        return ours, [version for version in self.versions if version not in ours]

    @property
    def ours(self) -> bool:
        """Whether the kit made what serves (or, where nothing serves, all that is there)."""
        if self.serving is not None:
            return self.serving.target is not None
        return all(version.target is not None for version in self.versions)


@dataclass(frozen=True, slots=True)
class Release:
    """One deployment about to be made.

    Attributes:
        place: where to.
        version: its name on App Engine, its tag and revision suffix on Cloud Run.
        folder: what is uploaded. On App Engine, whose variables all stand in app.yaml, it is the bundle
            rendered again with this release's own; elsewhere the bundle as `kit render` makes it.
        digest: of the bundle and of whatever else makes two releases differ, settings included; not of what
            is new in each release anyway (the proof's hour).
        environment: this release's own variables (`STREAMPROOF_PROOF_UNTIL`, the marker, a token's SHA-256).
        settings: the target's own, as `Config.of` gives them.
        creates: whether the service does not exist yet, so that this release will serve at once.
        proof_token: what the proof is shown, in clear; None where it asks for nothing.
    """

    place: Place
    version: str
    folder: Path
    digest: str
    environment: Mapping[str, str]
    settings: Mapping[str, Any]
    creates: bool
    proof_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Removal:
    """One thing that `destroy` would remove.

    Attributes:
        what: in words.
        command: the line that does it; None where none can: then it stays, and `what` says why.
        error: why it could not be looked for, where that is why.
    """

    what: str
    command: Command | None
    error: KitError | None = None


def made(found: Service | None, place: Place, name: str) -> tuple[Service, Version]:
    """The service and, in it, the version that was just deployed. Raises KitError where it is not listed."""
    if found is not None:
        for version in found.versions:
            if version.name == name:
                return found, version
    raise KitError(
        Code.NOT_FOUND_IN_CLOUD,
        f"{name} was deployed to the service {place.service}, but gcloud does not list it.",
        f"Look again in a minute: kit status {place.target}",
    )


def costs(service: Service) -> Literal["nothing", "requests", "always"]:
    """What a service costs, as far as it is instances that cost."""
    running = [version for version in service.versions if version.running]
    if any(version.min_instances for version in running):
        return "always"
    return "requests" if running else "nothing"


class Host(Protocol):
    """One platform, for one place. Every method raises KitError with one sentence and its remedy.

    `line` is given each line that gcloud prints while it works.
    """

    place: Place

    async def look(self, listed: Any = None) -> Service | None:
        """What is there now; None when there is no such service.

        Args:
            listed: what gcloud has just told of all the platform's services in the project, where that is
                how they are listed (App Engine's versions), so that it is not asked once more.
        """

    def deployment(self, release: Release) -> tuple[Command, ...]:
        """The lines that `deploy` would run, in order, for a dry run."""

    async def deploy(self, release: Release, line: Line) -> tuple[Service, Version]:
        """Upload, build and create, without traffic unless the service is new; what is there then.

        The version's `url` is the one to probe, read from gcloud.
        """

    async def promote(self, version: str, line: Line) -> None:
        """Send all traffic to this version."""

    async def start(self, version: str, line: Line) -> None:
        """Let a stopped version run again; nothing where versions cannot be stopped."""

    async def stop(self, version: str, line: Line) -> None:
        """Stop what a version without traffic would cost; nothing where it costs nothing."""

    async def open(self, line: Line) -> None:
        """Let everybody call the service; nothing where everybody may."""

    async def removals(self, *, versions: tuple[str, ...] | None = None) -> tuple[Removal, ...]:
        """What of the kit's making is there to be removed, in the order in which it must go.

        Args:
            versions: those only; None for all of them, with images, staged archives and the service itself.
        """

    def costs(self, service: Service) -> Literal["nothing", "requests", "always"]:
        """What the service costs now: nothing, only while it is asked, or always (a running Flex version)."""
