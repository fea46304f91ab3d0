"""The lab: rendered bundles run as they would be deployed, each behind its platform's emulated front."""

from __future__ import annotations

import asyncio
import errno
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from kit.bundle import Start
from kit.errors import Code, KitError
from kit.lab import isolated
from kit.lab.environment import asks_google, clients_installed, environment
from kit.lab.front import start_front
from kit.lab.process import ASKED, ServiceProcess
from kit.lab.sockets import HOST, answers, hold_port, listen
from kit.language import join, text
from kit.targets import FrontSpec, Target

T = TypeVar("T")

_HEARD_WITHIN_S = 5.0
PROOF_TOKEN = "STREAMPROOF_PROOF_TOKEN"  # noqa: S105 (the variable's name)


@dataclass(frozen=True, slots=True)
class LabLane:
    """One lane of the lab.

    Attributes:
        target: the platform; its name is the lane's.
        bundle: the folder with what was rendered for it.
        start: what is started there.
        front: another front than the target's own; None for its own.
        port: where its front listens, on 127.0.0.1; None for a free one.
        own: whether the service is a user's own app: it gets an environment of its own, and no credentials.
        env: variables that it has besides those of its bundle, and that are written nowhere.
    """

    target: Target
    bundle: Path
    start: Start
    front: FrontSpec | None = None
    port: int | None = None
    own: bool = False
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


class Lab:
    """Runs lanes for as long as its block lasts; whatever it started is gone when the block is left.

    Attributes:
        urls: each lane's base URL by its target's name, once the block is entered.
        services: the same for the services themselves, with no front before them. One that its front freezes
            between requests answers there only until the first request through the front has ended.
        proof_token: what puts an answer of a user's app in lock-step, new in each lab.
    """

    def __init__(
        self,
        lanes: Sequence[LabLane],
        *,
        isolated: bool = False,
        say: Callable[[str], None] = lambda text: None,
        origins: Sequence[str] = (),
        answers_within_s: float | None = None,
    ) -> None:
        """Set a lab up; nothing runs before the block is entered.

        Args:
            lanes: at least one; their targets' names differ.
            isolated: install each bundle's own requirements first, instead of using the kit's environment.
            say: called with what happens, a short sentence a time.
            origins: pages that may ask the services from a browser, as in "http://127.0.0.1:8765".
            answers_within_s: how long a user's app may leave its first request without an answer.
        """
        self.urls: Mapping[str, str] = {}
        self.services: dict[str, str] = {}
        self.proof_token = secrets.token_urlsafe(24)
        self._lanes = tuple(lanes)
        self._isolated = isolated
        self._say = say
        self._origins = tuple(origins)
        self._answers_within_s = answers_within_s
        self._folder: Path | None = None
        self._services: list[ServiceProcess] = []
        self._fronts: list[ServiceProcess] = []
        self._sockets: list[socket.socket] = []
        self._watchers: list[asyncio.Task[KitError]] = []

    async def __aenter__(self) -> Self:
        """Start every service and its front.

        Raises:
            KitError: install-failed, port-in-use, service-died or service-not-ready.
        """
        try:
            # Ports first: a taken one is reported before anything is started.
            listeners: list[socket.socket] = []
            for lane in self._lanes:
                listeners.append(_listen(lane))
                self._sockets.append(listeners[-1])
            self._folder = Path(tempfile.mkdtemp(prefix="streamproof-lab-"))
            names = (lane.target.name for lane in self._lanes)
            self.urls = dict(zip(names, map(_url, listeners), strict=True))
            async with asyncio.TaskGroup() as together:
                for lane, listener in zip(self._lanes, listeners, strict=True):
                    together.create_task(self._start(lane, listener))
            self._watchers = [asyncio.create_task(each.died()) for each in (*self._fronts, *self._services)]
        except BaseException as error:
            # What never got ready has no client to be graceful to, and gunicorn, stopped while its worker is
            # still starting, takes all its grace: half a minute on a Ctrl-C.
            await self._end()
            if isinstance(error, BaseExceptionGroup):
                raise _first(error) from None
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything; at once, not gracefully, when this is interrupted in its turn."""
        await self.close()

    async def wait_for_death(self) -> None:
        """Wait until a service or a front ends, and raise the `KitError` (service-died) that tells of it."""
        done, _ = await asyncio.wait(self._watchers, return_when=asyncio.FIRST_COMPLETED)
        raise next(iter(done)).result()

    async def unless_it_dies(self, work: Awaitable[T]) -> T:
        """The result of that work; what dies meanwhile is raised as such, whatever the work made of it.

        Raises:
            KitError: service-died, or whatever the work raises.
        """
        working = asyncio.ensure_future(work)
        dying = asyncio.create_task(self.wait_for_death())
        try:
            await asyncio.wait({working, dying}, return_when=asyncio.FIRST_COMPLETED)
            # Who measures sees a connection end before the kit hears of the process behind it.
            if not dying.done() and not await self._answer():
                await asyncio.wait({dying}, timeout=_HEARD_WITHIN_S)
            if dying.done():
                dying.result()
            return await working
        finally:
            for task in (working, dying):
                task.cancel()
            await asyncio.gather(working, dying, return_exceptions=True)

    async def close(self) -> None:
        """Stop fronts and services, remove what they left. May be called twice."""
        try:
            for watcher in self._watchers:
                watcher.cancel()
            # The fronts first: a service without open streams ends at once.
            for some in (self._fronts, self._services):
                await asyncio.gather(*(each.stop() for each in some))
        finally:
            await self._end()

    async def _answer(self) -> bool:
        """Whether every service answers, through its front."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_HEARD_WITHIN_S):
                ports = [int(url.rpartition(":")[2]) for url in self.urls.values()]
                return all(await asyncio.gather(*(answers(port, ASKED["service"]) for port in ports)))
        return False

    async def _end(self) -> None:
        """Kill what still runs, and remove what it left."""
        try:
            await asyncio.gather(*(each.kill() for each in (*self._fronts, *self._services)))
        finally:
            for held in self._sockets:
                held.close()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    async def _start(self, lane: LabLane, listener: socket.socket) -> None:
        name, spec = lane.target.name, lane.front or lane.target.front
        start = lane.start
        programs = Path(sys.executable).parent
        if self._isolated or lane.own:
            if count := isolated.missing(lane.bundle):
                self._say(text("{name}: installing packages: {count}", name=name, count=count))
            programs = await isolated.install(
                lane.bundle,
                lambda said: self._say(join(": ", (name, said))),
                unasked=not self._isolated,
            )
        elif asks_google(start):
            clients_installed(start)

        assert self._folder is not None  # noqa: S101 (made before any lane starts)
        folder = self._folder / name
        (folder / "home").mkdir(parents=True)
        shutil.copytree(lane.bundle, folder / "bundle", ignore=shutil.ignore_patterns("__pycache__"))
        held, port = hold_port()
        self._sockets.append(held)
        env = environment(
            replace(start, env={**start.env, **lane.env}),
            port=port,
            programs=programs,
            home=folder / "home",
            own=lane.own,
            origins=self._origins,
        )
        if lane.own:
            env[PROOF_TOKEN] = self.proof_token
        grace_s = lane.target.front.shutdown_grace_s
        service = ServiceProcess(name, start.argv, env, folder, grace_s=grace_s)
        self._services.append(service)
        place = listener.getsockname()[1]
        front = start_front(name, spec, listener, port, self._folder / f"{name}.front", service)
        self._fronts.append(front)
        await front.wait_until_ready(place)
        await service.wait_until_ready(port, answers_within_s=self._answers_within_s if lane.own else None)
        self.services[name] = f"http://{HOST}:{port}"
        self._say(text("{name}: ready", name=name))


def _listen(lane: LabLane) -> socket.socket:
    try:
        return listen(lane.port or 0)
    except OSError as error:
        name, port = lane.target.name, lane.port
        if error.errno == errno.EADDRINUSE:
            raise KitError(
                Code.PORT_IN_USE,
                f"Port {port} for {name} is in use.",
                f"End what listens there, or give another one: --port {name}=PORT (without it a free one).",
            ) from error
        raise KitError(
            Code.PORT_IN_USE, f"Port {port} for {name} cannot be had: {error.strerror}.", "Give another port."
        ) from error


def _url(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """One of what went wrong at once: an interruption if there is one, else the first."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        inner = found.exceptions
        found = next((error for error in inner if not isinstance(error, Exception)), inner[0])
    return found
