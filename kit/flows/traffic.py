"""Sending all the traffic of a service to another version: forward by `promote`, back by `rollback`.

Nothing is measured here: the user who names a version takes the responsibility for it, and is shown what the
gate had said of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kit.cloud.record import Record
from kit.errors import Code, Exit, KitError
from kit.language import text
from kit.platforms import load
from kit.platforms.command import Line
from kit.platforms.deployment import Deployment
from kit.platforms.findings import taken
from kit.platforms.platform import Host
from kit.platforms.service import Service, Version
from kit.probe.client import Ask
from kit.probe.ready import wait_until_version
from kit.probe.rollout import Kept
from kit.proof.version import ExpectedVersion


def newest(service: Service, target: str, wanted: str | None = None) -> Version:
    """The version that `promote` means: the one named, else the newest of ours that does not serve.

    Raises:
        KitError: there is none.
    """
    if wanted is not None:
        return _named(service, target, wanted)
    serving = service.serving
    for version in service.versions:
        if _waits(version) and not version.is_anothers(service.place):
            if serving is not None and (version.created_at or "") < (serving.created_at or ""):
                break
            return version
    raise KitError(
        Code.NOTHING_DEPLOYED,
        text("{target} has no version that waits to be promoted.", target=target),
        text(
            "`kit status {target}` shows what there is; name one with --version, or go back with `kit "
            "rollback {target}`.",
            target=target,
        ),
    )


def earlier(service: Service, target: str, known: Deployment | None, wanted: str | None = None) -> Version:
    """The version that `rollback` returns to: the one named, else the one that served before.

    Raises:
        KitError: there is none.
    """
    if wanted is not None:
        return _named(service, target, wanted)
    serving = service.serving
    remembered = known.previous if known is not None else None
    ours = [version for version in service.versions if _waits(version)]
    for version in ours:
        if version.name == remembered:
            return version
    for version in (one for one in ours if not one.is_anothers(service.place)):
        if serving is None or (version.created_at or "") < (serving.created_at or ""):
            return version
    raise KitError(
        Code.NOTHING_DEPLOYED,
        text("{target} has no earlier version to go back to.", target=target),
        text("`kit status {target}` shows what there is.", target=target),
    )


def keep_anothers(service: Service, known: Deployment) -> None:
    """Raises KitError NOT_READY_TO_DEPLOY where what serves may be another app's: its traffic stays."""
    theirs = service.not_this_apps(known.versions)
    if theirs is not None:
        text, remedy = taken(service.place, theirs)
        raise KitError(Code.NOT_READY_TO_DEPLOY, text, remedy)


def _waits(version: Version) -> bool:
    """Whether it is of the kit's making, meant to serve, and without traffic."""
    return version.target is not None and version.preview is None and version.traffic == 0


async def switch(
    host: Host, record: Record, service: Service, version: Version, line: Line, kept: Kept
) -> Service:
    """Let the version run, send it all the traffic, and stop what it replaces; what is there afterwards.

    The order matters: no caller is without an answer in between, also if it is interrupted.
    """
    target, was = host.place.target, service.serving
    if not (version.running and version.ready):
        line(text("starting {name}", name=version.name))
        await host.start(version.name, line)
    if version.traffic < 1:
        line(text("sending all traffic to {name}", name=version.name))
        await moved(host, service, version, line, kept)
    if was is not None and was.name != version.name:
        # On record before the last step: what is still to be stopped must not be forgotten.
        _note(record, target, service, version, was)
        line(text("stopping {name}", name=was.name))
        await stop(host, was, was.name, line, kept)
    after = await host.look() or service
    known = record.of(target)
    if known is not None and known.url != after.url:  # App Engine's is that of the version that serves
        record.put(replace(known, url=after.url))
    return after


async def moved(host: Host, service: Service, version: Version, line: Line, kept: Kept) -> None:
    """Send a version all the traffic, and wait until it answers at its service's URL; not for ever.

    Some platforms move traffic late. What was replaced is stopped next, and until then callers may still be
    sent there.
    """
    kept.at("began")
    await host.promote(version.name, line)
    within_s = load(service.place.platform).moves_within_s
    if within_s and service.url is not None:
        wanted = ExpectedVersion(version.name, says=True)
        await wait_until_version(Ask("GET", service.url), wanted, within_s=within_s, waiting=line)
    kept.at("moved", version.url)


async def stop(host: Host, was: Version | None, name: str, line: Line, kept: Kept) -> None:
    """Stop what was replaced, if it would cost money all the time; `was`: that version as it was seen."""
    ends = was is not None and was.name == name and was.stops and was.min_instances > 0
    if ends:
        kept.at("stopping")
    await host.stop(name, line)
    if ends:
        kept.at("stopped")


def _note(record: Record, target: str, service: Service, version: Version, was: Version) -> None:
    known = record.of(target)
    same = known is not None and known.version == version.name
    known = known or Deployment.seen(service.place, service, version, "serving")
    record.put(
        replace(
            known,
            version=version.name,
            version_url=version.url,
            digest=version.digest,
            created_at=version.created_at,
            state="serving",
            previous=was.name,
            # What was measured of another version says nothing of this one.
            verdict_on=known.verdict_on if same else None,
            verdict_off=known.verdict_off if same else None,
            blocks_on=known.blocks_on if same else None,
            blocks_off=known.blocks_off if same else None,
            proof_until=known.proof_until if same else None,
            proof_token=known.proof_token if same else None,
            token_sha256=version.token_sha256,
        )
    )


def _named(service: Service, target: str, wanted: str) -> Version:
    for version in service.versions:
        if version.name == wanted and version.preview is not None and version.traffic == 0:
            raise KitError(
                Code.NOT_READY_TO_DEPLOY,
                text(
                    "{wanted} is the preview {preview}, and a preview is never promoted.",
                    wanted=wanted,
                    preview=version.preview,
                ),
                text("Deploy what it shows: `kit deploy {target}`.", target=target),
            )
        if version.name == wanted:
            return version
    raise KitError(
        Code.NOTHING_DEPLOYED,
        text("{target} has no version {wanted!r}.", target=target, wanted=wanted),
        text("There are: {listed}.", listed=_listed(service.versions)),
        exit=Exit.USAGE,
    )


def _listed(versions: Sequence[Version]) -> str:
    names = [version.name for version in versions]
    return (
        ", ".join(names[:8]) + (text(" and {what} more", what=len(names) - 8) if len(names) > 8 else "")
        or "none"
    )
