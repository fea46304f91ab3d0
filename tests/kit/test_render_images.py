"""What an image is made of, and what is uploaded for it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.config import Config
from kit.errors import Code, KitError
from kit.rehearsal.dockerfile import read_dockerfile
from kit.render import COMMAND, environment, render, write
from kit.targets import Target, assets, get
from tests.fixtures.tools import Tool
from tests.kit.rendering import (
    NAMES,
    UNUSUAL,
    app_yaml,
    dockerfile,
    each_dockerfile,
    each_target,
)
from tests.kit.uploaded import uploaded

# Containers ------------------------------------------------------------------------------------------------


@each_dockerfile
def test_a_container_is_small_and_does_not_run_as_root(target: Target) -> None:
    text = dockerfile(target, UNUSUAL)
    froms = re.findall(r"^FROM (\S+)", text, re.M)
    assert froms == ["python:3.11-slim", "python:3.11-slim"]
    last = text[text.rindex("FROM ") :]
    assert re.search(r"^USER [1-9][0-9]*:[1-9][0-9]*$", last, re.M)
    assert "pip install" not in last
    assert "--require-hashes" in text


LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]))
ALWAYS = {
    "PATH": "/venv/bin:/usr/local/bin:/usr/bin:/bin",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@pytest.mark.parametrize("config", [Config(), UNUSUAL], ids=["default", "unusual"])
def test_an_image_holds_no_variable_that_stands_beside_it(config: Config) -> None:
    assert dockerfile(get("gke"), config) == dockerfile(get("flex"), config)
    assert read_dockerfile(dockerfile(get("gke"), config)).env == ALWAYS


@given(st.dictionaries(NAMES, LINES))
def test_no_value_breaks_out_of_a_dockerfile(env: dict[str, str]) -> None:
    config = Config(env=env)
    plain, found = (dockerfile(get("run"), wanted).split("\n") for wanted in (Config(), config))
    user = found.index("USER 10001:10001") - 1
    assert found[: user - len(env)] + found[user:] == plain
    read = read_dockerfile("\n".join(found))
    assert read.argv == COMMAND
    assert read.env == {**ALWAYS, **environment(get("run"), config)}


@pytest.mark.parametrize("value", ["a\nRUN id", "a\r", "\x1b[2J", "\x85", "\u2028"])
def test_a_line_break_is_refused_where_a_dockerfile_would_have_to_carry_it(value: str) -> None:
    with pytest.raises(KitError) as found:
        render(get("run"), Config(env={"KEY": value}))
    assert found.value.code is Code.BAD_CONFIG
    assert "KEY" in found.value.message
    assert app_yaml(get("flex"), Config(env={"KEY": value}))["env_variables"]["KEY"] == value


@each_dockerfile
@pytest.mark.parametrize("config", [Config(), UNUSUAL], ids=["default", "unusual"])
def test_hadolint_has_nothing_to_say(target: Target, config: Config, tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(dockerfile(target, config))
    linted = subprocess.run(
        [tool("hadolint"), "--no-color", tmp_path / "Dockerfile"], capture_output=True, text=True, timeout=60
    )
    assert (linted.returncode, linted.stdout) == (0, "")


# What is uploaded ------------------------------------------------------------------------------------------


@each_target
def test_only_the_bundle_is_uploaded(target: Target, tool: Tool, tmp_path: Path) -> None:
    bundle = render(target, Config())
    folder = write(bundle, tmp_path)
    strays = (
        ".env",
        "key.json",
        "service/__pycache__/main.pyc",
        ".venv/bin/python",
        ".git/config",
        "a/app.yaml",
    )
    # Of manifests no image is made.
    apart = {".gcloudignore", "front.yaml", "version.yaml", "route.yaml"}
    tool("gcloud")
    assert uploaded(folder, *strays) == set(bundle.files) - apart


@pytest.mark.parametrize("name", ["run", "gke"])
def test_every_file_that_an_image_is_made_of_is_let_through_to_the_builder(name: str) -> None:
    files = render(get(name), Config()).files
    let_through = {line[1:] for line in files[".dockerignore"].decode().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(\S+) ", files["Dockerfile"].decode(), re.M)
    assert set(copied) == let_through


def test_the_lock_names_no_host_and_hashes_everything() -> None:
    lock = (assets() / "deploy" / "requirements.txt").read_text()
    assert "://" not in lock
    assert "--index" not in lock
    pinned = re.findall(r"^([a-z0-9-]+)==", lock, re.M)
    assert {"fastapi", "uvicorn", "uvicorn-worker", "gunicorn", "httptools", "uvloop"} <= set(pinned)
    assert not {"jinja2", "typer", "google-cloud-aiplatform", "google-genai"} & set(pinned)
    for entry in re.split(r"\n(?=[a-z])", lock):
        assert not re.match(r"[a-z0-9-]+==", entry) or "--hash=sha256:" in entry
