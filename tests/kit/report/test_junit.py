from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit.proof.lane import LaneState
from kit.report.junit import junit
from kit.report.view import ComparisonView
from tests.kit.report.documents import SEEN, VIEWS
from tests.kit.report.measured import filled

# What XML forbids though it is encoded (the first two), what ends a text, and what `clean` replaces.
FORBIDDEN = '\ufffe\uffff\0]]><&"\x1b\ud800\u202e\n'


@settings(max_examples=30)
@given(VIEWS, st.text(max_size=20))
@example(SEEN, FORBIDDEN)
def test_any_comparison_is_xml_with_a_case_a_lane(seen: ComparisonView, hostile: str) -> None:
    text = junit(filled(seen, lambda: hostile))
    text.encode()
    (suite,) = root = ET.fromstring(text)
    cases = suite.findall("testcase")
    assert suite.attrib.items() >= {key: root.get(key) for key in ("tests", "failures", "errors")}.items()
    found = [case.find("failure") is not None or case.find("error") is not None for case in cases]
    clauses = [clause for lane in seen.lanes for clause in lane.clauses if clause.says is not None]
    states = [*(lane.delivered for lane in seen.lanes), *(clause.state for clause in clauses)]
    assert found == [state not in (None, LaneState.OK) for state in states]
    for lane in seen.lanes:  # none that fails is green for a CI
        of_it = [lane.delivered, *(clause.state for clause in lane.clauses)]
        assert (lane.state is LaneState.OK) == all(state in (None, LaneState.OK) for state in of_it)
