"""A version's trial, before it may serve: it runs, it is measured at its own URL, and the gate judges it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from kit.cloud.release import PROOF_TOKEN_SHA256, PROOF_UNTIL
from kit.errors import Code, KitError
from kit.events import Step, Watch, output_of
from kit.flows.gate import Judgement, judge
from kit.platforms.deployment import Deployment, State
from kit.platforms.platform import Host
from kit.platforms.service import TOKEN_SHA256, Release, Service, Version
from kit.proof.lane import Lane
from kit.proof.verdict import Shape
from kit.report.view import lane_view
from kit.targets import Target

# Measures a version at its own URL, both arms: (target, URL, the service it belongs to, its name, what its
# proof is shown) → lanes.
Measure = Callable[[Target, str, Service, str, str | None], Awaitable[Sequence[Lane]]]


def keep_closed(service: Service, release: Release) -> None:
    """Raises where callers must show a token now, and would not have to any more, unasked."""
    serving = service.serving
    if serving is None or serving.token_sha256 is None or TOKEN_SHA256 in release.environment:
        return
    raise KitError(
        Code.NOT_READY_TO_DEPLOY,
        f"{serving.name} wants a token of its callers, and this would open it.",
        "Set KIT_TOKEN to that token."
        if release.preview is not None
        else "--require-token with KIT_TOKEN set keeps it, --require-token alone makes a new one, "
        "--no-require-token none.",
    )


async def started(host: Host, service: Service, version: Version, watch: Watch) -> tuple[Service, Version]:
    """Let the version run, where it does not; what is there then."""
    if version.running and version.ready:
        return service, version
    name = host.place.target
    watch(Step(name, f"starting {version.name}"))
    await host.start(version.name, output_of(name, watch))
    if not version.ready:  # it may have got its URL just now
        service = await host.look() or service
        version = next((one for one in service.versions if one.name == version.name), version)
    return service, version


async def measured(
    measure: Measure,
    target: Target,
    service: Service,
    version: Version,
    url: str,
    proof_token: str | None,
    watch: Watch,
) -> tuple[Sequence[Lane], Judgement]:
    """What the version does at `url`, and what the gate says of that."""
    watch(Step(target.name, f"measuring {url}"))
    lanes = await measure(target, url, service, version.name, proof_token)
    return lanes, judge([lane_view(lane, target) for lane in lanes], target)


def entry(
    release: Release,
    service: Service | None,
    version: Version | None,
    state: State,
    now_s: float,
    lanes: Sequence[Lane] = (),
) -> Deployment:
    """What to put on record of a release."""
    verdicts = {lane.header: str(lane.verdict) for lane in lanes}
    blocks = {lane.header: lane.block_bytes for lane in lanes if lane.shape is Shape.BLOCKS}
    until = release.environment.get(PROOF_UNTIL)
    return replace(
        Deployment.seen(release.place, service, version, state),
        digest=release.digest,
        deployed_at=datetime.fromtimestamp(now_s, UTC).isoformat(timespec="seconds"),
        verdict_on=verdicts.get("on"),
        verdict_off=verdicts.get("off"),
        blocks_on=blocks.get("on"),
        blocks_off=blocks.get("off"),
        proof_until=float(until) if until is not None else None,
        token_sha256=release.environment.get(TOKEN_SHA256),
        # One that the user gave the service is not for us to keep.
        proof_token=release.proof_token if PROOF_TOKEN_SHA256 in release.environment else None,
    )
