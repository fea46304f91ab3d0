"""What the project must have before anything is deployed to it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from kit.platforms.findings import Finding, Lane, Rule, Seen, Wishes, dicts, on
from kit.platforms.gcloud.fault_rules import UPDATE
from kit.platforms.platform import Command

# App Engine Flexible's operating systems need it: cloud.google.com/appengine/docs/flexible/python/runtime,
# "install version 420.0.0 or later of the gcloud CLI" (known by excerpt).
OLDEST: Final = (420, 0, 0)
# The version whose flags the kit's command lines are tested against.
TESTED: Final = (528, 0, 0)
# "Your app may not have more than 210 versions" is what users are told; Google raises it for some.
MOST_VERSIONS: Final = 210
_FEW_LEFT: Final = 10

_CONSOLE: Final = "https://console.cloud.google.com"
_EDITOR: Final = "roles/editor"
_BUILDS: Final = ("cloudbuild.googleapis.com", "artifactregistry.googleapis.com", "storage.googleapis.com")


def _gcloud(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> Iterator[Finding]:
    text = seen.version.get("Google Cloud SDK") if isinstance(seen.version, dict) else None
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", str(text or ""))
    if match is None:
        return
    version = tuple(map(int, match.groups()))
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        yield Finding(
            "stop", f"gcloud {match[0]} is too old: App Engine Flexible's systems need {oldest}.", UPDATE
        )
    elif version < TESTED:
        tested = ".".join(map(str, TESTED))
        yield Finding(
            "warn", f"gcloud {match[0]} is older than {tested}, which the kit is tested with.", UPDATE
        )


def _account(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> Iterator[Finding]:
    if wishes.signed_in_by_env or not isinstance(seen.accounts, list):
        return
    if not any(account.get("status") == "ACTIVE" for account in dicts(seen.accounts)):
        yield Finding("stop", "gcloud is not signed in.", "Sign in: `gcloud auth login`.")


def _project(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> Iterator[Finding]:
    if wishes.project_implied:
        yield Finding(
            "ask",
            f"The project {wishes.project} was not named for this: {wishes.project_source} names it.",
            f"Name it with `--project {wishes.project}`, or in kit.toml.",
        )
    if isinstance(seen.project, dict):
        state = seen.project.get("lifecycleState", "ACTIVE")
        if state != "ACTIVE":
            yield Finding(
                "stop",
                f"The project {wishes.project} is about to be deleted ({state}).",
                f"Restore it, `gcloud projects undelete {wishes.project}`, or name another with --project.",
            )


def _billing(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> Iterator[Finding]:
    if isinstance(seen.billing, dict) and seen.billing.get("billingEnabled") is not True:
        yield Finding(
            "stop",
            f"Billing is off for the project {wishes.project}, and every deployment builds an image, "
            "which needs it.",
            f"Link an account: {_CONSOLE}/billing/linkedaccount?project={wishes.project}",
        )


def needed_apis(lanes: Sequence[Lane], wishes: Wishes) -> tuple[str, ...]:
    """The APIs that the targets' deployments use, and those that the service will, each once."""
    apis: dict[str, None] = {}
    for lane in lanes:
        if lane.place.platform == "app_engine":
            apis["appengine.googleapis.com"] = None
            if lane.flexible:
                apis["appengineflex.googleapis.com"] = None
        else:
            apis["run.googleapis.com"] = None
    return (*apis, *_BUILDS, *wishes.apis)


def _missing_apis(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> tuple[str, ...]:
    if not isinstance(seen.apis, list):
        return ()
    enabled = {str((entry.get("config") or {}).get("name")) for entry in dicts(seen.apis)}
    return tuple(api for api in needed_apis(lanes, wishes) if api not in enabled)


def _apis(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> Iterator[Finding]:
    if off := _missing_apis(lanes, wishes, seen):
        words = ("services", "enable", *off, f"--project={wishes.project}", "--quiet")
        command = Command(words, changes=True)
        yield Finding(
            "ask",
            f"{len(off)} of the APIs that this needs {'is' if len(off) == 1 else 'are'} off in the project "
            f"{wishes.project}: {', '.join(off)}.",
            f"Switch on what is missing: `{command.line}`.",
            command,
        )


def _app(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> Iterator[Finding]:
    if not on(lanes, "app_engine"):
        return
    if isinstance(seen.app, dict):
        region = seen.app.get("locationId")
        if wishes.create_app not in (None, region):
            yield Finding(
                "warn", f"The App Engine app is in {region} already, for ever: --create-app changes nothing."
            )
        if seen.app.get("servingStatus") not in (None, "SERVING"):
            yield Finding(
                "stop",
                f"The App Engine app of {wishes.project} is disabled, and takes no deployment.",
                f"Enable it: {_CONSOLE}/appengine/settings?project={wishes.project}",
            )
        return
    if not seen.has_no_app:
        if "appengine.googleapis.com" in _missing_apis(lanes, wishes, seen):
            yield Finding(
                "note",
                f"Whether {wishes.project} has an App Engine app can be seen once that API is on.",
                "If it has none, add --create-app REGION.",
            )
        return
    if wishes.create_app is None:
        yield Finding(
            "stop",
            f"The project {wishes.project} has no App Engine app, and the region of one is for ever.",
            "Choose it with --create-app REGION; `gcloud app regions list` shows them.",
        )
        return
    create = ("app", "create", f"--region={wishes.create_app}", f"--project={wishes.project}", "--quiet")
    yield Finding(
        "ask",
        f"The project {wishes.project} has no App Engine app: one is made in {wishes.create_app}, for ever.",
        "Say no to keep the project as it is.",
        Command(create, changes=True),
    )


def _quota(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> Iterator[Finding]:
    coming = len(on(lanes, "app_engine"))
    if not coming or not isinstance(seen.app_versions, list):
        return
    there = len(seen.app_versions)
    if there + coming > MOST_VERSIONS - _FEW_LEFT:
        yield Finding(
            "warn",
            f"The App Engine app has {there} versions, and usually it may have {MOST_VERSIONS}.",
            f"Delete old ones: `gcloud app versions list --project={wishes.project}`, then "
            "`gcloud app versions delete`.",
        )


def _default_accounts(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> Iterator[Finding]:
    if not isinstance(seen.policy, dict):
        return
    editors = {
        str(member)
        for binding in dicts(seen.policy.get("bindings"))
        if binding.get("role") == _EDITOR and not binding.get("condition")
        for member in binding.get("members") or ()
    }
    accounts: dict[str, list[str]] = {}
    for lane in lanes:
        account = None if lane.service_account else _default_account(lane, wishes, seen)
        if account and f"serviceAccount:{account}" in editors:
            accounts.setdefault(account, []).append(lane.place.target)
    if accounts:
        own = f"streamproof@{_unscoped(wishes.project)}.iam.gserviceaccount.com"
        create = f"gcloud iam service-accounts create streamproof --project={wishes.project}"
        named = [target for targets in accounts.values() for target in targets]
        whose = ", and ".join(
            f"{' and '.join(targets)} as {account}" for account, targets in accounts.items()
        )
        yield Finding(
            "warn",
            f"With its default service account a target may change everything in the project ({_EDITOR}): "
            f"{whose}.",
            f"Make one of its own, which for embedded text needs no role: `{create}`; then add "
            f"`{' '.join(f'--set {target}.service_account={own}' for target in named)}`.",
        )


def _default_account(lane: Lane, wishes: Wishes, seen: Seen) -> str | None:
    if lane.place.platform == "app_engine":
        named = seen.app.get("serviceAccount") if isinstance(seen.app, dict) else None
        return str(named or f"{_unscoped(wishes.project)}@appspot.gserviceaccount.com")
    number = seen.project.get("projectNumber") if isinstance(seen.project, dict) else None
    return f"{number}-compute@developer.gserviceaccount.com" if number else None


def _unscoped(project: str) -> str:
    """example.com:project is project.example.com in the names of accounts and hosts."""
    domain, colon, name = project.rpartition(":")
    return f"{name}.{domain}" if colon else project


PROJECT_RULES: Final[tuple[Rule, ...]] = (
    _gcloud,
    _account,
    _project,
    _billing,
    _apis,
    _app,
    _quota,
    _default_accounts,
)
