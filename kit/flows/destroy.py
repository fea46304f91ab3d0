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
from kit.language import text
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.platform import Host
from kit.platforms.service import Removal
from kit.proof.lane import LaneState


@dataclass(frozen=True, slots=True)
class RemovalPlan:
    """What is to be removed for one target.

    Attributes:
        host: where it is.
        removals: what, in order.
        error: why it could not be looked at.
        preview: the name of the preview that alone is to go; None for all that the kit made.
        expected: whether something of it should be there, so that nothing found is worth a word.
    """

    host: Host
    removals: tuple[Removal, ...] = ()
    error: KitError | None = None
    preview: str | None = None
    expected: bool = True

    @property
    def target(self) -> str:
        """The target's name."""
        return self.host.place.target

    @property
    def key(self) -> str:
        """What tells it from the others."""
        place = self.host.place
        return f"{place.target} {place.service} {self.preview or ''}"


@dataclass(frozen=True, slots=True)
class RemovalResult:
    """What came of it.

    Attributes:
        target: its name.
        removed: what is gone.
        left: what an error left there.
        kept: what no command removes; it stays on record.
        outlived: what the platform itself left behind, each with the line that removes it.
        missing: whether it is on record, and nothing of it was found: it stays on record, too, since the
            account or the project that was asked may be another.
        error: why not all was removed.
        preview: the name of the preview that alone was to go; None for all that the kit made.
    """

    target: str
    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    outlived: tuple[str, ...] = ()
    missing: bool = False
    error: KitError | None = None
    preview: str | None = None

    @property
    def again(self) -> str:
        """The line that goes on with it."""
        of_preview = f"kit preview {self.preview} {self.target} --close"
        return f"kit destroy {self.target}" if self.preview is None else of_preview


async def survey(hosts: Sequence[Host]) -> tuple[RemovalPlan, ...]:
    """What the kit made in each place; nothing is touched."""
    return tuple(await asyncio.gather(*map(_survey, hosts)))


async def _survey(host: Host) -> RemovalPlan:
    try:
        return RemovalPlan(host, await host.removals())
    except KitError as error:
        return RemovalPlan(host, error=error)


async def destroy(
    plans: Sequence[RemovalPlan],
    gcloud: Gcloud,
    record: Record,
    watch: Watch,
    so_far: dict[str, RemovalResult] | None = None,
) -> tuple[RemovalResult, ...]:
    """Remove it all, the places side by side, each place's things in order.

    What cannot be removed keeps what comes after it in its place, and the record; the other places go on.
    Only what was removed whole is dropped from the record.

    Args:
        plans: what is to go, a place each.
        gcloud: removes it.
        record: what is on record; hold its lock.
        watch: is given each event, as it happens.
        so_far: kept up to date, by `RemovalPlan.key`, for a caller that is interrupted.
    """
    came = {} if so_far is None else so_far
    for one in plans:
        left, kept = (
            tuple(removal.what for removal in one.removals if (removal.command is None) is stays)
            for stays in (False, True)
        )
        missing = one.error is None and not one.removals and one.expected
        came[one.key] = RemovalResult(
            one.target, left=left, kept=kept, missing=missing, error=one.error, preview=one.preview
        )
    await side_by_side(_destroy(one, gcloud, record, watch, came) for one in plans)
    return tuple(came[one.key] for one in plans)


async def _destroy(
    plan: RemovalPlan, gcloud: Gcloud, record: Record, watch: Watch, came: dict[str, RemovalResult]
) -> None:
    target, key, log = plan.target, plan.key, f"destroy-{plan.target}"
    if came[key].missing:
        watch(Finished(target, LaneState.INCONCLUSIVE, text("on record, and not found")))
        return
    try:
        if plan.error is not None:
            raise plan.error
        for removal in plan.removals:
            if removal.command is None:
                continue
            watch(Step(target, text("removing {what}", what=removal.what)))
            await gcloud.run(removal.command, log=log, line=output_of(target, watch))
            now = came[key]
            came[key] = replace(now, removed=(*now.removed, removal.what), left=now.left[1:])
        for removal in plan.removals:
            if removal.error is not None:
                raise removal.error
        if plan.preview is not None:
            await asyncio.to_thread(record.drop_preview, plan.preview, target)
            watch(
                Finished(
                    target, LaneState.OK, text("removed") if came[key].removed else text("nothing to remove")
                )
            )
            return
        if came[key].kept:
            await _keep(plan.host, record)
        else:
            await asyncio.to_thread(record.drop, target)
        remains = await plan.host.remains()
        came[key] = replace(came[key], outlived=tuple(one.what for one in remains))
    except KitError as error:
        watch(Finished(target, LaneState.FAILED, error.message))
        came[key] = replace(came[key], error=error)
        return
    watch(Finished(target, LaneState.OK, text("removed") if came[key].removed else text("nothing to remove")))


async def _keep(host: Host, record: Record) -> None:
    """Put on record what is left of a service, as it is now; there is no more to be reminded of."""
    target = host.place.target
    known = record.of(target)
    with suppress(KitError):  # then what is on record already stays as it is
        service = await host.look()
        known = (recorded(service, target, known) if service is not None else None) or known
    if known is not None:
        for name, _ in record.previews(target):  # a preview never serves, so it is gone
            await asyncio.to_thread(record.drop_preview, name, target)
        await asyncio.to_thread(record.put, replace(known, expires_at=None))
