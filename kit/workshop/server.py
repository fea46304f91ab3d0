"""The page's own server: its files, the proof's engine, the relay, and a proof of the browser's own path."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from kit import __version__
from kit.errors import Code, KitError
from kit.probe.client import Client
from kit.probe.spec import as_browser
from kit.proof.contract import Clause
from kit.proof.lane import Arm
from kit.proof.verdict import in_words
from kit.report.view import lane_view
from kit.service import service_module
from kit.targets import assets
from kit.workshop import browser_report, recording
from kit.workshop.browser_report import BrowserReport
from kit.workshop.contract import check
from kit.workshop.guard import host_of, is_from_us, is_ours, shows
from kit.workshop.lane_run import LaneRun, takes_of
from kit.workshop.lane_text import lane_text
from kit.workshop.page_config import PageConfig
from kit.workshop.relay import Relayed, refused
from kit.workshop.sessions import BoundedCache, OwnPath, Run

PAGE = Path(__file__).with_name("page")
# What the service's own page has already, taken from there.
SHARED = ("sse.js", "strip.js", "icon.svg")
RECORDING = PAGE / "recording.json"
_NO_STORE = {"Cache-Control": "no-store"}


class _Go(BaseModel):
    """What a press of Go says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field(min_length=1, max_length=8_000)
    header: Arm = "on"
    lanes: list[str] = Field(min_length=1, max_length=32)
    how: Literal["stream", "poll", "leave", "cut"] = "stream"
    tokens: int = Field(default=150, ge=1, le=4096)
    # As the service's own /search takes it (service/parameters.py).
    tokens_per_s: float | None = Field(default=None, ge=0.1, le=1000, allow_inf_nan=False)
    path: str | None = None


class Page:
    """The page's server as an ASGI app. `client` asks the lanes on its behalf."""

    def __init__(self, site: PageConfig, client: Client) -> None:
        self._site = site
        self._client = client
        self._runs: BoundedCache[Run] = BoundedCache()
        self._paths: BoundedCache[OwnPath] = BoundedCache()
        routes = [
            *_files(site),
            Route("/api/site", self._site_data),
            Route("/api/path", self._begin_path, methods=["POST"]),
            Route("/api/path/{path}", self._go_on_path, methods=["POST"]),
            Route("/api/runs", self._begin_run, methods=["POST"]),
            Route("/api/runs/{run}/{place:int}/answer", self._answer, methods=["POST"]),
            Route("/api/runs/{run}/{place:int}/proof", self._proof, methods=["POST"]),
            Route("/api/runs/{run}/{place:int}/contract", self._contract, methods=["POST"]),
            Route("/api/runs/{run}/{place:int}/left", self._left, methods=["POST"]),
            Route("/api/recording", self._shipped, methods=["GET"]),
            Route("/api/recording", self._recording, methods=["POST"]),
            Route("/relay/{run}/{place:int}/{what:path}", self._relay, methods=["GET", "POST"]),
            # Always open, for the browser's own path to this server.
            Mount("/here/proof", service_module("proof").create_proof(enabled=lambda: True)),
        ]
        self.app: ASGIApp = Guarded(
            Starlette(routes=routes, exception_handlers={KitError: _refuse}), site.names, site.secret
        )

    # What there is.

    async def _site_data(self, request: Request) -> Response:
        site = self._site
        specs = [next(iter(arms.values())) for arms in site.specs.values()]
        takes = await asyncio.gather(*(takes_of(self._client, spec, site.environment) for spec in specs))
        lanes = [
            {
                "target": name,
                "title": site.title(name),
                "place": site.place(name),
                "arms": list(arms),
                "takes": lane_takes,
                "deadline_s": next(iter(arms.values())).deadline_s,
            }
            for (name, arms), lane_takes in zip(site.specs.items(), takes, strict=True)
        ]
        return _json(
            {
                "environment": site.environment,
                "kit_version": __version__,
                "timeout_ms": 1000 * site.timeout_s,
                "tokens_per_s": site.tokens_per_s,
                "lanes": lanes,
            }
        )

    # The browser's own path.

    async def _begin_path(self, request: Request) -> Response:
        path, name = OwnPath("here/proof"), BoundedCache.name()
        self._paths.keep(name, path)
        return _json({"path": name, **_path_data(path, path.step(None, []))})

    async def _go_on_path(self, request: Request) -> Response:
        path = self._paths.get(request.path_params["path"])
        if path is None:
            raise _gone()
        return _json(_path_data(path, path.step(*await _report(request))))

    # A run.

    async def _begin_run(self, request: Request) -> Response:
        site, go = self._site, _go(await _body(request, 64 * 1024))
        path = self._paths.get(go.path) if go.path else None
        specs = []
        for name in go.lanes:
            spec = site.specs.get(name, {}).get(go.header)
            if spec is None:
                raise KitError(
                    Code.BAD_USAGE,
                    f"There is no lane {name!r} here with the header {go.header}.",
                    f"The lanes are {', '.join(site.specs)}.",
                )
            spec = await site.fresh(spec)
            pace, length = go.tokens_per_s, go.tokens
            specs.append(replace(spec, prompt=go.prompt, max_output_tokens=length, tokens_per_s=pace))
        held = path is not None and path.held
        run = Run(BoundedCache.name(), specs, path_held=held, polls=go.how == "poll")
        await run.find(self._client, request.headers.get("origin"))
        self._runs.keep(run.name, run)
        return _json(
            {
                "run": run.name,
                "measured_at": run.measured_at,
                "lanes": [
                    {
                        "target": lane.spec.target,
                        "relayed": lane.relayed,
                        "request": None if lane.lane else lane.request,
                        "pings": [] if lane.lane else lane.pings,
                        "pieces": lane.pieces,
                        "hold": lane.hold if go.how == "cut" else None,
                        **self._outcome(lane),
                    }
                    for lane in run.lanes
                ],
            }
        )

    async def _answer(self, request: Request) -> Response:
        lane = self._lane(request)
        report, reads = await _report(request)
        if lane.lane is None:
            lane.answered(report, reads)
        return _json(self._outcome(lane))

    async def _proof(self, request: Request) -> Response:
        lane = self._lane(request)
        body = await _body(request, browser_report.MOST_BYTES)
        report, reads = browser_report.read(body) if body else (None, [])
        step = lane.step(report, reads)
        return _json({"step": step, "evidence": lane.evidence, **self._outcome(lane)})

    async def _contract(self, request: Request) -> Response:
        lane = self._lane(request)
        if lane.lane is None:
            raise KitError(Code.BAD_USAGE, "That lane is not judged yet.", "Wait for its verdict.")
        said = await check(lane, self._site)
        return _json({"said": said, "clauses": lane.data["clauses"] if lane.data else []})

    async def _left(self, request: Request) -> Response:
        return _json({"said": await check(self._lane(request), self._site, (Clause.CANCELLED,))})

    def _outcome(self, lane: LaneRun) -> dict[str, Any]:
        """The lane's verdict and what is said of it; nothing as long as there is none."""
        if lane.lane is None:
            return {"lane": None, "said": None}
        target = self._site.targets.get(lane.spec.target)
        return {"lane": lane.data, "said": lane_text(lane_view(lane.lane, target))}

    def _lane(self, request: Request) -> LaneRun:
        run = self._runs.get(request.path_params["run"])
        place: int = request.path_params["place"]
        if run is None or place >= len(run.lanes):
            raise _gone()
        return run.lanes[place]

    async def _relay(self, request: Request) -> Response:
        lane = self._lane(request)
        ask = lane.passed_on(request.path_params["what"], request.method, request.url.query)
        if ask is None:
            raise _gone()
        return Relayed(as_browser(ask), timeout_s=lane.spec.timeout_s, http2=lane.spec.http2)

    # Recordings.

    async def _shipped(self, request: Request) -> Response:
        return self._replay(RECORDING.read_bytes())

    async def _recording(self, request: Request) -> Response:
        return self._replay(await _body(request, recording.MOST_BYTES))

    def _replay(self, content: bytes) -> Response:
        comparison, data = recording.read(content)
        site = self._site
        lanes = [
            {
                "lane": data_of_lane,
                "said": lane_text(lane_view(lane, site.targets.get(lane.target))),
                "title": site.title(lane.target) + (" · polling" if lane.delivery == "polling" else ""),
            }
            for data_of_lane, lane in zip(data["lanes"], comparison.lanes, strict=True)
        ]
        return _json({"mark": recording.mark(comparison), "prompt": comparison.prompt, "lanes": lanes})


class Guarded:
    """Answers only our own page, under a name of ours, and with the secret if any (`kit.workshop.guard`)."""

    def __init__(self, app: ASGIApp, names: frozenset[str], secret: str | None = None) -> None:
        self._app = app
        self._names = names
        self._secret = secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer it, or say why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = self._instead(Request(scope)) or self._app
        await answer(scope, receive, send)

    def _instead(self, request: Request) -> Response | None:
        """What is answered in the app's place; None where the app may answer."""
        reached, port = request.scope.get("server") or (None, None)
        host = host_of(request.headers.get("host", ""))
        if not is_ours(host, self._names, reached):
            text = (
                f"This page is not opened as {host!r}.\n"
                "Open it at the address that `kit workshop` printed, or allow the name: --allow-host NAME\n"
            )
            return PlainTextResponse(text, 421, _NO_STORE)
        # Files may be asked for from anywhere (a link is); whatever does something may not.
        does = request.url.path.startswith(("/api/", "/relay/", "/here/"))
        if self._secret is not None:
            # Another workshop on this machine has the same cookies, but another port.
            cookie = f"streamproof-{port}"
            if request.url.path == "/" and shows(self._secret, [request.query_params.get("token")]):
                return _let_in(cookie, self._secret)
            bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not shows(self._secret, [request.cookies.get(cookie), bearer]):
                return _kept_out(does=does)
        if does and not is_from_us(request.headers, self._names, reached):
            return PlainTextResponse("Only this server's own page may ask that.\n", 403, _NO_STORE)
        return None


def _let_in(cookie: str, secret: str) -> Response:
    """The page again, without the secret in its address, which is shown to the room and copied."""
    response = RedirectResponse("./", 303, _NO_STORE)
    # Lax: a link to a scene may stand in slides.
    response.set_cookie(cookie, secret, path=None, httponly=True, samesite="lax")
    return response


def _kept_out(*, does: bool) -> Response:
    error = KitError(
        Code.BAD_USAGE,
        "This page opens only with the secret in its address.",
        "Open the whole address that `kit workshop` printed, with ?token= and what follows.",
    )
    text = f"{error.message}\n{error.hint}\n"
    response = refused(error, 401) if does else PlainTextResponse(text, 401, _NO_STORE)
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _files(site: PageConfig) -> list[Route]:
    """The page and what it is made of, from memory, under a policy that lets it reach its lanes only."""
    shared = assets() / "service" / "page"
    files = [*(shared / name for name in SHARED), *sorted(PAGE.iterdir())]
    routes: list[Route] = service_module("webpage").create_webpage(files, site.origins)
    return routes


async def _report(request: Request) -> tuple[BrowserReport, list[tuple[float, bytes]]]:
    return browser_report.read(await _body(request, browser_report.MOST_BYTES))


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise KitError(
                    Code.TOO_LARGE, f"That is more than {most:,} octets.", "Send less, or a smaller file."
                )
    except ClientDisconnect:
        return b""
    return bytes(body)


def _go(body: bytes) -> _Go:
    try:
        return _Go.model_validate_json(body)
    except ValidationError as bad:
        # Never its input: that may be the prompt.
        fault = bad.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"])) or "it"
        raise KitError(Code.BAD_USAGE, f"{where}: {fault['msg']}.", "Correct it on the page.") from None


def _path_data(path: OwnPath, step: dict[str, Any] | None) -> dict[str, Any]:
    finding = path.finding
    if finding is None:
        return {"step": step, "verdict": None}
    words = in_words(finding.verdict, finding.shape, finding.block_bytes, finding.hold_ms)
    return {
        "step": step,
        "verdict": str(finding.verdict),
        "held": path.held,
        "words": words,
        "hold_floor_ms": finding.hold_floor_ms,
        "evidence": list(finding.evidence),
    }


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, KitError)  # noqa: S101  # registered for this class only
    status = {Code.TOO_LARGE: 413, Code.NO_STREAM: 410}.get(error.code, 400)
    return refused(error, status)


def _gone() -> KitError:
    return KitError(Code.NO_STREAM, "That run is over, or was never begun.", "Press Go again.")


def _json(data: dict[str, Any]) -> JSONResponse:
    return JSONResponse(data, headers=_NO_STORE)
