"""GKE's lines of gcloud and kubectl. Pure: `host.py` runs them.

Every line has a kubeconfig of the kit's own (`Folder`) and names its context, so the user's own and its
current context are neither read nor changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kit.platforms.command import Command, Folder
from kit.platforms.gcloud import flags
from kit.platforms.gcloud.commands import change, pairs
from kit.platforms.gcloud.leftovers import path
from kit.platforms.service import APP_LABEL, TARGET_LABEL, Place, Release

NAMESPACE_LABEL: Final = "streamproof-namespace"
VERSION_LABEL: Final = "streamproof-version"
REPOSITORY: Final = "streamproof"
MANAGER: Final = "streamproof"
# How long pods may take to be ready and a Gateway to be programmed; a cluster's first pod waits for a node.
PATIENCE_S: Final = 600
CONFIG: Final = "config"
# What the kit looks at.
KINDS: Final = "gateways,httproutes,deployments,services,gcpbackendpolicies,pods"


def kubeconfig() -> Folder:
    """An empty one. The sign-in plugin keeps a token beside it, so it is on disk only while a line runs."""
    return Folder("KUBECONFIG", CONFIG)


def cluster(place: Place) -> str:
    """The name of the cluster."""
    return (place.within or "").partition("/")[0]


def namespace(place: Place) -> str:
    """The name of the namespace in it."""
    return (place.within or "").partition("/")[2]


def within(cluster: str, namespace: str) -> str:
    """Both, as `Place.within` has them."""
    return f"{cluster}/{namespace}"


def marks(place: Place) -> dict[str, str]:
    """The label that tells the app."""
    return {} if place.app is None else {APP_LABEL: place.app}


# gcloud


def list_clusters(project: str) -> Command:
    """All clusters of a project."""
    return Command(("container", "clusters", "list", f"--project={project}", "--quiet", "--format=json"))


def create_cluster(place: Place) -> Command:
    """Make an Autopilot cluster; its labels say that the kit made it, and for what."""
    labels = {TARGET_LABEL: place.target, NAMESPACE_LABEL: namespace(place), **marks(place)}
    words = ("container", "clusters", "create-auto", cluster(place), f"--labels={pairs(labels)}")
    return Command(
        (*words, *_location(place)),
        changes=True,
        folder=kubeconfig(),
    )


def get_credentials(place: Place, folder: Folder) -> Command:
    """Write the cluster's address and certificate into a kubeconfig; no secret."""
    return Command(
        ("container", "clusters", "get-credentials", cluster(place), *_location(place)),
        absent=(_no_cluster(place),),
        folder=folder,
    )


def describe_cluster(place: Place) -> Command:
    """The cluster."""
    words = ("container", "clusters", "describe", cluster(place), *_location(place), "--format=json")
    return Command(words, absent=(_no_cluster(place),))


def delete_cluster(place: Place) -> Command:
    """Remove the cluster."""
    return Command(
        ("container", "clusters", "delete", cluster(place), *_location(place)),
        changes=True,
        repeatable=True,
        absent=(_no_cluster(place),),
        folder=kubeconfig(),
    )


def describe_repository(place: Place) -> Command:
    """The repository of images; gcloud fails where there is none."""
    words = ("artifacts", "repositories", "describe", REPOSITORY, *_location(place), "--format=json")
    return Command(words, absent=("NOT_FOUND: Requested entity was not found.",))


def create_repository(place: Place) -> Command:
    """Make it."""
    words = ("artifacts", "repositories", "create", REPOSITORY, "--repository-format=docker")
    return Command((*words, *_location(place)), changes=True)


def build(release: Release) -> Command:
    """Upload the bundle and build its image; what is printed names the image's digest."""
    place = release.place
    return change(
        place,
        *("builds", "submit", str(release.folder), f"--tag={image(place)}:{release.version}"),
        *("--suppress-logs", f"--gcs-source-staging-dir={_staging(place)}", "--format=json"),
        *flags.words(release.settings),
    )


def image(place: Place) -> str:
    """The package of all images of a service."""
    return f"{place.region}-docker.pkg.dev/{path(place.project)}/{REPOSITORY}/{place.service}"


def archives(place: Place) -> str:
    """Where all archives of a service lie that were uploaded for builds, as a prefix."""
    return f"{_staging(place)}/**"


def list_forwarding_rules(place: Place) -> Command:
    """All of the project's that are not of one region."""
    words = ("compute", "forwarding-rules", "list", "--global", f"--project={place.project}", "--quiet")
    return Command((*words, "--format=json(name,description)"))


def list_endpoint_groups(place: Place) -> Command:
    """All of the project's groups of pods that load balancers send to."""
    words = ("compute", "network-endpoint-groups", "list", f"--project={place.project}", "--quiet")
    return Command((*words, "--format=json(name,zone,description)"))


# kubectl


def get(place: Place, folder: Folder, *words: str, absent: tuple[str, ...] = ()) -> Command:
    """Read from the cluster, as JSON."""
    return _kubectl(place, folder, "get", *words, "--output=json", absent=absent)


def get_namespace(place: Place, folder: Folder) -> Command:
    """The namespace; kubectl fails where there is none."""
    name = namespace(place)
    absent = (f'Error from server (NotFound): namespaces "{name}" not found',)
    return get(place, folder, "namespace", name, absent=absent)


def apply(place: Place, folder: Folder, manifests: Path | str | Mapping[str, Any], what: str) -> Command:
    """Have the cluster hold what manifests say.

    Args:
        place: where.
        folder: the kubeconfig.
        manifests: a file with them, their text, or one of them.
        what: in words.
    """
    if isinstance(manifests, Mapping):
        manifests = json.dumps(manifests, separators=(",", ":"))
    words = ("apply", "--server-side", f"--field-manager={MANAGER}", "--filename=-")
    return _kubectl(place, folder, *words, changes=True, stdin=manifests, input=what)


def rollout(place: Place, folder: Folder, version: str) -> Command:
    """Wait until all pods of a version are ready."""
    words = ("rollout", "status", f"deployment/{place.service}-{version}", f"--timeout={PATIENCE_S}s")
    return _kubectl(place, folder, *words)


def wait_for_front(place: Place, folder: Folder) -> Command:
    """Wait until the load balancer is there."""
    words = ("wait", "--for=condition=Programmed", f"gateway/{place.service}", f"--timeout={PATIENCE_S}s")
    return _kubectl(place, folder, *words)


def get_everywhere(place: Place, folder: Folder) -> Command:
    """All deployments of the cluster."""
    return get(place, folder, "deployments", "--all-namespaces")


def delete(place: Place, folder: Folder, *what: str) -> Command:
    """Remove objects, and wait until they have gone; nothing where they are not there."""
    # The cluster itself says so, by the certificate that its kubeconfig names: no proxy on the way can.
    return _kubectl(place, folder, "delete", *what, "--wait", "--ignore-not-found", changes=True)


def delete_version(place: Place, folder: Folder, version: str) -> Command:
    """Remove a version with all that is its own."""
    kinds = ("deployment", "service", "gcpbackendpolicy", "healthcheckpolicy")
    return delete(place, folder, *(f"{kind}/{place.service}-{version}" for kind in kinds))


def delete_pods(place: Place, folder: Folder, version: str) -> Command:
    """Have a version's pods made anew."""
    return delete(place, folder, "pods", f"--selector={VERSION_LABEL}={version}")


def delete_namespace(place: Place, folder: Folder) -> Command:
    """Remove the namespace with all that is in it."""
    return delete(place, folder, "namespace", namespace(place))


def forward(place: Place, folder: Folder, version: str) -> Command:
    """Pass what asks this machine on to a pod of a version, until it is ended."""
    where = (f"--namespace={namespace(place)}", f"--context={context(place)}")
    name = f"deployment/{place.service}-{version}"
    return Command(("port-forward", name, "8080:http", *where), program="kubectl", folder=folder)


def context(place: Place) -> str:
    """What `get-credentials` calls it."""
    return f"gke_{place.project}_{place.region}_{cluster(place)}"


def _kubectl(place: Place, folder: Folder, *words: str, changes: bool = False, **more: Any) -> Command:
    where = (f"--namespace={namespace(place)}", f"--context={context(place)}")
    return Command(
        (*words, *where), changes=changes, repeatable=changes, program="kubectl", folder=folder, **more
    )


def _location(place: Place) -> tuple[str, ...]:
    return (f"--location={place.region}", f"--project={place.project}", "--quiet")


def _no_cluster(place: Place) -> str:
    """What gcloud says where there is no such cluster."""
    where = f"projects/{place.project}/locations/{place.region}/clusters/{cluster(place)}"
    return f"ResponseError: code=404, message=Not found: {where}."


def _staging(place: Place) -> str:
    bucket = f"{place.project.replace(':', '_').replace('.', '_').replace('google', 'elgoog')}_cloudbuild"
    return f"gs://{bucket}/{REPOSITORY}/{place.service}"
