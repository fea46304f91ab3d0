"""Cloud Run: a service in a region, private until it is opened, that scales to zero."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from kit.language import text
from kit.platforms.cloud_run import commands
from kit.platforms.command import Command
from kit.platforms.findings import (
    OPEN,
    Candidate,
    Finding,
    PreflightOptions,
    Seen,
    dicts,
    preview_too_long,
    too_long,
)
from kit.platforms.platform import Host, Platform
from kit.platforms.service import VERSION_CHARACTERS, Place

if TYPE_CHECKING:
    from kit.platforms.gcloud.runner import Gcloud

# TAG---SERVICE, with the hash and region that Cloud Run puts behind, is one label of a DNS name.
_TAG_AND_SERVICE_CHARACTERS: Final = 46
_POLICY: Final = f"{OPEN}who may read the secret "
# https://docs.cloud.google.com/secret-manager/docs/access-control
_READS_SECRETS: Final = frozenset(
    ("roles/secretmanager.secretAccessor", "roles/secretmanager.admin", "roles/owner")
)


class CloudRun(Platform):
    """Versions are revisions; those that the kit made have a tag each, and by it a URL."""

    name = "cloud_run"
    no_secrets = ""
    setting_flags = MappingProxyType(commands.SETTING_FLAGS)
    refused_flags = MappingProxyType(
        {
            **dict.fromkeys(("traffic", "tag"), "a version gets its traffic once it was measured at its tag"),
            **dict.fromkeys(("source", "image", "function"), "what is deployed is the bundle"),
            **dict.fromkeys(("command", "args"), "the bundle says how it is started"),
            **dict.fromkeys(("container", "remove-containers"), "the kit deploys one container"),
            "revision-suffix": "the kit names the version",
            **dict.fromkeys(
                ("labels", "update-labels", "remove-labels", "clear-labels"),
                "by its labels the kit knows what it made",
            ),
            **dict.fromkeys(
                ("allow-unauthenticated", "invoker-iam-check"),
                "a service is opened once it was measured: --public of `kit deploy`",
            ),
            "default-url": "the kit measures a version at the URL of its tag",
            **dict.fromkeys(
                ("set-env-vars", "update-env-vars", "remove-env-vars", "clear-env-vars", "env-vars-file"),
                "--env of `kit deploy` gives variables, or [env] of kit.toml",
            ),
            **dict.fromkeys(
                ("update-secrets", "remove-secrets", "clear-secrets"),
                "--set-secrets of `kit deploy` gives secrets, or [secrets] of kit.toml",
            ),
            **dict.fromkeys(
                ("platform", "cluster", "cluster-location", "context", "kubeconfig", "namespace"),
                "the kit deploys to Cloud Run, fully managed",
            ),
        }
    )

    def at(self, place: Place, gcloud: Gcloud) -> Host:
        """One service in one region."""
        from kit.platforms.cloud_run.host import CloudRunHost

        return CloudRunHost(place, gcloud)

    def release_environment(self, place: Place, version: str) -> Mapping[str, str]:
        """Cloud Run names the revision, but no project, by which a log's lines name their trace."""
        return {"GOOGLE_CLOUD_PROJECT": place.project}

    def reads(self, project: str, candidates: Sequence[Candidate] = ()) -> Mapping[str, Command]:
        """Which secrets there are, and who may read those that are wanted."""
        wanted = {name for one in candidates for name in _secrets(one)}
        if not wanted:
            return {}
        policies = {f"{_POLICY}{name}": commands.read_secret_policy(project, name) for name in sorted(wanted)}
        return {"secrets": commands.list_secrets(project), **policies}

    def apis(self, candidate: Candidate) -> Iterable[str]:
        """One, and another for secrets."""
        secrets = ("secretmanager.googleapis.com",) if _secrets(candidate) else ()
        return ("run.googleapis.com", *secrets)

    def needs(
        self, candidates: Sequence[Candidate], options: PreflightOptions, seen: Seen
    ) -> Iterator[Finding]:
        """Names that fit; secrets that are there, and that the service may read."""
        for one in candidates:
            account = one.service_account or self.default_account(options.project, seen)
            yield from _of_secrets(one, account, options, seen)
            if options.preview is not None:
                room = _TAG_AND_SERVICE_CHARACTERS - len(one.place.service)
                yield from preview_too_long(
                    one.place, options.preview, room, text("the service {service}", service=one.place.service)
                )
                continue
            yield from too_long(
                one.place, _TAG_AND_SERVICE_CHARACTERS - VERSION_CHARACTERS, text("tag and service")
            )

    def at_once(self, settings: Mapping[str, Any]) -> int | None:
        """Those of all its instances."""
        return int(settings["concurrency"]) * int(settings["max_instances"])

    def log_filter(self, place: Place, version: str | None) -> tuple[str, Mapping[str, str | None]]:
        """The version's name may be given without the service's before it."""
        if version is not None and not version.startswith(f"{place.service}-"):
            version = f"{place.service}-{version}"
        labels = {"service_name": place.service, "location": place.region, "revision_name": version}
        return "cloud_run_revision", labels

    def proxy(self, place: Place, version: str | None) -> tuple[Command, ...]:
        """`gcloud run services proxy`, which asks with the caller's own identity token."""
        return (commands.proxy(place),)


def _secrets(one: Candidate) -> list[str]:
    """The names of the secrets that a target wants of its own project, each once."""
    refs = (ref.partition(":")[0] for ref in one.secrets.values() if not ref.startswith("projects/"))
    return list(dict.fromkeys(refs))


def _of_secrets(
    one: Candidate, account: str | None, options: PreflightOptions, seen: Seen
) -> Iterator[Finding]:
    listed, name = seen.own.get("secrets"), one.place.target
    there = {str(each.get("name", "")).rpartition("/")[2] for each in dicts(listed)}
    for secret in _secrets(one):
        if isinstance(listed, list) and secret not in there:
            make = f"gcloud secrets create {secret} --data-file=FILE --project={options.project}"
            yield Finding(
                "stop",
                text(
                    "There is no secret {secret} in the project {project}, for {name}.",
                    secret=secret,
                    project=options.project,
                    name=name,
                ),
                text("Make it: `{make}`. With - for FILE it is read from standard input.", make=make),
            )
            continue
        policies = (seen.policy, seen.own.get(f"{_POLICY}{secret}"))
        if account is None or not all(isinstance(each, dict) for each in policies):
            continue
        may = {
            binding.get("role")
            for each in policies
            if isinstance(each, dict)
            for binding in dicts(each.get("bindings"))
            if f"serviceAccount:{account}" in (binding.get("members") or ())
        }
        if not may & _READS_SECRETS:
            yield Finding(
                "warn",
                text(
                    "It is not seen that {account}, as which {name} runs, may read the secret {secret}.",
                    account=account,
                    name=name,
                    secret=secret,
                ),
                text(
                    "Let it: `gcloud secrets add-iam-policy-binding {secret} "
                    "--member=serviceAccount:{account} --role=roles/secretmanager.secretAccessor "
                    "--project={project}`.",
                    secret=secret,
                    account=account,
                    project=options.project,
                ),
            )


PLATFORM: Final = CloudRun()
