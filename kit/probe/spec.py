"""A lane's specification: the request and how it is measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from kit.loopback import is_loopback
from kit.probe.address import Headers, same_origin
from kit.probe.client import Ask
from kit.probe.origin import Found, root
from kit.proof.bound import Bound
from kit.proof.conditions import BROWSER_CODINGS, PLAIN_HTTP_CODINGS, Conditions
from kit.proof.contract import UNASKED, ContractSpec, Limit
from kit.proof.lane import Arm, Delivery, Wanted
from kit.proof.verdict import Verdict
from kit.proof.version import ExpectedVersion


@dataclass(frozen=True, slots=True)
class LaneSpec:
    """What to measure, and how.

    Attributes:
        target: the lane's name.
        ask: the request whose answer is measured. Of our service's root /search is asked for `prompt`.
        header: whether the answer bears `X-Accel-Buffering: no`: off asks our service to leave it out, as-is
            takes it as it can be seen.
        prompt: for our service.
        max_output_tokens: for our service; how long its answer is.
        tokens_per_s: for our service; the embedded generator's pace, None for its own.
        expected: the promised verdict, if one was promised.
        at_most: a bound that the answer's arrivals are held to.
        limits: what the clauses of its contract are held to.
        contract: which of them to ask, and how.
        promised: where none was, what was promised of an answer that bears the header, and that does not.
        event_bytes: events up to this size are judged; None for the largest of the answer.
        proof_url: the proof's prefix, or its path, where it is neither beside the URL nor at the origin.
        proof_token: the proof's own token, for an origin that asks for it.
        http2: offer HTTP/2.
        timeout_s: for the whole answer, and for the first sign of life.
        as_it_is: whether the request is sent as it is in either arm, also to an origin that speaks the proof.
        delivery: whether the answer is to be streamed, or asked for in pieces.
        version: whose verdict it is to be; None for any's.
        deadline_s: after how long its platform ends a response; None where that is not known.
    """

    target: str
    ask: Ask
    header: Wanted = "as-is"
    prompt: str = ""
    max_output_tokens: int = 60
    tokens_per_s: float | None = None
    expected: Verdict | None = None
    at_most: Bound | None = None
    limits: tuple[Limit, ...] = ()
    contract: ContractSpec = UNASKED
    promised: Mapping[Arm, Verdict] | None = None
    event_bytes: int | None = None
    proof_url: str | None = None
    proof_token: str | None = field(default=None, repr=False)
    http2: bool = False
    timeout_s: float = 60.0
    as_it_is: bool = False
    delivery: Delivery = "stream"
    version: ExpectedVersion | None = None
    deadline_s: float | None = None


def as_our_service(spec: LaneSpec, found: Found) -> Ask:
    """What to ask: our service's /search where it is at the given URL, else what the user gave."""
    ask, parts = spec.ask, urlsplit(spec.ask.url)
    if spec.as_it_is or not found.speaks:
        return ask
    at = root(ask.url, found)
    if at is not None and found.ours and ask.body is None:
        body: dict[str, str | float] = {
            "ai_prompt": spec.prompt,
            "max_output_tokens": spec.max_output_tokens,
        }
        if spec.tokens_per_s is not None:
            body["tokens_per_s"] = spec.tokens_per_s
        ask = Ask(
            "POST",
            f"{at}/search",
            (*ask.headers, ("content-type", "application/json")),
            json.dumps(body).encode(),
        )
    if spec.header == "off":
        parts = urlsplit(ask.url)
        query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "accel"]
        ask = replace(ask, url=urlunsplit(parts._replace(query=urlencode([*query, ("accel", "off")]))))
    return ask


def names_coding(ask: Ask) -> bool:
    """Whether the request says which codings it accepts."""
    return any(name.lower() == "accept-encoding" for name, _ in ask.headers)


def as_browser(ask: Ask) -> Ask:
    """The request with a browser's Accept-Encoding, unless it says its own."""
    parts = urlsplit(ask.url)
    trusted = parts.scheme == "https" or is_loopback(parts.hostname or "")
    codings = BROWSER_CODINGS if trusted else PLAIN_HTTP_CODINGS
    return ask if names_coding(ask) else replace(ask, headers=(*ask.headers, ("accept-encoding", codings)))


def coding(at: Conditions) -> Headers:
    """The Accept-Encoding of these conditions, if they have one."""
    return (("accept-encoding", at.coding),) if at.coding else ()


def without_body(ask: Ask, url: str) -> Headers:
    """The headers of `ask` for a request to `url` that has no body and wants another media type."""
    return tuple(
        (name, value)
        for name, value in same_origin(ask.headers, ask.url, url)
        if name.lower() not in ("content-type", "content-length", "accept")
    )


def beside_conditions(ask: Ask, found: Found) -> Headers:
    """The headers of `ask` that a proof is asked with, its token too, but for what its conditions say."""
    usual = without_body(ask, found.base or ask.url)
    return (*(pair for pair in usual if pair[0].lower() != "accept-encoding"), *found.shows)
