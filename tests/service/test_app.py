"""What the service answers beside /search."""

from __future__ import annotations

import pytest

from service.app import create_app
from service.settings import Settings
from tests.fixtures.origin import Origin
from tests.service.asking import ask, connected
from tests.service.conftest import Serve


@pytest.mark.parametrize("path", ["/health", "/ready", "/whoami", "/_ah/warmup"])
def test_what_a_platform_asks_is_answered_in_json(path: str, quick: str) -> None:
    answer = ask(quick, path)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()


def test_no_path_ends_in_z_because_googles_front_ends_keep_those() -> None:
    paths = [getattr(route, "path", "") for route in create_app(Settings()).routes]
    assert "/health" in paths
    assert not [path for path in paths if path.endswith("z")]


def test_whoami_names_target_version_and_generator(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"GAE_ENV": "standard", "GAE_VERSION": "v7", "GAE_INSTANCE": "00c6"}.items():
        monkeypatch.setenv(name, value)
    answer = ask(serve(create_app(Settings())), "/whoami")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {
        "target": "standard",
        "version": "v7",
        "instance": "00c6",
        "generator": "embedded",
        "bundle": None,
    }


def test_whoami_and_the_proof_name_the_same_instance(quick: str) -> None:
    assert ask(quick, "/whoami").json()["instance"] == ask(quick, "/proof/ping").json()["instance"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("POST", "/health", 405)])
def test_what_is_not_there_is_a_problem_too(method: str, path: str, status: int, quick: str) -> None:
    answer = ask(quick, path, method=method)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert (answer.headers["Allow"] is not None) == (status == 405)


def test_a_host_that_is_none_breaks_nothing(quick: str) -> None:
    with connected(quick) as wire:
        wire.sendall(b"GET /nothing HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n")
        octets = wire.makefile("rb").read()
    assert octets.startswith(b"HTTP/1.1 4")
    assert b"problem+json" in octets


def test_the_environment_of_a_real_server_decides(origin: Origin) -> None:
    base = origin(
        target="run-eu", first_token_ms=0, tokens_per_s=10_000, max_output_tokens=5, max_prompt_chars=9
    )
    assert ask(base, "/whoami").json()["target"] == "run-eu"
    assert len(ask(base, ai_prompt="Why?").events()) == 6
    assert ask(base, ai_prompt="Why? Why? ").status == 413


def test_a_real_server_paces_the_embedded_text_as_it_is_set(origin: Origin) -> None:
    *tokens, done = ask(
        origin(first_token_ms=200, tokens_per_s=100), ai_prompt="Why?", max_output_tokens=31
    ).events()
    assert tokens[0].data["t_ms"] >= 199
    assert tokens[-1].data["t_ms"] >= 200 + 300 - 0.35 * 10 - 1
    assert done.type == "done"


def test_the_description_of_the_api_names_each_operation_once() -> None:
    described = create_app(Settings()).openapi()
    assert set(described["paths"]["/search"]) == {"get", "post"}
    operations = [
        operation["operationId"] for path in described["paths"].values() for operation in path.values()
    ]
    assert len(operations) == len(set(operations))
