"""What a setting allows, says that it allows, and what bounds make of several."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.settings import Bound, Setting, Value, plain


def setting(default: Value | None, **limits: Any) -> Setting:
    return Setting(default=default, meaning="what it is", **limits)


WHOLE = setting(3, range=(1, 5_000))
NUMBER = setting(1.0, choices=(2, 4), range=(0.5, 1.5))
WORD = setting("", pattern="[a-z]+", form="a word")


@pytest.mark.parametrize(
    ("setting", "allowed", "refused"),
    [
        (WHOLE, [1, 3, 5000], [0, 5001, 2.0, True, "3", None, math.nan]),
        (NUMBER, [0.5, 1, 1.5, 2, 4, 4.0], [0.4, 1.6, 3, True, "1", None, math.nan, math.inf]),
        (WORD, ["a", ""], ["A", "a\n", "ä", "a1", 1, None]),
        (setting(None, choices=("on", "off")), ["on"], ["", "On", "onoff", None]),
        (setting(0, choices=(0, 1)), [0, 1], [False, True, 2]),
    ],
)
def test_a_value_is_allowed_or_refused(
    setting: Setting, allowed: list[object], refused: list[object]
) -> None:
    assert [value for value in allowed if not setting.allows(value)] == []
    assert [value for value in refused if setting.allows(value)] == []


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (WHOLE, "a whole number from 1 to 5,000"),
        (NUMBER, "2 or 4, or a number from 0.5 to 1.5"),
        (replace(NUMBER, form="some"), "some"),
        (WORD, "a word"),
        (setting(None, choices=("a", "b", "c")), '"a", "b" or "c"'),
        (setting(None, choices=("a",)), '"a"'),
    ],
)
def test_what_is_expected_is_said_in_words(setting: Setting, said: str) -> None:
    assert setting.expected == said


@given(st.integers() | st.floats(allow_nan=False))
def test_a_number_typed_is_the_number_meant(number: float) -> None:
    any_number = setting(0.0, range=(-math.inf, math.inf))
    assert any_number.parsed(repr(number)) == float(number)  # beyond 2**53 the nearest that there is


@given(st.text())
def test_any_text_is_allowed_or_refused(text: str) -> None:
    for one in (WHOLE, NUMBER, WORD):
        value = one.parsed(text)
        assert one.allows(value) or value != one.default


@pytest.mark.parametrize(("value", "written"), [(2.0, "2"), (2, "2"), (0.5, "0.5"), ("2.0", "2.0")])
def test_a_number_is_written_without_a_needless_fraction(value: Value, written: str) -> None:
    assert str(plain(value)) == written


VALUES: dict[str, Value] = {"a": 1, "b": 2.5, "c": "2Gi", "d": "512Mi", "word": "x", "empty": ""}
HALF = Bound(setting="a", below=1)


@pytest.mark.parametrize(
    ("bound", "holds", "said"),
    [
        (Bound(setting="a", least=1, most=1), True, "a <= 1 and a >= 1"),
        (Bound(setting="a", most=0.5), False, "a <= 0.5"),
        (Bound(setting="a", least=2), False, "a >= 2"),
        (HALF, False, "a < 1"),
        (Bound(setting="a", below=1.1), True, "a < 1.1"),
        (Bound(setting="a", most=1, per="b"), True, "a <= b"),
        (Bound(setting="b", most=2, per="a", plus=0.5), True, "b <= 2 * a + 0.5"),
        (Bound(setting="b", most=3, per="a", plus=-0.6), False, "b <= 3 * a - 0.6"),
        (Bound(setting="c", most="2048Mi"), True, "c <= 2048Mi"),
        (Bound(setting="c", most="512Mi", per="b"), False, "c <= 512Mi * b"),
        (Bound(setting="d", least="1Gi", where=HALF), True, "d >= 1Gi where a < 1"),
        (Bound(setting="d", least="1Gi", where=Bound(setting="a", least=1)), False, "d >= 1Gi where a >= 1"),
        (Bound(setting="word", beside="c"), True, "word beside c"),
        (Bound(setting="word", beside="empty"), False, "word beside empty"),
        (Bound(setting="empty", beside="word"), False, "empty beside word"),
        (Bound(setting="empty", beside="empty", where=HALF), True, "empty beside empty where a < 1"),
    ],
)
def test_a_bound_holds_or_does_not_and_says_itself_as_a_formula(bound: Bound, holds: bool, said: str) -> None:
    assert bound.holds(VALUES) is holds
    assert str(bound) == said


def test_a_bound_knows_of_which_settings_it_speaks() -> None:
    assert Bound(setting="a", most=1, per="b", where=Bound(setting="c", most=1)).names == {"a", "b", "c"}
    assert Bound(setting="a", beside="b").names == {"a", "b"}


@pytest.mark.parametrize("limits", [{}, {"least": 1, "beside": "b"}])
def test_a_bound_is_of_a_number_or_beside_a_text(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="one of least, most or below with the setting, or beside alone"):
        Bound(setting="a", **limits)


@pytest.mark.parametrize(("bound", "error"), [("e", KeyError), ("word", ValueError)])
def test_what_cannot_be_compared_is_an_error(bound: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Bound(setting=bound, most=1).holds(VALUES)
