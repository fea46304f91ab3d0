"""Measures what a test asserts to stream: a URL, or an app in this process; and says why it does not hold."""

from __future__ import annotations

import asyncio
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kit.app import with_json
from kit.flows.retrying import compare_again
from kit.probe.address import Headers, checked
from kit.probe.client import Ask
from kit.probe.origin import usable
from kit.probe.spec import LaneSpec
from kit.proof.doubts import Doubt
from kit.proof.held_answer import KEPT_ITS_LOOP
from kit.proof.lane import Comparison, Lane, Wanted
from kit.proof.verdict import Verdict
from kit.report.terminal import lane_text
from kit.report.view import lane_view
from kit.report.words import handed_out

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_IN_PROCESS = (
    "The app ran on this machine, with nothing before it: look at its middleware from the outermost to the "
    "innermost, and at its handler."
)
_PACE = (
    "An answer that comes at once does not tell an app that streams from one that collects: let what "
    "the test puts in the model's place take a second or two for its answer, a little at a time."
)
_COLLECTS = (
    "The app itself sends it all at once when the work is done: yield each event when it is there, before "
    "the next is computed. A framework that reads a sync generator to its end first does the same: use an "
    "async one."
)


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask, and how to measure it; the fields are `assert_streams`'s arguments."""

    path: str = "/"
    method: str | None = None
    headers: Headers = ()
    json: Any = None
    data: str | bytes | None = None
    arm: Wanted = "as-is"
    event_bytes: int | None = None
    timeout_s: float = 60.0
    retries: int = 0
    proof_token: str | None = field(default=None, repr=False)

    def ask(self, url: str) -> Ask:
        """The request to a URL."""
        body = self.data.encode() if isinstance(self.data, str) else self.data
        headers = self.headers
        if self.json is not None:
            headers, body = with_json(headers, self.json)
        method = self.method or ("GET" if body is None else "POST")
        return Ask(method.upper(), url, headers, body)


def measure_url(url: str, request: Request) -> Lane:
    """As `kit probe` measures it. Raises KitError where it is no address, or the token is none."""
    if request.path != "/":
        url = f"{url.rstrip('/')}/{request.path.lstrip('/')}"
    checked(url)
    token = usable(request.proof_token or os.environ.get("STREAMPROOF_PROOF_TOKEN") or None)
    return _measure(replace(_spec(request, url, "url"), proof_token=token), request.retries)


def measure_app(app: ASGIApp | str, request: Request) -> Lane:
    """The app, or the one of that name, under a real server on this machine, the proof around it meanwhile.

    Raises:
        KitError: it is no ASGI app, or did not start.
    """
    from kit.lab.asgi import importable, refuse_wsgi, serving, with_proof

    app = importable(app) if isinstance(app, str) else app
    refuse_wsgi(app)
    token = secrets.token_urlsafe(24)
    with with_proof(app, token) as (wrapped, prefix), serving(wrapped) as base:
        spec = _spec(request, f"{base}/{request.path.lstrip('/')}", "app")
        # The app's own answer is asked for whatever its path: an origin with a proof is not always ours.
        spec = replace(spec, proof_url=base + prefix, proof_token=token, as_it_is=True)
        return _measure(spec, request.retries)


def failure(lane: Lane, *, in_process: bool, may_be_inconclusive: bool = False) -> str | None:
    """Why the assertion does not hold, with evidence and remedies; None where it does.

    Args:
        lane: what was measured.
        in_process: whether an app was, rather than a URL.
        may_be_inconclusive: whether no verdict is no failure. What could not be measured always is one.
    """
    what = handed_out(lane.url)
    if lane.error is not None:
        head = [f"{what} could not be measured."]
    elif lane.broken:
        head = [f"The answer of {what} {lane.fate}."]
    elif lane.verdict is Verdict.INCREMENTAL:
        return None
    elif lane.verdict is Verdict.INCONCLUSIVE:
        if may_be_inconclusive:
            return None
        if in_process and Doubt.APP_BUNCHED in lane.doubts:
            head = [f"{what} does not stream.", _COLLECTS]
        else:
            head = [f"Whether {what} streams could not be decided."]
            # Where the answer is held against the proof and differs, it is no question of its pace.
            pace = in_process and Doubt.ANSWER_DISAGREES_WITH_PROOF not in lane.doubts
            head += [_PACE] if pace else []
        head += ["may_be_inconclusive=True would let this pass."]
    else:
        head = [f"{what} does not stream: {lane_view(lane).verdict}."]
        head += [_IN_PROCESS] if in_process else []
    return "\n".join([*head, "", lane_text(lane_view(lane))])


def beside(lane: Lane) -> str | None:
    """What the app does to all others while it answers, also where this answer streams; None for nothing."""
    kept = next((seen for seen in lane.evidence if seen.startswith(KEPT_ITS_LOOP)), None)
    if kept is None:
        return None
    return (
        f"{handed_out(lane.url)}: {kept}. Nothing else is answered meanwhile, and under some event loops the "
        "answer itself leaves only at its end: await what takes time, or run it in a thread "
        "(asyncio.to_thread)."
    )


def _spec(request: Request, url: str, name: str) -> LaneSpec:
    return LaneSpec(
        name,
        request.ask(url),
        header=request.arm,
        expected=Verdict.INCREMENTAL,
        event_bytes=request.event_bytes,
        timeout_s=request.timeout_s,
    )


def _measure(spec: LaneSpec, retries: int) -> Lane:
    async def measured() -> Comparison:
        return await compare_again([spec], "url", retries=retries)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(measured()).lanes[0]
    # In a test that is a coroutine a loop is running already, and stands still meanwhile.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, measured()).result().lanes[0]
