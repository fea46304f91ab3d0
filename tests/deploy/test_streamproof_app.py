"""The module that a bundle starts in place of a user's app: what it makes of the app, and what it refuses."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
MODULES = ("streamproof_app", "streamproof_proof", "users")
APP = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def create(greeting, loud=False):
    async def made(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": (greeting + "!" * loud).encode()})

    return made


class Flask:
    def __call__(self, environ, start_response):
        return [b"WSGI"]


wsgi = Flask()
"""

Started = Callable[..., Any]


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Started:
    """The `app` that gunicorn would be given."""

    def start(name: str, *, proof: bool = True) -> Any:
        (tmp_path / "users.py").write_text(APP)
        around = (CHECKOUT / "deploy/streamproof_app.py").read_text()
        (tmp_path / "streamproof_app.py").write_text(around.replace("mine.main:app", name))
        if proof:
            (tmp_path / "streamproof_proof.py").write_bytes((CHECKOUT / "service/proof.py").read_bytes())
        monkeypatch.syspath_prepend(tmp_path)
        for module in MODULES:
            monkeypatch.delitem(sys.modules, module, raising=False)
        try:
            return importlib.import_module("streamproof_app").app
        finally:
            for module in MODULES:
                sys.modules.pop(module, None)

    return start


def get(app: Any, path: str) -> tuple[int, str]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent).decode()


def test_the_proof_answers_below_its_prefix_and_the_app_everywhere_else(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMPROOF_LAB", "1")
    app = started("users:app")
    assert get(app, "/proofs/ping") == (200, "/proofs/ping")
    status, body = get(app, "/proof/ping")
    assert status == 200
    assert '"streamproof":1' in body


def test_a_function_that_makes_the_app_is_called_with_its_literals(started: Started) -> None:
    assert get(started("users:create('hello', loud=True)"), "/") == (200, "hello!")


def test_without_the_proof_the_app_is_given_as_it_is(started: Started) -> None:
    assert started("users:app", proof=False).__module__ == "users"


def test_a_wsgi_app_is_refused_in_one_sentence(started: Started, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        started("users:wsgi")
    assert ended.value.code == 3
    assert capsys.readouterr().err == "users:wsgi is a WSGI app, and the kit runs ASGI apps only.\n"
