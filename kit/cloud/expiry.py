"""What was deployed for a while (`kit deploy --for 2h`), once that while is over."""

from __future__ import annotations

from collections.abc import Iterable

from kit.cloud.record import Deployment
from kit.times import clock, epoch_s, in_words


def is_overdue(deployment: Deployment, now_s: float) -> bool:
    """Whether the time at which it was to be removed has passed."""
    expires_s = epoch_s(deployment.expires_at)
    return expires_s is not None and expires_s <= now_s


def overdue(deployments: Iterable[Deployment], now_s: float) -> str | None:
    """One line that says what should be gone by now and how to remove it; None when nothing should."""
    late = [one for one in deployments if is_overdue(one, now_s)]
    if not late:
        return None
    *most, last = sorted(one.target for one in late)
    names = f"{', '.join(most)} and {last}" if most else last
    since_s = min(epoch_s(one.expires_at) or now_s for one in late)
    return (
        f"{names} {'were' if most else 'was'} to be removed at {clock(since_s, now_s)} "
        f"({in_words(now_s - since_s)} ago): kit destroy {' '.join((*most, last))}"
    )
