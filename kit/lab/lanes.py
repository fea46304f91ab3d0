"""From targets to lanes: each bundle rendered as it would be for a deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kit.config import Config
from kit.errors import UsageError
from kit.lab.lab import LabLane
from kit.render import render, write
from kit.targets import FrontSpec, Target, check_names


def prepare(
    targets: Mapping[str, Target],
    names: Sequence[str],
    config: Config,
    root: Path,
    *,
    ports: Mapping[str, int] | None = None,
    fronts: Mapping[str, str] | None = None,
) -> list[LabLane]:
    """Render the named targets into `root` and make a lane of each.

    Args:
        targets: all there are, by name.
        names: which of them, in this order; none for all.
        config: what the bundles are rendered from.
        root: each bundle becomes a folder in it.
        ports: a port for a target's front; the others get free ones.
        fronts: target to the target whose front it gets instead of its own.

    Raises:
        KitError: unknown-target, bad-usage (a port or front for a target that has no lane), or whatever
            rendering raises.
    """
    ports, fronts = ports or {}, fronts or {}
    names = list(dict.fromkeys(names)) or list(targets)
    check_names((*names, *ports, *fronts, *fronts.values()), targets)
    for name in (*ports, *fronts):
        if name not in names:
            raise UsageError(
                f"{name} is given a port or a front, but is not among the targets of this lab.",
                f"Add {name} to the targets, or leave its port and front out.",
            )
    bundles = [render(targets[name], config) for name in names]
    return [
        LabLane(
            targets[name],
            write(bundle, root),
            bundle.start,
            front=_front(targets[fronts.get(name, name)], config),
            port=ports.get(name),
            own=config.app is not None,
            env=config.local_env,
        )
        for name, bundle in zip(names, bundles, strict=True)
    ]


def _front(target: Target, config: Config) -> FrontSpec:
    """The target's front, with the request timeout that the user set."""
    return replace(target.front, deadline_s=config.deadline_s(target))
