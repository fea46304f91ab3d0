"""One lane of a run: found from here, then asked and proved by the browser, and judged here."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from kit.errors import Code, KitError
from kit.language import text
from kit.probe.address import Headers
from kit.probe.client import Ask, Client
from kit.probe.http_errors import bad_status, shown, silent
from kit.probe.lane import Proved, measured
from kit.probe.measured import PINGS
from kit.probe.origin import (
    Found,
    discover,
    end_path,
    feed_path,
    new_stream,
    ping_path,
    reply_of,
    stream_url,
)
from kit.probe.proof_runner import ProofRequest
from kit.probe.spec import LaneSpec, as_browser, as_our_service, beside_conditions
from kit.proof import answer
from kit.proof.clock import aligned
from kit.proof.conditions import ACCEPT, USUAL, Conditions, Switch, bears_accel, of_answer
from kit.proof.doubts import Doubt
from kit.proof.events import ChunkDecoder
from kit.proof.lane import Environment, Lane
from kit.proof.received import Received, decoder_of
from kit.proof.timeline import Timeline
from kit.proof.verdict import Finding, Method, Verdict
from kit.report.json import lane_data
from kit.workshop.browser_report import BrowserReport, receive
from kit.workshop.cors import may_ask
from kit.workshop.proof import BrowserProof, Step

if TYPE_CHECKING:
    from kit.report import wire

FINDS_WITHIN_S = 60.0
_BEAT_BYTES = 200
_LOOKS_WITHIN_S = 3.0  # before the page is shown


async def takes_of(client: Client, spec: LaneSpec, environment: Environment) -> dict[str, bool] | None:
    """Which of the page's controls do anything on a lane; None where that cannot be seen now.

    "question" goes for its speed and for polling as well. A user's app takes no question of the page's.
    """
    if environment != "url":
        return {"question": not spec.as_it_is, "header": True}
    try:
        async with asyncio.timeout(_LOOKS_WITHIN_S):
            found = await _found(client, spec, within_s=_LOOKS_WITHIN_S)
    except (KitError, TimeoutError):
        return None
    return {"question": as_our_service(spec, found).body != spec.ask.body, "header": found.speaks}


async def _found(client: Client, spec: LaneSpec, *, within_s: float) -> Found:
    ask = spec.ask
    return await discover(
        client, ask.url, ask.headers, within_ms=within_s * 1000, proof_url=None, token=spec.proof_token
    )


class LaneRun:
    """One lane of a run: found from here, then asked and proved by the browser.

    Attributes:
        spec: what is measured.
        relayed: whether the browser asks it through the page's server.
        lane: what came out; None as long as nothing has.
    """

    def __init__(self, spec: LaneSpec, relay: str, *, path_held: bool = False, polls: bool = False) -> None:
        """Not found yet.

        Args:
            spec: what to measure.
            relay: where the page's server passes it on, relative to the page.
            path_held: whether the browser's own path to the page's server holds streams.
            polls: whether the answer is asked for in pieces. Then there is nothing to prove: each is whole.
        """
        self.spec = spec
        self.relayed = False
        self.lane: Lane | None = None
        self._relay = relay
        self._path_held = path_held
        self._polls = polls
        self._kept = new_stream()  # the name of the answer that is asked for in pieces
        self._ask = spec.ask
        self._found = Found(None)
        self._received = Received(ChunkDecoder())
        self._line = Timeline((), None, 0.0, False)
        self._by_answer = Finding(Verdict.INCONCLUSIVE, Method.PASSIVE)
        self._proof: BrowserProof | None = None
        self._doubts: dict[Doubt, None] = {}
        self._error: KitError | None = None

    # Finding it.

    async def find(self, client: Client, page: str | None) -> None:
        """Is it there, does it speak the proof's protocol, and may a page of this origin ask it?"""
        spec = self.spec
        try:
            self._found = await _found(client, spec, within_s=FINDS_WITHIN_S)
        except KitError as error:
            self._fail(error)
            return
        if not (self._found.speaks or spec.as_it_is):
            # What does not know the switch is asked as it is, and no claim made of its header.
            self.spec = spec = replace(spec, header="as-is", expected=None)
        self._ask = as_our_service(spec, self._found)
        # A token is no browser's business.
        self.relayed = bool(self._found.shows) or not await may_ask(
            client, self._ask, self._found.base, page, polls=self._polls
        )
        if self._polls:
            self._ask_in_pieces()
        if self.relayed:
            self._doubts[Doubt.RELAYED] = None

    def _ask_in_pieces(self) -> None:
        """Ask for the answer to be kept, under a name of ours."""
        ask = self._ask
        wanted = json.loads(ask.body) if ask.body else None
        if not isinstance(wanted, dict) or "ai_prompt" not in wanted:
            self._fail(
                KitError(
                    Code.BAD_USAGE,
                    text(
                        "{url} cannot be polled: only a service made with the kit can.",
                        url=shown(ask.url),
                    ),
                    text("Switch back to streaming."),
                )
            )
            return
        body = json.dumps({**wanted, "answer": self._kept}).encode()
        self._ask = replace(ask, body=body, headers=(*ask.headers, ("prefer", "respond-async")))

    @property
    def pieces(self) -> str | None:
        """Where the pieces of the answer are asked for; None where it is streamed."""
        if not self._polls:
            return None
        return f"{self._relay}/pieces" if self.relayed else self._pieces

    @property
    def _pieces(self) -> str:
        return urljoin(self._ask.url.partition("?")[0], f"search/{self._kept}")

    @property
    def request(self) -> dict[str, Any]:
        """How the browser asks for the answer; its own server adds what it may not see."""
        if self.relayed:
            return {"method": "POST", "url": f"{self._relay}/answer", "headers": {"Accept": ACCEPT}}
        headers = {"Accept": ACCEPT, **dict(self._ask.headers)}
        body = None if self._ask.body is None else self._ask.body.decode()
        return {"method": self._ask.method, "url": self._ask.url, "headers": headers, "body": body}

    @property
    def pings(self) -> list[str]:
        """What the browser asks first, to know how far the clocks are apart."""
        return [] if self._base is None else [f"{self._base}/{ping_path()}" for _ in range(PINGS)]

    @property
    def hold(self) -> dict[str, Any] | None:
        """How the browser holds a stream of the proof's open; None without a proof."""
        base, at, stream = self._base, self._conditions, new_stream()
        if base is None:
            return None
        return {
            "method": at.method,
            "url": stream_url(base, stream, mode="lockstep", size=_BEAT_BYTES, at=at),
            "headers": {"Accept": at.accept},
            "bytes": _BEAT_BYTES,
            "feed": f"{base}/{feed_path(stream, _BEAT_BYTES)}",
            "end": f"{base}/{end_path(stream)}",
        }

    @property
    def _base(self) -> str | None:
        """The proof's prefix, as the browser reaches it."""
        return f"{self._relay}/proof" if self.relayed and self._found.base else self._found.base

    # Passing it on.

    def passed_on(self, what: str, method: str, query: str) -> Ask | None:
        """The real request behind one to the relay; None where there is none. It never leads elsewhere."""
        if not self.relayed:
            return None
        if what == "answer":
            return self._ask
        if what == "pieces" and self._polls and method == "GET":
            return Ask("GET", f"{self._pieces}?{query}", self._side_headers)
        kind, _, name = what.partition("/")
        methods = {"stream": self._ask.method, "feed": "POST", "end": "POST", "ping": "GET"}
        if kind != "proof" or self._found.base is None or methods.get(name) != method:
            return None
        url = f"{self._found.base}/{name}" + (f"?{query}" if query else "")
        headers = (*self._side_headers, *self._found.shows)
        if name == "stream":
            headers = (*headers, ("accept", self._conditions.accept))
        return Ask(method, url, headers, b"" if method == "POST" else None)

    @property
    def _side_headers(self) -> Headers:
        """What of the answer's own headers goes with every other request: credentials."""
        only_its = ("content-type", "accept", "prefer")
        return tuple((key, value) for key, value in self._ask.headers if key.lower() not in only_its)

    # Judging it.

    def answered(self, report: BrowserReport, reads: list[tuple[float, bytes]]) -> None:
        """Take in what the browser saw of the answer; judge it once that is all."""
        received = self._received
        self._note(report)
        if report.head is not None:
            received.head(report.head.at, report.head.status, report.head.headers)
            decoder = decoder_of(report.head.headers.get("content-type", ""))
            received.use(decoder)
        try:
            receive(report, reads, received, self._ask.url)
        except KitError as error:
            self._received = Received(ChunkDecoder())  # it may be much, and is not shown
            self._fail(error)
            return
        if report.more:
            return
        self._judge_answer(report)
        held = self.relayed and self._path_held
        if held:
            self._doubts[Doubt.OWN_PATH_HELD] = None
            self._by_answer = Finding(Verdict.INCONCLUSIVE, Method.PASSIVE)
        if self._error is not None:
            self._fail(self._error)
        elif self._found.base is None or held:
            self._end(None)

    def _judge_answer(self, report: BrowserReport) -> None:
        received, speaks = self._received, self._found.base is not None
        replies = [
            reply
            for ping in report.pings
            if (reply := reply_of(ping.status, ping.body.encode(), ping.sent_ms, ping.arrived_ms))
        ]
        clock = aligned(replies) if len(replies) == PINGS else None
        self._line, self._by_answer = answer.judged(
            received,
            asked_ms=report.asked_ms,
            now_ms=report.now_ms,
            clock=clock,
            by=answer.of_stream(received, clock, speaks_proof=speaks),
        )
        if answer.is_refusal(received, speaks_proof=speaks):
            return
        if report.failed:
            self._error = KitError(
                Code.UNREACHABLE,
                text(
                    "The browser could not ask {url}, or not read what it answered.",
                    url=shown(self._ask.url),
                ),
                text("Look at whether it still runs, and whether it lets this page ask (CORS)."),
            )
        elif received.status not in (None, 200):
            self._error = self._refused(received.status or 0)
        elif not received.arrivals and received.ended_ms is not None and not received.clean:
            # A browser throws away what it has not read when a response breaks off.
            self._error = KitError(
                Code.BODY_CUT,
                text(
                    "The answer of {url} came to no proper end: it broke off before anything of it "
                    "could be read.",
                    url=shown(self._ask.url),
                ),
                text("Look at the service's log, and at the time limits on the way."),
            )
        elif not received.arrivals and received.ended_ms is None:
            self._error = silent(self._ask.url, self.spec.timeout_s, head_came=received.status is not None)

    def _refused(self, status: int) -> KitError:
        """A status that is no answer, with the service's own reason where it gave one."""
        body = "".join(event.data for _, event in self._received.arrivals).encode()
        return bad_status(self._ask, status, self._received.headers, body)

    def step(self, report: BrowserReport | None, reads: list[tuple[float, bytes]]) -> Step | None:
        """The proof's next step; None when there is nothing more to do, and `lane` says what came out."""
        if self.lane is not None:
            return None
        try:
            if self._proof is None:
                base = self._base or ""
                self._proof, report = BrowserProof(ProofRequest(base, self._conditions)), None
            elif report is None:
                raise KitError(Code.BAD_USAGE, "That proof has begun already.", "Reload the page.")
            else:
                self._note(report)
            outcome = self._proof.step(report, reads)
        except KitError as error:
            self._fail(error)
            return None
        if isinstance(outcome, Finding):
            self._end(outcome)
            return None
        return outcome

    @property
    def _conditions(self) -> Conditions:
        """Under what the answer was asked for and sent."""
        head = self._received.headers if self._received.status == 200 else USUAL
        if not self.relayed:  # a page may not see all that another origin's answer bears
            head = {"incremental": "?1", **head}
        asked = {"accept": ACCEPT, **{name.lower(): value for name, value in as_browser(self._ask).headers}}
        wanted = self.spec.header
        header: Switch = ("on" if bears_accel(head) else "off") if wanted == "as-is" else wanted
        return of_answer(self._ask.method, asked, head, header=header, http2=False)

    @property
    def proof_request(self) -> ProofRequest | None:
        """How its origin's proof is asked for from here; None where it shows none."""
        base = self._found.base
        if base is None:
            return None
        at = self._conditions if self.lane is None else replace(self._conditions, header=self.lane.header)
        return ProofRequest(base, at, beside_conditions(self._ask, self._found))

    @property
    def why_not(self) -> Doubt:
        """Why it shows none."""
        return self._found.why_not

    @property
    def evidence(self) -> tuple[str, ...]:
        """What the proof has done and seen so far."""
        return () if self._proof is None else self._proof.evidence

    @property
    def data(self) -> wire.Lane | None:
        """What came out, as `kit compare` writes it."""
        return None if self.lane is None else lane_data(self.lane)

    def _note(self, report: BrowserReport) -> None:
        if report.hidden:
            self._doubts[Doubt.TAB_HIDDEN] = None
        if report.waited:
            self._doubts[Doubt.BROWSER_CONNECTIONS] = None

    def _fail(self, error: KitError) -> None:
        self._error = error
        self._end(None)

    def _end(self, proof: Finding | None) -> None:
        self.lane = measured(
            self.spec,
            self._line,
            self._by_answer,
            None if proof is None else Proved(proof, self._conditions),
            self._conditions,
            found=self._found,
            error=self._error,
            doubts=tuple(self._doubts),
        )
