"""The whole story on one machine: render, run behind the emulated fronts, measure, compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kit.config import Config
from kit.events import Stage, Watch, stages
from kit.flows.compare import compare
from kit.flows.described import as_described
from kit.flows.emulated import left_directly, through, with_unsourced
from kit.flows.lanes import arms_of, ask, in_arm, once_a_service, with_polling
from kit.lab.lab import Lab
from kit.lab.lanes import prepare
from kit.language import text
from kit.probe.spec import LaneSpec
from kit.proof.contract import UNASKED, ContractSpec
from kit.proof.lane import Arm, Comparison
from kit.targets import Target

# Measuring an arm that an app does not have would say of its answers what is not so.
_WITHOUT: Mapping[tuple[Arm, ...], str] = {
    ("on",): text("Your app always sends X-Accel-Buffering: no, so it is only measured with it."),
    ("off",): text("Your app does not send X-Accel-Buffering: no, so it is only measured without."),
}


async def demo(
    targets: Mapping[str, Target],
    names: Sequence[str],
    config: Config,
    root: Path,
    *,
    prompt: str,
    arms: Sequence[Arm],
    watch: Watch,
    fronts: Mapping[str, str] | None = None,
    isolated: bool = False,
    polling: bool = False,
    timeout_s: float = 60.0,
    contract: ContractSpec = UNASKED,
    each_lane: bool = False,
) -> Comparison:
    """Everything from the bundles to the verdicts; nothing is left running.

    Args:
        targets: all there are, by name.
        names: which of them; none for all.
        config: what the bundles are rendered from.
        root: where the bundles go.
        prompt: the question that every lane is asked.
        arms: which arms to measure.
        watch: is given each event, as it happens.
        fronts: target to the target whose front it gets instead of its own: a demo that must fail.
        isolated: install each bundle's own requirements into an environment of its own first; a user's own
            app is always.
        polling: ask each target by polling as well.
        timeout_s: for each lane's answer.
        contract: which clauses to ask of each target.
        each_lane: ask them of each lane.

    Raises:
        KitError: a bundle could not be rendered or started, or a service or a front died meanwhile.
    """
    watch(Stage(text("Rendering the bundles that would be deployed.")))
    prepared = prepare(targets, names, config, root, fronts=fronts)
    watch(Stage(text("Starting each bundle behind its platform's front, emulated from documentation.")))
    # An installation takes a while and is worth a line; that a service is ready is not.
    say = stages(watch) if isolated or config.app is not None else lambda _: None
    async with Lab(prepared, isolated=isolated, say=say) as lab:
        directly = next(iter(lab.services.values()))
        config = await as_described(config, directly, prompt=prompt, timeout_s=timeout_s, say=stages(watch))
        has = await arms_of(config, ask(config, directly), timeout_s=timeout_s)
        if any(arm not in has for arm in arms):
            watch(Stage(_WITHOUT[has]))
        front = {name: targets[(fronts or {}).get(name, name)].front for name in lab.urls}
        unsourced = [name for name in lab.urls if through(front[name], contract) != contract]
        if unsourced:
            watch(
                Stage(
                    text("Does each service stop when its client leaves? No source says what its front does.")
                )
            )
        asks = {name: ask(config, lab.services[name]) for name in unsourced}
        leaving = left_directly(asks, contract, token=lab.proof_token, timeout_s=timeout_s)
        itself = await lab.unless_it_dies(leaving)
        specs = [
            in_arm(
                config,
                LaneSpec(
                    name,
                    ask(config, url),
                    prompt=prompt,
                    max_output_tokens=min(60, config.max_output_tokens),
                    expected=targets[name].expect[arm],
                    timeout_s=timeout_s,
                    proof_token=lab.proof_token,
                    deadline_s=config.deadline_s(targets[name]),
                    contract=through(front[name], contract),
                ),
                arm,
                has,
            )
            for name, url in lab.urls.items()
            for arm in ([arm for arm in arms if arm in has] or has)
        ]
        if not each_lane:
            specs = once_a_service(specs)
        measuring = compare(with_polling(specs) if polling else specs, "lab", watch)
        found = await lab.unless_it_dies(measuring)
        # A service is one, whatever header its answers bear.
        lanes = [with_unsourced(lane, itself.pop(lane.target, None)) for lane in found.lanes]
        return replace(found, lanes=tuple(lanes))
