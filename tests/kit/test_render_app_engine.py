"""The app.yaml of a bundle, which Google's own validator accepts."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.config import Config
from kit.render import COMMAND, environment, render
from kit.targets import Target, get
from tests.fixtures.tools import Tool
from tests.kit.rendering import (
    NAMES,
    UNUSUAL,
    app_yaml,
    each_app_yaml,
)


@each_app_yaml
def test_app_yaml_says_what_was_wanted(target: Target) -> None:
    found = app_yaml(target, UNUSUAL)
    assert found["env_variables"] == environment(target, UNUSUAL)
    assert found["service"] == UNUSUAL.of(target)["service"]
    assert "service_account" not in found


@each_app_yaml
def test_a_service_runs_as_the_account_that_was_set(target: Target) -> None:
    account = "me@my-project-42.iam.gserviceaccount.com"
    found = app_yaml(target, Config(targets={target.name: {"service_account": account}}))
    assert found["service_account"] == account


def test_standard_runs_one_warmed_up_instance_by_default() -> None:
    found = app_yaml(get("standard"), Config())
    assert found["runtime"] == "python313"
    assert found["automatic_scaling"] == {"max_instances": 1, "max_concurrent_requests": 80}
    assert found["inbound_services"] == ["warmup"]


def test_flex_is_a_custom_runtime_with_health_checks_and_one_instance() -> None:
    found = app_yaml(get("flex"), Config())
    assert (found["runtime"], found["env"]) == ("custom", "flex")
    assert found["manual_scaling"] == {"instances": 1}
    assert found["readiness_check"]["path"] == "/ready"
    assert found["liveness_check"]["path"] == "/health"


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
    found = app_yaml(get("flex"), config)
    assert {name: found[name] for name in found if name.endswith("_scaling")} == dict([flex])


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@each_app_yaml
@given(st.dictionaries(NAMES, TEXTS), TEXTS)
def test_no_value_breaks_out_of_app_yaml(target: Target, env: dict[str, str], service: str) -> None:
    plain = app_yaml(target, Config())
    found = app_yaml(target, Config(env=env, targets={target.name: {"service": service}}))
    assert found.pop("service") == service
    assert found.pop("env_variables") == {**plain.pop("env_variables"), **env}
    assert found == {name: value for name, value in plain.items() if name != "service"}


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
        "found = appinfo.LoadSingleAppInfo(open(sys.argv[1]))\n"
        "print(json.dumps([found.runtime, found.entrypoint, dict(found.env_variables.items())]))"
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
