"""A lane that was measured as a browser asks, measured as a client that accepts no compression as well.

By proof alone: that costs the service nothing. The answer is not asked for twice, since it may cost money.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import urlsplit

from kit.language import join, text
from kit.probe.experiments import ProofExperiments, origin_of
from kit.probe.lane import LaneProbe, judged_bytes
from kit.proof.clients import PLAIN, beside
from kit.proof.conditions import Conditions
from kit.proof.experiments import Experiment
from kit.proof.lane import Arm, Lane
from kit.proof.quick_check import Observation, State
from kit.proof.verdict import Method, Verdict

_Observe = Callable[[Conditions, bool], Awaitable[Observation]]


async def for_both(probe: LaneProbe, lane: Lane, stepped: Callable[[str], None]) -> Lane:
    """The lane with what the other client sees, where a proof can tell.

    What is held uncompressed is held for every client alike, so that is not tried again.

    Args:
        probe: measured as a browser asks.
        lane: what came out.
        stepped: called with each new line of evidence.
    """
    lane = replace(lane, asked_as="browser")
    base, streams = probe.found.base, lane.verdict is Verdict.INCREMENTAL
    compressed = "content-encoding" in probe.received.headers
    decided = lane.error is None and lane.verdict is not Verdict.INCONCLUSIVE
    if base is None or not probe.pings or not decided or not (streams or compressed):
        return lane
    experiments = ProofExperiments(
        origin_of(probe.spec, probe.found),
        probe.pings,
        secure=urlsplit(base).scheme == "https",
        event_bytes=judged_bytes(probe.spec, probe.line),
        timeout_s=probe.spec.timeout_s,
    )

    async def observe(at: Conditions, whole: bool) -> Observation:
        # Where side requests do not reach the stream, only a whole proof can do without them.
        seen = await experiments.observe(Experiment(at, PLAIN, whole or lane.method is Method.PAUSE))
        # Whether it is compressed is where the two may differ.
        differs = [name for name in probe.unlike(experiments.heads.get(at, {})) if name != "Content-Encoding"]
        said = text("the proof's stream differs from the answer in {differs}", differs=join(", ", differs))
        return Observation(State.UNDECIDED, said) if differs else seen

    stepped(text("the same {plain}", plain=PLAIN))
    # A hop may hide that the answer bears `X-Accel-Buffering: no`.
    hidden = lane.header == "off" and not probe.header_is_known
    return beside(
        lane, await plainly(probe.conditions, ("off", "on") if hidden else (lane.header,), streams, observe)
    )


async def plainly(at: Conditions, headers: tuple[Arm, ...], streams: bool, observe: _Observe) -> Observation:
    """What the plain client sees; that it differs is believed only where a browser's stream does not.

    Args:
        at: as a browser asks.
        headers: whether the answer bears `X-Accel-Buffering: no`, what is likelier first.
        streams: whether the answer streams to a browser.
        observe: makes an experiment, a whole one or not.
    """
    for header in headers:
        browser = replace(at, header=header)
        plain = replace(browser, coding="")
        seen = await observe(plain, False)
        if seen.state is State.UNDECIDED or seen.streams == streams:
            return seen
        if (await observe(browser, False)).streams == streams:
            whole = await observe(plain, True) if streams else seen
            return (
                whole
                if whole.streams != streams
                else Observation(State.UNDECIDED, text("held once, and not again"))
            )
    return Observation(State.UNDECIDED, text("a browser's proof stream does not fare as its answer does"))
