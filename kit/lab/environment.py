"""The environment of a service in the lab: how it speaks and where, and whose credentials it has, if any.

A program of the user's gets none. The kit's own service does where it asks a model: it could not sign in
from a HOME of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from kit.bundle import Start
from kit.errors import Code, KitError
from kit.lab.sockets import HOST

CORS = "STREAMPROOF_CORS_ORIGINS"
# Inherited from the kit's own environment: how to speak and where, never what to be.
_INHERITED = (
    "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "GOOGLE_APPLICATION_CREDENTIALS", "FIRESTORE_EMULATOR_HOST",
)  # fmt: skip
# Variables that hold, or lead to, a credential.
_SMELLS = re.compile(
    r"(KIT|CLOUDSDK|GOOGLE|GCLOUD|AWS|AZURE|GITHUB|GITLAB)_.*"
    r"|.*(TOKEN|SECRET|PASSW(OR)?D|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY).*",
    re.IGNORECASE,
)
# How an installer reaches a private index.
_INSTALLERS = re.compile(r"(PIP|UV)_.*", re.IGNORECASE)
_NAMES_A_USER = re.compile(r"\w+://[^/]*@")
# What makes a bundle ask, and the package that it asks with.
_CLIENTS = {
    ("STREAMPROOF_GENERATOR", "vertex"): ("google.cloud.aiplatform_v1", "google-cloud-aiplatform>=2.7"),
    ("STREAMPROOF_STORE", "firestore"): ("google.cloud.firestore_v1", "google-cloud-firestore>=2.34"),
}


def environment(
    start: Start,
    *,
    port: int,
    programs: Path,
    home: Path,
    own: bool = False,
    origins: Sequence[str] = (),
) -> dict[str, str]:
    """The whole environment of a service.

    Args:
        start: what its bundle and platform say.
        port: where it shall listen.
        programs: the folder in which `gunicorn` is found.
        home: a folder of its own.
        own: whether it is a user's own app, which inherits no credential.
        origins: pages that may ask it from a browser, besides those that its bundle names.
    """
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    if own:
        inherited = without_credentials(inherited)
    elif asks_google(start):
        inherited |= sign_in(os.environ)
    always: Mapping[str, str] = {
        "PATH": f"{programs}{os.pathsep}{os.defpath}",
        "HOME": str(home),
        "PORT": str(port),
        "STREAMPROOF_LAB": "1",
        "STREAMPROOF_BIND": HOST,
    }
    found = {**inherited, **start.env, **always}
    if origins:
        found[CORS] = ",".join(filter(None, (found.get(CORS), *origins)))
    return found


def without_credentials(env: Mapping[str, str], *, installing: bool = False) -> dict[str, str]:
    """The environment without them.

    Args:
        env: of the kit.
        installing: keep what pip and uv need for a private index or a proxy.
    """
    return {
        name: value
        for name, value in env.items()
        if (installing and _INSTALLERS.fullmatch(name))
        or not (_SMELLS.fullmatch(name) or (_NAMES_A_USER.match(value) and not installing))
    }


def sign_in(env: Mapping[str, str]) -> dict[str, str]:
    """Where Google's libraries find the application default credentials of the user of the kit.

    google-auth looks for them in CLOUDSDK_CONFIG, else in ~/.config/gcloud (google.auth._cloud_sdk).
    """
    folder = env.get("CLOUDSDK_CONFIG") or str(Path.home() / ".config" / "gcloud")
    return {"CLOUDSDK_CONFIG": folder}


def asks_google(start: Start) -> bool:
    """Whether a bundle that is started so asks for a model, or keeps answers there."""
    return any(start.env.get(name) == value for name, value in _CLIENTS)


def clients_installed(start: Start) -> None:
    """Returns if Google's clients that the bundle needs are in the kit's own environment.

    Raises:
        KitError: INSTALL_FAILED, with both ways to have them.
    """
    for (name, value), (module, requirement) in _CLIENTS.items():
        if start.env.get(name) == value and not _found(module):
            what, package = name.rpartition("_")[2].lower(), requirement.partition(">")[0]
            raise KitError(
                Code.INSTALL_FAILED,
                f"The {what} is {value}, and {package} is not installed beside the kit.",
                "Let the lab install what each bundle needs (--isolated), or install it here: "
                f"pip install '{requirement}'",
            )


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even its parent
        return False
