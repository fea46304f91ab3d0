"""A service on a hosting platform: where it is, its versions, and a release that is about to be made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kit.errors import KitError
from kit.platforms.command import Command
from kit.times import epoch_s

Costs = Literal["nothing", "requests", "always"]

# Which versions are the kit's own, and which app's: App Engine has no labels, so there a name and variables
# mark them.
VERSION_PREFIX = "sp-"
VERSION_CHARACTERS = 11  # `sp-` and eight more: `kit.cloud.release.version_name`
PREVIEW_CHARACTERS = 8  # what `kit.cloud.release.preview_version` puts around the name of a preview
MARKER = "STREAMPROOF_BUNDLE"
# A variable and no label: on Cloud Run a label stays with all later revisions, and variables are set anew.
PREVIEW = "STREAMPROOF_PREVIEW"
TOKEN_SHA256 = "STREAMPROOF_TOKEN_SHA256"  # noqa: S105 - a name, no secret
TARGET_LABEL = "streamproof-target"
BUNDLE_LABEL = "streamproof-bundle"
APP_LABEL = "streamproof-app"
APP = "STREAMPROOF_APP"
KIT_APP = "streamproof"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a target goes.

    Attributes:
        target, platform, project: by their names.
        region: None on App Engine, whose app has one for ever.
        service: its name.
        within: what it is in there, as its platform writes it: on GKE the cluster and the namespace.
        app: the mark of the app that is deployed there (`kit.identity`); None where an older kit deployed it,
            which marked none. It is no part of where that is.
    """

    target: str
    platform: str
    project: str
    region: str | None
    service: str
    within: str | None = None
    app: str | None = field(default=KIT_APP, compare=False)


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
        min_instances: how many instances run although none is asked, as long as `running`.
        stops: whether `Host.stop` ends those.
        preview: the name of the preview that it is; None for what is meant to serve.
        tags: names at which it is asked beside its own, as Cloud Run has them.
        token_sha256: of the token that its callers must show, in hexadecimal; None where they need none.
        ready: whether it has all that it takes to be asked at `url`; else `Host.start` sees to it.
        app: the mark of the app that it was made from; None where it bears none, as an older kit's do.
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
    ready: bool = True
    stops: bool = True
    preview: str | None = None
    tags: tuple[str, ...] = ()
    app: str | None = None

    def is_anothers(self, place: Place) -> bool:
        """Whether the kit made it from another app than the one of this place."""
        return self.target is not None and self.app not in (None, place.app)


def newest_first(versions: Iterable[Version]) -> tuple[Version, ...]:
    """By the time when they were made; those of unknown time last."""
    return tuple(sorted(versions, key=lambda version: epoch_s(version.created_at) or 0.0, reverse=True))


@dataclass(frozen=True, slots=True)
class Service:
    """What is there. `public` is None where it could not be read; versions come newest first.

    `url` is as gcloud names it: on Cloud Run the service's, on App Engine that of the version that serves,
    since gcloud's answers hold no other there. `always` says that it costs although none of them runs.
    """

    place: Place
    url: str | None
    public: bool | None
    versions: tuple[Version, ...]
    always: bool = False

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
            if version.target == self.place.target
            and not version.is_anothers(self.place)
            and (names is None or version.name in names)
        ]
        return ours, [version for version in self.versions if version not in ours]

    @property
    def is_shared(self) -> bool:
        """Whether another app has versions here, which may need what was built under the service's name."""
        return any(version.is_anothers(self.place) for version in self.versions)

    @property
    def costs(self) -> Costs:
        """What it costs now: all the time, while it is asked, or nothing."""
        running = [version for version in self.versions if version.running]
        if self.always or any(version.min_instances for version in running):
            return "always"
        return "requests" if running else "nothing"

    @property
    def ours(self) -> bool:
        """Whether the kit made what serves (or, where nothing serves, all that is there)."""
        if self.serving is not None:
            return self.serving.target is not None
        return all(version.target is not None for version in self.versions)

    def not_this_apps(self, on_record: Collection[str]) -> Version | None:
        """What of the kit's making serves (or, where nothing serves, is there) and may be another app's.

        None for nothing: it is this app's by its mark, or because its name is `on_record` as deployed here.
        """
        for one in self.versions if self.serving is None else (self.serving,):
            marked = one.app is not None and one.app == self.place.app
            if one.target is not None and not marked and one.name not in on_record:
                return one
        return None


@dataclass(frozen=True, slots=True)
class Release:
    """One deployment about to be made.

    Attributes:
        place: where to.
        version: its name on App Engine, its tag and revision suffix on Cloud Run.
        preview: the name of the preview that it is, which is its tag on Cloud Run; None for what is to serve.
        folder: what is uploaded. On App Engine, whose variables all stand in app.yaml, it is the bundle
            rendered again with this release's own; elsewhere the bundle as `kit render` makes it.
        digest: of the bundle and of whatever else makes two releases differ, settings included; not of what
            is new in each release anyway (the proof's hour).
        environment: this release's own variables (`STREAMPROOF_PROOF_UNTIL`, the marker, a token's SHA-256).
        settings: the target's own, as `Config.of` gives them.
        creates: whether the service does not exist yet, so that this release will serve at once.
        proof_token: what the proof is shown, in clear; None where it asks for nothing.
        secrets: by variable the secret in the platform's keeping that is its value, "NAME:VERSION".
    """

    place: Place
    version: str
    folder: Path
    digest: str
    environment: Mapping[str, str]
    settings: Mapping[str, Any]
    creates: bool
    proof_token: str | None = field(default=None, repr=False)
    preview: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)


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
