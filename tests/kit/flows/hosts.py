"""A platform that lives in memory and obeys the rules of `kit.platforms.platform`, and a made-up gcloud."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kit.errors import KitError
from kit.platforms.command import Command, Line
from kit.platforms.platform import Host
from kit.platforms.service import TOKEN_SHA256, Place, Release, Removal, Service, Version

# An identity token, as gcloud prints one.
TOKEN = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJ4In0.c2ln"


class FakeGcloud:
    """A gcloud that gives these answers in turn, the last one ever again; `commands`: what it was asked."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.commands: list[Command] = []

    async def read(self, command: Command, *, log: str, line: object = None) -> Any:
        self.commands.append(command)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, KitError):
            raise answer
        return answer

    run = read


class MemoryHost(Host):
    """One service. `said` is everything that was asked of it, in order; `fail` maps a verb to its error."""

    def __init__(self, place: Place, *, always: bool = False) -> None:
        self.place = place
        self.service: Service | None = None
        self.said: list[str] = []
        self.fail: dict[str, KitError | BaseException] = {}
        self.before: dict[str, Callable[[], None]] = {}
        self.always = always
        self.left: tuple[Removal, ...] = ()

    async def _asked(self, verb: str, what: str = "") -> None:
        await asyncio.sleep(0)
        if verb != "look":
            self.said.append(f"{verb} {what}".strip())
        if verb in self.before:
            self.before.pop(verb)()
        if verb in self.fail:
            raise self.fail[verb]

    async def look(self, listed: object = None) -> Service | None:
        await self._asked("look")
        return self.service

    def plan(self, release: Release) -> tuple[Command, ...]:
        return (Command(("deploy", release.version), changes=True),)

    async def deploy(self, release: Release, line: Line) -> tuple[Service, Version]:
        await self._asked("deploy", release.version)
        line("building")
        made = Version(
            name=release.version,
            url=f"https://{release.version}.example.org",
            created_at="2026-11-22T10:00:00Z",
            traffic=0.0,
            running=True,
            target=self.place.target,
            digest=release.digest,
            min_instances=int(self.always),
            token_sha256=release.environment.get(TOKEN_SHA256),
            preview=release.preview,
            app=self.place.app,
        )
        if self.service is None:
            made = replace(made, traffic=1.0)
            self.service = Service(self.place, "https://example.org", False, (made,))
        else:
            self.service = replace(self.service, versions=(made, *self.service.versions))
        return self.service, made

    def _change(self, name: str, **changes: object) -> None:
        assert self.service is not None
        versions = tuple(
            replace(version, **changes) if version.name == name else version  # type: ignore[arg-type]
            for version in self.service.versions
        )
        self.service = replace(self.service, versions=versions)

    async def promote(self, version: str, line: Line) -> None:
        await self._asked("promote", version)
        assert self.service is not None
        for other in self.service.versions:
            self._change(other.name, traffic=1.0 if other.name == version else 0.0)

    async def start(self, version: str, line: Line) -> None:
        await self._asked("start", version)
        self._change(version, running=True)

    async def stop(self, version: str, line: Line) -> None:
        await self._asked("stop", version)
        if self.always:
            self._change(version, running=False)

    async def open(self, line: Line) -> None:
        await self._asked("open")
        assert self.service is not None
        self.service = replace(self.service, public=True)

    async def removals(self, *, versions: tuple[str, ...] | None = None) -> tuple[Removal, ...]:
        await self._asked("removals", " ".join(versions or ()))
        if versions is None:
            return self.left
        return tuple(Removal(name, Command(("delete", name), changes=True)) for name in versions)
