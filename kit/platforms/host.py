"""The base of hosts that run commands: the user's programs, and a log for each target."""

from __future__ import annotations

from typing import Any

from kit.errors import Code, KitError
from kit.language import text
from kit.platforms.command import Command, Line
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.platform import Host
from kit.platforms.service import Place, Release, Service, Version


class CommandHost(Host):
    """One service at one place, asked and changed through gcloud or another program that a line names."""

    def __init__(self, place: Place, gcloud: Gcloud) -> None:
        self.place = place
        self._gcloud = gcloud

    async def _deploy(self, release: Release, name: str, line: Line) -> tuple[Service, Version]:
        """Run the release's plan; the service and, in it, the version that this name was given to."""
        for command in self.plan(release):
            await self._change(command, line)
        return self._made(await self.look(), name)

    def _made(self, found: Service | None, name: str) -> tuple[Service, Version]:
        """The service and its version of this name. Raises KitError NOT_FOUND_IN_CLOUD, it is not there."""
        for version in found.versions if found is not None else ():
            if found is not None and version.name == name:
                return found, version
        raise KitError(
            Code.NOT_FOUND_IN_CLOUD,
            text(
                "{name} was deployed to the service {service}, but it is not listed there.",
                name=name,
                service=self.place.service,
            ),
            text("Look again in a minute: kit status {target}", target=self.place.target),
        )

    async def _read(self, command: Command) -> Any:
        return await self._gcloud.read(command, log=f"look-{self.place.target}")

    async def _change(self, command: Command, line: Line) -> None:
        await self._gcloud.run(command, log=f"deploy-{self.place.target}", line=line)
