"""Which files of a user's own app are deployed, and what stops the render."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import source
from kit.app import App
from kit.bundle import MANIFEST
from kit.errors import Code, KitError
from tests.fixtures.tools import Tool

KEY = "-----BEGIN PRIVATE KEY-----\n" + "A" * 64 + "\n-----END PRIVATE KEY-----\n"
ACCOUNT = json.dumps({"type": "service_account", "private_key": KEY, "client_email": "a@b"})

Lay = Callable[..., App]


def put(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture
def tracked(tool: Tool, tmp_path: Path) -> Lay:
    """An app in a git repository; each file is tracked. Call it again to add more."""
    git = tool("git")

    def lay(files: dict[str, str | bytes] | None = None) -> App:
        put(tmp_path, {"mine/main.py": "app = 1\n", **(files or {})})
        for argv in (["init", "--quiet"], ["add", "--all", "--force"]):
            subprocess.run([git, "-C", tmp_path, *argv], check=True)
        return App("mine.main:app", tmp_path, tmp_path / "requirements.txt")

    return lay


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lay:
    """An app in a folder that no git knows, included as a whole."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    def lay(files: dict[str, str | bytes] | None = None, *include: str) -> App:
        put(tmp_path, {"mine/main.py": "app = 1\n", **(files or {})})
        return App("mine.main:app", tmp_path, tmp_path / "requirements.txt", "/", include)

    return lay


def refused(app: App) -> KitError:
    with pytest.raises(KitError) as caught:
        source.files(app)
    assert caught.value.hint
    return caught.value


# What git says ---------------------------------------------------------------------------------------------


def test_what_git_tracks_is_deployed_as_it_lies_there_now(tracked: Lay, tmp_path: Path) -> None:
    app = tracked({"data/words.json": "{}", "gone.py": "", "bytes.bin": b"\0\xff"})
    put(tmp_path, {"mine/main.py": "app = 2\n", "untracked.py": "", "data/more.json": ""})
    (tmp_path / "gone.py").unlink()
    assert source.files(app) == {
        "bytes.bin": b"\0\xff",
        "data/words.json": b"{}",
        "mine/main.py": b"app = 2\n",
    }
    assert list(source.files(app)) == sorted(source.files(app))


def test_only_the_source_folder_of_a_larger_repository_is_deployed(tracked: Lay, tmp_path: Path) -> None:
    app = tracked({"backend/mine/main.py": "", "frontend/index.html": ""})
    assert list(source.files(replace(app, source=tmp_path / "backend"))) == ["mine/main.py"]


def test_a_hooks_own_variables_lead_to_no_other_repository(
    tracked: Lay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = tracked()
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere/index"))
    assert list(source.files(app)) == ["mine/main.py"]


def test_what_is_of_git_of_the_kit_or_of_an_interpreter_is_never_deployed(tracked: Lay) -> None:
    left_out = (
        ".gitignore", ".gitattributes", "kit.toml", "Dockerfile", "app.yaml", "requirements.txt",
        ".gcloudignore", ".dockerignore", "build/run/mine/main.py", ".kit/trusted.json", ".venv/bin/python",
        "mine/__pycache__/main.pyc", "mine/old.pyc",
    )  # fmt: skip
    app = tracked(dict.fromkeys(left_out, ""))
    assert list(source.files(app)) == ["mine/main.py"]
    assert "mine/Dockerfile" in source.files(tracked({"mine/Dockerfile": "", "mine/build/x": ""}))


def test_without_git_and_without_include_it_is_the_modules_package_and_the_python_files_at_the_top(
    plain: Lay,
) -> None:
    app = plain(
        {
            "mine/words.json": "{}", "mine/.env": "KEY=1", "top.py": "", "photos/a.jpg": "", "notes.txt": "",
            "other/x.py": "", ".gitignore": ".env\n",
        }
    )  # fmt: skip
    assert list(source.files(app)) == ["mine/main.py", "mine/words.json", "top.py"]
    assert list(source.files(replace(app, module="top:app"))) == ["top.py"]


def test_a_secret_stops_it_there_too(plain: Lay) -> None:
    assert refused(plain({"mine/.env": "KEY=1"})).code is Code.SECRET_IN_SOURCE


def test_a_repository_in_which_nothing_was_added_says_what_to_do(tool: Tool, tmp_path: Path) -> None:
    put(tmp_path, {"mine/main.py": ""})
    subprocess.run([tool("git"), "init", "--quiet", tmp_path], check=True)
    caught = refused(App("mine.main:app", tmp_path, tmp_path / "requirements.txt"))
    assert "git tracks no file" in caught.message
    assert "git add" in caught.hint


def test_what_git_itself_complains_of_is_told(tracked: Lay, tmp_path: Path) -> None:
    app = tracked()
    (tmp_path / ".git/index").write_bytes(b"broken")
    caught = refused(app)
    assert f"git cannot list {tmp_path}" in caught.message
    assert "index" in caught.message


def test_without_git_installed_it_is_the_same_and_include_says_otherwise(
    tracked: Lay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = tracked()
    monkeypatch.setenv("PATH", str(tmp_path))
    put(tmp_path, {"data/a.json": "{}"})
    assert list(source.files(app)) == ["mine/main.py"]
    assert list(source.files(replace(app, include=("mine/",)))) == ["mine/main.py"]


def test_an_app_that_git_does_not_track_is_named_with_the_way_out(tracked: Lay, tmp_path: Path) -> None:
    app = tracked()
    put(tmp_path, {"mine/other.py": ""})
    caught = refused(replace(app, module="mine.other:app"))
    assert caught.message == "mine/other.py, the app itself, is not among the files that are deployed."
    assert "git add mine/other.py" in caught.hint
    caught = refused(replace(app, module="nowhere:app"))
    assert "has neither nowhere.py nor nowhere/__init__.py" in caught.message


def test_an_app_in_a_folder_below_is_found_and_its_folder_named(tracked: Lay) -> None:
    app = tracked({"src/shop/api.py": "app = 1"})
    caught = refused(replace(app, module="shop.api:app"))
    assert caught.message.endswith(", but in its folder src.")
    assert 'source = "src"' in caught.hint


def test_a_package_is_an_app_too(tracked: Lay) -> None:
    app = tracked({"whole/__init__.py": "app = 1"})
    assert "whole/__init__.py" in source.files(replace(app, module="whole:app"))


# Without git -----------------------------------------------------------------------------------------------


def test_include_names_what_belongs_to_the_app(plain: Lay, tmp_path: Path) -> None:
    app = plain(
        {"mine/a.txt": "", "notes.md": "", "words.json": "", ".venv/x.json": "", "mine/x.log": ""},
        "mine/", "*.json", "!*.log",
    )  # fmt: skip
    # A rule for a folder is for all that lies in it, as in a .gitignore.
    assert list(source.files(app)) == ["mine/a.txt", "mine/main.py", "mine/x.log", "words.json"]


def test_bundles_of_the_kit_that_lie_in_the_source_are_no_part_of_it(plain: Lay) -> None:
    app = plain({f"out/run/{MANIFEST}": "{}", "out/run/mine/main.py": "", "out/report.html": ""}, "*")
    assert list(source.files(app)) == ["mine/main.py", "out/report.html"]


def test_without_git_and_a_gcloudignore_the_gitignore_has_a_say_as_with_gcloud(plain: Lay) -> None:
    app = plain({".gitignore": "*.log\n", "a.log": "", "b.txt": ""}, "*")
    assert list(source.files(app)) == ["b.txt", "mine/main.py"]
    assert "a.log" in source.files(plain({".gcloudignore": "b.txt\n"}, "*"))


# The user's own ignore files -------------------------------------------------------------------------------


def test_the_users_own_ignore_files_take_away(tracked: Lay) -> None:
    app = tracked(
        {
            ".gcloudignore": "# mine\ndocs/\n#!include:.gitignore\n",
            ".gitignore": "*.log\n",
            ".dockerignore": "notes\n!notes/keep.md\n",
            "docs/a.md": "",
            "a.log": "",
            "notes/a.md": "",
            "notes/keep.md": "",
        }
    )
    assert list(source.files(app)) == ["mine/main.py", "notes/keep.md"]


def test_an_included_ignore_file_that_is_missing_is_named(tracked: Lay) -> None:
    assert "includes '.gone'" in refused(tracked({".gcloudignore": "#!include:.gone\n"})).message


def test_an_ignore_file_that_leaves_the_app_itself_out_is_blamed(tracked: Lay) -> None:
    caught = refused(tracked({".dockerignore": "*\n"}))
    assert "mine/main.py, the app itself" in caught.message
    assert "ignore file" in caught.hint


# Secrets ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".env", "A=1"),
        ("mine/.env.local", "A=1"),
        (".envrc", "export A=1"),
        (".ENV", "A=1"),
        ("tls/server.pem", ""),
        ("tls/server.KEY", ""),
        ("account.json", ACCOUNT),
        ("innocent.txt", "\ufeff  " + ACCOUNT),
        ("adc", json.dumps({"type": "authorized_user", "refresh_token": "1"})),
        (
            "gha-creds-1.json",
            '{"type": "external_account", "credential_source": {"headers": {"A": "Bearer 1"}}}',
        ),
        ("settings.py", f"KEY = '''{KEY}'''"),
        ("config.yaml", "key: " + json.dumps(KEY)),
    ],
)
def test_a_secret_stops_the_render_with_the_files_name(tracked: Lay, name: str, content: str) -> None:
    caught = refused(tracked({name: content}))
    assert caught.code is Code.SECRET_IN_SOURCE
    assert caught.message.endswith(f": {name}.")
    assert ".gcloudignore" in caught.hint
    assert "AAAA" not in caught.message + caught.hint


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("environment.py", ""),
        ("key.py", "PUBLIC = '-----BEGIN PUBLIC KEY-----'"),
        ("README.md", "a file with `-----BEGIN PRIVATE KEY-----` in it"),
        ("data.json", '{"type": "a service_account is one of these"}'),
        ("broken.json", '{"private_key'),
        ("pool.json", '{"type": "external_account", "credential_source": {"file": "/run/token"}}'),
        ("odd.json", '{"type": "external_account", "credential_source": "headers"}'),
        ("deep.json", '{"private_key": ' + "[" * 100_000),
        ("docs/keys/howto.md", ""),
    ],
)
def test_what_only_speaks_of_secrets_is_deployed(tracked: Lay, name: str, content: str) -> None:
    assert name in source.files(tracked({name: content}))


def test_a_secret_that_is_ignored_is_left_out_in_peace(tracked: Lay) -> None:
    app = tracked({".gcloudignore": ".env*\n*.json\n", ".env": "A=1", "account.json": ACCOUNT})
    assert list(source.files(app)) == ["mine/main.py"]


def test_all_secrets_are_named_at_once(tracked: Lay) -> None:
    caught = refused(tracked({f"{letter}.pem": "" for letter in "abcdefg"}))
    assert "a.pem, b.pem, c.pem, d.pem, e.pem and 2 more." in caught.message


# Links and other oddities ----------------------------------------------------------------------------------


def test_a_link_inside_the_tree_becomes_what_it_leads_to(tracked: Lay, tmp_path: Path) -> None:
    app = tracked({"words.txt": "hello"})
    (tmp_path / "link.txt").symlink_to("words.txt")
    tracked()
    assert source.files(app)["link.txt"] == b"hello"


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("/etc/passwd", Code.BAD_SOURCE, "link leads out of"),
        ("../outside", Code.BAD_SOURCE, "link leads out of"),
        ("nothing", Code.BAD_SOURCE, "link to nothing"),
        ("link", Code.BAD_SOURCE, "link"),
        ("mine", Code.BAD_SOURCE, "link to a folder"),
        (".env", Code.SECRET_IN_SOURCE, "link"),
    ],
)
def test_a_link_to_what_must_not_be_deployed_is_named(
    tracked: Lay, tmp_path: Path, target: str, code: Code, said: str
) -> None:
    (tmp_path.parent / "outside").write_text("")
    app = tracked({".gcloudignore": ".env\n", ".env": "A=1"})
    (tmp_path / "link").symlink_to(target)
    tracked()
    caught = refused(app)
    assert caught.code is code
    assert said in caught.message


def test_a_link_to_a_folder_is_not_followed_by_include(plain: Lay, tmp_path: Path) -> None:
    app = plain({}, "*")
    (tmp_path / "all").symlink_to("/")
    assert "all leads out of" in refused(app).message


def test_what_is_no_regular_file_is_named_and_not_waited_for(plain: Lay, tmp_path: Path) -> None:
    app = plain({}, "*")
    os.mkfifo(tmp_path / "pipe")
    assert "pipe in" in refused(app).message


def test_a_file_of_the_users_under_the_kits_own_name_is_named(tracked: Lay) -> None:
    for name in ("streamproof_app.py", "streamproof_proof.py", "gunicorn.conf.py"):
        caught = refused(tracked({name: ""}))
        assert f"{name} is what the kit starts every app with" in caught.message
        (tracked().source / name).unlink()
    tracked({"gunicorn.conf.py": ""})
    assert "gunicorn.conf.py" not in source.files(
        tracked({"gunicorn.conf.py": "", ".gcloudignore": "/gunicorn.conf.py\n"})
    )


@pytest.mark.parametrize("name", [b"new\nline", b"not-utf8-\xff"])
def test_a_name_that_cannot_be_deployed_is_named(plain: Lay, tmp_path: Path, name: bytes) -> None:
    app = plain({}, "*")
    (tmp_path / os.fsdecode(name)).write_text("")
    assert "whose name cannot be deployed" in refused(app).message


def test_too_much_is_refused_with_the_name_of_the_largest_file(
    tracked: Lay, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = tracked({"small.bin": b"x" * 600, "large.bin": b"x" * 700})
    monkeypatch.setattr(source, "MOST_BYTES", 1000)
    assert "the largest file is large.bin" in refused(app).hint
    monkeypatch.setattr(source, "MOST_BYTES", 650)
    assert "large.bin in" in refused(app).message
    monkeypatch.setattr(source, "MOST_FILES", 2)
    assert "has 3 files, and 2 is the most" in refused(app).message


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    caught = refused(App("main:app", tmp_path / "gone", tmp_path / "requirements.txt"))
    assert "gone is not a folder" in caught.message


@given(content=st.binary(max_size=200))
def test_any_content_is_looked_through(content: bytes) -> None:
    for text in (content, b"{" + content, b'{"private_key": ' + content + b"}"):
        assert source._holds_secret(text) in (True, False)
