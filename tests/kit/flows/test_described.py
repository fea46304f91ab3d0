"""How a user's app is asked where kit.toml says only where: as its own OpenAPI document says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Literal

import pytest
from fastapi import FastAPI
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from kit.app import App
from kit.config import Config
from kit.flows.described import Described, as_described, described
from kit.lab.asgi import serving

app = FastAPI()


class Message(BaseModel):
    role: Literal["user", "system"]
    content: str
    name: str | None = None


class Asked(BaseModel):
    model: str = Field(examples=["small"])
    messages: list[Message]
    n: int = Field(ge=2)
    tag: str | None
    temperature: float = 0.5
    stream: bool = False


@app.post("/chat")
def chat(asked: Asked) -> None: ...


@app.get("/both")
@app.post("/both")
def both() -> None: ...


@app.put("/rooms/{room}/said")
def said(room: str) -> None: ...


@app.post("/rooms/mine/said")
def mine(texts: list[str]) -> None: ...


DOCUMENT = app.openapi()
CHAT = {
    "model": "small",
    "messages": [{"role": "user", "content": "Why?"}],
    "n": 2,
    "tag": "Why?",
    "stream": True,
}


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("/chat", Described("POST", CHAT)),
        ("/both", None),
        ("/rooms/mine/said", Described("POST", ["Why?"])),
        ("/rooms/1/said", Described("PUT", None)),
        ("/rooms/1/2/said", None),
        ("/chats", None),
    ],
)
def test_a_path_that_takes_no_get_is_asked_with_the_smallest_body_that_fits(
    path: str, request_: Described | None
) -> None:
    assert described(DOCUMENT, path, "Why?") == request_
    if request_ is not None and path == "/chat":
        Asked.model_validate(request_.body)


def test_an_example_of_the_body_as_a_whole_comes_first() -> None:
    def of(**content: Any) -> Any:
        operation = {"requestBody": {"content": {"application/json": content}}}
        found = described({"paths": {"/chat": {"post": operation}}}, "/chat", "Why?")
        return found and found.body

    schema = {"type": "object", "required": ["q"], "properties": {"q": {"type": "string"}}}
    assert of(schema=schema) == {"q": "Why?"}
    assert of(schema={**schema, "examples": [{"q": "Schema?"}]}) == {"q": "Schema?"}
    assert of(schema=schema, example={"q": "Mine?"}) == {"q": "Mine?"}
    assert of(schema=schema, examples={"first": {"value": {"q": "First?"}}}) == {"q": "First?"}
    assert of(schema={"allOf": [schema, {**schema, "required": []}]}) == {"q": "Why?"}


def test_a_schema_that_leads_in_a_circle_ends() -> None:
    node = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/a"}}}
    operation = {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/a"}}}}}
    for of_a in (node, {"$ref": "#/a"}):
        assert described({"a": of_a, "paths": {"/": {"post": operation}}}, "/", "Why?") is not None


KEYS = (
    "paths / post requestBody content application/json schema $ref examples type properties required items "
    "anyOf allOf enum minimum stream"
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(json_values, json_values)
@example({}, {"enum": []})
@example({}, {"examples": {}})
@example({}, {"type": "object", "required": 1})
def test_no_document_is_too_odd(document: Any, schema: Any) -> None:
    described(document, "/", "Why?")
    operation = {"requestBody": {"content": {"application/json": {"schema": schema}}}}
    found = described({"paths": {"/": {"post": operation}}}, "/", "Why?")
    assert found is not None
    json.dumps(found.body)


def learned(config: Config, url: str) -> tuple[Config, list[str]]:
    lines: list[str] = []
    found = asyncio.run(as_described(config, url, prompt="Why?", timeout_s=30, say=lines.append))
    return found, lines


def own(**keys: Any) -> Config:
    return Config(app=App("main:app", Path(), Path(), **keys))


def test_the_app_itself_is_asked_and_what_it_says_is_told() -> None:
    with serving(app) as url:
        found, lines = learned(own(probe_path="/chat?debug=1", probe_headers=(("a", "b"),)), url)
        assert learned(own(probe_path="/both"), url) == (own(probe_path="/both"), [])
    assert found.app is not None
    assert found.app.method == "POST"
    assert found.app.probe_headers == (("a", "b"), ("content-type", "application/json"))
    assert json.loads(found.app.probe_body or b"") == CHAT
    (line,) = lines
    assert "POST" in line
    assert json.dumps(CHAT) in line
    assert "probe_body" in line


@pytest.mark.parametrize("config", [Config(), own(probe_method="GET"), own(probe_body=b"x")])
def test_what_is_known_already_is_not_asked(config: Config) -> None:
    assert learned(config, "http://127.0.0.1:1") == (config, [])


def test_an_app_that_cannot_be_reached_is_left_to_its_own_answer() -> None:
    assert learned(own(), "http://127.0.0.1:1") == (own(), [])
