"""A lane's timeline as inline SVG: what was sent above, what arrived below, thin lines between them.

A held stream shows as a fan that closes on one point, a streamed one as upright lines. The picture holds no
text: it is stretched to the page's width, and the page writes the labels beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from html import escape
from math import log2

from kit.language import text
from kit.proof.timeline import Timeline

# The picture's own width; one unit is a thousandth of the time axis.
_WIDE = 1000
# More ticks than this cannot be told apart on any screen; they are gathered into as many bins.
_TICKS = 400
_RULES_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000)


def axis_ms(timelines: Iterable[Timeline]) -> float:
    """Where a common time axis ends: a little after the last thing that happened."""
    timelines = tuple(timelines)
    last = max((arrival.arrived_ms for timeline in timelines for arrival in timeline.arrivals), default=0.0)
    return 1.02 * (last or max((timeline.duration_ms for timeline in timelines), default=0.0)) or 1.0


def rules(axis: float) -> list[tuple[float, str]]:
    """Four to eight round times along the axis: where, in per cent of its width, and what to write there."""
    step = next((rule for rule in _RULES_MS if axis / rule <= 8), axis / 6)
    return [
        (
            round(100 * step * at / axis, 2),
            text("{s:g} s", s=step * at / 1000) if axis >= 1000 else text("{ms:g} ms", ms=step * at),
        )
        for at in range(int(axis / step) + 1)
    ]


def timeline_svg(timeline: Timeline, axis: float, name: str, title: str, description: str) -> str:
    """Both rows and the lines between them; without send times only what arrived.

    Args:
        timeline: what to draw.
        axis: the common time axis's end in milliseconds.
        name: the prefix of the picture's ids, unlike any other's on the page.
        title: what it is, for a reader who cannot see it.
        description: what can be seen.
    """
    sent = [
        (arrival.sent_ms, arrival.arrived_ms) for arrival in timeline.arrivals if arrival.sent_ms is not None
    ]
    if not sent:
        return _svg(_arrived(timeline, axis, 4, 30), 34, axis, name, title, description)
    bins = _TICKS if len(timeline.arrivals) > _TICKS else _WIDE
    above = _ticks([_x(at, axis, bins) for at, _ in sent], 4, 22, "sent")
    pairs = dict.fromkeys((_x(left, axis, bins), _x(came, axis, bins)) for left, came in sent)
    links = "".join(f"M{left:g} 26L{came:g} 84" for left, came in pairs)
    body = f'{above}<path class="link" d="{links}"/>{_arrived(timeline, axis, 88, 114)}'
    return _svg(body, 118, axis, name, title, description)


def strip_svg(timeline: Timeline, axis: float, name: str, title: str, description: str) -> str:
    """Only what arrived, in one row."""
    return _svg(_arrived(timeline, axis, 3, 25), 28, axis, name, title, description)


def _svg(body: str, high: int, axis: float, name: str, title: str, description: str) -> str:
    grid = "".join(f"M{at * _WIDE / 100:g} 0V{high}" for at, _ in rules(axis))
    return (
        f'<svg role="img" aria-labelledby="{name}-title {name}-desc" viewBox="0 0 {_WIDE} {high}" '
        f'preserveAspectRatio="none" height="{high}">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
        f'<path class="grid" d="{grid}"/>{body}</svg>'
    )


def _arrived(timeline: Timeline, axis: float, top: int, bottom: int) -> str:
    """The light part is waiting, the dark part receiving, and in it a tick for each arrival."""
    bins = _TICKS if len(timeline.arrivals) > _TICKS else _WIDE
    at = [_x(arrival.arrived_ms, axis, bins) for arrival in timeline.arrivals]
    if not at:
        return f'<rect class="wait" x="0" y="{top}" width="{_WIDE}" height="{bottom - top}"/>'
    first, last, high = min(at), max(at), bottom - top
    return (
        f'<rect class="wait" x="0" y="{top}" width="{first:g}" height="{high}"/>'
        f'<rect class="flow" x="{first:g}" y="{top}" width="{last - first:g}" height="{high}"/>'
        f"{_ticks(at, top, bottom, 'got')}"
    )


def _x(ms: float, axis: float, bins: int) -> float:
    """Where on the picture, in steps as fine as there are bins."""
    return round(max(0.0, min(1.0, ms / axis)) * bins) * _WIDE / bins


def _ticks(at: list[float], top: int, bottom: int, kind: str) -> str:
    """One path for each thickness: where many are at one place, the tick is thicker."""
    by_weight: dict[int, list[float]] = {}
    for x, count in sorted(Counter(at).items()):
        by_weight.setdefault(min(4, int(log2(count) / 1.5)), []).append(x)
    return "".join(
        f'<path class="{kind} w{weight}" d="{"".join(f"M{x:g} {top}V{bottom}" for x in places)}"/>'
        for weight, places in sorted(by_weight.items())
    )
