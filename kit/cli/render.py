"""`kit render`: bundles into folders, or what would change there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from kit.cli.arguments import (
    Env,
    EnvIsPublic,
    FirstTokenMs,
    Generator,
    Instances,
    Json,
    Location,
    MaxOutputTokens,
    Model,
    Out,
    Python,
    Set,
    Targets,
    TokensPerS,
    Workers,
    option,
)
from kit.cli.runner import configured, success
from kit.errors import Exit, UsageError

if TYPE_CHECKING:
    from kit.bundle import Bundle, Change


def command(
    targets: Targets = None,
    out: Out = Path("build"),
    force: Annotated[bool, option("--force", "Overwrite files that were edited by hand.")] = False,
    check: Annotated[
        bool, option("--check", "Write nothing; exit 3 when a bundle is not up to date.")
    ] = False,
    diff: Annotated[bool, option("--diff", "Write nothing; print what would change.")] = False,
    show: Annotated[bool, option("--show", "Write nothing; print the generated files.")] = False,
    generator: Generator = None,
    model: Model = None,
    location: Location = None,
    workers: Workers = None,
    instances: Instances = None,
    first_token_ms: FirstTokenMs = None,
    tokens_per_s: TokensPerS = None,
    max_output_tokens: MaxOutputTokens = None,
    python: Python = None,
    env: Env = None,
    env_is_public: EnvIsPublic = None,
    set_: Set = None,
    as_json: Json = False,
) -> None:
    """Make the folder that is deployed to each platform: build/TARGET.

    A file in it that was edited by hand is not overwritten without --force. A file that you add is kept, and
    not deployed.
    """
    from kit.bundle import differences, keep_edits, write
    from kit.render import render
    from kit.targets import select

    if sum((check, diff, show)) > 1 and not (check and diff):
        raise UsageError("--show goes with neither --check nor --diff.", "Choose one.")
    flags = {
        "generator": generator,
        "model": model,
        "location": location,
        "workers": workers,
        "instances": instances,
        "first_token_ms": first_token_ms,
        "tokens_per_s": tokens_per_s,
        "max_output_tokens": max_output_tokens,
        "python": python,
        "env": env,
        "env_is_public": env_is_public,
        "set": set_,
    }
    config = configured(**flags)
    bundles = [render(target, config) for target in select(targets or [])]
    if show:
        rendered = [
            {"target": bundle.target.name, "digest": bundle.digest, "files": _texts(bundle)}
            for bundle in bundles
        ]
        success({"bundles": rendered}, as_json=as_json, text="\n\n".join(map(_shown, bundles)))
    changes = [differences(bundle, out) for bundle in bundles]
    states = [_state(bundle, out, found) for bundle, found in zip(bundles, changes, strict=True)]
    if not (check or diff):
        if not force:
            # Before the first is written: all or nothing.
            for bundle, found in zip(bundles, changes, strict=True):
                keep_edits(bundle, out, found)
        for bundle in bundles:
            write(bundle, out, force=force)
        success({"bundles": states}, as_json=as_json, text="\n".join(map(_written, states)))
    lines = map(_differing, states, changes) if diff else map(_checked, states)
    status = Exit.NOT_AS_EXPECTED if check and any(changes) else Exit.OK
    success({"bundles": states}, as_json=as_json, text="\n".join(lines), exit=status)


def _state(bundle: Bundle, out: Path, changes: tuple[Change, ...]) -> dict[str, Any]:
    from kit.bundle import additions

    return {
        "target": bundle.target.name,
        "folder": str(out / bundle.target.name),
        "digest": bundle.digest,
        "files": len(bundle.files),
        "up_to_date": not changes,
        "changes": [{"name": change.name, "state": change.state} for change in changes],
        "added_by_hand": list(additions(bundle, out)),
    }


def _checked(state: dict[str, Any]) -> str:
    if state["up_to_date"]:
        return f"{state['folder']}: up to date"
    changes = state["changes"]
    if len(changes) == state["files"] and all(change["state"] == "missing" for change in changes):
        return f"{state['folder']}: not rendered yet"
    named = ", ".join(f"{change['name']} ({change['state']})" for change in changes[:4])
    more = f" and {len(changes) - 4} more" if len(changes) > 4 else ""
    return f"{state['folder']}: not up to date: {named}{more}"


def _written(state: dict[str, Any]) -> str:
    done = "up to date" if state["up_to_date"] else "written"
    said = f"{state['folder']}: {done}, {state['files']} files"
    kept = state["added_by_hand"]
    if kept:
        said += (
            f"\n  yours, kept and not deployed: {', '.join(kept[:4])}{' and more' if len(kept) > 4 else ''}"
        )
    return said


def _differing(state: dict[str, Any], changes: tuple[Change, ...]) -> str:
    """A bundle's differences; of one that was never rendered only that."""
    if all(change.state == "missing" for change in changes):
        return _checked(state)
    return "\n".join(line for change in changes for line in change.diff())


def _texts(bundle: Bundle) -> dict[str, str]:
    """What rendering makes; the service, or the user's own app, and its requirements are copies."""
    made = {"gunicorn.conf.py", *bundle.target.templates.values()}
    return {name: text.decode() for name, text in bundle.files.items() if name in made}


def _shown(bundle: Bundle) -> str:
    parts = [f"==> {bundle.target.name}/{name} <==\n{text}" for name, text in _texts(bundle).items()]
    copied = len(bundle.files) - len(parts)
    return "\n".join([*parts, f"==> {bundle.target.name}/: and {copied} files copied as they are <=="])
