"""The manifests of a bundle for GKE, which the schemas of their owners accept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kit.app import App
from kit.config import Config, load_config
from kit.errors import KitError
from kit.platforms.gke.route import route
from kit.platforms.service import Place
from kit.render import environment, render
from kit.targets import get
from tests.kit.gke_schemas import SPECS, complaints
from tests.kit.rendering import NAMES, UNUSUAL, variables_of

GKE = get("gke")
FILES = ("front.yaml", "version.yaml", "route.yaml")
HTTPS = Config(targets={"gke": {"host": "stream.example.com", "certmap": "stream-example-com"}})
RELEASE = {"STREAMPROOF_VERSION": "sp-t6zk3ab0", "STREAMPROOF_BUNDLE": "a" * 40}
# From the oldest that knows `preStop.sleep` on: a cluster may be as old as its channel.
KUBERNETES = ("1.30.0", "1.33.0", "1.37.0")

# The same in C, where there is one.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Manifest = dict[str, Any]


def manifests(config: Config, release: Mapping[str, str] | None = None) -> dict[str, Manifest]:
    """Kind to object, in the order in which they are applied."""
    files = render(GKE, config, release).files
    found = [one for name in FILES for one in yaml.load_all(files[name], LOADER)]
    assert len({one["kind"] for one in found}) == len(found)
    return {one["kind"]: one for one in found}


def check(manifest: Manifest) -> list[str]:
    """What its owner's schema says against it."""
    if (manifest["apiVersion"], manifest["kind"]) in SPECS:
        return complaints(manifest)
    said = []
    for version in KUBERNETES:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            said.append(error.message)
    return said


@pytest.fixture
def own_app(tmp_path: Path) -> Config:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/main.py").write_text("app = None\n")
    (tmp_path / "requirements.txt").write_text("fastapi\n")
    return Config(app=App("mine.main:app", tmp_path, tmp_path / "requirements.txt", "/", ("*",)))


@pytest.mark.parametrize("config", [Config(), UNUSUAL, HTTPS], ids=["default", "unusual", "https"])
@pytest.mark.parametrize("release", [None, RELEASE], ids=["rendered", "released"])
def test_the_owners_schemas_accept_every_manifest(config: Config, release: Mapping[str, str] | None) -> None:
    found = manifests(config, release)
    assert list(found) == [
        "Namespace", "Gateway", "Deployment", "Service", "GCPBackendPolicy", "HealthCheckPolicy", "HTTPRoute",
    ]  # fmt: skip
    assert {kind: check(one) for kind, one in found.items() if check(one)} == {}


def test_the_owners_schemas_accept_the_manifests_of_a_users_own_app(own_app: Config) -> None:
    found = manifests(own_app)
    assert {kind: check(one) for kind, one in found.items() if check(one)} == {}
    # What paths it has the kit does not know.
    probe = container(found)["readinessProbe"]
    assert (probe["tcpSocket"], "httpGet" in probe) == ({"port": "http"}, False)
    assert found["HealthCheckPolicy"]["spec"]["default"]["config"]["type"] == "TCP"


@pytest.mark.parametrize(
    ("kind", "path", "wrong"),
    [
        ("GCPBackendPolicy", "spec.default.timeoutSecs", 300),
        ("GCPBackendPolicy", "spec.default.timeoutSec", "300"),
        ("GCPBackendPolicy", "spec.default.timeoutSec", 0),
        ("HealthCheckPolicy", "spec.default.config.httpHealthCheck.path", "/ready"),
        ("HealthCheckPolicy", "spec.default.config.tcpHealthCheck", {}),
        ("HTTPRoute", "spec.rules.1.backendRefs.0.weight", -1),
        ("HTTPRoute", "spec.rules.0.timeouts", {"request": "300s"}),
        ("Gateway", "spec.listeners.0.port", "80"),
        ("Gateway", "spec.listeners.0.tls", {"option": {}}),
        ("Service", "spec.ports.0.port", "80"),
        ("Service", "spec.selectors", {}),
        ("Deployment", "spec.template.spec.containers.0.env.0.value", 8080),
        ("Deployment", "spec.template.spec.terminationGracePeriod", 75),
        ("Deployment", "spec.template.spec.containers.0.lifecycle.preStop.sleep.secs", 15),
    ],
)
def test_the_schemas_refuse_what_is_wrong(kind: str, path: str, wrong: object) -> None:
    manifest = deepcopy(manifests(Config())[kind])
    *way, last = path.split(".")
    inside: Any = manifest
    for step in way:
        inside = inside[int(step) if step.isdigit() else step]
    inside[last] = wrong
    assert check(manifest)


def test_a_version_is_named_and_labelled_alike_wherever_it_is_named() -> None:
    found = manifests(Config(), RELEASE)
    name, labels = "streamproof-sp-t6zk3ab0", {"streamproof-version": "sp-t6zk3ab0"}
    own = {
        "app.kubernetes.io/name": "streamproof",
        "app.kubernetes.io/managed-by": "streamproof",
        "streamproof-target": "gke",
        "streamproof-app": "streamproof",
    }
    for kind in ("Gateway", "HTTPRoute"):
        assert found[kind]["metadata"] == {"name": "streamproof", "namespace": "streamproof", "labels": own}
    for kind in ("Deployment", "Service", "GCPBackendPolicy", "HealthCheckPolicy"):
        assert found[kind]["metadata"] == {
            "name": name,
            "namespace": "streamproof",
            "labels": {**own, **labels, "streamproof-bundle": "a" * 40},
        }
    pods = found["Deployment"]["spec"]["template"]["metadata"]
    assert pods == {"labels": found["Deployment"]["metadata"]["labels"]}
    assert found["Deployment"]["spec"]["selector"] == {"matchLabels": labels}
    assert found["Service"]["spec"]["selector"] == labels
    for kind in ("GCPBackendPolicy", "HealthCheckPolicy"):
        assert found[kind]["spec"]["targetRef"] == {"group": "", "kind": "Service", "name": name}
    first, last = found["HTTPRoute"]["spec"]["rules"]
    assert first["matches"] == [{"path": {"type": "PathPrefix", "value": "/sp-t6zk3ab0"}}]
    assert first["backendRefs"] == [{"name": name, "port": 80}]
    assert last["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert last["backendRefs"] == [{"name": name, "port": 80, "weight": 1}]


@pytest.mark.parametrize("config", [Config(), HTTPS], ids=["http", "https"])
def test_the_route_is_the_one_that_a_deployment_makes_for_one_version_that_serves(config: Config) -> None:
    found = manifests(config, RELEASE)
    (listener,) = found["Gateway"]["spec"]["listeners"]
    place = Place("gke", "gke", "my-project-42", "europe-west1", "streamproof")
    assert found["HTTPRoute"] == route(place, "streamproof", listener["name"], {"sp-t6zk3ab0": 1})


@pytest.mark.parametrize(
    "shares", [{"sp-t6zk3ab0": 0}, {f"sp-t6zk3a{number:02}": number for number in range(15)}]
)
def test_the_owners_schemas_accept_every_route_that_a_deployment_makes(shares: dict[str, int]) -> None:
    place = Place("gke", "gke", "my-project-42", "europe-west1", "streamproof")
    assert complaints(route(place, "streamproof", "http", shares)) == []


def test_a_rendered_bundle_names_a_version_that_no_release_has() -> None:
    found = manifests(Config())
    assert found["Deployment"]["metadata"]["name"] == "streamproof-sp-00000000"
    assert found["Deployment"]["metadata"]["labels"]["streamproof-bundle"] == "0" * 40


@pytest.mark.parametrize(
    ("config", "image"),
    [
        (Config(), "REGION-docker.pkg.dev/PROJECT/streamproof/streamproof:sp-t6zk3ab0"),
        (
            Config(project="my-project-42", region="europe-west1", targets={"gke": {"service": "mine"}}),
            "europe-west1-docker.pkg.dev/my-project-42/streamproof/mine:sp-t6zk3ab0",
        ),
        # https://docs.cloud.google.com/artifact-registry/docs/docker/names#domain
        (
            Config(project="example.com:my-project", region="europe-west1"),
            "europe-west1-docker.pkg.dev/example.com/my-project/streamproof/streamproof:sp-t6zk3ab0",
        ),
    ],
    ids=["nowhere", "somewhere", "of a domain"],
)
def test_an_image_is_named_by_where_it_will_be(config: Config, image: str) -> None:
    assert container(manifests(config, RELEASE))["image"] == image
    assert render(GKE, config, RELEASE).files["version.yaml"].count(f'"{image}"'.encode()) == 1


def test_the_settings_stand_in_the_manifests() -> None:
    own = {"namespace": "ours", "cpu": "2", "memory": "1Gi", "replicas": 3, "timeout_s": 86_400}
    found = manifests(Config(targets={"gke": own}))
    assert found["Namespace"]["metadata"]["name"] == "ours"
    assert {one["metadata"].get("namespace", "ours") for one in found.values()} == {"ours"}
    assert found["Deployment"]["spec"]["replicas"] == 3
    assert container(found)["resources"] == {
        "requests": {"cpu": "2", "memory": "1Gi"},
        "limits": {"memory": "1Gi"},
    }
    assert found["GCPBackendPolicy"]["spec"]["default"]["timeoutSec"] == 86_400


def test_a_secret_is_named_by_its_name_in_the_cluster_and_by_the_variable() -> None:
    found = manifests(Config(secrets={"OPENAI_API_KEY": "openai:latest"}))
    assert not check(found["Deployment"])
    assert container(found)["env"][-1] == {
        "name": "OPENAI_API_KEY",
        "valueFrom": {"secretKeyRef": {"name": "openai", "key": "OPENAI_API_KEY"}},
    }


@pytest.mark.parametrize("timeout_s", [1, 30, 300])
def test_the_policy_is_always_written_and_the_service_ends_before_it_cuts(timeout_s: int) -> None:
    config = Config(targets={"gke": {"timeout_s": timeout_s}})
    found = manifests(config)
    assert found["GCPBackendPolicy"]["spec"]["default"]["timeoutSec"] == timeout_s == config.deadline_s(GKE)
    assert float(variables_of(found["Deployment"])["STREAMPROOF_DEADLINE_S"]) < timeout_s


def test_a_pod_has_its_grace_after_the_load_balancer_sends_it_nothing_more() -> None:
    found = manifests(Config())
    wait_s = container(found)["lifecycle"]["preStop"]["sleep"]["seconds"]
    grace_s = found["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace_s == wait_s + GKE.front.shutdown_grace_s
    draining = found["GCPBackendPolicy"]["spec"]["default"]["connectionDraining"]
    # The load balancer counts from when the pod goes, and so from before its wait.
    assert draining == {"drainingTimeoutSec": grace_s}


def test_a_pod_runs_as_the_images_user_without_rights_of_its_own() -> None:
    spec = manifests(Config())["Deployment"]["spec"]["template"]["spec"]
    user = re.search(rb"^USER ([0-9]+):([0-9]+)$", render(GKE, Config()).files["Dockerfile"], re.M)
    assert user
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(user[1]),
        "runAsGroup": int(user[2]),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec["automountServiceAccountToken"] is False
    # Kubernetes' own would begin with STREAMPROOF_, as the service's own settings do.
    assert spec["enableServiceLinks"] is False


def test_over_https_the_listener_is_the_domains_with_the_maps_certificates() -> None:
    found = manifests(HTTPS)
    gateway = found["Gateway"]
    assert gateway["metadata"]["annotations"] == {"networking.gke.io/certmap": "stream-example-com"}
    (listener,) = gateway["spec"]["listeners"]
    assert (listener["protocol"], listener["port"]) == ("HTTPS", 443)
    assert listener["hostname"] == "stream.example.com"
    assert found["HTTPRoute"]["spec"]["parentRefs"][0]["sectionName"] == listener["name"]
    plain = manifests(Config())
    (listener,) = plain["Gateway"]["spec"]["listeners"]
    assert (listener["protocol"], listener["port"], "hostname" in listener) == ("HTTP", 80, False)
    assert plain["HTTPRoute"]["spec"]["parentRefs"][0]["sectionName"] == listener["name"]
    assert "annotations" not in plain["Gateway"]["metadata"]


@pytest.mark.parametrize("alone", ["gke.host=stream.example.com", "gke.certmap=mine"])
def test_a_domain_and_its_certificates_come_together(alone: str, tmp_path: Path) -> None:
    with pytest.raises(KitError, match="For https give both host and certmap") as caught:
        load_config({"set": [alone]}, {}, tmp_path)
    assert "is empty" in caught.value.message


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(
    st.dictionaries(NAMES, TEXTS),
    st.fixed_dictionaries(dict.fromkeys(("service", "namespace", "cpu", "memory", "host"), TEXTS)),
    TEXTS.filter(bool),
)
def test_no_value_breaks_out_of_its_place(env: dict[str, str], own: dict[str, str], certmap: str) -> None:
    config = Config(env=env, targets={"gke": {**own, "certmap": certmap}})
    found, plain = manifests(config), manifests(HTTPS)
    named = f"{own['service']}-sp-00000000"
    assert found["Namespace"]["metadata"]["name"] == own["namespace"]
    assert found["Deployment"]["metadata"]["name"] == found["Service"]["metadata"]["name"] == named
    assert container(found)["resources"]["requests"] == {"cpu": own["cpu"], "memory": own["memory"]}
    assert container(found)["image"].endswith(f"/streamproof/{own['service']}:sp-00000000")
    assert found["Gateway"]["spec"]["listeners"][0]["hostname"] == own["host"]
    assert found["Gateway"]["metadata"]["annotations"] == {"networking.gke.io/certmap": certmap}
    assert variables_of(found["Deployment"]) == environment(GKE, config) | {"PORT": "8080"}
    for one in (plain, found):
        del container(one)["env"]
    assert shape(found) == shape(plain)


@pytest.mark.parametrize("config", [Config(), UNUSUAL, HTTPS], ids=["default", "unusual", "https"])
def test_everything_is_written_out(config: Config) -> None:
    for name in FILES:
        text = render(GKE, config).files[name].decode()
        assert text.isascii()
        tokens = list(yaml.scan(text))
        assert not [
            one for one in tokens if isinstance(one, yaml.AnchorToken | yaml.AliasToken | yaml.TagToken)
        ]


def container(found: Mapping[str, Manifest]) -> dict[str, Any]:
    (one,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert isinstance(one, dict)
    return one


def shape(value: object) -> object:
    """The same without its texts."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return "" if isinstance(value, str) else value
