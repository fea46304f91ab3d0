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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kit.cloud.host import MARKER, VERSION_PREFIX, Command, Place, Release, Version, newest_first
from kit.cloud.lines import change, read

DEFAULT: Final = "default"

_TARGET: Final = "STREAMPROOF_TARGET"
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
    """Upload and build, without traffic; a service's first version serves all the same."""
    account = release.settings.get("service_account")
    return change(
        release.place,
        "app",
        "deploy",
        str(release.folder),
        *(() if release.app_yaml is None else (f"--appyaml={release.app_yaml}",)),
        f"--version={release.version}",
        "--no-promote",
        *((f"--service-account={account}",) if account else ()),
    )


def describe_app(place: Place) -> Command:
    """The app itself; `parse_app` reads it."""
    return read(place, "app", "describe")


def create_app(place: Place, region: str) -> Command:
    """Make the project's app, in a region that it then has for ever."""
    return change(place, "app", "create", f"--region={region}")


def list_services(place: Place) -> Command:
    """All services of the app; `parse_services` reads it."""
    return read(place, "app", "services", "list")


def list_versions(place: Place) -> Command:
    """The service's versions; gcloud fails where there is no such service."""
    return read(place, "app", "versions", "list", f"--service={place.service}")


def describe_version(place: Place, version: str) -> Command:
    """One version with its variables; `parse_version` reads it."""
    return read(place, "app", "versions", "describe", version, f"--service={place.service}")


def set_traffic(place: Place, version: str) -> Command:
    """Send all of the service's traffic to one version."""
    return change(place, "app", "services", "set-traffic", place.service, f"--splits={version}=1")


def start_version(place: Place, version: str) -> Command:
    """Let a stopped version run again."""
    return change(place, "app", "versions", "start", version, f"--service={place.service}")


def stop_version(place: Place, *versions: str) -> Command:
    """End all instances of versions; a request to one of them is then answered with an error."""
    return change(place, "app", "versions", "stop", *versions, f"--service={place.service}")


def delete_versions(place: Place, *versions: str) -> Command:
    """Remove versions that have no traffic."""
    return change(place, "app", "versions", "delete", *versions, f"--service={place.service}")


def delete_service(place: Place) -> Command:
    """Remove the service with all its versions; not `default`."""
    return change(place, "app", "services", "delete", place.service)


def parse_app(answer: Any) -> App:
    """What `describe_app` printed."""
    return App(answer.get("codeBucket"), answer.get("gcrDomain"))


def parse_services(answer: Any) -> tuple[str, ...]:
    """What `list_services` printed: the services' names."""
    return tuple(service["id"] for service in answer or ())


def parse_versions(
    answer: Any, place: Place, described: Mapping[str, Any] | None = None
) -> tuple[Version, ...]:
    """What `list_versions` printed, newest first.

    Args:
        answer: what gcloud printed.
        place: of the service; the line may have listed others as well.
        described: by version's name what `describe_version` printed; whose variables are not known
            counts as somebody else's.
    """
    versions = [
        parse_version({**item["version"], **(described or {}).get(item["id"], {})}, item["traffic_split"])
        for item in answer or ()
        if item["service"] == place.service
    ]
    return newest_first(versions)


def marked(answer: Any) -> tuple[str, ...]:
    """The names in what `list_versions` printed that may be the kit's: worth describing."""
    return tuple(item["id"] for item in answer or () if item["id"].startswith(VERSION_PREFIX))


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
    )


def _min_instances(version: Mapping[str, Any]) -> int:
    """How many instances run although nobody asks."""
    if "manualScaling" in version:
        return int(version["manualScaling"].get("instances", 1))
    automatic = version.get("automaticScaling") or {}
    if version.get("env") in ("flex", "flexible"):
        return int(automatic.get("minTotalInstances", _FLEX_MIN))
    return int((automatic.get("standardSchedulerSettings") or {}).get("minInstances", 0))
