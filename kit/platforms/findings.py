"""Obstacles to a deployment: the findings, and what they are judged from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from kit.errors import KitError
from kit.language import text
from kit.platforms.command import Command
from kit.platforms.service import Place, Service, Version

# So begins the name of a read whose failure means nothing: another tells why.
OPEN: Final = "open: "

Level = Literal["stop", "ask", "warn", "note"]
LEVELS: Final[tuple[Level, ...]] = ("stop", "ask", "warn", "note")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know before anything is created.

    Attributes:
        level: "stop" and nothing can be deployed; "ask" first, and run the command (if there is one) when the
            answer is yes; "warn" and "note" are said.
        text: one sentence.
        remedy: what to do about it; empty where there is nothing to do.
        command: what would be run on a yes.
    """

    level: Level
    text: str
    remedy: str = ""
    command: Command | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the rules need to know of one target that is to be deployed.

    Attributes:
        place: where it goes.
        edition: which of the platform's environments it is for, as in its target.toml; None for the only one.
        min_instances: how many instances always run.
        service_account: the one that it runs as; None for the platform's default.
        settings: its own, as `Config.of` gives them.
        on_record: the versions that are on record as deployed from this folder.
        secrets: by variable the secret that is its value, "NAME:VERSION".
    """

    place: Place
    edition: str | None = None
    min_instances: int = 0
    service_account: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    on_record: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PreflightOptions:
    """What the user said.

    Attributes:
        project, project_source, project_implied: as in `Config`.
        apis: Google's APIs that the service itself will ask.
        said: the platforms' own options that were given, by name; "yes" for one without a value.
        secret: what callers must show to be let in, in words; empty where they show nothing.
        costly: the generator, where each answer costs money; empty where none does.
        take_over: whether what is not this app's may be overwritten.
        preview: the name of the preview that is to be made; None for what is to serve.
        signed_in_by_env: whether gcloud takes its credentials from the environment.
    """

    project: str
    project_source: str | None = None
    project_implied: bool = False
    apis: tuple[str, ...] = ()
    said: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    costly: str = ""
    take_over: bool = False
    preview: str | None = None
    signed_in_by_env: bool = False


Read = Any | KitError
"""What a read brought: parsed JSON, or why it failed. None where it was not read."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What gcloud answered.

    Attributes:
        own: what each platform asked beside the rest, by the names of its `reads`.
        looks: what each target's host sees, by target.
    """

    version: Read = None
    accounts: Read = None
    project: Read = None
    billing: Read = None
    apis: Read = None
    policy: Read = None
    own: Mapping[str, Read] = field(default_factory=dict)
    looks: Mapping[str, Service | KitError | None] = field(default_factory=dict)

    def is_off(self, api: str) -> bool:
        """Whether it is certain that an API is not enabled in the project."""
        return isinstance(self.apis, list) and api not in {
            str((entry.get("config") or {}).get("name")) for entry in dicts(self.apis)
        }


Rule = Callable[[Sequence[Candidate], PreflightOptions, Seen], Iterator[Finding]]


def dicts(entries: object) -> list[dict[str, Any]]:
    """The objects in what should be a list of them."""
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def unscoped(project: str) -> str:
    """example.com:project is project.example.com in the names of accounts and hosts."""
    domain, colon, name = project.rpartition(":")
    return f"{name}.{domain}" if colon else project


def instance_costs(candidate: Candidate) -> Finding:
    """What a target costs whose instances alone cost, and only as long as they run."""
    name, always = candidate.place.target, candidate.min_instances
    if not always:
        return Finding(
            "note", text("{name} costs money only while it is asked: it scales to zero.", name=name)
        )
    what = text("one instance") if always == 1 else text("{always} instances", always=always)
    return Finding(
        "note", text("{name} costs money all the time: {what} of it always runs.", name=name, what=what)
    )


def taken(place: Place, theirs: Version) -> tuple[str, str]:
    """A service that may be another app's: the sentence, and the remedy."""
    by = (
        text("made from the app {app}, and this is {ours}", app=theirs.app, ours=place.app)
        if theirs.app is not None
        else text("made by an older kit, which marked no app, and not on record in this folder")
    )
    return (
        text(
            "Another app of yours may serve at {service}, where {target} goes: {name} is {by}.",
            service=place.service,
            target=place.target,
            name=theirs.name,
            by=by,
        ),
        text(
            "Choose another name, `--set {target}.service=NAME`; or have `kit deploy {target}` take its "
            "place: --replace-foreign.",
            target=place.target,
        ),
    )


def too_long(place: Place, room: int, what: str) -> Iterator[Finding]:
    """Stops where a service's name has more than `room` characters, which a URL has for it and for `what`."""
    if len(place.service) > room:
        yield Finding(
            "stop",
            text(
                "The service of {target}, {service}, has a name {room} characters too long, for {what} "
                "share one name in its URL.",
                target=place.target,
                service=place.service,
                room=len(place.service) - room,
                what=what,
            ),
            text(
                "Give it one of {room} characters at most: `--set {target}.service=NAME`.",
                room=room,
                target=place.target,
            )
            if room > 0
            else text("This project's ID leaves no room for one: use another project."),
        )


def preview_too_long(place: Place, preview: str, room: int, what: str) -> Iterator[Finding]:
    """Stops where a preview's name has more than `room` characters, which a URL has for it beside `what`."""
    if len(preview) > room:
        yield Finding(
            "stop",
            text(
                "The preview's name, {preview}, is too long by {room} for {target}: it shares one name in "
                "its URL with {what}.",
                preview=preview,
                room=len(preview) - room,
                target=place.target,
                what=what,
            ),
            text("Choose one of {room} characters at most.", room=room)
            if room > 0
            else text("Give the service a shorter name: `--set {target}.service=NAME`.", target=place.target),
        )
