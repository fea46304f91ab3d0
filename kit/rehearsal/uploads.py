"""An upload of gcloud's, and the protocol of what runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

Kind = Literal["standard", "flex", "run", "gke"]


@dataclass(frozen=True)
class Upload:
    """One version as it was created: unpacked from what gcloud uploaded.

    Attributes:
        kind: which platform it is for.
        service: its service; in a cluster the namespace.
        version: the version's id; on Cloud Run the revision's name, in a cluster the Deployment's.
        files: name to content, byte for byte.
        environment: the variables that the version sets.
        command: the entrypoint as a shell would read it; None where the Dockerfile says it.
        resource: what gcloud sent to create it.
    """

    kind: Kind
    service: str
    version: str
    files: Mapping[str, bytes]
    environment: Mapping[str, str]
    command: str | None
    resource: Mapping[str, Any] = field(default_factory=dict)


class Way(NamedTuple):
    """Where a rule of a Gateway leads: a version, or None while none is ready."""

    service: str
    version: str | None
    weight: int
    timeout_s: float


class Rule(NamedTuple):
    """A rule of a Gateway: paths under a prefix, which a replacement may replace, lead one of some ways."""

    prefix: str
    replacement: str | None
    ways: tuple[Way, ...]


class Hosting(Protocol):
    """Runs what was uploaded. Every method may be called from any thread, and may take its time."""

    def serve(self, upload: Upload) -> str:
        """Start a version (again); its own base URL.

        Raises wire.ApiError when it does not start, which then is the operation's error.
        """

    def route(self, kind: Kind, service: str, shares: Mapping[str, float], *, tag: str | None = None) -> str:
        """Send a service's traffic, or that of one of its tags, to its versions by their shares, which add up
        to 1 (or to 0: none answers); its base URL, which stays the same until `unroute`.
        """

    def unroute(self, kind: Kind, service: str, *, tag: str | None = None) -> None:
        """Let a URL go; nothing where there is none."""

    def guard(self, service: str, admits: Callable[[str], bool] | None) -> None:
        """Let in to a Cloud Run service, at any URL, only callers whose token is admitted; None: all."""

    def open_gateway(self, host: str, port: int) -> str:
        """Listen for a Gateway; the address at which it answers. Raises OSError."""

    def route_gateway(self, host: str, rules: Sequence[Rule]) -> None:
        """Say where requests to a Gateway's address go: the first rule that fits counts."""

    def close_gateway(self, host: str) -> None:
        """Let a Gateway's address go."""

    def healthy(self, service: str, version: str, path: str) -> bool:
        """Whether a version in a cluster answers a path with 200, as health checks want it."""

    def written(self) -> list[tuple[Kind, str, str, str]]:
        """What running versions wrote: kind, service, version and a line, each version's oldest first."""

    def stop(self, kind: Kind, service: str, version: str) -> None:
        """A version was stopped or deleted; nothing where it does not run."""

    def close(self) -> None:
        """End all that runs."""


class Unhosted:
    """Runs nothing; the URLs lead nowhere."""

    def __init__(self, project: str) -> None:
        self._project = project

    def serve(self, upload: Upload) -> str:
        """A URL in a domain that does not exist."""
        return f"https://{upload.version}-dot-{upload.service}-dot-{self._project}.appspot.test"

    def route(self, kind: Kind, service: str, shares: Mapping[str, float], *, tag: str | None = None) -> str:
        """A URL in a domain that does not exist."""
        name = f"{tag}---{service}" if tag else service
        return f"https://{name}-dot-{self._project}.appspot.test"

    def unroute(self, kind: Kind, service: str, *, tag: str | None = None) -> None:
        """Nothing runs."""

    def guard(self, service: str, admits: Callable[[str], bool] | None) -> None:
        """Nothing runs."""

    def open_gateway(self, host: str, port: int) -> str:
        """An address for documentation (RFC 5737)."""
        return "192.0.2.80"

    def route_gateway(self, host: str, rules: Sequence[Rule]) -> None:
        """Nothing runs."""

    def close_gateway(self, host: str) -> None:
        """Nothing runs."""

    def healthy(self, service: str, version: str, path: str) -> bool:
        """All is well."""
        return True

    def written(self) -> list[tuple[Kind, str, str, str]]:
        """Nothing."""
        return []

    def stop(self, kind: Kind, service: str, version: str) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing runs."""
