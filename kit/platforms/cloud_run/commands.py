"""Cloud Run's lines of gcloud, and what gcloud answers, read. Pure: `cloud_run_host.py` runs them.

A service is deployed one way: from source. Its labels go to the service and to each revision made from then
on (`--labels` of `gcloud run deploy`), so every revision tells whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kit.language import join, text
from kit.platforms.command import Command
from kit.platforms.gcloud import flags
from kit.platforms.gcloud.commands import change, pairs, read
from kit.platforms.gcloud.leftovers import path
from kit.platforms.service import (
    APP_LABEL,
    BUNDLE_LABEL,
    PREVIEW,
    TARGET_LABEL,
    TOKEN_SHA256,
    Place,
    Release,
    Removal,
    Service,
    Version,
    newest_first,
)

# https://docs.cloud.google.com/run/docs/configuring/services/labels
_LABEL_CHARACTERS: Final = 63
_INVOKER: Final = ("--member=allUsers", "--role=roles/run.invoker")
_INVOKER_ROLES: Final = ("roles/run.invoker", "roles/run.servicesInvoker", "roles/run.admin")
# Written in the YAML of a service by `--no-invoker-iam-check`.
_UNCHECKED: Final = "run.googleapis.com/invoker-iam-disabled"
_MIN_OF_REVISION: Final = "autoscaling.knative.dev/minScale"
_MIN_OF_SERVICE: Final = "run.googleapis.com/minScale"

# By gcloud's own source: surface/run/deploy.py and command_lib/run/sourcedeploys/sources.py.
_REPOSITORY: Final = "cloud-run-source-deploy"

# Settings of a target that are flags here; one that is left out stays as the service has it.
_FLAGS: Final = {
    "cpu": "--cpu",
    "memory": "--memory",
    "concurrency": "--concurrency",
    "timeout_s": "--timeout",
    "min_instances": "--min-instances",
    "max_instances": "--max-instances",
    "service_account": "--service-account",
}
SETTING_FLAGS: Final = {flag.removeprefix("--"): name for name, flag in _FLAGS.items()}


def deploy(release: Release) -> Command:
    """Upload and build, without traffic. A new service's first revision must take it, so that is private."""
    place, settings = release.place, release.settings
    labels = {TARGET_LABEL: place.target, BUNDLE_LABEL: release.digest[:_LABEL_CHARACTERS]}
    labels |= {} if place.app is None else {APP_LABEL: place.app}
    return change(
        place,
        "run",
        "deploy",
        place.service,
        f"--source={release.folder}",
        # Said of a live service, the first would close it to all callers at once.
        "--no-allow-unauthenticated" if release.creates else "--no-traffic",
        f"--tag={release.preview or release.version}",
        f"--revision-suffix={release.version}",
        *((f"--set-env-vars={pairs(release.environment)}",) if release.environment else ()),
        f"--labels={pairs(labels)}",
        *(
            f"{flag}={settings[name]}"
            for name, flag in _FLAGS.items()
            if settings.get(name) not in (None, "")
        ),
        *((f"--set-secrets={pairs(release.secrets)}",) if release.secrets else ()),
        *flags.words(settings),
    )


def describe_service(place: Place) -> Command:
    """The service: its URL, its traffic and its tags; gcloud fails where there is none."""
    return read(
        place,
        "run",
        "services",
        "describe",
        place.service,
        absent=(f"Cannot find service [{place.service}]",),  # surface/run/services/describe.py
    )


def list_revisions(place: Place) -> Command:
    """The service's revisions."""
    return read(place, "run", "revisions", "list", f"--service={place.service}")


def read_policy(place: Place) -> Command:
    """Who may do what with the service; `parse_public` reads it."""
    return read(place, "run", "services", "get-iam-policy", place.service)


def list_secrets(project: str) -> Command:
    """All secrets of the project, by name; no value."""
    return Command(("secrets", "list", f"--project={project}", "--quiet", "--format=json(name)"))


def read_secret_policy(project: str, secret: str) -> Command:
    """Who may do what with one of them."""
    where = (f"--project={project}", "--quiet", "--format=json")
    return Command(("secrets", "get-iam-policy", secret, *where))


def update_traffic(place: Place, revision: str) -> Command:
    """Send all of the service's traffic to one revision."""
    return change(place, "run", "services", "update-traffic", place.service, f"--to-revisions={revision}=100")


def remove_tags(place: Place, *tags: str) -> Command:
    """Take the URLs of their own from revisions, which then can run only if they have traffic."""
    return change(
        place, "run", "services", "update-traffic", place.service, f"--remove-tags={','.join(tags)}"
    )


def add_invoker(place: Place) -> Command:
    """Make the service public."""
    return change(place, "run", "services", "add-iam-policy-binding", place.service, *_INVOKER)


def proxy(place: Place) -> Command:
    """Pass what asks this machine on to the service, with the user's own identity, until it is ended."""
    where = (f"--region={place.region}", f"--project={place.project}", "--port=8080")
    return Command(("run", "services", "proxy", place.service, *where))


def delete_revision(place: Place, revision: str) -> Command:
    """Remove a revision that has neither traffic nor a tag and is not the newest."""
    return change(place, "run", "revisions", "delete", revision, absent=(_gone("Revision", revision),))


def delete_service(place: Place) -> Command:
    """Remove the service with all its revisions and URLs."""
    return change(
        place, "run", "services", "delete", place.service, absent=(_gone("Service", place.service),)
    )


def image(place: Place) -> str:
    """The package of all images that source deploys of a Cloud Run service made."""
    return f"{place.region}-docker.pkg.dev/{path(place.project)}/{_REPOSITORY}/{place.service}"


def archives(place: Place) -> str:
    """Where all archives lie that source deploys of a Cloud Run service uploaded, as a prefix."""
    project = place.project.replace(":", "_").replace(".", "_").replace("google", "elgoog")
    return f"gs://run-sources-{project}-{place.region}/services/{place.service}/**"


def parse_service(place: Place, service: Any, revisions: Any, policy: Any) -> Service:
    """What is there, from what the three reading lines printed.

    Args:
        place: of the service.
        service: what `describe_service` printed.
        revisions: what `list_revisions` printed.
        policy: what `read_policy` printed; None where it could not be read.
    """
    metadata, status = service["metadata"], service.get("status") or {}
    annotations = metadata.get("annotations") or {}
    traffic = status.get("traffic") or ()
    least = int(annotations.get(_MIN_OF_SERVICE) or 0)
    return Service(
        place,
        url=status.get("url"),
        public=annotations.get(_UNCHECKED) == "true" or parse_public(policy),
        versions=newest_first(_revision(revision, traffic, least) for revision in revisions or ()),
    )


def parse_public(policy: Any) -> bool | None:
    """Whether the service is public; None where its policy could not be read."""
    if policy is None:
        return None
    return any(
        binding.get("role") in _INVOKER_ROLES
        and "allUsers" in binding.get("members", ())
        and not binding.get("condition")
        for binding in policy.get("bindings") or ()
    )


def newest_revision(service: Any) -> str | None:
    """What `describe_service` printed: the name of the revision that was made last; None where unknown."""
    name = (service.get("status") or {}).get("latestCreatedRevisionName")
    return None if name is None else str(name)


def names(revisions: Any) -> tuple[str, ...]:
    """What `list_revisions` printed: their names."""
    return tuple(revision["metadata"]["name"] for revision in revisions or ())


def parse_tags(service: Any) -> dict[str, str]:
    """What `describe_service` printed: by tag the revision that it points at."""
    traffic = (service.get("status") or {}).get("traffic") or ()
    return {entry["tag"]: entry["revisionName"] for entry in traffic if entry.get("tag")}


def removals(
    service: Service, tags: Mapping[str, str], versions: tuple[str, ...] | None = None
) -> tuple[Removal, ...]:
    """What of the kit's making is there, in the order in which it must go.

    Args:
        service: what is there.
        tags: by tag the revision that it points at.
        versions: those revisions only; None for all of them, with the service itself where it has no others.
    """
    place = service.place
    ours, others = service.divided(versions)
    if not ours:
        return ()
    if versions is None and not others:
        names = ", ".join(version.name for version in ours)
        counted = (
            text("the service {service}, {count} revision ({names})")
            if len(ours) == 1
            else text("the service {service}, {count} revisions ({names})")
        )
        what = counted.format(service=place.service, count=len(ours), names=names)
        return (Removal(what, delete_service(place)),)
    steps, notes = [], []
    serving = [version for version in ours if version.traffic > 0]
    if serving and others:
        names = ", ".join(version.name for version in serving)
        heir = others[0].name
        steps.append(
            Removal(
                text("the traffic of {names}, which goes to {heir}", names=names, heir=heir),
                update_traffic(place, heir),
            )
        )
    for version in ours:
        if version in serving and not others:
            notes.append(text("{name}: it serves, and there is no other revision", name=version.name))
        elif version is service.versions[0]:
            # https://docs.cloud.google.com/run/docs/managing/revisions#delete
            why = text("the newest revision of a service cannot be deleted. Without traffic it costs nothing")
            notes.append(join(": ", (version.name, why)))
    named = [version.name for version in ours if version not in serving or others]
    if gone := [tag for tag, revision in tags.items() if revision in named]:
        steps.append(Removal(text("the tags {what}", what=", ".join(gone)), remove_tags(place, *gone)))
    steps += [
        Removal(text("the revision {name}", name=name), delete_revision(place, name))
        for name in named
        if name != service.versions[0].name
    ]
    return (*steps, *(Removal(note, None) for note in notes))


def images_stay(place: Place) -> Removal:
    """What outlives single revisions: no image or archive is named by one."""
    what = text(
        "the images {images} and uploaded archives, which may cost money: they go with the service "
        "(kit destroy {target})",
        images=image(place),
        target=place.target,
    )
    return Removal(what, None)


def _gone(kind: str, name: str) -> str:
    """What `delete` says of what is not there (command_lib/run/deletion.py)."""
    return f"{kind} [{name}] could not be found."


def _revision(revision: Any, traffic: Sequence[Mapping[str, Any]], least: int) -> Version:
    metadata = revision["metadata"]
    name, labels = metadata["name"], metadata.get("labels") or {}
    own = [entry for entry in traffic if entry.get("revisionName") == name]
    share = sum(entry.get("percent") or 0 for entry in own) / 100
    target = labels.get(TARGET_LABEL)
    variables = _variables(revision) if target is not None else {}
    scale = (metadata.get("annotations") or {}).get(_MIN_OF_REVISION)
    return Version(
        name=name,
        url=next((entry["url"] for entry in own if entry.get("url")), None),
        created_at=metadata.get("creationTimestamp"),
        traffic=share,
        # A revision with neither traffic nor a tag cannot be asked, so none of it is kept running.
        running=bool(own),
        target=target,
        digest=labels.get(BUNDLE_LABEL) if target is not None else None,
        min_instances=max(int(scale or 0), least if share else 0),
        token_sha256=variables.get(TOKEN_SHA256),
        preview=variables.get(PREVIEW),
        tags=tuple(str(entry["tag"]) for entry in own if entry.get("tag")),
        app=labels.get(APP_LABEL) if target is not None else None,
    )


def _variables(revision: Any) -> dict[str, str]:
    """A revision's variables; those that come from Secret Manager have no value here."""
    containers = (revision.get("spec") or {}).get("containers") or ()
    return {
        entry["name"]: entry["value"]
        for container in containers
        for entry in container.get("env") or ()
        if "value" in entry
    }
