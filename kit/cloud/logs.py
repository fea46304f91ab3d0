"""The line of gcloud that reads a service's own log, and what it answers as lines for people.

It is Cloud Logging's own line on every platform: `gcloud run services logs read` crashes on an entry in JSON,
and `gcloud app logs read` prints it as an object of gcloud's own (seen with SDK 528.0.0;
googlecloudsdk/api_lib/logging/formatter.py and api_lib/app/logs_util.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from kit.errors import UsageError
from kit.platforms import load
from kit.platforms.command import Command
from kit.platforms.service import Place

# Cloud Logging keeps entries for so long unless a project says otherwise; by itself gcloud looks a day back.
_FRESHNESS: Final = "30d"

_VERSION_LABELS: Final = ("revision_name", "version_id", "k8s-pod/streamproof-version")


def read_logs(place: Place, *, limit: int, version: str | None = None) -> Command:
    """The newest entries, the newest first; `shown` reads them.

    Args:
        place: of the service.
        limit: how many entries.
        version: of this version only, by its name.

    Raises:
        KitError: BAD_USAGE; the version is no name.
    """
    if version is not None and not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", version):
        raise UsageError(
            f"{version[:80]!r} is no version.", f"`kit status {place.target}` shows their names."
        )
    kind, labels = load(place.platform).log_filter(place, version)
    # What the containers wrote, and the front of the requests to them; not who changed the service.
    wanted = [f'resource.type="{kind}"', 'NOT logName:"cloudaudit.googleapis.com"']
    # What has a slash in its name is a label of the entry's own.
    paths = {name: f'labels."{name}"' if "/" in name else f"resource.labels.{name}" for name in labels}
    wanted += [f'{paths[name]}="{value}"' for name, value in labels.items() if value is not None]
    return Command(
        (
            *("logging", "read", " AND ".join(wanted), f"--limit={limit}", f"--freshness={_FRESHNESS}"),
            *(f"--project={place.project}", "--quiet", "--format=json"),
        )
    )


def shown(entries: Any) -> list[str]:
    """Entries as lines, the oldest first: when, how grave, of which version, and what was said.

    Args:
        entries: what `read_logs` printed.
    """
    return [line for entry in reversed(entries or ()) for line in _lines(entry)]


def _lines(entry: Mapping[str, Any]) -> list[str]:
    labels = {**entry.get("resource", {}).get("labels", {}), **entry.get("labels", {})}
    version = next((labels[name] for name in _VERSION_LABELS if name in labels), "-")
    at = str(entry.get("timestamp", ""))[:19].replace("T", " ")
    head = f"{at} {entry.get('severity', 'DEFAULT'):<8} {version}"
    return [f"{head}  {line}" for line in _text(entry).splitlines() or [""]]


def _text(entry: Mapping[str, Any]) -> str:
    """What an entry says; of a request what was asked and with which status it was answered."""
    if "textPayload" in entry:
        return str(entry["textPayload"])
    if "jsonPayload" in entry:
        payload = entry["jsonPayload"]
        return str(payload.get("message") or json.dumps(payload, ensure_ascii=False))
    if request := entry.get("httpRequest"):
        words = (request.get(name, "") for name in ("requestMethod", "status", "requestUrl"))
    else:
        words = (entry.get("protoPayload", {}).get(name, "") for name in ("method", "status", "resource"))
    return " ".join(map(str, words))
