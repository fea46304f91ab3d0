"""Failures of Google's, on purpose: a call by its name, what it answers, and how often."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from kit.rehearsal.wire import ApiError, Response

Outcome = Callable[[], Response | None]


@dataclass
class Hang:
    """Calls that wait: `reached` is set when one does, `release` lets it and all others go on as usual.

    Those that are `lost` are answered with 503 then, and nothing was done.
    """

    lost: bool = False
    reached: threading.Event = field(default_factory=threading.Event)
    _go: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        """Let them go on."""
        self._go.set()

    def __call__(self) -> Response | None:
        self.reached.set()
        self._go.wait()
        return unavailable().response if self.lost else None


@dataclass
class _Rule:
    pattern: str
    outcome: Outcome
    times: int | None
    after: int


class Faults:
    """Rules, tried in the order in which they were added."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._hangs: list[Hang] = []
        self._lock = threading.Lock()

    def add(
        self, pattern: str, outcome: ApiError | Outcome, *, times: int | None = 1, after: int = 0
    ) -> None:
        """Let calls go wrong.

        Args:
            pattern: the call's name with * and ?: the SDK's method id ("appengine.apps.services.patch",
                "storage.*") or, where it has none, "METHOD host/path".
            outcome: an error, or what is called in the call's own thread: it answers, or returns None to let
                the call go on.
            times: how many calls; None for all.
            after: how many calls are spared first.
        """

        def fail() -> Response:
            assert isinstance(outcome, ApiError)
            return outcome.response

        with self._lock:
            self._rules.append(
                _Rule(pattern, fail if isinstance(outcome, ApiError) else outcome, times, after)
            )

    def hang(self, pattern: str, *, times: int | None = 1, after: int = 0, lost: bool = False) -> Hang:
        """Let calls wait until they are released (or the plane closes); what is lost is never done."""
        hang = Hang(lost)
        self._hangs.append(hang)
        self.add(pattern, hang, times=times, after=after)
        return hang

    def clear(self) -> None:
        """Let all be well again; calls that hang go on."""
        with self._lock:
            self._rules.clear()
        for hang in self._hangs:
            hang.release()

    def meet(self, name: str) -> Response | None:
        """What a call of this name answers instead; None to go on as usual. May wait."""
        with self._lock:
            outcome = next((rule.outcome for rule in self._rules if _due(rule, name)), None)
        return outcome() if outcome is not None else None


def _due(rule: _Rule, name: str) -> bool:
    if not fnmatchcase(name, rule.pattern) or rule.times == 0:
        return False
    if rule.after > 0:
        rule.after -= 1
        return False
    if rule.times is not None:
        rule.times -= 1
    return True


def unavailable() -> ApiError:
    """503, as Google's front ends send it."""
    return ApiError("UNAVAILABLE", "The service is currently unavailable.")


def quota(metric: str = "Version limit") -> ApiError:
    """429: https://cloud.google.com/apis/design/errors#error_payloads."""
    return ApiError(
        "RESOURCE_EXHAUSTED",
        f"Quota exceeded for quota metric '{metric}'.",
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "RATE_LIMIT_EXCEEDED",
            "domain": "googleapis.com",
        },
    )


def too_many_versions() -> ApiError:
    """What a deploy over the limit of versions meets; the sentence as users report it."""
    return ApiError(
        "INVALID_ARGUMENT",
        "Your app may not have more than '210' versions. Please delete one of the existing versions "
        "before trying to create a new version.",
    )


def denied(
    permission: str = "appengine.versions.create", resource: str = "projects/demo-project"
) -> ApiError:
    """403 for a right that the caller does not have."""
    return ApiError(
        "PERMISSION_DENIED",
        f"Permission '{permission}' denied on resource '{resource}' (or it may not exist).",
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "IAM_PERMISSION_DENIED",
            "domain": "iam.googleapis.com",
            "metadata": {"permission": permission, "resource": resource},
        },
    )


def api_off(api: str, project: str = "demo-project", number: str = "123456789012") -> ApiError:
    """403 SERVICE_DISABLED: https://cloud.google.com/apis/design/errors#error_payloads."""
    name = api.removesuffix(".googleapis.com")
    url = f"https://console.developers.google.com/apis/api/{api}/overview?project={number}"
    return ApiError(
        "PERMISSION_DENIED",
        f"{name} API has not been used in project {number} before or it is disabled. Enable it by visiting "
        f"{url} then retry. If you enabled this API recently, wait a few minutes for the action to "
        "propagate to our systems and retry.",
        {
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{"description": "Google developers console API activation", "url": url}],
        },
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "SERVICE_DISABLED",
            "domain": "googleapis.com",
            "metadata": {"service": api, "consumer": f"projects/{number}"},
        },
    )


def billing_off(project: str = "demo-project", number: str = "123456789012") -> ApiError:
    """403 BILLING_DISABLED, the sibling of SERVICE_DISABLED."""
    url = f"https://console.developers.google.com/billing/enable?project={number}"
    return ApiError(
        "PERMISSION_DENIED",
        "This API method requires billing to be enabled. Please enable billing on project "
        f"#{project} by visiting {url} then retry. If you enabled billing for this project recently, wait a "
        "few minutes for the action to propagate to our systems and retry.",
        {
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{"description": "Google developers console billing", "url": url}],
        },
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "BILLING_DISABLED",
            "domain": "googleapis.com",
            "metadata": {"consumer": f"projects/{number}"},
        },
    )


def busy(what: str = "apps/demo-project/services/default") -> ApiError:
    """409 ABORTED, another operation holds it: https://github.com/google-github-actions/setup-gcloud/issues/122."""
    return ApiError(
        "ABORTED",
        f"Cannot operate on {what} because an operation is already in progress for {what} by "
        "0b5ff7e4-6c0e-4a4e-8a6d-3b1f7f3b2d10.",
    )
