"""Thousands of streams at once, by Locust, and what became of them."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from kit.errors import UsageError
from kit.events import Announced, Finished, Output, Stage, Step, Watch
from kit.language import text
from kit.load import engine
from kit.load.engine import Fleet, Snapshot
from kit.load.plan import VARIABLE, Plan, Schedule
from kit.load.proof_user import ProofUser
from kit.load.result import LoadResult
from kit.load.slo import Objective, judge
from kit.load.tally import Tally
from kit.probe.address import in_ascii, same_origin
from kit.probe.client import Ask, Client, headers_of
from kit.probe.experiments import Origin, origin_of
from kit.probe.http_errors import bad_status, shown
from kit.probe.origin import discover
from kit.probe.spec import LaneSpec, as_our_service
from kit.probe.tls import trust_here
from kit.proof.conditions import Conditions, bears_accel, of_answer
from kit.proof.doubts import Doubt
from kit.report.load import progress

_ROW = "load"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What one request for the answer, left at its head, has shown.

    Attributes:
        plan: for Locust.
        at: the conditions of its streams.
        origin: the proof's; None where there is none.
        why_no_proof: why not.
    """

    plan: Plan
    at: Conditions
    origin: Origin | None
    why_no_proof: str = ""


async def prepare(spec: LaneSpec, schedule: Schedule) -> Prepared:
    """Ask once, so that what is wrong with the address is said before thousands ask.

    Raises:
        KitError: it cannot be asked, or does not answer with status 200.
    """
    async with Client(timeout_s=spec.timeout_s) as client:
        found = await discover(
            client,
            spec.ask.url,
            spec.ask.headers,
            within_ms=spec.timeout_s * 1000,
            proof_url=spec.proof_url,
            token=spec.proof_token,
        )
        ask = as_our_service(spec, found)
        async with client.stream(ask) as response:
            if response.status != 200:
                raise bad_status(ask, response.status, response.headers, await response.beginning())
            head, url = response.headers, response.url
    at = of_answer(
        ask.method,
        {name.lower(): value for name, value in ask.headers},
        head,
        header="on" if bears_accel(head) else "off",
        http2=False,
    )
    plan = plan_of(replace(ask, url=url), schedule, spec.timeout_s)
    if found.base is None:
        absent = found.why_not is Doubt.NO_PROOF
        why_not = text("the server does not speak the proof's protocol") if absent else found.why_not.remedy
        return Prepared(plan, at, None, why_not)
    return Prepared(plan, at, origin_of(spec, found))


def plan_of(ask: Ask, schedule: Schedule, timeout_s: float) -> Plan:
    """The request as Locust's processes send it."""
    address, trust = in_ascii(ask.url), trust_here()
    sent = headers_of(ask, urlsplit(address).netloc)
    return Plan(
        schedule,
        ask.method,
        address,
        tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in sent),
        None if ask.body is None else ask.body.decode(),
        timeout_s,
        trust.insecure,
        None if trust.cacert is None else str(Path(trust.cacert).absolute()),
    )


def line(ask: Ask, schedule: Schedule, timeout_s: float, fleet: Fleet) -> str:
    """Locust's line for a shell, without what the request is identified by. Nothing is asked."""
    open_to_all = same_origin(ask.headers, ask.url, "https://elsewhere.invalid")
    shut = [(name, value if (name, value) in open_to_all else "***") for name, value in ask.headers]
    plan = plan_of(replace(ask, headers=tuple(shut)), schedule, timeout_s)
    return f"{VARIABLE}={shlex.quote(plan.text)} {shlex.join(engine.command(plan, fleet))}"


class _Seen:
    """What Locust has said so far."""

    def __init__(self, schedule: Schedule, watch: Watch) -> None:
        self._schedule = schedule
        self._watch = watch
        self.snapshot = Snapshot(0, False, Tally())
        self.most_open = 0
        self.begun = asyncio.Event()
        self.checks: asyncio.Task[None] | None = None

    @property
    def open(self) -> int:
        return self.snapshot.tally.open

    def __call__(self, snapshot: Snapshot) -> None:
        text = progress(self._schedule, self.snapshot.tally, snapshot.tally)
        self.snapshot = snapshot
        # What was left was open until the last moment.
        self.most_open = max(self.most_open, self.open + (snapshot.tally.left if snapshot.last else 0))
        self.begun.set()
        if snapshot.last and self.checks is not None:
            self.checks.cancel()  # the load is over: what a check saw from now on would say nothing of it
        self._watch(Output(_ROW, text))


async def load(prepared: Prepared, fleet: Fleet, objectives: Sequence[Objective], watch: Watch) -> LoadResult:
    """Run it to its end. On cancellation it ends early, and says what it saw until then.

    Raises:
        KitError: LOAD_FAILED, TOO_FEW_FILES, PORT_IN_USE.
    """
    plan = prepared.plan
    schedule = plan.schedule
    fleet = engine.with_port(fleet)
    if not fleet.expected:
        engine.need_files(schedule.streams, fleet)
    seen = _Seen(schedule, watch)
    if fleet.expected:
        host, port = fleet.listens
        watch(
            Announced(
                text(
                    "Waiting for {expected} workers: kit load URL --join HOST:{port}, at {host}.",
                    expected=fleet.expected,
                    port=port,
                    host=host,
                )
            )
        )
    watch(
        Announced(
            text(
                "Opening {planned:,} streams of {shown}: a request each.",
                planned=schedule.planned,
                shown=shown(plan.url),
            )
        )
    )
    watch(Step(_ROW, text("{streams:,} streams", streams=schedule.streams)))
    user = None
    if prepared.origin is not None:
        user = ProofUser(prepared.origin, prepared.at, plan.timeout_s, lambda: seen.open)
        seen.checks = asyncio.create_task(user.check_each_second(seen.begun))
    try:
        whole = await engine.run(plan, fleet, seen)
    finally:
        if seen.checks is not None:
            seen.checks.cancel()
            with suppress(asyncio.CancelledError):
                await seen.checks
    tally = seen.snapshot.tally
    result = LoadResult(
        shown(plan.url),
        schedule,
        seen.snapshot.workers,
        tally,
        seen.most_open,
        tuple(judge(one, tally) for one in objectives),
        tuple(user.proofs) if user is not None else (),
        prepared.why_no_proof,
        not whole,
    )
    watch(
        Finished(
            _ROW,
            result.state,
            text("{started:,} streams, {events:,} events", started=tally.started, events=tally.events),
        )
    )
    return result


async def join(prepared: Prepared, fleet: Fleet, watch: Watch) -> bool:
    """Open streams for the load that another machine began, to its end; whether it came there.

    Raises:
        KitError: LOAD_FAILED, TOO_FEW_FILES.
    """
    if fleet.joins is None:
        raise UsageError("No load to join was named.", "Name its machine: --join HOST.")
    engine.need_files(0, fleet)
    host, port = fleet.joins
    watch(Stage(text("Joining the load at {host}:{port}, which may begin later.", host=host, port=port)))
    return await engine.run(prepared.plan, fleet, lambda snapshot: None)
