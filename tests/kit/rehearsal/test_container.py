"""GKE, as the real gcloud and kubectl find it: what is applied comes about, and what is wrong is refused."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from kit.rehearsal import container
from kit.rehearsal.hosting import Hosting
from kit.rehearsal.kubernetes.cluster import Cluster
from kit.rehearsal.kubernetes.kinds import POD
from kit.rehearsal.kubernetes.status import unauthorized
from kit.rehearsal.plane import Plane
from kit.rehearsal.wire import Request
from tests.fixtures.processes import eventually
from tests.fixtures.rehearsal import GIVE_UP_S, Gcloud, Ran
from tests.fixtures.tools import Tool
from tests.kit.lab.bundles import SERVER
from tests.kit.rehearsal.kubernetes import manifests as made
from tests.kit.rehearsal.test_hosting import about, get

PLACE = ("--location=europe-west1", "--project=demo-project", "--quiet")
CONTEXT = "--context=gke_demo-project_europe-west1_web"
APPLY = ("apply", "--server-side", "--field-manager=tests", "-f", "-")
ROLLOUT = ("rollout", "status", "deployment/web-1", "--timeout=60s")
IMAGE = "europe-west1-docker.pkg.dev/demo-project/images/web"


class Kubectl(Protocol):
    """Run kubectl to its end, with objects on its standard input, in the namespace of the tests."""

    def __call__(self, *words: str, of: list[dict[str, Any]] | None = None) -> Ran: ...


def kubectl_at(program: Path, config: Path, env: dict[str, str]) -> Kubectl:
    def run(*words: str, of: list[dict[str, Any]] | None = None) -> Ran:
        # JSON is YAML.
        given = "\n---\n".join(json.dumps(each) for each in of or [])
        return subprocess.run(
            [str(program), CONTEXT, "--namespace=space", *words],
            env={**os.environ, **env, "KUBECONFIG": str(config)},
            input=given,
            capture_output=True,
            text=True,
            timeout=GIVE_UP_S,
        )

    return run


@pytest.fixture
def cluster(plane: Plane) -> Cluster:
    """A cluster that is there already."""
    return plane.container.add("web")


@pytest.fixture
def config(plane: Plane, cluster: Cluster, tmp_path: Path) -> Path:
    """What leads kubectl there: as get-credentials writes it, but with the token itself."""
    server = {"server": f"https://{cluster.server.address}", "certificate-authority-data": cluster.server.ca}
    name = CONTEXT.partition("=")[2]
    file = tmp_path / "kubeconfig"
    file.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": name, "cluster": server}],
                "users": [{"name": name, "user": {"token": sorted(plane.project.access)[0]}}],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            }
        )
    )
    return file


@pytest.fixture(params=["kubectl", "kubectl-newest"])
def either(request: pytest.FixtureRequest, tool: Tool, config: Path, gcloud_env: dict[str, str]) -> Kubectl:
    """The kubectl that comes with gcloud, and the newest."""
    return kubectl_at(tool(request.param), config, gcloud_env)


@pytest.fixture
def kubectl(tool: Tool, config: Path, gcloud_env: dict[str, str]) -> Kubectl:
    return kubectl_at(tool("kubectl-newest"), config, gcloud_env)


def good(ran: Ran) -> str:
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def last(ran: Ran) -> str:
    """Why it failed: the last line that it wrote."""
    assert ran.returncode == 1, ran.stdout
    return ran.stderr.splitlines()[-1]


def free_port(host: str) -> int:
    with socket.create_server((host, 0)) as listener:
        return int(listener.getsockname()[1])


def version(**spec: Any) -> list[dict[str, Any]]:
    return [made.deployment(**spec), made.service(), made.policy(), made.health()]


def test_gcloud_makes_finds_and_deletes_a_cluster(plane: Plane, gcloud: Gcloud, tmp_path: Path) -> None:
    config = tmp_path / "made"
    env = {"KUBECONFIG": str(config)}
    clusters = "container", "clusters"
    ran = gcloud(*clusters, "create-auto", "web", "--labels=of=tests", *PLACE, env=env)
    assert ran.returncode == 0, ran.stderr
    assert plane.container.cluster("web").server.address in config.read_text()
    (listed,) = json.loads(good(gcloud(*clusters, "list", "--project=demo-project", "--format=json")))
    assert (listed["name"], listed["status"], listed["autopilot"]) == ("web", "RUNNING", {"enabled": True})
    assert listed["resourceLabels"] == {"of": "tests"}
    again = gcloud(*clusters, "create-auto", "web", *PLACE, env=env)
    assert "code=409, message=Already exists: projects/demo-project" in again.stderr
    other = gcloud(*clusters, "get-credentials", "other", *PLACE, env=env)
    assert "ResponseError: code=404, message=Not found: projects/demo-project/locations/" in other.stderr
    assert "No cluster named 'other' in demo-project." in other.stderr
    good(gcloud(*clusters, "delete", "web", *PLACE, env=env))
    assert plane.container.names() == []
    assert "web" not in config.read_text()


def test_making_a_cluster_takes_its_time(plane: Plane) -> None:
    plane.container.seconds = 3600
    headers = {
        "authorization": f"Bearer {sorted(plane.project.access)[0]}",
        "content-type": "application/json",
    }

    def ask(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        content = b"" if body is None else json.dumps(body).encode()
        place = f"/v1/projects/demo-project/locations/europe-west1/{path}"
        answer = plane.router.answer(Request(method, container.HOST, place, {}, headers, content))
        return answer.status, answer.body

    operation = ask("POST", "clusters", {"cluster": {"name": "web"}})[1]
    assert operation["status"] == "RUNNING"
    assert ask("GET", f"operations/{operation['name']}")[1]["status"] == "RUNNING"
    shown = ask("GET", "clusters/web")[1]
    assert (shown["status"], "endpoint" in shown) == ("PROVISIONING", False)
    assert ask("POST", "clusters", {"cluster": {"name": "Not a name"}})[0] == 400
    assert ask("GET", "operations/none")[0] == 404


def test_kubectl_gets_in_by_the_plugin_and_not_with_a_token_that_is_not_good(
    plane: Plane, cluster: Cluster, gcloud: Gcloud, gcloud_env: dict[str, str], tool: Tool, tmp_path: Path
) -> None:
    tool("gke-gcloud-auth-plugin")
    config = tmp_path / "got"
    good(gcloud("container", "clusters", "get-credentials", "web", *PLACE, env={"KUBECONFIG": str(config)}))
    run = kubectl_at(tool("kubectl"), config, gcloud_env)
    assert good(run("get", "namespaces", "-o", "name")) == "namespace/default\nnamespace/kube-system\n"
    plane.project.access.clear()
    assert last(run("get", "namespaces")) == "error: You must be logged in to the server (Unauthorized)"


def test_a_release_is_applied_rolled_out_found_and_deleted(
    plane: Plane, cluster: Cluster, either: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plane.builds, "pulled", lambda image: {})
    front = [made.namespace(), made.gateway(), *version(), made.route(made.opened())]
    applied = good(either(*APPLY, of=front)).splitlines()
    assert applied[:2] == [
        "namespace/space serverside-applied",
        "gateway.gateway.networking.k8s.io/front serverside-applied",
    ]
    assert len(applied) == 7
    assert good(either(*ROLLOUT)).endswith('deployment "web-1" successfully rolled out\n')
    good(either("wait", "--for=condition=Programmed", "gateway/front", "--timeout=60s"))
    kinds = "gateway,httproute,deployment,service,gcpbackendpolicy,healthcheckpolicy,pod"
    found = json.loads(good(either("get", kinds, "-l", "version", "-o", "json")))["items"]
    assert len(found) == 7
    assert good(either("logs", "-l", "version=web-1", "--tail=5")) == ""
    # The Gateway has a finalizer: its deletion is waited for.
    good(either("delete", "httproute/front", "gateway/front"))
    good(either("delete", "namespace", "space"))
    assert cluster.store.keys("space") == []
    assert not any(plane.compute.resources.values())


def test_what_is_wrong_is_refused_in_the_words_of_kubernetes(
    plane: Plane, cluster: Cluster, kubectl: Kubectl
) -> None:
    """A fake that lets this pass proves nothing."""
    good(kubectl(*APPLY, of=[made.namespace()]))
    unknown = kubectl(*APPLY, of=[made.deployment(replica=1)])
    assert last(unknown).startswith("Error from server (BadRequest): Deployment in version ")
    assert last(unknown).endswith('strict decoding error: unknown field "spec.replica"')
    invalid = kubectl(*APPLY, of=[made.policy(timeout_s=0)])
    assert 'GCPBackendPolicy.networking.gke.io "web-1" is invalid' in last(invalid)
    nowhere = {**made.service(), "metadata": {"name": "web-1", "namespace": "nowhere"}}
    assert last(kubectl("-n", "nowhere", *APPLY, of=[nowhere])) == (
        'Error from server (NotFound): namespaces "nowhere" not found'
    )
    assert last(kubectl("get", "gateway", "x")) == (
        'Error from server (NotFound): gateways.gateway.networking.k8s.io "x" not found'
    )
    good(kubectl(*APPLY, of=[made.deployment()]))
    good(kubectl("patch", "deployment", "web-1", "--type=merge", "-p", '{"spec": {"replicas": 2}}'))
    conflict = kubectl(*APPLY, of=[made.deployment(replicas=3)])
    assert conflict.returncode == 1
    assert 'conflict with "kubectl-patch" using apps/v1: .spec.replicas' in conflict.stderr
    plane.faults.add("kubernetes.get.deployments", unauthorized())
    assert last(kubectl("get", "deployment", "web-1")) == (
        "error: You must be logged in to the server (Unauthorized)"
    )


def test_a_rollout_survives_watches_that_break_off_and_ends_when_its_deadline_is_missed(
    plane: Plane, cluster: Cluster, kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plane.builds, "pulled", lambda image: {})
    cluster.api.watch_cuts = 2
    cluster.pods.seconds = 0.5
    good(kubectl(*APPLY, of=[made.namespace(), *version()]))
    assert "successfully rolled out" in good(kubectl(*ROLLOUT))
    cluster.pods.progress_s, cluster.pods.stuck = 0.0, True
    good(kubectl(*APPLY, of=[made.deployment(image="another@sha256:2")]))
    assert last(kubectl(*ROLLOUT)) == 'error: deployment "web-1" exceeded its progress deadline'


@pytest.fixture
def hosted(plane: Plane) -> Iterator[Plane]:
    """The plane, with what is built running."""
    plane.hosting = Hosting(plane.project.id)
    yield plane
    plane.container.close()
    plane.hosting.close()


def test_what_is_built_runs_behind_the_gateway_by_its_rules(
    hosted: Plane, cluster: Cluster, gcloud: Gcloud, kubectl: Kubectl, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "serve.py").write_text(SERVER)
    (source / "Dockerfile").write_text('FROM scratch\nCMD ["python", "serve.py"]\n')
    place = ("--location=europe-west1", "--repository-format=docker", "--project=demo-project", "--quiet")
    good(gcloud("artifacts", "repositories", "create", "images", *place))
    submit = (
        "--region=europe-west1",
        "--suppress-logs",
        "--format=json",
        "--project=demo-project",
        "--quiet",
    )
    built = json.loads(good(gcloud("builds", "submit", str(source), f"--tag={IMAGE}:one", *submit)))
    digest = built["results"]["images"][0]["digest"]

    port = free_port(hosted.gateway_host)
    objects = [made.namespace(), made.gateway(port=port), *version(image=f"{IMAGE}@{digest}")]
    good(kubectl(*APPLY, of=[*objects, made.route(made.opened())]))
    good(kubectl(*ROLLOUT))
    good(kubectl("wait", "--for=condition=Programmed", "gateway/front", "--timeout=60s"))
    url = f"http://{hosted.gateway_host}:{port}"
    eventually(lambda: get(f"{url}/web-1/ready")[0] == 200)
    assert get(f"{url}/about")[0] == 404
    env = about(f"{url}/web-1")["env"]
    assert env["OWN"] == "$(PORT) 8080 $"
    assert env["KUBERNETES_SERVICE_PORT"] == "443"
    assert "STREAMPROOF_LAB" not in env
    good(kubectl(*APPLY, of=[made.route(made.opened(), made.served(web_1=1))]))
    eventually(lambda: get(f"{url}/about")[0] == 200)
    assert "starting" in good(kubectl("logs", "-l", "version=web-1", "--timestamps"))
    good(kubectl(*APPLY, of=[made.deployment(image=f"{IMAGE}@{digest}", replicas=0)]))
    eventually(lambda: get(f"{url}/about")[0] == 503)
    eventually(lambda: cluster.store.all(POD) == [])
