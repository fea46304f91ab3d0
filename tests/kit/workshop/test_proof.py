"""The engine behind the browser: its steps played by hand, against a path that passes and one that holds."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from kit.errors import Code, KitError
from kit.probe.proof_runner import ProofRequest
from kit.proof.conditions import Conditions
from kit.proof.verdict import Finding, Shape, Verdict
from kit.workshop.browser_report import Answered, BrowserReport, Ended, Head
from kit.workshop.proof import BrowserProof, Step


class Browser:
    """Takes a proof's steps as the page does, on a path that forwards events at once or at the end."""

    def __init__(self, *, holds: bool, header_size: int = 0) -> None:
        self.holds = holds
        self.now = 0.0
        self.octets = 0
        self.asked: list[str] = []
        self.accept = ""
        self._held: list[bytes] = []
        self._reads: list[tuple[float, bytes]] = []
        self._ended: Ended | None = None
        self._head: Head | None = None

    def run(self, proof: BrowserProof) -> Finding:
        step = proof.step(None, [])
        while not isinstance(step, Finding):
            reply = self._take(step)
            seen = BrowserReport(now_ms=self.now, reply=reply, head=self._head, ended=self._ended)
            reads, self._reads, self._head = self._reads, [], None
            step = proof.step(seen, reads)
        return step

    def _take(self, step: Step) -> Answered | None:
        self.now += 1
        if step["do"] == "wait":
            if step["octets"] is None or self.octets < step["octets"]:
                self.now += step["within_ms"]
            return None
        query = parse_qs(urlsplit(step["url"]).query)
        self.asked.append(f"{step['method']} {urlsplit(step['url']).path}")
        if step["do"] == "open":
            self.accept = step["headers"]["Accept"]
            self.octets, self._ended, self._held = 0, None, []
            self._send(int(query["bytes"][0]))
            if not self.holds:
                self._head = Head(at=self.now, status=200, headers={})
            return None
        if "/feed" in step["url"]:
            self._send(int(query["bytes"][0]))
        if "/end" in step["url"]:
            self._end()
        body = {"streamproof": 1, "known": True, "instance": "a", "emitted": 0, "now_ms": self.now}
        return Answered(status=200, body=json.dumps(body), sent_ms=self.now - 1, arrived_ms=self.now)

    def _send(self, size: int) -> None:
        event = b'data: {"pad":"' + b"x" * (size - 18) + b'"}\n\n'
        assert len(event) == size
        if self.holds:
            self._held.append(event)
        else:
            self._arrive(event)

    def _end(self) -> None:
        if self.holds:
            self._head = Head(at=self.now, status=200, headers={})
            self._arrive(b"".join(self._held))
        self._ended = Ended(at=self.now, clean=True)

    def _arrive(self, octets: bytes) -> None:
        self.octets += len(octets)
        self._reads.append((self.now, octets))


def test_a_path_that_passes_is_proved_in_steps_that_need_no_parser() -> None:
    browser = Browser(holds=False)
    found = browser.run(
        BrowserProof(ProofRequest("http://lane/proof", Conditions("POST", accept="text/plain")))
    )
    assert (found.verdict, found.doubts) == (Verdict.INCREMENTAL, ())
    assert browser.accept == "text/plain"
    assert browser.asked.count("POST /proof/feed") == 9
    assert browser.asked.count("POST /proof/stream") == 1


def test_a_path_that_holds_is_found_out_by_the_same_engine() -> None:
    found = Browser(holds=True).run(BrowserProof(ProofRequest("relay/x/0/proof")))
    assert (found.verdict, found.shape) == (Verdict.WHOLE_MESSAGE, Shape.WHOLE)


def test_a_stream_that_cannot_be_opened_is_an_error_with_a_remedy() -> None:
    proof = BrowserProof(ProofRequest("http://lane/proof"))
    step: Any = proof.step(None, [])
    browser = Browser(holds=False)
    while step["do"] != "open":
        step = proof.step(BrowserReport(now_ms=browser.now, reply=browser._take(step)), [])
    with pytest.raises(KitError) as caught:
        proof.step(BrowserReport(now_ms=0.0, failed=True), [])
    assert caught.value.code is Code.UNREACHABLE


def test_a_stream_without_end_is_an_error_with_a_remedy() -> None:
    proof = BrowserProof(ProofRequest("http://lane/proof"))
    step: Any = proof.step(None, [])
    browser = Browser(holds=False)
    while step["do"] != "open":
        step = proof.step(BrowserReport(now_ms=browser.now, reply=browser._take(step)), [])
    many = [(1.0, b"data: 1\n\n" * 60_000)]
    proof.step(BrowserReport(now_ms=1.0, more=True), many)
    with pytest.raises(KitError) as caught:
        proof.step(BrowserReport(now_ms=1.0, more=True), many)
    assert caught.value.code is Code.TOO_LARGE
