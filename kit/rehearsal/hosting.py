"""Uploads, running: each version a process from its own files, behind its platform's front.

Versions are run as the lab runs bundles (`kit.lab`), but for one thing: nothing tells them that they are in a
lab, so that a proof is open only where its release opened it. The lab's code is asyncio: a loop in a thread
of its own runs it, and every method here may be called from any thread.
"""

from __future__ import annotations

import asyncio
import http.client
import random
import shlex
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeVar

from kit.bundle import Start
from kit.errors import KitError
from kit.lab.environment import environment
from kit.lab.idle import open_requests
from kit.lab.process import ServiceProcess
from kit.lab.sockets import HOST, hold_port, listen
from kit.rehearsal.address import Address, Backend, Gateway
from kit.rehearsal.dockerfile import read_dockerfile
from kit.rehearsal.uploads import Kind, Rule, Upload
from kit.rehearsal.wire import ApiError
from kit.targets import FrontSpec, load_targets

Family = Literal["app", "run", "gke"]
T = TypeVar("T")
_HEALTH_S = 5.0  # as long as the kit's own policy says, and as GKE says without one

# As users report them. Standard starts nothing before the first request; here it is reported at once.
_DID_NOT_START: dict[Kind, str] = {
    "standard": "The version {version} did not start.",
    "flex": "Error Response: [9] Application startup error! Code: APP_CONTAINER_CRASHED",
    "run": "Revision '{version}' is not ready and cannot serve traffic. The user-provided container failed "
    "to start and listen on the port defined provided by the PORT=8080 environment variable within the "
    "allocated timeout. This can happen when the container port is misconfigured or if the timeout is too "
    "short.",
    "gke": "The container of {version} ended, or was never ready.",
}


class DidNotStart(ApiError):
    """A version's process ended, or never answered. `log` is the end of what it wrote."""

    def __init__(self, upload: Upload, log: str) -> None:
        sentence = _DID_NOT_START[upload.kind].format(version=upload.version)
        super().__init__("FAILED_PRECONDITION", f"{sentence}\n{log}")
        self.log = log


class _Key(NamedTuple):
    """Which version. Services of App Engine ("app"), those of Cloud Run and namespaces are named apart."""

    family: Family
    service: str
    version: str


class _Place(NamedTuple):
    """Which URL: a service's own, or that of one of its tags."""

    family: Family
    service: str
    tag: str | None


class _Version:
    """One version's files, and its process while it runs."""

    def __init__(self, upload: Upload, project: str, folder: Path, spec: FrontSpec) -> None:
        self._upload = upload
        self._project = project
        self._folder = folder
        self._spec = spec
        self._changing = asyncio.Lock()
        self._process: ServiceProcess | None = None
        self._held: socket.socket | None = None
        self.backend: Backend | None = None

    async def start(self) -> None:
        """Run it until it answers /ready. Raises DidNotStart."""
        async with self._changing:
            if self._process is not None:
                return
            shutil.rmtree(self._folder, ignore_errors=True)
            (self._folder / "home").mkdir(parents=True)
            _write(self._upload, self._folder / "bundle")
            self._held, port = hold_port()
            try:
                start = _start(self._upload)
                programs = Path(sys.executable).parent
                env = environment(start, port=port, programs=programs, home=self._folder / "home")
                del env["STREAMPROOF_LAB"]
                env |= {
                    **self._upload.environment,
                    **_identity(self._upload, self._project),
                    "PORT": str(port),
                }
                grace_s = self._spec.shutdown_grace_s
                self._process = ServiceProcess(
                    self._upload.version, start.argv, env, self._folder, grace_s=grace_s
                )
                await self._process.wait_until_ready(port)
            except BaseException as error:
                if self._process is not None:
                    await self._process.kill()
                await self._stop()
                if isinstance(error, KitError):
                    raise DidNotStart(self._upload, error.message) from None
                raise
            self.backend = Backend(self._spec, port, open_requests(self._spec, self._process.control))

    async def stop(self) -> None:
        """End its process, if it runs."""
        async with self._changing:
            await self._stop()

    def written(self) -> list[tuple[Kind, str, str, str]]:
        """What it has written so far, line by line, with whose it is."""
        log, upload = self._folder / "log", self._upload
        try:
            lines = log.read_text(errors="replace").splitlines()
        except OSError:  # it does not run
            return []
        return [(upload.kind, upload.service, upload.version, line) for line in lines]

    async def _stop(self) -> None:
        self.backend = None
        process, self._process = self._process, None
        try:
            if process is not None:
                await process.stop()
        finally:
            if self._held is not None:
                self._held.close()
            shutil.rmtree(self._folder, ignore_errors=True)


class Hosting:
    """Runs versions, and keeps the URLs at which they are reached. Everything ends with `close`.

    Should this process die without it, each version's supervisor (`kit.supervisor`) ends its version.
    """

    def __init__(
        self,
        project: str = "demo-project",
        *,
        fronts: Mapping[Kind, FrontSpec] | None = None,
    ) -> None:
        """Host nothing yet.

        Args:
            project: the project's id, as versions see it.
            fronts: other fronts than the platforms' own.
        """
        self._project = project
        self._fronts = dict(fronts or {})
        self._folder = Path(tempfile.mkdtemp(prefix="streamproof-hosting-"))
        self._versions: dict[_Key, _Version] = {}
        self._addresses: dict[_Place, tuple[Address, str]] = {}
        self._shares: dict[_Place, Mapping[str, float]] = {}
        self._guards: dict[str, Callable[[str], bool]] = {}
        self._gateways: dict[str, Gateway] = {}
        self._under_way: set[Future[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hosting", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def serve(self, upload: Upload) -> str:
        """Run a version (again); its own URL, at which it answers by then. Raises DidNotStart."""
        return self._run(self._serve(upload))

    def route(self, kind: Kind, service: str, shares: Mapping[str, float], *, tag: str | None = None) -> str:
        """Say which versions answer at a service's URL, or at one of its tags'; that URL.

        It stays the same until `unroute`. Where the version that a request would go to does not run, it is
        answered with 503.
        """
        return self._run(self._route(_Place(_family(kind), service, tag), shares))

    def unroute(self, kind: Kind, service: str, *, tag: str | None = None) -> None:
        """Let a URL go; nothing where there is none."""
        self._run(self._unroute(_Place(_family(kind), service, tag)))

    def guard(self, service: str, admits: Callable[[str], bool] | None) -> None:
        """Let in to a Cloud Run service, at any URL, only callers whose token is admitted; None: all."""
        if admits is None:
            self._guards.pop(service, None)
        else:
            self._guards[service] = admits

    def open_gateway(self, host: str, port: int) -> str:
        """Listen for a Gateway; the address at which it answers. Raises OSError."""
        return self._run(self._open_gateway(host, port))

    def route_gateway(self, host: str, rules: Sequence[Rule]) -> None:
        """Say where requests to a Gateway's address go: the first rule that fits counts."""
        self._gateways[host].rules = tuple(rules)

    def close_gateway(self, host: str) -> None:
        """Let a Gateway's address go."""
        self._run(self._gateways.pop(host).close())

    def healthy(self, service: str, version: str, path: str) -> bool:
        """Whether a version in a cluster answers a path with 200, as health checks want it."""
        found = self._versions.get(_Key("gke", service, version))
        backend = found.backend if found is not None else None
        if backend is None:
            return False
        asked = http.client.HTTPConnection(HOST, backend.port, timeout=_HEALTH_S)
        try:
            asked.request("GET", path)
            return asked.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            asked.close()

    def written(self) -> list[tuple[Kind, str, str, str]]:
        """What running versions wrote: kind, service, version and a line, each version's oldest first."""
        return [line for version in list(self._versions.values()) for line in version.written()]

    def stop(self, kind: Kind, service: str, version: str) -> None:
        """End a version's process; nothing where it does not run. Its URL stays."""
        if found := self._versions.get(_Key(_family(kind), service, version)):
            self._run(found.stop())

    def close(self) -> None:
        """End everything, and leave nothing behind. May be called twice."""
        if not self._loop.is_closed():
            for future in list(self._under_way):  # a version that is starting for another call
                future.cancel()
            try:
                self._run(self._close())
            finally:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
                self._loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._under_way.add(future)
        try:
            return future.result()
        finally:
            self._under_way.discard(future)

    async def _serve(self, upload: Upload) -> str:
        spec = self._fronts.get(upload.kind) or load_targets()[upload.kind].front
        if upload.kind == "run":
            timeout_s = _revision_timeout_s(upload.resource)
            spec = replace(spec, deadline_s=spec.deadline_s if timeout_s is None else timeout_s)
        key = _Key(_family(upload.kind), upload.service, upload.version)
        if before := self._versions.get(key):
            await before.stop()
        version = _Version(upload, self._project, self._folder / "-".join(key), spec)
        self._versions[key] = version
        await version.start()
        return await self._route(_Place(*key), {upload.version: 1})

    async def _route(self, place: _Place, shares: Mapping[str, float]) -> str:
        self._shares[place] = dict(shares)
        if place not in self._addresses:

            def pick() -> Backend | None:
                shares = self._shares[place]
                if not any(shares.values()):
                    return None
                name = random.choices(list(shares), list(shares.values()))[0]
                version = self._versions.get(_Key(place.family, place.service, name))
                return version.backend if version is not None else None

            def guard() -> Callable[[str], bool] | None:
                return self._guards.get(place.service) if place.family == "run" else None

            listener = listen(0)
            address = Address(pick, guard)
            address.start(listener)
            self._addresses[place] = address, f"http://{HOST}:{listener.getsockname()[1]}"
        return self._addresses[place][1]

    async def _open_gateway(self, host: str, port: int) -> str:
        listener = socket.create_server((host, port), backlog=256)

        def backend(service: str, version: str) -> Backend | None:
            found = self._versions.get(_Key("gke", service, version))
            return found.backend if found is not None else None

        self._gateways[host] = Gateway(backend)
        self._gateways[host].start(listener)
        return host

    async def _unroute(self, place: _Place) -> None:
        self._shares.pop(place, None)
        if found := self._addresses.pop(place, None):
            await found[0].close()

    async def _close(self) -> None:
        await asyncio.gather(*(gateway.close() for gateway in self._gateways.values()))
        await asyncio.gather(*(self._unroute(place) for place in list(self._addresses)))
        await asyncio.gather(*(version.stop() for version in self._versions.values()))


def _family(kind: Kind) -> Family:
    return kind if kind in ("run", "gke") else "app"


def _revision_timeout_s(resource: Mapping[str, Any]) -> float | None:
    timeout_s = resource.get("spec", {}).get("timeoutSeconds")
    return None if timeout_s is None else float(timeout_s)


def _write(upload: Upload, folder: Path) -> None:
    """Its files."""
    for name, content in upload.files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise DidNotStart(upload, f"{name!r} lies outside of what was uploaded.")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def _start(upload: Upload) -> Start:
    """The entrypoint, else what the Dockerfile says. Raises DidNotStart where neither says anything."""
    values = {"service": upload.service, "runtime": upload.resource.get("runtime", "")}
    platform = load_targets()[upload.kind].environment_of(values)
    if upload.command:
        return Start(tuple(shlex.split(upload.command)), {**upload.environment, **platform})
    try:
        image = read_dockerfile(upload.files.get("Dockerfile", b"").decode())
    except ValueError as error:
        raise DidNotStart(upload, f"It cannot be started: {error}.") from None
    return Start(image.argv, {**image.env, **upload.environment, **platform})


def _identity(upload: Upload, project: str) -> dict[str, str]:
    """What the platform tells a version about itself, where `kit.lab` says "lab"."""
    if upload.kind == "gke":
        return {
            "HOSTNAME": upload.version,
            "KUBERNETES_SERVICE_HOST": "192.0.2.1",
            "KUBERNETES_SERVICE_PORT": "443",
        }
    if upload.kind == "run":
        return {
            "K_SERVICE": upload.service,
            "K_CONFIGURATION": upload.service,
            "K_REVISION": upload.version,
        }
    return {
        "GAE_APPLICATION": f"s~{project}",
        "GAE_INSTANCE": f"{upload.service}-{upload.version}",
        "GAE_SERVICE": upload.service,
        "GAE_VERSION": upload.version,
        "GOOGLE_CLOUD_PROJECT": project,
    }
