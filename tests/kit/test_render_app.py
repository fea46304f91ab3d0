"""A user's own app as a bundle: theirs, the kit's way to start it, and nothing of the kit's service."""

from __future__ import annotations

import ast
import json
import re
import runpy
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from kit.app import App
from kit.config import Config
from kit.errors import Code, KitError
from kit.render import environment, render, write
from kit.targets import Target, assets, get, load_targets
from tests.fixtures.tools import Tool
from tests.kit.uploaded import uploaded

TARGETS = load_targets()
CONTAINERS = [target for target in TARGETS.values() if "Dockerfile" in target.templates.values()]
OURS = {"gunicorn.conf.py", "requirements.txt", ".gcloudignore", ".dockerignore", "Dockerfile", "app.yaml"}
AROUND = {"streamproof_app.py", "streamproof_proof.py"}
THEIRS = {"mine/main.py", "mine/data/a b.json", "service/x.py", "top.py", "two words.txt", "水.txt"}

each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
each_dockerfile = pytest.mark.parametrize("target", CONTAINERS, ids=lambda target: target.name)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """An app with folders and files of all sorts, without git."""
    folder = tmp_path / "app"
    for name in (*THEIRS, "Dockerfile", "app.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# theirs: {name}\n")
    (folder / "requirements.txt").write_text("fastapi\n")
    return Config(app=App("mine.main:app", folder, folder / "requirements.txt", "/", ("*",)))


@each_target
def test_a_bundle_holds_their_files_and_what_starts_them(target: Target, config: Config) -> None:
    files = render(target, config).files
    assert set(files) == THEIRS | AROUND | (
        {*target.templates.values(), *OURS} & set(render(target, Config()).files)
    )
    assert files["service/x.py"] == b"# theirs: service/x.py\n"
    assert files["gunicorn.conf.py"] == (assets() / "deploy/gunicorn.conf.py").read_bytes()
    assert files["requirements.txt"].startswith(b"fastapi\n\n# Added")
    assert not [name for name in ("Dockerfile", "app.yaml") if b"theirs" in files.get(name, b"")]
    assert files == render(target, config).files


@each_target
@pytest.mark.parametrize("module", ["mine.main:app", "mine.main:create('a \"b\"', c=1)"])
def test_it_starts_in_the_one_way_with_the_proof_around_their_app(
    target: Target, module: str, config: Config
) -> None:
    assert config.app is not None
    bundle = render(target, replace(config, app=replace(config.app, module=module)))
    assert bundle.start.argv == ("gunicorn", "-c", "gunicorn.conf.py", "streamproof_app:app")
    assert bundle.files["streamproof_proof.py"] == (assets() / "service/proof.py").read_bytes()
    tree = ast.parse(bundle.files["streamproof_app.py"])
    named = [node.value for node in tree.body if isinstance(node, ast.Assign)]
    assert module in [node.value for node in named if isinstance(node, ast.Constant)]


@each_target
def test_the_proof_is_left_out_where_they_say_so(target: Target, config: Config) -> None:
    assert config.app is not None
    without = replace(config, app=replace(config.app, proof=False))
    assert set(render(target, config).files) - set(render(target, without).files) == {"streamproof_proof.py"}


@each_target
def test_it_gets_what_gunicorn_reads_and_nothing_of_the_kits_service(
    target: Target, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = environment(target, replace(config, env={"MODEL": "small"}, workers=3))
    assert sorted(found) == [
        "MODEL",
        "STREAMPROOF_SHUTDOWN_GRACE_S",
        "STREAMPROOF_TARGET",
        "STREAMPROOF_WORKERS",
    ]
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    started = runpy.run_path(str(assets() / "deploy/gunicorn.conf.py"))
    assert started["workers"] == 3
    assert started["graceful_timeout"] <= target.front.shutdown_grace_s


def test_flex_does_not_ask_for_health_where_their_app_has_none(config: Config) -> None:
    found = yaml.safe_load(render(get("flex"), config).files["app.yaml"])
    assert "path" not in found["readiness_check"]
    assert "path" not in found["liveness_check"]
    assert found["readiness_check"]["app_start_timeout_sec"] == 300


@each_dockerfile
@pytest.mark.parametrize("hashed", [False, True])
def test_an_image_holds_their_files_and_demands_hashes_only_where_they_have_them(
    target: Target, hashed: bool, config: Config
) -> None:
    assert config.app is not None
    if hashed:
        config.app.requirements.write_text(f"fastapi==1 --hash=sha256:{'a' * 64}\n")
    text = render(target, config).files["Dockerfile"].decode()
    assert ("--require-hashes" in text) == hashed
    copied = [json.loads(line) for line in re.findall(r"^COPY (\[.*\])$", text, re.M)]
    assert copied == [
        ["mine", "mine"],
        ["service", "service"],
        ["streamproof_app.py", "streamproof_proof.py", "top.py", "two words.txt", "水.txt", "./"],
    ]


@each_dockerfile
def test_hadolint_has_nothing_to_say(target: Target, config: Config, tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_bytes(render(target, config).files["Dockerfile"])
    linted = subprocess.run(
        [tool("hadolint"), "--no-color", tmp_path / "Dockerfile"], capture_output=True, text=True, timeout=60
    )
    assert (linted.returncode, linted.stdout) == (0, "")


def test_every_file_of_theirs_is_let_through_to_the_builder(config: Config) -> None:
    lines = render(get("run"), config).files[".dockerignore"].decode().splitlines()
    assert {line[1:] for line in lines if line.startswith("!")} == {
        "gunicorn.conf.py", "requirements.txt", "mine", "service", "top.py", "two words.txt", "水.txt",
        *AROUND,
    }  # fmt: skip


def test_only_the_bundle_is_uploaded(config: Config, tool: Tool, tmp_path: Path) -> None:
    bundle = render(get("run"), config)
    folder = write(bundle, tmp_path / "build")
    strays = (".env", "key.json", "mine/__pycache__/main.pyc", ".venv/bin/python", ".git/config", "more/a")
    tool("gcloud")
    assert uploaded(folder, *strays) == set(bundle.files) - {".gcloudignore"}


@pytest.mark.parametrize("name", ["a*.py", "[x]/a.py", "#a.py", "!a.py", " a.py", "a$b.py"])
def test_a_name_at_the_top_that_would_mean_something_else_is_named(config: Config, name: str) -> None:
    assert config.app is not None
    (config.app.source / name).parent.mkdir(exist_ok=True)
    (config.app.source / name).write_text("")
    with pytest.raises(KitError) as found:
        render(get("run"), config)
    assert found.value.code is Code.BAD_SOURCE
    assert repr(name.partition("/")[0]) in found.value.message
