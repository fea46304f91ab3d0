"""A hosting platform, as the kit needs it to deploy there; each has a folder beside this file.

The flows know no platform by its name: whatever differs from one to the next is asked here. Nothing in these
folders opens a connection: what reaches a cloud is done by the user's own gcloud or another such program.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from kit.language import text
from kit.platforms.command import Command, Line
from kit.platforms.findings import Candidate, Finding, PreflightOptions, Seen, instance_costs
from kit.platforms.service import Place, Release, Removal, Service, Version

if TYPE_CHECKING:
    from kit.platforms.gcloud.runner import Gcloud


@dataclass(frozen=True, slots=True)
class Order:
    """Where targets go once the platform was looked at, and which of them goes first.

    Attributes:
        hosts: the targets' hosts, in the order given.
        first: the target that must be there before the others of its platform; None for no such thing.
        becomes: what `first` becomes, "the app's default service"; for sentences.
    """

    hosts: tuple[Host, ...]
    first: str | None = None
    becomes: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of `kit deploy` that only this platform needs.

    Attributes:
        name: as in Python: `create_app` is --create-app, and KIT_CREATE_APP in the environment.
        help: what it does.
        metavar: what its value is; empty where it has none, and is said or not.
        setting: the setting of the platform's targets that it is another word for; empty where it is none.
    """

    name: str
    help: str
    metavar: str = ""
    setting: str = ""


class Platform(Protocol):
    """All that is peculiar to a platform, but for what its `Host` does at one place.

    A platform derives from this class, and says only what differs from these defaults.

    Attributes:
        name: its folder's name, as in `platform` of a target.toml.
        regional: whether a target goes to a region that the user names.
        open_to_all: whether its services are public from the first moment; else a service is private
            until it is opened, and its callers show an identity token of Google's.
        renders_release: whether a release's own variables stand in the bundle, which is then rendered anew
            for each release; else they are in the release's commands.
        serves_first: whether a service's first version serves before it was measured.
        no_previews: why no version may be there beside what serves, to be looked at; empty where it may.
        ready_within_s: how long a new version may take to answer at its URL, once it is deployed.
        moves_within_s: how long traffic may still go to the version before, once it was moved.
        rates: what it costs while it is there, asked or not, with the date of the prices; empty where only
            instances cost.
        options: what `kit deploy` takes for it; a value that was given is in `said` under its name.
        refused_flags: which of gcloud's flags a target's `gcloud_flags` may not hold, by name, and why.
        setting_flags: which of them a setting stands for, by name.
        no_secrets: why it gives a service no secrets, and what to do instead; empty where it does.
        listing: which of `reads` lists all of the platform's services in a project, for `Host.look`; None
            where each service is looked at by itself.
    """

    name: str
    regional: bool = True
    open_to_all: bool = False
    renders_release: bool = False
    serves_first: bool = True
    no_previews: str = ""
    ready_within_s: float = 120.0
    moves_within_s: float = 0.0
    rates: str = ""
    options: tuple[Option, ...] = ()
    refused_flags: Mapping[str, str] = MappingProxyType({})
    setting_flags: Mapping[str, str] = MappingProxyType({})
    no_secrets: str = text("The kit knows no way to give it secrets: have the app fetch them itself.")
    listing: str | None = None

    @abstractmethod
    def at(self, place: Place, gcloud: Gcloud) -> Host:
        """This platform at one place."""

    def services(self, service: str) -> tuple[str, ...]:
        """Under which names a target's service may be there, whose own name is `service`."""
        return (service,)

    async def order(
        self, hosts: Sequence[Host], listed: Sequence[Any] | None, at: Callable[[Place], Host]
    ) -> Order:
        """Where targets go, and which first, given all that is there.

        Args:
            hosts: of the targets of this platform.
            listed: what `listing` printed, as `Preflight` has it; None where unknown.
            at: gives the host of another place.
        """
        return Order(tuple(hosts))

    def wanted(self, settings: Mapping[str, Any], said: Mapping[str, str]) -> bool:
        """Whether `--all` means a target with these settings; else it is deployed by its name only."""
        return True

    def within(
        self, target: str, settings: Mapping[str, Any], said: Mapping[str, str], known: str | None
    ) -> str | None:
        """What a target is in, in its region; see `Place`.

        Args:
            target: its name.
            settings: its own.
            said: the platform's options that were given.
            known: what is on record; None for nothing.

        Raises:
            KitError: it is not known where to, or is on record elsewhere.
        """
        return None

    def settings_within(self, within: str | None) -> Mapping[str, Any]:
        """The settings of a target that `Place.within` stands for, for its bundle."""
        return {}

    def release_environment(self, place: Place, version: str) -> Mapping[str, str]:
        """Variables that a release has beside the kit's own: by default its name, which services tell."""
        return {"STREAMPROOF_VERSION": version}

    def reads(self, project: str, candidates: Sequence[Candidate] = ()) -> Mapping[str, Command]:
        """What the preflight reads for this platform beside what it reads for all, by a name for each."""
        return {}

    def listed(self, seen: Seen) -> Sequence[Any] | None:
        """All of the platform's services in the project, as `listing` printed them; None where unknown."""
        return None

    def apis(self, candidate: Candidate) -> Iterable[str]:
        """Google's APIs that deploying this target needs, beside those of builds."""
        return ()

    def needs(
        self, candidates: Sequence[Candidate], options: PreflightOptions, seen: Seen
    ) -> Iterable[Finding]:
        """What stands in the way of these targets of this platform, or must be said first."""
        return ()

    def default_account(self, project: str, seen: Seen) -> str | None:
        """The service account that a target runs as which names none; None where unknown."""
        number = seen.project.get("projectNumber") if isinstance(seen.project, dict) else None
        return f"{number}-compute@developer.gserviceaccount.com" if number else None

    def costs(self, candidate: Candidate) -> Finding:
        """What the target will cost while it is deployed."""
        return instance_costs(candidate)

    @abstractmethod
    def log_filter(self, place: Place, version: str | None) -> tuple[str, Mapping[str, str | None]]:
        """Cloud Logging's type of resource, and the labels of the service, or of one version of it."""

    def at_once(self, settings: Mapping[str, Any]) -> int | None:
        """How many requests a target with these settings takes at once; None for no limit of the platform."""
        return None

    def stop_line(self, place: Place, *versions: str) -> Command | None:
        """The line that ends what versions without traffic cost; None where there is none."""
        return None

    def proxy(self, place: Place, version: str | None) -> tuple[Command, ...]:
        """The lines that let this machine's browser in to a private service, or to its version; else none."""
        return ()

    def lasting_address(self, place: Place) -> Command | None:
        """The line that tells the service's address, where the one on record is a version's; else None."""
        return None


class Host(Protocol):
    """One platform at one place. Every method raises KitError with one sentence and its remedy.

    `line` is given each line that a program prints while it works.
    """

    place: Place

    async def look(self, listed: Any = None) -> Service | None:
        """What is there now; None only where the platform says that there is no such service.

        Where `place.within` is needed and None, what the kit itself made is looked for, and the service tells
        where it is.

        Args:
            listed: what `Platform.listing` has just printed, so that it is not asked once more.
        """

    def plan(self, release: Release) -> tuple[Command, ...]:
        """The lines that `deploy` would run, in order."""

    async def deploy(self, release: Release, line: Line) -> tuple[Service, Version]:
        """Upload, build and create, without traffic unless the service is new; what is there then.

        The version's `url` is the one to probe, as the platform named it.
        """

    async def promote(self, version: str, line: Line) -> None:
        """Send all traffic to this version."""

    async def start(self, version: str, line: Line) -> None:
        """Let a stopped version run again; nothing where versions cannot be stopped."""

    async def stop(self, version: str, line: Line) -> None:
        """Stop what a version without traffic would cost; nothing where it costs nothing."""

    async def open(self, line: Line) -> None:
        """Make the service public; nothing where it is."""

    async def removals(self, *, versions: tuple[str, ...] | None = None) -> tuple[Removal, ...]:
        """What of the kit's making is there to be removed, in the order in which it must go.

        Args:
            versions: those only; None for all of them, with images, staged archives and the service itself.
        """

    async def remains(self) -> tuple[Removal, ...]:
        """What the platform itself left behind, now that all of `removals` has gone, and may still cost."""
        return ()
