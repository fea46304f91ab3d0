"""Removing what the kit made: listed first, in the order in which it must go, and safe to repeat."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from kit.cloud.record import Record
from kit.errors import KitError
from kit.events import Finished, Step, Watch, output_of
from kit.flows.rebuild import recorded
from kit.flows.side_by_side import side_by_side
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.platform import Host
from kit.platforms.service import Removal
from kit.proof.lane import LaneState


@dataclass(frozen=True, slots=True)
class Clearing:
    """What is to be removed for one target; `error` where nobody could look."""

    host: Host
    removals: tuple[Removal, ...] = ()
    error: KitError | None = None

    @property
    def target(self) -> str:
        """The target's name."""
        return self.host.place.target


@dataclass(frozen=True, slots=True)
class Cleared:
    """What came of it.

    Attributes:
        target: its name.
        removed: what is gone.
        left: what an error left there.
        kept: what no command removes; it stays on record.
        missing: whether it is on record, and nothing of it was found: it stays on record, too, since the
            account or the project that was asked may be another.
        error: why not all was removed.
    """

    target: str
    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    missing: bool = False
    error: KitError | None = None


async def survey(hosts: Sequence[Host]) -> tuple[Clearing, ...]:
    """What the kit made in each place; nothing is touched."""
    return tuple(await asyncio.gather(*map(_survey, hosts)))


async def _survey(host: Host) -> Clearing:
    try:
        return Clearing(host, await host.removals())
    except KitError as error:
        return Clearing(host, error=error)


async def destroy(
    clearings: Sequence[Clearing],
    gcloud: Gcloud,
    record: Record,
    watch: Watch,
    so_far: dict[str, Cleared] | None = None,
) -> tuple[Cleared, ...]:
    """Remove it all, the places side by side, each place's things in order.

    What cannot be removed keeps what comes after it in its place, and the record; the other places go on.
    Only what was removed whole is dropped from the record.

    Args:
        clearings: what is to go, a place each.
        gcloud: removes it.
        record: what is on record; hold its lock.
        watch: is given each event, as it happens.
        so_far: kept up to date, by target, for a caller that is interrupted.
    """
    came = {} if so_far is None else so_far
    for one in clearings:
        left, kept = (
            tuple(removal.what for removal in one.removals if (removal.command is None) is stays)
            for stays in (False, True)
        )
        missing = one.error is None and not one.removals
        came[one.target] = Cleared(one.target, (), left, kept, missing, one.error)
    await side_by_side(_destroy(one, gcloud, record, watch, came) for one in clearings)
    return tuple(came[one.target] for one in clearings)


async def _destroy(
    clearing: Clearing, gcloud: Gcloud, record: Record, watch: Watch, came: dict[str, Cleared]
) -> None:
    target, log = clearing.target, f"destroy-{clearing.target}"
    if came[target].missing:
        watch(Finished(target, LaneState.INCONCLUSIVE, "on record, and not found"))
        return
    try:
        if clearing.error is not None:
            raise clearing.error
        for removal in clearing.removals:
            if removal.command is None:
                continue
            watch(Step(target, f"removing {removal.what}"))
            await gcloud.run(removal.command, log=log, line=output_of(target, watch))
            now = came[target]
            came[target] = replace(now, removed=(*now.removed, removal.what), left=now.left[1:])
        for removal in clearing.removals:
            if removal.error is not None:
                raise removal.error
        if came[target].kept:
            await _keep(clearing.host, record)
        else:
            await asyncio.to_thread(record.drop, target)
    except KitError as error:
        watch(Finished(target, LaneState.FAILED, error.message))
        came[target] = replace(came[target], error=error)
        return
    watch(Finished(target, LaneState.OK, "removed" if came[target].removed else "nothing to remove"))


async def _keep(host: Host, record: Record) -> None:
    """Put on record what is left of a service, as it is now; there is no more to be reminded of."""
    target = host.place.target
    known = record.of(target)
    with suppress(KitError):  # then what is on record already stays as it is
        service = await host.look()
        known = (recorded(service, target, known) if service is not None else None) or known
    if known is not None:
        await asyncio.to_thread(record.put, replace(known, expires_at=None))
