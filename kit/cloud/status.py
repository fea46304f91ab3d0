"""How what was deployed stands: what the record says beside what is in the cloud now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from kit.cloud.record import Deployment
from kit.errors import KitError
from kit.platforms import load
from kit.platforms.platform import Host
from kit.platforms.service import Costs, Place, Service, Version
from kit.times import clock, epoch_s, in_words

Role = Literal["serving", "held-back", "earlier", "not-ours"]


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
        if version.traffic > 0:
            return "serving"
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
            if version.running and version.min_instances and version.target is not None
        )

    @property
    def stops_the_costs(self) -> tuple[str, ...]:
        """The lines that end them; none where none are known, or they are not the kit's to end."""
        idle = [version.name for version in self.running if not version.traffic]
        stop = load(self.place.platform).stop_line(self.place, *idle) if idle else None
        lines = [] if stop is None else [stop.line]
        if any(version.traffic for version in self.running) or (idle and not lines):
            lines.append(f"kit destroy {self.target}")
        return tuple(lines)


async def status(
    deployments: Sequence[Deployment], host_of: Callable[[Place], Host] | None
) -> tuple[DeploymentStatus, ...]:
    """How each of them stands; what cannot be asked bears its error, and the others stand all the same.

    Args:
        deployments: what the record says.
        host_of: who asks the cloud; None to leave it at the record.
    """
    if host_of is None:
        return tuple(DeploymentStatus(one.place, one, asked=False) for one in deployments)
    return tuple(await asyncio.gather(*(look(one.place, one, host_of(one.place)) for one in deployments)))


async def look(place: Place, known: Deployment | None, host: Host) -> DeploymentStatus:
    """How one place stands. Never raises a `KitError`: it is in what is returned."""
    try:
        service = await host.look()
    except KitError as error:
        return DeploymentStatus(place, known, asked=True, error=error)
    return DeploymentStatus(place, known, asked=True, service=service)


def is_overdue(deployment: Deployment, now_s: float) -> bool:
    """Whether the time at which it was to be removed has passed."""
    expires_s = epoch_s(deployment.expires_at)
    return expires_s is not None and expires_s <= now_s


def overdue(deployments: Iterable[Deployment], now_s: float) -> str | None:
    """One line that says what should be gone by now and how to remove it; None when nothing should."""
    late = [one for one in deployments if is_overdue(one, now_s)]
    if not late:
        return None
    *most, last = sorted(one.target for one in late)
    names = f"{', '.join(most)} and {last}" if most else last
    since_s = min(epoch_s(one.expires_at) or now_s for one in late)
    return (
        f"{names} {'were' if most else 'was'} to be removed at {clock(since_s, now_s)} "
        f"({in_words(now_s - since_s)} ago): kit destroy {' '.join((*most, last))}"
    )
