"""`kit` as its users run it: in a folder of its own, with the real gcloud and a loopback Google."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kit.rehearsal.environment import service_account_environment
from kit.rehearsal.hosting import Hosting
from kit.rehearsal.plane import Plane
from kit.rehearsal.uploads import Kind, Upload
from kit.targets import FrontSpec, load_targets
from tests.fixtures.gcloud import forked_gcloud
from tests.fixtures.rehearsal import GIVE_UP_S
from tests.system.leftovers import processes_in

REGION = "europe-west1"
# Calls that change nothing, though they are no GET.
_READS = ("getIamPolicy", "testIamPermissions", "wait", "oauth2.googleapis.com/token")
# An answer that is over soon, and still long enough to differ from a held one.
QUICK = "first_token_ms = 100\ntokens_per_s = 100\n"
# Half of a deployment's starts of gcloud, each most of a second of a core, ask what no story changes but
# through gcloud itself. Of these lines the real one answers the first in each story, and that answer is kept.
_ASKED_ONCE = """#!/bin/sh
case "$*" in
  "services enable"* | "app create"*) rm -f {kept}/* ;;
  version* | "app describe"* | "billing projects"* | "projects describe"* | "projects get-iam-policy"* | \\
    "services list"*)
    answer={kept}/$(printf %s "$*" | cksum | tr " " -)
    if [ ! -f "$answer" ]; then
      {gcloud} "$@" >"$answer.$$" || exit
      mv "$answer.$$" "$answer"
    fi
    exec cat "$answer" ;;
esac
exec {gcloud} "$@"
"""


@dataclass(frozen=True)
class Ran:
    """What a command said, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What `--json` printed as data."""
        assert self.out, self.err
        document = json.loads(self.out)
        assert "data" in document, document
        return document["data"]

    @property
    def outcomes(self) -> dict[str, Any]:
        """By target what `deploy --json` says of it."""
        return {one["target"]: one for one in self.data["outcomes"]}

    @property
    def warnings(self) -> list[str]:
        """What `--json` printed as warnings."""
        warnings: list[str] = json.loads(self.out)["warnings"]
        return warnings

    @property
    def error(self) -> Any:
        """What `--json` printed as the error."""
        return json.loads(self.out)["error"]


class Platforms(Hosting):
    """Runs what was uploaded, and remembers it.

    Attributes:
        uploads: in the order of the versions' first starts.
        stale: the version that goes on answering at the URLs of those made from now on; None for none.
    """

    def __init__(self, project: str) -> None:
        super().__init__(project)
        self.uploads: list[Upload] = []
        self.stale: str | None = None

    def serve(self, upload: Upload) -> str:
        """As every hosting does, and remembers the upload; with `stale` its URL leads to that version."""
        if upload not in self.uploads:
            self.uploads.append(upload)
        url = super().serve(upload)
        if self.stale is not None:
            self.route(upload.kind, upload.service, {self.stale: 1}, tag=upload.version)
        return url

    def put_front(self, kind: Kind, front: FrontSpec) -> None:
        """Let versions that are made from now on stand behind another front."""
        self._fronts[kind] = front

    def runs(self, service: str, version: str) -> bool:
        """Whether that version's process runs."""
        return any(
            key.service == service and key.version == version and held.backend is not None
            for key, held in self._versions.items()
        )


class Cloud:
    """A project on a loopback Google, and the folder from which it is deployed to. A context manager.

    Args:
        folder: a folder of its own.
        app: whether the project has an App Engine app.
        default: whether that app has its service `default` already, another's.

    Attributes:
        plane: Google. platforms: what runs there. work: the working folder.
        said: all that any command wrote to stdout or stderr.
    """

    def __init__(self, folder: Path, *, app: bool = True, default: bool = True) -> None:
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        (folder / "plane").mkdir()
        self.plane = Plane(folder / "plane", app=app)
        self.platforms = Platforms(self.plane.project.id)
        self.plane.hosting = self.platforms
        if app and default:
            self.plane.app_engine.add_version("default", "v1")
        self.said: list[str] = []
        self._folder = folder
        self._env: dict[str, str] = {}
        self.settings(QUICK)

    def __enter__(self) -> Self:
        self.plane.__enter__()
        env = service_account_environment(self.plane, self._folder / "signed-in")
        loopback = f"127.0.0.1,localhost,{self.plane.gateway_host}"
        self._env = {**os.environ, **env, "NO_PROXY": loopback, "no_proxy": loopback}
        self._env |= {"KIT_PROJECT": self.plane.project.id, "KIT_REGION": REGION}
        self._env["PATH"] = f"{self._asks_once()}{os.pathsep}{self._env['PATH']}"
        return self

    def _asks_once(self) -> Path:
        """A folder with a gcloud that asks the real one only once what does not change."""
        kept, bin = self._folder / "gcloud-kept", self._folder / "gcloud-bin"
        for folder in (kept, bin):
            folder.mkdir()
        real = shlex.quote(str(forked_gcloud()))
        (bin / "gcloud").write_text(_ASKED_ONCE.format(kept=shlex.quote(str(kept)), gcloud=real))
        (bin / "gcloud").chmod(0o755)
        return bin

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.plane.__exit__(kind, error, trace)
        if kind is None:
            assert self.plane.unknown == [], self.plane.unknown

    @property
    def record(self) -> dict[str, Any]:
        """By target what this folder's record says."""
        file = self.work / ".kit" / "deployments.json"
        deployments: dict[str, Any] = json.loads(file.read_text())["deployments"]
        return deployments

    @property
    def changes(self) -> list[str]:
        """The names of the calls so far that changed something, in order of arrival."""
        return [
            call.name
            for call in list(self.plane.calls)
            if call.request.method != "GET" and not call.name.endswith(_READS)
        ]

    @property
    def gcloud_logs(self) -> list[Path]:
        """What gcloud itself logged."""
        return [
            path for path in (self._folder / "signed-in" / "gcloud" / "logs").rglob("*") if path.is_file()
        ]

    def settings(self, text: str) -> None:
        """Write kit.toml."""
        (self.work / "kit.toml").write_text(text)

    def kit(self, *words: str, env: Mapping[str, str] | None = None) -> Ran:
        """Run `kit` to its end, without a terminal."""
        return self.run(sys.executable, "-m", "kit", *words, env=env)

    def run(self, *argv: str, env: Mapping[str, str] | None = None) -> Ran:
        """Run anything in the working folder, where gcloud meets the loopback Google."""
        done = subprocess.run(
            argv,
            cwd=self.work,
            env={**self._env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=GIVE_UP_S,
        )
        self.said += [done.stdout, done.stderr]
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start `kit` without a terminal, as a job of its own; both streams are pipes."""
        return subprocess.Popen(
            [sys.executable, "-m", "kit", *words],
            cwd=self.work,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def ended(self, process: subprocess.Popen[str]) -> Ran:
        """What a started command said to its end, when nothing of it works in the folder any more."""
        out, err = process.communicate(timeout=GIVE_UP_S)
        self.said += [out, err]
        assert "Traceback" not in err, err
        give_up = time.monotonic() + GIVE_UP_S
        while left := processes_in(self.work):
            assert time.monotonic() < give_up, left
            time.sleep(0.05)
        return Ran(process.returncode, out, err)

    def deploy(self, *words: str, env: Mapping[str, str] | None = None) -> Ran:
        """`kit deploy … --yes --json`."""
        return self.kit("deploy", *words, "--yes", "--json", env=env)

    def caller(self, url: str) -> dict[str, str]:
        """What a caller shows who may call the Cloud Run service at a URL."""
        token = f"{secrets.token_hex(8)}.{secrets.token_hex(8)}.{secrets.token_hex(8)}"
        self.plane.project.identity[token] = url
        return {"X-Serverless-Authorization": f"Bearer {token}"}

    def upload(self, kind: Kind) -> Upload:
        """The newest upload of a kind."""
        return [upload for upload in self.platforms.uploads if upload.kind == kind][-1]


def another(number: int) -> str:
    """The text of a kit.toml that makes another bundle."""
    return f"first_token_ms = 100\ntokens_per_s = {100 + number}\n"


def whose(url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any] | int:
    """What answers at a URL says of itself (target, version …); the status where it is not 200."""
    request = urllib.request.Request(f"{url}/whoami", headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            document: dict[str, Any] = json.load(response)
            return document
    except urllib.error.HTTPError as error:
        return error.code


def front_of(target: str) -> FrontSpec:
    """The front that stands before a target."""
    return load_targets()[target].front
