"""Deployments on record as lanes to be measured: where, and what to show to be let in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from kit.cloud.tokens import Runs, credentials, identity_token
from kit.config import Config
from kit.errors import Code, KitError
from kit.flows.described import as_described
from kit.flows.lanes import BOTH, ask, in_arm
from kit.language import text
from kit.platforms import load
from kit.platforms.deployment import Deployment
from kit.platforms.platform import Host
from kit.platforms.service import Place
from kit.probe.client import Ask
from kit.probe.ready import wait_until_version
from kit.probe.spec import LaneSpec
from kit.proof.lane import Wanted
from kit.proof.version import ExpectedVersion
from kit.targets import Target

_DESCRIBED_WITHIN_S = 60.0


async def asks(
    deployments: Sequence[Deployment],
    config: Config,
    *,
    token: str | None,
    gcloud: Runs,
    host_of: Callable[[Place], Host] | None,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Ask]:
    """By target, what to ask of each deployment that has a URL.

    A private service is asked with an identity token, at the URL that gcloud names for it now;
    gcloud is needed for nothing else.

    Args:
        deployments: as on record.
        config: whose app is asked where it streams; the kit's own service at its origin.
        token: the services' own token; None for none.
        gcloud: who gives the identity token.
        host_of: who asks the cloud; None where the record is what gcloud told in this very run.
        say: called with how a user's app is asked, where it says so itself.

    Raises:
        KitError: a private service is gone, or no token is to be had for it.
    """
    there = [one for one in deployments if one.url is not None]
    made = await asyncio.gather(*(_ask(one, config, token, gcloud, host_of, say) for one in there))
    return dict(zip((one.target for one in there), made, strict=True))


def lanes_of(
    asked: Mapping[str, Ask],
    targets: Mapping[str, Target],
    arms: Sequence[Wanted],
    like: LaneSpec,
    config: Config | None = None,
    versions: Mapping[str, ExpectedVersion | None] | None = None,
    proof_tokens: Mapping[str, str | None] | None = None,
) -> list[LaneSpec]:
    """A lane for each of them in each arm, with its platform's promise unless `like` has another.

    As it is, an answer is held to the promise for what it bears.

    Args:
        asked: by target, what to ask.
        targets: all there are, by name.
        arms: which arms to measure.
        like: whatever else a lane has.
        config: whose app they are; None for what is asked as the user gave it.
        versions: by target, the version whose verdict is wanted; any's where there is none.
        proof_tokens: by target, what its proof is shown, where that is on record.
    """
    lanes = []
    for name, one in asked.items():
        for arm in arms:
            promised = targets[name].expect if name in targets and like.at_most is None else None
            expected = like.expected
            if promised is not None and arm != "as-is":
                expected = expected or promised[arm]
            wanted = (versions or {}).get(name)
            token = (proof_tokens or {}).get(name) or like.proof_token
            lane = replace(
                like,
                target=name,
                ask=one,
                expected=expected,
                promised=promised,
                version=wanted,
                proof_token=token,
                deadline_s=config.deadline_s(targets[name]) if config and name in targets else None,
            )
            # Through a front it cannot be seen which arms an app has: one may take the header away.
            lanes.append(in_arm(config or Config(), lane, arm, BOTH))
    return lanes


def asks_identity(one: Deployment) -> bool:
    """Whether its callers show an identity token of Google's."""
    return not (one.public or load(one.platform).open_to_all)


def serving(one: Deployment, *, says: bool = False) -> ExpectedVersion | None:
    """The version that should answer at a deployment's URL, by the record; None where it does not tell.

    `says`: whether it is known to say of itself which it is.
    """
    if one.state == "serving":
        return None if one.version is None else ExpectedVersion(one.version, says)
    if one.state == "held-back":
        return None if one.previous is None else ExpectedVersion(one.previous)
    return None


async def settled(
    specs: Sequence[LaneSpec],
    waiting: Callable[[str], None],
    *,
    within_s: float | None = None,
    let_in_s: float = 0.0,
) -> bool:
    """Wait until each lane's version is what answers there, as long as its answer may take or `within_s`.

    `waiting` is called with what answers instead; `let_in_s` as in `wait_until_version`. Returns whether any
    had to be waited for.
    """
    places = {spec.ask.url: (spec, spec.version) for spec in specs if spec.version is not None}
    waited = await asyncio.gather(
        *(
            wait_until_version(
                spec.ask,
                version,
                within_s=spec.timeout_s if within_s is None else within_s,
                let_in_s=let_in_s,
                waiting=waiting,
                proof_url=spec.proof_url,
            )
            for spec, version in places.values()
        )
    )
    return any(waited)


async def _ask(
    one: Deployment,
    config: Config,
    token: str | None,
    gcloud: Runs,
    host_of: Callable[[Place], Host] | None,
    say: Callable[[str], None],
) -> Ask:
    url, public, identity = one.url or "", one.public, None
    if host_of is not None and asks_identity(one):
        service = await host_of(one.place).look()
        if service is None or service.url is None:
            raise KitError(
                Code.NOT_FOUND_IN_CLOUD,
                text(
                    "{target} is on record as {service}, and no such service is there any more.",
                    target=one.target,
                    service=one.service,
                ),
                "kit status --refresh rebuilds the record from what is in the cloud.",
            )
        url, public = service.url, service.public is True
    if asks_identity(replace(one, public=public)):
        identity = await identity_token(gcloud, url)
    headers = credentials(url, identity=identity, token=token)
    config = await as_described(config, url, headers, timeout_s=_DESCRIBED_WITHIN_S, say=say)
    return ask(config, url, headers)
