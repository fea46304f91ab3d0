"""create_app(): the service put together."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service import hosting, problems, settings
from service.access import Access, Guarded
from service.answer_copies import Store
from service.answer_registry import Answers
from service.error_handler import ErrorHandler
from service.firestore import create_store
from service.generate import Generator, create_generator
from service.logs import TraceContext
from service.openapi import document
from service.poll import create_poll
from service.problems import Problem
from service.proof import create_proof, version_by_environment
from service.search import create_search
from service.settings import Settings
from service.streams import OpenStreams, ServerSignals
from service.webpage import create_webpage

PREPARE_AFTER_S = 0.1


def create_app(config: Settings | None = None) -> FastAPI:
    """The whole service as an ASGI app.

    Args:
        config: instead of what the environment says.

    Raises:
        SettingsError: the environment holds what cannot be used.
    """
    config = config or settings.load()
    where = hosting.detect(os.environ, config.target)
    generator = create_generator(config)
    streams = OpenStreams(config.max_streams)
    store = create_store(config)
    answers = Answers(
        streams,
        most=config.max_answers,
        keep_s=config.keep_s,
        grace_s=config.leave_grace_s,
        deadline_s=config.answer_deadline_s,
        store=store,
        room_bytes=config.answers_mib << 20,
    )
    access = Access(config)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        ServerSignals(streams, config.shutdown_grace_s).install()
        preparing = asyncio.create_task(_prepare(generator, store))
        yield
        preparing.cancel()
        await generator.close()
        if store is not None:
            await store.close()

    # No /docs: those pages load their scripts from another host.
    app = FastAPI(title="streamproof", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_problem)
    # Each runs inside of those that are added after it.
    app.add_middleware(ErrorHandler)
    if config.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=config.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID", "Prefer"],
            expose_headers=[
                "Location",
                "Preference-Applied",
                "Retry-After",
                "Server-Timing",
                "Streamproof-Started-Ms",
            ],
        )
    app.add_middleware(TraceContext)
    app.include_router(create_search(config, generator, streams, answers, access, version_by_environment()))
    app.include_router(create_poll(answers, streams, access))

    def proof_open() -> bool:
        return config.lab or time.time() < config.proof_until

    proof = create_proof(
        enabled=proof_open, token=None if config.lab else config.proof_token, instance=where.instance
    )
    # The proof knows nothing of who may ask /search: it is a file that people copy into apps of their own.
    app.mount("/proof", Guarded(proof, access))

    # Each answers with a Response: for a plain dict FastAPI would build a model, 40 ms at start.
    @app.get("/health")
    async def health() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @app.get("/ready")
    async def ready() -> JSONResponse:
        if streams.stopping:
            raise problems.shutting_down()
        return JSONResponse({"ready": True})

    @app.get("/whoami")
    async def whoami() -> JSONResponse:
        return JSONResponse(
            {
                "target": where.target,
                "version": where.version,
                "instance": where.instance,
                "generator": generator.name,
                "bundle": config.bundle and config.bundle[:12],
            },
            headers={"Cache-Control": "no-store"},
        )

    # App Engine asks for this before it sends an instance its first request.
    @app.get("/_ah/warmup", include_in_schema=False)
    async def warmup() -> JSONResponse:
        with suppress(Problem):
            await generator.prepare()
        return JSONResponse({"status": "warm"})

    app.router.routes.extend(create_webpage())
    app.openapi = lambda: document(config, app.version)  # type: ignore[method-assign]
    return app


async def _prepare(generator: Generator, store: Store | None) -> None:
    """So that the first request seldom waits; a failure here is reported by that request."""
    # A server listens a moment after lifespan's startup: first the port, then what takes long.
    await asyncio.sleep(PREPARE_AFTER_S)
    for what in (generator, store):
        with suppress(Problem):
            await what.prepare() if what else None


async def _problem(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)  # noqa: S101  # registered for this class only
    return problem.response()


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this class only
    title = HTTPStatus(error.status_code).phrase
    response = Problem(
        "http", error.status_code, title, f"{title}: {request.method} {request.url.path}"
    ).response()
    response.headers.update(error.headers or {})
    return response
