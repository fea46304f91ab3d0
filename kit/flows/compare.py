"""Several lanes side by side: first every answer at once, what a room would see, then every proof."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import TypeGuard

from kit import __version__
from kit.events import Answered, Arrived, Asked, Judged, LaneKey, LanesBegun, ProofStep, Stage, Watch, silent
from kit.flows.clients import for_both
from kit.flows.contract import Asking, ask_clauses, in_question
from kit.language import text
from kit.probe.lane import LaneProbe
from kit.probe.measured import Measured
from kit.probe.polling import PollingProbe
from kit.probe.spec import LaneSpec, as_browser, names_coding
from kit.proof.conditions import accepts
from kit.proof.doubts import Doubt
from kit.proof.lane import Comparison, Environment, Lane
from kit.proof.verdict import in_words
from kit.proof.version import held_against
from kit.times import stamp

# Proofs begin a moment apart: all at once, their pings would measure each other, and a slow ping hides
# a hold.
APART_S = 0.2


async def compare(specs: Sequence[LaneSpec], environment: Environment, watch: Watch = silent) -> Comparison:
    """Measure the lanes side by side.

    Each is asked as a browser asks, and by proof also as a client that accepts no compression, unless its
    request says what it accepts. A lane that cannot be measured bears its error; the others are measured all
    the same.

    Args:
        specs: one a lane; target, arm and delivery together name it.
        environment: where they were measured, for the report.
        watch: is given each event, as it happens.
    """
    started = stamp(time.time())
    async with AsyncExitStack() as stack:
        probes = [await stack.enter_async_context(_probe(spec)) for spec in specs]
        watch(LanesBegun(tuple(_key(spec) for spec in specs)))
        await asyncio.gather(*(probe.find() for probe in probes))
        if any(probe.reachable for probe in probes):
            several = len(probes) > 1
            watch(
                Stage(
                    text("The same question to every lane at once: when does the answer arrive?")
                    if several
                    else text("Asking once, as a client would: when does the answer arrive?")
                )
            )
            await asyncio.gather(*(_answer(probe, watch) for probe in probes))
        if any(probe.provable for probe in probes):
            watch(Stage(text("The proof: each event is sent only after the one before has arrived.")))
        lanes = await asyncio.gather(
            *(
                _prove(probe, watch, place * APART_S, given=names_coding(spec.ask))
                for place, (probe, spec) in enumerate(zip(probes, specs, strict=True))
            )
        )
    # Their own connections are closed by now, on which a small server would wait.
    lanes = await _with_clauses(probes, lanes, watch)
    return Comparison(environment, started, __version__, specs[0].prompt if specs else "", tuple(lanes))


def _probe(spec: LaneSpec) -> Measured:
    spec = replace(spec, ask=as_browser(spec.ask))
    return PollingProbe(spec) if spec.delivery == "polling" else LaneProbe(spec)


async def _answer(probe: Measured, watch: Watch) -> None:
    if not probe.reachable:
        return
    key = _key(probe.spec)
    watch(Asked(key))
    await probe.answer(lambda arrival: watch(Arrived(key, arrival)))
    watch(Answered(key))


async def _prove(probe: Measured, watch: Watch, after_s: float, *, given: bool) -> Lane:
    await asyncio.sleep(after_s)
    spec, stepped = probe.spec, partial(_step, watch, _key(probe.spec))
    lane = held_against(await probe.prove(stepped), spec.version, probe.versions)
    if spec.expected is None and spec.promised is not None:
        lane = replace(lane, expected=spec.promised[lane.header])
    if isinstance(probe, LaneProbe):
        if not accepts(probe.conditions.coding, probe.received.headers.get("content-encoding", "")):
            lane = replace(lane, doubts=(Doubt.CODING_NOT_ACCEPTED, *lane.doubts))
        lane = replace(lane, asked_as="given") if given else await for_both(probe, lane, stepped)
    if _has_clauses(probe, lane):  # which decide its mark too
        stepped(
            text(
                "its answer: {verdict}",
                verdict=in_words(lane.verdict, lane.shape, lane.block_bytes, lane.hold_ms),
            )
        )
    else:
        watch(Judged(lane))
    return lane


def _step(watch: Watch, key: LaneKey, text: str) -> None:
    watch(ProofStep(key, text))


def _has_clauses(probe: Measured, lane: Lane) -> TypeGuard[LaneProbe]:
    return isinstance(probe, LaneProbe) and bool(probe.spec.contract.clauses) and lane.error is None


async def _with_clauses(probes: Sequence[Measured], lanes: Sequence[Lane], watch: Watch) -> list[Lane]:
    """The lanes with what was found of the clauses that are asked of them."""
    found = list(lanes)
    askings = dict[int, Asking]()
    for place, (probe, lane) in enumerate(zip(probes, lanes, strict=True)):
        if _has_clauses(probe, lane):
            key = _key(probe.spec)
            askings[place] = Asking.of(probe, lane, partial(_step, watch, key))
    if not askings:
        return found
    watch(Stage(in_question(one.spec for one in askings.values())))
    for place, clauses in zip(askings, await ask_clauses([*askings.values()]), strict=True):
        found[place] = replace(found[place], clauses=clauses)
        watch(Judged(found[place]))
    return found


def _key(spec: LaneSpec) -> LaneKey:
    return LaneKey(spec.target, spec.header, spec.delivery)
