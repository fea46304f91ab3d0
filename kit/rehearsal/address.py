"""A URL of a hosted service: who answers there, and who may ask."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import NamedTuple

import h11

from kit.lab import headers as rules
from kit.lab.exchange import Exchange, values
from kit.lab.fronts import plain
from kit.lab.peer import Peer, answer
from kit.lab.proxy import Front
from kit.rehearsal.uploads import Rule
from kit.targets import FrontSpec

# Where no version is behind the URL, no platform's front is meant.
_NO_FRONT = FrontSpec(
    hold="none",
    accel_frees=False,
    deadline_s=300,
    request_headers_removed=(),
    response_headers_removed=(),
    client_leaves="unknown",
    idle="unknown",
    shutdown_grace_s=10,
)

_X_AUTHORIZATION = b"x-serverless-authorization"


class Backend(NamedTuple):
    """A running version: its platform's front, its port on 127.0.0.1, and what each request is within."""

    spec: FrontSpec
    port: int
    is_open: AbstractContextManager[None]


class Address(Front):
    """A front that asks, for each request, whether it may pass and which version answers.

    A private one does as Cloud Run's: it wants a token in X-Serverless-Authorization, else in Authorization;
    without one it answers 403, to one that it does not know 401, and hands the token on without its signature
    (docs.cloud.google.com/run/docs/authenticating/service-to-service).
    """

    def __init__(
        self, pick: Callable[[], Backend | None], guard: Callable[[], Callable[[str], bool] | None]
    ) -> None:
        super().__init__(_NO_FRONT, 0)
        self._pick = pick
        self._guard = guard

    async def exchange(self, client: Peer, request: h11.Request) -> None:
        """Let the version that is picked answer, behind its own front."""
        backend, admits = self._pick(), self._guard()
        if admits is not None and (refused := _refusal(request, admits)) is not None:
            await _say(client, request, backend, *refused)
        elif backend is None:
            await _say(client, request, None, 503, "No version runs here.")
        else:
            await Exchange(backend.spec, client, _unsigned(request)).run(backend.port, backend.is_open)


class Gateway(Front):
    """A front that asks, for each request, which of its rules fits and which version that leads to.

    Args:
        backend: a version of a service that runs; None where it does not.

    Attributes:
        rules: as `Hosting.route_gateway` has them.
    """

    def __init__(self, backend: Callable[[str, str], Backend | None]) -> None:
        super().__init__(_NO_FRONT, 0)
        self.rules: tuple[Rule, ...] = ()
        self._backend = backend

    async def exchange(self, client: Peer, request: h11.Request) -> None:
        """Let the version that a rule leads to answer, behind its own front with its Service's deadline."""
        path, mark, query = request.target.partition(b"?")
        for rule in self.rules:
            if (rest := under(rule.prefix.encode(), path)) is not None:
                break
        else:
            await _say(client, request, None, 404, "fault filter abort")
            return
        if not any(way.weight for way in rule.ways):
            await _say(client, request, None, 500, "no backend has a weight")  # from memory, unverified
            return
        way = random.choices(rule.ways, [way.weight for way in rule.ways])[0]
        backend = self._backend(way.service, way.version) if way.version is not None else None
        if backend is None:
            await _say(client, request, None, 503, "no healthy upstream")
            return
        if rule.replacement is not None:
            path = rule.replacement.encode().rstrip(b"/") + rest
            target = (path if path.startswith(b"/") else b"/" + path) + mark + query
            request = h11.Request(method=request.method, target=target, headers=request.headers.raw_items())
        spec = replace(backend.spec, deadline_s=way.timeout_s)
        await Exchange(spec, client, request).run(backend.port, backend.is_open)


def under(prefix: bytes, path: bytes) -> bytes | None:
    """What of a path comes after a prefix of whole parts; None where it is not under it."""
    prefix = prefix.rstrip(b"/")
    if not path.startswith(prefix):
        return None
    rest = path[len(prefix) :]
    return rest if not rest or rest.startswith(b"/") else None


def _refusal(request: h11.Request, admits: Callable[[str], bool]) -> tuple[int, str] | None:
    header = rules.find(request.headers, _X_AUTHORIZATION) or rules.find(request.headers, b"authorization")
    scheme, _, token = (header or b"").decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        return 403, "Your client does not have permission to get this URL from this server."
    return None if admits(token.strip()) else (401, "Your client's token could not be verified.")


async def _say(client: Peer, request: h11.Request, backend: Backend | None, status: int, why: str) -> None:
    for release in plain(backend.spec if backend else _NO_FRONT, status, why, values(client, request)):
        await answer(client, release)


def _unsigned(request: h11.Request) -> h11.Request:
    """The request as the service sees it: a token of Google's without its signature."""

    def strip(name: bytes, value: bytes) -> bytes:
        if name.lower() == _X_AUTHORIZATION and value.count(b".") == 2:
            return value.rpartition(b".")[0] + b".SIGNATURE_REMOVED_BY_GOOGLE"
        return value

    headers = [(name, strip(name, value)) for name, value in request.headers.raw_items()]
    return h11.Request(method=request.method, target=request.target, headers=headers)
