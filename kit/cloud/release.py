"""One deployment about to be made: its name, what tells it from the one before, and its own variables."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from kit.bundle import Bundle
from kit.cloud.host import MARKER, VERSION_PREFIX, Place, Release
from kit.config import Config
from kit.errors import Code, KitError
from kit.render import render

PROOF_UNTIL: Final = "STREAMPROOF_PROOF_UNTIL"
TOKEN_SHA256: Final = "STREAMPROOF_TOKEN_SHA256"  # noqa: S105 - a name, no secret

# A label's value on Cloud Run has at most 63 characters, a whole SHA-256 has 64 (in hexadecimal).
# https://docs.cloud.google.com/run/docs/configuring/services/labels
DIGEST_CHARACTERS: Final = 40

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def release(
    place: Place,
    bundle: Bundle,
    config: Config,
    *,
    now_s: float,
    creates: bool,
    token_sha256: str | None,
    proof_s: float = 3600,
    root: Path = Path("build"),
    salt: str | None = None,
) -> Release:
    """What is to be deployed. Touches nothing: `write_app_yaml` writes the file that it names.

    Args:
        place: where to. Its service wins over the bundle's: the first one of an App Engine app is `default`.
        bundle: as rendered from `config`, in root/TARGET.
        config: what the user wants.
        now_s: epoch seconds.
        creates: whether the service does not exist yet.
        token_sha256: of the token that callers must show, in hexadecimal; None for no token.
        proof_s: for how many seconds from now the proof is open.
        root: the folder of all bundles.
        salt: two characters that tell releases of the same second apart; random unless given.
    """
    version = version_name(now_s, salt)
    digest = _digest(bundle, config, token=token_sha256 is not None)
    environment = {PROOF_UNTIL: str(int(now_s + proof_s)), MARKER: digest}
    if token_sha256 is not None:
        environment[TOKEN_SHA256] = token_sha256
    # By target first: two targets released in the same second may draw the same name.
    own = root / "releases" / place.target / version / "app.yaml"
    return Release(
        place=place,
        version=version,
        folder=root / place.target,
        app_yaml=own if "app.yaml" in bundle.files else None,
        digest=digest,
        environment=environment,
        settings=config.of(bundle.target),
        creates=creates,
    )


def version_name(now_s: float, salt: str | None = None) -> str:
    """`sp-` and eight characters: six of the time in seconds, base 36, then two that are random unless given.

    Eleven in all, since VERSION-dot-SERVICE-dot-PROJECT has at most 63
    (https://docs.cloud.google.com/appengine/docs/standard/how-requests-are-routed). Later names sort later
    until the year 2038.
    """
    if salt is None:
        salt = "".join(secrets.choice(_DIGITS) for _ in range(2))
    seconds, characters = int(now_s), ""
    for _ in range(6):
        seconds, digit = divmod(seconds, 36)
        characters = _DIGITS[digit] + characters
    return f"{VERSION_PREFIX}{characters}{salt}"


def write_app_yaml(release: Release, bundle: Bundle, config: Config) -> None:
    """Write the release's own app.yaml: the bundle's, with the release's variables and its service's name.

    Raises:
        KitError: CANNOT_WRITE.
    """
    file = release.app_yaml
    if file is None:
        return
    content = render(bundle.target, _in_place(config, release.place), release.environment).files["app.yaml"]
    draft = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise KitError(
            Code.CANNOT_WRITE,
            f"Cannot write {file}: {error.strerror or error}.",
            "Free some room or correct the rights, or choose another --out.",
        ) from None


def _in_place(config: Config, place: Place) -> Config:
    """The same wishes, but for the service's name."""
    settings = {**config.targets.get(place.target, {}), "service": place.service}
    return replace(config, targets={**config.targets, place.target: settings})


def _digest(bundle: Bundle, config: Config, *, token: bool) -> str:
    """Equal where deploying again would change nothing: the bundle, and what stands beside it in flags."""
    settings: Mapping[str, object] = {
        name: value for name, value in config.of(bundle.target).items() if name != "service"
    }
    told = {
        "bundle": bundle.digest,
        "settings": settings,
        "instances": config.instances,
        "environment": dict(config.env),
        "token": token,
    }
    text = json.dumps(told, sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]
