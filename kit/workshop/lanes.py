"""From services to the workshop's lanes: what is asked of each, in each arm that it has."""

from __future__ import annotations

from collections.abc import Mapping

from kit.config import Config
from kit.flows.deployed import lanes_of
from kit.flows.lanes import BOTH, arms_of, ask, in_arm
from kit.lab.lab import Lab
from kit.probe.client import Ask
from kit.probe.spec import LaneSpec
from kit.proof.lane import Arm
from kit.targets import Target

Specs = Mapping[str, Mapping[Arm, LaneSpec]]


async def in_lab(lab: Lab, targets: Mapping[str, Target], config: Config, *, timeout_s: float) -> Specs:
    """The lanes of a lab that runs."""
    has = await arms_of(config, ask(config, next(iter(lab.services.values()))), timeout_s=timeout_s)
    return {
        name: {
            arm: in_arm(
                config,
                LaneSpec(name, ask(config, url), expected=targets[name].expect[arm], timeout_s=timeout_s),
                arm,
                has,
            )
            for arm in has
        }
        for name, url in lab.urls.items()
    }


def named(
    asks: Mapping[str, Ask], targets: Mapping[str, Target], config: Config, *, timeout_s: float
) -> Specs:
    """The lanes of services that run elsewhere, by name."""
    like = LaneSpec("", Ask("GET", ""), timeout_s=timeout_s)
    specs: dict[str, dict[Arm, LaneSpec]] = {name: {} for name in asks}
    for spec in lanes_of(asks, targets, BOTH, like, config):
        specs[spec.target][spec.header] = spec
    return specs
