"""How many streams at once go through real proxies and servers whose limits are known."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import inf

import pytest

from kit.errors import Code, Exit, KitError
from kit.probe.many import many
from kit.probe.proof_runner import ProofRequest
from kit.proof.conditions import Conditions
from kit.proof.contract import Clause, ClauseFinding, Figure, Sure, Term
from kit.proof.doubts import Doubt
from service import proof
from tests.fixtures.certificates import Certificate
from tests.fixtures.limited import Limited
from tests.fixtures.origin import Origin
from tests.fixtures.processes import eventually
from tests.fixtures.proxies import Fleet, Nginx
from tests.fixtures.sites import CaddySite, EnvoySite, NginxSite, Site
from tests.fixtures.together import measured_by, through
from tests.service.conftest import serving

pytestmark = pytest.mark.alone

ZONE = "limit_conn_zone $server_port zone=streams:1m;"


async def measured(
    url: str, *, streams: int = 10, http2: bool = False, method: str = "GET", base: str = "/proof"
) -> ClauseFinding:
    return await many(ProofRequest(f"{url}{base}", Conditions(method=method)), streams=streams, http2=http2)


found = measured_by(measured)


def is_said(found: ClauseFinding, sure: Sure, least: float, most: float, says: str) -> None:
    said = (found.clause, found.sure, found.figures, found.says)
    assert said == (Clause.MANY, sure, (Figure(Term.MANY, least, most),), says), found.evidence


@through(lambda origin: origin())
def test_ten_at_once_pass_without_a_hop(found: ClauseFinding) -> None:
    is_said(found, "proved", 10, inf, "10 at once pass")


@through(lambda origin: origin(), streams=300, method="POST")
def test_three_hundred_asked_for_by_post_pass_without_a_hop(found: ClauseFinding) -> None:
    is_said(found, "proved", 300, inf, "300 at once pass")


@through(lambda origin: CaddySite(origin()), streams=40)
def test_caddy_limits_nothing(found: ClauseFinding) -> None:
    is_said(found, "proved", 40, inf, "40 at once pass")


@through(lambda origin: NginxSite(origin(), "limit_conn streams 6;", ZONE))
def test_nginx_refuses_what_is_over_its_limit_conn(found: ClauseFinding) -> None:
    is_said(found, "proved", 6, 6, "refused from the 7th on (503)")
    assert "limit_conn ZONE 1000;" in found.advice
    assert any("calls itself nginx" in line for line in found.evidence)


@through(lambda origin: NginxSite(origin(), "limit_conn streams 10;", ZONE))
def test_a_limit_of_just_so_many_is_found_too(found: ClauseFinding) -> None:
    is_said(found, "proved", 10, 10, "refused from the 11th on (503)")


@through(lambda origin: NginxSite(origin(), "limit_conn streams 40;", ZONE), streams=40)
def test_nginx_passes_what_is_within_its_limit_conn(found: ClauseFinding) -> None:
    assert found.figures[0].least == 40


@through(lambda origin: NginxSite(origin(), "proxy_set_header X-Accel-Buffering no;"))
def test_nginx_with_nothing_set_passes_ten(found: ClauseFinding) -> None:
    is_said(found, "proved", 10, inf, "10 at once pass")


@through(
    lambda origin: NginxSite(
        origin(),
        "limit_req zone=rate burst=11 nodelay;",
        "limit_req_zone $server_port zone=rate:1m rate=4r/s;",
    )
)
def test_a_limit_on_a_rate_is_not_called_one_on_a_number(found: ClauseFinding) -> None:
    assert found.sure != "proved" or found.figures[0].most == inf, found


@through(lambda origin: EnvoySite(origin(), breakers=(("max_requests", 5),)))
def test_envoy_refuses_what_is_over_its_max_requests(found: ClauseFinding) -> None:
    is_said(found, "proved", 5, 5, "refused from the 6th on (503)")
    assert "max_requests: 4096" in found.advice


@through(lambda origin: EnvoySite(origin(), breakers=(("max_connections", 4),)))
def test_envoy_queues_what_is_over_its_max_connections(found: ClauseFinding) -> None:
    is_said(found, "proved", 4, 4, "queued from the 5th on")
    assert "max_connections: 4096" in found.advice


@through(lambda origin: EnvoySite(origin(), breakers=(("max_connections", 4), ("max_pending_requests", 2))))
def test_a_short_queue_that_refuses_what_is_over_it_is_a_queue(found: ClauseFinding) -> None:
    is_said(found, "proved", 4, 4, "queued from the 5th on")


@through(lambda origin: EnvoySite(origin()), streams=40)
def test_envoy_with_nothing_set_passes_forty(found: ClauseFinding) -> None:
    is_said(found, "proved", 40, inf, "40 at once pass")


@through(lambda origin: NginxSite(CaddySite(EnvoySite(origin(), breakers=(("max_requests", 3),)))))
def test_a_limit_behind_two_hops(found: ClauseFinding) -> None:
    is_said(found, "proved", 3, 3, "refused from the 4th on (503)")


@through(lambda origin: EnvoySite(origin(), file_buffer=True))
def test_what_is_held_of_one_alone_says_nothing_of_many(found: ClauseFinding) -> None:
    assert (found.sure, found.figures) == ("unknown", ())
    assert found.says.startswith("one stream by itself")


@through(lambda origin: origin(), base="/nowhere")
def test_a_service_without_the_proof_shows_nothing(found: ClauseFinding) -> None:
    assert (found.sure, found.figures) == ("unknown", ())
    assert found.says == "the origin's proof does not answer"


@pytest.mark.parametrize("streams", [0, -1, 10_001])
def test_a_number_that_cannot_be_asked_for_is_refused(streams: int) -> None:
    with pytest.raises(KitError) as caught:
        asyncio.run(many(ProofRequest("http://127.0.0.1:1/proof"), streams=streams))
    assert (caught.value.code, caught.value.exit) == (Code.BAD_USAGE, Exit.USAGE)


def test_nginx_refuses_what_is_over_its_worker_connections(
    nginx: Nginx, fleet: Fleet, origin: Origin
) -> None:
    (url,) = fleet([NginxSite(origin(), events="worker_connections 20;")])
    found = asyncio.run(measured(url))
    is_said(found, "proved", 9, 9, "refused from the 10th on (500)")  # two of 20 are its own
    assert "worker_connections 4096;" in found.advice


@pytest.mark.parametrize(
    ("site", "streams", "says"),
    [
        (
            lambda origin: NginxSite(origin, http="http2_max_concurrent_streams 8;", tls=True),
            20,
            "20 at once pass",
        ),
        (lambda origin: EnvoySite(origin, multiplexed=8, tls=True), 20, "20 at once pass"),
        (
            lambda origin: EnvoySite(origin, breakers=(("max_requests", 5),), multiplexed=8, tls=True),
            10,
            "refused from the 6th on (503)",
        ),
    ],
)
def test_what_one_connection_of_http_2_carries_is_not_the_paths_limit(
    site: Callable[[str], Site], streams: int, says: str, fleet: Fleet, origin: Origin, trusted: Certificate
) -> None:
    (url,) = fleet([site(origin())])
    found = asyncio.run(measured(url, streams=streams, http2=True))
    assert (found.sure, found.says) == ("proved", says), found.evidence
    assert "the server allows 8 streams at once on one connection of HTTP/2" in found.evidence[-1]


KINDS = {
    "uvicorn": (8, 10),
    "gunicorn": (1, 10),
    "gunicorn, three": (3, 10),
    "threads": (0, 60),
    "node": (7, 10),
    "node, as it comes": (0, 40),
    "node-sockets": (5, 10),
    "hypercorn": (0, 40),
    "processes": (3, 60),
}


@pytest.fixture(scope="module")
def servers(limited: Limited, origin: Origin) -> Mapping[str, ClauseFinding]:
    """What was found of each kind, side by side."""
    urls = {kind: limited(kind.partition(",")[0], origin(), most=most) for kind, (most, _) in KINDS.items()}

    async def all_of_them() -> list[ClauseFinding]:
        return await asyncio.gather(*(measured(urls[kind], streams=KINDS[kind][1]) for kind in KINDS))

    return dict(zip(KINDS, asyncio.run(all_of_them()), strict=True))


def test_uvicorn_refuses_what_is_over_its_limit_concurrency(servers: Mapping[str, ClauseFinding]) -> None:
    is_said(servers["uvicorn"], "proved", 7, 7, "refused from the 8th on (503)")


def test_node_closes_what_is_over_its_max_connections(servers: Mapping[str, ClauseFinding]) -> None:
    found = servers["node"]
    assert (found.sure, found.figures) == ("proved", (Figure(Term.MANY, 7, 7),)), found.evidence
    assert found.says.startswith("refused from the 8th on (connection ")


def test_a_node_hop_queues_what_is_over_its_sockets(servers: Mapping[str, ClauseFinding]) -> None:
    is_said(servers["node-sockets"], "proved", 5, 5, "queued from the 6th on")
    assert "maxSockets: Infinity" in servers["node-sockets"].advice


@pytest.mark.parametrize("kind", ["node, as it comes", "hypercorn"])
def test_a_server_with_nothing_set_passes_forty(kind: str, servers: Mapping[str, ClauseFinding]) -> None:
    is_said(servers[kind], "proved", 40, inf, "40 at once pass")


@pytest.mark.parametrize(("kind", "most"), [("gunicorn", 1), ("gunicorn, three", 3)])
def test_sync_workers_that_do_not_see_their_client_leave_are_likely_a_queue(
    kind: str, most: int, servers: Mapping[str, ClauseFinding]
) -> None:
    says = f"queued from the {'2nd' if most == 1 else '4th'} on"
    is_said(servers[kind], "likely", 1, most, says)
    assert "gthread" in servers[kind].advice


def test_streams_that_take_a_thread_each_are_not_called_proved(servers: Mapping[str, ClauseFinding]) -> None:
    found = servers["threads"]
    assert (found.sure, found.figures[0].least) == ("likely", 1), found.evidence
    assert found.says.startswith("queued from the ")
    assert found.figures[0].most >= 40  # the first events of more may pass before the threads are all taken


def test_of_several_processes_nothing_is_called_proved_that_was_not_seen(
    servers: Mapping[str, ClauseFinding],
) -> None:
    found = servers["processes"]
    assert found.figures == (Figure(Term.MANY, 60, inf),), found.evidence
    assert found.sure == ("likely" if Doubt.OTHER_INSTANCE in found.doubts else "proved")


def test_an_older_copy_of_the_proof_that_allows_sixteen_is_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proof, "STRANGERS_STREAMS", 16)
    with serving(proof.create_proof(enabled=lambda: True)) as url:
        found = asyncio.run(measured(url, streams=20, base=""))
    is_said(found, "proved", 16, inf, "16 at once pass; the origin's copy of the proof allows no more")


def test_a_measurement_that_is_interrupted_leaves_no_stream_behind(nginx: Nginx) -> None:
    asks = asyncio.Queue[None]()

    async def interrupted() -> None:
        loop = asyncio.get_running_loop()

        def enabled() -> bool:
            loop.call_soon_threadsafe(asks.put_nowait, None)
            return True

        origin = proof.create_proof(enabled=enabled)
        assert isinstance(origin, proof._Proof)
        with serving(origin) as url:
            hop = nginx(url, location="proxy_ignore_client_abort on;")
            measuring = asyncio.create_task(measured(hop, streams=60, base=""))
            while len(origin._streams) < 20:
                await asks.get()
            measuring.cancel()
            with suppress(asyncio.CancelledError):
                await measuring
            eventually(lambda: not origin._streams)

    asyncio.run(interrupted())


def test_a_measurement_leaves_no_stream_behind() -> None:
    origin = proof.create_proof(enabled=lambda: True)
    assert isinstance(origin, proof._Proof)
    with serving(origin) as url:
        asyncio.run(measured(url, base=""))
        eventually(lambda: not origin._streams)


MEASURES = """
import asyncio, resource, sys
from kit.probe.many import many
from kit.probe.proof_runner import ProofRequest
resource.setrlimit(resource.RLIMIT_NOFILE, tuple(map(int, sys.argv[2:4])))
print(asyncio.run(many(ProofRequest(sys.argv[1]), streams=200)).says)
"""


@pytest.mark.parametrize(
    ("soft", "hard", "says"),
    [
        (100, 400, "200 at once pass"),
        (150, 150, "86 at once pass; this process may open no more files (ulimit -n: 150)"),
    ],
)
def test_the_files_that_this_process_may_open_are_told_apart(
    soft: int, hard: int, says: str, origin: Origin
) -> None:
    words = [sys.executable, "-c", MEASURES, f"{origin()}/proof", str(soft), str(hard)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == says
