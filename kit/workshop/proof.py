"""A proof whose steps a browser takes: `kit.proof.lockstep` says what to do, the page does it and reports.

Nothing is judged in the browser. It need not even know what an event is: it waits for octets, of which the
proof's events have an exact number.
"""

from __future__ import annotations

from math import inf
from typing import Any, TypeAlias

from kit.errors import Code, KitError
from kit.probe.http_errors import shown
from kit.probe.origin import end_path, feed_path, new_stream, ping_path, reply_of, stream_url
from kit.probe.proof_runner import ProofRequest
from kit.proof.actions import (
    Action,
    Await,
    End,
    Feed,
    Leave,
    Observed,
    Open,
    Pair,
    Pass,
    Ping,
    Reply,
    Wait,
)
from kit.proof.events import LineDecoder
from kit.proof.lockstep import LockStep
from kit.proof.received import Received
from kit.proof.sse import SSEDecoder
from kit.proof.verdict import Finding
from kit.workshop.browser_report import Answered, BrowserReport, receive

# A step as the page takes it: {"do": "ask" | "open" | "wait" | "go on", …}.
Step: TypeAlias = dict[str, Any]


class BrowserProof:
    """One proof, step by step.

    Args:
        request: how to ask, its `base` as the browser reaches it.
    """

    def __init__(self, request: ProofRequest) -> None:
        self._request = request
        self._machine = LockStep()
        self._moves = self._machine.run()
        self._action: Action | None = None
        self._received: Received | None = None
        self._id = ""
        self._ordered: list[int] = []  # the octets of each event so far

    @property
    def evidence(self) -> tuple[str, ...]:
        """What was done and seen so far."""
        return tuple(self._machine.evidence)

    def step(self, report: BrowserReport | None, reads: list[tuple[float, bytes]]) -> Step | Finding:
        """The next step, or the finding.

        Args:
            report: of the step before; None for the first step.
            reads: what came on the open stream since.

        Raises:
            KitError: the stream could not be opened, or is not the protocol's.
        """
        if report is None:
            return self._next(None)
        self._take_in(report, reads)
        if report.more:
            return {"do": "go on"}
        reply = _reply(report.reply)
        if isinstance(self._action, Feed) and reply is not None and reply.known:
            self._ordered.append(self._action.bytes)
        return self._next(Observed(report.now_ms, reply, self._received))

    def _take_in(self, report: BrowserReport, reads: list[tuple[float, bytes]]) -> None:
        received = self._received
        if received is None:
            return
        if report.failed:
            raise KitError(
                Code.UNREACHABLE,
                f"The browser could not open the proof's stream at {shown(self._request.base)}.",
                "Look at whether the service still runs, and whether it lets this page ask (CORS).",
            )
        if report.head is not None:
            received.head(report.head.at, report.head.status, report.head.headers)
        receive(report, reads, received, self._request.base)

    def _next(self, observed: Observed | None) -> Step | Finding:
        try:
            while True:
                self._action = next(self._moves) if observed is None else self._moves.send(observed)
                step = self._step(self._action)
                if step is not None:
                    return step
                # Nothing to do for it.
                observed = Observed(0.0 if observed is None else observed.now_ms, None, self._received)
        except StopIteration as stop:
            finding: Finding = stop.value
            return finding

    def _step(self, action: Action) -> Step | None:
        base = self._request.base
        match action:
            case Ping():
                return _ask("GET", f"{base}/{ping_path(self._id)}", action.within_ms)
            case Feed():
                return _ask("POST", f"{base}/{feed_path(self._id, action.bytes)}", action.within_ms)
            case End():
                return _ask("POST", f"{base}/{end_path(self._id)}", action.within_ms) if self._id else None
            case Open():
                return self._open(action)
            case Await():
                return {"do": "wait", "octets": self._octets(action), "within_ms": action.within_ms}
            case Pass() | Pair() | Leave() | Wait():  # the proof's own streams are fed
                raise NotImplementedError

    def _open(self, action: Open) -> Step:
        at = self._request.at
        self._id, self._ordered = new_stream(), [action.bytes]
        self._received = Received(SSEDecoder() if at.framing == "sse" else LineDecoder())
        url = stream_url(self._request.base, self._id, mode=action.mode, size=action.bytes, at=at)
        return {"do": "open", "method": at.method, "url": url, "headers": {"Accept": at.accept}}

    def _octets(self, action: Await) -> float | None:
        """How many octets to wait for; None for the stream's end."""
        least = action.octets
        if action.events <= len(self._ordered):
            least = min(least, sum(self._ordered[: int(action.events)]))
        return None if least == inf else least


def _ask(method: str, url: str, within_ms: float) -> Step:
    return {"do": "ask", "method": method, "url": url, "within_ms": within_ms}


def _reply(answered: Answered | None) -> Reply | None:
    if answered is None:
        return None
    return reply_of(answered.status, answered.body.encode(), answered.sent_ms, answered.arrived_ms)
