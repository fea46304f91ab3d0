"""Headers as hints: who is named, what is known of him, and nothing that a hostile value could do."""

from __future__ import annotations

from urllib.request import urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.fingerprints import MOST_CHARS, MOST_HOPS, Hop, fingerprint, hops
from kit.proof.texts import table
from tests.fixtures.origin import Origin
from tests.fixtures.proxies import Caddy, Envoy, Nginx


def only(headers: dict[str, str], host: str | None = None) -> Hop:
    (found,) = hops(headers, host=host)
    return found


@pytest.mark.parametrize(
    ("header", "value", "name"),
    [
        ("server", "Google Frontend", "Google's front end"),
        ("server", "nginx/1.29.7", "nginx"),
        ("server", "istio-envoy", "Envoy"),
        ("server", "awselb/2.0", "AWS load balancer"),
        ("server", "cloudflare", "Cloudflare"),
        ("server", "Caddy", "Caddy"),
        ("server", "uvicorn", "the app's own server"),
        ("server", "Gadget/1", "one that calls itself 'Gadget/1'"),
        ("via", "1.1 google", "Google Cloud load balancer"),
        ("via", "1.1 8f2a.cloudfront.net (CloudFront)", "CloudFront"),
        ("via", "1.1 vegur", "Heroku"),
        ("via", "1.1 proxy.corp (Gadget, the old one)", "one that calls itself 'proxy.corp'"),
        ("cf-ray", "8a1-FRA", "Cloudflare"),
        ("x-cloud-trace-context", "105445aa7843bc8bf206b120001000/1", "Google's front end"),
        ("x-amzn-requestid", "c6af9ac6-7b61-11e6", "API Gateway"),
        ("x-amz-apigw-id", "d=", "API Gateway"),
        ("x-amzn-trace-id", "Root=1-1", "AWS load balancer"),
        ("x-amz-cf-id", "a==", "CloudFront"),
        ("x-vercel-id", "fra1::iad1::x", "Vercel"),
        ("x-served-by", "cache-fra-eddf", "Varnish (or Fastly)"),
        ("x-cache", "MISS", "a cache"),
        ("x-azure-ref", "2026", "Azure"),
        ("fly-request-id", "01H", "Fly.io"),
        ("x-envoy-upstream-service-time", "12", "Envoy"),
        ("x-render-origin-server", "uvicorn", "Render"),
        ("x-railway-edge", "railway/europe", "Railway"),
        ("x-github-request-id", "A:B", "GitHub"),
        ("x-firebase-x", "1", "Firebase Hosting"),
        ("x-powered-by", "Express", "Express"),
        ("alt-svc", 'h3=":443"; ma=86400', "HTTP/3"),
        ("proxy-status", 'proxy.example; error="x"', "one that calls itself 'proxy.example'"),
    ],
)
def test_who_a_header_hints_at(header: str, value: str, name: str) -> None:
    found = only({header: value})
    assert name in found.name
    assert found.header == header
    assert header in found.says
    assert "A hint is no evidence" in found.says


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("app-x-uc.a.run.app", "Cloud Run"),
        ("X.uc.r.appspot.com.", "App Engine"),
        ("x.web.app", "Firebase Hosting"),
        ("x.trycloudflare.com", "quick tunnel"),
        ("x.execute-api.eu-west-1.amazonaws.com", "API Gateway"),
        ("x.eu-west-1.elb.amazonaws.com", "load balancer"),
        ("x.lambda-url.eu-west-1.on.aws", "Lambda"),
    ],
)
def test_who_a_platforms_own_name_hints_at(host: str, name: str) -> None:
    assert name in only({}, host).name
    assert only({}, host).header == "host"


def test_every_entry_of_via_is_a_hop_in_its_order() -> None:
    found = hops({"via": '1.1 varnish, 1.1 "a,b", 1.0 x (c, d), 1.1 google'})
    assert [hop.value for hop in found] == ["1.1 varnish", '1.1 "a,b"', "1.0 x (c, d)", "1.1 google"]


def test_a_hop_that_refuses_says_so() -> None:
    found = only({"proxy-status": "Caddy; error=incremental_refused"})
    assert found.streams is not None
    assert "will not forward" in found.streams


def test_nothing_hints_at_nobody() -> None:
    assert hops({"content-type": "text/event-stream", "set-cookie": "a=b", "x-powered-by": "PHP"}) == ()
    assert hops({"server": " ", "via": ", ,", "cf-ray": "", "proxy-status": ";,"}, host="example.com") == ()


def test_what_is_said_of_streaming_bears_its_certainty_and_its_source() -> None:
    google, envoy, vercel = (
        only({"server": "Google Frontend"}),
        only({"server": "envoy"}),
        only({"x-vercel-id": "a"}),
    )
    assert "(documented, not observed; docs.cloud.google.com" in str(google.streams)
    assert "(measured on loopback, not here; loopback, Envoy" in str(envoy.streams)
    assert "(inferred; vercel/ai" in str(vercel.streams)
    assert only({"x-render-origin-server": "x"}).streams is None


def test_every_kind_of_hop_that_says_something_of_streaming_has_a_source() -> None:
    known_hops = table("fingerprints")
    hinted = {row[2] for row in known_hops["values"]} | {
        row[1] for row in (*known_hops["names"], *known_hops["hosts"])
    }
    assert hinted <= known_hops["kinds"].keys()
    for known in map(fingerprint, known_hops["kinds"]):
        assert (known.streams is None) == (known.source is None)
        assert known.streams is None or known.streams.endswith(".")


@pytest.mark.parametrize("header", ["x-firebase-appcheck", "x-github-token", "x-railway-secret"])
def test_the_values_of_headers_that_nobody_knows_are_not_shown(header: str) -> None:
    assert "s3cret" not in repr(only({header: "s3cret"}))


def test_cookies_and_tokens_are_never_looked_at() -> None:
    headers = {
        "set-cookie": "s3cret",
        "authorization": "s3cret",
        "location": "s3cret",
        "www-authenticate": "s3cret",
    }
    assert "s3cret" not in repr(hops({**headers, "server": "nginx"}))


NAMES = st.sampled_from(
    sorted({"via", "server", "proxy-status", "alt-svc", "x-railway-a", "cf-ray", "x-cache"})
)
VALUES = st.one_of(
    st.text(), st.text('",();\\= \x1b\x9b\u202e1.a'), st.just("(" * 50_000), st.just('"' * 50_001)
)


@given(st.dictionaries(NAMES | st.text(), VALUES), st.none() | st.text())
def test_no_value_says_more_than_a_line_of_printable_text(headers: dict[str, str], host: str | None) -> None:
    found = hops(headers, host=host)
    assert len(found) <= MOST_HOPS
    for hop in found:
        assert len(hop.value) <= MOST_CHARS
        assert all(char.isprintable() for char in hop.name + hop.header + hop.value + hop.says)
        assert len(hop.says) < 500


@given(st.text())
def test_a_server_of_any_name_is_one_hop_at_most(name: str) -> None:
    assert len(hops({"server": name})) <= 1


def test_real_proxies_are_named(origin: Origin, nginx: Nginx, caddy: Caddy, envoy: Envoy) -> None:
    upstream = origin()
    for url, name in ((upstream, "own server"), (nginx(upstream), "nginx"), (envoy(upstream), "Envoy")):
        assert any(name in hop.name for hop in hops(answered(url))), name
    assert {"Caddy", "the app's own server, or a hop that keeps its name"} <= {
        hop.name for hop in hops(answered(caddy(upstream)))
    }


def answered(url: str) -> dict[str, str]:
    with urlopen(f"{url}/health", timeout=30) as response:
        return {name.lower(): value for name, value in response.headers.items()}
