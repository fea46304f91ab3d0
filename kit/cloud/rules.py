"""Conditions of a deployment, in the project and for each target: a rule each. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from kit.errors import Code, KitError
from kit.language import join, text
from kit.platforms import load
from kit.platforms.command import Command
from kit.platforms.findings import (
    LEVELS,
    OPEN,
    Candidate,
    Finding,
    PreflightOptions,
    Read,
    Rule,
    Seen,
    dicts,
    taken,
    unscoped,
)
from kit.platforms.gcloud.fault_rules import UPDATE
from kit.platforms.service import Service

# App Engine Flexible's operating systems need it: cloud.google.com/appengine/docs/flexible/python/runtime,
# "install version 420.0.0 or later of the gcloud CLI" (known by excerpt).
OLDEST: Final = (420, 0, 0)
# The version whose flags the kit's command lines are tested against.
TESTED: Final = (528, 0, 0)
_CONSOLE: Final = "https://console.cloud.google.com"
_EDITOR: Final = "roles/editor"
_BUILDS: Final = ("cloudbuild.googleapis.com", "artifactregistry.googleapis.com", "storage.googleapis.com")
# Reads whose failure only leaves a question open; what they would have found, the deployment will.
_OPTIONAL: Final = {
    "project": text("what the project's number is"),
    "billing": text("whether billing is on"),
    "apis": text("which APIs are on"),
    "policy": text("what the default service account may do"),
    "version": text("which version of gcloud this is"),
    "accounts": text("who is signed in"),
    "secrets": text("which secrets there are"),
}
# These are not about one read: no other can succeed, and nothing can be deployed.
GRAVE: Final = (
    Code.GCLOUD_MISSING,
    Code.NOT_SIGNED_IN,
    Code.UNREACHABLE,
    Code.TLS_FAILED,
    Code.CANNOT_WRITE,
)


Candidates = Sequence[Candidate]


def _gcloud(candidates: Candidates, options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    version = seen.version.get("Google Cloud SDK") if isinstance(seen.version, dict) else None
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", str(version or ""))
    if match is None:
        return
    version = tuple(map(int, match.groups()))
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        yield Finding("stop", f"gcloud {match[0]} is too old: the kit needs {oldest}.", UPDATE)
    elif version < TESTED:
        tested = ".".join(map(str, TESTED))
        yield Finding(
            "warn", f"gcloud {match[0]} is older than {tested}, which the kit is tested with.", UPDATE
        )


def _account(candidates: Candidates, options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    if options.signed_in_by_env or not isinstance(seen.accounts, list):
        return
    if not any(account.get("status") == "ACTIVE" for account in dicts(seen.accounts)):
        yield Finding("stop", text("gcloud is not signed in."), text("Sign in: `gcloud auth login`."))


def _project(candidates: Candidates, options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    if options.project_implied:
        yield Finding(
            "ask",
            text(
                "The project {project} was not named for this: {project_source} names it.",
                project=options.project,
                project_source=options.project_source,
            ),
            text("Name it with `--project {project}`, or in kit.toml.", project=options.project),
        )
    if isinstance(seen.project, dict):
        state = seen.project.get("lifecycleState", "ACTIVE")
        if state != "ACTIVE":
            yield Finding(
                "stop",
                text(
                    "The project {project} is about to be deleted ({state}).",
                    project=options.project,
                    state=state,
                ),
                text(
                    "Restore it, `gcloud projects undelete {project}`, or name another with --project.",
                    project=options.project,
                ),
            )


def _billing(candidates: Candidates, options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    if isinstance(seen.billing, dict) and seen.billing.get("billingEnabled") is not True:
        yield Finding(
            "stop",
            text(
                "Billing is off for the project {project}, and every deployment builds an image, which "
                "needs it.",
                project=options.project,
            ),
            text(
                "Link an account: {console}/billing/linkedaccount?project={project}",
                console=_CONSOLE,
                project=options.project,
            ),
        )


def needed_apis(candidates: Candidates, options: PreflightOptions) -> tuple[str, ...]:
    """The APIs that the targets' deployments use, and those that the service will, each once."""
    own = (api for one in candidates for api in load(one.place.platform).apis(one))
    return (*dict.fromkeys(own), *_BUILDS, *options.apis)


def _apis(candidates: Candidates, options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    if off := [api for api in needed_apis(candidates, options) if seen.is_off(api)]:
        words = ("services", "enable", *off, f"--project={options.project}", "--quiet")
        command = Command(words, changes=True, repeatable=True)
        is_off = text("{count} of the APIs that this needs is off in the project {project}: {apis}.")
        are_off = text("{count} of the APIs that this needs are off in the project {project}: {apis}.")
        yield Finding(
            "ask",
            (is_off if len(off) == 1 else are_off).format(
                count=len(off), project=options.project, apis=", ".join(off)
            ),
            text("Switch on what is missing: `{line}`.", line=command.line),
            command,
        )


def _platforms(candidates: Candidates, options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    for name, group in by_platform(candidates).items():
        yield from load(name).needs(group, options, seen)


def by_platform(candidates: Candidates) -> dict[str, list[Candidate]]:
    """The targets of each platform, in order."""
    groups: dict[str, list[Candidate]] = {}
    for one in candidates:
        groups.setdefault(one.place.platform, []).append(one)
    return groups


def _default_accounts(candidates: Candidates, options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    if not isinstance(seen.policy, dict):
        return
    editors = {
        str(member)
        for binding in dicts(seen.policy.get("bindings"))
        if binding.get("role") == _EDITOR and not binding.get("condition")
        for member in binding.get("members") or ()
    }
    accounts: dict[str, list[str]] = {}
    for one in candidates:
        if one.service_account:
            continue
        account = load(one.place.platform).default_account(options.project, seen)
        if account and f"serviceAccount:{account}" in editors:
            accounts.setdefault(account, []).append(one.place.target)
    if accounts:
        own = f"streamproof@{unscoped(options.project)}.iam.gserviceaccount.com"
        create = f"gcloud iam service-accounts create streamproof --project={options.project}"
        named = [target for targets in accounts.values() for target in targets]
        whose = join(
            "; ",
            (
                text("{targets} as {account}", targets=join(" and ", targets), account=account)
                for account, targets in accounts.items()
            ),
        )
        yield Finding(
            "warn",
            text(
                "With its default service account a target may change everything in the project ({editor}): "
                "{whose}.",
                editor=_EDITOR,
                whose=whose,
            ),
            text(
                "Make one of its own, which for embedded text needs no role: `{create}`; then add `{what}`.",
                create=create,
                what=" ".join(f"--set {target}.service_account={own}" for target in named),
            ),
        )


def _owners(candidates: Candidates, options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    for one in candidates:
        service = seen.looks.get(one.place.target)
        if not isinstance(service, Service):
            continue
        theirs = service.not_this_apps(one.on_record) if service.ours else None
        if theirs is not None:
            said, remedy = taken(one.place, theirs)
            if options.take_over:
                remedy = text("Its traffic will go to this app's version (--replace-foreign).")
            yield Finding("warn" if options.take_over else "stop", said, remedy)
        if service.ours:
            continue
        serving = (
            text(", where {name} serves", name=service.serving.name) if service.serving is not None else ""
        )
        foreign = text(
            "The service {service} of {target}{serving}, was not made by the kit",
            service=one.place.service,
            target=one.place.target,
            serving=serving,
        )
        if options.take_over:
            yield Finding(
                "warn",
                text(
                    "{foreign}, and its traffic will go to the kit's version (--replace-foreign).",
                    foreign=foreign,
                ),
            )
        else:
            yield Finding(
                "stop",
                foreign + ".",
                text(
                    "Choose another name, `--set {target}.service=NAME`, or add --replace-foreign, if it is "
                    "yours to replace.",
                    target=one.place.target,
                ),
            )


def _first_version(candidates: Candidates, options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    if options.preview is not None:
        return
    new = [
        one.place.target
        for one in candidates
        if load(one.place.platform).serves_first and seen.looks.get(one.place.target, options) is None
    ]
    if new:
        one_new = text(
            "{targets} is new: a service's first version serves at once, before it is measured. The "
            "platforms make it so."
        )
        many_new = text(
            "{targets} are new: a service's first version serves at once, before it is measured. The "
            "platforms make it so."
        )
        yield Finding(
            "note",
            (one_new if len(new) == 1 else many_new).format(targets=join(" and ", new)),
        )


def _previews(candidates: Candidates, options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    """A preview is there beside a version that serves, at an address that is no other version's."""
    for one in candidates if options.preview is not None else ():
        name, service = one.place.target, seen.looks.get(one.place.target)
        if isinstance(service, Service) and service.serving is not None:
            for version in service.versions:
                if options.preview in version.tags and version.preview != options.preview:
                    yield Finding(
                        "stop",
                        text(
                            "The tag {preview} of {service} leads to {name}, which is no preview of that "
                            "name.",
                            preview=options.preview,
                            service=one.place.service,
                            name=version.name,
                        ),
                        text("Choose another name."),
                    )
        # Where services are listed the platform may yet move a target to another that serves; then the
        # deployment looks.
        elif not isinstance(service, KitError) and load(one.place.platform).listing is None:
            yield Finding(
                "stop",
                text(
                    "Nothing serves at {service} yet, so the preview of {name} would.",
                    service=one.place.service,
                    name=name,
                ),
                text("Deploy it once: `kit deploy {name}`.", name=name),
            )


def _costs(candidates: Candidates, options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    yield from (load(one.place.platform).costs(one) for one in candidates)
    if candidates:
        yield Finding(
            "note", text("Builds cost money by the minute, images and uploaded archives by their size.")
        )


def _unread(candidates: Candidates, options: PreflightOptions, seen: Seen) -> Iterator[Finding]:
    """What could not be read, unless another finding explains it (an API that is off, an app to be made)."""
    in_project: dict[str, Read] = {
        "billing": seen.billing,
        "apis": seen.apis,
        "policy": seen.policy,
        **{name: read for name, read in seen.own.items() if not name.startswith(OPEN)},
        **{f"look {name}": look for name, look in seen.looks.items()},
    }
    reads = {"version": seen.version, "accounts": seen.accounts, "project": seen.project, **in_project}
    failed = {name: read for name, read in reads.items() if isinstance(read, KitError)}
    grave = {error.code: error for error in failed.values() if error.code in GRAVE}
    if grave:
        for error in grave.values():
            yield Finding("stop", error.message, error.hint)
        return
    # An account that may deploy may not be let to look at the project itself: then something else answers.
    nothing_answers = all(read is None or isinstance(read, KitError) for read in in_project.values())
    project = failed.get("project")
    if project is not None and nothing_answers:
        yield Finding("stop", project.message, project.hint)
        return
    explained = {Code.NOT_READY_TO_DEPLOY}
    if isinstance(seen.apis, list):
        explained.add(Code.API_OFF)
    for name, error in failed.items():
        if error.code in explained and name not in ("billing", "policy", "project"):
            continue
        if name in _OPTIONAL:
            first = error.message.partition("\n")[0].rstrip(" .:")
            yield Finding(
                "warn",
                text("It could not be seen {name}: {first}.", name=_OPTIONAL[name], first=first),
                error.hint,
            )
        else:
            yield Finding("stop", error.message, error.hint)


def judge(candidates: Candidates, options: PreflightOptions, seen: Seen) -> tuple[Finding, ...]:
    """Every finding, the gravest first."""
    found: list[Finding] = []
    for rule in _RULES:
        found += (finding for finding in rule(candidates, options, seen) if finding not in found)
    return tuple(sorted(found, key=lambda finding: LEVELS.index(finding.level)))


_RULES: Final[tuple[Rule, ...]] = (
    _gcloud,
    _account,
    _project,
    _billing,
    _apis,
    _platforms,
    _default_accounts,
    _owners,
    _first_version,
    _previews,
    _costs,
    _unread,
)
