"""One deployment about to be made: its name, what tells it from the one before, and its own variables."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from kit.bundle import Bundle, write
from kit.config import Config
from kit.platforms import load
from kit.platforms.service import MARKER, PREVIEW, TOKEN_SHA256, VERSION_PREFIX, Place, Release
from kit.render import render

PROOF_UNTIL: Final = "STREAMPROOF_PROOF_UNTIL"
PROOF_TOKEN: Final = "STREAMPROOF_PROOF_TOKEN"  # noqa: S105 (the variable's name)
PROOF_TOKEN_SHA256: Final = "STREAMPROOF_PROOF_TOKEN_SHA256"  # noqa: S105

# A label's value on Cloud Run has at most 63 characters, a whole SHA-256 has 64 (in hexadecimal).
# https://docs.cloud.google.com/run/docs/configuring/services/labels
DIGEST_CHARACTERS: Final = 40

_PROOF_TOKEN_BYTES: Final = 32
_RELEASES: Final = "releases"
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
    preview: str | None = None,
) -> Release:
    """What is to be deployed. Touches nothing: `write_release` writes the folder that it names.

    Args:
        place: where to. Its service wins over the bundle's: the first one of an App Engine app is `default`.
        bundle: as rendered from `config`, in root/TARGET.
        config: what the user wants.
        now_s: epoch seconds.
        creates: whether the service does not exist yet.
        token_sha256: of the token that callers must show, in hexadecimal; None for no token.
        proof_s: for how many seconds from now the proof is open.
        root: the folder of all bundles.
        salt: characters that tell releases of the same second apart; random unless given.
        preview: the name of the preview that it is; None for what is to serve.
    """
    version = version_name(now_s, salt) if preview is None else preview_version(preview, salt)
    digest = _digest(bundle, config, token_sha256, preview)
    environment = {PROOF_UNTIL: str(int(now_s + proof_s)), MARKER: digest}
    if preview is not None:
        environment[PREVIEW] = preview
    if token_sha256 is not None:
        environment[TOKEN_SHA256] = token_sha256
    proof_token = config.env.get(PROOF_TOKEN) or None
    if proof_token is None and config.app is not None and config.app.proof:
        # Who may call a user's app the kit cannot know; its own service asks for a token if it wants one.
        proof_token = secrets.token_urlsafe(_PROOF_TOKEN_BYTES)
        environment[PROOF_TOKEN_SHA256] = sha256(proof_token.encode()).hexdigest()
    platform = load(place.platform)
    environment |= platform.release_environment(place, version)
    return Release(
        place=place,
        version=version,
        folder=(root / _RELEASES if platform.renders_release else root) / place.target,
        digest=digest,
        environment=environment,
        settings=config.of(bundle.target),
        creates=creates,
        proof_token=proof_token,
        preview=preview,
        secrets=config.secrets,
    )


def version_name(now_s: float, salt: str | None = None) -> str:
    """`sp-` and eight characters: six of the time in seconds, base 36, then two that are random unless given.

    Eleven in all, since VERSION-dot-SERVICE-dot-PROJECT has at most 63
    (https://docs.cloud.google.com/appengine/docs/standard/how-requests-are-routed). Later names sort later
    until the year 2038.
    """
    salt = salt or _random(2)
    seconds, characters = int(now_s), ""
    for _ in range(6):
        seconds, digit = divmod(seconds, 36)
        characters = _DIGITS[digit] + characters
    return f"{VERSION_PREFIX}{characters}{salt}"


def preview_version(preview: str, salt: str | None = None) -> str:
    """`sp-`, the preview's name and four random characters: each of its versions is another.

    So what answers at its URL says whether it is the newest, and the one before serves until that is there.
    """
    return f"{VERSION_PREFIX}{preview}-{salt or _random(4)}"


def _random(count: int) -> str:
    return "".join(secrets.choice(_DIGITS) for _ in range(count))


def write_release(release: Release, bundle: Bundle, config: Config) -> None:
    """Write what is uploaded, where that is not the bundle as it was rendered already.

    It differs from it only in the release's own variables and the service's name.

    Raises:
        KitError: CANNOT_WRITE.
    """
    root = release.folder.parent
    if root.name == _RELEASES:
        write(render(bundle.target, _in_place(config, release.place), release.environment), root, force=True)


def _in_place(config: Config, place: Place) -> Config:
    """The same wishes, but for the names that the place has."""
    names = {"service": place.service, **load(place.platform).settings_within(place.within)}
    settings = {**config.targets.get(place.target, {}), **names}
    return replace(config, targets={**config.targets, place.target: settings})


def _digest(bundle: Bundle, config: Config, token_sha256: str | None, preview: str | None) -> str:
    """Equal where deploying again would change nothing: the bundle, and what stands beside it in flags.

    A preview's is another, so no deployment takes a preview for its own unfinished version.
    """
    # Where it goes makes no other release of it.
    of_place = {"service", *(one.setting for one in load(bundle.target.platform).options)}
    settings: Mapping[str, object] = {
        name: value for name, value in config.of(bundle.target).items() if name not in of_place
    }
    content = {
        "bundle": bundle.digest,
        "settings": settings,
        "environment": dict(config.env),
        "secrets": dict(config.secrets),
        "token": token_sha256,
        **({} if preview is None else {"preview": preview}),
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]
