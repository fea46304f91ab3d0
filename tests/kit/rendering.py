"""Targets and a configuration at nothing of whose defaults a template may lean, for what is rendered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st

from kit.config import Config
from kit.render import render
from kit.targets import Target, load_targets

TARGETS = load_targets()
APP_ENGINE = [target for target in TARGETS.values() if target.platform == "app_engine"]
CONTAINERS = [target for target in TARGETS.values() if "Dockerfile" in target.templates.values()]

each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
each_app_yaml = pytest.mark.parametrize("target", APP_ENGINE, ids=lambda target: target.name)
each_dockerfile = pytest.mark.parametrize("target", CONTAINERS, ids=lambda target: target.name)

# Names of environment variables.
NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,20}", fullmatch=True)

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
    targets={
        "standard": {"service": 'x"\n- y'},
        "flex": {"service": "*x"},
        "run": {"service": "x"},
        "gke": {
            "service": "x",
            "namespace": "on",
            "cpu": "1",
            "memory": "1Gi",
            "replicas": 2,
            "timeout_s": 31,
        },
    },
)


# What Kubernetes makes of a variable's value: `third_party/forked/golang/expansion/expand.go` of its source.
_EXPANDED = re.compile(r"\$(?:(\$)|\(([^)]*)\))")


def variables_of(deployment: Mapping[str, Any]) -> dict[str, str]:
    """The environment variables that a container of a Deployment is started with."""
    found: dict[str, str] = {}

    def meant(match: re.Match[str]) -> str:
        return match[1] or found.get(match[2], match[0])

    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    for one in container["env"]:
        assert one["name"] not in found
        found[one["name"]] = _EXPANDED.sub(meant, one["value"])
    return found


def app_yaml(target: Target, config: Config) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(render(target, config).files["app.yaml"])
    return loaded


def dockerfile(target: Target, config: Config) -> str:
    return render(target, config).files["Dockerfile"].decode()
