"""The OpenAPI document, written here because /search reads its parameters itself and FastAPI knows none.

Made when it is asked for, and not at start.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from service.accept import FRAMINGS
from service.parameters import Parameters, PieceParameters
from service.settings import Settings

_NAME = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_EVENT = {
    "type": "object",
    "properties": {
        "seq": {"type": "integer", "minimum": 0},
        "event": {"enum": ["token", "done", "error"]},
        "data": {"type": "object"},
    },
    "required": ["seq", "event", "data"],
}
# Of a stream, the schema describes each of its events.
_EACH = {
    "text/event-stream": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "event": {"enum": ["token", "done", "error"]},
            "data": {"type": "string", "contentMediaType": "application/json"},
            "retry": {"type": "integer"},
        },
        "required": ["event", "data"],
    },
}
_PROBLEM = {
    "description": "RFC 9457 problem details.",
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "retry_after_s": {"type": "integer"},
        "parameter": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
_PIECE = {
    "type": "object",
    "properties": {
        "events": {"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
        "done": {"type": "boolean"},
        "readers": {"type": "integer", "description": "how many other requests read the answer now"},
    },
    "required": ["events", "done"],
}


def document(settings: Settings, version: str) -> dict[str, Any]:
    """The document as JSON, by the OpenAPI Specification 3.1."""
    search = {"post": _search("search_by_post", settings)}
    if settings.get_search:
        search["get"] = _search("search_by_get", settings)
    secured = _security(settings)
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "streamproof", "version": version},
        "paths": {
            "/search": search,
            "/search/{answer}": {"get": _piece(settings)},
            "/health": {"get": _plain("health", "Whether the process is well.")},
            "/ready": {"get": _plain("ready", "Whether it takes new requests.", 503)},
            "/whoami": {"get": _plain("whoami", "Which target, version and instance this is.")},
        },
        "components": {"schemas": {"Event": _EVENT, "Piece": _PIECE, "Problem": _PROBLEM}},
    }
    if secured:
        described["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    return described


def _search(name: str, settings: Settings) -> dict[str, Any]:
    statuses = [400, 404, 406, 409, 410, 422, 429, 500, 502, 503, 504, 403, 413, 431]
    described: dict[str, Any] = {
        "operationId": name,
        "summary": "A prompt in, its answer streamed.",
        "parameters": [
            *(_in_query(Parameters) if name == "search_by_get" else []),
            _header("Prefer", "respond-async: not streamed, but kept, to be asked for in pieces (RFC 7240)."),
            _header("Last-Event-ID", "ANSWER.SEQ: go on after that event, where resumption is on."),
        ],
        "responses": {
            "200": {
                "description": "The answer's events, in the type that Accept asks for.",
                "content": {media: {"schema": _EACH.get(media, {"type": "string"})} for media in FRAMINGS},
            },
            "202": {
                "description": "The answer is being written, and can be asked for in pieces at Location.",
                "headers": {"Location": {"schema": {"type": "string"}}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Piece"}}},
            },
            "204": {"description": "The client that came back has had the whole answer."},
            **_problems(settings, statuses),
        },
    }
    if name == "search_by_post":
        described["requestBody"] = {
            "description": "Each parameter may stand in the query instead.",
            "required": True,
            "content": {"application/json": {"schema": _schema(Parameters)}},
        }
        described["responses"] |= _problems(settings, [415])
    return described | _security(settings)


def _piece(settings: Settings) -> dict[str, Any]:
    return {
        "operationId": "piece_of_answer",
        "summary": "The events of a kept answer that came after a given one.",
        "parameters": [
            {"name": "answer", "in": "path", "required": True, "schema": _NAME},
            *_in_query(PieceParameters),
        ],
        "responses": {
            "200": {
                "description": "As soon as there is one; none where none came in time, or there are no more.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Piece"}}},
            },
            **_problems(settings, [404, 410, 422, 431, 503]),
        },
    } | _security(settings)


def _plain(name: str, summary: str, *problems: int) -> dict[str, Any]:
    answer = {"description": summary, "content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": answer, **{str(status): _problem() for status in problems}},
    }


def _problems(settings: Settings, statuses: list[int]) -> dict[str, Any]:
    guarded = [401] if _security(settings) else []
    return {str(status): _problem() for status in sorted({*statuses, *guarded})}


def _problem() -> dict[str, Any]:
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": "A problem.", "content": {"application/problem+json": schema}}


def _security(settings: Settings) -> dict[str, Any]:
    guarded = settings.token_sha256 or settings.google_audience
    return {"security": [{"bearer": []}]} if guarded else {}


def _in_query(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = _schema(model)
    for described in schema["properties"].values():
        # A query has no null: what is not wanted is left out.
        for choice in described.pop("anyOf", []):
            described |= choice if choice != {"type": "null"} else {}
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", []), "schema": described}
        for name, described in schema["properties"].items()
    ]


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    for described in schema["properties"].values():
        if described.get("default", 0) is None:
            del described["default"]
        described.pop("title", None)
    if "ai_prompt" in schema["properties"]:
        # Not left to the model, which would not say it so that a person understands.
        schema["required"] = ["ai_prompt"]
        schema["properties"]["ai_prompt"] |= {"pattern": "\\S", "minLength": 1}
        del schema["properties"]["ai_prompt"]["default"]
    return schema
