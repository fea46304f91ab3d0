"""What every bundle holds, and which templates are wrong."""

from __future__ import annotations

import ast
import hashlib
import re
import runpy
import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.config import Config
from kit.errors import Code, KitError
from kit.rehearsal.dockerfile import read_dockerfile
from kit.render import COMMAND, environment, render
from kit.targets import Target, assets, get
from service.settings import Settings
from tests.kit.rendering import (
    UNUSUAL,
    each_target,
    variables_of,
)


@each_target
def test_the_same_input_gives_the_same_bytes(target: Target) -> None:
    shuffled = replace(UNUSUAL, env=dict(reversed(list(UNUSUAL.env.items()))))
    assert render(target, UNUSUAL).files == render(target, shuffled).files


@each_target
def test_a_bundle_holds_the_service_unchanged_and_no_more_of_it(target: Target) -> None:
    files = render(target, Config()).files
    service = assets() / "service"
    for name in ("main.py", "proof.py", "page/index.html"):
        assert files[f"service/{name}"] == (service / name).read_bytes()
    rendered = {name for name in files if name.startswith("service/")}
    assert not [name for name in rendered if "__pycache__" in name or name.endswith(".pyc") or "test" in name]


@each_target
def test_a_bundle_holds_the_lock_and_the_ignore_files(target: Target) -> None:
    files = render(target, Config()).files
    assert files["requirements.txt"] == (assets() / "deploy" / "requirements.txt").read_bytes()
    assert ".gcloudignore" in files
    assert ("Dockerfile" in files) == (".dockerignore" in files)
    assert "app.yaml" in files or "Dockerfile" in files


@each_target
def test_a_variable_that_looks_like_a_secret_stops_the_render_with_the_way_to_give_it(target: Target) -> None:
    with pytest.raises(KitError) as caught:
        render(target, Config(env={"MODEL": "small", "OPENAI_API_KEY": "sk-proj-AbCdEfGhIjKlMnOp"}))
    assert caught.value.code is Code.SECRET_IN_SOURCE
    assert "OPENAI_API_KEY" in caught.value.message
    assert "--env-file FILE" in caught.value.hint
    assert "--set-secrets OPENAI_API_KEY=SECRET:latest" in caught.value.hint
    assert "--env-is-public OPENAI_API_KEY" in caught.value.hint
    assert "sk-proj" not in caught.value.message + caught.value.hint


@each_target
def test_what_only_looks_like_a_secret_is_rendered_where_the_user_says_so(target: Target) -> None:
    env = {"FEED_TOKEN": "public-demo-feed-2"}
    bundle = render(target, Config(env=env, env_is_public=("FEED_TOKEN",)))
    assert bundle.start.env["FEED_TOKEN"] == "public-demo-feed-2"
    with pytest.raises(KitError):
        render(target, Config(env=env, env_is_public=("OTHER",)))


@each_target
def test_what_is_for_this_machine_is_in_no_bundle(target: Target) -> None:
    bundle = render(target, Config(local_env={"OPENAI_API_KEY": "sk-proj-AbCdEfGhIjKlMnOp"}))
    assert bundle == render(target, Config())


@each_target
@pytest.mark.parametrize("config", [Config(), UNUSUAL], ids=["default", "unusual"])
def test_every_bundle_starts_in_the_one_way_and_the_lab_starts_what_its_files_say(
    target: Target, config: Config
) -> None:
    bundle = render(target, config)
    assert bundle.start.argv == COMMAND
    said, variables = {}, {}
    if "Dockerfile" in bundle.files:
        image = read_dockerfile(bundle.files["Dockerfile"].decode())
        assert image.argv == COMMAND
        said = {name: value for name, value in image.env.items() if name != "PATH"}
    if "app.yaml" in bundle.files:
        app = yaml.safe_load(bundle.files["app.yaml"])
        variables = app["env_variables"]
        assert app.get("entrypoint", " ".join(COMMAND)) == " ".join(COMMAND)
    if "version.yaml" in bundle.files:
        variables = variables_of(next(yaml.safe_load_all(bundle.files["version.yaml"])))
        assert variables.pop("PORT") == "8080"
    platform = target.environment_of(
        {**config.of(target), "runtime": "python" + config.python.replace(".", "")}
    )
    assert bundle.start.env == {**said, **variables, **platform}


def test_each_platform_sets_the_variables_that_it_documents() -> None:
    start = {name: render(get(name), UNUSUAL).start.env for name in ("standard", "flex", "run")}
    of_platform = {
        name: {key for key in env if key.startswith(("GAE_", "K_", "GOOGLE_", "GCLOUD_"))}
        for name, env in start.items()
    }
    assert start["standard"]["GAE_RUNTIME"] == "python311"
    assert start["standard"]["GAE_SERVICE"] == UNUSUAL.of(get("standard"))["service"]
    assert of_platform["standard"] == {
        "GAE_APPLICATION", "GAE_DEPLOYMENT_ID", "GAE_ENV", "GAE_INSTANCE", "GAE_MEMORY_MB", "GAE_RUNTIME",
        "GAE_SERVICE", "GAE_VERSION", "GOOGLE_CLOUD_PROJECT",
    }  # fmt: skip
    # As seen in a live container: no GAE_ENV.
    assert of_platform["flex"] == {
        "GAE_DEPLOYMENT_ID", "GAE_INSTANCE", "GAE_MEMORY_MB", "GAE_SERVICE", "GAE_VERSION", "GCLOUD_PROJECT",
        "GOOGLE_CLOUD_PROJECT",
    }  # fmt: skip
    assert of_platform["run"] == {"K_SERVICE", "K_REVISION", "K_CONFIGURATION"}


def test_no_variable_of_the_users_overrides_the_platforms_own() -> None:
    start = render(get("standard"), Config(env={"PYTHONUNBUFFERED": "mine"})).start
    assert start.env["PYTHONUNBUFFERED"] == "TRUE"


@each_target
@pytest.mark.parametrize("config", [Config(), UNUSUAL], ids=["default", "unusual"])
def test_the_service_accepts_what_the_bundle_tells_it(
    target: Target, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(target, config).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.target == target.name
    assert settings.first_token_ms == config.first_token_ms
    assert settings.tokens_per_s == config.tokens_per_s
    assert settings.max_output_tokens == config.max_output_tokens
    assert settings.deadline_s is not None
    assert settings.deadline_s < config.deadline_s(target)


@each_target
def test_the_service_ends_before_it_is_killed(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(target, Config()).items():
        monkeypatch.setenv(name, value)
    started = runpy.run_path(str(assets() / "deploy" / "gunicorn.conf.py"))
    assert Settings().shutdown_grace_s < started["graceful_timeout"] <= target.front.shutdown_grace_s


def test_the_service_gets_a_longer_request_timeout() -> None:
    longer = Config(targets={"run": {"timeout_s": 3600}})
    assert environment(get("run"), longer)["STREAMPROOF_DEADLINE_S"] == "3590"
    shortest = Config(targets={"run": {"timeout_s": 1}})
    assert float(environment(get("run"), shortest)["STREAMPROOF_DEADLINE_S"]) == 0.5


@each_target
def test_a_prompt_is_taken_from_the_url_only_where_answers_cost_nothing(target: Target) -> None:
    name = "STREAMPROOF_GET_SEARCH"
    assert name not in environment(target, Config())
    assert environment(target, Config(generator="vertex", model="m", location="global"))[name] == "false"


@each_target
def test_a_bundle_that_keeps_answers_in_firestore_carries_its_client_and_says_so(target: Target) -> None:
    bundle = render(target, Config(store="firestore", project="my-project-42"))
    assert bundle.files["requirements.txt"] == (assets() / "deploy" / "requirements-google.txt").read_bytes()
    named = environment(target, Config(store="firestore", project="my-project-42"))
    assert named["STREAMPROOF_STORE"] == "firestore"
    assert named["STREAMPROOF_FIRESTORE_PROJECT"] == "my-project-42"
    implied = Config(store="firestore", project="my-project-42", project_implied=True)
    assert "STREAMPROOF_FIRESTORE_PROJECT" not in environment(target, implied)
    assert "STREAMPROOF_STORE" not in environment(target, Config())


VERTEX = Config(generator="vertex", model="some-model", location="europe-west1")


@each_target
def test_a_bundle_that_asks_vertex_ai_carries_its_client_and_says_which_model_where(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = render(target, VERTEX).files["requirements.txt"]
    assert lock == (assets() / "deploy" / "requirements-google.txt").read_bytes()
    assert b"google-cloud-aiplatform" not in render(target, Config()).files["requirements.txt"]
    for name, value in environment(target, VERTEX).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.generator, settings.model, settings.location) == ("vertex", "some-model", "europe-west1")
    assert settings.vertex_project is None


def test_a_bundle_that_asks_for_google_accounts_carries_what_tells_whose_a_token_is() -> None:
    asking = Config(env={"STREAMPROOF_GOOGLE_AUDIENCE": "https://a.example"})
    assert b"google-auth==" in render(get("run"), asking).files["requirements.txt"]
    assert b"google-auth==" not in render(get("run"), Config()).files["requirements.txt"]


@each_target
def test_only_a_project_that_was_named_for_the_kit_is_charged(target: Target) -> None:
    named = replace(VERTEX, project="my-project-42", project_source="kit.toml")
    assert environment(target, named)["STREAMPROOF_VERTEX_PROJECT"] == "my-project-42"
    implied = replace(named, project_implied=True)
    assert "STREAMPROOF_VERTEX_PROJECT" not in environment(target, implied)
    mine = replace(named, env={"STREAMPROOF_VERTEX_PROJECT": "another-one"})
    assert environment(target, mine)["STREAMPROOF_VERTEX_PROJECT"] == "another-one"


@pytest.mark.parametrize("missing", ["model", "location"])
def test_a_model_that_was_not_named_is_said_before_anything_is_rendered(missing: str) -> None:
    with pytest.raises(KitError) as caught:
        render(get("run"), replace(VERTEX, **{missing: None}))  # type: ignore[arg-type]
    assert caught.value.code is Code.BAD_CONFIG
    assert caught.value.message == f"The generator is vertex, and no {missing} is set."
    assert f"KIT_{missing.upper()}" in caught.value.hint


def test_gunicorn_is_configured_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    def started() -> dict[str, Any]:
        return runpy.run_path(str(assets() / "deploy" / "gunicorn.conf.py"))

    alone = started()
    assert (alone["bind"], alone["workers"]) == ("0.0.0.0:8080", 1)
    assert alone["worker_class"].__mro__[1].__name__ == "UvicornWorker"
    assert alone["accesslog"] is None
    assert alone["control_socket_disable"] is True
    for name, value in {"STREAMPROOF_BIND": "127.0.0.1", "PORT": "1234", "STREAMPROOF_WORKERS": "2"}.items():
        monkeypatch.setenv(name, value)
    changed = started()
    assert (changed["bind"], changed["workers"]) == ("127.0.0.1:1234", 2)


def test_a_worker_that_was_frozen_between_requests_is_not_taken_for_one_that_hangs() -> None:
    """gunicorn kills a worker that gave no sign of life for `timeout` seconds, unless that is 0."""
    assert runpy.run_path(str(assets() / "deploy" / "gunicorn.conf.py"))["timeout"] == 0


def test_every_name_in_the_gunicorn_configuration_is_a_setting_of_gunicorns() -> None:
    known = {setting.name for setting in import_module("gunicorn.config").KNOWN_SETTINGS}
    tree = ast.parse((assets() / "deploy" / "gunicorn.conf.py").read_text())
    named = {ast.unparse(node.targets[0]) for node in tree.body if isinstance(node, ast.Assign)}
    named = {name for name in named if not name.isupper()}  # constants of its own
    assert named
    assert named <= known


# New targets and broken ones -------------------------------------------------------------------------------


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    """A copy of deploy/ to change."""
    return Path(shutil.copytree(assets() / "deploy", tmp_path / "deploy"))


def test_a_new_folder_renders_as_a_new_target(deploy: Path) -> None:
    shutil.copytree(deploy / "run", deploy / "edge")
    bundle = render(get("edge", deploy), Config())
    assert b"STREAMPROOF_TARGET='edge'" in bundle.files["Dockerfile"]


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("zone: {{ zone }}", "'zone' is undefined"),
        ("name: {{ service }}", "printed without a quoting filter"),
        ("name: {{ environment }}", "printed without a quoting filter"),
        ("name: {{ service | upper }}", "printed without a quoting filter"),
        ("{% include 'gone.j2' %}", "gone.j2"),
        ("{{ service", "unexpected end of template"),
    ],
)
def test_a_template_that_is_wrong_is_named(deploy: Path, added: str, said: str) -> None:
    template = deploy / "flex" / "app.yaml.j2"
    template.write_text(template.read_text() + added)
    with pytest.raises(KitError) as caught:
        render(get("flex", deploy), Config())
    assert caught.value.code is Code.BAD_TARGET
    assert "flex/app.yaml.j2" in caught.value.message
    assert said in caught.value.message


def test_a_missing_common_file_is_named(deploy: Path) -> None:
    (deploy / "gunicorn.conf.py").unlink()
    with pytest.raises(KitError, match=r"gunicorn\.conf\.py cannot be read") as caught:
        render(get("run", deploy), Config())
    assert caught.value.code is Code.BAD_TARGET


def test_bundles_differ_by_their_digest(tmp_path: Path) -> None:
    one, two = render(get("run"), Config()), render(get("run"), Config(workers=2))
    assert one.digest == render(get("run"), Config()).digest != two.digest
    assert re.fullmatch(r"[0-9a-f]{64}", one.digest)
    assert hashlib.sha256(b"").hexdigest() != one.digest
