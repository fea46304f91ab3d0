"""Flags of the user's own on the line of gcloud that deploys a target: its setting `gcloud_flags`.

They pass through as they are, but for what the kit says itself on that line or needs to be as it is.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from kit.errors import Code, Exit, KitError

SETTING: Final = "gcloud_flags"
SECRETS: Final = "set-secrets"

_READ: Final = "the kit reads what gcloud prints"
_ACCOUNT: Final = "the kit's other lines would act as another; `gcloud config set` changes it for all"
# What no line takes, by the flag's name: why, or what to say instead.
_NEVER: Final = {
    "project": "--project of the kit's own names it, or kit.toml",
    **dict.fromkeys(("quiet", "format", "flatten", "user-output-enabled", "verbosity", "help"), _READ),
    **dict.fromkeys(
        ("account", "access-token-file", "configuration", "impersonate-service-account"), _ACCOUNT
    ),
    "log-http": "it prints access tokens",
    "flags-file": "name the flags themselves",
    "async": "the kit waits until the version is there",
    "region": "--region of the kit's own names it, or kit.toml",
    "ignore-file": "the bundle's own lets through just what is the app's",
    SECRETS: "--set-secrets of `kit deploy` gives them, or the table [secrets] of kit.toml",
}


def words(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The flags, as they are passed on."""
    return tuple(shlex.split(str(settings.get(SETTING) or "")))


def check(
    target: str, settings: Mapping[str, Any], refused: Mapping[str, str], flags: Mapping[str, str]
) -> None:
    """Returns where all of a target's flags may be passed on.

    Args:
        target: its name.
        settings: its own.
        refused: by a flag's name why its platform takes it not.
        flags: by a flag's name the setting that stands for it.

    Raises:
        KitError: BAD_CONFIG, with what to say instead.
    """
    try:
        given = words(settings)
    except ValueError as error:
        raise _wrong(f"{SETTING} of {target} is no line of a shell: {error}.", "Close its quotes.") from None
    for name, parts in grouped(target, given):
        why = {**_NEVER, **refused}.get(name)
        if why is None and name in flags:
            why = f"it is the setting {flags[name]}: --set {target}.{flags[name]}=VALUE, or kit.toml"
        if why is not None:
            flag = parts[0].partition("=")[0]
            raise _wrong(f"{flag} is not passed on to the gcloud of {target}.", f"{why[0].upper()}{why[1:]}.")


def split(
    target: str, given: Sequence[str], flags: Mapping[str, str]
) -> tuple[list[str], list[str], list[str]]:
    """Flags as settings, as `--set` has them; as secrets, as `--set-secrets` has them; and all others.

    Raises:
        KitError: BAD_CONFIG, a word is no flag.
    """
    settings: list[str] = []
    secrets: list[str] = []
    others: list[str] = []
    for name, parts in grouped(target, given):
        value = parts[0].partition("=")[2] if "=" in parts[0] else " ".join(parts[1:])
        if name == SECRETS:
            secrets.append(value)
        elif name in flags and value:
            settings.append(f"{target}.{flags[name]}={value}")
        else:
            others += parts
    return settings, secrets, others


def grouped(target: str, given: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each flag's name, without its dashes and `no-`, and the words that it and its value are."""
    groups: list[list[str]] = []
    for word in given:
        if word.startswith("--") and len(word) > 2:
            groups.append([word])
        elif word.startswith("-") or not groups:
            raise _wrong(
                f"{word!r} is no flag for the gcloud of {target}.", "Write flags in full, as --memory=1Gi."
            )
        else:
            groups[-1].append(word)
    for group in groups:
        yield re.sub(r"^--(no-)?|=.*", "", group[0], flags=re.DOTALL), tuple(group)


def _wrong(said: str, hint: str) -> KitError:
    return KitError(Code.BAD_CONFIG, said, hint, exit=Exit.USAGE)
