"""What the preflight could not read, and whether that stops anything. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from kit.errors import Code, KitError
from kit.platforms.findings import Finding, Lane, Read, Seen, Wishes

# Reads whose failure only leaves a question open; what they would have found, the deployment will.
_OPTIONAL: Final = {
    "project": "what the project's number is",
    "billing": "whether billing is on",
    "apis": "which APIs are on",
    "policy": "what the default service account may do",
    "version": "which version of gcloud this is",
    "accounts": "who is signed in",
}
# These are not about one read: no other can succeed, and nothing can be deployed.
GRAVE: Final = (
    Code.GCLOUD_MISSING,
    Code.NOT_SIGNED_IN,
    Code.UNREACHABLE,
    Code.TLS_FAILED,
    Code.CANNOT_WRITE,
)


def unread(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> Iterator[Finding]:
    """What could not be read, unless another finding explains it (an API that is off, an app to be made)."""
    in_project: dict[str, Read] = {
        "billing": seen.billing,
        "apis": seen.apis,
        "policy": seen.policy,
        "app": seen.app,
        "app_versions": seen.app_versions,
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
            yield Finding("warn", f"It could not be seen {_OPTIONAL[name]}: {first}.", error.hint)
        else:
            yield Finding("stop", error.message, error.hint)
