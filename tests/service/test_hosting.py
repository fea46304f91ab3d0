"""The service knows from its environment alone where it runs."""

from __future__ import annotations

import pytest

from service.hosting import detect

STANDARD = {"GAE_ENV": "standard", "GAE_SERVICE": "s", "GAE_VERSION": "v7", "GAE_INSTANCE": "00c6"}
FLEX = {"GAE_ENV": "flex", "GAE_SERVICE": "s", "GAE_VERSION": "v8", "GAE_INSTANCE": "aef-1"}
RUN = {"K_SERVICE": "s", "K_REVISION": "s-00001-abc", "K_CONFIGURATION": "s"}


@pytest.mark.parametrize(
    ("environ", "target", "version"),
    [
        (STANDARD, "standard", "v7"),
        (FLEX, "flex", "v8"),
        (RUN, "run", "s-00001-abc"),
        ({"STREAMPROOF_BUNDLE": "d" * 40}, "local", "d" * 40),
        ({}, "local", "unversioned"),
    ],
    ids=["standard", "flex", "run", "bundle", "local"],
)
def test_a_platform_is_known_by_its_variables(environ: dict[str, str], target: str, version: str) -> None:
    where = detect(environ)
    assert (where.target, where.version) == (target, version)


@pytest.mark.parametrize("left_out", ["GAE_ENV", "GAE_SERVICE", "GAE_INSTANCE"])
def test_flex_is_known_by_any_variable_of_app_engine(left_out: str) -> None:
    assert detect({name: value for name, value in FLEX.items() if name != left_out}).target == "flex"


def test_the_project_is_whose_the_platform_or_the_deployment_says() -> None:
    assert detect({**RUN, "GOOGLE_CLOUD_PROJECT": "my-project-42"}).project == "my-project-42"
    assert detect(RUN).project is None
    assert detect({**RUN, "GOOGLE_CLOUD_PROJECT": ""}).project is None


def test_on_gke_only_the_deployment_says_where_it_is() -> None:
    # Every Kubernetes sets this one, on any cloud.
    kubernetes = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "STREAMPROOF_VERSION": "sp-t6zk3ab0"}
    where = detect({**kubernetes, "GOOGLE_CLOUD_PROJECT": "my-project-42"}, "gke")
    assert (where.target, where.version, where.project) == ("gke", "sp-t6zk3ab0", "my-project-42")
    assert detect(kubernetes).target == "local"


def test_a_target_that_is_set_goes_before_what_the_platform_says() -> None:
    assert detect(RUN, "run-eu").target == "run-eu"


def test_app_engines_instance_is_named_as_app_engine_names_it() -> None:
    assert detect(STANDARD).instance == "00c6"


def test_where_the_platform_names_no_instance_the_process_has_one_name() -> None:
    instance = detect(RUN).instance
    assert instance
    assert detect({}).instance == instance
