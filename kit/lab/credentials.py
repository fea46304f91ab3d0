"""What no program of somebody else's is given: variables that hold, or lead to, a credential."""

from __future__ import annotations

import re
from collections.abc import Mapping

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
