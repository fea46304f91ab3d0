"""kit/proof/expectation.py: verdict, bounds and limits are one sentence, read and written alike."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Exit, KitError
from kit.proof.bound import Bound
from kit.proof.contract import Limit, Sign, Term
from kit.proof.expectation import Expectation
from kit.proof.verdict import Verdict

_WHOLE = st.integers(0, 10**8).map(float)
_BOUNDS = st.one_of(
    st.builds(Bound, _WHOLE), st.builds(Bound, st.none(), _WHOLE), st.builds(Bound, _WHOLE, _WHOLE)
)
_LIMITS = st.lists(
    st.builds(Limit, st.sampled_from(Term), st.sampled_from(get_args(Sign)), _WHOLE),
    unique_by=lambda limit: limit.term,
).map(tuple)
EXPECTATIONS = st.builds(Expectation, st.none() | st.sampled_from(Verdict), st.none() | _BOUNDS, _LIMITS)


@given(EXPECTATIONS.filter(lambda one: one != Expectation()))
def test_an_expectation_is_read_back_as_it_is_written(expectation: Expectation) -> None:
    assert Expectation.parse(str(expectation)) == expectation


@given(EXPECTATIONS.filter(lambda one: one != Expectation()), st.randoms())
def test_the_order_of_its_parts_is_free(expectation: Expectation, chance: object) -> None:
    parts = str(expectation).replace(", ", ",").split(",")
    chance.shuffle(parts)  # type: ignore[attr-defined]
    read = Expectation.parse(",".join(parts))
    assert (read.verdict, read.bound) == (expectation.verdict, expectation.bound)
    assert set(read.limits) == set(expectation.limits)


@given(st.text(alphabet="incremental,<>=0123456789 mshkiB.", max_size=40) | st.text(max_size=20))
def test_any_text_is_an_expectation_or_an_error_of_usage(text: str) -> None:
    try:
        read = Expectation.parse(text)
    except KitError as wrong:
        error: KitError | None = wrong
    else:
        error = None
        assert Expectation.parse(str(read)) == read
    assert error is None or (error.exit is Exit.USAGE and error.message and error.hint)


@pytest.mark.parametrize(
    ("text", "expectation"),
    [
        *((str(verdict), Expectation(verdict)) for verdict in Verdict),
        ("streamed", Expectation(Verdict.INCREMENTAL)),
        ("Buffered whole", Expectation(Verdict.WHOLE_MESSAGE)),
        ("refused to stream", Expectation(Verdict.REFUSED)),
        ("held until 64 KiB are there, then streamed", Expectation(Verdict.BYTE_LIMITED)),
        ("buffered by size, many>=2", Expectation(Verdict.BYTE_LIMITED, None, (Limit(Term.MANY, ">=", 2),))),
        ("block<=4KiB, hold<=200ms", Expectation(bound=Bound(200, 4096))),
        (
            "incremental, cancel<1s, idle>60s, many>=100",
            Expectation(
                Verdict.INCREMENTAL,
                limits=(
                    Limit(Term.CANCEL, "<", 1_000),
                    Limit(Term.IDLE, ">", 60_000),
                    Limit(Term.MANY, ">=", 100),
                ),
            ),
        ),
        (
            "many>=2,hold<=1s,streamed",
            Expectation(Verdict.INCREMENTAL, Bound(1_000), (Limit(Term.MANY, ">=", 2),)),
        ),
    ],
)
def test_expectations_as_people_write_them(text: str, expectation: Expectation) -> None:
    assert Expectation.parse(text) == expectation


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fast", "'fast' is no verdict, no bound and no limit."),
        ("", "A part of --expect is empty."),
        ("incremental,", "A part of --expect is empty."),
        ("hold<5", "'hold<5' is no bound."),
        ("buffered by size many>=2", "'buffered by size many>=2' is no verdict, no bound and no limit."),
        ("incremental, cancel<1", "'cancel<1' is no limit."),
        ("many>=10s", "'many>=10s' is no limit."),
        ("incremental,streamed", "'incremental,streamed' names the verdict twice."),
        ("hold<=1s,hold<=2s", "'hold<=1s,hold<=2s' names hold twice."),
        ("idle>1s,idle<1h", "'idle>1s,idle<1h' names idle twice."),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(text: str, message: str) -> None:
    with pytest.raises(KitError) as refused:
        Expectation.parse(text)
    assert refused.value.message == message
