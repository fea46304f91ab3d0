from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from kit.load.tally import COUNTS, TIMES, Tally


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    made = Tally()
    for name in COUNTS:
        setattr(made, name, draw(st.integers(0, 1_000)))
    for name in TIMES:
        for ms in draw(st.lists(st.floats(0, 100_000), max_size=5)):
            getattr(made, name).add(ms)
    for reason in draw(st.lists(st.text(max_size=200), max_size=30)):
        made.because(reason)
    return made


@given(tallies(), tallies())
def test_the_order_in_which_workers_report_does_not_matter(one: Tally, other: Tally) -> None:
    there, back = Tally(), Tally()
    for tally in (one, other):
        there.merge(tally)
    for tally in (other, one):
        back.merge(tally)
    assert there.data == back.data
    assert there.open == one.open + other.open


@given(tallies())
def test_it_travels_as_json(tally: Tally) -> None:
    assert Tally.of(json.loads(json.dumps(tally.data))).data == tally.data


def test_a_server_that_makes_up_reasons_does_not_fill_the_memory() -> None:
    tally = Tally()
    for number in range(1_000):
        tally.because(f"reason {number} " + "x" * 10_000)
    assert len(tally.reasons) < 30
    assert tally.reasons.total() == 1_000
    assert sum(map(len, tally.reasons)) < 10_000
