"""A Google on 127.0.0.1: everything that gcloud needs of it, in one object."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from kit.rehearsal.app_engine import AppEngine
from kit.rehearsal.artifacts import Artifacts
from kit.rehearsal.builds import Builds
from kit.rehearsal.cloud_run import CloudRun
from kit.rehearsal.compute import Compute
from kit.rehearsal.container import Container
from kit.rehearsal.faults import Faults
from kit.rehearsal.kubernetes.cluster import Cluster
from kit.rehearsal.logs import Logs
from kit.rehearsal.project import Project
from kit.rehearsal.proxy import Proxy
from kit.rehearsal.router import Call, Router
from kit.rehearsal.secret_manager import SecretManager
from kit.rehearsal.storage import Storage
from kit.rehearsal.uploads import Hosting, Unhosted
from kit.rehearsal.wire import Request


class Plane:
    """One project and all that is in it. A context manager: it listens inside.

    Args:
        folder: a folder of its own, for its certificate.
        project: the project's id.
        app: whether the project has an App Engine app already.

    Attributes:
        project, storage, builds, artifacts, app_engine, cloud_run, secret_manager, compute, container: the
            state, to look at and to change.
        gateway_host: the address on this machine that a Gateway of a cluster gets.
        faults: what goes wrong.
        hosting: what runs the uploads; may be set before anything is deployed.
        router: where further APIs are registered.
    """

    def __init__(self, folder: Path, project: str = "demo-project", *, app: bool = True) -> None:
        self.closing = threading.Event()
        self.faults = Faults()
        self.router = Router(self.faults)
        self.project = Project(project)
        self.storage = Storage()
        self.artifacts = Artifacts()
        self.builds = Builds(self.project, self.storage, self.artifacts, self.closing)
        self.hosting: Hosting = Unhosted(project)
        self.app_engine = AppEngine(
            self.project, self.storage, self.builds, lambda: self.hosting, self.closing
        )
        self.secret_manager = SecretManager(self.project)
        self.cloud_run = CloudRun(
            self.project,
            self.storage,
            self.builds,
            self.artifacts,
            self.secret_manager.value,
            lambda: self.hosting,
            self.closing,
        )
        self.compute = Compute(project)
        # Of 127.0.0.0/8, which is all this machine: a port of it is taken by no other rehearsal.
        self.gateway_host = (
            f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250)}.{secrets.randbelow(250) + 2}"
        )
        self.container = Container(self.project, self._cluster, self.closing)
        if app:
            self.app_engine.create_app()
        for part in (
            self.project,
            self.builds,
            self.artifacts,
            Logs(self.project.id, lambda: self.hosting, self.container.pods_of),
            self.app_engine,
            self.cloud_run,
            self.secret_manager,
            self.compute,
            self.container,
            self.storage,
        ):
            part.register(self.router)
        self._proxy = Proxy(self.router.answer, self.router.unknown.append, folder)

    @property
    def port(self) -> int:
        """Where the proxy listens on 127.0.0.1."""
        return self._proxy.port

    @property
    def ca_file(self) -> Path:
        """The certificate that a client must trust."""
        return self._proxy.ca_file

    @property
    def calls(self) -> list[Call]:
        """Every call so far, in order of arrival."""
        return self.router.calls

    @property
    def unknown(self) -> list[str]:
        """Calls without a handler and fields that the SDK does not know, in words: must be empty."""
        return self.router.unknown

    def names(self, pattern: str = "") -> list[str]:
        """The names of the calls so far that contain a text."""
        return [call.name for call in list(self.calls) if pattern in call.name]

    def __enter__(self) -> Plane:
        self._proxy.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        self.faults.clear()
        self._proxy.close()
        self.container.close()
        self.hosting.close()

    def _cluster(self) -> Cluster:
        def record(name: str, request: Request, body: Any) -> None:
            self.calls.append(Call(name, request, body))

        return Cluster(
            admits=lambda token: token in self.project.access,
            faults=self.faults,
            record=record,
            fail=self.unknown.append,
            compute=self.compute,
            hosting=lambda: self.hosting,
            image=lambda image: self.builds.pulled(image) if self.project.nodes_may_pull else None,
            host=self.gateway_host,
        )
