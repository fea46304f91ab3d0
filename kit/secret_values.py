"""Values that look like secrets: what must not be written into an image or its configuration."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# How keys begin that say what they are: OpenAI's and Anthropic's, Google's, GitHub's, GitLab's, Slack's,
# AWS', Stripe's, Hugging Face's; a JSON Web Token; a private key.
_KEYS = re.compile(
    r"sk-[A-Za-z0-9_-]{16,}|AIza[A-Za-z0-9_-]{30,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
    r"|glpat-[\w-]{16,}|xox[a-z]-[A-Za-z0-9-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|[sr]k_live_[A-Za-z0-9]{16,}"
    r"|hf_[A-Za-z0-9]{20,}|ya29\.[\w-]{20,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
)
_NAMES = re.compile(
    r"(?:.*_)?(?:API_?KEY|SECRET(?:_KEY)?|TOKEN|PASSWORD|PASSWD|PASSPHRASE|PRIVATE_KEY|ACCESS_KEY"
    r"|CREDENTIALS?)",
    re.IGNORECASE,
)
# Names of the kit's own, which it writes where they belong and of which most are digests.
_OURS = "STREAMPROOF_"


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable probably holds a secret: by its value, or by its name and a value like a key's.

    A value like a key's has 12 characters or more, no blank, and letters and digits.
    """
    if name.startswith(_OURS):
        return False
    if _KEYS.search(value):
        return True
    try:
        if urlsplit(value).password:
            return True
    except ValueError:
        pass
    like_a_key = len(value) >= 12 and not re.search(r"\s", value) and re.search(r"[A-Za-z]", value)
    return bool(_NAMES.fullmatch(name) and like_a_key and re.search(r"[0-9]", value))
