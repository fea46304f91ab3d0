"""A target's deployment: what is on record of it, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Self

from kit.errors import KitError
from kit.platforms import load
from kit.platforms.service import Costs, Place, Service, Version
from kit.schema import STRICT
from kit.times import epoch_s

State = Literal["serving", "held-back", "unfinished", "failed"]
Role = Literal["serving", "held-back", "earlier", "preview", "not-ours", "another-app"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What the kit deployed last for one target.

    Attributes:
        target, platform, project, region, service, within: where, as `Place` has it.
        url: the service's, as gcloud named it; None where it was not named yet.
        version: its name; a revision's on Cloud Run. None where none was made yet.
        version_url: of this version alone, as gcloud named it; None where it has none.
        digest: of what it was made from (see `kit.cloud.release`); None where unknown.
        state: "serving"; "held-back", where it was made but given no traffic; "unfinished", where the kit was
            interrupted; "failed".
        public: whether every caller is let in.
        created_at: when the version was made, ISO 8601 in UTC; None where unknown.
        deployed_at: when the kit began to deploy it, likewise.
        verdict_on, verdict_off: what the gate measured with the header sent and without; None where it did
            not measure.
        blocks_on, blocks_off: the size of the blocks that it then came in, in octets; None for no blocks.
        previous: the version that served before; None where there was none.
        expires_at: when the user wanted it removed, ISO 8601 in UTC; None for never.
        proof_until: epoch seconds until which its proof is open; None where unknown.
        token_sha256: of the token that its callers must show, in hexadecimal; None where they need none. The
            token itself has 256 random bits, which this does not give away.
        proof_token: what its proof is shown until then, in clear; None where it asks for nothing.
        app: the mark of the app, as `Place` has it; None where an older kit deployed it.
    """

    __pydantic_config__ = STRICT

    target: str
    platform: str
    project: str
    region: str | None = None
    service: str
    within: str | None = None
    url: str | None = None
    version: str | None = None
    version_url: str | None = None
    digest: str | None = None
    state: State
    public: bool
    created_at: str | None = None
    deployed_at: str | None = None
    verdict_on: str | None = None
    verdict_off: str | None = None
    blocks_on: int | None = None
    blocks_off: int | None = None
    previous: str | None = None
    expires_at: str | None = None
    proof_until: float | None = None
    token_sha256: str | None = None
    proof_token: str | None = field(default=None, repr=False)
    app: str | None = None

    @classmethod
    def seen(cls, place: Place, service: Service | None, version: Version | None, state: State) -> Self:
        """What the cloud itself says of it; what only a run of the kit knows is left empty."""
        return cls(
            target=place.target,
            platform=place.platform,
            project=place.project,
            region=place.region,
            service=place.service,
            within=place.within,
            url=service.url if service is not None else None,
            version=version.name if version is not None else None,
            version_url=version.url if version is not None else None,
            digest=version.digest if version is not None else None,
            state=state,
            public=bool(service is not None and service.public),
            created_at=version.created_at if version is not None else None,
            deployed_at=version.created_at if version is not None else None,
            token_sha256=version.token_sha256 if version is not None else None,
            app=place.app,
        )

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(
            self.target, self.platform, self.project, self.region, self.service, self.within, self.app
        )

    @property
    def versions(self) -> tuple[str, ...]:
        """Those that it names."""
        return tuple(name for name in (self.version, self.previous) if name is not None)


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """How one target stands.

    Attributes:
        place: where it is, or was looked for.
        deployment: what the record says; None where it says nothing.
        asked: whether the cloud was asked.
        service: what is there; None where nothing is, or it was not asked, or the answer was an error.
        error: why it could not be looked at.
    """

    place: Place
    deployment: Deployment | None
    asked: bool
    service: Service | None = None
    error: KitError | None = None

    @property
    def target(self) -> str:
        return self.place.target

    @property
    def gone(self) -> bool:
        """Whether the cloud has no such service."""
        return self.asked and self.error is None and self.service is None

    @property
    def url(self) -> str | None:
        """Where it answers, by the cloud's word rather than the record's."""
        if self.service is not None:
            return self.service.url
        return None if self.gone or self.deployment is None else self.deployment.url

    @property
    def public(self) -> bool | None:
        """Whether it is public; None where unknown."""
        public = self.service.public if self.service is not None else None
        return public if public is not None or self.deployment is None else self.deployment.public

    @property
    def costs(self) -> Costs | None:
        """What it costs now; None where unknown."""
        return None if self.service is None else self.service.costs

    def role(self, version: Version) -> Role:
        """What a version of the service is there for."""
        if version.target is None:
            return "not-ours"
        if version.is_anothers(self.place):
            return "another-app"
        if version.traffic > 0:
            return "serving"
        if version.preview is not None:
            return "preview"
        known = self.deployment
        if known is not None and known.version == version.name and known.state == "held-back":
            return "held-back"
        serving = self.service.serving if self.service is not None else None
        newer = (epoch_s(version.created_at) or 0) > (epoch_s(serving.created_at if serving else None) or 0)
        return "held-back" if newer else "earlier"

    @property
    def running(self) -> tuple[Version, ...]:
        """The kit's versions that cost money now, asked or not."""
        if self.costs != "always" or self.service is None:
            return ()
        return tuple(
            version
            for version in self.service.versions
            if version.running
            and version.min_instances
            and version.target is not None
            and not version.is_anothers(self.place)
        )

    @property
    def rates(self) -> str:
        """The prices of what costs all the time, with their date; empty where none does, or none is known."""
        return load(self.place.platform).rates if self.costs == "always" else ""

    @property
    def stops_the_costs(self) -> tuple[str, ...]:
        """The lines that end them; none where none are known, or they are not the kit's to end."""
        idle = [version for version in self.running if not version.traffic]
        stoppable = [version.name for version in idle if version.stops]
        stop = load(self.place.platform).stop_line(self.place, *stoppable) if stoppable else None
        lines = [] if stop is None else [stop.line]
        always = self.service is not None and self.service.always
        stopped = len(stoppable) if lines else 0
        if always or any(version.traffic for version in self.running) or len(idle) > stopped:
            lines.append(f"kit destroy {self.target}")
        return tuple(lines)


def is_overdue(deployment: Deployment, now_s: float) -> bool:
    """Whether the time at which it was to be removed has passed."""
    expires_s = epoch_s(deployment.expires_at)
    return expires_s is not None and expires_s <= now_s
