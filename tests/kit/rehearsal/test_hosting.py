"""What is uploaded runs, answers at URLs that stay, and is gone when it shall be."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.config import Config
from kit.rehearsal.hosting import DidNotStart, Hosting
from kit.rehearsal.uploads import Kind, Upload
from kit.render import render
from kit.targets import load_targets
from tests.fixtures.processes import eventually, gone, is_gone
from tests.kit.lab.bundles import SERVER
from tests.system.leftovers import processes_in


@pytest.fixture
def hosting() -> Iterator[Hosting]:
    with Hosting() as hosting:
        yield hosting


def upload(
    version: str = "v1", kind: Kind = "standard", env: Mapping[str, str] | None = None, **resource: Any
) -> Upload:
    """A small server of the standard library, as each platform would start it."""
    dockerfile = b'FROM scratch\nENV FROM_IMAGE=yes\nCMD ["python", "serve.py"]\n'
    files = {"serve.py": SERVER.encode(), **({} if kind == "standard" else {"Dockerfile": dockerfile})}
    command = "python serve.py" if kind == "standard" else None
    return Upload(kind, "web", version, files, env or {}, command, resource)


def get(url: str, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def about(url: str) -> dict[str, Any]:
    status, body = get(f"{url}/about")
    assert status == 200, body
    document: dict[str, Any] = json.loads(body)
    return document


def test_each_platform_tells_a_version_what_it_is_and_never_that_it_is_a_lab(hosting: Hosting) -> None:
    own = {"OWN": "mine", "GAE_VERSION": "pretended"}
    standard = about(hosting.serve(upload(env=own, runtime="python312")))["env"]
    flex = about(hosting.serve(upload("v2", "flex", env=own)))["env"]
    run = about(hosting.serve(upload("web-1", "run", env={"OWN": "mine"})))["env"]

    assert standard["GAE_ENV"] == "standard"
    assert standard["GAE_RUNTIME"] == "python312"
    assert (standard["GAE_SERVICE"], standard["GAE_VERSION"]) == ("web", "v1")
    assert "GAE_ENV" not in flex
    assert (flex["GAE_SERVICE"], flex["GAE_VERSION"]) == ("web", "v2")
    assert flex["GAE_INSTANCE"] != standard["GAE_INSTANCE"]
    assert (run["K_SERVICE"], run["K_REVISION"]) == ("web", "web-1")
    assert flex["FROM_IMAGE"] == run["FROM_IMAGE"] == "yes"
    for env in (standard, flex, run):
        assert env["OWN"] == "mine"
        assert "STREAMPROOF_LAB" not in env


def test_a_service_url_stays_while_its_traffic_moves(hosting: Hosting) -> None:
    for version in ("v1", "v2"):
        hosting.serve(upload(version))
    url = hosting.route("standard", "web", {"v1": 1})
    assert about(url)["env"]["GAE_VERSION"] == "v1"
    assert hosting.route("standard", "web", {"v1": 0, "v2": 1}) == url
    assert about(url)["env"]["GAE_VERSION"] == "v2"
    hosting.route("standard", "web", {"v1": 0.5, "v2": 0.5})
    eventually(lambda: about(url)["env"]["GAE_VERSION"] == "v1")
    eventually(lambda: about(url)["env"]["GAE_VERSION"] == "v2")


def test_a_stopped_version_ends_and_starts_again_at_its_url(hosting: Hosting) -> None:
    url = hosting.serve(upload())
    first = about(url)["pid"]
    assert hosting.written() == [("standard", "web", "v1", f"starting {first}")]
    hosting.stop("standard", "web", "v1")
    assert is_gone(first)
    assert get(url)[0] == 503
    assert hosting.serve(upload()) == url
    assert about(url)["pid"] != first


def test_a_url_that_is_let_go_answers_nobody(hosting: Hosting) -> None:
    hosting.serve(upload("web-1", "run"))
    url = hosting.route("run", "web", {"web-1": 1}, tag="new")
    assert get(f"{url}/ready")[0] == 200
    hosting.unroute("run", "web", tag="new")
    with pytest.raises(urllib.error.URLError):
        get(url)


def test_a_revisions_own_timeout_ends_its_requests(hosting: Hosting) -> None:
    url = hosting.serve(upload("web-1", "run", spec={"timeoutSeconds": 0.1}))
    with (
        urllib.request.urlopen(url, timeout=30) as answer,
        pytest.raises((http.client.HTTPException, OSError)),
    ):
        answer.read()


def test_a_private_service_lets_in_only_who_bears_a_token_of_the_projects(hosting: Hosting) -> None:
    own = hosting.serve(upload("web-1", "run"))
    url = hosting.route("run", "web", {"web-1": 1})
    tagged = hosting.route("run", "web", {"web-1": 1}, tag="new")
    hosting.guard("web", "good".__eq__)
    for address in (own, url, tagged):
        assert get(f"{address}/ready")[0] == 403
        assert get(f"{address}/ready", Authorization="Bearer bad")[0] == 401
        assert get(f"{address}/ready", Authorization="Bearer good")[0] == 200
        # The service's own token may ride along: only the other one is looked at.
        both = {"X_Serverless_Authorization": "Bearer good", "Authorization": "Bearer its-own"}
        assert get(f"{address}/ready", **both)[0] == 200
    hosting.guard("web", None)
    assert get(f"{url}/ready")[0] == 200


def test_what_does_not_start_is_told_with_the_end_of_its_log_and_leaves_nothing(hosting: Hosting) -> None:
    broken = {"serve.py": b"raise SystemExit('no such module: mine')"}
    with pytest.raises(DidNotStart, match="no such module: mine"):
        hosting.serve(Upload("standard", "web", "v1", broken, {}, "python serve.py"))
    with pytest.raises(DidNotStart, match="names no command"):
        hosting.serve(Upload("run", "web", "v1", {"serve.py": b""}, {}, None))


def test_nothing_outlives_the_hosting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Hosting() as hosting:
        urls = [hosting.serve(upload(version)) for version in ("v1", "v2")]
        pids = [about(url)["pid"] for url in urls]
        assert list(tmp_path.iterdir())
    assert gone(pids)
    assert not list(tmp_path.iterdir())
    hosting.close()


def test_closing_ends_a_version_that_is_still_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    hosting = Hosting()
    never_ready = replace(upload(), command="python serve.py never-ready")
    with ThreadPoolExecutor() as others:
        serving = others.submit(hosting.serve, never_ready)
        eventually(lambda: bool(hosting.written()))
        hosting.close()
        assert isinstance(serving.exception(60), CancelledError)
    assert not list(tmp_path.iterdir())
    assert processes_in(tmp_path) == {}


def test_nothing_outlives_a_hosting_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import time\n"
        "from kit.rehearsal.hosting import Hosting\n"
        "from tests.kit.rehearsal.test_hosting import about, upload\n"
        "print(about(Hosting().serve(upload()))['pid'], flush=True)\n"
        "time.sleep(600)\n"
    )
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=env) as plane:
        assert plane.stdout is not None
        pid = int(plane.stdout.readline())
        os.kill(plane.pid, signal.SIGKILL)
    eventually(lambda: is_gone(pid))
    eventually(lambda: not list(tmp_path.iterdir()))


@pytest.mark.parametrize("name", ["standard", "flex", "run"])
def test_a_rendered_bundle_opens_its_proof_only_as_its_release_says(hosting: Hosting, name: Kind) -> None:
    bundle = render(load_targets()[name], Config())
    command = "gunicorn -c gunicorn.conf.py service.main:app" if name == "standard" else None

    def serve(version: str, **env: str) -> str:
        return hosting.serve(Upload(name, "web", version, bundle.files, env, command))

    shut = serve("v1")
    assert get(f"{shut}/proof/ping?n=1")[0] == 404
    assert json.loads(get(f"{shut}/whoami")[1])["target"] == name
    url = serve("v2", STREAMPROOF_PROOF_UNTIL=str(int(time.time()) + 3600))
    assert get(f"{url}/proof/ping?n=1")[0] == 200
    assert json.loads(get(f"{url}/whoami")[1])["version"] == "v2"
