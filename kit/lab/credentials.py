"""What no program of somebody else's is given: variables that hold, or lead to, a credential.

The kit's own service is, where it asks a model: it could not sign in from a HOME of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_SMELLS = re.compile(
    r"(KIT|CLOUDSDK|GOOGLE|GCLOUD|AWS|AZURE|GITHUB|GITLAB)_.*"
    r"|.*(TOKEN|SECRET|PASSW(OR)?D|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY).*",
    re.IGNORECASE,
)
# How an installer reaches a private index.
_INSTALLERS = re.compile(r"(PIP|UV)_.*", re.IGNORECASE)
_NAMES_A_USER = re.compile(r"\w+://[^/]*@")


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
    """What leads Google's libraries to the application default credentials of whoever runs the kit.

    google-auth looks for them in CLOUDSDK_CONFIG, else in ~/.config/gcloud (google.auth._cloud_sdk).
    """
    folder = env.get("CLOUDSDK_CONFIG") or str(Path.home() / ".config" / "gcloud")
    return {"CLOUDSDK_CONFIG": folder}
