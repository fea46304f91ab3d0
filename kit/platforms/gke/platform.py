"""Google Kubernetes Engine: versions as deployments of a cluster, behind one load balancer of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from kit.errors import Code, KitError
from kit.language import text
from kit.platforms.command import Command
from kit.platforms.findings import Candidate, Finding, PreflightOptions, Seen, dicts
from kit.platforms.gcloud.kubectl_rules import INSTALL_PLUGIN, PLUGIN
from kit.platforms.gke import commands
from kit.platforms.platform import Host, Option, Platform
from kit.platforms.service import APP, TARGET_LABEL, Place

if TYPE_CHECKING:
    from kit.platforms.gcloud.runner import Gcloud

_CREATE: Final = "create_cluster"
# What --create-cluster calls one that no setting names.
_CLUSTER: Final = "streamproof"
# kubectl signs in by the plugin alone from this version on
# (https://cloud.google.com/blog/products/containers-kubernetes/kubectl-auth-changes-in-gke).
_OLDEST_KUBECTL: Final = (1, 26)
_APIS: Final = ("container.googleapis.com", "compute.googleapis.com")
# A cluster that is being repaired or updated takes deployments.
_TAKES: Final = ("RUNNING", "RECONCILING", "DEGRADED")
_PULLS: Final = frozenset(
    (
        *("roles/artifactregistry.reader", "roles/artifactregistry.writer", "roles/artifactregistry.admin"),
        *("roles/artifactregistry.repoAdmin", "roles/viewer", "roles/editor", "roles/owner"),
    )
)
_RATES: Final = text(
    "cluster $0.10 an hour (a monthly credit of $74.40 pays for one), each pod of the default size about "
    "$0.014, load balancer $0.025: about $0.14 an hour with one pod; list prices of us-central1, September "
    "and October 2026"
)


class Gke(Platform):
    """The cluster is the user's, or made when the user says so; services are public from the first moment."""

    name = "gke"
    open_to_all = True
    renders_release = True
    serves_first = False
    no_previews = text(
        "On GKE a version without traffic is asked below a path of the one route that leads to what serves, "
        "so each preview would change that route, and its pods would cost money all the time."
    )
    # A load balancer takes minutes from its first rule to its first answer, and somewhat less for one more.
    ready_within_s = 900.0
    moves_within_s = 120.0
    rates = _RATES
    no_secrets = ""
    refused_flags = MappingProxyType(
        dict.fromkeys(
            (
                *("tag", "config", "pack", "source", "dir", "suppress-logs", "gcs-source-staging-dir"),
                *("git-source-dir", "git-source-revision"),
            ),
            "the line builds the image of the bundle, and the kit finds it there",
        )
    )
    options = (
        Option(
            "gke",
            "The cluster of Google Kubernetes Engine to deploy to.",
            metavar="CLUSTER",
            setting="cluster",
        ),
        Option(_CREATE, "Make that cluster, if there is none; it costs money all the time."),
    )

    def at(self, place: Place, gcloud: Gcloud) -> Host:
        """One service in one namespace of one cluster."""
        from kit.platforms.gke.host import GkeHost

        return GkeHost(place, gcloud)

    def wanted(self, settings: Mapping[str, Any], said: Mapping[str, str]) -> bool:
        """A cluster costs money all the time: `--all` makes none unasked, and uses one that is named."""
        return bool(settings.get("cluster") or _CREATE in said)

    def within(
        self, target: str, settings: Mapping[str, Any], said: Mapping[str, str], known: str | None
    ) -> str:
        """The cluster and the namespace: those of the settings, else those on record."""
        before, _, space = (known or "").partition("/")
        cluster = str(settings.get("cluster") or before or (_CLUSTER if _CREATE in said else ""))
        namespace = str(settings.get("namespace") or space)
        if not cluster:
            raise KitError(
                Code.NOT_READY_TO_DEPLOY,
                text("No cluster was named for {target}.", target=target),
                text(
                    "Name one with --gke CLUSTER; --create-cluster makes one, which costs money all the time."
                ),
            )
        if known is not None and (before, space) != (cluster, namespace):
            raise KitError(
                Code.NOT_READY_TO_DEPLOY,
                text(
                    "{target} is on record as deployed in the cluster {before} (namespace {space}), not in "
                    "{cluster} ({namespace}).",
                    target=target,
                    before=before,
                    space=space,
                    cluster=cluster,
                    namespace=namespace,
                ),
                text(
                    "`kit destroy {target}` removes it there; or deploy from another folder, which keeps a "
                    "record of its own.",
                    target=target,
                ),
            )
        return commands.within(cluster, namespace)

    def release_environment(self, place: Place, version: str) -> Mapping[str, str]:
        """Nothing on GKE names the project, by which a log's lines name their trace."""
        marks = {} if place.app is None else {APP: place.app}
        return {"STREAMPROOF_VERSION": version, "GOOGLE_CLOUD_PROJECT": place.project, **marks}

    def settings_within(self, within: str | None) -> Mapping[str, Any]:
        """The namespace."""
        return {} if within is None else {"namespace": within.partition("/")[2]}

    def reads(self, project: str, candidates: Sequence[Candidate] = ()) -> Mapping[str, Command]:
        """All clusters, and what it takes to speak to one."""
        return {
            "clusters": commands.list_clusters(project),
            "kubectl": Command(("version", "--client", "--output=json"), program="kubectl"),
            # What it prints to kubectl: an access token.
            "plugin": Command((), program=PLUGIN, secret=True, folder=commands.kubeconfig()),
        }

    def apis(self, candidate: Candidate) -> Iterable[str]:
        """Two."""
        return _APIS

    def needs(
        self, candidates: Sequence[Candidate], options: PreflightOptions, seen: Seen
    ) -> Iterator[Finding]:
        """The tools, a cluster that takes deployments, nodes that may pull, and no secret over plain HTTP."""
        yield from _tools(seen)
        for one in candidates:
            yield from _cluster(one.place, options, seen)
            yield from _plain_http(one, options)
            yield from _secrets(one)
            look = seen.looks.get(one.place.target)
            if isinstance(look, KitError) and look.code is Code.NOT_READY_TO_DEPLOY:
                yield Finding("stop", look.message, look.hint)

    def default_account(self, project: str, seen: Seen) -> str | None:
        """None: pods act as an account of Kubernetes', which has no role in the project."""
        return None

    def costs(self, candidate: Candidate) -> Finding:
        """All the time: nothing of it scales to zero."""
        name = candidate.place.target
        return Finding(
            "note",
            text("{name} costs money all the time, asked or not: {rates}.", name=name, rates=_RATES),
            text("Remove it when you are done: `kit destroy {name}`.", name=name),
        )

    def log_filter(self, place: Place, version: str | None) -> tuple[str, Mapping[str, str | None]]:
        """By the labels of pods, which Cloud Logging puts beside those of the resource."""
        return "k8s_container", {
            "cluster_name": commands.cluster(place),
            "namespace_name": commands.namespace(place),
            f"k8s-pod/{TARGET_LABEL}": place.target,
            f"k8s-pod/{commands.VERSION_LABEL}": version,
        }

    def proxy(self, place: Place, version: str | None) -> tuple[Command, ...]:
        """Past the load balancer, so nothing that is measured there speaks for it."""
        if version is None:
            return ()
        folder = commands.kubeconfig()
        return commands.get_credentials(place, folder), commands.forward(place, folder, version)


def _secrets(one: Candidate) -> Iterator[Finding]:
    namespace, name = commands.namespace(one.place), one.place.target
    for variable, ref in one.secrets.items():
        secret = ref.partition(":")[0]
        if ref.startswith("projects/"):
            yield Finding(
                "stop",
                text(
                    "{name} reads Secrets of its own namespace, and {variable} names one of another project.",
                    name=name,
                    variable=variable,
                ),
                text(
                    "Name a Secret of the namespace {namespace}: {variable}=SECRET:latest.",
                    namespace=namespace,
                    variable=variable,
                ),
            )
            continue
        make = f"kubectl create secret generic {secret} --namespace={namespace} --from-file={variable}=FILE"
        yield Finding(
            "note",
            text(
                "{name} takes {variable} from the key {variable} of the Secret {secret} in the namespace "
                "{namespace}. Without it no pod starts.",
                name=name,
                variable=variable,
                secret=secret,
                namespace=namespace,
            ),
            text("Make it, if it is not there: `{make}`.", make=make),
        )


def _tools(seen: Seen) -> Iterator[Finding]:
    for name, install in (
        ("kubectl", text("Install it: `gcloud components install kubectl`, or the package kubectl.")),
        ("plugin", INSTALL_PLUGIN),
    ):
        found = seen.own.get(name)
        if isinstance(found, KitError) and found.code is Code.NOT_READY_TO_DEPLOY:
            yield Finding("stop", found.message, install)
    found = seen.own.get("kubectl")
    client = found.get("clientVersion") if isinstance(found, dict) else None
    match = re.match(r"v(\d+)\.(\d+)", str((client or {}).get("gitVersion", "")))
    if match is not None and (int(match[1]), int(match[2])) < _OLDEST_KUBECTL:
        oldest = ".".join(map(str, _OLDEST_KUBECTL))
        yield Finding(
            "stop",
            f"kubectl {match[0].removeprefix('v')} is too old: the kit needs {oldest}.",
            text("Update it: `gcloud components update`, or by the package manager that installed it."),
        )


def _cluster(place: Place, options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    name, clusters = commands.cluster(place), seen.own.get("clusters")
    if not isinstance(clusters, list):
        if seen.is_off(_APIS[0]):
            yield Finding(
                "note", text("Whether there is a cluster {name} can be seen once that API is on.", name=name)
            )
        return
    there = {(one.get("name"), one.get("location")): one for one in dicts(clusters)}
    found = there.get((name, place.region))
    if found is not None:
        status = str(found.get("status", "RUNNING"))
        if status not in _TAKES:
            yield Finding(
                "stop",
                text("The cluster {name} takes no deployment: it is {status}.", name=name, status=status),
                text(
                    "Wait until `gcloud container clusters describe {name} --location={region} "
                    "--project={project}` says RUNNING.",
                    name=name,
                    region=place.region,
                    project=place.project,
                ),
            )
        yield from _pulls(found, options, seen)
        return
    elsewhere = sorted(str(location) for known, location in there if known == name)
    others = sorted(str(known) for known, location in there if location == place.region)
    if _CREATE in options.said and not elsewhere:
        yield Finding(
            "ask",
            text(
                "There is no cluster {name} in {region}: an Autopilot cluster is made, which took others 5 "
                "to 10 minutes, and costs money until it is removed.",
                name=name,
                region=place.region,
            ),
            text("Say no to make none."),
            commands.create_cluster(place),
        )
        return
    where = text("; one of that name is in {what}", what=" and ".join(elsewhere)) if elsewhere else ""
    yield Finding(
        "stop",
        text("There is no cluster {name} in {region}{where}.", name=name, region=place.region, where=where),
        (text("Name one that is there, {what}, with --gke. ", what=" or ".join(others)) if others else "")
        + (text("Name its region with --region.") if elsewhere else text("--create-cluster makes it.")),
    )


def _pulls(cluster: Mapping[str, Any], options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    """A warning where the account of the nodes is not seen to have a role with which they may pull."""
    account = str((cluster.get("nodeConfig") or {}).get("serviceAccount") or "default")
    number = seen.project.get("projectNumber") if isinstance(seen.project, dict) else None
    if account == "default" and number:
        account = f"{number}-compute@developer.gserviceaccount.com"
    if not isinstance(seen.policy, dict) or account == "default":
        return  # that it could not be read is said already
    roles = {
        binding.get("role")
        for binding in dicts(seen.policy.get("bindings"))
        if f"serviceAccount:{account}" in (binding.get("members") or ()) and not binding.get("condition")
    }
    if not roles & _PULLS:
        yield Finding(
            "warn",
            text(
                "The project does not say that {account}, as which the nodes pull images, may do so.",
                account=account,
            ),
            text(
                "If no pod starts: `gcloud projects add-iam-policy-binding {project} "
                "--member=serviceAccount:{account} --role=roles/artifactregistry.reader`.",
                project=options.project,
                account=account,
            ),
        )


def _plain_http(one: Candidate, options: PreflightOptions) -> Iterator[Finding]:
    """A bare address has no certificate, so all that callers show there can be read on the way."""
    name = one.place.target
    if one.settings.get("certmap") or not (options.secret or options.costly):
        return
    what = (
        text("{secret} that callers show could be read on the way", secret=options.secret)
        if options.secret
        else text(
            "all callers could ask {costly}, at your expense, since no token would be safe",
            costly=options.costly,
        )
    )
    yield Finding(
        "stop",
        text("{name} answers over plain HTTP, where {what}.", name=name, what=what),
        text(
            "HTTPS takes a domain of yours and a certificate map for it: `--set {name}.host=HOST --set "
            "{name}.certmap=MAP`.",
            name=name,
        ),
    )


PLATFORM: Final = Gke()
