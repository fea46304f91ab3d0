from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree as ET

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit.proof.lane import Comparison, LaneState
from kit.report.junit import junit
from kit.report.view import view
from kit.targets import Target
from tests.kit.report.conftest import filled
from tests.kit.report.documents import FOLDER, SEEN, texts


def test_each_lane_is_a_test_of_its_environment_with_its_evidence_and_what_to_do() -> None:
    assert texts()["report.xml"] == (FOLDER / "report.xml").read_text(encoding="utf-8")


# What XML forbids though it is encoded (the first two), what ends a text, and what `clean` replaces.
FORBIDDEN = '\ufffe\uffff\0]]><&"\x1b\ud800\u202e\n'


@settings(max_examples=30)
@given(data=st.data(), hostile=st.text(max_size=20))
@example(data=None, hostile=FORBIDDEN)
def test_any_comparison_is_xml_with_a_case_a_lane(
    data: st.DataObject | None,
    hostile: str,
    comparisons: st.SearchStrategy[Comparison],
    targets: Mapping[str, Target],
) -> None:
    seen = filled(SEEN if data is None else view(data.draw(comparisons), targets), lambda: hostile)
    text = junit(seen)
    text.encode()
    (suite,) = root = ET.fromstring(text)
    cases = suite.findall("testcase")
    assert suite.attrib.items() >= {key: root.get(key) for key in ("tests", "failures", "errors")}.items()
    bad = [case.find("failure") is not None or case.find("error") is not None for case in cases]
    assert bad == [lane.state is not LaneState.OK for lane in seen.lanes]
