"""The workshop itself: a lab or services elsewhere, and the page's server in front, until it is ended."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NoReturn

from kit.config import Config
from kit.flows.lanes import ask
from kit.lab.lab import Lab, LabLane
from kit.probe.client import Ask, Client
from kit.proof.lane import Environment
from kit.targets import Target
from kit.workshop.guard import needs_secret
from kit.workshop.lanes import Specs, in_lab
from kit.workshop.page_config import Fresh, PageConfig, as_it_is
from kit.workshop.server import Page
from kit.workshop.serving import serving

_SECRET_BYTES = 16
ANYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  # only asked about


@dataclass(frozen=True, slots=True)
class PageAddress:
    """Where the page is opened.

    Attributes:
        listening: its server's socket.
        host: the address that was given to listen on.
        names: further names it may be opened as.
        secret: what opens it (`kit.workshop.guard.needs_secret`); None where only this machine reaches it.
    """

    listening: socket.socket
    host: str
    names: tuple[str, ...] = ()
    secret: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, listening: socket.socket, host: str, names: tuple[str, ...]) -> PageAddress:
        """An address with a new secret, if it needs one."""
        secret = secrets.token_urlsafe(_SECRET_BYTES) if needs_secret(host, names) else None
        return cls(listening, host, names, secret)

    @property
    def port(self) -> int:
        """The port."""
        port: int = self.listening.getsockname()[1]
        return port

    @property
    def allowed(self) -> frozenset[str]:
        """The names that a Host may say, in lower case."""
        given = (self.host, socket.gethostname(), *self.names)
        return frozenset(name.lower() for name in given if name not in ANYWHERE)

    @property
    def url(self) -> str:
        """Where this machine opens it."""
        host = "127.0.0.1" if self.host in ANYWHERE else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}{self._key}"

    @property
    def url_for_others(self) -> str | None:
        """Where other machines do; None where they cannot."""
        if self.host not in ANYWHERE:
            return None
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outwards:
            outwards.connect(("192.0.2.1", 9))  # sends nothing: it only chooses the address
            return f"http://{outwards.getsockname()[0]}:{self.port}{self._key}"
        return None

    @property
    def _key(self) -> str:
        return "" if self.secret is None else f"/?token={self.secret}"

    @property
    def origins(self) -> tuple[str, ...]:
        """What a browser on this machine calls the page's origin."""
        return tuple(f"http://{name}:{self.port}" for name in ("127.0.0.1", "localhost"))


@dataclass(frozen=True, slots=True)
class Session:
    """How a page is shown, whatever its lanes.

    Attributes:
        address: where it is opened.
        targets: what the kit knows of platforms, by name.
        timeout_s: for each lane's answer.
        ready: called once the page can be opened.
    """

    address: PageAddress
    targets: Mapping[str, Target]
    timeout_s: float
    ready: Callable[[], None]


async def show_lab(
    session: Session, lanes: Sequence[LabLane], config: Config, *, isolated: bool, say: Callable[[str], None]
) -> NoReturn:
    """Run a lab, and the page before it, until one of its services dies or this is cancelled.

    Raises:
        KitError: a service could not be started, or died.
    """
    async with Lab(lanes, isolated=isolated, say=say, origins=session.address.origins) as lab:
        specs = await in_lab(lab, session.targets, config, timeout_s=session.timeout_s, say=say)
        directly = {name: ask(config, url) for name, url in lab.services.items()}
        dying = asyncio.create_task(lab.wait_for_death())
        pace = config.tokens_per_s if config.app is None and config.generator == "embedded" else None
        showing = asyncio.create_task(show_specs(session, specs, "lab", directly=directly, tokens_per_s=pace))
        try:
            await asyncio.wait({dying, showing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (dying, showing):
                task.cancel()
            await asyncio.gather(dying, showing, return_exceptions=True)
        for task in (dying, showing):
            if not task.cancelled():
                task.result()
        raise AssertionError("neither ends without a reason")


async def show_specs(
    session: Session,
    specs: Specs,
    environment: Environment,
    fresh: Fresh = as_it_is,
    *,
    directly: Mapping[str, Ask] = MappingProxyType({}),
    tokens_per_s: float | None = None,
) -> NoReturn:
    """Serve the page for these lanes until this is cancelled.

    Args:
        session: where, and how.
        specs: the lanes.
        environment: where they are.
        fresh: see `PageConfig`.
        directly: see `PageConfig`.
        tokens_per_s: see `PageConfig`.

    Raises:
        Exception: whatever ends the page's server before.
    """
    address = session.address
    site = PageConfig(
        environment,
        specs,
        session.targets,
        session.timeout_s,
        address.allowed,
        address.secret,
        fresh,
        directly,
        tokens_per_s,
    )
    async with (
        Client(timeout_s=session.timeout_s) as client,
        serving(Page(site, client).app, address.listening) as died,
    ):
        session.ready()
        await died()
