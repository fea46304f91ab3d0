"""How what was deployed stands: what the record says beside what is in the cloud now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from kit.errors import KitError
from kit.language import join, text
from kit.platforms.deployment import Deployment, DeploymentStatus, is_overdue
from kit.platforms.platform import Host
from kit.platforms.service import Place
from kit.times import clock, epoch_s, in_words


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


def overdue(deployments: Iterable[Deployment], now_s: float) -> str | None:
    """One line that says what should be gone by now and how to remove it; None when nothing should."""
    late = [one for one in deployments if is_overdue(one, now_s)]
    if not late:
        return None
    *most, last = sorted(one.target for one in late)
    since_s = min(epoch_s(one.expires_at) or now_s for one in late)
    were = text("{names} were to be removed at {time} ({span} ago): kit destroy {targets}")
    was = text("{names} was to be removed at {time} ({span} ago): kit destroy {targets}")
    return (were if most else was).format(
        names=join(" and ", [join(", ", most), last] if most else [last]),
        time=clock(since_s, now_s),
        span=in_words(now_s - since_s),
        targets=" ".join((*most, last)),
    )
