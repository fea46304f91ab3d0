from __future__ import annotations

import json
from math import ceil, inf

from hypothesis import given
from hypothesis import strategies as st

from kit.load.histogram import GROWTH, Histogram

TIMES = st.lists(st.floats(min_value=0, max_value=10_000_000) | st.just(inf), max_size=60)


def of(times: list[float]) -> Histogram:
    made = Histogram()
    for ms in times:
        made.add(ms)
    return made


@given(TIMES, TIMES)
def test_two_that_are_merged_are_one_of_all(some: list[float], others: list[float]) -> None:
    merged = of(some)
    merged.merge(of(others))
    assert merged.data == of(some + others).data


@given(TIMES, st.floats(min_value=0.001, max_value=1))
def test_a_quantile_is_never_too_small_and_at_most_a_fiftieth_too_large(
    times: list[float], share: float
) -> None:
    found = of(times).quantile(share)
    if not times:
        assert found is None
        return
    exact = sorted(times)[max(1, ceil(share * len(times) - 1e-9)) - 1]
    assert found is not None
    assert exact <= found * (1 + 1e-9)
    assert found <= max(exact, 0.1) * GROWTH * (1 + 1e-9) or exact == inf


@given(TIMES)
def test_it_travels_as_json(times: list[float]) -> None:
    made = of(times)
    again = Histogram.of(json.loads(json.dumps(made.data, allow_nan=False)))
    assert (again.data, again.count, again.most_ms) == (made.data, len(times), max(times, default=0.0))
