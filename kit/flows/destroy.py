"""Removing what the kit made: listed first, in the order in which it must go, and safe to repeat."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from kit.cloud.gcloud import Gcloud
from kit.cloud.host import Host, Removal
from kit.cloud.record import Record
from kit.errors import KitError
from kit.flows.rebuild import recorded
from kit.flows.side_by_side import side_by_side
from kit.proof.lane import LaneState
from kit.report.deploying import DeployWatcher


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
    clearings: Sequence[Clearing], gcloud: Gcloud, record: Record, watcher: DeployWatcher
) -> tuple[Cleared, ...]:
    """Remove it all, the places side by side, each place's things in order.

    What cannot be removed keeps what comes after it in its place, and the record; the other places go on.
    Only what was removed whole is dropped from the record.
    """
    return await side_by_side(_destroy(one, gcloud, record, watcher) for one in clearings)


async def _destroy(clearing: Clearing, gcloud: Gcloud, record: Record, watcher: DeployWatcher) -> Cleared:
    target = clearing.target
    if clearing.error is not None:
        watcher.finished(target, LaneState.FAILED, clearing.error.message)
        return Cleared(target, error=clearing.error)
    if not clearing.removals:
        watcher.finished(target, LaneState.INCONCLUSIVE, "on record, and not found")
        return Cleared(target, missing=True)
    removed: list[str] = []
    kept = tuple(removal.what for removal in clearing.removals if removal.command is None)
    for number, removal in enumerate(clearing.removals):
        if removal.command is None:
            continue
        watcher.step(target, f"removing {removal.what}")
        try:
            await gcloud.run(removal.command, log=f"destroy-{target}", line=partial(watcher.line, target))
        except KitError as error:
            left = tuple(one.what for one in clearing.removals[number:] if one.command is not None)
            watcher.finished(target, LaneState.FAILED, error.message)
            return Cleared(target, tuple(removed), left, kept, error=error)
        removed.append(removal.what)
    unread = next((removal.error for removal in clearing.removals if removal.error is not None), None)
    if unread is not None:
        watcher.finished(target, LaneState.FAILED, unread.message)
        return Cleared(target, tuple(removed), (), kept, error=unread)
    try:
        if kept:
            await _keep(clearing.host, record)
        else:
            await asyncio.to_thread(record.drop, target)
    except KitError as error:
        watcher.finished(target, LaneState.FAILED, error.message)
        return Cleared(target, tuple(removed), (), kept, error=error)
    watcher.finished(target, LaneState.OK, "removed" if removed else "nothing to remove")
    return Cleared(target, tuple(removed), (), kept)


async def _keep(host: Host, record: Record) -> None:
    """Put on record what is left of a service, as it is now; there is no more to be reminded of."""
    target = host.place.target
    known = record.of(target)
    with suppress(KitError):  # then what is on record already stays as it is
        service = await host.look()
        known = (recorded(service, target, known) if service is not None else None) or known
    if known is not None:
        await asyncio.to_thread(record.put, replace(known, expires_at=None))
