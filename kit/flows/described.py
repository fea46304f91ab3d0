"""How a user's app is asked where kit.toml says only where: as its own OpenAPI document describes that path.

FastAPI writes that document by itself. Nothing but the method and a smallest body that fits is taken from it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from kit.app import Headers, with_json
from kit.config import Config
from kit.errors import KitError
from kit.probe.client import Ask, Client

QUESTION: Final = "Why does a streamed answer sometimes arrive all at once?"

_DOCUMENT: Final = "/openapi.json"
_MOST_BYTES: Final = 4 * 1024 * 1024
_METHODS: Final = ("post", "put", "patch", "query")
# Of a schema within a schema within a schema…; one that leads in a circle ends too.
_DEEPEST: Final = 12


@dataclass(frozen=True, slots=True)
class Described:
    """A request that an OpenAPI document describes; `body` is what is sent as JSON, None for nothing."""

    method: str
    body: Any


def described(document: Any, path: str, prompt: str) -> Described | None:
    """The request for a path that takes no GET; None where it takes one, or the document does not say.

    Args:
        document: an OpenAPI 3 document, as parsed; anything else says nothing.
        path: what is asked, without its query.
        prompt: what stands where a text is wanted and the document has no example.
    """
    operations = _operations(_of(document, "paths"), path)
    if "get" in operations:
        return None
    for method in _METHODS:
        if method in operations:
            content = _of(_resolved(document, _of(operations[method], "requestBody")), "content")
            schema = _of(content, "application/json")
            body = None if not schema else _sample(document, schema, _of(schema, "schema"), prompt)
            return Described(method.upper(), body)
    return None


async def as_described(
    config: Config,
    base_url: str,
    headers: Headers = (),
    *,
    prompt: str = QUESTION,
    timeout_s: float,
    say: Callable[[str], None],
) -> Config:
    """The configuration, its app asked as its own document describes where kit.toml does not say how.

    Args:
        config: whose app it is.
        base_url: where it runs.
        headers: what it takes to be let in.
        prompt: see `described`.
        timeout_s: seconds for the document.
        say: called with how it is asked, if that comes from the document.
    """
    app = config.app
    if app is None or app.probe_method is not None or app.probe_body is not None:
        return config
    ask = Ask("GET", f"{base_url.rstrip('/')}{_DOCUMENT}", headers)
    try:
        async with Client(timeout_s=timeout_s) as client:
            _, raw, _, _ = await client.fetch(
                ask, within_ms=timeout_s * 1000, begins=b"{", most_bytes=_MOST_BYTES
            )
        found = described(json.loads(raw), app.probe_path.partition("?")[0], prompt)
    except (KitError, ValueError, RecursionError):  # what is wrong with the app, its own answer will show
        return config
    if found is None:
        return config
    sent, body = (app.probe_headers, None) if found.body is None else with_json(app.probe_headers, found.body)
    shown = "without a body" if body is None else f"with {body.decode()[:200]}"
    say(
        f"{app.probe_path} takes no GET: it is asked by {found.method} {shown}, as {_DOCUMENT} describes it. "
        "To ask otherwise set probe_method and probe_body in kit.toml, in the table [app]."
    )
    return replace(config, app=replace(app, probe_method=found.method, probe_headers=sent, probe_body=body))


def _of(value: Any, key: str) -> Any:
    found = value.get(key) if isinstance(value, Mapping) else None
    return {} if found is None else found


def _operations(paths: Any, path: str) -> Mapping[str, Any]:
    """What is described at the path itself, else at the first pattern (`/chat/{room}`) that it fits."""
    if not isinstance(paths, Mapping):
        return {}
    for pattern in sorted(map(str, paths), key=lambda one: (one != path, one.count("{"))):
        parts = re.split(r"\{[^{}/]*\}", pattern)
        if re.fullmatch("[^/]+".join(map(re.escape, parts)), path):
            found = paths[pattern]
            return found if isinstance(found, Mapping) else {}
    return {}


def _resolved(document: Any, schema: Any) -> Any:
    for _ in range(_DEEPEST):
        where = _of(schema, "$ref")
        if not isinstance(where, str) or not where.startswith("#/"):
            return schema
        schema = document
        for part in where[2:].split("/"):
            schema = _of(schema, part.replace("~1", "/").replace("~0", "~"))
    return {}


def _sample(document: Any, described: Any, schema: Any, prompt: str, deep: int = 0) -> Any:
    """A smallest value that fits, examples first.

    Args:
        document: in which references lead somewhere.
        described: what may have an example beside the schema.
        schema: what the value must fit.
        prompt: what stands for a text.
        deep: how many schemas this one is in.
    """
    for given in (described, schema := _resolved(document, schema)):
        if not isinstance(given, Mapping):
            continue
        for key in ("example", "default", "const"):
            if key in given:
                return given[key]
        several = given.get("examples") or given.get("enum")
        if isinstance(several, list) and several:
            return several[0]
        if isinstance(several, Mapping) and several:  # of a media type, each with a name
            return _of(next(iter(several.values())), "value")
    if deep > _DEEPEST:
        return None
    for key in ("anyOf", "oneOf"):
        if isinstance(one_of := _of(schema, key), list) and one_of:
            return _sample(document, {}, one_of[0], prompt, deep + 1)
    if isinstance(all_of := _of(schema, "allOf"), list) and all_of:
        values = [_sample(document, {}, one, prompt, deep + 1) for one in all_of]
        if all(isinstance(value, dict) for value in values):
            return {name: inner for value in values for name, inner in value.items()}
        return values[0]
    kind = _of(schema, "type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    properties = _of(schema, "properties")
    if kind == "object" or properties:
        required = _of(schema, "required")
        wanted = map(str, required if isinstance(required, list) else ())
        sample = {name: _sample(document, {}, _of(properties, name), prompt, deep + 1) for name in wanted}
        # Where an answer can be had in either way, it is the stream that is wanted.
        return sample | ({"stream": True} if _of(_of(properties, "stream"), "type") == "boolean" else {})
    if kind == "array":
        return [_sample(document, {}, _of(schema, "items"), prompt, deep + 1)]
    if kind in ("integer", "number"):
        least = _of(schema, "minimum")
        if not isinstance(least, int | float) or not math.isfinite(least):
            return 1
        return math.ceil(least) if kind == "integer" else least
    return {"boolean": False, "null": None}.get(str(kind), prompt)
