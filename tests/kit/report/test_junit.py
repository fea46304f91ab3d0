from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from xml.etree import ElementTree as ET

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit.proof.lane import Comparison, Lane, LaneState, state
from kit.report.junit import junit
from kit.targets import Target


def _suite(comparison: Comparison, targets: Mapping[str, Target]) -> ET.Element:
    root = ET.fromstring(junit(comparison, targets))
    (suite,) = root
    assert root.tag == "testsuites"
    assert suite.attrib.items() >= {key: root.get(key) for key in ("tests", "failures", "errors")}.items()
    return suite


def _told(case: ET.Element) -> dict[str, str]:
    return {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")}


def test_each_lane_is_a_test_of_its_environment(
    comparison: Comparison, polled: Lane, targets: Mapping[str, Target]
) -> None:
    suite = _suite(replace(comparison, lanes=(*comparison.lanes, polled)), targets)
    cases = suite.findall("testcase")
    assert {case.get("classname") for case in cases} == {"streamproof.lab"}
    assert [case.get("name") for case in cases[:2]] == ["standard off", "standard on"]
    assert cases[-1].get("name") == "standard polling"
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("7", "0", "0")
    assert "emulated from documentation" in _told(suite)["environment"]
    assert suite.get("timestamp") == "2026-11-22T20:58:03"


def test_a_case_has_its_verdict_shape_hold_and_evidence(
    comparison: Comparison, targets: Mapping[str, Target]
) -> None:
    cases = {case.get("name"): case for case in _suite(comparison, targets).findall("testcase")}
    assert _told(cases["standard on"]).items() >= {"verdict": "whole-message", "shape": "whole"}.items()
    assert _told(cases["run on"]).items() >= {"verdict": "incremental", "hold_ms": "0.3"}.items()
    seen = cases["run on"].findtext("system-out") or ""
    assert all(step in seen for step in comparison.lanes[-1].evidence)


def test_what_is_not_as_expected_fails_with_what_to_do_and_what_failed_is_an_error(
    troubled: Comparison, targets: Mapping[str, Target]
) -> None:
    suite = _suite(troubled, targets)
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("2", "1", "0")
    cases = {case.get("name"): case for case in suite.findall("testcase")}
    failure = cases["flex on"].find("failure")
    assert failure is not None
    assert failure.get("type") == "not-as-expected"
    assert failure.get("message") == "buffered whole, expected: streamed"
    assert "probe the service directly" in (failure.text or "")
    unsure = cases["run off"].find("failure")
    assert unsure is not None
    assert unsure.get("type") == "inconclusive"
    assert "mount service/proof.py" in (unsure.text or "")
    error = cases["run on"].find("error")
    assert error is not None
    assert error.get("type") == "service-died"
    assert "Read the end of its log in build/run.log." in (error.text or "")


# What XML forbids though it is encoded (the first three), what ends a text, and what `clean` replaces.
FORBIDDEN = '\ufffe\uffff\0]]><&"\x1b\ud800\u202e\n'


@settings(max_examples=30)
@given(data=st.data(), hostile=st.text(max_size=20))
@example(data=None, hostile=FORBIDDEN)
def test_any_comparison_is_xml_with_a_case_a_lane(
    data: st.DataObject | None,
    hostile: str,
    comparisons: st.SearchStrategy[Comparison],
    troubled: Comparison,
    targets: Mapping[str, Target],
) -> None:
    drawn = troubled if data is None else data.draw(comparisons)
    lanes = tuple(replace(lane, url=hostile, evidence=(hostile, *lane.evidence)) for lane in drawn.lanes)
    comparison = replace(drawn, prompt=hostile, lanes=lanes)
    cases = _suite(comparison, targets).findall("testcase")
    junit(comparison, targets).encode()
    bad = [case.find("failure") is not None or case.find("error") is not None for case in cases]
    assert bad == [state(lane) is not LaneState.OK for lane in comparison.lanes]
