"""What was uploaded, running: each version a process from its own files, behind its platform's front.

Versions are run as the lab runs bundles (`kit.lab`), but for one thing: nothing tells them that they are in a
lab, so that a proof is open only where its release opened it. The lab's code is asyncio: a loop in a thread
of its own runs it, and every method here may be called from any thread.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeVar

import yaml

from kit.errors import KitError
from kit.lab.bundles import read_start
from kit.lab.lab import environment, wait_until_ready
from kit.lab.process import ServiceProcess
from kit.lab.sockets import HOST, hold_port, listen
from kit.targets import FrontSpec, load_targets
from tests.controlplane.address import Address, Backend

Platform = Literal["standard", "flex", "run"]
Family = Literal["app", "run"]
T = TypeVar("T")


class DidNotStart(Exception):
    """A version's process ended, or never answered; the message holds the end of its log."""


class Key(NamedTuple):
    """Which version. App Engine's services ("app") and Cloud Run's ("run") are named apart."""

    family: Family
    service: str
    version: str


@dataclass(frozen=True, slots=True)
class Upload:
    """One version: what was uploaded for it, and what its resource says.

    Attributes:
        platform: whose front and whose variables it gets.
        service: its service.
        version: its own name (a revision's, on Cloud Run).
        files: path, with forward slashes, to content.
        env: the resource's own variables: `envVariables`, or the container's `env`.
        runtime: Standard's runtime, "python312".
        entrypoint: the resource's own command line; None where the image's is meant.
        project: the project's id.
        deadline_s: the resource's own request timeout; None for the front's.
    """

    platform: Platform
    service: str
    version: str
    files: Mapping[str, bytes]
    env: Mapping[str, str] = field(default_factory=dict)
    runtime: str = ""
    entrypoint: str | None = None
    project: str = "demo-project"
    deadline_s: float | None = None

    @property
    def key(self) -> Key:
        """Its key."""
        return Key("run" if self.platform == "run" else "app", self.service, self.version)


class _Version:
    """One version's files, and its process while it runs."""

    def __init__(self, upload: Upload, folder: Path, spec: FrontSpec) -> None:
        self._upload = upload
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
                start = read_start(self._folder / "bundle")
                programs = Path(sys.executable).parent
                env = environment(start, port=port, programs=programs, home=self._folder / "home")
                del env["STREAMPROOF_LAB"]
                env |= {**self._upload.env, **_identity(self._upload), "PORT": str(port)}
                grace_s = self._spec.shutdown_grace_s
                self._process = ServiceProcess(
                    self._upload.version, start.argv, env, self._folder, grace_s=grace_s
                )
                await wait_until_ready(self._process, port)
            except BaseException as error:
                if self._process is not None:
                    self._process.kill()
                await self._stop()
                if isinstance(error, KitError):
                    raise DidNotStart(error.message) from None
                raise
            self.backend = Backend(self._spec, port)

    async def stop(self) -> None:
        """End its process, if it runs."""
        async with self._changing:
            await self._stop()

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

    Should this process die without it, each version's leash (`kit.lab.leash`) ends its version.
    """

    def __init__(
        self,
        *,
        admits: Callable[[str], bool] = lambda token: False,
        fronts: Mapping[Platform, FrontSpec] | None = None,
    ) -> None:
        """Host nothing yet.

        Args:
            admits: whether a token lets its bearer in to a private service.
            fronts: other fronts than the platforms' own.
        """
        own: dict[Platform, FrontSpec] = {
            name: load_targets()[name].front for name in ("standard", "flex", "run")
        }
        self._fronts = {**own, **(fronts or {})}
        self._admits = admits
        self._folder = Path(tempfile.mkdtemp(prefix="streamproof-hosting-"))
        self._versions: dict[Key, _Version] = {}
        self._addresses: dict[tuple[Family, str, str | None], tuple[Address, str]] = {}
        self._shares: dict[tuple[Family, str, str | None], Mapping[str, float]] = {}
        self._private: set[tuple[Family, str]] = set()
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
        """Run a version; returns its own URL once it answers there. Raises DidNotStart."""
        return self._run(self._serve(upload))

    def route(
        self, family: Family, service: str, shares: Mapping[str, float], *, tag: str | None = None
    ) -> str:
        """Say which versions answer at a service's URL, or at one of its tags'; returns that URL.

        The URL stays the same until `unroute`. Shares add up to 1; versions that are not served, or stopped,
        answer 503.
        """
        return self._run(self._route(family, service, shares, tag))

    def unroute(self, family: Family, service: str, *, tag: str | None = None) -> None:
        """Let a URL go; nothing where there is none."""
        self._run(self._unroute((family, service, tag)))

    def guard(self, family: Family, service: str, *, private: bool) -> None:
        """Make every URL of a service private, or public (as they are by default)."""
        (self._private.add if private else self._private.discard)((family, service))

    def start(self, key: Key) -> None:
        """Run a stopped version again. Raises DidNotStart."""
        self._run(self._versions[key].start())

    def stop(self, key: Key) -> None:
        """End a version's process; its URL stays."""
        self._run(self._versions[key].stop())

    def remove(self, key: Key) -> None:
        """End a version and let its URL go; nothing where there is none."""
        if version := self._versions.pop(key, None):
            self._run(version.stop())
            self.unroute(key.family, key.service, tag=key.version)

    def close(self) -> None:
        """End everything, and leave nothing behind. May be called twice."""
        if not self._loop.is_closed():
            for future in list(self._under_way):  # a version that is starting for somebody else
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
        spec = self._fronts[upload.platform]
        if upload.deadline_s is not None:
            spec = replace(spec, deadline_s=upload.deadline_s)
        before = self._versions.get(upload.key)
        if before is not None:
            await before.stop()
        version = _Version(upload, self._folder / "-".join(upload.key), spec)
        self._versions[upload.key] = version
        try:
            await version.start()
        except BaseException:
            del self._versions[upload.key]
            raise
        family, service, name = upload.key
        return await self._route(family, service, {name: 1}, name)

    async def _route(self, family: Family, service: str, shares: Mapping[str, float], tag: str | None) -> str:
        place = family, service, tag
        self._shares[place] = dict(shares)
        if place not in self._addresses:

            def pick() -> Backend | None:
                shares = self._shares[place]
                if not any(shares.values()):
                    return None
                name = random.choices(list(shares), list(shares.values()))[0]
                version = self._versions.get(Key(family, service, name))
                return version.backend if version is not None else None

            def private() -> bool:
                return (family, service) in self._private

            listener = listen(0)
            address = Address(pick, private, self._admits)
            address.start(listener)
            self._addresses[place] = address, f"http://{HOST}:{listener.getsockname()[1]}"
        return self._addresses[place][1]

    async def _unroute(self, place: tuple[Family, str, str | None]) -> None:
        self._shares.pop(place, None)
        if found := self._addresses.pop(place, None):
            await found[0].close()

    async def _close(self) -> None:
        await asyncio.gather(*(self._unroute(place) for place in list(self._addresses)))
        await asyncio.gather(*(version.stop() for version in self._versions.values()))


def _write(upload: Upload, folder: Path) -> None:
    """Its files; on App Engine with an app.yaml that says what its resource says."""
    for name, content in upload.files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise DidNotStart(f"{name!r} lies outside of what was uploaded")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    if upload.platform != "run":
        app: dict[str, Any] = {
            "runtime": upload.runtime,
            "service": upload.service,
            "env_variables": dict(upload.env),
        }
        if upload.platform == "flex":
            app["env"] = "flex"
        if upload.entrypoint:
            app["entrypoint"] = upload.entrypoint
        (folder / "app.yaml").write_text(yaml.safe_dump(app))


def _identity(upload: Upload) -> dict[str, str]:
    """What the platform tells a version about itself, where `kit.lab` says "lab"."""
    if upload.platform == "run":
        return {
            "K_SERVICE": upload.service,
            "K_CONFIGURATION": upload.service,
            "K_REVISION": upload.version,
        }
    return {
        "GAE_APPLICATION": f"s~{upload.project}",
        "GAE_INSTANCE": f"{upload.service}-{upload.version}",
        "GAE_SERVICE": upload.service,
        "GAE_VERSION": upload.version,
        "GOOGLE_CLOUD_PROJECT": upload.project,
    }
