"""Removing what the kit made: listed first, in the order in which it must go, and safe to repeat."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from kit.cloud.gcloud import Gcloud
from kit.cloud.host import Host, Removal
from kit.cloud.record import Record
from kit.errors import KitError
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
    """What came of it: what is gone, what an error left, and what nobody can remove."""

    target: str
    removed: tuple[str, ...]
    left: tuple[str, ...]
    kept: tuple[str, ...] = ()
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
    """
    return tuple(await asyncio.gather(*(_destroy(one, gcloud, record, watcher) for one in clearings)))


async def _destroy(clearing: Clearing, gcloud: Gcloud, record: Record, watcher: DeployWatcher) -> Cleared:
    target = clearing.target
    if clearing.error is not None:
        watcher.finished(target, LaneState.FAILED, clearing.error.message)
        return Cleared(target, (), (), (), clearing.error)
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
            return Cleared(target, tuple(removed), left, kept, error)
        removed.append(removal.what)
    record.drop(target)
    watcher.finished(target, LaneState.OK, "removed" if removed else "nothing to remove")
    return Cleared(target, tuple(removed), (), kept)
