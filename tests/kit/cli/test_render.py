"""`kit render` writes bundles, says what it did, and loses no work of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.kit.cli.conftest import Invoke

TARGETS = ["standard", "flex", "run", "gke"]


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return tmp_path / "build"


def test_all_targets_are_rendered_into_build(invoke: Invoke, build: Path) -> None:
    ended = invoke("render")
    assert (ended.status, ended.err) == (0, "")
    assert [line.partition(":")[0] for line in ended.out.splitlines()] == [
        f"build/{name}" for name in TARGETS
    ]
    assert sorted(path.name for path in build.iterdir()) == [".gitignore", *sorted(TARGETS)]


def test_only_the_named_target_is_rendered_where_it_is_wanted(invoke: Invoke, tmp_path: Path) -> None:
    invoke("render", "run", "--out", "else where")
    assert [path.name for path in (tmp_path / "else where").iterdir()] == ["run"]
    assert not (tmp_path / "build").exists()


def test_a_second_render_says_that_all_is_up_to_date(invoke: Invoke) -> None:
    assert "written" in invoke("render").out
    assert "written" not in invoke("render").out
    assert invoke("render").out.count("up to date") == len(TARGETS)


def test_flags_reach_the_bundle(invoke: Invoke, build: Path) -> None:
    flags = ["--workers", "2", "--instances", "3", "--first-token-ms", "5", "--tokens-per-s", "7.5"]
    invoke("render", "standard", *flags, "--max-output-tokens", "9", "--python", "3.12", "--env", "A=b c")
    app = yaml.safe_load((build / "standard" / "app.yaml").read_text())
    assert app["runtime"] == "python312"
    assert app["automatic_scaling"]["max_instances"] == 3
    wanted = {"WORKERS": "2", "FIRST_TOKEN_MS": "5", "TOKENS_PER_S": "7.5", "MAX_OUTPUT_TOKENS": "9"}
    assert {f"STREAMPROOF_{name}": value for name, value in wanted.items()}.items() <= app[
        "env_variables"
    ].items()
    assert app["env_variables"]["A"] == "b c"


def test_the_environment_and_kit_toml_reach_the_bundle(
    invoke: Invoke, build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kit.toml").write_text(
        'instances = 2\nworkers = 2\n[targets.standard]\ninstance_class = "F2"\n'
    )
    monkeypatch.setenv("KIT_WORKERS", "4")
    invoke("render", "standard")
    app = yaml.safe_load((build / "standard" / "app.yaml").read_text())
    assert app["instance_class"] == "F2"
    assert app["automatic_scaling"]["max_instances"] == 2
    assert app["env_variables"]["STREAMPROOF_WORKERS"] == "4"


def test_check_exits_3_until_the_bundles_are_up_to_date_and_writes_nothing(
    invoke: Invoke, build: Path
) -> None:
    ended = invoke("render", "--check")
    assert ended.status == 3
    assert ended.out.count("not rendered yet") == len(TARGETS)
    assert not build.exists()
    invoke("render")
    assert invoke("render", "--check").status == 0
    ended = invoke("render", "--check", "--workers", "2")
    assert ended.status == 3
    assert "build/run: not up to date: Dockerfile (stale)" in ended.out


def test_diff_prints_what_would_change_and_writes_nothing(invoke: Invoke, build: Path) -> None:
    invoke("render")
    before = (build / "run" / "Dockerfile").read_bytes()
    ended = invoke("render", "run", "--diff", "--workers", "2")
    assert ended.status == 0
    assert "-    STREAMPROOF_WORKERS='1' \\\n+    STREAMPROOF_WORKERS='2' \\" in ended.out
    assert (build / "run" / "Dockerfile").read_bytes() == before
    assert invoke("render", "run", "--diff", "--check", "--workers", "2").status == 3
    assert invoke("render", "run", "--diff").out == "build/run: up to date\n"


def test_show_prints_the_generated_files_and_writes_nothing(invoke: Invoke, build: Path) -> None:
    ended = invoke("render", "flex", "--show")
    assert ended.status == 0
    assert "==> flex/app.yaml <==\n" in ended.out
    assert "==> flex/Dockerfile <==\n" in ended.out
    assert not build.exists()
    shown = invoke("render", "flex", "--show", "--json").data["bundles"]
    assert yaml.safe_load(shown[0]["files"]["app.yaml"])["env"] == "flex"


def test_a_hands_work_in_one_bundle_stops_all_of_them(invoke: Invoke, build: Path) -> None:
    invoke("render")
    file = build / "run" / "Dockerfile"
    file.write_text(file.read_text() + "# mine\n")
    ended = invoke("render", "--workers", "2")
    assert (ended.status, ended.out) == (1, "")
    assert "-# mine" in ended.err
    assert "--force" in ended.err
    assert 'STREAMPROOF_WORKERS": "1"' in (build / "standard" / "app.yaml").read_text()
    error = invoke("render", "--workers", "2", "--json").error
    assert error["code"] == "bundle-edited"
    assert invoke("render", "--workers", "2", "--force").status == 0
    assert "# mine" not in file.read_text()


def test_a_file_that_was_added_is_kept_and_told(invoke: Invoke, build: Path) -> None:
    invoke("render")
    (build / "run" / "notes.txt").write_text("mine")
    ended = invoke("render", "--workers", "2")
    assert "yours, kept and not deployed: notes.txt" in ended.out
    assert (build / "run" / "notes.txt").read_text() == "mine"


def test_programs_are_told_what_was_done(invoke: Invoke) -> None:
    (bundle,) = invoke("render", "run", "--json").data["bundles"]
    assert bundle["target"] == "run"
    assert bundle["folder"] == "build/run"
    assert bundle["up_to_date"] is False
    assert {"name": "Dockerfile", "state": "missing"} in bundle["changes"]
    (again,) = invoke("render", "run", "--json").data["bundles"]
    assert (again["up_to_date"], again["changes"], again["digest"]) == (True, [], bundle["digest"])


def test_an_app_of_ones_own_is_rendered_and_shown_whatever_its_files_hold(
    invoke: Invoke, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text("app = 1\n")
    (tmp_path / "data.bin").write_bytes(b"\xff\x00")
    (tmp_path / "requirements.txt").write_text("fastapi\n")
    (tmp_path / "kit.toml").write_text('[app]\nmodule = "main:app"\ninclude = ["*"]\n')
    shown = invoke("render", "run", "--show", "--json").data["bundles"]
    assert set(shown[0]["files"]) == {".dockerignore", ".gcloudignore", "Dockerfile", "gunicorn.conf.py"}
    assert invoke("render", "run").status == 0
    assert (tmp_path / "build/run/data.bin").read_bytes() == b"\xff\x00"
    assert invoke("render", "run", "--check").status == 0


def test_a_secret_in_an_app_of_ones_own_stops_the_render(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("app = 1\n")
    (tmp_path / ".env").write_text("KEY=1\n")
    (tmp_path / "kit.toml").write_text('[app]\nmodule = "main:app"\ninclude = ["*"]\n')
    ended = invoke("render", "--json")
    assert (ended.status, ended.error["code"]) == (1, "secret-in-source")
    assert ".env" in ended.error["message"]
    assert not (tmp_path / "build").exists()
