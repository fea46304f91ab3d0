"""From services to the workshop's lanes: what is asked of each, in each arm that it has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from kit.cloud.tokens import Runs, expiry, renewed
from kit.config import Config
from kit.flows.deployed import lanes_of
from kit.flows.described import as_described
from kit.flows.lanes import BOTH, arms_of, ask, in_arm
from kit.lab.lab import Lab
from kit.probe.address import Headers
from kit.probe.client import Ask
from kit.probe.spec import LaneSpec
from kit.proof.lane import Arm
from kit.targets import Target
from kit.workshop.cors import origin_of

# What a lane's proof takes after its answer, and how far two machines' clocks may be apart.
_MARGIN_S = 300.0

Specs = Mapping[str, Mapping[Arm, LaneSpec]]


async def in_lab(
    lab: Lab,
    targets: Mapping[str, Target],
    config: Config,
    *,
    timeout_s: float,
    say: Callable[[str], None] = lambda text: None,
) -> Specs:
    """The lanes of a lab that runs; `say` is called with how a user's app is asked, if it says so itself."""
    directly = next(iter(lab.services.values()))
    config = await as_described(config, directly, timeout_s=timeout_s, say=say)
    has = await arms_of(config, ask(config, directly), timeout_s=timeout_s)
    return {
        name: {
            arm: in_arm(
                config,
                LaneSpec(
                    name,
                    ask(config, url),
                    expected=targets[name].expect[arm],
                    timeout_s=timeout_s,
                    proof_token=lab.proof_token,
                    deadline_s=config.deadline_s(targets[name]),
                ),
                arm,
                has,
            )
            for arm in has
        }
        for name, url in lab.urls.items()
    }


def named(
    asks: Mapping[str, Ask],
    targets: Mapping[str, Target],
    config: Config,
    *,
    timeout_s: float,
    proof_token: str | None = None,
    proof_tokens: Mapping[str, str | None] | None = None,
    http2: bool = False,
) -> Specs:
    """The lanes of services that run elsewhere, by name; `proof_tokens` as `lanes_of` takes them."""
    like = LaneSpec("", Ask("GET", ""), proof_token=proof_token, http2=http2, timeout_s=timeout_s)
    specs: dict[str, dict[Arm, LaneSpec]] = {name: {} for name in asks}
    for arm in BOTH:
        for spec in lanes_of(asks, targets, (arm,), like, config, proof_tokens=proof_tokens):
            specs[spec.target][arm] = spec
    return specs


class Renewal:
    """Identity tokens for a session that outlasts them: Cloud Run's are good for an hour.

    Args:
        gcloud: who gives them.
        timeout_s: how long a lane's answer may take; a token must last longer.
        now: epoch seconds.
    """

    def __init__(self, gcloud: Runs, *, timeout_s: float, now: Callable[[], float] = time.time) -> None:
        self._gcloud = gcloud
        self._lasts_s = timeout_s + _MARGIN_S
        self._now = now
        self._latest: dict[str, Headers] = {}  # by the service's origin
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, spec: LaneSpec) -> LaneSpec:
        """The lane with an identity token that outlasts it, where it has one at all.

        Raises:
            KitError: no other is to be had.
        """
        origin = origin_of(spec.ask.url)
        async with self._one_at_a_time:
            headers = self._latest.get(origin, spec.ask.headers)
            until = expiry(headers)
            if until is not None and until - self._now() < self._lasts_s:
                headers = self._latest[origin] = await renewed(headers, self._gcloud, origin)
        return replace(spec, ask=replace(spec.ask, headers=headers))
