"""One target's way into the cloud: uploaded and built without traffic, measured, and only then promoted.

At every step what exists is on record, so that a run which was interrupted is carried on by the next.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from kit.cloud.record import Record
from kit.cloud.release import PROOF_TOKEN_SHA256, PROOF_UNTIL
from kit.errors import Code, KitError
from kit.events import Finished, Output, Step, Watch
from kit.flows.gate import Judgement
from kit.flows.rollout import Keep, no_streams
from kit.flows.traffic import moved, stop
from kit.flows.trial import Measure, entry, keep_closed, measured, started
from kit.language import text
from kit.outcome import Gate, Outcome, Result
from kit.platforms.deployment import Deployment, State
from kit.platforms.platform import Host
from kit.platforms.service import Release, Service, Version
from kit.probe.rollout import Kept
from kit.proof.lane import Lane
from kit.targets import Target

WriteRelease = Callable[[Release], None]

# A version whose proof closes within this time could not be measured to the end.
_PROOF_LEFT_S = 120
# After these nothing goes on.
_ENDED = (Code.API_OFF, Code.BILLING_OFF, Code.BUILD_FAILED, Code.GCLOUD_MISSING)


@dataclass(frozen=True, slots=True)
class Job:
    """One target and all that it needs.

    Attributes:
        target: which.
        host: where it goes.
        look: says what is there, at the beginning.
        release: makes this run's release, given whether the service is new.
        write: writes what the release needs beside the bundle.
        public: whether to make it public, once it passed the gate.
        gate: whether it is measured before it takes the traffic.
        again: deploy although nothing changed.
        expires_at: when the user wants it removed, ISO 8601; None for never.
        without_token: whether the user said that callers need show no token any more.
    """

    target: Target
    host: Host
    look: Callable[[], Coroutine[Any, Any, Service | None]]
    release: Callable[[bool], Release]
    write: WriteRelease
    public: bool = False
    gate: bool = True
    again: bool = False
    expires_at: str | None = None
    without_token: bool = False


class Deploying:
    """The deployment of one target. `run` never raises a `KitError`: it is in the outcome."""

    def __init__(
        self,
        job: Job,
        record: Record,
        watch: Watch,
        measure: Measure,
        keep: Keep = no_streams,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._job = job
        self._record = record
        self._watch = watch
        self._measure = measure
        self._keep = keep
        self._now_s = now_s
        self._name = job.target.name
        self._before = record.of(self._name)
        self._begun = False

    async def run(self) -> Outcome:
        """Deploy, measure, promote; what went wrong is told in the outcome, and what exists is on record."""
        try:
            outcome = await self._run()
        except KitError as error:
            outcome = await self._failed(error)
        self._watch(Finished(self._name, outcome.state, outcome.what))
        return outcome

    async def _run(self) -> Outcome:
        job, name = self._job, self._name
        self._watch(Step(name, text("looking at what is there")))
        service = await job.look()
        release = job.release(service is None)
        if service is not None:
            if not job.without_token:
                keep_closed(service, release)
            serving = None if job.again else service.serving
            if serving is not None and _is_the_same(serving, release) and self._is_finished(serving):
                return await self._unchanged(service, serving)
            found = None if job.again else self._unfinished(service, release)
            if found is not None:
                return await self._go_on(service, service, found, self._as_made(release, found))
            await self._clear_up(service)
        job.write(release)
        await self._note(release, service, None, "unfinished")
        self._begun = True
        self._watch(Step(name, text("uploading and building")))
        after, version = await job.host.deploy(release, self._line)
        await self._note(release, service, version, "unfinished")
        return await self._go_on(service, after, version, release)

    async def _go_on(
        self, before: Service | None, service: Service, version: Version, release: Release
    ) -> Outcome:
        """From a version that exists: measure it, then promote it or leave it without traffic."""
        job, name = self._job, self._name
        was = before.serving if before is not None else None
        previous = was.name if was is not None and was.name != version.name else self._replaced(version)
        service, version = await started(job.host, service, version, self._watch)
        lanes: Sequence[Lane] = ()
        judgement = Judgement(Gate.PASSED, text("Not measured (--no-gate)."))
        url = version.url or service.url
        if job.gate:
            if url is None:
                raise KitError(
                    Code.NOT_FOUND_IN_CLOUD,
                    text("gcloud names no URL for {name}, so it could not be measured.", name=version.name),
                    text(
                        "Look at it with `kit status {name}`; promote it with `kit promote {name}`.",
                        name=name,
                    ),
                )
            lanes, judgement = await measured(
                self._measure, job.target, service, version, url, release.proof_token, self._watch
            )
        serves = version.name == (service.serving.name if service.serving is not None else None)
        if not judgement.passed:
            return await self._hold_back(service, version, release, previous, lanes, judgement, serves=serves)
        moves = not serves and was is not None and was.name != version.name
        keep = self._keep if moves else no_streams
        async with keep(job.target, service, was or version, self._before) as kept:
            if not serves:
                await self._promote(service, version, previous, kept)
            if previous is not None:
                self._watch(Step(name, text("retiring {previous}", previous=previous)))
                await stop(job.host, was, previous, self._line, kept)
            if job.public:
                self._watch(Step(name, text("making it public")))
                await job.host.open(self._line)
            changed = not serves or previous is not None or job.public
            now = (await job.host.look() if changed else None) or service
            await self._note(release, now, version, "serving", lanes=lanes, previous=previous)
            rollout = await kept.finding(lambda text: self._watch(Step(name, text)))
        better = text(" Better than documented: please tell us.") if judgement.gate is Gate.BETTER else ""
        came = text("{reason} Serves: {url}") if serves else text("{reason} Promoted: {url}")
        return Outcome(
            name,
            Result.PROMOTED,
            came.format(reason=judgement.reason, url=now.url or url) + better,
            url=now.url or url,
            version=version.name,
            version_url=version.url,
            lanes=tuple(lanes),
            gate=judgement.gate if job.gate else None,
            rollout=rollout,
            costs=now.costs,
            next=f"kit open {name}",
        )

    async def _promote(self, service: Service, version: Version, previous: str | None, kept: Kept) -> None:
        """Send it the traffic, unless another has moved it meanwhile."""
        host, name = self._job.host, self._name
        # What was just uploaded and not measured was looked at a moment ago.
        now = service if self._begun and not self._job.gate else await host.look()
        serving = now.serving.name if now is not None and now.serving is not None else None
        if serving not in (previous, version.name):
            raise KitError(
                Code.CLOUD_BUSY,
                text(
                    "The traffic of {service} was sent to {serving} meanwhile, by another hand, so {name} "
                    "was not promoted.",
                    service=service.place.service,
                    serving=serving,
                    name=version.name,
                ),
                text("See `kit status {name}`; `kit promote {name}` promotes yours all the same.", name=name),
            )
        self._watch(Step(name, text("promoting {name}", name=version.name)))
        await moved(host, service, version, self._line, kept)

    async def _hold_back(
        self,
        service: Service,
        version: Version,
        release: Release,
        previous: str | None,
        lanes: Sequence[Lane],
        judgement: Judgement,
        *,
        serves: bool,
    ) -> Outcome:
        name = self._name
        if serves:
            await self._note(release, service, version, "serving", lanes=lanes)
            what = text(
                "{reason} It serves all the same: it is the service's first version, which the platform "
                "makes serve.",
                reason=judgement.reason,
            )
            result, following = Result.SERVES_ANYWAY, f"kit destroy {name}"
        else:
            self._watch(Step(name, text("stopping {name}", name=version.name)))
            await self._job.host.stop(version.name, self._line)
            await self._note(release, service, version, "held-back", lanes=lanes, previous=previous)
            keeps = text("; {previous} keeps serving", previous=previous) if previous else ""
            what = text("{reason} Not promoted{keeps}.", reason=judgement.reason, keeps=keeps)
            result, following = Result.NOT_PROMOTED, f"kit deploy {name}"
        now = service
        if version.min_instances and not (serves and version.running):  # what was started or stopped
            now = await self._job.host.look() or service
        return Outcome(
            name,
            result,
            what,
            url=now.url,
            version=version.name,
            version_url=version.url,
            lanes=tuple(lanes),
            gate=judgement.gate,
            costs=now.costs,
            next=following,
        )

    async def _unchanged(self, service: Service, serving: Version) -> Outcome:
        host = self._job.host
        if self._job.public and service.public is False:
            self._watch(Step(self._name, text("making it public")))
            await host.open(self._line)
        known = self._record.of(self._name)
        if known is not None:
            now = replace(
                known,
                expires_at=self._job.expires_at or known.expires_at,
                public=known.public or self._job.public,
            )
            await asyncio.to_thread(self._record.put, now)
        return Outcome(
            self._name,
            Result.UNCHANGED,
            text("Nothing changed: {name} serves already. --redeploy deploys it anew.", name=serving.name),
            url=service.url,
            version=serving.name,
            version_url=serving.url,
            costs=service.costs,
            next=f"kit open {self._name}",
        )

    async def _failed(self, error: KitError) -> Outcome:
        """What exists after a failure, as far as it can still be seen."""
        name, host = self._name, self._job.host
        known = self._record.of(name)
        service, looked = None, False
        with suppress(KitError):
            service, looked = await host.look(), True
        what = error.message
        try:
            if looked and service is None and await self._left_nothing(error):
                await asyncio.to_thread(self._record.drop, name)
            elif known is not None and known.state == "unfinished":
                await asyncio.to_thread(self._record.put, replace(known, state="failed"))
                if service is None:
                    what += text(
                        " Something of it may be there, or come yet: `kit status {name}` looks, `kit "
                        "destroy {name}` removes it.",
                        name=name,
                    )
        except KitError as unwritten:
            if unwritten.message not in what:
                what = text(
                    "{what} And that is not on record: {message}", what=what, message=unwritten.message
                )
        serving = service.serving if service is not None else None
        return Outcome(
            name,
            Result.FAILED,
            what,
            url=service.url if service is not None else None,
            version=serving.name if serving is not None else None,
            costs=service.costs if service is not None else None,
            next=f"kit deploy {name}",
            error=error,
        )

    async def _left_nothing(self, error: KitError) -> bool:
        """Whether Google itself ended what this run began, and neither it nor an earlier one left anything.

        After any other error, such as a lost connection, Google may go on with it.
        """
        if not (self._begun and self._before is None and error.code in _ENDED):
            return False
        with suppress(KitError):
            return not await self._job.host.removals()
        return False

    def _is_finished(self, serving: Version) -> bool:
        """Whether an earlier run brought it to its end: a first version serves before it was measured."""
        known = self._record.of(self._name)
        return known is None or known.state == "serving" or not _made(known, serving)

    async def _clear_up(self, service: Service) -> None:
        """Stop what an interrupted run left running and nothing needs: its version, or what that replaced."""
        known = self._record.of(self._name)
        if known is None or known.state not in ("unfinished", "failed"):
            return
        replaced = service.serving is not None and _made(known, service.serving)
        for version in service.versions:
            left = _made(known, version) or (replaced and version.name == known.previous)
            if left and version.running and not version.traffic:
                self._watch(
                    Step(
                        self._name,
                        text("stopping {name}, left by a run that did not finish", name=version.name),
                    )
                )
                await self._job.host.stop(version.name, self._line)

    def _unfinished(self, service: Service, release: Release) -> Version | None:
        """The same bundle, deployed by a run that did not get to its end, while its proof is still open."""
        known = self._record.of(self._name)
        if known is None or known.state == "serving":
            return None
        if known.proof_until is not None and known.proof_until < self._now_s() + _PROOF_LEFT_S:
            return None
        return next((version for version in service.versions if _is_the_same(version, release)), None)

    def _replaced(self, version: Version) -> str | None:
        """What this version took the traffic from, in a run that was interrupted right after."""
        known = self._record.of(self._name)
        return known.previous if known is not None and known.version in (None, version.name) else None

    def _as_made(self, release: Release, found: Version) -> Release:
        """This run's release, as the interrupted run made it."""
        known = self._record.of(self._name)
        environment = dict(release.environment)
        if known is not None and known.proof_until is not None:
            environment[PROOF_UNTIL] = str(known.proof_until)
        token = release.proof_token
        if known is not None and PROOF_TOKEN_SHA256 in environment:
            token = known.proof_token
        return replace(release, version=found.name, environment=environment, proof_token=token)

    async def _note(
        self,
        release: Release,
        service: Service | None,
        version: Version | None,
        state: State,
        *,
        lanes: Sequence[Lane] = (),
        previous: str | None = None,
    ) -> None:
        serving = service.serving if service is not None else None
        before = previous or (serving.name if serving is not None else None)
        now = replace(
            entry(release, service, version, state, self._now_s(), lanes),
            previous=before if version is None or before != version.name else previous,
            expires_at=self._job.expires_at,
        )
        await asyncio.to_thread(self._record.put, now)

    def _line(self, text: str) -> None:
        self._watch(Output(self._name, text))


def _is_the_same(version: Version, release: Release) -> bool:
    """Whether deploying this release would make nothing else; what bears another app's mark is another's."""
    return version.digest == release.digest and version.app == release.place.app


def _made(known: Deployment, version: Version) -> bool:
    """Whether the run on record made this version; a run that was interrupted may not know its name."""
    if known.version is not None:
        return version.name == known.version
    return version.digest is not None and version.digest == known.digest
