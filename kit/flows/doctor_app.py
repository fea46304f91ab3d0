"""A user's own app examined before anything is deployed: behind each platform's emulated front."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kit.config import Config
from kit.errors import KitError, UsageError
from kit.events import Announced, Event, Stage, Watch, silent, stages
from kit.flows.described import as_described
from kit.flows.doctor import DoctorSpec, doctor
from kit.flows.emulated import through, with_unsourced
from kit.flows.lanes import arms_of, ask
from kit.lab.lab import Lab
from kit.lab.lanes import prepare
from kit.language import text
from kit.proof.contract import Clause
from kit.proof.diagnosis import AppExamined, Diagnosis
from kit.proof.quick_check import Observation, State
from kit.proof.verdict import Verdict
from kit.targets import Target


async def doctor_app(
    targets: Mapping[str, Target],
    names: Sequence[str],
    config: Config,
    root: Path,
    spec: DoctorSpec,
    watch: Watch = silent,
) -> AppExamined:
    """Examine the app that the configuration names: by itself, then behind each front.

    Args:
        targets: all there are, by name.
        names: which of them; none for all.
        config: whose app it is, and how it is asked.
        root: where the bundles go.
        spec: how it is examined; its own request is of no consequence.
        watch: is given each event, as it happens.

    Raises:
        KitError: the app cannot be packaged, started or asked, or not again and again.
    """
    say = stages(watch)
    say(text("Packaging the app as it would be deployed."))
    lanes = prepare(targets, names, config, root)
    async with Lab(lanes, say=say, answers_within_s=spec.timeout_s) as lab:
        base = next(iter(lab.services.values()))
        described = await as_described(config, base, timeout_s=spec.timeout_s, say=say)
        if described is not config and not spec.repeat_ok:
            raise may_repeat(ask(described, base).method)
        config = described
        directly = replace(spec, ask=ask(config, base), as_it_is=True, proof_token=lab.proof_token)
        arms = await arms_of(config, directly.ask, timeout_s=spec.timeout_s)
        directly = replace(directly, header="on" if "on" in arms else "off")
        say(text("Asking the app itself, with no front before it."))
        itself = await doctor(directly)
        directly = replace(
            directly,
            known_direct=_seen(itself),
            known_stream=_stream(itself),
            known_cancelled=next(
                (one for one in itself.lane.clauses if one.clause is Clause.CANCELLED), None
            ),
        )
        # A front may freeze its service from the first answer on: it is not asked directly any more.
        examining = asyncio.gather(
            *(
                doctor(
                    replace(
                        directly,
                        ask=ask(config, url),
                        deadline_s=config.deadline_s(targets[name]),
                        contract=through(targets[name].front, spec.contract),
                    ),
                    _named(name, watch),
                )
                for name, url in lab.urls.items()
            )
        )
        found = {}
        for name, one in zip(lab.urls, await lab.unless_it_dies(examining), strict=True):
            if through(targets[name].front, spec.contract) != spec.contract:
                one = replace(one, lane=with_unsourced(one.lane, directly.known_cancelled))
            found[name] = _with_the_apps_own(one, itself)
        return AppExamined(itself, found)


def may_repeat(method: str) -> KitError:
    """Why a request that is no GET is not sent again and again unasked."""
    return UsageError(
        text(
            "The app is asked three times by itself and once or more behind each front; a "
            "{method} may cost or change something each time.",
            method=method,
        ),
        text("Say --allow-repeat if that may be, or have it asked otherwise: --method GET."),
    )


def _named(name: str, watch: Watch) -> Watch:
    """The stages of one among several examinations, each with its name before it."""

    def named(event: Event) -> None:
        if isinstance(event, Stage | Announced):
            watch(Stage(text("{name}: {headline}", name=name, headline=event.text)))

    return named


def _seen(itself: Diagnosis) -> Observation:
    """What the app does by itself, as one observation: the whole of it, its answer's own path included."""
    holding = [cause for cause in itself.causes if cause.holds]
    if itself.verdict is Verdict.INCREMENTAL and not holding:
        return Observation(State.STREAMS, text("the app itself streams"))
    if holding:
        return Observation(State.HELD, holding[0].because, proven=False)
    last = itself.rows[-1].observation
    return replace(last, proven=False)


def _stream(itself: Diagnosis) -> Observation | None:
    """What the proof's own streams did with no front before the app, if all of them passed."""
    proof = [row.observation for row in itself.rows if row.observation.proven]
    return proof[-1] if proof and all(one.streams for one in proof) else None


def _with_the_apps_own(behind: Diagnosis, itself: Diagnosis) -> Diagnosis:
    """A front that holds the stream hides what the app does to it: that stays when the front is changed."""
    if behind.verdict is Verdict.INCREMENTAL and not behind.causes:
        return behind
    known = {cause.cause for cause in behind.causes}
    hidden = [cause for cause in itself.causes if cause.holds and cause.cause not in known]
    return replace(behind, causes=(*behind.causes, *hidden))
