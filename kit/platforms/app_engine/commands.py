"""App Engine's lines of gcloud, and what gcloud answers, read. Pure: `app_engine_host.py` runs them.

Facts of the platform that decide here, with their source in the SDK:

- `app versions list` asks for the basic view, in which a version's variables are left out; only
  `app versions describe` asks for the full one (api_lib/app/appengine_api_client.py). So the kit's marker
  costs one more line for each version that bears its prefix.
- `app versions delete` of all versions of a service deletes the service, asking first, which --quiet answers
  (surface/app/versions/delete.py); `default` it refuses. A version with traffic it refuses as well.
- `app versions stop` works with manual and basic scaling only (surface/app/versions/stop.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kit.language import text
from kit.platforms.command import Command
from kit.platforms.gcloud import flags
from kit.platforms.gcloud.commands import change, read
from kit.platforms.gcloud.leftovers import path
from kit.platforms.service import (
    APP,
    MARKER,
    PREVIEW,
    TOKEN_SHA256,
    VERSION_PREFIX,
    Place,
    Release,
    Removal,
    Service,
    Version,
    newest_first,
)

DEFAULT: Final = "default"

_TARGET: Final = "STREAMPROOF_TARGET"
# gcr.io has been part of Artifact Registry since 2025: each of its hosts is a repository of that name, in
# https://docs.cloud.google.com/artifact-registry/docs/transition/setup-gcr-repo
_GCR: Final = {"gcr.io": "us", "us.gcr.io": "us", "eu.gcr.io": "europe", "asia.gcr.io": "asia"}
# What a Flex version keeps where its app.yaml does not say (AutomaticScaling.minTotalInstances in the SDK's
# messages: "Minimum number of running instances that should be maintained for this version"; the documented
# default is 2, https://docs.cloud.google.com/appengine/docs/flexible/reference/app-yaml#services).
_FLEX_MIN: Final = 2


@dataclass(frozen=True, slots=True)
class App:
    """The project's app: where Flex images and archives go."""

    bucket: str | None
    registry: str | None


def deploy(release: Release) -> Command:
    """Upload and build, without traffic; a service's first version serves all the same.

    `--appyaml` is no way to give a release variables of its own: gcloud 528 ignores it where the folder
    has an app.yaml (command_lib/app/deployables.py, GetPathMatchers).
    """
    return change(
        release.place,
        "app",
        "deploy",
        str(release.folder),
        f"--version={release.version}",
        "--no-promote",
        *flags.words(release.settings),
    )


def describe_app(place: Place) -> Command:
    """The app itself; `parse_app` reads it."""
    return read(place, "app", "describe")


def list_versions(place: Place) -> Command:
    """The service's versions; gcloud fails where there is no such service."""
    return read(place, "app", "versions", "list", f"--service={place.service}", absent=(_no_service(place),))


def describe_version(place: Place, version: str) -> Command:
    """One version with its variables; `parse_version` reads it."""
    return read(
        place,
        "app",
        "versions",
        "describe",
        version,
        f"--service={place.service}",
        # Assumed: Google's own sentence, which gcloud passes on. Another wording is an error that says so.
        absent=(f"NOT_FOUND: Version {version} of service {place.service} was not found.",),
    )


def set_traffic(place: Place, version: str) -> Command:
    """Send all of the service's traffic to one version."""
    return change(place, "app", "services", "set-traffic", place.service, f"--splits={version}=1")


def start_version(place: Place, version: str) -> Command:
    """Let a stopped version run again."""
    return change(place, "app", "versions", "start", version, f"--service={place.service}")


def stop_version(place: Place, *versions: str) -> Command:
    """End all instances of versions; a request to one of them is then answered with an error."""
    return change(place, "app", "versions", "stop", *versions, f"--service={place.service}")


# The SDK says so of `versions stop` where the scaling mode is set to auto: surface/app/versions/stop.py.
NOT_STOPPED: Final = text("App Engine stops no Standard version that scales by itself")


def browse(place: Place) -> Command:
    """Print the service's own address, which stays when another version serves."""
    where = (f"--service={place.service}", f"--project={place.project}", "--no-launch-browser")
    return Command(("app", "browse", *where))


def delete_versions(place: Place, *versions: str) -> Command:
    """Remove versions that have no traffic."""
    return change(
        place,
        "app",
        "versions",
        "delete",
        *versions,
        f"--service={place.service}",
        absent=(_no_service(place),),
    )


def delete_service(place: Place) -> Command:
    """Remove the service with all its versions; not `default`."""
    return change(
        place,
        "app",
        "services",
        "delete",
        place.service,
        absent=(f"The following service was not found: [{place.service}]",),  # api_lib/app/service_util.py
    )


def repository(place: Place, registry: str) -> str | None:
    """The repository of the app's registry (`us.gcr.io`); None where Artifact Registry has none of it."""
    location = _GCR.get(registry)
    return None if location is None else f"{location}-docker.pkg.dev/{path(place.project)}/{registry}"


def archives(place: Place, bucket: str, registry: str) -> str:
    """Where the archives of the kit's Flex versions of a service lie, as a prefix."""
    return f"gs://{bucket}/{registry}/{path(place.project)}/{_image_name(place)}**"


def is_image(place: Place, package: str) -> bool:
    """Whether a package was made by the Flex build of one of the kit's versions of this service."""
    return f"/{_image_name(place)}" in package


def _image_name(place: Place) -> str:
    return f"appengine/{place.service}.{VERSION_PREFIX}"


def parse_app(answer: Any) -> App:
    """What `describe_app` printed."""
    return App(answer.get("codeBucket"), answer.get("gcrDomain"))


def parse_versions(
    answer: Any, place: Place, variables: Mapping[str, Mapping[str, str]]
) -> tuple[Version, ...]:
    """What `list_versions` printed, newest first.

    Args:
        answer: what gcloud printed.
        place: of the service.
        variables: by version's name its variables, which that line does not tell; a version without counts
            as another's.
    """
    return newest_first(
        parse_version({**item["version"], "envVariables": variables.get(item["id"])}, item["traffic_split"])
        for item in answer or ()
        if item["service"] == place.service
    )


def marked(answer: Any, place: Place) -> tuple[tuple[str, str | None], ...]:
    """Which in what `list_versions` printed may be the kit's, by name and time: worth describing."""
    return tuple(
        (item["id"], item["version"].get("createTime"))
        for item in answer or ()
        if item["service"] == place.service and item["id"].startswith(VERSION_PREFIX)
    )


def parse_variables(answer: Any) -> dict[str, str]:
    """What `describe_version` printed: the version's variables."""
    return dict(answer.get("envVariables") or {})


def variables(release: Release) -> dict[str, str]:
    """The same of a release that is about to be made, as far as the kit's marks go."""
    return {**release.environment, _TARGET: release.place.target}


def parse_version(answer: Any, traffic: float | None = None) -> Version:
    """What `describe_version` printed. It does not tell the version's share of the traffic."""
    variables = answer.get("envVariables") or {}
    ours = answer["id"].startswith(VERSION_PREFIX) and MARKER in variables
    return Version(
        name=answer["id"],
        url=answer.get("versionUrl"),
        created_at=answer.get("createTime"),
        traffic=float(traffic or 0),
        running=answer.get("servingStatus") != "STOPPED",
        target=variables.get(_TARGET) if ours else None,
        digest=variables.get(MARKER) if ours else None,
        min_instances=_min_instances(answer),
        token_sha256=variables.get(TOKEN_SHA256) if ours else None,
        app=variables.get(APP) if ours else None,
        preview=variables.get(PREVIEW) if ours else None,
        stops=_is_flex(answer) or "manualScaling" in answer or "basicScaling" in answer,
    )


def _is_flex(version: Mapping[str, Any]) -> bool:
    return version.get("env") in ("flex", "flexible")


def _min_instances(version: Mapping[str, Any]) -> int:
    """How many instances run although none is asked."""
    if "manualScaling" in version:
        return int(version["manualScaling"].get("instances", 1))
    automatic = version.get("automaticScaling") or {}
    if _is_flex(version):
        return int(automatic.get("minTotalInstances", _FLEX_MIN))
    return int((automatic.get("standardSchedulerSettings") or {}).get("minInstances", 0))


def removals(service: Service, versions: tuple[str, ...] | None = None) -> tuple[Removal, ...]:
    """What of the kit's making is there, in the order in which it must go.

    Args:
        service: what is there.
        versions: those only; None for all of them, with the service itself where nothing else is in it.
    """
    place = service.place
    ours, others = service.divided(versions)
    if not ours:
        return ()
    if versions is None and not others and place.service != DEFAULT:
        return (
            Removal(
                text("the service {service}, {counted}", service=place.service, counted=_counted(ours)),
                delete_service(place),
            ),
        )
    steps = []
    staying = [version for version in ours if version.traffic > 0]
    heir = next((version for version in others if version.running), None)
    if staying and heir is not None:
        what = text("the traffic of {names}, which goes to {name}", names=_names(staying), name=heir.name)
        steps.append(Removal(what, set_traffic(place, heir.name)))
        staying = []
    # The last version of a service goes with the service only, and `default` cannot go.
    staying = staying or ([] if others else ours[:1])
    if going := [version for version in ours if version not in staying]:
        what = text("{counted} of the service {service}", counted=_counted(going), service=place.service)
        steps.append(Removal(what, delete_versions(place, *(version.name for version in going))))
    return (*steps, *(_staying(place, version) for version in staying))


def _staying(place: Place, version: Version) -> Removal:
    why = (
        text("App Engine's service `default` cannot be deleted")
        if place.service == DEFAULT
        else text(
            "all the traffic of {service} is its, and no other version could take it", service=place.service
        )
    )
    if not version.running:
        return Removal(
            text("{name}: {why}. It is stopped and costs nothing", name=version.name, why=why), None
        )
    if version.min_instances and not version.stops:
        return Removal(
            text(
                "{name}: {why}. Its instances go on costing: {why_not}",
                name=version.name,
                why=why,
                why_not=NOT_STOPPED,
            ),
            None,
        )
    if version.min_instances:
        what = text("the instances of {name}, which stays, stopped: {why}", name=version.name, why=why)
        return Removal(what, stop_version(place, version.name))
    return Removal(
        text("{name}: {why}. It costs money only while it is asked", name=version.name, why=why), None
    )


def _no_service(place: Place) -> str:
    """surface/app/versions/list.py and api_lib/app/version_util.py."""
    return f"Service [{place.service}] not found."


def _counted(versions: Sequence[Version]) -> str:
    counted = text("{count} version ({names})") if len(versions) == 1 else text("{count} versions ({names})")
    return counted.format(count=len(versions), names=_names(versions))


def _names(versions: Sequence[Version]) -> str:
    return ", ".join(version.name for version in versions)
