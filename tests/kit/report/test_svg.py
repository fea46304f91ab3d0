from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from kit.proof.timeline import Arrival, Timeline
from kit.report.svg import axis_ms, rules, strip_svg, timeline_svg
from tests.kit.report.measured import AS_PROMISED, TROUBLED, timeline


def _paths(svg: str, kind: str) -> list[tuple[float, float]]:
    """Where the strokes of a kind begin, and where their last number says they end."""
    root = ElementTree.fromstring(svg)
    strokes = []
    for path in root.iter("path"):
        if kind in (path.get("class") or "").split():
            for stroke in (path.get("d") or "").split("M")[1:]:
                numbers = re.findall(r"[\d.]+", stroke)
                strokes.append((float(numbers[0]), float(numbers[-2])))
    return strokes


def test_a_held_stream_is_a_fan_that_closes_on_one_point() -> None:
    svg = timeline_svg(timeline("whole"), 4_400, "p", "t", "d")
    links = _paths(svg, "link")
    assert len(links) == 61
    assert len({end for _, end in links}) == 1
    assert len(_paths(svg, "sent")) == 61
    assert len(_paths(svg, "got")) == 1


def test_a_streamed_one_is_upright_lines() -> None:
    links = _paths(timeline_svg(timeline("incremental"), 4_400, "p", "t", "d"), "link")
    assert len(links) == 61
    assert all(abs(start - end) <= 2 for start, end in links)


def test_the_light_part_ends_where_the_first_event_arrives() -> None:
    root = ElementTree.fromstring(strip_svg(timeline("incremental"), 4_400, "p", "t", "d"))
    wait, flow = root.iter("rect")
    assert (wait.get("class"), flow.get("class")) == ("wait", "flow")
    assert abs(float(wait.get("width") or 0) - 301.3 / 4.4) <= 1


def test_without_send_times_only_arrivals_are_drawn() -> None:
    arrivals = tuple(Arrival(seq, None, 100.0 * seq, 9) for seq in range(5))
    svg = timeline_svg(Timeline(arrivals, 0, 500, True), 600, "p", "t", "d")
    assert len(_paths(svg, "got")) == 5
    assert not _paths(svg, "sent")
    assert not _paths(svg, "link")


def test_thousands_of_events_stay_small() -> None:
    for how in ("whole", "incremental", "blocks"):
        many = timeline(how, 20_000)
        svg = timeline_svg(many, axis_ms([many]), "p", "t", "d")
        assert len(svg) < 40_000
        assert len(_paths(svg, "sent")) <= 401


def test_the_picture_is_described_for_who_cannot_see_it() -> None:
    svg = strip_svg(timeline("whole"), 4_400, "lane-1", "<Flex> & friends", "61 events")
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    ids = {element.get("id"): element.text for element in root if element.get("id")}
    assert [ids[name] for name in (root.get("aria-labelledby") or "").split()] == [
        "<Flex> & friends",
        "61 events",
    ]


def test_one_axis_holds_all_lanes() -> None:
    for lanes in (AS_PROMISED.lanes, TROUBLED.lanes):
        axis = axis_ms(lane.timeline for lane in lanes)
        assert 4_310 < axis < 4_500
    assert axis_ms([]) == 1.0
    assert axis_ms([Timeline((), None, 2_000, False)]) > 2_000


@given(st.floats(1, 1e8))
def test_the_axis_has_a_few_round_times(axis: float) -> None:
    marks = rules(axis)
    assert 2 <= len(marks) <= 9
    assert marks[0][0] == 0
    assert all(0 <= at <= 100 for at, _ in marks)
