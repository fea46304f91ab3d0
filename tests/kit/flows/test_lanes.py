"""What is asked of a service: the kit's at its origin, the user's where kit.toml says, in the arms it has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from kit.app import App
from kit.config import Config
from kit.errors import Exit, KitError
from kit.flows.lanes import arms_of, ask, check_polling, in_arm, once_a_service, with_polling
from kit.probe.client import Ask
from kit.probe.origin import Found
from kit.probe.spec import LaneSpec, as_our_service
from kit.proof.contract import QUICK, UNASKED, Clause, ContractSpec, Limit, Term
from kit.proof.lane import Arm
from kit.proof.verdict import Verdict
from tests.fixtures.wire import Connection, wire

Serve = Callable[[Callable[[str], bool]], str]


def own(probe_path: str = "/chat") -> Config:
    return Config(app=App("main:app", Path(), Path(), probe_path))


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server that sends the header to those paths of which the function says so; its base URL."""
    with ExitStack() as stack:

        def start(frees: Callable[[str], bool]) -> str:
            def behave(one: Connection) -> None:
                while request := one.request():
                    header = b"X-Accel-Buffering: No\r\n" if frees(request.split()[1].decode()) else b""
                    one.send(b"HTTP/1.1 200 OK\r\n%sContent-Length: 0\r\n\r\n" % header)

            return stack.enter_context(wire(behave)).url

        yield start


def test_the_kits_service_is_asked_at_its_origin_and_the_users_app_where_it_says() -> None:
    headers = (("authorization", "Bearer x"),)
    assert ask(Config(), "https://a.example", headers) == Ask("GET", "https://a.example", headers)
    assert ask(own(), "https://a.example/", headers) == Ask("GET", "https://a.example/chat", headers)
    assert ask(own("/"), "https://a.example").url == "https://a.example/"
    assert ask(own("/a?b=c"), "http://127.0.0.1:1").url == "http://127.0.0.1:1/a?b=c"


@pytest.mark.parametrize(
    ("frees", "arms"),
    [
        (lambda path: "accel=off" not in path, ("on", "off")),
        (lambda path: True, ("on",)),
        (lambda path: False, ("off",)),
    ],
)
@pytest.mark.parametrize("probe_path", ["/chat", "/chat?question=why"])
def test_an_app_has_the_arms_that_its_header_shows(
    serve: Serve, frees: Callable[[str], bool], arms: tuple[Arm, ...], probe_path: str
) -> None:
    config = own(probe_path)
    assert asyncio.run(arms_of(config, ask(config, serve(frees)), timeout_s=60)) == arms


def test_the_kits_service_has_both_and_is_not_asked() -> None:
    assert asyncio.run(arms_of(Config(), Ask("GET", "http://127.0.0.1:1"), timeout_s=1)) == ("on", "off")


def test_an_app_that_cannot_be_reached_is_told() -> None:
    with pytest.raises(KitError):
        asyncio.run(arms_of(own(), Ask("GET", "http://127.0.0.1:1/chat"), timeout_s=1))


def test_each_arm_is_asked_for_as_the_service_takes_it() -> None:
    spec = LaneSpec("run", ask(own("/chat?question=why"), "http://a.example"))
    on, off = (in_arm(own(), spec, arm, ("on", "off")) for arm in ("on", "off"))
    assert (on.header, on.ask.url, on.as_it_is) == ("on", "http://a.example/chat?question=why", True)
    assert (off.header, off.ask.url) == ("off", "http://a.example/chat?question=why&accel=off")
    alone = in_arm(own(), spec, "off", ("off",))
    assert (alone.header, alone.ask.url) == ("off", spec.ask.url)
    ours = in_arm(Config(), LaneSpec("run", ask(Config(), "http://a.example")), "off", ("on", "off"))
    assert (ours.header, ours.ask.url, ours.as_it_is) == ("off", "http://a.example", False)


def test_each_target_is_asked_by_polling_once_after_its_streams() -> None:
    a, b = Ask("GET", "http://a.example"), Ask("GET", "http://b.example")
    specs = [
        LaneSpec("standard", a, "on", expected=Verdict.WHOLE_MESSAGE),
        LaneSpec("standard", a, "off", expected=Verdict.WHOLE_MESSAGE),
        LaneSpec("mine", b, "off", prompt="Why?"),
    ]
    lanes = with_polling(specs)
    assert [(lane.target, lane.header, lane.delivery, lane.expected) for lane in lanes] == [
        ("standard", "on", "stream", Verdict.WHOLE_MESSAGE),
        ("standard", "off", "stream", Verdict.WHOLE_MESSAGE),
        ("standard", "on", "polling", Verdict.INCREMENTAL),
        ("mine", "off", "stream", None),
        ("mine", "on", "polling", None),
    ]
    assert (lanes[-1].ask, lanes[-1].prompt) == (b, "Why?")


def test_only_the_kits_own_service_is_asked_by_polling() -> None:
    check_polling(Config())
    with pytest.raises(KitError) as caught:
        check_polling(own())
    assert caught.value.exit is Exit.USAGE
    assert "--polling" in caught.value.hint


def test_a_pace_is_asked_of_the_kits_own_service_only() -> None:
    spec = LaneSpec("x", Ask("GET", "http://a.example/"), prompt="Why?", tokens_per_s=5.0)
    body = as_our_service(spec, Found("http://a.example/proof", ours=True)).body
    assert json.loads(body or b"") == {"ai_prompt": "Why?", "max_output_tokens": 60, "tokens_per_s": 5.0}
    assert as_our_service(spec, Found(None)) is spec.ask
    theirs = replace(spec, ask=Ask("GET", "http://a.example/answer?question=why"))
    assert as_our_service(theirs, Found("http://a.example/proof", ours=True)) is theirs.ask
    usual = as_our_service(replace(spec, tokens_per_s=None), Found("http://a.example/proof", ours=True))
    assert "tokens_per_s" not in json.loads(usual.body or b"")


def test_the_kits_own_service_is_known_below_a_path_by_its_proof_there() -> None:
    spec = LaneSpec("x", Ask("GET", "http://a.example/sp-1/"), prompt="Why?", header="off")
    asked = as_our_service(spec, Found("http://a.example/sp-1/proof", ours=True))
    assert (asked.method, asked.url) == ("POST", "http://a.example/sp-1/search?accel=off")
    elsewhere = as_our_service(replace(spec, header="on"), Found("http://a.example/proof", ours=True))
    assert elsewhere is spec.ask, "the root of its origin may be another version's"


def test_quick_clauses_are_asked_of_the_first_lane_of_a_service_and_limits_of_each() -> None:
    limits = (Limit(Term.CANCEL, "<", 1_000.0),)
    like = LaneSpec("a", Ask("GET", "http://a"), limits=limits, contract=ContractSpec.of(limits, QUICK))
    lanes = once_a_service([like, replace(like, header="off"), replace(like, target="b")])
    assert [lane.contract.clauses for lane in lanes] == [QUICK, (Clause.CANCELLED,), QUICK]


def test_a_lane_in_pieces_has_no_contract() -> None:
    limits = (Limit(Term.CANCEL, "<", 1_000.0),)
    spec = LaneSpec("a", Ask("GET", "http://a"), limits=limits, contract=ContractSpec.of(limits))
    _, pieces = with_polling([spec])
    assert (pieces.delivery, pieces.limits, pieces.contract) == ("polling", (), UNASKED)
