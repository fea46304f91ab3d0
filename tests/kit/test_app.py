"""What `[app]` of kit.toml may say, and the sentence for what it may not."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.app import App, read_app
from kit.config import load_config
from kit.errors import Code, KitError

FOLDER = Path("a-folder")


def read(**keys: object) -> App:
    return read_app(keys, FOLDER, "kit.toml", Code.BAD_CONFIG, at="app")


def test_without_the_table_there_is_no_app(tmp_path: Path) -> None:
    assert load_config({}, {}, tmp_path).app is None


def test_kit_toml_names_the_app_and_its_paths_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "kit.toml").write_text(
        '[app]\nmodule = "mine.main:app"\nsource = "src"\nrequirements = "requirements/prod.txt"\n'
        'probe_path = "/chat?question=why"\ninclude = ["mine/"]\n'
    )
    assert load_config({}, {}, tmp_path).app == App(
        "mine.main:app",
        tmp_path / "src",
        tmp_path / "requirements/prod.txt",
        "/chat?question=why",
        ("mine/",),
    )


def test_the_module_is_all_that_must_be_said() -> None:
    assert read(module="main:app") == App("main:app", FOLDER, FOLDER / "requirements.txt", "/")
    beside = read(module="main:app", source="src")
    assert beside.requirements == FOLDER / "src/requirements.txt"


def test_how_it_is_asked_may_be_said_too(tmp_path: Path) -> None:
    (tmp_path / "kit.toml").write_text(
        '[app]\nmodule = "main:app"\nproof = false\nprobe_method = "put"\n'
        'probe_headers = {Accept = "text/*"}\n'
        '[app.probe_body]\nquestion = "Why?"\nshort = false\nparts = [1, 2.5]\n'
    )
    app = load_config({}, {}, tmp_path).app
    assert app is not None
    assert (app.method, app.proof) == ("PUT", False)
    assert app.probe_headers == (("Accept", "text/*"), ("content-type", "application/json"))
    assert json.loads(app.probe_body or b"") == {"question": "Why?", "short": False, "parts": [1, 2.5]}


def test_a_body_that_is_a_text_is_sent_as_it_is_and_by_post_unless_said_otherwise() -> None:
    app = read(module="main:app", probe_body="a=b", probe_headers={"content-TYPE": "text/plain"})
    assert (app.method, app.probe_body) == ("POST", b"a=b")
    assert app.probe_headers == (("content-TYPE", "text/plain"),)
    typed = read(module="main:app", probe_body=["x"], probe_headers={"content-TYPE": "application/x-mine"})
    assert typed.probe_headers == (("content-TYPE", "application/x-mine"),)
    plain = read(module="main:app")
    assert (plain.method, plain.probe_body) == ("GET", None)


@pytest.mark.parametrize("call", ["create_app()", "create_app(1, 'a', debug=True, parts=[1, {'a': None}])"])
def test_a_function_may_make_it_called_as_gunicorn_calls_it(call: str) -> None:
    app = read(module=f"mine.main:{call}")
    assert app.module == f"mine.main:{call}"
    assert app.files == ("mine/main.py", "mine/main/__init__.py")


def test_a_module_is_a_file_or_a_package() -> None:
    app = read(module="mine.main:app")
    assert app.files == ("mine/main.py", "mine/main/__init__.py")


@pytest.mark.parametrize(
    ("keys", "said", "expected"),
    [
        ({"source": "."}, "app.module is missing", "text"),
        ({"module": "main"}, "app.module is 'main'", "mine.main:app"),
        ({"module": "main"}, "app.module is 'main'", 'did you mean "main:app"?'),
        ({"module": "./app/main.py"}, "app.module is './app/main.py'", 'did you mean "app.main:app"?'),
        ({"module": "main.py:api"}, "app.module is 'main.py:api'", 'did you mean "main:api"?'),
        ({"module": "main:create_app(x)"}, "app.module is 'main:create_app(x)'", "a call with literals"),
        ({"module": "main:create_app(**{})"}, "app.module is", "mine.main:create_app()"),
        ({"module": "main:made.app"}, "app.module is 'main:made.app'", "mine.main:app"),
        ({"module": "main:create_app()()"}, "app.module is", "a call with literals"),
        ({"module": "main:create_app() "}, "app.module is", "a call with literals"),
        ({"module": "class.main:app"}, "app.module is 'class.main:app'", "mine.main:app"),
        ({"module": "main:app; rm"}, "app.module is", "mine.main:app"),
        ({"module": 1}, "app.module is 1", "text in quotes"),
        ({"module": "main:app", "source": ""}, "app.source is ''", "a path"),
        ({"module": "main:app", "probe_path": "chat"}, "app.probe_path is 'chat'", "from the root"),
        ({"module": "main:app", "probe_path": "//host/x"}, "app.probe_path is", "from the root"),
        ({"module": "main:app", "probe_path": "/a b"}, "app.probe_path is", "percent-encoded"),
        ({"module": "main:app", "probe_path": "/a#b"}, "app.probe_path is", "percent-encoded"),
        ({"module": "main:app", "probe_method": "GE T"}, "app.probe_method is 'GE T'", "a method"),
        ({"module": "main:app", "probe_headers": {"A b": "c"}}, "app.probe_headers is", "a table of headers"),
        ({"module": "main:app", "probe_headers": {"a": "b\nc: d"}}, "app.probe_headers is", "a table of"),
        ({"module": "main:app", "probe_headers": {"a": 1}}, "app.probe_headers.a is 1", "text in quotes"),
        ({"module": "main:app", "probe_body": 1}, "app.probe_body is 1", "sent as JSON"),
        ({"module": "main:app", "probe_body": {"at": date(2026, 1, 2)}}, "app.probe_body.at is", "a text"),
        ({"module": "main:app", "proof": "no"}, "app.proof is 'no'", "true or false"),
        ({"module": "main:app", "include": "mine"}, "app.include is 'mine'", "a list"),
        ({"module": "main:app", "include": [""]}, "app.include is ['']", "a list of patterns"),
        ({"module": "main:app", "include": ["!a"]}, "app.include is ['!a']", "at least one pattern"),
        ({"module": "main:app", "probe": "/"}, "app.probe is not a known key", "probe_path"),
    ],
)
def test_what_it_may_not_say_is_refused_in_one_sentence(
    keys: dict[str, object], said: str, expected: str
) -> None:
    with pytest.raises(KitError) as caught:
        read(**keys)
    assert caught.value.code is Code.BAD_CONFIG
    assert said in caught.value.message
    assert expected in caught.value.hint


def test_the_page_shows_a_table_that_is_accepted_and_every_key_with_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "own-app.md").read_text()
    shown = tomllib.loads(re.findall(r"^```toml\n(.*?)^```$", page, re.M | re.S)[0])
    read(**shown["app"])
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", page, re.M))
    assert set(rows) == set(shown["app"]) == {field.name for field in fields(App)}
    plain = read(module="main:app")
    assert rows["probe_path"] == f'`"{plain.probe_path}"`'
    assert rows["proof"] == "`true`"
    assert plain.proof
    assert plain.requirements == plain.source / "requirements.txt"
    assert plain.include == ()


@given(st.text() | st.from_regex(r"[\w.]{1,9}:\w{1,5}(\(['\w=, ]{0,5}\))?", fullmatch=True))
def test_a_module_that_is_accepted_can_be_imported_by_that_name_and_stands_in_any_file(module: str) -> None:
    try:
        app = read(module=module)
    except KitError:
        return
    name, attribute = app.module.split(":", 1)
    called = attribute.partition("(")[0].strip()
    assert isinstance(ast.parse(f"from {name} import {called}").body[0], ast.ImportFrom)
    assert ast.literal_eval(json.dumps(app.module)) == app.module
    assert app.module.isascii()
