from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from kit.app import App
from kit.cli.request import OPTIONS, Request, with_request
from kit.config import Config
from kit.errors import KitError
from kit.probe.client import Ask
from kit.probe.tls import Trust, trust_here


def given(**options: object) -> Request:
    """What these options become; the rest as they are unless given."""
    seen: list[Request] = []

    @with_request
    def command(request: Request) -> None:
        seen.append(request)

    command(**({name: one.default for name, one in OPTIONS.items()} | options))
    return seen[0]


def test_a_command_gets_one_value_in_the_place_of_the_options_and_trusts_as_they_say() -> None:
    trusts: list[Trust] = []

    @with_request
    def command(request: Request, other: int = 1) -> None:
        trusts.append(trust_here())

    command(**{name: one.default for name, one in OPTIONS.items()} | {"insecure": True, "cacert": "a.pem"})
    assert (trusts, trust_here()) == ([Trust(True, "a.pem")], Trust())


def test_without_options_it_is_a_get_and_nothing_is_said() -> None:
    request = given()
    assert request.ask("http://h/x") == Ask("GET", "http://h/x")
    assert request.says == ()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ('{"q": "why"}', "application/json"),
        ("[1]", "application/json"),
        ("a=b&c=d%20e", "application/x-www-form-urlencoded"),
        ("why?", None),
        ('"a word"', None),
        ("", None),
    ],
)
def test_data_is_sent_as_what_it_is(data: str, kind: str | None) -> None:
    ask = given(data=data).ask("http://h/x")
    assert (ask.method, ask.body, dict(ask.headers).get("content-type")) == ("POST", data.encode(), kind)


@pytest.mark.parametrize("data", ["{q: why}", "[1", '{"a": 1', " {'q': 1}"])
def test_data_that_begins_like_json_and_is_none_is_refused_unless_its_type_is_said(data: str) -> None:
    with pytest.raises(KitError) as caught:
        given(data=data)
    assert "--data begins like JSON and is none" in caught.value.message
    assert given(data=data, header=["Content-Type: text/plain"]).body == data.encode()


def test_a_media_type_of_the_users_own_stays() -> None:
    ask = given(data="{}", header=["Content-Type: text/plain"], method="put").ask("http://h/x")
    assert (ask.method, ask.headers) == ("PUT", (("Content-Type", "text/plain"),))


def test_data_may_be_in_a_file_or_come_on_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "body.json").write_text('{"q": 1}')
    assert given(data=f"@{tmp_path / 'body.json'}").body == b'{"q": 1}'
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"\xff\x00")))
    assert given(data="@-").body == b"\xff\x00"


def test_a_copied_command_goes_to_another_address_without_its_credentials(tmp_path: Path) -> None:
    file = tmp_path / "curl.txt"
    file.write_text("curl -k --http2 https://h.example/a?b=c -H 'Authorization: Bearer x' -H 'X-A: y' -d {}")
    request = given(from_curl=str(file))
    assert (request.insecure, request.http2, request.one(None).url) == (True, True, "https://h.example/a?b=c")
    assert "authorization" in {name.lower() for name, _ in request.one(None).headers}
    other = request.ask("https://other.example/a")
    assert {name.lower() for name, _ in other.headers} == {"x-a", "content-type"}
    assert "Bearer" not in repr(request)


def test_a_copied_command_may_be_given_itself() -> None:
    assert given(from_curl="curl -X PUT http://h/x").one(None) == Ask("PUT", "http://h/x")


def test_an_app_is_asked_as_the_options_say_and_a_copied_command_names_its_path(tmp_path: Path) -> None:
    app = App("mine:app", tmp_path, tmp_path / "requirements.txt", probe_path="/chat", probe_method="PUT")
    config = Config(app=app)
    assert given().of(config) is config
    asked = given(method="POST", data='{"q": 1}').of(config).app
    assert asked is not None
    assert (asked.probe_path, asked.method, json.loads(asked.probe_body or b"")) == (
        "/chat",
        "POST",
        {"q": 1},
    )
    assert asked.probe_headers == (("content-type", "application/json"),)
    (tmp_path / "curl.txt").write_text("curl http://127.0.0.1:9/deep/chat?q=ü")
    copied = given(from_curl=str(tmp_path / "curl.txt")).of(config).app
    assert copied is not None
    assert (copied.probe_path, copied.method) == ("/deep/chat?q=%C3%BC", "GET")


def test_the_kits_own_service_is_asked_by_itself() -> None:
    with pytest.raises(KitError) as caught:
        given(header=["a: b"]).of(Config())
    assert "--header says how an app of yours is asked" in caught.value.message
