"""Times as they are kept (ISO 8601 in UTC) and as a person reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from kit.errors import UsageError
from kit.language import text

_UNITS_S: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def stamp(epoch_s: float) -> str:
    """Epoch seconds as ISO 8601 in UTC, to the second: "2026-11-22T23:55:00Z"."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def epoch_s(stamp: str | None) -> float | None:
    """ISO 8601 as epoch seconds; None for what is no time. Without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(stamp or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def in_words(seconds: float) -> str:
    """A span for a person, in its largest unit that fits: "40 s", "25 min", "3 h", "12 days"."""
    whole = int(max(seconds, 0))
    if whole < 60:
        return text("{count} s", count=whole)
    if whole < 3600:
        return text("{count} min", count=whole // 60)
    if whole < 2 * 86_400:
        return text("{count} h", count=whole // 3600)
    return text("{count} days", count=whole // 86_400)


def clock(epoch_s: float, now_s: float) -> str:
    """A moment as this machine's clocks show it: "14:05", with the date when it is not today's."""
    moment, today = datetime.fromtimestamp(epoch_s), datetime.fromtimestamp(now_s)
    return moment.strftime("%H:%M" if moment.date() == today.date() else "%Y-%m-%d %H:%M")


def span_s(text: str, *, option: str, least_s: float = 60) -> float:
    """What a person means by "90s", "45m" (or "45min"), "2h", "1h30m", "3d", in seconds; `option` had it.

    Raises:
        KitError: BAD_USAGE; it is none, or not between `least_s` and a year.
    """
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)\s*(min|[smhd])", text.strip().lower())
    total = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    whole = re.fullmatch(r"(?:[0-9]+(?:\.[0-9]+)?\s*(?:min|[smhd])\s*)+", text.strip().lower())
    if not whole or not least_s <= total <= 366 * 86_400:
        raise UsageError(
            f"{option}: {text[:40]!r} is no span of time.",
            "Write it as in 45m, 2h or 1d: at least a minute, at most a year."
            if least_s == 60
            else f"Write it as in 30s, 5m or 1h: at least {in_words(least_s)}, at most a year.",
        )
    return total
