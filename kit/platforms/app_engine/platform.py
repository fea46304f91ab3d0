"""App Engine, Standard and Flexible: one app a project, in one region for ever, public."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from kit.errors import Code, KitError
from kit.language import text
from kit.platforms.app_engine import commands
from kit.platforms.command import Command
from kit.platforms.findings import (
    Candidate,
    Finding,
    PreflightOptions,
    Seen,
    instance_costs,
    preview_too_long,
    too_long,
    unscoped,
)
from kit.platforms.platform import Host, Option, Order, Platform
from kit.platforms.service import APP, PREVIEW_CHARACTERS, VERSION_CHARACTERS, Place

if TYPE_CHECKING:
    from kit.platforms.gcloud.runner import Gcloud

DEFAULT: Final = commands.DEFAULT
FLEXIBLE: Final = "flexible"
# "Your app may not have more than 210 versions" is what users are told; Google raises it for some.
MOST_VERSIONS: Final = 210

_CREATE_APP: Final = "create_app"
_API: Final = "appengine.googleapis.com"
_FEW_LEFT: Final = 10
# VERSION-dot-SERVICE-dot-PROJECT is one label of a DNS name: 63 characters (RFC 1035, 2.3.4).
_LABEL_CHARACTERS: Final = 63


class AppEngine(Platform):
    """Its `edition` is "standard" or "flexible"."""

    name = "app_engine"
    regional = False
    open_to_all = True
    renders_release = True
    listing = "app_versions"
    setting_flags = MappingProxyType({"service-account": "service_account"})
    refused_flags = MappingProxyType(
        {
            **dict.fromkeys(
                ("promote", "stop-previous-version"), "a version gets its traffic once it was measured"
            ),
            "version": "the kit names the version",
            **dict.fromkeys(("image-url", "appyaml"), "what is deployed is the bundle"),
        }
    )
    no_secrets = text(
        "App Engine has no secrets of its own. Have the app read Secret Manager itself "
        "(google-cloud-secret-manager), as its service account, which needs "
        "roles/secretmanager.secretAccessor; or name only targets that take them."
    )
    options = (
        Option(_CREATE_APP, "Make the project's App Engine app there, for ever, if it has none.", "REGION"),
    )

    def at(self, place: Place, gcloud: Gcloud) -> Host:
        """One service of the project's app."""
        from kit.platforms.app_engine.host import AppEngineHost

        return AppEngineHost(place, gcloud)

    def services(self, service: str) -> tuple[str, ...]:
        """The app's first service must be called `default`, whatever the target calls its own."""
        return (DEFAULT, service)

    async def order(
        self, hosts: Sequence[Host], listed: Sequence[Any] | None, at: Callable[[Place], Host]
    ) -> Order:
        """The first service of an app is `default`, and stays the target's that became it."""
        settled = list(hosts)
        if listed is None:
            return Order(tuple(settled))
        taken = {one["service"] for one in listed}
        for number, host in enumerate(hosts):
            place = host.place
            if place.service == DEFAULT or place.service in taken:
                continue
            default = at(replace(place, service=DEFAULT))
            if not taken:
                settled[number] = default
                break
            if DEFAULT in taken:
                there = await default.look(listed)
                serving = there.serving if there is not None else None
                if serving is not None and (serving.target, serving.app) == (place.target, place.app):
                    settled[number] = default
        first = None if taken else next((h.place.target for h in settled if h.place.service == DEFAULT), None)
        return Order(tuple(settled), first, text("the app's default service"))

    def release_environment(self, place: Place, version: str) -> Mapping[str, str]:
        """App Engine itself names version and project, and gives a version no labels."""
        return {} if place.app is None else {APP: place.app}

    def reads(self, project: str, candidates: Sequence[Candidate] = ()) -> Mapping[str, Command]:
        """The app, and all of its versions."""
        end = (f"--project={project}", "--quiet", "--format=json")
        return {
            "app": Command(("app", "describe", *end)),
            "app_versions": Command(("app", "versions", "list", *end)),
        }

    def listed(self, seen: Seen) -> Sequence[Any] | None:
        """None of them where it is certain that there is no app."""
        if _has_no_app(seen):
            return ()
        versions = seen.own.get("app_versions")
        return versions if isinstance(versions, list) else None

    def apis(self, candidate: Candidate) -> Iterable[str]:
        """Flexible has one more."""
        return (_API, *(("appengineflex.googleapis.com",) if candidate.edition == FLEXIBLE else ()))

    def needs(
        self, candidates: Sequence[Candidate], options: PreflightOptions, seen: Seen
    ) -> Iterator[Finding]:
        """An app that serves, room for more versions, and names that fit."""
        yield from _app(options, seen)
        yield from _quota(candidates, options, seen)
        for one in candidates:
            if options.preview is not None:
                names = [one.place.project, *([] if one.place.service == DEFAULT else [one.place.service])]
                room = _LABEL_CHARACTERS - PREVIEW_CHARACTERS - sum(len(f"-dot-{name}") for name in names)
                yield from preview_too_long(one.place, options.preview, room, " and ".join(names))
            elif one.place.service != DEFAULT:
                fixed = VERSION_CHARACTERS + len("-dot-") * 2 + len(one.place.project)
                yield from too_long(
                    one.place, _LABEL_CHARACTERS - fixed, text("version, service and project")
                )
        if not (self.listed(seen) is None or self.listed(seen)):
            first = next((one for one in candidates if one.place.service == DEFAULT), candidates[0])
            others = text(", before the others") if len(candidates) > 1 else ""
            yield Finding(
                "note",
                text(
                    "The first service of an App Engine app must be called default, and cannot be deleted "
                    "again: {target} becomes it{others}.",
                    target=first.place.target,
                    others=others,
                ),
            )

    def default_account(self, project: str, seen: Seen) -> str | None:
        """The app's."""
        app = seen.own.get("app")
        named = app.get("serviceAccount") if isinstance(app, dict) else None
        return str(named or f"{unscoped(project)}@appspot.gserviceaccount.com")

    def costs(self, candidate: Candidate) -> Finding:
        """A Flexible version has machines of its own."""
        if candidate.edition != FLEXIBLE:
            return instance_costs(candidate)
        name, always = candidate.place.target, max(candidate.min_instances, 1)
        many = (
            text("one virtual machine") if always == 1 else text("{always} virtual machines", always=always)
        )
        return Finding(
            "note",
            text(
                "{name} costs money all the time: at least {many} of it always runs, and it never scales to "
                "zero.",
                name=name,
                many=many,
            ),
            text("Remove it when you are done: `kit destroy {name}`.", name=name),
        )

    def log_filter(self, place: Place, version: str | None) -> tuple[str, Mapping[str, str | None]]:
        """A service is called a module there."""
        return "gae_app", {"module_id": place.service, "version_id": version}

    def at_once(self, settings: Mapping[str, Any]) -> int | None:
        """Those of all instances of Standard; a Flexible one takes what its machine bears."""
        each = settings.get("max_concurrent_requests")
        return None if each is None else int(each) * int(settings["max_instances"])

    def stop_line(self, place: Place, *versions: str) -> Command | None:
        """Ends what a Flex version costs; a Standard one costs nothing while it is not asked."""
        return commands.stop_version(place, *versions)

    def lasting_address(self, place: Place) -> Command | None:
        """gcloud names a version's URL only; this line tells the service's."""
        return commands.browse(place)


def _has_no_app(seen: Seen) -> bool:
    """Whether it is certain that the project has no app yet."""
    app = seen.own.get("app")
    return isinstance(app, KitError) and app.code is Code.NOT_READY_TO_DEPLOY


def _app(options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    app, create_app = seen.own.get("app"), options.said.get(_CREATE_APP)
    if isinstance(app, dict):
        region = app.get("locationId")
        if create_app not in (None, region):
            yield Finding(
                "warn",
                text(
                    "The App Engine app is in {region} already, for ever: --create-app changes nothing.",
                    region=region,
                ),
            )
        if app.get("servingStatus") not in (None, "SERVING"):
            yield Finding(
                "stop",
                text(
                    "The App Engine app of {project} is disabled, and takes no deployment.",
                    project=options.project,
                ),
                text(
                    "Enable it: https://console.cloud.google.com/appengine/settings?project={project}",
                    project=options.project,
                ),
            )
    elif not _has_no_app(seen):
        if seen.is_off(_API):
            yield Finding(
                "note",
                text(
                    "Whether {project} has an App Engine app can be seen once that API is on.",
                    project=options.project,
                ),
                text("If it has none, add --create-app REGION."),
            )
    elif create_app is None:
        yield Finding(
            "stop",
            text(
                "The project {project} has no App Engine app, and the region of one is for ever.",
                project=options.project,
            ),
            text("Choose it with --create-app REGION; `gcloud app regions list` shows them."),
        )
    else:
        create = (
            "app",
            "create",
            f"--region={create_app}",
            f"--project={options.project}",
            "--quiet",
        )
        yield Finding(
            "ask",
            text(
                "The project {project} has no App Engine app: one is made in {create_app}, for ever.",
                project=options.project,
                create_app=create_app,
            ),
            text("Say no to keep the project as it is."),
            Command(create, changes=True),
        )


def _quota(candidates: Sequence[Candidate], options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    versions = seen.own.get("app_versions")
    if isinstance(versions, list) and len(versions) + len(candidates) > MOST_VERSIONS - _FEW_LEFT:
        yield Finding(
            "warn",
            text(
                "The App Engine app has {what} versions, and usually it may have {most}.",
                what=len(versions),
                most=MOST_VERSIONS,
            ),
            text(
                "Delete old ones: `gcloud app versions list --project={project}`, then `gcloud app versions "
                "delete`.",
                project=options.project,
            ),
        )


PLATFORM: Final = AppEngine()
