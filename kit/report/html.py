"""The report as one HTML file: no script, no request to anywhere, readable on paper, on a phone, in the dark.

Whatever was measured or configured passes through `clean` and Jinja's escaping; only this package's own SVG,
which escapes for itself, is taken as it is.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from kit.language import capital, join, spoken, t, text
from kit.proof.lane import LaneState, Mark
from kit.proof.verdict import Verdict
from kit.report.cells import clean, one_line
from kit.report.style import CAME, MARKS, Tone
from kit.report.svg import axis_ms, rules, strip_svg, timeline_svg
from kit.report.view import ComparisonView, LaneView
from kit.report.words import CERTAINTIES, ENVIRONMENTS, KINDS, duration, how_sure, linked

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup


def html(view: ComparisonView) -> str:
    """The whole report. The same comparison gives the same file, to the byte."""
    page, css = _page()
    axis = axis_ms(lane.timeline for lane in view.lanes)
    # On paper each page says what it is worth, since pages part. Made of the kit's own words only.
    foot = f'@page {{ @bottom-left {{ content: "streamproof. {t(view.where)}"; }} }}\n'
    return page.render(
        css=_markup(css + foot),
        _=text,
        language={"en": "en", "zh": "zh-CN"}[spoken()],
        environments=ENVIRONMENTS,
        capital=capital,
        join=join,
        view=view,
        lanes=[_card(lane, axis, number) for number, lane in enumerate(view.lanes, 1)],
        rules=rules(axis),
        kept=MARKS[view.state][1],
        armed=any(lane.kind != "polling" and _arm(lane) for lane in view.lanes),
        certainties=CERTAINTIES,
        marks=MARKS,
        how_sure=how_sure,
        linked=linked,
    )


@cache
def _page() -> tuple[Template, str]:
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_finalize
    )
    environment.filters |= {"prose": _prose, "clean": _clean, "lines": lambda said: t(said).splitlines()}
    here = files("kit.report")
    page = environment.from_string((here / "report.html.j2").read_text(encoding="utf-8"))
    return page, (here / "report.css").read_text(encoding="utf-8")


def _card(lane: LaneView, axis: float, number: int) -> dict[str, Any]:
    """What the page shows beside the lane's own words."""
    mark, _ = CAME[lane.mark]
    arrivals, title, arm = lane.timeline.arrivals, clean(lane.title), _arm(lane)
    named = text("{title}, {arm}", title=title, arm=arm) if arm else title
    seen = text("Nothing arrived.")
    if arrivals:
        first, last = duration(arrivals[0].arrived_ms), duration(arrivals[-1].arrived_ms)
        seen = text(
            "{count} events, the first arrived after {first}, the last after {last}.",
            count=len(arrivals),
            first=first,
            last=last,
        )
    return {
        "lane": lane,
        "name": f"lane-{number}",
        "title": title,
        "arm": arm,
        "mark": mark,
        "kept": _tone(lane),
        "held": lane.mark is Mark.HELD,
        "expects_pieces": lane.kind == "polling" and lane.codes["expected"] in tuple(Verdict),
        "figures": _figures(lane),
        "strip": _markup(
            strip_svg(
                lane.timeline, axis, f"strip-{number}", t(text("{lane}: arrivals", lane=named)), t(seen)
            )
        ),
        "picture": _markup(
            timeline_svg(
                lane.timeline,
                axis,
                f"picture-{number}",
                t(text("{lane}: sent and arrived", lane=named)),
                t(seen),
            )
        ),
        "sent_known": any(arrival.sent_ms is not None for arrival in arrivals),
    }


def _arm(lane: LaneView) -> str:
    """How it was asked; empty for a service that was asked once, and may bear the header or not."""
    return "" if lane.as_is and lane.asked is None else KINDS[lane.kind]


def _tone(lane: LaneView) -> Tone:
    """Of the words on whether its answer came as it should."""
    if lane.as_expected:
        return "ok"
    return "wrong" if lane.delivered is LaneState.NOT_AS_EXPECTED else "unsure"


def _figures(lane: LaneView) -> tuple[tuple[str, str], ...]:
    if lane.error is not None:
        return ()
    figures = [
        (text("first byte"), lane.first_byte),
        (text("first event"), lane.first_event),
        (text("events"), f"{len(lane.timeline.arrivals):,}"),
        (text("duration"), lane.duration + ("" if lane.timeline.complete else text(", no proper end"))),
        (text("hold"), lane.hold),
    ]
    if lane.seen_from is not None:
        figures.append((text("shortest hold that would show"), lane.seen_from))
    return (*figures, (text("measured by"), lane.codes["method"]))


def _markup(source: str) -> Markup:
    from markupsafe import Markup

    return Markup(source)  # noqa: S704 - this package's own SVG and CSS


def _prose(sentence: str) -> Markup:
    """A sentence in which `backticks` mark what is code."""
    from markupsafe import Markup

    said = one_line(sentence)
    pieces = said.split("`")
    if len(pieces) % 2 == 0:
        return Markup("{}").format(said)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if index % 2 else piece for index, piece in enumerate(pieces)
    )


def _clean(said: str) -> Markup:
    """A person's own words, which stay as they are."""
    from markupsafe import Markup

    return Markup("{}").format(clean(said))


def _finalize(value: Any) -> Any:
    from markupsafe import Markup

    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value
