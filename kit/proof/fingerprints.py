"""Which hops a response's headers hint at, and what is known of how each of them treats a stream.

A header is a hint and never evidence: whoever stands on the way can set it, replace it or take it away. What
an experiment showed comes first; this only says where to look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

# How sure something is: its owner's page, source or standard says it; a thread reports it; it was measured on
# loopback; or it is inferred.
Sure = Literal["documented", "reported", "measured", "inferred"]

_HOW: dict[Sure, str] = {
    "documented": "documented, not observed",
    "reported": "reported in a thread, not observed",
    "measured": "measured on loopback, not here",
    "inferred": "inferred",
}

NO_EVIDENCE = "A hint is no evidence: anybody on the way can set it."
MOST_HOPS = 20
MOST_CHARS = 80
_MOST_READ = 2_000  # of one header: nobody names himself at greater length


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is known of one kind of hop.

    Attributes:
        name: as a person calls it.
        streams: what it does to a stream, a sentence; None where no source was found.
        sure: how sure that is.
        source: where it is from; threads as owner/repository/issues/number.
    """

    name: str
    streams: str | None = None
    sure: Sure = "inferred"
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """One hint.

    Attributes:
        name: who it hints at.
        header: in lower case; "host" for the address's own name.
        value: the header's, or its entry of it, printable and clipped; empty where it is not shown.
        says: the hint in a sentence, with how sure the reading is, and that a hint is no evidence.
        streams: what is known of that kind of hop, with how sure it is and its source; None for nothing.
    """

    name: str
    header: str
    value: str
    says: str
    streams: str | None


_GOOGLE = Fingerprint(
    "Google's front end (App Engine, Cloud Run and others)",
    "App Engine Standard collects the whole response; Flexible holds 64 KiB blocks until the response "
    "carries X-Accel-Buffering: no; Cloud Run streams.",
    "documented",
    "docs.cloud.google.com/appengine/docs/standard/how-requests-are-handled, "
    "docs.cloud.google.com/appengine/docs/flexible/how-requests-are-handled, "
    "docs.cloud.google.com/run/docs/triggering/https-request",
)
_APP_ENGINE = replace(_GOOGLE, name="App Engine")
_CLOUD_RUN = Fingerprint(
    "Cloud Run",
    "It streams what is sent in chunks, and ends every response after its request timeout, 300 s unless set.",
    "documented",
    "docs.cloud.google.com/run/docs/triggering/https-request, "
    "docs.cloud.google.com/run/docs/configuring/request-timeout",
)
_GOOGLE_BALANCER = Fingerprint(
    "a Google Cloud load balancer (or GKE Ingress)",
    "Its backend timeout, 30 s unless set, bounds the whole response; heartbeats do not help.",
    "inferred",
    "kubernetes/ingress-gce/issues/1803",
)
_FIREBASE = Fingerprint(
    "Firebase Hosting",
    "A rewrite to Cloud Run or a function is buffered; the run.app address asked directly streams.",
    "reported",
    "firebase/firebase-tools/issues/9774",
)
_CLOUDFLARE = Fingerprint(
    "Cloudflare",
    "Its tunnel (cloudflared) flushes text/event-stream, gRPC and one JSON type of events at once, and "
    "nothing else. X-Accel-Buffering is reported to have no effect there (issue 1496 of cloudflared).",
    "documented",
    "cloudflare/cloudflared, connection.go, flushableContentTypes",
)
_QUICK_TUNNEL = Fingerprint(
    "a Cloudflare quick tunnel",
    'Its edge treats the methods differently: "When using POST, events are streamed correctly in real-time".',
    "reported",
    "cloudflare/cloudflared/issues/1449",
)
_API_GATEWAY = Fingerprint(
    "Amazon API Gateway, or a Lambda function's own address",
    "An HTTP API never streams, a REST API only in the response transfer mode STREAM; both cut after 29 to "
    "30 s. A function's own address streams in the invoke mode RESPONSE_STREAM.",
    "inferred",
    "aws/aws-lambda-web-adapter/issues/490, awslabs/nx-plugin-for-aws/pull/442",
)
_AWS_BALANCER = Fingerprint(
    "an AWS load balancer (ALB)",
    '"application load balancer does not support streaming response from Lambda"; of other targets the '
    "thread says nothing.",
    "reported",
    "Kludex/mangum/issues/341",
)
_VERCEL = Fingerprint(
    "Vercel",
    "Static rendering holds a stream (dynamic = 'force-dynamic' frees it), and maxDuration cuts it after 10 "
    "to 60 s.",
    "inferred",
    "vercel/ai/issues/1519",
)
_FLY = Fingerprint(
    "Fly.io's proxy",
    "It compresses, and holds what it compresses; a body that is gzip already, and flushed, passes.",
    "inferred",
    "brendanlong/lion-reader/pull/691",
)
_ENVOY = Fingerprint(
    "Envoy (or Istio)",
    "Its router passes each event; a filter that reads the body holds the whole message. A route's timeout, "
    "15 s unless set, cuts a stream.",
    "measured",
    "loopback, Envoy 1.40; the timeout quoted from NVIDIA/nvcf/issues/1060",
)
_NGINX = Fingerprint(
    "nginx",
    "It buffers unless told not to: blocks of 4 KiB or 64 KiB from an HTTP/1.0 upstream; from an HTTP/1.1 "
    "upstream only the end of a large event. X-Accel-Buffering: no frees it, and the client does not see "
    "that header.",
    "measured",
    "loopback, nginx 1.22 and 1.31",
)
_CADDY = Fingerprint(
    "Caddy",
    "It passes each event; with response_buffers it holds the beginning, or refuses with 501 what says "
    "Incremental: ?1.",
    "measured",
    "loopback, Caddy 2.11",
)
_VARNISH = Fingerprint(
    "Varnish (or Fastly)",
    "Varnish passes each event; do_stream=false and ESI hold the whole message. Fastly was not measured.",
    "measured",
    "loopback, Varnish 7.1",
)
_AZURE = Fingerprint(
    "Azure's front end",
    "App Service's was reported to wait for the whole payload.",
    "inferred",
    "Azure/static-web-apps/issues/1462",
)
_HEROKU = Fingerprint(
    "Heroku's router",
    'It does not buffer ("There is no nginx involved"); its time limits (H12, H15) end a stream.',
    "reported",
    "heroku/heroku-buildpack-python/issues/307",
)
_EXPRESS = Fingerprint(
    "Express",
    "Its compression middleware holds about 16 KiB; Cache-Control: no-transform, or res.flush(), frees it.",
    "measured",
    "loopback; expressjs/compression, README",
)
_NEXT = Fingerprint(
    "Next.js",
    "Its compression wraps text/event-stream too; Cache-Control: no-transform frees it.",
    "inferred",
    "vercel/next.js/issues/9965",
)
_APACHE = Fingerprint(
    "Apache", "It passes each event, compressed or not.", "measured", "loopback, Apache 2.4"
)
_COLLECTS = Fingerprint("lighttpd", "It holds the whole message.", "measured", "loopback")
_APP = Fingerprint(
    "the app's own server, or a hop that keeps its name",
    "It passes each event that the app yields.",
    "measured",
    "loopback, uvicorn and gunicorn",
)
_REFUSES = "It says that it will not forward this response incrementally (RFC 10036)."
_HTTP3 = Fingerprint(
    "a front that offers HTTP/3",
    "A browser may come by HTTP/3 the next time, which the kit does not speak: its way can be another one.",
    "documented",
    "RFC 7838",
)

# Header, what its value (or an entry of Via) must hold, who that is, and how sure the reading is. The first
# that fits is it.
_BY_VALUE: tuple[tuple[str, str, Fingerprint, Sure], ...] = (
    ("server", r"google frontend", _GOOGLE, "reported"),
    ("server", r"cloudflare", _CLOUDFLARE, "inferred"),
    ("server", r"vercel", _VERCEL, "inferred"),
    ("server", r"\bfly/", _FLY, "inferred"),
    ("server", r"envoy", _ENVOY, "measured"),
    ("server", r"awselb", _AWS_BALANCER, "inferred"),
    ("server", r"nginx|openresty", _NGINX, "measured"),
    ("server", r"caddy", _CADDY, "measured"),
    ("server", r"varnish", _VARNISH, "inferred"),
    ("server", r"\bapache\b", _APACHE, "inferred"),
    ("server", r"\bh2o\b", replace(_APACHE, name="h2o", source="loopback"), "inferred"),
    ("server", r"nghttpx", replace(_APACHE, name="nghttpx", source="loopback"), "inferred"),
    ("server", r"lighttpd", _COLLECTS, "inferred"),
    ("server", r"mitmproxy", replace(_COLLECTS, name="mitmproxy"), "inferred"),
    ("server", r"uvicorn|gunicorn|hypercorn", _APP, "measured"),
    ("via", r"\bgoogle\b", _GOOGLE_BALANCER, "inferred"),
    ("via", r"cloudfront", Fingerprint("Amazon CloudFront"), "inferred"),
    ("via", r"vegur|heroku", _HEROKU, "inferred"),
    ("via", r"varnish", _VARNISH, "inferred"),
    ("via", r"caddy", _CADDY, "measured"),
    ("via", r"squid", replace(_APACHE, name="Squid", source="loopback, Squid 5.7"), "inferred"),
    ("via", r"envoy", _ENVOY, "inferred"),
    ("x-powered-by", r"express", _EXPRESS, "inferred"),
    ("x-powered-by", r"next\.js", _NEXT, "inferred"),
    ("x-served-by", r"\bcache-", _VARNISH, "inferred"),
    ("alt-svc", r"\bh3\b", _HTTP3, "documented"),
)

# Headers that are there with whatever value. An end in "-" stands for every name that begins so; the values
# of those are not shown, since nobody knows what may be in them.
_BY_NAME: tuple[tuple[str, Fingerprint, Sure], ...] = (
    ("cf-ray", _CLOUDFLARE, "inferred"),
    ("x-cloud-trace-context", _GOOGLE, "reported"),
    ("x-amzn-requestid", _API_GATEWAY, "inferred"),
    ("x-amz-apigw-id", _API_GATEWAY, "inferred"),
    ("apigw-requestid", _API_GATEWAY, "inferred"),
    ("apigw-id", _API_GATEWAY, "inferred"),
    ("x-amzn-trace-id", _AWS_BALANCER, "inferred"),
    ("x-amz-cf-id", Fingerprint("Amazon CloudFront"), "inferred"),
    ("x-vercel-id", _VERCEL, "inferred"),
    ("x-azure-ref", _AZURE, "inferred"),
    ("fly-request-id", _FLY, "inferred"),
    ("x-envoy-upstream-service-time", _ENVOY, "measured"),
    ("x-render-origin-server", Fingerprint("Render"), "inferred"),
    ("x-cache", Fingerprint("a cache"), "inferred"),
    ("x-railway-", Fingerprint("Railway"), "inferred"),
    ("x-github-", Fingerprint("GitHub"), "inferred"),
    ("x-firebase-", _FIREBASE, "inferred"),
)

# The ends of names that a platform gives to what it hosts.
_BY_HOST: tuple[tuple[str, Fingerprint], ...] = (
    (".run.app", _CLOUD_RUN),
    (".appspot.com", _APP_ENGINE),
    (".web.app", _FIREBASE),
    (".firebaseapp.com", _FIREBASE),
    (".trycloudflare.com", _QUICK_TUNNEL),
    (".vercel.app", _VERCEL),
    (".herokuapp.com", _HEROKU),
    (".fly.dev", _FLY),
    (".onrender.com", Fingerprint("Render")),
    (".up.railway.app", Fingerprint("Railway")),
    (".on.aws", _API_GATEWAY),
    (".cloudfront.net", Fingerprint("Amazon CloudFront")),
    (".azurewebsites.net", _AZURE),
    (".azurestaticapps.net", _AZURE),
)

_VIA = re.compile(r'(?:[^,"(]|"(?:\\.|[^"\\])*"|\([^)]*\))+')
_STATUS_NAME = re.compile(r'\s*(?:"((?:\\.|[^"\\])*)"|([^;,\s]+))')


def hops(headers: Mapping[str, str], *, host: str | None = None) -> tuple[Hop, ...]:
    """The hops that a response's headers hint at, the nearest to the service first where an order is known.

    Args:
        headers: lower-case name to value, repeated ones joined by ", ".
        host: the name in the address that was asked, for what a platform's own names say.
    """
    found = [*_by_host(host or ""), *_by_value(headers), *_statuses(headers), *_by_name(headers)]
    return tuple(dict.fromkeys(found))[:MOST_HOPS]


def _by_host(host: str) -> Iterator[Hop]:
    name = host.lower().rstrip(".")
    yield from (_hop(known, "host", name, "inferred") for end, known in _BY_HOST if name.endswith(end))
    if name.endswith(".amazonaws.com"):
        if ".execute-api." in name:
            yield _hop(_API_GATEWAY, "host", name, "inferred")
        elif ".elb." in name:
            yield _hop(_AWS_BALANCER, "host", name, "inferred")


def _by_value(headers: Mapping[str, str]) -> Iterator[Hop]:
    for header in ("via", "server", "x-powered-by", "x-served-by", "alt-svc"):
        value = headers.get(header, "")[:_MOST_READ]
        for entry in _VIA.findall(value) if header == "via" else [value]:
            if not entry.strip():
                continue
            fits = (
                _hop(known, header, entry, sure)
                for name, pattern, known, sure in _BY_VALUE
                if name == header and re.search(pattern, entry, re.IGNORECASE)
            )
            hop = next(fits, None)
            if hop is None and header in ("via", "server"):
                name = _printable(_own_name(header, entry))
                hop = _hop(Fingerprint(f"one that calls itself {name!r}"), header, entry, None)
            if hop is not None:
                yield hop


def _own_name(header: str, entry: str) -> str:
    """`1.1 name (comment)` in Via, without its version."""
    words = entry.split()
    return words[1] if header == "via" and len(words) > 1 else entry.strip()


def _statuses(headers: Mapping[str, str]) -> Iterator[Hop]:
    """Each hop of Proxy-Status names itself (RFC 9209), the one nearest to the service first."""
    for entry in _VIA.findall(headers.get("proxy-status", "")[:_MOST_READ]):
        named = _STATUS_NAME.match(entry)
        if named:
            hop = _hop(
                Fingerprint(f"one that calls itself {_printable(named[1] or named[2] or '')!r}"),
                "proxy-status",
                entry,
                None,
            )
            refuses = "incremental_refused" in entry.lower()
            yield replace(hop, streams=_REFUSES) if refuses else hop


def _by_name(headers: Mapping[str, str]) -> Iterator[Hop]:
    for wanted, known, sure in _BY_NAME:
        if not wanted.endswith("-"):
            if headers.get(wanted, "").strip():
                yield _hop(known, wanted, headers[wanted], sure)
        elif there := next((name for name in sorted(headers) if name.startswith(wanted)), None):
            yield _hop(known, _printable(there), "", sure)


def _hop(known: Fingerprint, header: str, value: str, sure: Sure | None) -> Hop:
    shown = _printable(value)
    what = f"{header}: {shown}" if shown else f"a header {header}"
    how = f" ({_HOW[sure]})" if sure else ""
    says = f"{what} hints at {known.name}{how}. {NO_EVIDENCE}"
    streams = None if known.streams is None else f"{known.streams} ({_HOW[known.sure]}; {known.source})"
    return Hop(known.name, header, shown, says, streams)


def _printable(value: str) -> str:
    """A value that may be shown: no control characters, not without end."""
    text = " ".join("".join(char if char.isprintable() else "?" for char in value[:_MOST_READ]).split())
    return text if len(text) <= MOST_CHARS else text[: MOST_CHARS - 1] + "…"
