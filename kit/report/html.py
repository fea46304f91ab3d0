"""The report as one HTML file: no script, no request to anywhere, readable on paper, on a phone, in the dark.

Whatever was measured or configured passes through `clean` and Jinja's escaping; only this package's own SVG,
which escapes for itself, is taken as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.proof.lane import Comparison, Lane, LaneState, state
from kit.proof.verdict import Method, Verdict
from kit.report.cells import clean
from kit.report.svg import axis_ms, rules, strip_svg, timeline_svg
from kit.report.words import (
    CERTAINTIES,
    METHODS,
    THE_THREE,
    advice,
    attempts_words,
    duration,
    environment_name,
    environment_words,
    expected_words,
    grounds,
    handed_out,
    hold_words,
    how_sure,
    linked,
    moment,
    remark,
    tally,
    three_targets,
    verdict_words,
    versions,
)
from kit.targets import Claim, Target

if TYPE_CHECKING:
    from markupsafe import Markup

_STATES = {
    LaneState.OK: ("ok", "✓", "as {promised}"),
    LaneState.NOT_AS_EXPECTED: ("wrong", "✗", "not as {promised}"),
    LaneState.FAILED: ("wrong", "✗", "failed"),
    LaneState.INCONCLUSIVE: ("unsure", "?", "no verdict"),
}
_KINDS = {"on": "header sent", "off": "header not sent", "polling": "by polling"}


def html(comparison: Comparison, targets: Mapping[str, Target]) -> str:
    """The whole report. The same comparison gives the same file, to the byte."""
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_finalize
    )
    environment.filters["prose"] = _prose
    here = files("kit.report")
    axis = axis_ms(lane.timeline for lane in comparison.lanes)
    methods = sorted({lane.method for lane in comparison.lanes if lane.error is None}, key=list(Method).index)
    measured = {lane.target for lane in comparison.lanes}
    return environment.from_string((here / "report.html.j2").read_text(encoding="utf-8")).render(
        css=_markup((here / "report.css").read_text(encoding="utf-8") + _foot(comparison)),
        comparison=comparison,
        tally=tally(comparison, targets),
        measured=moment(comparison),
        versions=versions(comparison),
        the_three=THE_THREE if three_targets(comparison) else None,
        environment=environment_words(comparison),
        environment_name=environment_name(comparison),
        lanes=[
            _lane(lane, targets.get(lane.target), axis, number)
            for number, lane in enumerate(comparison.lanes, 1)
        ],
        rules=rules(axis),
        methods=[METHODS[method] for method in methods],
        sources=[target for name, target in targets.items() if name in measured and target.claims],
        certainties=CERTAINTIES,
        how_sure=how_sure,
        linked=linked,
    )


@dataclass(frozen=True, slots=True)
class _Card:
    """A lane as the page shows it."""

    lane: Lane
    name: str
    title: str
    arm: str
    tone: str
    mark: str
    outcome: str
    promised: str
    held: bool
    verdict: str
    expected: str | None
    figures: tuple[tuple[str, str], ...]
    first_event: str
    url: str
    grounds: tuple[Claim, ...]
    advice: str | None
    remark: str | None
    again: str | None
    strip: Markup
    picture: Markup
    sent_known: bool


def _lane(lane: Lane, target: Target | None, axis: float, number: int) -> _Card:
    tone, mark, outcome = _STATES[state(lane)]
    # No platform's documentation speaks of pieces: that they pass is expected, and promised by nobody.
    promised = "promised" if target is not None and lane.delivery == "stream" else "expected"
    outcome = outcome.format(promised=promised)
    if lane.as_expected is None and state(lane) is LaneState.OK:
        outcome = "measured"
    title = clean(lane.target if target is None else target.title)
    arm = _KINDS[lane.header if lane.delivery == "stream" else lane.delivery]
    verdict = verdict_words(lane)
    seen = _seen(lane)
    return _Card(
        lane=lane,
        name=f"lane-{number}",
        title=title,
        arm=arm,
        tone=tone,
        mark=mark,
        outcome=outcome,
        promised=promised,
        held=lane.verdict in (Verdict.BYTE_LIMITED, Verdict.TIME_LIMITED, Verdict.WHOLE_MESSAGE),
        verdict=verdict,
        expected=None if lane.as_expected is None else expected_words(lane, target),
        figures=_figures(lane),
        first_event=duration(lane.timeline.first_event_ms),
        url=handed_out(lane.url),
        grounds=grounds(lane, target),
        advice=advice(lane, target),
        remark=remark(lane),
        again=attempts_words(lane),
        strip=_markup(strip_svg(lane.timeline, axis, f"strip-{number}", f"{title}, {arm}: arrivals", seen)),
        picture=_markup(
            timeline_svg(lane.timeline, axis, f"picture-{number}", f"{title}, {arm}: sent and arrived", seen)
        ),
        sent_known=any(arrival.sent_ms is not None for arrival in lane.timeline.arrivals),
    )


def _foot(comparison: Comparison) -> str:
    """On paper each page says what it is worth, since pages part. Made of the kit's own words only."""
    said = f'"streamproof. {environment_words(comparison)}"'
    return f"@page {{ @bottom-left {{ content: {said}; }} }}\n"


def _figures(lane: Lane) -> tuple[tuple[str, str], ...]:
    if lane.error is not None:
        return ()
    timeline = lane.timeline
    figures = [
        ("first byte", duration(timeline.ttfb_ms)),
        ("first event", duration(timeline.first_event_ms)),
        ("events", f"{len(timeline.arrivals):,}"),
        ("duration", duration(timeline.duration_ms) + ("" if timeline.complete else ", no proper end")),
        ("hold", hold_words(lane)),
    ]
    if lane.hold_floor_ms is not None and (lane.hold_ms or 0) > lane.hold_floor_ms:
        figures.append(("could be seen from", duration(lane.hold_floor_ms)))
    return (*figures, ("method", str(lane.method)))


def _seen(lane: Lane) -> str:
    """The picture in words."""
    arrivals = lane.timeline.arrivals
    if not arrivals:
        return "Nothing arrived."
    first, last = duration(arrivals[0].arrived_ms), duration(arrivals[-1].arrived_ms)
    return f"{len(arrivals)} events, the first arrived after {first}, the last after {last}."


def _markup(text: str) -> Markup:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - this package's own SVG and CSS


def _prose(text: str) -> Markup:
    """A sentence in which `backticks` mark what is code."""
    from markupsafe import Markup

    pieces = clean(text).split("`")
    if len(pieces) % 2 == 0:
        return Markup("{}").format(clean(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if index % 2 else piece for index, piece in enumerate(pieces)
    )


def _finalize(value: Any) -> Any:
    from markupsafe import Markup

    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
