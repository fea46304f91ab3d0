"""How a bundle is started: read from app.yaml and Dockerfile as their platforms read them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.errors import Code, KitError
from kit.lab.bundles import read_start

COMMAND = ("gunicorn", "-c", "gunicorn.conf.py", "service.main:app")
CMD = f"CMD {json.dumps(COMMAND)}\n"


# Standard


def test_standard_starts_by_its_entrypoint_with_the_environment_that_google_documents(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(
        'runtime: python313\nservice: "sp-standard"\n'
        'entrypoint: "gunicorn -c gunicorn.conf.py service.main:app"\n'
        "env_variables:\n  MINE: '1'\n  NUMBER: 2\n  GAE_ENV: mine\n"
    )
    start = read_start(tmp_path)
    assert start.argv == COMMAND
    assert {"MINE": "1", "NUMBER": "2"}.items() <= start.env.items()
    assert start.env["GAE_ENV"] == "standard"  # cannot be overridden
    assert start.env["GAE_RUNTIME"] == "python313"
    assert start.env["GAE_SERVICE"] == "sp-standard"
    assert {name for name in start.env if name.startswith("GAE_")} == {
        "GAE_APPLICATION", "GAE_DEPLOYMENT_ID", "GAE_ENV", "GAE_INSTANCE", "GAE_MEMORY_MB", "GAE_RUNTIME",
        "GAE_SERVICE", "GAE_VERSION",
    }  # fmt: skip
    assert "K_SERVICE" not in start.env


@pytest.mark.parametrize(
    "command", ["gunicorn -b :$PORT main:app", "a; b", "a | b", "a `b`", "a && b", "a > b"]
)
def test_an_entrypoint_that_needs_a_shell_is_refused(tmp_path: Path, command: str) -> None:
    (tmp_path / "app.yaml").write_text(f"runtime: python313\nentrypoint: {json.dumps(command)}\n")
    with pytest.raises(KitError, match="needs a shell") as caught:
        read_start(tmp_path)
    assert caught.value.code is Code.BAD_TARGET


# Flexible


def test_flex_starts_by_its_dockerfile_with_its_own_environment(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text("runtime: custom\nenv: flex\nenv_variables:\n  A: app.yaml\n")
    (tmp_path / "Dockerfile").write_text(f"FROM python\nENV A=dockerfile B=2\n{CMD}")
    start = read_start(tmp_path)
    assert start.argv == COMMAND
    assert (start.env["A"], start.env["B"]) == ("app.yaml", "2")
    assert start.env["GAE_INSTANCE"].startswith("aef-")
    assert "GAE_ENV" not in start.env  # as seen in a live container


# Cloud Run


def test_run_starts_by_its_dockerfile_with_its_own_environment(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM python\n{CMD}")
    start = read_start(tmp_path)
    assert start.argv == COMMAND
    assert set(start.env) == {"K_SERVICE", "K_REVISION", "K_CONFIGURATION"}


# What is no bundle


@pytest.mark.parametrize(
    "app",
    ["", "runtime: python313\n", "- a\n", "a: [\n", "just text\n", "env_variables: [1]\nruntime: x\n"],
)
def test_a_bundle_that_does_not_say_how_it_starts_is_refused_in_a_sentence(tmp_path: Path, app: str) -> None:
    (tmp_path / "app.yaml").write_text(app)
    with pytest.raises(KitError) as caught:
        read_start(tmp_path)
    assert caught.value.code is Code.BAD_TARGET
    assert str(tmp_path) in caught.value.message


def test_an_empty_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(KitError, match="names no command"):
        read_start(tmp_path)
