"""What a bundle holds, that its values cannot break out, and that the platforms' own tools accept it."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import runpy
import shutil
import subprocess
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kit.config import Config
from kit.errors import Code, KitError
from kit.lab.dockerfile import read_image
from kit.render import COMMAND, environment, render, write
from kit.targets import Target, assets, get, load_targets
from service.settings import Settings
from tests.fixtures.tools import Tool
from tests.kit.uploaded import uploaded

TARGETS = load_targets()
APP_ENGINE = [target for target in TARGETS.values() if target.platform == "app_engine"]
CONTAINERS = [target for target in TARGETS.values() if "Dockerfile" in target.templates.values()]

each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
each_app_yaml = pytest.mark.parametrize("target", APP_ENGINE, ids=lambda target: target.name)
each_dockerfile = pytest.mark.parametrize("target", CONTAINERS, ids=lambda target: target.name)

# Nothing at its default, and values that an unquoted place would choke on.
UNUSUAL = Config(
    workers=3,
    instances=4,
    first_token_ms=0,
    tokens_per_s=12.5,
    max_output_tokens=65_536,
    python="3.11",
    env={
        "QUOTES": "\"'\\",
        "DOLLAR": "$HOME ${X} $(id)",
        "COLON": "a: b # c",
        "YES": "yes",
        "EMPTY": "",
        "WATER": "水",
    },
    targets={"standard": {"service": 'x"\n- y'}, "flex": {"service": "*x"}, "run": {"service": "x"}},
)


def app_yaml(target: Target, config: Config) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(render(target, config).files["app.yaml"])
    return loaded


def dockerfile(target: Target, config: Config) -> str:
    return render(target, config).files["Dockerfile"].decode()


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
def test_every_bundle_starts_in_the_one_way(target: Target) -> None:
    files = render(target, Config()).files
    if "Dockerfile" in files:
        (command,) = re.findall(r"^CMD (.*)$", files["Dockerfile"].decode(), re.M)
        assert tuple(json.loads(command)) == COMMAND
    else:
        assert yaml.safe_load(files["app.yaml"])["entrypoint"] == " ".join(COMMAND)


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
    assert settings.deadline_s < target.front.deadline_s


@each_target
def test_the_service_ends_before_it_is_killed(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(target, Config()).items():
        monkeypatch.setenv(name, value)
    started = runpy.run_path(str(assets() / "deploy" / "gunicorn.conf.py"))
    assert Settings().shutdown_grace_s < started["graceful_timeout"] <= target.front.shutdown_grace_s


def test_a_longer_request_timeout_is_told_to_the_service() -> None:
    longer = Config(targets={"run": {"timeout_s": 3600}})
    assert environment(get("run"), longer)["STREAMPROOF_DEADLINE_S"] == "3590"
    shortest = Config(targets={"run": {"timeout_s": 1}})
    assert float(environment(get("run"), shortest)["STREAMPROOF_DEADLINE_S"]) == 0.5


@each_target
def test_a_prompt_is_taken_from_the_url_only_where_answers_cost_nothing(target: Target) -> None:
    name = "STREAMPROOF_GET_SEARCH"
    assert name not in environment(target, Config())
    assert environment(target, Config(generator="vertex", model="m", location="global"))[name] == "false"


VERTEX = Config(generator="vertex", model="some-model", location="europe-west1")


@each_target
def test_a_bundle_that_asks_vertex_ai_carries_its_client_and_says_which_model_where(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = render(target, VERTEX).files["requirements.txt"]
    assert lock == (assets() / "deploy" / "requirements-vertex.txt").read_bytes()
    assert b"google-cloud-aiplatform" not in render(target, Config()).files["requirements.txt"]
    for name, value in environment(target, VERTEX).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.generator, settings.model, settings.location) == ("vertex", "some-model", "europe-west1")
    assert settings.vertex_project is None


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


def test_gunicorn_is_told_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    def started() -> dict[str, Any]:
        return runpy.run_path(str(assets() / "deploy" / "gunicorn.conf.py"))

    alone = started()
    assert (alone["bind"], alone["workers"]) == ("0.0.0.0:8080", 1)
    assert alone["worker_class"] == "uvicorn_worker.UvicornWorker"
    assert alone["accesslog"] is None
    assert alone["control_socket_disable"] is True
    for name, value in {"STREAMPROOF_BIND": "127.0.0.1", "PORT": "1234", "STREAMPROOF_WORKERS": "2"}.items():
        monkeypatch.setenv(name, value)
    told = started()
    assert (told["bind"], told["workers"]) == ("127.0.0.1:1234", 2)


def test_every_name_in_the_gunicorn_configuration_is_a_setting_of_gunicorns() -> None:
    known = {setting.name for setting in import_module("gunicorn.config").KNOWN_SETTINGS}
    tree = ast.parse((assets() / "deploy" / "gunicorn.conf.py").read_text())
    named = {ast.unparse(node.targets[0]) for node in tree.body if isinstance(node, ast.Assign)}
    assert named
    assert named <= known


# App Engine ------------------------------------------------------------------------------------------------


@each_app_yaml
def test_app_yaml_says_what_was_wanted(target: Target) -> None:
    told = app_yaml(target, UNUSUAL)
    assert told["env_variables"] == environment(target, UNUSUAL)
    assert told["service"] == UNUSUAL.of(target)["service"]
    assert "service_account" not in told


@each_app_yaml
def test_a_service_runs_as_whom_it_was_told_to(target: Target) -> None:
    account = "me@my-project-42.iam.gserviceaccount.com"
    told = app_yaml(target, Config(targets={target.name: {"service_account": account}}))
    assert told["service_account"] == account


def test_standard_runs_one_warmed_up_instance_unless_told_otherwise() -> None:
    told = app_yaml(get("standard"), Config())
    assert told["runtime"] == "python313"
    assert told["automatic_scaling"] == {"max_instances": 1, "max_concurrent_requests": 80}
    assert told["inbound_services"] == ["warmup"]


def test_flex_is_a_custom_runtime_with_health_checks_and_one_instance() -> None:
    told = app_yaml(get("flex"), Config())
    assert (told["runtime"], told["env"]) == ("custom", "flex")
    assert told["manual_scaling"] == {"instances": 1}
    assert told["readiness_check"]["path"] == "/ready"
    assert told["liveness_check"]["path"] == "/health"


@pytest.mark.parametrize(
    ("config", "standard", "flex"),
    [
        (
            Config(instances=4),
            {"max_instances": 4, "max_concurrent_requests": 80},
            ("automatic_scaling", {"min_num_instances": 1, "max_num_instances": 4}),
        ),
        (
            Config(
                instances=4,
                targets={
                    name: {"min_instances": 2, "max_instances": 2, "max_concurrent_requests": 5}
                    for name in ("standard", "flex")
                },
            ),
            {"min_instances": 2, "max_instances": 2, "max_concurrent_requests": 5},
            ("manual_scaling", {"instances": 2}),
        ),
    ],
    ids=["for all", "for one"],
)
def test_a_service_scales_between_the_instances_it_was_given(
    config: Config, standard: dict[str, int], flex: tuple[str, dict[str, int]]
) -> None:
    assert app_yaml(get("standard"), config)["automatic_scaling"] == standard
    told = app_yaml(get("flex"), config)
    assert {name: told[name] for name in told if name.endswith("_scaling")} == dict([flex])


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,20}", fullmatch=True)


@each_app_yaml
@given(st.dictionaries(NAMES, TEXTS), TEXTS)
def test_no_value_breaks_out_of_app_yaml(target: Target, env: dict[str, str], service: str) -> None:
    plain = app_yaml(target, Config())
    told = app_yaml(target, Config(env=env, targets={target.name: {"service": service}}))
    assert told.pop("service") == service
    assert told.pop("env_variables") == {**plain.pop("env_variables"), **env}
    assert told == {name: value for name, value in plain.items() if name != "service"}


@each_app_yaml
@pytest.mark.parametrize("config", [Config(), UNUSUAL], ids=["default", "unusual"])
def test_googles_own_validator_accepts_app_yaml(
    target: Target, config: Config, tool: Tool, tmp_path: Path
) -> None:
    python = tool("appinfo-python")
    # The name of a service may not be anything, and Google's validator knows.
    account = "me@my-project-42.iam.gserviceaccount.com"
    own = {"service": "sp-x", "service_account": account, "min_instances": config.workers}
    named = replace(config, targets={target.name: own})
    (tmp_path / "app.yaml").write_bytes(render(target, named).files["app.yaml"])
    look = (
        "import json, sys\n"
        "from google.appengine.api import appinfo\n"
        "told = appinfo.LoadSingleAppInfo(open(sys.argv[1]))\n"
        "print(json.dumps([told.runtime, told.entrypoint, dict(told.env_variables.items())]))"
    )
    checked = subprocess.run(
        [python, "-c", look, tmp_path / "app.yaml"], capture_output=True, text=True, timeout=60
    )
    assert checked.returncode == 0, checked.stderr
    runtime, entrypoint, variables = json.loads(checked.stdout)
    assert variables == environment(target, named)
    # As the validator calls them: "vm" is any flexible runtime, and it puts an exec before an entrypoint.
    python_runtime = f"python{config.python.replace('.', '')}"
    assert (runtime, entrypoint) in [("vm", None), (python_runtime, f"exec {' '.join(COMMAND)}")]


@each_app_yaml
def test_googles_own_validator_would_refuse_a_wrong_key(target: Target, tool: Tool, tmp_path: Path) -> None:
    text = render(target, Config()).files["app.yaml"] + b"entry_point: x\n"
    (tmp_path / "app.yaml").write_bytes(text)
    look = (
        "import sys\nfrom google.appengine.api import appinfo\nappinfo.LoadSingleAppInfo(open(sys.argv[1]))"
    )
    checked = subprocess.run(
        [tool("appinfo-python"), "-c", look, tmp_path / "app.yaml"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert checked.returncode != 0
    assert "entry_point" in checked.stderr


# Containers ------------------------------------------------------------------------------------------------


@each_dockerfile
def test_a_container_is_small_and_nobodys_in_particular(target: Target) -> None:
    text = dockerfile(target, UNUSUAL)
    froms = re.findall(r"^FROM (\S+)", text, re.M)
    assert froms == ["python:3.11-slim", "python:3.11-slim"]
    last = text[text.rindex("FROM ") :]
    assert re.search(r"^USER [1-9][0-9]*:[1-9][0-9]*$", last, re.M)
    assert "pip install" not in last
    assert "--require-hashes" in text


def test_on_cloud_run_the_image_carries_the_variables() -> None:
    text = dockerfile(get("run"), UNUSUAL)
    assert read_image(text, Path("Dockerfile")).env == {**ALWAYS, **environment(get("run"), UNUSUAL)}


LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]))
ALWAYS = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}


@given(st.dictionaries(NAMES, LINES))
def test_no_value_breaks_out_of_a_dockerfile(env: dict[str, str]) -> None:
    config = Config(env=env)
    plain, told = (dockerfile(get("run"), wanted).split("\n") for wanted in (Config(), config))
    user = told.index("USER 10001:10001") - 1
    assert told[: user - len(env)] + told[user:] == plain
    read = read_image("\n".join(told), Path("Dockerfile"))
    assert read.argv == COMMAND
    assert read.env == {**ALWAYS, **environment(get("run"), config)}


@pytest.mark.parametrize("value", ["a\nRUN id", "a\r", "\x1b[2J", "\x85", "\u2028"])
def test_a_line_break_is_refused_where_a_dockerfile_would_have_to_carry_it(value: str) -> None:
    with pytest.raises(KitError) as told:
        render(get("run"), Config(env={"KEY": value}))
    assert told.value.code is Code.BAD_CONFIG
    assert "KEY" in told.value.message
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
    assert uploaded(tool("gcloud"), folder, *strays) == set(bundle.files) - {".gcloudignore"}


def test_every_file_that_an_image_is_made_of_is_let_through_to_the_builder() -> None:
    files = render(get("run"), Config()).files
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
    with pytest.raises(KitError) as told:
        render(get("flex", deploy), Config())
    assert told.value.code is Code.BAD_TARGET
    assert "flex/app.yaml.j2" in told.value.message
    assert said in told.value.message


def test_a_missing_common_file_is_named(deploy: Path) -> None:
    (deploy / "gunicorn.conf.py").unlink()
    with pytest.raises(KitError, match=r"gunicorn\.conf\.py cannot be read") as told:
        render(get("run", deploy), Config())
    assert told.value.code is Code.BAD_TARGET


def test_bundles_on_disk_are_told_apart_by_their_digest(tmp_path: Path) -> None:
    one, two = render(get("run"), Config()), render(get("run"), Config(workers=2))
    assert one.digest == render(get("run"), Config()).digest != two.digest
    assert re.fullmatch(r"[0-9a-f]{64}", one.digest)
    assert hashlib.sha256(b"").hexdigest() != one.digest
