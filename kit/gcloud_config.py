"""gcloud's own active configuration, read from its files; gcloud itself is not run.

How gcloud finds them: https://cloud.google.com/sdk/docs/configurations and
https://cloud.google.com/sdk/docs/properties (an environment variable CLOUDSDK_SECTION_PROPERTY comes first).
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from pathlib import Path

_NAME = re.compile(r"[a-z][-a-z0-9]*")


def gcloud_property(env: Mapping[str, str], section: str, name: str) -> str | None:
    """A property such as core/project; None where it is not set or gcloud's files cannot be read."""
    if value := env.get(f"CLOUDSDK_{section}_{name}".upper(), "").strip():
        return value
    file = _active(env)
    if file is None:
        return None
    properties = configparser.ConfigParser()  # with the same rules as gcloud's own
    try:
        properties.read_string(file.read_text(encoding="utf-8"))
        return properties.get(section, name, fallback="").strip() or None
    except (OSError, ValueError, configparser.Error):
        return None


def _active(env: Mapping[str, str]) -> Path | None:
    folder = _folder(env)
    if folder is None:
        return None
    name = env.get("CLOUDSDK_ACTIVE_CONFIG_NAME", "").strip()
    if not name:
        try:
            name = (folder / "active_config").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            name = "default"
    return folder / "configurations" / f"config_{name}" if _NAME.fullmatch(name) else None


def _folder(env: Mapping[str, str]) -> Path | None:
    if chosen := env.get("CLOUDSDK_CONFIG"):
        return Path(chosen)
    if roaming := env.get("APPDATA"):
        return Path(roaming) / "gcloud"
    home = env.get("HOME")
    return Path(home) / ".config" / "gcloud" if home else None
