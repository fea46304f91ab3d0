"""How long streams live through real proxies whose limits are known."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest

from kit.errors import Code, Exit, KitError
from kit.probe.kept_alive import kept_alive, stream_limits
from kit.probe.proof_runner import ProofRequest
from kit.probe.tls import Trust, trusting
from kit.proof.causes import Cause
from kit.proof.conditions import Conditions
from kit.proof.contract import Clause, ClauseFinding, Limit, Term
from kit.proof.doubts import Doubt
from kit.proof.stream_life import StreamLifetime
from kit.proof.stream_limits import Kind, Limits, named_with
from tests.fixtures.origin import Origin
from tests.fixtures.processes import answers, free_port, running
from tests.fixtures.sites import OLD, CaddySite, EnvoySite, NginxSite
from tests.fixtures.together import measured_by, through
from tests.fixtures.tools import Tool

pytestmark = pytest.mark.alone

# A route's timeout, set as Envoy lets a request set it: the fixture's own route has none.
TIMEOUT_2S = """
function envoy_on_request(handle)
  handle:headers():replace("x-envoy-upstream-rq-timeout-ms", "2000")
end
"""


async def watched(url: str, *, for_s: float = 6.5, http2: bool = False, **conditions: Any) -> Limits:
    request = ProofRequest(f"{url}/proof", Conditions(http2=http2, **conditions))
    with trusting(Trust(insecure=True)):
        return await stream_limits(request, for_s=for_s, http2=http2)


found = measured_by(watched)


def ends_by_its_read_timeout(found: Limits, timeout_s: float = 2.0) -> None:
    assert (found.kind, found.doubts) == (Kind.IDLE_LIMIT, ()), found.evidence
    assert found.idle_s == pytest.approx(timeout_s, abs=0.5)
    assert any("broken off" in line for line in found.evidence)


def beats_are_late_by(found: Limits) -> tuple[float, float]:
    heartbeat = next(figure for figure in found.figures if figure.term is Term.HEARTBEAT)
    return heartbeat.least, heartbeat.most


@through(lambda origin: NginxSite(origin(), "proxy_read_timeout 2s;"))
def test_nginx_ends_a_stream_that_is_silent_for_its_read_timeout(found: Limits) -> None:
    ends_by_its_read_timeout(found)
    assert not found.held
    assert beats_are_late_by(found)[0] == 0


@through(lambda origin: NginxSite(origin(), "proxy_read_timeout 2s;"), method="POST")
def test_nginx_ends_one_that_was_asked_for_by_post_as_well(found: Limits) -> None:
    ends_by_its_read_timeout(found)


@through(lambda origin: NginxSite(origin(), "proxy_read_timeout 2s;", tls=True), http2=True)
def test_nginx_ends_one_of_http_2_as_well(found: Limits) -> None:
    ends_by_its_read_timeout(found)


@through(lambda origin: EnvoySite(origin(), idle_s=2, http_1_0=False, tls=True), http2=True)
def test_envoy_ends_one_of_http_2_as_well(found: Limits) -> None:
    assert (found.kind, found.held, found.doubts) == (Kind.IDLE_LIMIT, False, ()), found.evidence


@through(lambda origin: NginxSite(origin(), "proxy_read_timeout 2s;"), media="application/x-ndjson")
def test_nginx_ends_one_of_lines_as_well(found: Limits) -> None:
    ends_by_its_read_timeout(found)
    assert Term.HEARTBEAT not in {figure.term for figure in found.figures}


@through(lambda origin: NginxSite(origin(), "send_timeout 1s; proxy_send_timeout 1s;"), for_s=3.0)
def test_nginx_keeps_a_silent_stream_whatever_its_limits_on_sending(found: Limits) -> None:
    assert (found.kind, found.doubts) == (Kind.NO_LIMIT, ()), found.evidence


# The inner one collects what is small, since it asks by HTTP/1.0, unless the stream bears the header.
OUTER = "proxy_read_timeout 4s; proxy_buffering off; proxy_pass_header X-Accel-Buffering;"


@through(lambda origin: NginxSite(NginxSite(origin(http="h11"), OLD), OUTER), header="off", for_s=10.0)
def test_comments_that_one_nginx_collects_until_another_cuts_the_silence_are_one_cause(found: Limits) -> None:
    assert (found.kind, found.held, found.doubts) == (Kind.IDLE_LIMIT, True, ()), found.evidence
    assert found.idle_s == pytest.approx(4.0, abs=0.5)
    (cause,) = named_with(found)
    assert (cause.cause, cause.certainty) == (Cause.HEARTBEATS_HELD, "certain")
    assert "proxy_buffering off;" in cause.remedy
    assert "proxy_read_timeout" in cause.remedy


@through(lambda origin: NginxSite(NginxSite(origin(http="h11"), OLD), OUTER), header="on", for_s=10.0)
def test_comments_that_pass_keep_a_stream_that_a_silence_would_end(found: Limits) -> None:
    ends_by_its_read_timeout(found, 4.0)
    assert not found.held
    assert [cause.cause for cause in named_with(found)] == [Cause.IDLE_LIMIT]


@through(lambda origin: NginxSite(origin(http="h11"), OLD), header="off", for_s=6.0)
def test_comments_that_are_collected_where_nothing_is_cut_are_late(found: Limits) -> None:
    assert (found.kind, found.held) == (Kind.NO_LIMIT, False), found.evidence
    least_ms, most_ms = beats_are_late_by(found)
    assert (least_ms > 700, most_ms) == (True, inf)


@through(lambda origin: EnvoySite(origin(), idle_s=2, http_1_0=False))
def test_envoy_ends_a_stream_that_is_silent_for_its_idle_timeout(found: Limits) -> None:
    assert (found.kind, found.held, found.doubts) == (Kind.IDLE_LIMIT, False, ()), found.evidence
    assert found.idle_s == pytest.approx(2.5, abs=0.8)


@through(lambda origin: EnvoySite(origin(), TIMEOUT_2S, http_1_0=False), for_s=8.5)
def test_envoy_ends_every_stream_after_its_routes_timeout(found: Limits) -> None:
    assert (found.kind, found.doubts) == (Kind.TIME_LIMIT, ()), found.evidence
    # It says nothing more after 2 s, and closes the connection a second later (its delayed_close_timeout).
    assert found.total_s == pytest.approx(3.0, abs=0.5)


@through(lambda origin: EnvoySite(origin(), http_1_0=False), for_s=3.0)
def test_envoy_without_either_keeps_a_stream(found: Limits) -> None:
    assert (found.kind, found.doubts) == (Kind.NO_LIMIT, ()), found.evidence


@through(
    lambda origin: NginxSite(
        EnvoySite(origin(), TIMEOUT_2S.replace("2000", "5000"), http_1_0=False), "proxy_read_timeout 3s;"
    ),
    for_s=10.0,
)
def test_both_limits_in_a_chain(found: Limits) -> None:
    assert found.kind is Kind.BOTH, found.evidence
    assert found.idle_s == pytest.approx(3.0, abs=0.5)
    assert found.total_s == pytest.approx(5.5, abs=0.8)


@through(lambda origin: CaddySite(origin(), "transport http {\nread_timeout 2s\n}"))
def test_caddy_ends_a_stream_whose_service_is_silent_for_its_read_timeout(found: Limits) -> None:
    assert (found.kind, found.held, found.doubts) == (Kind.IDLE_LIMIT, False, ()), found.evidence
    assert found.idle_s == pytest.approx(2.0, abs=0.5)


@through(lambda origin: CaddySite(origin(), "transport http {\nresponse_header_timeout 1s\n}"), for_s=3.0)
def test_caddy_keeps_a_stream_whose_head_came_in_time(found: Limits) -> None:
    assert (found.kind, found.doubts) == (Kind.NO_LIMIT, ()), found.evidence
    assert "no limit below 3 s was seen" in found.evidence


@through(
    lambda origin: EnvoySite(
        origin(), TIMEOUT_2S + "function envoy_on_response(handle) handle:body() end", http_1_0=False
    )
)
def test_a_hop_that_collects_for_its_timeout_is_unclear_and_told(found: Limits) -> None:
    assert found.kind is Kind.UNCLEAR, found.evidence


RELAY = """
const http = require("http");
const [upstream, limit] = process.argv.slice(1);
const server = http.createServer((ask, answer) => {
  const options = {method: ask.method, headers: ask.headers, agent: false};
  const on = http.request(upstream + ask.url, options, (got) => {
    answer.writeHead(got.statusCode, got.headers);
    got.pipe(answer);
    got.on("error", () => answer.destroy());
  });
  on.on("error", () => answer.destroy());
  answer.on("close", () => on.destroy());
  ask.pipe(on);
});
Object.assign(server, JSON.parse(limit));
server.listen(Number(process.env.PORT), "127.0.0.1");
"""


@pytest.mark.parametrize(
    ("limit", "kind"),
    [
        ({"timeout": 2000}, Kind.IDLE_LIMIT),
        ({"requestTimeout": 1000, "keepAliveTimeout": 1000}, Kind.NO_LIMIT),
    ],
)
def test_a_node_server_ends_what_is_silent_for_its_timeout_and_for_no_other_of_its_limits(
    limit: dict[str, int], kind: Kind, origin: Origin, tool: Tool, tmp_path: Path
) -> None:
    port, upstream = free_port(), origin()
    argv: list[str | Path] = [tool("node"), "-e", RELAY, upstream, json.dumps(limit)]
    here = f"http://127.0.0.1:{port}"
    with running(argv, answers(f"{here}/health", 200), tmp_path / "node.log", env={"PORT": str(port)}):
        found = asyncio.run(watched(here, for_s=6.5))
    assert (found.kind, found.doubts) == (kind, ()), found.evidence
    assert found.idle_s is None or found.idle_s == pytest.approx(2.0, abs=0.7)


UVICORN = ("-m", "uvicorn", "--timeout-keep-alive", "1", "--no-access-log", "--port", "{port}")
GUNICORN = (
    "-m",
    "gunicorn",
    "-k",
    "uvicorn_worker.UvicornWorker",
    "--timeout",
    "2",
    "-b",
    "127.0.0.1:{port}",
)


@pytest.mark.parametrize("server", [UVICORN, GUNICORN])
def test_an_asgi_servers_own_timeouts_end_no_stream(server: tuple[str, ...], tmp_path: Path) -> None:
    port = free_port()
    argv = [sys.executable, *(word.format(port=port) for word in server), "service.main:app"]
    here, lab = f"http://127.0.0.1:{port}", {"STREAMPROOF_LAB": "1"}
    with running(argv, answers(f"{here}/health", 200), tmp_path / "server.log", env=lab):
        found = asyncio.run(watched(here, for_s=3.0))
    assert (found.kind, found.doubts) == (Kind.NO_LIMIT, ()), found.evidence


@pytest.mark.parametrize("after_s", [1.0, 3.0, 4.5])
def test_a_server_that_ends_is_no_limit(after_s: float, tmp_path: Path) -> None:
    port = free_port()
    argv = [sys.executable, *(word.format(port=port) for word in UVICORN), "service.main:app"]
    here, lab = f"http://127.0.0.1:{port}", {"STREAMPROOF_LAB": "1"}

    async def watch(end: Callable[[], None]) -> ClauseFinding | None:
        asyncio.get_running_loop().call_later(after_s, end)
        try:
            return await kept_alive(ProofRequest(f"{here}/proof"), for_s=6.0)
        except KitError:
            return None  # a stream that began later could not be opened

    with running(argv, answers(f"{here}/health", 200), tmp_path / "server.log", env=lab) as server:
        found = asyncio.run(watch(server.kill))
    assert found is None or found.sure != "proved"


def test_the_clause_says_what_was_proved_of_both(origin: Origin) -> None:
    said: list[str] = []
    found = asyncio.run(kept_alive(ProofRequest(f"{origin()}/proof"), for_s=2.0, say=said.append))
    assert (found.clause, found.sure, found.doubts) == (Clause.KEPT_ALIVE, "proved", ()), found.evidence
    assert said
    assert Limit(Term.IDLE, ">", 1_500.0).met([found]) is True
    assert Limit(Term.ALIVE, ">=", 2_000.0).met([found]) is True
    assert Limit(Term.ALIVE, ">", 60_000.0).met([found]) is None


def test_the_clause_is_unknown_where_there_is_no_proof(origin: Origin) -> None:
    found = asyncio.run(kept_alive(ProofRequest(f"{origin()}/nowhere"), for_s=2.0))
    assert (found.sure, found.figures, found.doubts) == ("unknown", (), (Doubt.NO_PROOF,))


def test_nobody_there_is_an_error() -> None:
    with pytest.raises(KitError) as caught:
        asyncio.run(watched("http://127.0.0.1:1"))
    assert caught.value.code is Code.UNREACHABLE


@pytest.mark.parametrize("for_s", [0.0, 3841.0])
def test_a_time_that_cannot_be_watched_is_refused(for_s: float) -> None:
    with pytest.raises(KitError) as caught:
        asyncio.run(stream_limits(ProofRequest("http://127.0.0.1:1"), for_s=for_s))
    assert (caught.value.code, caught.value.exit) == (Code.BAD_USAGE, Exit.USAGE)


def test_a_service_without_the_proof_shows_nothing(origin: Origin) -> None:
    found = asyncio.run(stream_limits(ProofRequest(f"{origin()}/nowhere"), for_s=2.0))
    assert found.kind is Kind.UNCLEAR
    assert "a stream was answered with 404" in found.evidence


ENDED = StreamLifetime(3.0, True, False, 200, 3.0, 0.0)
LIVED = StreamLifetime(6.5, False, False, 200, 0.1, 0.5, passes=True)
UNDECIDED = [
    # What ended them is seen twice, and each figure's bounds allow for the lateness.
    ([replace(ENDED, late_s=2.0), ENDED, LIVED, LIVED], ()),
    # On a busy machine too little was said to tell why.
    ([ENDED, ENDED, LIVED, ENDED], (Doubt.NOT_REPEATED,)),
]


@pytest.mark.parametrize(("undecided", "doubts"), UNDECIDED)
@pytest.mark.parametrize("times", [0, 1, 2])
def test_what_a_watch_could_not_decide_is_watched_once_more(
    undecided: list[StreamLifetime], doubts: tuple[Doubt, ...], times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches = 0

    async def lives(works: Iterable[Coroutine[Any, Any, Any]]) -> list[StreamLifetime]:
        nonlocal watches
        for work in works:
            work.close()
        watches += 1
        return undecided if watches <= times else [ENDED, ENDED, LIVED, LIVED]

    monkeypatch.setattr("kit.probe.kept_alive.together", lives)
    said: list[str] = []
    found = asyncio.run(stream_limits(ProofRequest("http://nowhere/proof"), for_s=6.5, say=said.append))
    assert (watches, len(said)) == (min(times, 1) + 1, min(times, 1) + 1)
    assert found.doubts == (doubts if times == 2 else ())


def test_two_busy_watches_that_saw_different_limits_stay_doubtful(monkeypatch: pytest.MonkeyPatch) -> None:
    one, five = (replace(ENDED, lived_s=s, last_silence_s=s) for s in (1.0, 5.0))
    talked = replace(LIVED, lived_s=9.0)
    watches = iter([[replace(each, late_s=0.6), each, talked, talked] for each in (one, five)])

    async def lives(works: Iterable[Coroutine[Any, Any, Any]]) -> list[StreamLifetime]:
        for work in works:
            work.close()
        return next(watches)

    monkeypatch.setattr("kit.probe.kept_alive.together", lives)
    found = asyncio.run(stream_limits(ProofRequest("http://nowhere/proof"), for_s=9.0))
    assert (found.kind, found.doubts) == (Kind.IDLE_LIMIT, (Doubt.BUSY_MACHINE,))
